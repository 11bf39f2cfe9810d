//! `loadtest check`: after a crash and a restart, holds the server to what it had promised.
//!
//! The ledgers say what was acknowledged; the server says what it knows now. Every difference
//! that its rules don't allow is a violation. It only reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Client, Target};
use crate::clock;
use crate::ledger::{self, Created, Entry, OfferLine};
use crate::report::{Report, Table};
use crate::setup;

/// Pages of one callback's history that are read at most; 200 events each.
const MAX_PAGES: usize = 50;
/// A scheduled callback may fall due this long before its start at most, lead and all.
const EARLIEST_MILLIS: i64 = 3_600_000;

/// Hold a restarted server to what the ledgers say that it acknowledged
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ledgers of `flood` and `agents`; may be repeated
    #[arg(long, required = true, num_args = 1..)]
    pub(crate) ledger: Vec<PathBuf>,
    /// The server, on this machine
    #[arg(long, value_parser = Target::parse)]
    pub(crate) server: Target,
    /// A supervisor's credential
    #[arg(long)]
    pub(crate) token: String,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the ledgers say, by callback.
#[derive(Debug, Default)]
struct Promises {
    callbacks: BTreeMap<String, Promise>,
    /// Which callbacks were acknowledged under each number.
    numbers: BTreeMap<String, BTreeSet<String>>,
}

/// What was said of one callback.
#[derive(Debug, Default, Clone)]
struct Promise {
    /// The acknowledgement with the highest version.
    created: Option<Created>,
    offered: bool,
    accepted: Vec<OfferLine>,
}

/// An event, as history lists it.
#[derive(Debug, Clone, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

impl Event {
    fn agent(&self) -> &str {
        self.data["agent_id"].as_str().unwrap_or_default()
    }

    fn what(&self) -> &str {
        self.kind.strip_prefix("callback.").unwrap_or(&self.kind)
    }
}

/// What the server says of one callback.
#[derive(Debug, Default)]
struct Truth {
    callback: Option<Value>,
    history: Vec<Event>,
}

/// The kinds of violation, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Lost,
    WentBack,
    OtherNumber,
    AcceptLost,
    AssignedTwice,
    OfferedTwice,
    Moved,
    Early,
}

impl Kind {
    const ALL: [(Self, &str); 8] = [
        (Self::Lost, "lost"),
        (Self::WentBack, "older than acknowledged"),
        (Self::OtherNumber, "numbers not unique"),
        (Self::AcceptLost, "accepts lost"),
        (Self::AssignedTwice, "assigned twice"),
        (Self::OfferedTwice, "offered twice"),
        (Self::Moved, "start moved"),
        (Self::Early, "before its time"),
    ];
}

type Violation = (Kind, String);

/// Checks all ledgers against the server.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let mut entries = Vec::new();
    for path in &args.ledger {
        entries.extend(ledger::read(path)?);
    }
    let promises = Promises::read(entries);
    let now = clock::utc().timestamp_millis();
    let items: Vec<(String, Promise)> =
        promises.callbacks.iter().map(|(id, promise)| (id.clone(), promise.clone())).collect();
    let checking = setup::each(
        &args.server,
        &args.token,
        "checked",
        items,
        move |mut client, item| async move {
            let (id, promise) = item;
            let checked = match ask(&mut client, &id, &promise, now).await {
                Ok(truth) => Ok(judge(&id, &promise, &truth, now)),
                Err(error) => Err(error.context(format!("checking {id}"))),
            };
            (client, checked)
        },
    );
    let mut violations: Vec<Violation> = checking.await?.into_iter().flatten().collect();
    violations.extend(promises.shared_numbers());
    Ok(report(&args, &promises, violations))
}

impl Promises {
    fn read(entries: Vec<Entry>) -> Self {
        let mut promises = Self::default();
        for entry in entries {
            match entry {
                Entry::Created(created) => {
                    let ids = promises.numbers.entry(created.number.clone()).or_default();
                    ids.insert(created.id.clone());
                    let known = &mut promises.callback(&created.id).created;
                    if known.as_ref().is_none_or(|known| known.version <= created.version) {
                        *known = Some(created);
                    }
                }
                Entry::Offered(offer) => promises.callback(&offer.callback_id).offered = true,
                Entry::Accepted(offer) => {
                    let accepted = &mut promises.callback(&offer.callback_id).accepted;
                    // A repeated accept is acknowledged again; it is still one.
                    if !accepted.iter().any(|known| known.offer_id == offer.offer_id) {
                        accepted.push(offer);
                    }
                }
            }
        }
        promises
    }

    fn callback(&mut self, id: &str) -> &mut Promise {
        self.callbacks.entry(id.to_owned()).or_default()
    }

    fn shared_numbers(&self) -> Vec<Violation> {
        let shared = self.numbers.iter().filter(|(_, ids)| ids.len() > 1);
        shared
            .map(|(number, ids)| (Kind::OtherNumber, format!("{number} stands for {ids:?}")))
            .collect()
    }
}

/// Asks the server what it knows; history only where something depends on it.
async fn ask(client: &mut Client, id: &str, promise: &Promise, now: i64) -> Result<Truth> {
    let give_up = || clock::now() + setup::PATIENCE;
    let Some(callback) = client.get(&format!("/v1/callbacks/{id}"), give_up()).await? else {
        return Ok(Truth::default());
    };
    let mut truth = Truth { callback: Some(callback), history: Vec::new() };
    let doubtful = !booking(id, promise, &truth, now).is_empty();
    if !promise.offered && promise.accepted.is_empty() && !doubtful {
        return Ok(truth);
    }
    let mut path = format!("/v1/callbacks/{id}/history?limit=200");
    for _ in 0..MAX_PAGES {
        let page = client.get(&path, give_up()).await?.context("the callback has no history")?;
        let items = page["items"].clone();
        let events: Vec<Event> = serde_json::from_value(items).context("events of a history")?;
        truth.history.extend(events);
        let Some(cursor) = page["next_cursor"].as_str() else { return Ok(truth) };
        path = format!("/v1/callbacks/{id}/history?limit=200&cursor={cursor}");
    }
    bail!("a history of more than {MAX_PAGES} pages")
}

/// Every way in which the truth falls short of the promise.
fn judge(id: &str, promise: &Promise, truth: &Truth, now: i64) -> Vec<Violation> {
    let Some(callback) = &truth.callback else {
        return vec![(Kind::Lost, format!("{id} is not there any more"))];
    };
    let mut found = Vec::new();
    if let Some(created) = &promise.created {
        let version = callback["version"].as_u64();
        if version < Some(created.version) {
            let sentence = format!("{id} has version {version:?}, not {}", created.version);
            found.push((Kind::WentBack, sentence));
        }
        let number = callback["number"].as_str();
        if number != Some(&created.number) {
            let sentence = format!("{id} has number {number:?}, not {}", created.number);
            found.push((Kind::OtherNumber, sentence));
        }
    }
    found.extend(lost_accepts(id, promise, &truth.history));
    found.extend(booking(id, promise, truth, now));
    found.extend(review(id, &truth.history));
    found
}

/// Acknowledged accepts that history doesn't know: each needs an event of its own.
fn lost_accepts(id: &str, promise: &Promise, history: &[Event]) -> Vec<Violation> {
    let mut events: Vec<&Event> =
        history.iter().filter(|event| event.what() == "accepted").collect();
    let mut found = Vec::new();
    for accept in &promise.accepted {
        let fits = |event: &&Event| {
            let offer = event.data["offer_id"].as_str();
            event.agent() == accept.agent_id && offer.is_none_or(|id| id == accept.offer_id)
        };
        if let Some(index) = events.iter().position(fits) {
            events.swap_remove(index);
        } else {
            let sentence =
                format!("{id}: the accept of {} by {}", accept.offer_id, accept.agent_id);
            found.push((Kind::AcceptLost, sentence));
        }
    }
    found
}

/// Whether a booking still stands, or has moved on as it may.
fn booking(id: &str, promise: &Promise, truth: &Truth, now: i64) -> Vec<Violation> {
    let (Some(created), Some(callback)) = (&promise.created, &truth.callback) else {
        return Vec::new();
    };
    let Some(start) = &created.start else { return Vec::new() };
    let had = |kinds: &[&str]| truth.history.iter().any(|event| kinds.contains(&event.what()));
    let mut found = Vec::new();
    let told = callback["schedule"]["start"].as_str();
    // A booking made asap by a reschedule has no start any more.
    let same = told.and_then(clock::millis) == clock::millis(start);
    if !same && !had(&["rescheduled"]) {
        found.push((Kind::Moved, format!("{id} starts at {told:?}, not at {start}")));
    }
    let state = callback["state"].as_str().unwrap_or_default();
    let early = clock::millis(start).is_some_and(|start| now < start - EARLIEST_MILLIS);
    let asked_for = ["rescheduled", "requeued", "assigned", "canceled", "closed"];
    if state != "open" && early && !had(&asked_for) {
        found.push((Kind::Early, format!("{id} is {state} long before {start}")));
    }
    found
}

/// Walks a history, oldest first, and finds what was with two agents at once.
fn review(id: &str, history: &[Event]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut offered: Option<&str> = None;
    let mut holder: Option<&str> = None;
    for event in history {
        let agent = event.agent();
        match event.what() {
            "offered" => {
                if let Some(holder) = holder {
                    let sentence = format!("{id} was offered to {agent} while with {holder}");
                    found.push((Kind::AssignedTwice, sentence));
                }
                if let Some(other) = offered {
                    let sentence = format!("{id} was offered to {agent} while to {other}");
                    found.push((Kind::OfferedTwice, sentence));
                }
                offered = Some(agent);
            }
            "declined" | "offer_expired" | "offer_revoked" => offered = None,
            "accepted" => {
                if let Some(holder) = holder {
                    let sentence = format!("{id} was taken by {agent} while with {holder}");
                    found.push((Kind::AssignedTwice, sentence));
                }
                if let Some(other) = offered.filter(|other| *other != agent) {
                    let sentence = format!("{id} was taken by {agent} while offered to {other}");
                    found.push((Kind::OfferedTwice, sentence));
                }
                (offered, holder) = (None, Some(agent));
            }
            // A supervisor may give to somebody else what one has; a callback in which `accepted`
            // is told as `assigned` as well stays with the same agent.
            "assigned" => (offered, holder) = (None, Some(agent)),
            "unassigned" | "requeued" | "queued" | "retry_scheduled" | "carried_over"
            | "rescheduled" | "canceled" | "closed" => (offered, holder) = (None, None),
            _ => {}
        }
    }
    found
}

fn report(args: &Args, promises: &Promises, violations: Vec<Violation>) -> Report {
    let mut report = Report::new("check");
    let all = promises.callbacks.values();
    let created = all.clone().filter(|promise| promise.created.is_some()).count();
    report.fact("ledgers", args.ledger.len());
    report.fact("callbacks acknowledged", created);
    report.fact("callbacks offered", all.clone().filter(|promise| promise.offered).count());
    report.fact("accepts acknowledged", all.map(|promise| promise.accepted.len()).sum::<usize>());
    let mut rows = Vec::new();
    for (kind, name) in Kind::ALL {
        let count = violations.iter().filter(|(found, _)| *found == kind).count();
        report.verdict(name, count);
        rows.push(vec![json!(name), json!(count)]);
    }
    report.table(Table { name: "checks", columns: vec!["check", "violations"], rows });
    report.violations(violations.into_iter().map(|(_, sentence)| sentence));
    report
}

#[cfg(test)]
mod tests;
