//! Tables of exact values, as CSV with quoted cells, found by the values of some columns.
//!
//! Separate because reading them has nothing to do with what they are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// A table by its columns' names.
#[derive(Debug)]
pub(crate) struct Reference {
    name: String,
    rows: Vec<BTreeMap<String, String>>,
}

/// One of its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exact<'a> {
    table: &'a str,
    row: &'a BTreeMap<String, String>,
}

impl Reference {
    /// Reads a table.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let head = cells(lines.next().context("the table is empty")?);
        let rows = lines.filter(|line| !line.is_empty()).map(|line| {
            let row = cells(line);
            ensure!(row.len() == head.len(), "{} cells under {} columns", row.len(), head.len());
            Ok(head.iter().cloned().zip(row).collect())
        });
        Ok(Self { name: head.join(","), rows: rows.collect::<Result<_>>()? })
    }

    /// All rows with these values; numbers are compared as numbers.
    pub(crate) fn find(&self, wanted: &[(&str, &str)]) -> Vec<Exact<'_>> {
        let same = |have: &str, want: &str| match (have.parse::<f64>(), want.parse::<f64>()) {
            (Ok(have), Ok(want)) => (have - want).abs() < 1e-9,
            _ => have == want,
        };
        let fits = |row: &&BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| row.get(*key).is_some_and(|have| same(have, value)))
        };
        self.rows.iter().filter(fits).map(|row| Exact { table: &self.name, row }).collect()
    }

    /// The one row with these values.
    pub(crate) fn one(&self, wanted: &[(&str, &str)]) -> Result<Exact<'_>> {
        let first = self.find(wanted).into_iter().next();
        first.with_context(|| format!("no row with {wanted:?} in the table {}", self.name))
    }
}

impl Exact<'_> {
    /// The number in a column.
    pub(crate) fn number(self, column: &str) -> Result<f64> {
        let text =
            self.row.get(column).with_context(|| format!("no {column} in {}", self.table))?;
        text.parse().with_context(|| format!("{column} is {text:?} there"))
    }

    /// The number in a column that may be empty.
    pub(crate) fn maybe(self, column: &str) -> Option<f64> {
        self.row.get(column)?.parse().ok()
    }
}

/// The cells of a line; a quoted one may hold commas.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut().expect("never empty").push(other),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_words_and_numbers() {
        let table = Reference::parse("system,rho,EW\n\"N: a, b\",0.50,1.25\nW,0.9,\n").unwrap();
        let row = table.one(&[("system", "N: a, b"), ("rho", "0.5")]).unwrap();
        assert!((row.number("EW").unwrap() - 1.25).abs() < 1e-12);
        assert_eq!(table.one(&[("rho", "0.9")]).unwrap().maybe("EW"), None);
        assert!(table.one(&[("rho", "0.7")]).is_err());
        assert!(Reference::parse("a,b\n1\n").is_err());
    }
}
