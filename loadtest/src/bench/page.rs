//! Results as tables: on the terminal, between the marks of a page, and kept as JSON.
//!
//! It prints what was measured and judges nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::Args;
use super::rows::Row;
use crate::clock;
use crate::peers::bullmq::BullMq;
use crate::report::Table;

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Everything that was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) command: String,
    pub(super) rows: Vec<Row>,
    /// How costs grow: a head and its rows.
    pub(super) growth: Vec<Vec<String>>,
}

/// Where it was measured, and beside what.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Machine {
    date: String,
    processor: String,
    memory: String,
    system: String,
    versions: Vec<String>,
}

impl Results {
    /// Puts a target's rows in the place of older ones, targets in their order.
    pub(super) fn replace(&mut self, target: &str, rows: Vec<Row>) {
        self.rows.retain(|row| row.target != target);
        self.rows.extend(rows);
        let place = |row: &Row| row.target[1..].parse::<u32>().unwrap_or(u32::MAX);
        self.rows.sort_by_key(place);
    }

    /// Takes down how costs grow.
    pub(super) fn grown(&mut self, table: &Table) {
        let plain = |value: &serde_json::Value| value.to_string().trim_matches('"').to_owned();
        let rows = table.rows.iter().map(|row| row.iter().map(plain).collect());
        let head = table.columns.iter().map(ToString::to_string).collect();
        self.growth = std::iter::once(head).chain(rows).collect();
    }
}

impl Machine {
    /// Looks at this machine and at the peers that are installed.
    pub(super) fn look(packages: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or("?", |(_, value)| value).trim().to_owned()
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let processor = field(&read("/proc/cpuinfo"), "model name");
        let kib = field(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = kib.trim_end_matches(" kB").parse().unwrap_or(0);
        let mut versions = vec![format!("ringback {}", env!("CARGO_PKG_VERSION"))];
        for (program, flag) in [("redis-server", "--version"), ("beanstalkd", "-v")] {
            versions.push(said(program, flag));
        }
        versions.push(format!("node {}", said("node", "--version")));
        let bullmq = BullMq::find(packages).and_then(|found| found.version());
        versions.push(bullmq.unwrap_or_else(|_| "bullmq: not installed".to_owned()));
        Self {
            date: clock::utc().format("%Y-%m-%d").to_string(),
            processor: format!("{cores} × {processor}"),
            memory: format!("{} GiB", kib.div_ceil(1 << 20)),
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            versions,
        }
    }
}

/// The first line that a program says of itself.
fn said(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    if line.is_empty() { format!("{program}: not installed") } else { line }
}

/// What was asked for beyond the defaults, so that it can be repeated.
pub(super) fn options(args: &Args) -> String {
    let mut options = Vec::new();
    if args.quick {
        options.push("--quick".to_owned());
    } else {
        options.push(format!("--rounds {} --seconds {}", args.rounds, args.seconds));
        options.push(format!("--kept-up-seconds {}", args.kept_up_seconds));
    }
    options.join(" ")
}

/// The results of earlier runs; none where there were none.
pub(super) fn read(path: &Path) -> Result<Results> {
    if !path.exists() {
        return Ok(Results::default());
    }
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} can't be read", path.display()))
}

/// Keeps results for later runs.
pub(super) fn keep(path: &Path, results: &Results) -> Result<()> {
    let text = serde_json::to_string_pretty(results).context("writing results")?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Everything as Markdown.
pub(super) fn tables(results: &Results) -> String {
    let Machine { date, processor, memory, system, versions } = &results.machine;
    let mut text = format!(
        "Measured on {date}: {processor}, {memory}, {system}; {}; by `{}`.\n\n",
        versions.join("; "),
        results.command
    );
    let head = ["#", "what", "figure", "compared with", "ratio", "target", "verdict"];
    let rows = results.rows.iter().map(|row| {
        let Row { target, what, figure, compared_with, ratio, asked, verdict } = row;
        let verdict = verdict.text();
        [target, what, figure, compared_with, ratio, asked, &verdict].map(Clone::clone).to_vec()
    });
    text.push_str(&markdown(std::iter::once(head.map(str::to_owned).to_vec()).chain(rows)));
    if !results.growth.is_empty() {
        text.push_str("\nHow costs grow with what is stored (embedded store):\n\n");
        text.push_str(&markdown(results.growth.iter().cloned()));
    }
    text
}

/// A table; the first row is its head.
fn markdown(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    for (number, row) in rows.enumerate() {
        // Writing to a text can't fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|{}", " --- |".repeat(row.len()));
        }
    }
    text
}

/// Puts the tables between the marks of a page, whose other words stay.
pub(super) fn write(path: &Path, results: &Results) -> Result<()> {
    let named = || format!("writing {}", path.display());
    let page = fs::read_to_string(path).with_context(named)?;
    fs::write(path, placed(&page, &tables(results)).with_context(named)?).with_context(named)
}

fn placed(page: &str, tables: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("it has no mark to begin at")?;
    let (old, after) = rest.split_once(END).context("it has no mark to end at")?;
    ensure!(!old.contains(BEGIN), "its first mark is there twice");
    Ok(format!("{before}{BEGIN}\n{tables}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        for target in ["P10", "P2", "P9"] {
            results.replace(target, vec![Row::not_run(target, "no redis|here\nat all")]);
        }
        results
    }

    #[test]
    fn targets_stand_in_their_order_and_once() {
        let mut results = results();
        results.replace("P2", vec![Row::not_run("P2", "again"), Row::not_run("P2", "twice")]);
        let order: Vec<&str> = results.rows.iter().map(|row| row.target.as_str()).collect();
        assert_eq!(order, ["P2", "P2", "P9", "P10"]);
    }

    #[test]
    fn a_reason_stays_in_its_cell() {
        let text = tables(&results());
        let line = text.lines().find(|line| line.starts_with("| P2 ")).unwrap();
        assert!(line.ends_with("| not run: no redis here at all |"), "{line}");
    }

    #[test]
    fn words_around_the_tables_stay() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let placed = placed(&page, "new\n").unwrap();
        assert_eq!(placed, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert!(super::placed("no marks", "new").is_err());
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        assert!(read(&path).unwrap().rows.is_empty());
        let mut results = results();
        let rows = vec![vec![json!(10), json!("x")]];
        results.grown(&Table { name: "sizes", columns: vec!["dormant", "of"], rows });
        keep(&path, &results).unwrap();
        assert_eq!(tables(&read(&path).unwrap()), tables(&results));
    }
}
