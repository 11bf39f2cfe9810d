//! Holds a server to what was acknowledged: all of it is there, nothing was done twice, nobody had
//! more than their capacity at any moment, and every history is legal from its first event on.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::blocking::Client;
use serde_json::Value;

use super::capacity;
use super::customers::client;
use super::history::{Event, Hold, walk};
use super::ledger::{Act, Books, MOMENT, PATIENCE, Promise, text};
use crate::redis::now;

/// Threads that ask for histories at once.
const ASKING: usize = 4;

/// What is known of a server's callbacks from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Judge {
    histories: BTreeMap<String, Vec<Event>>,
}

/// What is found wrong, in sentences.
type Faults = Vec<String>;

/// All callbacks as listed, by id.
pub(super) type Rows = BTreeMap<String, Value>;

impl Judge {
    /// Looks at everything; panics with all that is wrong.
    pub(super) fn look(&mut self, url: &str, books: &Books) -> Rows {
        let mut faults = Vec::new();
        let client = client();
        let mut rows = all_callbacks(&client, url, &mut faults);
        // A record is read at one moment and a page isn't: what goes back to an earlier state
        // meanwhile may be on neither side of it, but not for ever.
        let mut unlisted = Vec::new();
        for id in books.promises.keys().filter(|id| !rows.contains_key(*id)) {
            unlisted.extend(find(&client, url, &format!("/v1/callbacks/{id}")));
        }
        let deadline = now() + PATIENCE;
        while !unlisted.is_empty() && now() < deadline {
            std::thread::park_timeout(MOMENT);
            let again = all_callbacks(&client, url, &mut faults);
            unlisted.retain(|row| !again.contains_key(&text(&row["id"])));
            rows.extend(again);
        }
        for row in unlisted {
            let id = text(&row["id"]);
            faults.push(format!("{id}: it is there, and on no list"));
            rows.insert(id, row);
        }
        had_no_effect(books, &rows, &mut faults);
        self.read_histories(url, &mut rows, &mut faults);
        let mut holds = Vec::new();
        for (id, callback) in &rows {
            let history = self.histories.get(id).map_or(&[][..], Vec::as_slice);
            match walk(history, callback) {
                Ok(held) => holds.extend(held),
                Err(why) => faults.push(format!("{id}: {why}\n{}", lines(history))),
            }
        }
        for (id, promise) in &books.promises {
            let history = self.histories.get(id).map_or(&[][..], Vec::as_slice);
            let kept = holds_to(promise, rows.get(id), history);
            faults.extend(kept.into_iter().map(|why| format!("{id}: {why}\n{}", lines(history))));
        }
        over_capacity(holds, &mut faults);
        says_what_it_holds(url, &rows, &mut faults);
        let shown: Vec<&String> = faults.iter().take(10).collect();
        assert!(faults.is_empty(), "{} faults, the first: {shown:#?}", faults.len());
        rows
    }

    /// Reads the histories that have grown since; what was read before must still begin them.
    fn read_histories(&mut self, url: &str, rows: &mut Rows, faults: &mut Faults) {
        let grown = |(id, row): &(&String, &Value)| {
            let known = self.histories.get(*id).map_or(0, |events| changes(events));
            row["version"] != known
        };
        let grown: Vec<String> = rows.iter().filter(grown).map(|(id, _)| id.clone()).collect();
        let parts = grown.chunks(grown.len().div_ceil(ASKING).max(1));
        let read: Vec<(Value, Vec<Event>)> = std::thread::scope(|scope| {
            let asking = parts.map(|ids| {
                scope.spawn(move || {
                    let client = client();
                    ids.iter().map(|id| whole(&client, url, id)).collect::<Vec<_>>()
                })
            });
            let asking: Vec<_> = asking.collect();
            asking.into_iter().flat_map(|one| one.join().expect("it asked")).collect()
        });
        for (row, history) in read {
            let id = text(&row["id"]);
            rows.insert(id.clone(), row);
            let known = self.histories.insert(id.clone(), history.clone()).unwrap_or_default();
            if !history.starts_with(&known) {
                faults.push(format!(
                    "{id}: its past was rewritten, from\n{}to\n{}",
                    lines(&known),
                    lines(&history)
                ));
            }
        }
    }
}

fn changes(events: &[Event]) -> usize {
    events.iter().map(Event::entry).collect::<BTreeSet<_>>().len()
}

fn lines(history: &[Event]) -> String {
    let line =
        |event: &Event| format!("  {} {} {:?} {}\n", event.id, event.kind, event.at, event.data);
    history.iter().map(line).collect()
}

/// What is shown to a supervisor; none if there is no such thing. A busy machine's store may not
/// answer in time: it is asked again.
fn find(client: &Client, url: &str, path: &str) -> Option<Value> {
    let deadline = now() + PATIENCE;
    loop {
        let answer = client.get(format!("{url}{path}")).bearer_auth("lead-key-1").send();
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = answer.status();
        if status == 503 && now() < deadline {
            std::thread::park_timeout(MOMENT);
            continue;
        }
        let body: Value = answer.json().unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(status == 200 || status == 404, "{path}: {status} {body}");
        return (status == 200).then_some(body);
    }
}

/// What is shown to a supervisor, and must be there.
pub(super) fn get(client: &Client, url: &str, path: &str) -> Value {
    find(client, url, path).unwrap_or_else(|| panic!("{path} isn't there"))
}

/// Every page of a list.
fn pages(client: &Client, url: &str, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(client, url, &format!("{path}limit=200{cursor}"));
        items.extend(page["items"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// A callback and its history, of the same moment: it may go on by itself between two requests.
fn whole(client: &Client, url: &str, id: &str) -> (Value, Vec<Event>) {
    let mut tries = 0;
    loop {
        let row = get(client, url, &format!("/v1/callbacks/{id}"));
        let history = history(client, url, id);
        tries += 1;
        if row["version"] == changes(&history) || tries == 5 {
            return (row, history);
        }
    }
}

fn history(client: &Client, url: &str, id: &str) -> Vec<Event> {
    pages(client, url, &format!("/v1/callbacks/{id}/history?")).iter().map(Event::read).collect()
}

/// All callbacks; none comes twice, and no number and no request stands for two.
fn all_callbacks(client: &Client, url: &str, faults: &mut Faults) -> Rows {
    let mut rows = Rows::new();
    let (mut numbers, mut requests) = (BTreeMap::new(), BTreeMap::new());
    for row in pages(client, url, "/v1/callbacks?sort=created_at&") {
        let id = text(&row["id"]);
        for (what, seen, value) in [
            ("number", &mut numbers, &row["number"]),
            ("request", &mut requests, &row["origin"]["interaction_ref"]),
        ] {
            if let Some(other) = seen.insert(text(value), id.clone()) {
                faults.push(format!("{what} {value} stands for {other} and {id}"));
            }
        }
        rows.insert(id, row);
    }
    rows
}

/// What was refused made no callback.
fn had_no_effect(books: &Books, rows: &Rows, faults: &mut Faults) {
    for (id, row) in rows {
        let key = text(&row["origin"]["interaction_ref"]);
        let answer = books.requests.get(&key).and_then(|request| request.answer.as_ref());
        if answer.is_some_and(|(status, _)| *status >= 300) {
            faults.push(format!("{id} is there, and its request was answered {answer:?}"));
        }
    }
}

/// Whether a promise is kept; what isn't, in sentences.
fn holds_to(promise: &Promise, callback: Option<&Value>, history: &[Event]) -> Faults {
    let Some(callback) = callback else { return vec!["it is lost".to_owned()] };
    let mut faults = Faults::new();
    if callback["version"].as_u64() < Some(promise.version) {
        faults.push(format!("version {}, and {} was shown", callback["version"], promise.version));
    }
    if promise.number.as_ref().is_some_and(|number| callback["number"] != **number) {
        faults.push(format!("number {}, and {:?} was told", callback["number"], promise.number));
    }
    if promise.canceled && callback["state"] != "canceled" {
        faults.push(format!("{}, and its cancel was acknowledged", callback["state"]));
    }
    let count = |fits: &dyn Fn(&Event) -> bool| history.iter().filter(|event| fits(event)).count();
    for (version, start) in &promise.starts {
        let stood = start_at(history, *version);
        if stood != Some(start) {
            faults.push(format!("start {stood:?} at version {version}, and {start} was told"));
        }
    }
    for offer in &promise.offers {
        let made = |event: &Event| event.kind == "offered" && event.data["offer_id"] == offer.id;
        if !history.iter().any(|event| made(event) && event.agent() == offer.agent) {
            faults.push(format!("{offer:?} was shown, and never made"));
        }
    }
    for act in &promise.acts {
        let alike = promise.acts.iter().filter(|other| same(act, other)).count();
        let done = count(&|event| shows(event, act));
        if done < alike {
            faults
                .push(format!("{act:?} was acknowledged {alike} times, and is there {done} times"));
        }
    }
    faults
}

/// The booked start that it had at a version, if it ever had that version.
fn start_at(history: &[Event], version: u64) -> Option<&Value> {
    let entries: BTreeSet<u64> = history.iter().map(Event::entry).collect();
    let place = usize::try_from(version.checked_sub(1)?).ok()?;
    let entry = *entries.iter().nth(place)?;
    let told = |event: &&Event| event.kind == "created" || event.kind == "rescheduled";
    let last = history.iter().rev().filter(told).find(|event| event.entry() <= entry);
    last.map(|event| &event.data["start"])
}

/// Acts that leave the same events.
fn same(one: &Act, other: &Act) -> bool {
    (one.agent == other.agent && one.offer == other.offer)
        && events_of(&one.what) == events_of(&other.what)
}

/// The events that show that an act was carried out. An outcome that is told again in wrap-up is a
/// correction, and so is a close after the wrap-up ran out.
fn events_of(what: &str) -> &'static [&'static str] {
    match what {
        "accept" => &["accepted"],
        "decline" => &["declined"],
        "call" => &["calling"],
        "answered" | "no_answer" | "busy" | "end_call" => &["answered", "call_ended", "updated"],
        "requeue" => &["requeued"],
        "retry" => &["retry_scheduled"],
        "close" => &["closed", "updated"],
        other => panic!("{other} is not what agents do here"),
    }
}

fn shows(event: &Event, act: &Act) -> bool {
    let offer = act.offer.as_ref().is_none_or(|offer| event.data["offer_id"] == **offer);
    offer && events_of(&act.what).contains(&event.kind.as_str()) && event.agent() == act.agent
}

/// Plays all that was ever taken and given back in the journal's order.
fn over_capacity(mut holds: Vec<Hold>, faults: &mut Faults) {
    holds.sort_by_key(|hold| hold.entry);
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    for hold in holds {
        let units = held.entry(hold.agent.clone()).or_default();
        *units += hold.units;
        if *units > capacity(&hold.agent) || *units < 0 {
            faults.push(format!("{} holds {units} units at entry {}", hold.agent, hold.entry));
        }
    }
}

/// What the server says of its agents is what its callbacks say.
fn says_what_it_holds(url: &str, rows: &Rows, faults: &mut Faults) {
    let status = get(&client(), url, "/v1/agent_status");
    for agent in status["items"].as_array().expect("a list") {
        let id = text(&agent["id"]);
        let units = agent["held_units"].as_i64().expect("a count");
        if units > capacity(&id) {
            faults.push(format!("{id} holds {units} units"));
        }
        for assigned in agent["assignments"].as_array().expect("a list") {
            let assigned = assigned["id"].as_str().or(assigned.as_str()).unwrap_or_default();
            // A wrap-up may have run out since the list was read.
            if !rows.contains_key(assigned) {
                faults.push(format!("{id} has {assigned}, which nobody knows"));
            }
        }
    }
}
