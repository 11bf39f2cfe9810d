//! What a store would lose, and what to set so that it doesn't.
//!
//! Separate from the adapters because it only looks: it changes no setting and refuses nothing.
//! Whether a warning stops the start is decided by the caller (`require_durable`).

use std::collections::BTreeMap;

use super::redis_link::{ANSWER_WITHIN, RedisLink};
use crate::engine::ports::StoreError;

/// The settings that decide whether an acknowledged write can be lost.
const ASKED: [&str; 4] = ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"];

/// What was found. Nothing in both lists: durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durability {
    /// What would be lost and what to set, one sentence each.
    pub warnings: Vec<String>,
    /// What couldn't be looked at, one sentence each.
    pub unchecked: Vec<String>,
}

impl Durability {
    /// Whether everything was looked at and found durable.
    pub fn is_proven(&self) -> bool {
        self.warnings.is_empty() && self.unchecked.is_empty()
    }
}

pub(super) fn of_memory() -> Durability {
    let warning = "memory: keeps nothing when the process ends; use embedded:PATH or Redis";
    Durability { warnings: vec![warning.to_owned()], unchecked: Vec::new() }
}

/// Reads a server's settings; an error only when it can't be reached at all.
pub(super) async fn of_redis(link: &RedisLink) -> Result<Durability, StoreError> {
    // Reached or not is one question, whether it lets its settings be read another.
    let info: String = link.send(ANSWER_WITHIN, redis::cmd("INFO").arg("persistence")).await?;
    let mut settings = BTreeMap::new();
    for name in ASKED {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(name);
        // Managed Redis forbids CONFIG; that is an answer, not a failure.
        if let Ok(pair) = link.send::<Vec<String>>(ANSWER_WITHIN, &command).await
            && let [_, value] = pair.as_slice()
        {
            settings.insert(name, value.clone());
        }
    }
    Ok(judge(&settings, &info))
}

/// Turns what was read into sentences; pure, so that each case is tested without a server.
fn judge(settings: &BTreeMap<&str, String>, info: &str) -> Durability {
    let mut found = Durability::default();
    let setting = |name: &str| settings.get(name).map(String::as_str);
    // INFO tells about the append-only file even where CONFIG is forbidden.
    let from_info = info.lines().find_map(|line| line.trim().strip_prefix("aof_enabled:"));
    let appending = match (setting("appendonly"), from_info) {
        (Some(value), _) => Some(value == "yes"),
        (None, Some(value)) => Some(value == "1"),
        (None, None) => None,
    };
    match appending {
        Some(true) => judge_fsync(setting("appendfsync"), &mut found),
        Some(false) => found.warnings.push(
            "Redis keeps no append-only file: its end loses everything since the last snapshot; \
             set appendonly yes and appendfsync always"
                .to_owned(),
        ),
        None => found.unchecked.push(
            "whether Redis keeps an append-only file couldn't be checked; make sure of \
             appendonly yes"
                .to_owned(),
        ),
    }
    match setting("maxmemory-policy") {
        Some("noeviction") => {}
        Some(policy) => {
            let when = match setting("maxmemory") {
                Some("0") => "as soon as maxmemory is set",
                _ => "when it is full",
            };
            found.warnings.push(format!(
                "Redis throws keys away {when} (maxmemory-policy {policy}); set \
                 maxmemory-policy noeviction"
            ));
        }
        None => found.unchecked.push(
            "the eviction policy of Redis couldn't be checked; make sure of \
             maxmemory-policy noeviction"
                .to_owned(),
        ),
    }
    found
}

fn judge_fsync(value: Option<&str>, found: &mut Durability) {
    match value {
        Some("always") => {}
        Some("everysec") => found.warnings.push(
            "Redis writes to disk once a second: the end of its machine loses up to two seconds; \
             set appendfsync always"
                .to_owned(),
        ),
        Some(other) => found.warnings.push(format!(
            "Redis leaves writing to disk to the system (appendfsync {other}): the end of its \
             machine loses half a minute or so; set appendfsync always"
        )),
        None => found.unchecked.push(
            "how often Redis writes to disk couldn't be checked; make sure of appendfsync always"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(settings: &[(&'static str, &str)], info: &str) -> Durability {
        let settings = settings.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        judge(&settings, info)
    }

    #[test]
    fn a_durable_server_draws_no_warning() {
        let all = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("maxmemory", "0"),
            ("maxmemory-policy", "noeviction"),
        ];
        assert!(judged(&all, "").is_proven());
    }

    #[test]
    fn each_losing_setting_is_named_with_what_to_set() {
        for (name, value, advice) in [
            ("appendonly", "no", "set appendonly yes"),
            ("appendfsync", "everysec", "set appendfsync always"),
            ("appendfsync", "no", "set appendfsync always"),
            ("maxmemory-policy", "allkeys-lru", "set maxmemory-policy noeviction"),
        ] {
            let mut all = BTreeMap::from([
                ("appendonly", "yes"),
                ("appendfsync", "always"),
                ("maxmemory", "1000000"),
                ("maxmemory-policy", "noeviction"),
            ]);
            all.insert(name, value);
            let found = judged(&all.into_iter().collect::<Vec<_>>(), "");
            assert_eq!(found.warnings.len(), 1, "{name} {value}: {found:?}");
            assert!(found.warnings[0].contains(advice), "{name} {value}: {found:?}");
            assert_eq!(found.unchecked, Vec::<String>::new());
        }
    }

    #[test]
    fn a_server_that_forbids_config_is_said_to_be_unchecked() {
        let found = judged(&[], "# Persistence\r\naof_enabled:1\r\n");
        assert_eq!((found.warnings.len(), found.unchecked.len()), (0, 2), "{found:?}");
        let found = judged(&[], "# Persistence\r\naof_enabled:0\r\n");
        assert_eq!((found.warnings.len(), found.unchecked.len()), (1, 1), "{found:?}");
        assert!(!judged(&[], "").is_proven());
    }
}
