//! What holds for the files as they are written; how they are served is tested with http, what
//! they do in a browser.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// What a page may weigh with all that it loads, in bytes.
const WEIGHT_MAX: usize = 100 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages")
}

/// The file at `path`, as another file that stands in `folder` names it.
fn found(folder: &str, path: &str) -> &'static File {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => assert!(parts.pop().is_some(), "{path} leads out of the pages"),
            part => parts.push(part),
        }
    }
    let name = parts.join("/");
    let found = FILES.iter().find(|file| file.name == name);
    found.unwrap_or_else(|| panic!("{name} isn't embedded"))
}

/// What stands between `begin` and the next quote.
fn quoted<'a>(text: &'a str, begin: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(begin).skip(1).filter_map(|rest| rest.split(['"', '\'']).next())
}

/// The files that a page loads, and those that they import.
fn loaded(page: &str) -> BTreeSet<&'static str> {
    let prefix = format!("/pages/{VERSION}/");
    let mut names = BTreeSet::new();
    let mut left: Vec<&File> = quoted(page, &prefix).map(|name| found("", name)).collect();
    while let Some(file) = left.pop() {
        if names.insert(file.name) {
            let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            for begin in [" from '", "import('", "import '", "new URL('"] {
                left.extend(quoted(file.text, begin).map(|path| found(folder, path)));
            }
        }
    }
    names
}

#[test]
fn every_file_is_embedded_under_its_name() {
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let place = entry.expect("an entry").path();
        if !place.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&place).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder()).expect("below").to_string_lossy().into_owned();
            written.insert(name);
        }
    }
    let embedded: BTreeSet<String> = FILES.iter().map(|file| file.name.to_owned()).collect();
    assert_eq!(embedded, written);
}

#[test]
fn every_file_is_loaded_by_a_page_and_no_page_is_heavy() {
    let mut used = BTreeSet::new();
    for name in PAGES {
        let page = page(name);
        let files = loaded(&page);
        // Of the words of two languages a reader loads those of one; German's are longer.
        let heavy = files.iter().filter(|file| !file.ends_with(".en.js"));
        let bytes = page.len() + heavy.map(|file| found("", file).slim().len()).sum::<usize>();
        assert!(bytes < WEIGHT_MAX, "{name} weighs {bytes} bytes");
        used.extend(files);
    }
    let all: BTreeSet<&str> = FILES.iter().map(|file| file.name).collect();
    assert_eq!(used, all);
}

#[test]
fn what_is_sent_is_what_is_written_less_comments_and_indentation() {
    let text = "// Head.\nlet a = 1; // beside\n/** Two\n  lines. */\n  a('//x', '/* y */');\n";
    let slim = File { name: "a.js", media_type: "", text }.slim();
    assert_eq!(slim, "\nlet a = 1; // beside\n\n\na('//x', '/* y */');\n");
    for file in FILES {
        // Indentation within a text of several lines would be missed.
        let whole = |line: &str| line.matches('`').count().is_multiple_of(2);
        assert!(file.text.lines().all(whole), "{}", file.name);
    }
}

#[test]
fn both_languages_have_the_same_words() {
    let names = |text: &'static str| -> BTreeSet<(&str, &str)> {
        let mut kind = "";
        let mut names = BTreeSet::new();
        for line in text.lines() {
            let Some((name, _)) = line.split_once(':') else { continue };
            match name.len() - name.trim_start().len() {
                2 => kind = name.trim_start(),
                4 => assert!(names.insert((kind, name.trim_start())), "{kind} {name} twice"),
                _ => {}
            }
        }
        names
    };
    for file in FILES.iter().filter(|file| file.name.ends_with(".en.js")) {
        let german = found("", &file.name.replace(".en.", ".de."));
        assert_eq!(names(file.text), names(german.text), "{}", file.name);
    }
}

#[test]
fn pages_have_nothing_inline_and_nothing_from_elsewhere() {
    for name in PAGES {
        let page = page(name);
        for forbidden in ["http:", "https:", "\"//", "<style", "style=", " on", "javascript:"] {
            assert!(!page.contains(forbidden), "{name} has {forbidden}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script type").count());
    }
}

#[test]
fn modules_set_texts_as_texts_and_name_no_address() {
    for file in FILES {
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
        {
            assert!(!file.text.contains(forbidden), "{} has {forbidden}", file.name);
        }
        // The name of SVG's elements looks like an address.
        let text = file.text.replace("http://www.w3.org/2000/svg", "");
        for address in ["http://", "https://"] {
            assert!(!text.contains(address), "{} has {address}", file.name);
        }
    }
}
