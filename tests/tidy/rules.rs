//! Rules about one file at a time: lengths, heads, and words that don't belong.
//!
//! Which layer may name which is `layers`. A rule here returns every breach, never only the first.

use crate::scan::{Fault, Source, block_end, extension, is_word};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const LINE_COLUMNS: usize = 100;

/// Where the limits on length hold.
fn is_source(source: &Source, endings: &[&str]) -> bool {
    let folder = source.path.split('/').next().unwrap_or_default();
    ["src", "tests", "benches", "loadtest"].contains(&folder)
        && endings.contains(&extension(&source.path))
}

/// A longer file has more than one subject.
pub(crate) fn file_length(source: &Source) -> Vec<Fault> {
    let lines = source.text.lines().count();
    if is_source(source, &["rs", "js", "mjs", "css", "html", "lua"]) && lines > FILE_LINES {
        return vec![Fault::new(lines, format!("{lines} lines; at most {FILE_LINES}"))];
    }
    Vec::new()
}

/// A longer line can't be read beside another file.
pub(crate) fn line_length(source: &Source) -> Vec<Fault> {
    if !is_source(source, &["rs", "js", "mjs", "css", "lua"]) {
        return Vec::new();
    }
    let lines = source.text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let columns = line.chars().count();
            (columns > LINE_COLUMNS).then(|| {
                Fault::new(index + 1, format!("{columns} columns; at most {LINE_COLUMNS}"))
            })
        })
        .collect()
}

/// From the line of `fn` to the closing brace; what is longer can't be seen whole.
pub(crate) fn function_length(source: &Source) -> Vec<Fault> {
    if !source.is_rust() {
        return Vec::new();
    }
    let code = source.code.as_str();
    words(code, "fn ")
        .filter_map(|start| {
            let name = code[start + 3..].split(|c| !is_word(c)).next().unwrap_or_default();
            let end = block_end(code, body(code, start)?)?;
            let (first, last) = (source.line_of(start), source.line_of(end));
            let lines = last - first + 1;
            (lines > FUNCTION_LINES).then(|| {
                Fault::new(first, format!("fn {name}: {lines} lines; at most {FUNCTION_LINES}"))
            })
        })
        .collect()
}

/// Where the body of the function at `start` opens; `None` if it has none.
fn body(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, letter) in code[start..].char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.checked_sub(1)?,
            '{' if depth == 0 => return Some(start + offset),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// What a file owns, why it is separate, and what it must never do.
pub(crate) fn head(source: &Source) -> Vec<Fault> {
    if source.is_rust() && !source.text.starts_with("//! ") {
        return vec![Fault::new(1, "no `//!` head that says what the file owns")];
    }
    Vec::new()
}

/// Work that isn't done, and tests that don't run.
pub(crate) fn unfinished(source: &Source) -> Vec<Fault> {
    const CODE: [&str; 4] = ["#[ignore", "todo!(", "unimplemented!(", "dbg!("];
    // In two parts, or this file would find itself.
    const ANYWHERE: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];
    if !source.is_rust() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for word in CODE {
        let found = words(&source.code, word);
        faults.extend(found.map(|at| Fault::new(source.line_of(at), format!("`{word}`"))));
    }
    for (index, line) in source.text.lines().enumerate() {
        for word in ANYWHERE {
            if words(line, word).any(|at| !line[at + word.len()..].starts_with(is_word)) {
                faults.push(Fault::new(index + 1, format!("`{word}`")));
            }
        }
    }
    faults
}

/// A sleep is too short on a busy machine and too long on any other.
pub(crate) fn sleep_in_tests(source: &Source) -> Vec<Fault> {
    code_lines(source, |line, code| source.is_test(line) && words(code, "sleep(").next().is_some())
        .map(|line| Fault::new(line, "a test sleeps: wait for a signal, or poll with a deadline"))
        .collect()
}

/// `expect` says why it can't happen; an error says what to do.
pub(crate) fn unwrap_outside_tests(source: &Source) -> Vec<Fault> {
    code_lines(source, |line, code| !source.is_test(line) && code.contains(".unwrap()"))
        .map(|line| Fault::new(line, "`unwrap()` outside tests: return the error, or `expect`"))
        .collect()
}

/// What is true on one machine only.
pub(crate) fn machine_paths(source: &Source) -> Vec<Fault> {
    // In two parts, or this file would find itself.
    const ROOTS: [&str; 4] =
        [concat!("/wo", "rk/"), concat!("/tm", "p/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut faults = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for root in ROOTS {
            let absolute = |at: usize| {
                let before = line[..at].chars().next_back().unwrap_or(' ');
                !is_word(before) && !"./}-".contains(before)
            };
            if line.match_indices(root).any(|(at, _)| absolute(at)) {
                faults.push(Fault::new(index + 1, format!("a path of one machine: `{root}`")));
            }
        }
    }
    faults
}

/// The default configuration is its own documentation: unit, default and reason above each key.
pub(crate) fn explained_keys(source: &Source) -> Vec<Fault> {
    if source.path != "config/default.toml" {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut explained = false;
    for (index, line) in source.text.lines().enumerate() {
        let line = line.trim();
        let name = line.split('=').next().unwrap_or_default().trim_end();
        let is_key = line.contains('=') && !name.is_empty() && name.chars().all(is_word);
        if is_key && !explained {
            faults.push(Fault::new(index + 1, format!("`{name}` has no comment above it")));
        }
        explained = line.starts_with('#');
    }
    faults
}

/// Where `word` begins as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !code[..at].chars().next_back().is_some_and(is_word))
}

/// The lines of Rust code for which `breaks` holds.
fn code_lines(
    source: &Source,
    breaks: impl Fn(usize, &str) -> bool,
) -> impl Iterator<Item = usize> {
    let lines = source.code.lines().enumerate().map(|(index, code)| (index + 1, code));
    lines.filter(move |&(line, code)| source.is_rust() && breaks(line, code)).map(|(line, _)| line)
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
    fn lengths_are_refused_from_one_past_the_limit() {
        assert_eq!(lines(file_length, "src/a.rs", &"\n".repeat(500)), []);
        assert_eq!(lines(file_length, "src/a.rs", &"\n".repeat(501)), [501]);
        assert_eq!(lines(file_length, "docs/a.md", &"\n".repeat(501)), []);
        assert_eq!(lines(line_length, "src/a.rs", &"ä".repeat(100)), []);
        assert_eq!(lines(line_length, "src/a.rs", &format!("\n{}", "a".repeat(101))), [2]);
        let function = |inside: usize| {
            format!("\nfn a(b: [u8; 2]) -> u8 {{\n{}}}\nfn c();\n", "    b; // }\n".repeat(inside))
        };
        assert_eq!(lines(function_length, "src/a.rs", &function(68)), []);
        assert_eq!(lines(function_length, "src/a.rs", &function(69)), [2]);
    }

    #[test]
    fn a_file_without_a_head_is_refused() {
        assert_eq!(lines(head, "src/a.rs", "//! Owns a.\n"), []);
        assert_eq!(lines(head, "src/a.rs", "// Owns a.\n"), [1]);
        assert_eq!(lines(head, "src/a.rs", "use a;\n//! Late.\n"), [1]);
    }

    #[test]
    fn unfinished_work_is_refused_in_code_and_some_in_comments() {
        for word in ["#[ignore]", "#[ignore = \"x\"]", "todo!()", "unimplemented!()", "dbg!(a)"] {
            assert_eq!(lines(unfinished, "src/a.rs", &format!("\n{word}")), [2], "{word}");
            assert_eq!(lines(unfinished, "src/a.rs", &format!("// {word}")), [], "{word}");
        }
        for word in [concat!("FIX", "ME"), concat!("XX", "X")] {
            assert_eq!(lines(unfinished, "src/a.rs", &format!("// {word}: a")), [1], "{word}");
            assert_eq!(lines(unfinished, "src/a.rs", &format!("// {word}Y")), [], "{word}");
        }
    }

    #[test]
    fn sleeping_is_refused_in_tests_alone() {
        let text = "fn a() { sleep(b) }\n#[cfg(test)]\nmod tests { fn c() { std::sleep(b) } }\n";
        assert_eq!(lines(sleep_in_tests, "src/a.rs", text), [3]);
        assert_eq!(lines(sleep_in_tests, "tests/a.rs", text), [1, 3]);
    }

    #[test]
    fn unwrapping_is_refused_outside_tests_alone() {
        let text = "fn a() { b.unwrap() }\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }\n";
        assert_eq!(lines(unwrap_outside_tests, "src/a.rs", text), [1]);
        assert_eq!(lines(unwrap_outside_tests, "tests/a.rs", text), []);
        assert_eq!(lines(unwrap_outside_tests, "src/a.rs", "a.unwrap_or(\".unwrap()\")"), []);
    }

    #[test]
    fn absolute_paths_are_refused_in_every_kind_of_file() {
        for root in ["wo-rk", "tm-p", "ro-ot", "ho-me"] {
            let root = root.replace('-', "");
            assert_eq!(lines(machine_paths, "a.md", &format!("\nsee /{root}/a")), [2], "{root}");
            assert_eq!(lines(machine_paths, "a.md", &format!("a.example/{root}/")), [], "{root}");
        }
    }

    #[test]
    fn a_key_without_a_comment_is_refused() {
        let text = "# Where.\na = 1\nb = 2\n[c]\n# Why.\nd = [\n  \"e = 1\",\n]\n";
        assert_eq!(lines(explained_keys, "config/default.toml", text), [3]);
        assert_eq!(lines(explained_keys, "config/demo.toml", text), []);
    }
}
