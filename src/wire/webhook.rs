//! Webhooks as administrators set and see them. Secrets go in, and out only when they are made.

use serde_json::{Map, Value, json};

use super::json::Json;
use super::settings::fields::{Fault, Fields};
use super::settings::whole;
use crate::domain::callback::Channel;
use crate::domain::civil::format_rfc3339;
use crate::domain::ids::WebhookId;
use crate::domain::time::{Span, Timestamp};
use crate::domain::webhook::{
    Filter, NewWebhook, Progress, SigningSecret, Webhook, WebhookSettings, is_type,
};

/// What is shown beside the settings, and passed over when it is sent back.
pub const STATUS: &str = "status";

/// The longest time for which a secret that was replaced signs too, in seconds.
const KEEP_FORMER_MAX: u32 = 30 * 86_400;

/// That time unless said.
const KEEP_FORMER: u32 = 86_400;

/// Says why events can't be sent to an address, if they can't.
pub type UrlCheck = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// The webhook that a request's body describes.
pub fn webhook(
    body: &Json<'_>,
    id: &WebhookId,
    check: &UrlCheck,
) -> Result<NewWebhook, Vec<Fault>> {
    whole(body, |fields| read(fields, id, check))
}

fn read(fields: &mut Fields<'_>, path: &WebhookId, check: &UrlCheck) -> Option<NewWebhook> {
    let id = super::settings::id(fields, Some(path), WebhookId::parse);
    let url = fields
        .required("url")
        .and_then(|item| item.parsed(|text| check(text).map(|()| text.to_owned())));
    let types = fields.list("types", |item| {
        item.parsed(|text| {
            let allowed = "must be a type of event, or all that begin alike, such as callback.*";
            is_type(text).then(|| text.to_owned()).ok_or(allowed)
        })
    });
    let channels = Channel::ALL.map(|channel| (channel.as_str(), channel));
    let channels = fields.list("channels", |item| item.word(&channels));
    let active = fields.flag("active", true);
    let secret = fields.parsed("secret", SigningSecret::parse);
    let keep = fields.number("former_secret_seconds", KEEP_FORMER, 0..=KEEP_FORMER_MAX);
    let filter =
        Filter { types: types.into_iter().collect(), channels: channels.into_iter().collect() };
    Some(NewWebhook {
        settings: WebhookSettings { id: id?, url: url?, filter, active },
        secret,
        keep_former: Span::seconds(keep),
    })
}

/// How a webhook's deliveries stand.
#[derive(Debug)]
pub struct Delivering<'a> {
    /// How far it has come.
    pub progress: &'a Progress,
    /// When the oldest event happened that it wasn't sent yet.
    pub oldest: Option<Timestamp>,
}

/// A webhook as it is shown, seen from `now`; `delivering` while it is active.
pub fn webhook_body(
    webhook: &Webhook,
    delivering: Option<&Delivering<'_>>,
    now: Timestamp,
) -> Map<String, Value> {
    let WebhookSettings { id, url, filter, active } = &*webhook.settings;
    let channels: Vec<&str> = filter.channels.iter().map(|channel| channel.as_str()).collect();
    let instant = |at: Option<Timestamp>| at.map(format_rfc3339);
    let progress = delivering.map(|delivering| delivering.progress);
    let failed = progress.and_then(|progress| progress.failed.as_ref());
    let oldest = delivering.and_then(|delivering| delivering.oldest);
    let behind = oldest.map_or(Span::ZERO, |oldest| now.since(oldest).max(Span::ZERO));
    let status = json!({
        "created_at": format_rfc3339(webhook.created_at),
        "updated_at": format_rfc3339(webhook.updated_at),
        "former_secret_until": instant(webhook.former_secret(now).map(|former| former.until)),
        "disabled_reason": webhook.disabled,
        "last_delivered_at": instant(progress.and_then(|progress| progress.delivered_at)),
        "last_failed_at": instant(failed.map(|(at, _)| *at)),
        "last_failure": failed.map(|(_, reason)| reason),
        "waiting": progress.map_or(0, |progress| progress.open.len()),
        "behind_seconds": behind.whole_seconds(),
    });
    let body = json!({
        "id": id.as_str(), "url": url, "types": filter.types, "channels": channels,
        "active": active, STATUS: status,
    });
    match body {
        Value::Object(body) => body,
        _ => unreachable!("it was made as an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> WebhookId {
        WebhookId::parse("crm").expect("a slug")
    }

    fn check(url: &str) -> Result<(), String> {
        url.starts_with("https://").then_some(()).ok_or_else(|| "must be https".to_owned())
    }

    fn pointers(body: &Value) -> Vec<String> {
        let faults = webhook(&Json::from(body), &id(), &check).expect_err("bad");
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let bad = json!({
            "id": "other", "url": "http://a", "types": ["callback.created", "nope"],
            "channels": ["chat", "fax"], "active": 1, "secret": "whsec_", "surprise": 1,
            "former_secret_seconds": KEEP_FORMER_MAX + 1,
        });
        let expected = [
            "/id",
            "/url",
            "/types/1",
            "/channels/1",
            "/active",
            "/secret",
            "/former_secret_seconds",
            "/surprise",
        ];
        assert_eq!(pointers(&bad), expected);
        assert_eq!(pointers(&json!({})), ["/url"]);
        assert_eq!(pointers(&json!([])), [""]);
    }

    #[test]
    fn what_is_shown_is_taken_back_and_tells_no_secret() {
        let body = json!({
            "url": "https://a", "types": ["queue.*", "callback.closed"], "channels": ["chat"],
            "secret": SigningSecret::of_random(&[1; 32]).reveal(),
        });
        let wanted = webhook(&Json::from(&body), &id(), &check).expect("good");
        let fresh = SigningSecret::of_random(&[2; 32]);
        let made = Webhook::put(None, wanted.clone(), fresh, 32, Timestamp(0));
        let mut shown = Value::Object(webhook_body(&made, None, Timestamp(5)));
        assert!(!shown.to_string().contains("whsec_"), "{shown}");
        assert_eq!(shown["status"]["behind_seconds"], 0);
        shown.as_object_mut().expect("an object").remove(STATUS);
        let again = webhook(&Json::from(&shown), &id(), &check).expect("good");
        assert_eq!((again.settings, again.secret), (wanted.settings, None));
    }
}
