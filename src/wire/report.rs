//! Reports of past hours and days: what is asked, how tallies become rows, and the rows as JSON and
//! CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::instant::Instant;
use super::measures::{Measures, Staffed};
use super::problem::Problem;
use super::query::Query;
use super::text::instant;
use crate::domain::agent::AgentView;
use crate::domain::civil::Date;
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::measure::grid::{Cut, intervals};
use crate::domain::measure::{AgentTally, Measured, QueueTally, Tally};
use crate::domain::queue::Queue;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;

/// The media type of a report as a table.
pub const CSV: &str = "text/csv";

/// What a report is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// The whole workspace.
    Callbacks,
    /// Queue by queue.
    Queues,
    /// Agent by agent.
    Agents,
}

impl ReportKind {
    /// The word in the path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callbacks => "callbacks",
            Self::Queues => "queues",
            Self::Agents => "agents",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Callbacks, Self::Queues, Self::Agents].into_iter().find(|one| one.as_str() == word)
    }
}

/// The bounds of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportLimits {
    /// The longest time: `report_max_days`.
    pub max_days: u32,
    /// The most rows: `report_max_rows`.
    pub max_rows: usize,
}

/// How a report is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// As JSON.
    Json,
    /// As a table.
    Csv,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportQuery {
    /// How it is cut.
    pub cut: Cut,
    /// Whose hours and days.
    pub zone: TimeZone,
    /// The hours or days.
    pub intervals: Vec<(Timestamp, Timestamp)>,
    /// As which it is answered; none: as the request's headers say.
    pub format: Option<ReportFormat>,
}

/// An instant, or the beginning of a date.
enum Moment {
    Instant(Timestamp),
    Date(Date),
}

impl Moment {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(date) = Date::parse(text) {
            return Ok(Self::Date(date));
        }
        let at = instant(text);
        at.map(Self::Instant).map_err(|error| format!("{error}; or a date, such as 2026-11-24"))
    }

    fn at(&self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Instant(at) => *at,
            Self::Date(date) => zone.day_start(*date),
        }
    }
}

impl ReportQuery {
    /// Reads it, for so many queues or agents.
    pub fn read(
        mut query: Query<'_>,
        usual: &TimeZone,
        ids: usize,
        limits: ReportLimits,
    ) -> Result<Self, Problem> {
        let cut = query.word("by", &[("hour", Cut::Hour), ("day", Cut::Day)]);
        let words = [("json", ReportFormat::Json), ("csv", ReportFormat::Csv)];
        let format = query.word("format", &words);
        let named = query.one("time_zone").map(TimeZone::parse).transpose();
        let zone = named.as_ref().ok().and_then(Option::as_ref).unwrap_or(usual);
        let from = query.parsed("from", Moment::parse);
        let to = query.parsed("to", Moment::parse);
        let given = [("from", from.is_some()), ("to", to.is_some()), ("by", cut.is_some())];
        for (name, is_given) in given {
            if !is_given && query.one(name).is_none() {
                query.fault(name, "is missing");
            }
        }
        let mut cells = Vec::new();
        if let (Some(cut), Some(from), Some(to)) = (cut, from, to) {
            let (from, to) = (from.at(zone), to.at(zone));
            if to <= from {
                query.fault("to", "must lie after from");
            } else if to.since(from) > Span::days(limits.max_days) + Span::minutes(60) {
                // A month with a change of clocks has an hour more.
                let days = limits.max_days;
                query.fault("to", format!("must lie {days} days after from at most"));
            } else {
                cells = intervals(zone, cut, from, to);
                let rows = cells.len().saturating_mul(ids);
                if rows > limits.max_rows {
                    let most = limits.max_rows;
                    let text = format!(
                        "asks for {rows} rows; {most} at most: ask for less time, or by day"
                    );
                    query.fault("to", text);
                }
            }
        }
        let zone = zone.clone();
        query.finish().map_err(Problem::invalid)?;
        named.map_err(|error| Problem::unknown_zone("/time_zone", &error))?;
        let cut = cut.unwrap_or(Cut::Day);
        Ok(Self { cut, zone, intervals: cells, format })
    }
}

/// Tallies, as they are put into rows.
pub struct Rows<'a> {
    kind: ReportKind,
    intervals: &'a [(Timestamp, Timestamp)],
    queues: Vec<BTreeMap<QueueId, QueueTally>>,
    agents: Vec<BTreeMap<AgentId, AgentTally>>,
    /// The most that waited at once by queue, over all minutes.
    longest: Vec<BTreeMap<QueueId, u32>>,
    /// How many waited in all queues together, by the minute.
    together: Vec<BTreeMap<(Timestamp, usize), u32>>,
    /// Agents' time by queue; under none, of all agents.
    staffed: Vec<BTreeMap<Option<QueueId>, Staffed>>,
    /// Who serves which queues.
    serves: BTreeMap<AgentId, Vec<QueueId>>,
}

impl<'a> Rows<'a> {
    /// Rows in which nothing is yet. `agents`: all there are, with the queues that they serve.
    pub fn new(
        kind: ReportKind,
        intervals: &'a [(Timestamp, Timestamp)],
        agents: &[Arc<AgentView>],
    ) -> Self {
        let count = intervals.len();
        let serves = agents.iter().map(|view| {
            let settings = &view.agent.settings;
            let queues = settings.queues.iter().map(|membership| membership.queue.clone());
            (settings.id.clone(), queues.collect())
        });
        Self {
            kind,
            intervals,
            queues: vec![BTreeMap::new(); count],
            agents: vec![BTreeMap::new(); count],
            longest: vec![BTreeMap::new(); count],
            together: vec![BTreeMap::new(); count],
            staffed: vec![BTreeMap::new(); count],
            serves: serves.collect(),
        }
    }

    /// Adds a quarter's tally.
    pub fn add(&mut self, measured: Measured) {
        let place = self.intervals.partition_point(|(start, _)| *start <= measured.quarter);
        let Some(place) = place.checked_sub(1) else { return };
        if measured.quarter >= self.intervals[place].1 {
            return;
        }
        match (measured.tally, self.kind) {
            (Tally::Intake(..) | Tally::Work(..) | Tally::Line(..), ReportKind::Agents) => {}
            (Tally::Intake(queue, intake), _) => self.queue(place, queue).intake += &intake,
            (Tally::Work(queue, work), _) => self.queue(place, queue).work += &work,
            (Tally::Line(queue, line), ReportKind::Queues) => {
                if let Some(most) = line.most() {
                    let longest = self.longest[place].entry(queue).or_default();
                    *longest = (*longest).max(most);
                }
            }
            (Tally::Line(_, line), ReportKind::Callbacks) => {
                for (minute, waiting) in line.minutes.iter().enumerate() {
                    if let Some(waiting) = waiting {
                        let minute = (measured.quarter, minute);
                        *self.together[place].entry(minute).or_default() += waiting;
                    }
                }
            }
            (Tally::Agent(agent, tally), ReportKind::Agents) => {
                *self.agents[place].entry(agent).or_default() += &tally;
            }
            (Tally::Agent(_, tally), ReportKind::Callbacks) => {
                self.staffed[place].entry(None).or_default().add(&tally);
            }
            (Tally::Agent(agent, tally), ReportKind::Queues) => {
                for queue in self.serves.get(&agent).into_iter().flatten() {
                    self.staffed[place].entry(Some(queue.clone())).or_default().add(&tally);
                }
            }
        }
    }

    fn queue(&mut self, place: usize, queue: QueueId) -> &mut QueueTally {
        self.queues[place].entry(queue).or_default()
    }

    /// The rows: for each interval the workspace, or each queue or agent there is, and those that
    /// are gone where something was measured.
    pub fn finish(
        self,
        zone: &TimeZone,
        queues: &[Arc<Queue>],
        agents: &[Arc<AgentView>],
    ) -> Vec<Row> {
        let queue_names = queues.iter().map(|one| (&one.settings.id, one.settings.name.as_str()));
        let queue_names: BTreeMap<&QueueId, &str> = queue_names.collect();
        let agent_names = agents.iter().map(|one| &one.agent.settings);
        let agent_names: BTreeMap<&AgentId, &str> =
            agent_names.map(|one| (&one.id, one.name.as_str())).collect();
        let mut rows = Vec::new();
        for (place, (from, to)) in self.intervals.iter().enumerate() {
            let staffed = |queue: Option<&QueueId>| {
                self.staffed[place].get(&queue.cloned()).copied().unwrap_or_default()
            };
            let mut add = |subject: Option<(&'static str, &str, Option<&str>)>, measures| {
                rows.push(Row::new(*from, *to, zone, subject, measures));
            };
            match self.kind {
                ReportKind::Callbacks => {
                    let mut all = QueueTally::default();
                    self.queues[place].values().for_each(|tally| all += tally);
                    let mut measures = Measures::of_queue(&all, staffed(None));
                    measures.put("waiting_max", self.together[place].values().copied().max());
                    add(None, measures);
                }
                ReportKind::Queues => {
                    let cell = &self.queues[place];
                    for id in all_of(&queue_names, cell) {
                        let tally = cell.get(id).cloned().unwrap_or_default();
                        let mut measures = Measures::of_queue(&tally, staffed(Some(id)));
                        measures.put("waiting_max", self.longest[place].get(id).copied());
                        let name = queue_names.get(id).copied();
                        add(Some(("queue", id.as_str(), name)), measures);
                    }
                }
                ReportKind::Agents => {
                    let cell = &self.agents[place];
                    for id in all_of(&agent_names, cell) {
                        let tally = cell.get(id).cloned().unwrap_or_default();
                        let name = agent_names.get(id).copied();
                        add(Some(("agent", id.as_str(), name)), Measures::of_agent(&tally));
                    }
                }
            }
        }
        rows
    }
}

/// Those there are, and those that something was measured of.
fn all_of<'a, K: Ord, N, T>(
    there: &BTreeMap<&'a K, N>,
    cell: &'a BTreeMap<K, T>,
) -> BTreeSet<&'a K> {
    there.keys().copied().chain(cell.keys()).collect()
}

/// A row.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Row(Measures);

impl Row {
    fn new(
        from: Timestamp,
        to: Timestamp,
        zone: &TimeZone,
        subject: Option<(&'static str, &str, Option<&str>)>,
        measures: Measures,
    ) -> Self {
        let mut row = Measures::default();
        row.put("from", Value::from(crate::domain::civil::format_rfc3339(from)));
        row.put("to", Value::from(crate::domain::civil::format_rfc3339(to)));
        row.put("local_from", zone.local(from).to_string());
        if let Some((what, id, name)) = subject {
            row.put(what, id);
            row.put("name", name);
        }
        row.append(measures);
        Self(row)
    }
}

/// A report as JSON.
#[derive(Debug, Serialize)]
pub struct ReportBody<'a> {
    report: &'static str,
    by: &'static str,
    time_zone: &'a str,
    from: Instant,
    to: Instant,
    items: &'a [Row],
}

impl<'a> ReportBody<'a> {
    /// The report of these rows.
    pub fn new(kind: ReportKind, query: &'a ReportQuery, rows: &'a [Row]) -> Self {
        let first = query.intervals.first().map(|(from, _)| *from).unwrap_or_default();
        let last = query.intervals.last().map(|(_, to)| *to).unwrap_or_default();
        Self {
            report: kind.as_str(),
            by: query.cut.as_str(),
            time_zone: query.zone.name(),
            from: Instant(first),
            to: Instant(last),
            items: rows,
        }
    }
}

/// A report as a table with a line of names: RFC 4180.
pub fn csv(rows: &[Row]) -> Vec<u8> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let written = "what is written to memory can be written";
    if let Some(Row(first)) = rows.first() {
        let names = first.members().iter().map(|(name, _)| *name);
        table.write_record(names).expect(written);
    }
    for Row(row) in rows {
        let cells = row.members().iter().map(|(_, value)| cell(value));
        table.write_record(cells).expect(written);
    }
    table.into_inner().expect(written)
}

/// A value in one cell; nothing where it is null.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => harmless(text),
        Value::Object(counts) => {
            let counts = counts.iter().map(|(name, count)| format!("{name}={count}"));
            harmless(&counts.collect::<Vec<_>>().join("; "))
        }
        Value::Array(times) => {
            let times = times.iter().map(|time| {
                let text = |name: &str| time[name].as_str().unwrap_or_default();
                let (presence, reason) = (text("presence"), text("reason"));
                let colon = if reason.is_empty() { "" } else { ":" };
                format!("{presence}{colon}{reason}={}", time["seconds"])
            });
            harmless(&times.collect::<Vec<_>>().join("; "))
        }
    }
}

/// A text that no spreadsheet takes for a formula: one that begins like one gets a quote in front.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        let row = |name: &str| {
            let mut row = Measures::default();
            row.put("name", name);
            row.put("share", 0.5);
            row.put("none", Value::Null);
            Row(row)
        };
        let names =
            ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "a,b", "say \"hi\"", "two\nlines", "ok"];
        let table = csv(&names.map(row));
        let expected = [
            "name,share,none",
            "'=1+1,0.5,",
            "'+1,0.5,",
            "'-1,0.5,",
            "'@SUM(A1),0.5,",
            "'\tx,0.5,",
            "\"a,b\",0.5,",
            "\"say \"\"hi\"\"\",0.5,",
            "\"two\nlines\",0.5,",
            "ok,0.5,",
            "",
        ];
        assert_eq!(String::from_utf8(table).expect("text"), expected.join("\r\n"));
    }

    #[test]
    fn counts_and_times_stand_in_one_cell() {
        assert_eq!(cell(&serde_json::json!({"chat": 2, "portal": 9})), "chat=2; portal=9");
        let times = serde_json::json!([
            {"presence": "available", "reason": null, "seconds": 840.0},
            {"presence": "away", "reason": "lunch", "seconds": 60.5},
        ]);
        assert_eq!(cell(&times), "available=840.0; away:lunch=60.5");
    }
}
