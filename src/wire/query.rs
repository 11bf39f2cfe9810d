//! The part of a request's address behind the question mark: known names only, each in its form.

use std::fmt::Display;

use super::settings::fields::unknown;
use crate::domain::refusal::FieldFault;

/// Names and values that are being read, with the faults found so far.
pub struct Query<'a> {
    pairs: &'a [(String, String)],
    asked: Vec<&'static str>,
    faults: Vec<FieldFault>,
}

impl<'a> Query<'a> {
    /// Begins to read.
    pub fn new(pairs: &'a [(String, String)]) -> Self {
        Self { pairs, asked: Vec::new(), faults: Vec::new() }
    }

    /// Every value of a name that may repeat.
    pub fn all(&mut self, name: &'static str) -> Vec<&'a str> {
        self.asked.push(name);
        let named = self.pairs.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a name that may stand there once.
    pub fn one(&mut self, name: &'static str) -> Option<&'a str> {
        let values = self.all(name);
        if values.len() > 1 {
            self.fault(name, "must not stand there more than once");
        }
        values.first().copied()
    }

    /// The value of a name, read by `parse`; its error says what is allowed.
    pub fn parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(self.one(name)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// The value of a name that is one of `words`.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("must be one of: {}", names.join(", "))
            })
        })
    }

    /// Notes a fault.
    pub fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(FieldFault { pointer: format!("/{name}"), detail: detail.into() });
    }

    /// Ends reading: what nobody asked for is a fault.
    pub fn finish(mut self) -> Result<(), Vec<FieldFault>> {
        let others = self.pairs.iter().filter(|(name, _)| !self.asked.contains(&name.as_str()));
        let others = others.map(|(name, _)| FieldFault {
            pointer: format!("/{}", name.chars().take(80).collect::<String>()),
            detail: unknown("parameter", name, &self.asked),
        });
        self.faults.extend(others);
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}
