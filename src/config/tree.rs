//! Lays the sources of the configuration over one another and remembers where each value is from.
//!
//! Flags win over the environment, over the file, over the defaults. Tables are merged key by key;
//! a list replaces the one below it as a whole. What a key means isn't known here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use config::{Config, FileFormat, Format, Map, Source, Value, ValueKind};
use serde_json::Value as Json;

use super::{ConfigError, Input};

/// The defaults, with their documentation.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// What every variable's name begins with.
pub const PREFIX: &str = "RINGBACK_";

/// All values, the winning ones, each with its origin.
pub(super) struct Tree {
    root: Value,
}

/// One source, parsed.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Tree {
    /// Parses the sources and merges them.
    pub(super) fn build(input: &Input) -> Result<Self, ConfigError> {
        let mut builder = Config::builder().add_source(parse("config/default.toml", DEFAULTS)?);
        if let Some((name, text)) = &input.file {
            builder = builder.add_source(parse(name, text)?);
        }
        let mut variables = input.environment.clone();
        variables.sort();
        for (name, text) in &variables {
            if let Some(key) = key_of_variable(name) {
                let origin = format!("environment {name}");
                let value = Value::new(Some(&origin), variable(&origin, text));
                builder = builder.add_source(Layer(Map::from([(key, value)])));
            }
        }
        for (flag, key, text) in &input.flags {
            let value = Value::new(Some(flag), text.clone());
            builder = builder.add_source(Layer(Map::from([((*key).to_owned(), value)])));
        }
        let merged = builder.build().map_err(|error| ConfigError::one(error.to_string()))?;
        Ok(Self { root: merged.cache })
    }

    /// The values alone.
    pub(super) fn to_json(&self) -> Json {
        json(&self.root)
    }

    /// The line that tells a fault at a JSON pointer: source, key, value, and what is allowed.
    pub(super) fn line(&self, pointer: &str, detail: &str) -> String {
        let mut node = Some(&self.root);
        let mut origin = None;
        let mut key = String::new();
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let index = step.parse::<usize>().ok();
            node = node.and_then(|node| match (&node.kind, index) {
                (ValueKind::Array(list), Some(index)) => {
                    key = format!("{key}[{index}]");
                    list.get(index)
                }
                (ValueKind::Table(table), _) => {
                    if !key.is_empty() {
                        key.push('.');
                    }
                    key.push_str(&step);
                    table.get(&step)
                }
                _ => None,
            });
            origin = node.and_then(origin_of).or(origin);
        }
        let origin = origin.unwrap_or("config/default.toml");
        match node.and_then(|node| shown(&key, node)) {
            Some(value) => format!("{origin}: {key} = {value}: {detail}"),
            None => format!("{origin}: {key}: {detail}"),
        }
    }
}

/// Parses TOML; a fault in its syntax is told on one line with its place.
fn parse(name: &str, text: &str) -> Result<Layer, ConfigError> {
    toml::from_str::<toml::Table>(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError::one(format!("{name}:{line}: not TOML: {what}"))
    })?;
    let parsed = FileFormat::Toml.parse(Some(&name.to_owned()), text);
    parsed.map(Layer).map_err(|error| ConfigError::one(format!("{name}: {error}")))
}

/// The key that a variable sets: `RINGBACK_WORKSPACE__0__SECRET` is `workspace[0].secret`.
fn key_of_variable(name: &str) -> Option<String> {
    // A Kubernetes service called `ringback` puts these into every pod beside it.
    const SERVICE_LINKS: [&str; 2] = ["SERVICE_", "PORT_"];
    let name = name.strip_prefix(PREFIX)?;
    // The first three are the command line's own and were read before.
    if ["CONFIG", "SERVER", "TOKEN", "PORT"].contains(&name)
        || SERVICE_LINKS.iter().any(|link| name.starts_with(link))
    {
        return None;
    }
    let mut key = String::new();
    for step in name.split("__") {
        // Longer numbers aren't places in a list: they would only make it enormous.
        if !key.is_empty() && step.len() <= 3 && step.parse::<u16>().is_ok() {
            key = format!("{key}[{step}]");
        } else {
            let dot = if key.is_empty() { "" } else { "." };
            key = format!("{key}{dot}{}", step.to_lowercase());
        }
    }
    Some(key)
}

/// Where a value is from. A table or list that was made for what variables put into it is from
/// nowhere itself, and tells of the first of those.
fn origin_of(value: &Value) -> Option<&str> {
    let within = || match &value.kind {
        ValueKind::Array(list) => list.iter().find_map(origin_of),
        ValueKind::Table(table) => {
            let entries: BTreeMap<_, _> = table.iter().collect();
            entries.into_values().find_map(origin_of)
        }
        _ => None,
    };
    value.origin().or_else(within)
}

/// A variable's value: what TOML makes of it if that is anything but a text, else the text.
fn variable(origin: &str, text: &str) -> ValueKind {
    // What stands in a table or list is merged by itself, and must say where it is from too.
    let parsed = FileFormat::Toml.parse(Some(&origin.to_owned()), &format!("value = {text}")).ok();
    let only = parsed.filter(|map| map.len() == 1).and_then(|mut map| map.remove("value"));
    only.map_or_else(|| ValueKind::String(text.to_owned()), |value| value.kind)
}

fn json(value: &Value) -> Json {
    match &value.kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(flag) => Json::from(*flag),
        ValueKind::I64(number) => Json::from(*number),
        ValueKind::U64(number) => Json::from(*number),
        // TOML has none wider than 64 bits.
        ValueKind::I128(number) => Json::from(number.to_string()),
        ValueKind::U128(number) => Json::from(number.to_string()),
        ValueKind::Float(number) => Json::from(*number),
        ValueKind::String(text) => Json::from(text.as_str()),
        ValueKind::Array(list) => list.iter().map(json).collect(),
        ValueKind::Table(table) => {
            let entries = table.iter().map(|(key, value)| (key.clone(), json(value)));
            Json::Object(entries.collect())
        }
    }
}

/// A value as a fault shows it: secrets hidden, tables and lists left out.
fn shown(key: &str, value: &Value) -> Option<String> {
    const SECRET: [&str; 7] = [
        "secret",
        "hs256_secret",
        "token",
        "token_sha256",
        "password",
        "client_secret",
        "app_secret",
    ];
    let name = key.rsplit('.').next().unwrap_or_default();
    match &value.kind {
        ValueKind::Nil | ValueKind::Array(_) | ValueKind::Table(_) => None,
        _ if SECRET.contains(&name) => Some("(hidden)".to_owned()),
        ValueKind::String(text) => {
            let text = without_password(text);
            let start: String = text.chars().take(80).collect();
            Some(format!("{start:?}"))
        }
        _ => Some(json(value).to_string()),
    }
}

/// An address may carry a password, where it should or not; whatever could be one is hidden.
fn without_password(text: &str) -> Cow<'_, str> {
    const HIDDEN: &str = "(hidden)";
    let Some((scheme, rest)) = text.split_once("://") else {
        // Half an address, perhaps.
        let is_word = !text.contains(char::is_whitespace);
        let may_be = is_word && text.contains('@') && text.contains(':');
        return if may_be { HIDDEN.into() } else { text.into() };
    };
    // Drivers take a password in a query as well.
    if rest.contains('?') {
        return format!("{scheme}://{HIDDEN}").into();
    }
    if let Some((user, place)) = rest.rsplit_once('@') {
        return match user.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{place}").into(),
            None => format!("{scheme}://{HIDDEN}@{place}").into(),
        };
    }
    // Behind the last colon there is a port, or a password that has lost its host.
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') && !port.bytes().all(|it| it.is_ascii_digit()) => {
            format!("{scheme}://{HIDDEN}").into()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_everything_but_its_password_is_shown() {
        for (text, shown) in [
            ("embedded:data", "embedded:data"),
            ("rediss://h:6379/1", "rediss://h:6379/1"),
            ("redis://[::1]/1", "redis://[::1]/1"),
            ("redis://u:p@h:6379/1", "redis://u:(hidden)@h:6379/1"),
            ("redis://:p@ss:w@h/x", "redis://:(hidden)@h/x"),
            ("redis://p@h", "redis://(hidden)@h"),
            ("redis://u:p", "redis://(hidden)"),
            ("redis:u:p@h", "(hidden)"),
            ("redis+unix:///run/s?user=u&pass=p", "redis+unix://(hidden)"),
            ("u@example.com", "u@example.com"),
            ("Bcc: <u@example.com>", "Bcc: <u@example.com>"),
        ] {
            assert_eq!(without_password(text), shown, "{text}");
        }
    }

    fn tree(
        file: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &'static str, &str)],
    ) -> Tree {
        let environment =
            environment.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let flags = flags.iter().map(|(flag, key, text)| ((*flag).into(), *key, (*text).into()));
        let file = Some(("my.toml".to_owned(), file.to_owned()));
        let input = Input { file, environment, flags: flags.collect() };
        Tree::build(&input).expect("good TOML")
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = "listen = \"127.0.0.1:1\"\nstore = \"memory:\"\n[limits]\nbody_kib = 2\n";
        let merged = tree(
            file,
            &[("RINGBACK_LISTEN", "127.0.0.1:3"), ("RINGBACK_STORE", "embedded:x")],
            &[("--store", "store", "embedded:y")],
        );
        let values = merged.to_json();
        assert_eq!(values["listen"], "127.0.0.1:3");
        assert_eq!(values["store"], "embedded:y");
        assert_eq!(values["limits"]["body_kib"], 2);
        assert_eq!(values["limits"]["header_seconds"], 5);
        assert_eq!(merged.line("/limits/body_kib", "no"), "my.toml: limits.body_kib = 2: no");
        assert_eq!(
            merged.line("/listen", "no"),
            "environment RINGBACK_LISTEN: listen = \"127.0.0.1:3\": no"
        );
        assert_eq!(merged.line("/store", "no"), "--store: store = \"embedded:y\": no");
        assert_eq!(
            merged.line("/limits/header_seconds", "no"),
            "config/default.toml: limits.header_seconds = 5: no"
        );
    }

    #[test]
    fn a_variable_reaches_into_lists_and_is_typed() {
        let environment = [
            ("RINGBACK_WORKSPACE__0__SECRET", "00ff"),
            ("RINGBACK_WORKSPACE__0__DESK_ORIGINS", "[\"https://a.example\"]"),
            ("RINGBACK_LIMITS__REQUIRE_DURABLE", "true"),
            ("RINGBACK_CONFIG", "elsewhere.toml"),
            ("RINGBACK_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("RINGBACK_SERVICE_HOST", "10.0.0.1"),
            ("HOME", "x"),
        ];
        let values = tree("[[workspace]]\nid = \"a\"\n", &environment, &[]).to_json();
        assert_eq!(values["workspace"][0]["id"], "a");
        assert_eq!(values["workspace"][0]["secret"], "00ff");
        assert_eq!(values["workspace"][0]["desk_origins"][0], "https://a.example");
        assert_eq!(values["limits"]["require_durable"], true);
        let keys = values.as_object().expect("a table").keys();
        assert!(!keys.into_iter().any(|key| key.contains("port") || key.contains("config")));
    }

    #[test]
    fn what_a_variable_brings_in_a_table_or_list_is_told_as_the_variables() {
        let environment = [
            ("RINGBACK_LIMITS", "{ body_kib = 0 }"),
            ("RINGBACK_LIMITS__HEADER_SECONDS__X", "1"),
            ("RINGBACK_MAIL", "{ at = [\"x\", \"y\"] }"),
            ("RINGBACK_WORKSPACE__1__SECRET", "00ff"),
        ];
        let merged = tree("", &environment, &[]);
        for (pointer, line) in [
            ("/limits/body_kib", "LIMITS: limits.body_kib = 0: no"),
            ("/limits/header_seconds", "LIMITS__HEADER_SECONDS__X: limits.header_seconds: no"),
            ("/mail/at/1", "MAIL: mail.at[1] = \"y\": no"),
            ("/workspace/1/id", "WORKSPACE__1__SECRET: workspace[1].id: no"),
        ] {
            assert_eq!(merged.line(pointer, "no"), format!("environment RINGBACK_{line}"));
        }
        assert_eq!(
            merged.line("/limits/body_seconds", "no"),
            "config/default.toml: limits.body_seconds = 10: no"
        );
    }

    #[test]
    fn a_value_can_not_bring_a_second_key() {
        let values = tree("", &[("RINGBACK_LISTEN", "1\nstore = 2")], &[]).to_json();
        assert_eq!(values["listen"], "1\nstore = 2");
        assert_eq!(values["store"], "embedded:data");
    }

    #[test]
    fn a_fault_in_the_syntax_is_one_line_with_its_place() {
        let file = Some(("my.toml".to_owned(), "a = 1\nb = = 2\n".to_owned()));
        let input = Input { file, ..Input::default() };
        let error = Tree::build(&input).err().expect("bad TOML").to_string();
        assert!(error.starts_with("my.toml:2: not TOML: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
