//! What the customer did before asking: checked in shape, and otherwise passed on as it came.

use serde_json::{Map, Value};

use super::settings::fields::{Fields, Item};
use super::text::{CONTEXT_MAX_BYTES, CONTEXT_TEXT_MAX, instant, web_address};

/// Reads a context and returns it as the JSON that is kept; none where it can't be taken.
/// `value` is the same value as `item`'s.
pub fn read_context(value: &Value, item: Item<'_>) -> Option<String> {
    let kept = value.to_string();
    item.checked(
        |item| item.table(context),
        |fits| match kept.len() {
            0..=CONTEXT_MAX_BYTES if fits => Ok(kept),
            0..=CONTEXT_MAX_BYTES => Err("has faults; see the other errors".to_owned()),
            size => Err(format!("has {size} bytes; at most {CONTEXT_MAX_BYTES} are taken")),
        },
    )
}

fn context(fields: &mut Fields<'_>) -> bool {
    let articles = list(fields, "articles", |fields| {
        let title = text(fields, "title");
        let url = optional(fields, "url", web_address);
        let viewed_at = optional(fields, "viewed_at", instant);
        title && url && viewed_at
    });
    let searches = list(fields, "searches", |fields| {
        let query = text(fields, "query");
        query & optional(fields, "at", instant)
    });
    let transcript = list(fields, "transcript", |fields| {
        let from = text(fields, "from");
        let said = text(fields, "text");
        from & said & optional(fields, "at", instant)
    });
    let ivr_path = text(fields, "ivr_path");
    // Attributes are the integrator's own: any name, any value.
    let attributes =
        fields.take("attributes").is_none_or(|item| item.entries(|_, _| Some(())).is_some());
    articles & searches & transcript & ivr_path & attributes
}

fn list(
    fields: &mut Fields<'_>,
    key: &'static str,
    mut each: impl FnMut(&mut Fields<'_>) -> bool,
) -> bool {
    let Some(item) = fields.take(key) else { return true };
    let read = item.list(|item| Some(item.table(&mut each).unwrap_or(false)));
    read.is_some_and(|all| all.into_iter().all(|fits| fits))
}

fn text(fields: &mut Fields<'_>, key: &'static str) -> bool {
    let fits = |text: &str| {
        let most = CONTEXT_TEXT_MAX;
        (text.len() <= most).then_some(()).ok_or_else(|| format!("must have at most {most} bytes"))
    };
    optional(fields, key, fits)
}

fn optional<T, E: std::fmt::Display>(
    fields: &mut Fields<'_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> bool {
    fields.take(key).is_none_or(|item| item.parsed(parse).is_some())
}

/// RFC 7396: puts `patch` into `target`; null takes a member away.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let members = target.as_object_mut().expect("it was made an object above");
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
