//! From the tree of values to [`Settings`]: every key asked for, checked alone and with others.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::mail::mail;
use super::outward::{calls, webhooks};
use super::tree::Tree;
use super::workspace::{Warnings, workspaces};
use super::{ConfigError, Input, Limits, Loaded, Settings, StoreUrl};
use crate::domain::zone;
use crate::wire::json::Json;
use crate::wire::settings::fields::{Fault, Fields, Item};
use crate::wire::settings::web_address;

/// Reads and checks the whole configuration; every fault is told at once.
pub fn load(input: &Input) -> Result<Loaded, ConfigError> {
    let tree = Tree::build(input)?;
    let values = tree.to_json();
    let mut faults = Vec::new();
    // Before anything else: zones are read all over the settings.
    if let Some(folder) = values["tzdb"].as_str().filter(|folder| !folder.is_empty())
        && let Err(why) = zone::use_folder(folder)
    {
        faults.push(Fault { pointer: "/tzdb".to_owned(), detail: why });
    }
    let mut warnings = Warnings::default();
    let settings = Item::root(&Json::from(&values), &mut faults)
        .table(|fields| read(fields, &mut warnings))
        .flatten();
    match settings {
        Some(settings) if faults.is_empty() => Ok(Loaded { settings, warnings: warnings.lines() }),
        _ => {
            let line = |fault: &Fault| tree.line(&fault.pointer, &fault.detail);
            Err(ConfigError { lines: faults.iter().map(line).collect() })
        }
    }
}

/// None where a part is missing that has no default; its fault is noted then.
fn read(fields: &mut Fields<'_>, warnings: &mut Warnings) -> Option<Settings> {
    let listen = fields.required("listen").and_then(|item| item.parsed(listen));
    let store = fields.required("store").and_then(|item| item.parsed(store));
    // Used already, before all others.
    fields.parsed("tzdb", |text| Ok::<_, &str>(text.to_owned()));
    let public_url = fields.parsed("public_url", |text| web_address(text, true));
    let metrics_open = fields.flag("metrics_open", true);
    let limits = fields.required("limits").and_then(|item| item.table(limits));
    let mail = fields.required("mail").and_then(|item| item.table(mail)).flatten();
    let max_requirements = limits.as_ref().map_or(usize::MAX, |limits| limits.max_requirements);
    let webhooks = fields.required("webhooks").and_then(|item| item.table(webhooks));
    let meetings = fields.required("meetings").and_then(|item| item.table(calls));
    let workspaces =
        fields.required("workspace").and_then(|item| workspaces(item, max_requirements, warnings));
    Some(Settings {
        listen: listen?,
        store: store?,
        public_url,
        metrics_open,
        limits: limits?,
        mail,
        webhooks: webhooks?,
        meetings: meetings?,
        // Not a setting of the file: `--demo` is for the command line alone.
        demo: false,
        workspaces: workspaces?,
    })
}

fn limits(fields: &mut Fields<'_>) -> Limits {
    let limits = Limits {
        body_bytes: kib(count(fields, "body_kib", 1..=65_536)),
        header: seconds(fields, "header_seconds", 1..=3_600),
        body: seconds(fields, "body_seconds", 1..=3_600),
        connections: count(fields, "connections", 1..=1_000_000),
        wrong_credentials_per_minute: number(fields, "wrong_credentials_per_minute", 1..=1_000_000),
        streams_per_credential: count(fields, "streams_per_credential", 1..=100),
        sessions_per_agent: count(fields, "sessions_per_agent", 1..=1_000),
        socket_buffer_bytes: kib(count(fields, "socket_buffer_kib", 16..=65_536)),
        socket_write: seconds(fields, "socket_write_seconds", 1..=3_600),
        heartbeat: seconds(fields, "heartbeat_seconds", 1..=3_600),
        max_commands_in_flight: count(fields, "max_commands_in_flight", 1..=65_536),
        admission_wait: millis(fields, "admission_wait_ms", 0..=60_000),
        store_stall: millis(fields, "store_stall_ms", 10..=60_000),
        resend: seconds(fields, "resend_seconds", 1..=3_600),
        overlay_bytes: kib(count(fields, "overlay_mib", 1..=65_536)) << 10,
        log_max_bytes: u64::from(number(fields, "log_max_mib", 1..=16_777_216)) << 20,
        window_items: count(fields, "window_items", 1..=10_000_000),
        window: seconds(fields, "window_seconds", 1..=86_400),
        mails_at_once: count(fields, "mails_at_once", 1..=1_000),
        meetings_at_once: count(fields, "meetings_at_once", 1..=1_000),
        max_keys: count(fields, "max_keys", 1..=100_000),
        max_denied_numbers: count(fields, "max_denied_numbers", 0..=10_000_000),
        max_panics: number(fields, "max_panics", 1..=1_000),
        max_requirements: count(fields, "max_requirements", 0..=64),
        max_signatures: count(fields, "max_signatures", 1..=10_000_000),
        retain_days: number(fields, "retain_days", 2..=36_500),
        report_days: number(fields, "report_days", 2..=36_500),
        report_max_days: number(fields, "report_max_days", 1..=366),
        report_max_rows: count(fields, "report_max_rows", 24..=1_000_000),
        manage_read_days: number(fields, "manage_read_days", 0..=36_500),
        drain: seconds(fields, "drain_seconds", 0..=3_600),
        require_durable: fields.flag("require_durable", false),
    };
    if limits.overlay_bytes as u64 > limits.log_max_bytes {
        fields.fault("overlay_mib", "must not be more than log_max_mib");
    }
    if limits.manage_read_days > limits.retain_days {
        fields.fault("manage_read_days", "must not be more than retain_days");
    }
    limits
}

/// A number that `config/default.toml` gives, so that it stands nowhere else.
fn number(fields: &mut Fields<'_>, key: &'static str, allowed: RangeInclusive<u32>) -> u32 {
    let least = *allowed.start();
    fields.required(key).and_then(|item| item.number(allowed)).unwrap_or(least)
}

pub(super) fn count(
    fields: &mut Fields<'_>,
    key: &'static str,
    allowed: RangeInclusive<u32>,
) -> usize {
    number(fields, key, allowed) as usize
}

pub(super) fn seconds(
    fields: &mut Fields<'_>,
    key: &'static str,
    allowed: RangeInclusive<u32>,
) -> Duration {
    Duration::from_secs(u64::from(number(fields, key, allowed)))
}

fn millis(fields: &mut Fields<'_>, key: &'static str, allowed: RangeInclusive<u32>) -> Duration {
    Duration::from_millis(u64::from(number(fields, key, allowed)))
}

fn kib(count: usize) -> usize {
    count << 10
}

fn listen(text: &str) -> Result<String, &'static str> {
    let name = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let named = || {
        text.rsplit_once(':').is_some_and(|(host, port)| name(host) && port.parse::<u16>().is_ok())
    };
    if text.parse::<SocketAddr>().is_ok() || named() {
        return Ok(text.to_owned());
    }
    Err("must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:8080; port 0 takes a free one")
}

fn store(text: &str) -> Result<StoreUrl, &'static str> {
    if text == "memory:" {
        return Ok(StoreUrl::Memory);
    }
    if let Some(path) = text.strip_prefix("embedded:").filter(|path| !path.is_empty()) {
        return Ok(StoreUrl::Embedded(PathBuf::from(path)));
    }
    let server = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
    match server {
        Some(server) if !server.is_empty() && !text.contains(char::is_whitespace) => {
            Ok(StoreUrl::Redis(text.into()))
        }
        _ => Err("must be memory:, embedded:PATH, redis://… or rediss://…"),
    }
}
