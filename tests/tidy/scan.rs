//! Finds the files and tells code from comments, texts and tests; knows no rule.
//!
//! The scanner is not a parser: it blanks what isn't code and matches braces, which is all that
//! the rules need. It must keep every line where it was, since faults are told by line.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// A breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The rule, and what broke it.
    pub(crate) rule: String,
}

impl Fault {
    /// A breach on `line`.
    pub(crate) fn new(line: usize, rule: impl Into<String>) -> Self {
        Self { line, rule: rule.into() }
    }
}

/// A file as the rules see it.
pub(crate) struct Source {
    /// From the root of the repository, with slashes.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The same with comments and the insides of literals blanked; all of it in other languages.
    pub(crate) code: String,
    /// It is compiled for tests only.
    test_file: bool,
    /// Lines (from 1) of items under `#[cfg(test)]`.
    test_lines: Vec<Range<usize>>,
}

impl Source {
    /// A file with this text; `test_modules` are the files known to be for tests only.
    pub(crate) fn new(path: &str, text: &str, test_modules: &BTreeSet<String>) -> Self {
        let rust = extension(path) == "rs";
        let code = if rust { blank(text) } else { text.to_owned() };
        let test_lines = if rust { test_items(&code) } else { Vec::new() };
        let test_file = path.starts_with("tests/")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || test_modules.contains(path);
        Self { path: path.to_owned(), text: text.to_owned(), code, test_file, test_lines }
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        extension(&self.path) == "rs"
    }

    /// Whether `line` is compiled for tests only.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_file || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// The line of a place in `code`.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        line_of(&self.code, offset)
    }
}

/// What follows the last dot of the file's name, or nothing.
pub(crate) fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// All files that people write, by path.
pub(crate) fn repository() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files.sort();
    let test_modules: BTreeSet<String> =
        files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    files.iter().map(|(path, text)| Source::new(path, text, &test_modules)).collect()
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    const SKIPPED: [&str; 4] = [".git", "target", "data", "node_modules"];
    const ENDINGS: [&str; 10] =
        ["rs", "toml", "md", "js", "mjs", "css", "html", "sh", "lua", "yml"];
    let entries = fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries {
        let path = entry.expect("an entry of a readable folder").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.expect("an entry has a name");
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, files);
            }
        } else if ENDINGS.contains(&extension(&name)) || !name.contains('.') {
            // A file without an ending may be anything; what isn't text has nothing to say here.
            if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(root).expect("it was found below the root");
                files.push((relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
}

/// The files that `#[cfg(test)] mod name;` in this file names.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let Some(stem) = path.strip_suffix(".rs") else { return Vec::new() };
    let folder = match stem.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => stem,
    };
    let code = blank(text);
    let declared = code.split("#[cfg(test)]").skip(1);
    declared
        .filter_map(|rest| {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("pub(crate) ").unwrap_or(rest).strip_prefix("mod ")?;
            let end = rest.find(|c: char| !is_word(c))?;
            rest[end..].starts_with(';').then(|| rest[..end].to_owned())
        })
        .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")])
        .collect()
}

/// The lines of the items that stand under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    code.match_indices("#[cfg(test)]")
        .filter_map(|(start, _)| {
            let body = start + code[start..].find(['{', ';'])?;
            let end = if code[body..].starts_with('{') { block_end(code, body)? } else { body };
            Some(line_of(code, start)..line_of(code, end) + 1)
        })
        .collect()
}

/// Where the block that opens at `open` closes.
pub(crate) fn block_end(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, letter) in code[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset);
                }
            }
            _ => {}
        }
    }
    None
}

/// The line, from 1, of a place in `text`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].bytes().filter(|&byte| byte == b'\n').count()
}

/// Whether `letter` can stand in a name.
pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The text with comments and the insides of literals as blanks, every line kept.
pub(crate) fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let skipped = skipped(rest, before);
        let (kept, blanked, next) = match skipped {
            Some(length) => ("", &rest[..length], &rest[length..]),
            None => (&rest[..letter.len_utf8()], "", &rest[letter.len_utf8()..]),
        };
        code.push_str(kept);
        code.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        before = if skipped.is_some() { ' ' } else { letter };
        rest = next;
    }
    code
}

/// How long the comment or literal that begins here is; `None` if none does.
fn skipped(rest: &str, before: char) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let raw = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br"))?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if is_word(before) || !raw[hashes..].starts_with('"') {
        return None;
    }
    let opened = rest.len() - raw.len() + hashes + 1;
    let closing = format!("\"{}", "#".repeat(hashes));
    Some(rest[opened..].find(&closing).map_or(rest.len(), |end| opened + end + closing.len()))
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut offset = 0;
    while let Some(letter) = rest[offset..].chars().next() {
        let pair = rest.get(offset..offset + 2);
        match pair {
            Some("/*") => (depth, offset) = (depth + 1, offset + 2),
            Some("*/") => (depth, offset) = (depth - 1, offset + 2),
            _ => offset += letter.len_utf8(),
        }
        if depth == 0 {
            break;
        }
    }
    offset
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return offset + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; a lifetime or a label has no closing quote after its first letter.
fn character(rest: &str) -> Option<usize> {
    let mut letters = rest.chars().skip(1);
    let first = letters.next()?;
    if first == '\\' {
        return Some(quoted(rest, '\''));
    }
    (letters.next() == Some('\'')).then(|| 2 + first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */\n d */ e", "a             \n      e"),
            (r#"x("a\"{b") y"#, "x(       ) y"),
            ("r#\"a\"b\"# y", "         y"),
            ("for\"a\" y", "for    y"),
            ("'{' 'a: &'b str", "    'a: &'b str"),
            (r"'\'' y", "     y"),
            ("\"ä\" y", "    y"),
        ] {
            assert_eq!(blank(text), code, "{text:?}");
        }
    }

    #[test]
    fn what_is_for_tests_only_is_known_by_attribute_and_by_file() {
        let none = BTreeSet::new();
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        let source = Source::new("src/a.rs", text, &none);
        let marked: Vec<usize> = (1..=6).filter(|&line| source.is_test(line)).collect();
        assert_eq!(marked, [2, 3, 4, 5]);
        assert!(Source::new("tests/it/a.rs", text, &none).is_test(1));
        let named: BTreeSet<String> =
            test_modules("src/store/mod.rs", "#[cfg(test)]\nmod suite;\nmod a;")
                .into_iter()
                .collect();
        assert!(Source::new("src/store/suite.rs", text, &named).is_test(1));
        assert!(!Source::new("src/store/a.rs", text, &named).is_test(1));
    }
}
