//! Which layer may name which: the arrows of the architecture as a table.
//!
//! Imports point down only. A layer's tests are bound like the rest of it: what a test must
//! import from above belongs to a test of the layer above.

use crate::scan::{Fault, Source, extension, is_word};

/// A layer, and the layers that it must not name.
const ABOVE: [(&str, &[&str]); 10] = [
    (
        "domain",
        &[
            "engine",
            "wire",
            "store",
            "http",
            "ws",
            "notify",
            "config",
            "app",
            "cli",
            "telemetry",
            "pages",
        ],
    ),
    ("engine", &["wire", "config", "http", "ws", "store", "notify", "app", "cli", "pages"]),
    ("wire", &["http", "ws", "store", "notify", "config", "app", "cli", "pages"]),
    ("store", &["wire", "config", "http", "ws", "notify", "app", "cli", "pages"]),
    ("http", &["ws", "store", "notify", "app", "cli"]),
    ("ws", &["http", "store", "notify", "app", "cli", "pages"]),
    ("notify", &["http", "ws", "store", "app", "cli"]),
    ("config", &["http", "ws", "store", "notify", "app", "cli", "pages"]),
    (
        "pages",
        &[
            "domain",
            "engine",
            "wire",
            "store",
            "http",
            "ws",
            "notify",
            "config",
            "app",
            "cli",
            "telemetry",
        ],
    ),
    ("telemetry", &["http", "ws", "store", "notify", "app", "cli", "pages"]),
];

/// What the domain must not name: whatever talks to the world, tells the time or throws dice.
const IMPURE: [&str; 25] = [
    "actix",
    "actix_web",
    "actix_web_actors",
    "tokio",
    "futures_util",
    "redis",
    "fjall",
    "rustix",
    "socket2",
    "reqwest",
    "serde",
    "serde_json",
    "postcard",
    "toml",
    "config",
    "tracing",
    "rand",
    "getrandom",
    "chrono",
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "SystemTime",
    "Instant",
];

/// Where a layer names one that stands above or beside it.
pub(crate) fn imports(source: &Source) -> Vec<Fault> {
    let Some(layer) = layer(&source.path) else { return Vec::new() };
    let Some((_, above)) = ABOVE.iter().find(|(name, _)| *name == layer) else {
        return Vec::new();
    };
    let depth = module_depth(&source.path);
    let mut faults = Vec::new();
    for (at, named) in named_layers(&source.code, depth) {
        if above.contains(&named) {
            faults.push(Fault::new(source.line_of(at), format!("{layer} must not name {named}")));
        }
    }
    faults
}

/// Where the domain names what isn't pure.
pub(crate) fn purity(source: &Source) -> Vec<Fault> {
    let forbidden: &[&str] = match layer(&source.path) {
        Some("domain") => &IMPURE,
        Some("wire") => &["actix", "actix_web", "actix_web_actors"],
        _ => return Vec::new(),
    };
    let mut faults = Vec::new();
    for name in forbidden {
        let found = paths(&source.code, name);
        faults.extend(found.map(|at| {
            Fault::new(source.line_of(at), format!("{} must not name {name}", source.path))
        }));
    }
    faults
}

/// Actors are the engine's and the socket's, and the deprecated crate is one file's.
pub(crate) fn actors(source: &Source) -> Vec<Fault> {
    if !source.is_rust() || !source.path.starts_with("src/") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    if source.path != "src/ws/session.rs" {
        faults.extend(paths(&source.code, "actix_web_actors").map(|at| {
            Fault::new(source.line_of(at), "only src/ws/session.rs names actix_web_actors")
        }));
    }
    if !matches!(layer(&source.path), Some("engine" | "ws" | "app")) {
        faults.extend(
            paths(&source.code, "actix")
                .map(|at| Fault::new(source.line_of(at), "only engine, ws and app name actix")),
        );
    }
    faults
}

/// The layer that a file belongs to: the folder or file right below `src`.
fn layer(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let first = rest.split('/').next()?;
    (extension(path) == "rs").then(|| first.strip_suffix(".rs").unwrap_or(first))
}

/// How many `super` lead from a file's module to the root of the crate.
fn module_depth(path: &str) -> usize {
    let steps = path.split('/').count() - 1;
    if path.ends_with("/mod.rs") { steps - 1 } else { steps }
}

/// The modules right below the root of the crate that `code` names, and where.
fn named_layers(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let climb = "super::".repeat(depth);
    let roots = [("crate::", 7), (climb.as_str(), climb.len())];
    let mut named = Vec::new();
    for (root, length) in roots {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if is_word(before) || before == ':' {
                continue;
            }
            let rest = &code[at + length..];
            match rest.strip_prefix('{') {
                Some(group) => named.extend(group_names(group).map(|name| (at, name))),
                None => named.push((at, first_word(rest))),
            }
        }
    }
    named
}

/// The first names of an import's group, whose opening brace is gone.
fn group_names(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let mut end = group.len();
    let mut starts = vec![0];
    for (offset, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = offset;
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(offset + 1),
            _ => {}
        }
    }
    let group = &group[..end];
    starts
        .into_iter()
        .filter_map(move |start| group.get(start..).map(|item| first_word(item.trim_start())))
}

fn first_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// Where `name` begins a path, or stands as a type.
fn paths<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_type = name.starts_with(char::is_uppercase);
    code.match_indices(name).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let begins = !before.ends_with(is_word) && (is_type || !before.ends_with("::"));
        let used = before.ends_with("use ") || after.starts_with("::");
        begins && !after.starts_with(is_word) && (is_type || used)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The lines that `rule` finds in a file of this text.
    fn lines(rule: fn(&Source) -> Vec<Fault>, path: &str, text: &str) -> Vec<usize> {
        let source = Source::new(path, text, &BTreeSet::new());
        rule(&source).into_iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn an_import_upwards_is_refused_however_it_is_written() {
        for text in [
            "use crate::engine::handle::Handle;",
            "use crate::{domain::ids, engine};",
            "use crate::{\n    domain::{ids, time},\n    engine::handle,\n};",
            "fn a() -> crate::engine::Handle {}",
            "use super::super::engine;",
            "use super::super::{wire, domain};",
        ] {
            assert_eq!(lines(imports, "src/domain/callback.rs", text), [1], "{text}");
        }
        for text in [
            "use crate::domain::message;",
            "use super::engine;",
            "use crate::{domain::{engine, store}};",
            "// use crate::engine;",
        ] {
            assert_eq!(lines(imports, "src/domain/callback.rs", text), [], "{text}");
        }
    }

    #[test]
    fn every_layer_is_bound_by_its_row() {
        for (layer, above) in ABOVE {
            for name in above {
                let text = format!("use crate::{name}::a;");
                let path = format!("src/{layer}/a.rs");
                assert_eq!(lines(imports, &path, &text), [1], "{path}: {text}");
            }
        }
        assert_eq!(lines(imports, "src/config.rs", "use super::http;"), [1]);
        assert_eq!(lines(imports, "src/http/mod.rs", "use super::ws;"), [1]);
        assert_eq!(lines(imports, "src/app.rs", "use crate::http;"), []);
    }

    #[test]
    fn an_impure_domain_is_refused() {
        for name in IMPURE {
            let text = format!("use {name}::a;");
            assert_eq!(lines(purity, "src/domain/a.rs", &text), [1], "{name}");
            assert_eq!(lines(purity, "src/store/a.rs", &text), [], "{name}");
        }
        for text in ["#[derive(serde::Serialize)]", "let a = std::time::Instant::now();"] {
            assert_eq!(lines(purity, "src/domain/a.rs", text), [1], "{text}");
        }
        for text in ["use super::redis::a;", "let instant = tokio;", "struct InstantOf;"] {
            assert_eq!(lines(purity, "src/domain/a.rs", text), [], "{text}");
        }
        assert_eq!(lines(purity, "src/wire/a.rs", "use actix_web::HttpResponse;"), [1]);
    }

    #[test]
    fn actors_elsewhere_are_refused() {
        let socket = "use actix_web_actors::ws;";
        assert_eq!(lines(actors, "src/ws/session.rs", socket), []);
        assert_eq!(lines(actors, "src/ws/protocol.rs", socket), [1]);
        for path in ["src/http/a.rs", "src/store/a.rs", "src/main.rs"] {
            assert_eq!(lines(actors, path, "use actix::prelude::*;"), [1], "{path}");
        }
        for path in ["src/engine/a.rs", "src/ws/a.rs", "src/app.rs"] {
            assert_eq!(lines(actors, path, "use actix::prelude::*;"), [], "{path}");
        }
        assert_eq!(lines(actors, "src/http/a.rs", "use actix_web::web;"), []);
    }
}
