//! Reads what the server may call on its own account: webhooks, and the makers of meetings.

use std::time::Duration;

use secrecy::SecretString;

use super::read::{count, seconds};
use super::{JitsiServer, Meetings, OutwardCalls, Webhooks, ZoomAccount};
use crate::wire::settings::fields::{Fields, Item};
use crate::wire::settings::{is_authority, web_address};

/// The longest name, number or secret that a provider hands out.
const CREDENTIAL_MAX: usize = 500;

/// The longest wait for somebody else's server, in seconds.
const ANSWER_MAX: u32 = 300;

/// The longest time for which an event is tried, in days.
const DAYS_MAX: u32 = 30;

pub(super) fn webhooks(fields: &mut Fields<'_>) -> Webhooks {
    let allow_inner = fields.flag("allow_inner", false);
    let OutwardCalls { connect, answer } = calls(fields);
    Webhooks {
        allow_inner,
        connect,
        answer,
        give_up_after: seconds(fields, "give_up_after_seconds", 1..=DAYS_MAX * 86_400),
        concurrency: count(fields, "concurrency", 1..=1_000),
        concurrency_in_all: count(fields, "concurrency_in_all", 1..=100_000),
        max_waiting: count(fields, "max_waiting", 1..=10_000),
    }
}

pub(super) fn calls(fields: &mut Fields<'_>) -> OutwardCalls {
    let connect: Duration = seconds(fields, "connect_seconds", 1..=ANSWER_MAX);
    let answer = seconds(fields, "answer_seconds", 1..=ANSWER_MAX);
    if connect > answer {
        fields.fault("connect_seconds", "must not be more than answer_seconds");
    }
    OutwardCalls { connect, answer }
}

#[derive(Clone, Copy)]
enum Provider {
    Zoom,
    Jitsi,
}

/// Who makes a workspace's meetings; what doesn't belong to the provider is refused as unknown.
pub(super) fn meetings(fields: &mut Fields<'_>) -> Option<Meetings> {
    const PROVIDERS: [(&str, Provider); 2] = [("zoom", Provider::Zoom), ("jitsi", Provider::Jitsi)];
    match fields.required("provider").and_then(|item| item.word(&PROVIDERS)) {
        Some(Provider::Zoom) => zoom(fields).map(Meetings::Zoom),
        Some(Provider::Jitsi) => jitsi(fields).map(Meetings::Jitsi),
        None => {
            // Without a provider nobody can tell which of these belong here: one fault is enough.
            for key in [
                "account_id",
                "client_id",
                "client_secret",
                "host_user",
                "api_url",
                "token_url",
                "domain",
                "app_id",
                "app_secret",
                "audience",
                "subject",
            ] {
                fields.take(key);
            }
            None
        }
    }
}

fn zoom(fields: &mut Fields<'_>) -> Option<ZoomAccount> {
    let account_id = fields.required("account_id").and_then(credential);
    let client_id = fields.required("client_id").and_then(credential);
    let client_secret = fields.required("client_secret").and_then(credential);
    let host_user = fields.required("host_user").and_then(credential);
    let base = |text: &str| web_address(text, true);
    let api_url = fields.parsed("api_url", base);
    let token_url = fields.parsed("token_url", base);
    Some(ZoomAccount {
        account_id: account_id?,
        client_id: client_id?,
        client_secret: SecretString::from(client_secret?),
        host_user: host_user?,
        api_url: api_url.unwrap_or_else(|| "https://api.zoom.us/v2".to_owned()),
        token_url: token_url.unwrap_or_else(|| "https://zoom.us/oauth/token".to_owned()),
    })
}

fn jitsi(fields: &mut Fields<'_>) -> Option<JitsiServer> {
    let domain = fields.required("domain").and_then(|item| item.parsed(domain));
    let app_id = fields.required("app_id").and_then(credential);
    let app_secret = fields.required("app_secret").and_then(credential);
    let audience = fields.take("audience").and_then(credential);
    let subject = fields.take("subject").and_then(credential);
    let domain = domain?;
    Some(JitsiServer {
        app_id: app_id?,
        app_secret: SecretString::from(app_secret?),
        audience: audience.unwrap_or_else(|| "jitsi".to_owned()),
        subject: subject.unwrap_or_else(|| domain.clone()),
        domain,
    })
}

fn domain(text: &str) -> Result<String, &'static str> {
    let small = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if small && is_authority(text) {
        Ok(text.to_owned())
    } else {
        Err("must be a host in small letters, such as meet.example, without https://")
    }
}

fn credential(item: Item<'_>) -> Option<String> {
    item.parsed(|text| {
        let fits = (1..=CREDENTIAL_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        let allowed = format!("must be 1 to {CREDENTIAL_MAX} ASCII characters, no blanks");
        if fits { Ok(text.to_owned()) } else { Err(allowed) }
    })
}
