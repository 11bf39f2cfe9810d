//! What a run says at its end: facts, spreads of times, tables, verdicts; as text or JSON.
//!
//! The one place of this crate that writes to standard output, because the report is its result;
//! progress and errors go to standard error.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// The longest time that is told apart from longer ones: a day, in microseconds.
const LONGEST_MICROS: u64 = 86_400_000_000;
/// Examples of violations that are printed; the counts are complete.
const SHOWN_VIOLATIONS: usize = 20;

/// How times were spread, exact to three digits.
#[derive(Debug, Clone)]
pub(crate) struct Spread {
    micros: Histogram<u64>,
    /// The longest of all, exactly; the histogram would round it up.
    longest: Duration,
}

impl Default for Spread {
    fn default() -> Self {
        // It grows with the times that it sees, so that thousands of connections may have one.
        let micros = Histogram::new(3).expect("three digits are a precision that it knows");
        Self { micros, longest: Duration::ZERO }
    }
}

impl Spread {
    /// Counts one time.
    pub(crate) fn record(&mut self, time: Duration) {
        let time = time.min(Duration::from_micros(LONGEST_MICROS));
        self.longest = self.longest.max(time);
        let micros = u64::try_from(time.as_micros()).expect("a day's microseconds fit");
        self.micros.record(micros).expect("it grows up to the longest time");
    }

    /// Adds another spread's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.micros.add(&other.micros).expect("it grows as far as the other");
        self.longest = self.longest.max(other.longest);
    }

    /// How many times were counted.
    pub(crate) fn count(&self) -> u64 {
        self.micros.len()
    }

    /// The time that the given share took at most.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        // A histogram answers with the upper end of its cell, which can lie above the maximum.
        Duration::from_micros(self.micros.value_at_quantile(share)).min(self.longest)
    }
}

/// Prints a command's result as one JSON object.
pub(crate) fn print_value(value: &Value) -> io::Result<()> {
    io::stdout().lock().write_all(format!("{value}\n").as_bytes())
}

/// Prints one line, such as the address of a process that others wait for.
pub(crate) fn print_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The unit in which a spread is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    /// A time in this unit, to three decimals.
    pub(crate) fn show(self, time: Duration) -> f64 {
        let value = match self {
            Self::Milliseconds => time.as_secs_f64() * 1_000.0,
            Self::Seconds => time.as_secs_f64(),
        };
        (value * 1_000.0).round() / 1_000.0
    }

    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// Rows under named columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// Everything that a command found out.
#[derive(Debug)]
pub(crate) struct Report {
    command: &'static str,
    facts: Vec<(String, Value)>,
    spreads: Vec<(String, Unit, Spread)>,
    tables: Vec<Table>,
    verdicts: Vec<(String, u64)>,
    violations: Vec<String>,
}

impl Report {
    /// An empty report of a command.
    pub(crate) fn new(command: &'static str) -> Self {
        Self {
            command,
            facts: Vec::new(),
            spreads: Vec::new(),
            tables: Vec::new(),
            verdicts: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Adds a figure or a word.
    pub(crate) fn fact(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.facts.push((name.into(), value.into()));
    }

    /// Adds a spread of times; an empty one is left out, since it has no percentiles.
    pub(crate) fn spread(&mut self, name: impl Into<String>, unit: Unit, spread: Spread) {
        if spread.count() > 0 {
            self.spreads.push((name.into(), unit, spread));
        }
    }

    /// Adds a table.
    pub(crate) fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Adds a count that must be 0.
    pub(crate) fn verdict(&mut self, name: impl Into<String>, violations: usize) {
        self.verdicts.push((name.into(), u64::try_from(violations).unwrap_or(u64::MAX)));
    }

    /// Adds sentences that say what was violated.
    pub(crate) fn violations(&mut self, sentences: impl IntoIterator<Item = String>) {
        self.violations.extend(sentences);
    }

    /// Takes over another report's verdicts.
    pub(crate) fn adopt(&mut self, other: &Self) {
        self.verdicts.extend(other.verdicts.iter().cloned());
        self.violations.extend(other.violations.iter().cloned());
    }

    /// A figure that was added.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.facts.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_f64())
    }

    /// The sum of all counts whose names begin so.
    pub(crate) fn sum_of(&self, beginning: &str) -> usize {
        let counts = self.facts.iter().filter(|(name, _)| name.starts_with(beginning));
        let sum: u64 = counts.filter_map(|(_, value)| value.as_u64()).sum();
        usize::try_from(sum).unwrap_or(usize::MAX)
    }

    /// A spread that was added.
    pub(crate) fn times(&self, name: &str) -> Option<&Spread> {
        self.spreads.iter().find(|(known, ..)| known == name).map(|(.., spread)| spread)
    }

    /// Whether every verdict is 0.
    pub(crate) fn is_clean(&self) -> bool {
        self.verdicts.iter().all(|(_, count)| *count == 0)
    }

    /// Writes the report to standard output.
    pub(crate) fn print(&self, as_json: bool) -> io::Result<()> {
        let text = if as_json { format!("{}\n", self.to_json()) } else { self.to_text() };
        io::stdout().lock().write_all(text.as_bytes())
    }

    /// The report as one JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let object = |pairs: Vec<(String, Value)>| Value::Object(pairs.into_iter().collect());
        let spreads = self.spreads.iter().map(|(name, unit, spread)| {
            let mut fields = Map::from_iter([("unit".to_owned(), json!(unit.name()))]);
            fields.insert("count".to_owned(), json!(spread.count()));
            let quantiles = QUANTILES.map(|(name, share)| (name, spread.quantile(share)));
            for (name, time) in quantiles {
                fields.insert(name.replace('.', "_"), json!(unit.show(time)));
            }
            (name.clone(), Value::Object(fields))
        });
        let verdicts = self.verdicts.iter().map(|(name, count)| (name.clone(), json!(count)));
        let mut whole = Map::from_iter([
            ("command".to_owned(), json!(self.command)),
            ("ok".to_owned(), json!(self.is_clean())),
            ("facts".to_owned(), object(self.facts.clone())),
            ("times".to_owned(), object(spreads.collect())),
            ("verdicts".to_owned(), object(verdicts.collect())),
            ("violations".to_owned(), json!(self.violations)),
        ]);
        for table in &self.tables {
            let rows = table.rows.iter().map(|row| {
                let names = table.columns.iter().map(ToString::to_string);
                object(names.zip(row.iter().cloned()).collect())
            });
            whole.insert(table.name.to_owned(), rows.collect());
        }
        Value::Object(whole)
    }

    /// The report as aligned text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.command);
        let facts = self.facts.iter().map(|(name, value)| vec![name.clone(), plain(value)]);
        text.push_str(&align(&facts.collect::<Vec<_>>()));
        if !self.spreads.is_empty() {
            let mut head = vec!["time".to_owned(), "unit".to_owned(), "count".to_owned()];
            head.extend(QUANTILES.map(|(name, _)| name.to_owned()));
            let rows = self.spreads.iter().map(|(name, unit, spread)| {
                let mut row =
                    vec![name.clone(), unit.name().to_owned(), spread.count().to_string()];
                let shown = QUANTILES.map(|(_, share)| unit.show(spread.quantile(share)));
                row.extend(shown.map(|value| format!("{value:.3}")));
                row
            });
            text.push('\n');
            text.push_str(&align(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
        }
        for table in &self.tables {
            let head = table.columns.iter().map(ToString::to_string).collect();
            let rows = table.rows.iter().map(|row| row.iter().map(plain).collect());
            text.push('\n');
            text.push_str(&align(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
        }
        text.push('\n');
        for (name, count) in &self.verdicts {
            let word = if *count == 0 { "" } else { "  VIOLATED" };
            // Writing to a text can't fail.
            let _ = writeln!(text, "{name}: {count}{word}");
        }
        for sentence in self.violations.iter().take(SHOWN_VIOLATIONS) {
            let _ = writeln!(text, "  {sentence}");
        }
        if self.violations.len() > SHOWN_VIOLATIONS {
            let rest = self.violations.len() - SHOWN_VIOLATIONS;
            let _ = writeln!(text, "  … and {rest} more");
        }
        text
    }
}

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Columns side by side: the first to the left, the others to the right.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(text, "  {cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hundred() -> Spread {
        let mut spread = Spread::default();
        for millis in 1..=100 {
            spread.record(Duration::from_millis(millis));
        }
        spread
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let spread = hundred();
        let near = |share, millis: f64| {
            let found = Unit::Milliseconds.show(spread.quantile(share));
            assert!((found - millis).abs() <= millis / 500.0, "{share}: {found}");
        };
        near(0.5, 50.0);
        near(0.9, 90.0);
        near(0.99, 99.0);
        assert_eq!(spread.quantile(1.0), Duration::from_millis(100));
    }

    #[test]
    fn spreads_of_several_connections_add_up() {
        let mut sum = hundred();
        sum.add(&hundred());
        assert_eq!(sum.count(), 200);
        assert_eq!(sum.quantile(1.0), Duration::from_millis(100));
    }

    #[test]
    fn times_beyond_a_day_are_counted_as_a_day() {
        let mut spread = Spread::default();
        spread.record(Duration::MAX);
        assert_eq!(spread.count(), 1);
        assert_eq!(spread.quantile(1.0), Duration::from_hours(24));
    }

    #[test]
    fn the_same_report_reads_as_text_and_as_json() {
        let mut report = Report::new("flood");
        report.fact("acknowledged", 42);
        report.spread("post", Unit::Milliseconds, hundred());
        report.spread("nothing", Unit::Milliseconds, Spread::default());
        report.table(Table {
            name: "queues",
            columns: vec!["queue", "asked"],
            rows: vec![vec![json!("ps"), json!(7)]],
        });
        report.verdict("lost", 0);
        let json = report.to_json();
        assert_eq!(json["facts"]["acknowledged"], 42);
        assert_eq!(json["times"]["post"]["max"], 100.0);
        assert!(json["times"]["post"]["p99_9"].is_number());
        assert!(json["times"].get("nothing").is_none());
        assert_eq!(json["queues"][0]["asked"], 7);
        assert_eq!(json["ok"], true);
        let text = report.to_text();
        assert!(text.contains("p99.9"), "{text}");
        assert!(text.contains("lost: 0\n"), "{text}");
        assert!(report.is_clean());
    }

    #[test]
    fn a_violation_is_said_and_spoils_the_report() {
        let mut report = Report::new("check");
        report.verdict("lost", 30);
        report.violations((0..30).map(|number| format!("callback {number} is gone")));
        assert!(!report.is_clean());
        let text = report.to_text();
        assert!(text.contains("lost: 30  VIOLATED"), "{text}");
        assert!(text.contains("callback 19 is gone"), "{text}");
        assert!(!text.contains("callback 20 is gone"), "{text}");
        assert!(text.contains("and 10 more"), "{text}");
        assert_eq!(report.to_json()["violations"].as_array().unwrap().len(), 30);
    }
}
