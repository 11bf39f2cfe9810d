//! Holds the tables of `docs/operations.md` to configuration and sources.
//!
//! The table of metrics is held to a running server, which tests/it starts.

use std::fs;
use std::path::Path;

const PAGE: &str = "docs/operations.md";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of each row of the table whose head begins with `head`.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// All Rust sources of the server, without their tests.
fn sources() -> Vec<String> {
    let all = crate::scan::repository();
    let own = all.into_iter().filter(|source| source.path.starts_with("src/") && source.is_rust());
    own.map(|source| source.text).collect()
}

#[test]
fn every_limit_is_told_with_its_default() {
    let defaults: toml::Table = read("config/default.toml").parse().expect("TOML");
    let limits = defaults["limits"].as_table().expect("a table");
    let expected: Vec<(String, String)> =
        limits.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    let page = read(PAGE);
    let rows = rows(&page, "| name | default |");
    let mut told: Vec<(String, String)> =
        rows.iter().map(|row| (quoted(&row[0])[0].to_owned(), row[1].clone())).collect();
    told.sort();
    assert_eq!(told, expected);
    assert!(rows.iter().all(|row| !row[2].is_empty()), "what happens at each is told");
}

#[test]
fn every_fixed_limit_is_the_one_in_the_code() {
    let sources = sources();
    let page = read(PAGE);
    let rows = rows(&page, "| what | value | in the code |");
    let told: Vec<&str> = rows.iter().flat_map(|row| quoted(&row[2])).collect();
    assert!(told.len() > 8, "the table was found: {told:?}");
    for one in told {
        let (name, value) = one.split_once(" = ").expect("a name and its value");
        let (begin, end) = (format!("const {name}: "), format!(" = {value};"));
        let is_it = |line: &str| line.contains(&begin) && line.ends_with(&end);
        assert!(sources.iter().any(|text| text.lines().any(is_it)), "no {one} in the sources");
    }
}

/// The texts of calls that are marked as alarms.
fn alarms(text: &str) -> Vec<String> {
    let marked = text.match_indices("alarm = true").map(|(at, _)| &text[at..]);
    marked.filter_map(|rest| Some(rest.split('"').nth(1)?.to_owned())).collect()
}

#[test]
fn every_line_of_the_log_that_is_told_is_written_and_every_alarm_is_told() {
    let sources = sources();
    let page = read(PAGE);
    let told = rows(&page, "| line | what to do |");
    let told: Vec<&str> = told.iter().map(|row| quoted(&row[0])[0]).collect();
    assert!(told.len() > 12, "the table was found: {told:?}");
    for line in &told {
        let text = format!("\"{line}\"");
        assert!(sources.iter().any(|source| source.contains(&text)), "{line} is written nowhere");
    }
    let alarms: Vec<String> = sources.iter().flat_map(|text| alarms(text)).collect();
    assert!(alarms.len() > 5, "{alarms:?}");
    for alarm in alarms {
        assert!(told.contains(&alarm.as_str()), "{alarm} isn't told");
    }
}

#[test]
fn every_alarm_of_the_engine_is_told_with_what_to_do() {
    let health = read("src/engine/health.rs");
    let words = health.lines().filter(|line| line.trim_start().starts_with("Self::"));
    let mut words: Vec<&str> = words.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(words.len() > 3, "{words:?}");
    let page = read(PAGE);
    let told = rows(&page, "| `alarms` in");
    let mut told: Vec<&str> = told.iter().map(|row| quoted(&row[0])[0]).collect();
    told.sort_unstable();
    words.sort_unstable();
    assert_eq!(told, words);
}

#[test]
fn links_within_the_page_lead_somewhere() {
    let page = read(PAGE);
    let anchor = |title: &str| {
        let lower = title.to_lowercase();
        let kept = lower.chars().filter(|&it| it.is_alphanumeric() || " -_".contains(it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect::<String>()
    };
    let titles = page.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: Vec<String> = titles.map(anchor).collect();
    let links: Vec<&str> =
        page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 5);
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link} among {anchors:?}");
    }
}
