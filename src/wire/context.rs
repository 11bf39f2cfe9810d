//! What the customer did before asking: checked in shape, and otherwise passed on as it came.

use super::json::{Json, Object};
use super::settings::fields::{Fields, Item};
use super::text::{CONTEXT_MAX_BYTES, instant, web_address};

/// Reads a context and returns it as the JSON that is kept; its faults are noted with the fields.
pub fn read_context(item: Item<'_>) -> Option<String> {
    let kept = serde_json::to_string(item.json()).expect("a tree has a text");
    item.checked(
        |item| item.table(context),
        |()| match kept.len() {
            0..=CONTEXT_MAX_BYTES => Ok(kept),
            size => Err(format!("has {size} bytes; at most {CONTEXT_MAX_BYTES} are taken")),
        },
    )
}

fn context(fields: &mut Fields<'_>) {
    list(fields, "articles", |fields| {
        text(fields, "title");
        fields.parsed("url", web_address);
        fields.parsed("viewed_at", instant);
    });
    list(fields, "searches", |fields| {
        text(fields, "query");
        fields.parsed("at", instant);
    });
    list(fields, "transcript", |fields| {
        text(fields, "from");
        text(fields, "text");
        fields.parsed("at", instant);
    });
    text(fields, "ivr_path");
    // Attributes are the integrator's own: any name, any value that can be given back.
    fields.take("attributes").map(|item| item.entries(|_, item| kept(item)));
}

/// From here on doubles don't tell whole numbers apart: 2^53. What is kept as one may be exact, and
/// still not be what its sender had.
const EXACT: f64 = 9_007_199_254_740_992.0;

const NOT_EXACT: &str = "is a number that can't be kept exactly; send it as text";

/// Refuses numbers that would come back as others, in any depth.
fn kept(item: Item<'_>) -> Option<()> {
    match item.json() {
        Json::List(_) => item.list(kept).map(drop),
        Json::Object(_) => item.entries(|_, item| kept(item)).map(drop),
        Json::Number(number) => {
            let whole = number.is_u64() || number.is_i64();
            if whole || number.as_f64().is_some_and(|number| number.abs() < EXACT) {
                return Some(());
            }
            item.fault(NOT_EXACT)
        }
        Json::Rounded(_) => item.fault(NOT_EXACT),
        Json::Null | Json::Flag(_) | Json::Text(_) => Some(()),
    }
}

fn list(fields: &mut Fields<'_>, key: &'static str, mut each: impl FnMut(&mut Fields<'_>)) {
    fields.take(key).map(|item| item.list(|item| item.table(&mut each)));
}

/// Any text: the size of the whole bounds it.
fn text(fields: &mut Fields<'_>, key: &'static str) {
    fields.parsed(key, |_| Ok::<_, &str>(()));
}

/// RFC 7396: puts `patch` into `target`; null takes a member away.
pub fn merge<'a>(target: &mut Json<'a>, patch: &Json<'a>) {
    let Json::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !matches!(target, Json::Object(_)) {
        *target = Json::Object(Object::new());
    }
    let Json::Object(members) = target else { unreachable!("it was made an object above") };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Json::Null), value);
        }
    }
}
