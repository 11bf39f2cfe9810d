//! One callback's history, walked event by event: each must be legal where it stands, and the last
//! must lead to what the callback is now.

use serde_json::Value;

use super::LEAD_SECONDS;
use super::instant::Instant;
use super::ledger::text;

/// An event, as the server lists it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) id: u64,
    /// Without `callback.`.
    pub(super) kind: String,
    pub(super) at: Instant,
    pub(super) data: Value,
}

/// Events of one journal entry have ids that share all but these.
const PLACES: u64 = 32;

impl Event {
    pub(super) fn read(value: &Value) -> Self {
        let kind = text(&value["type"]);
        let kind = kind.strip_prefix("callback.").expect("an event of a callback").to_owned();
        let id = value["id"].as_u64().expect("a number");
        Self { id, kind, at: Instant::read(&text(&value["at"])), data: value["data"].clone() }
    }

    /// The journal entry that it is of.
    pub(super) fn entry(&self) -> u64 {
        self.id / PLACES
    }

    pub(super) fn agent(&self) -> &str {
        self.data["agent_id"].as_str().unwrap_or_default()
    }

    fn offer(&self) -> &str {
        self.data["offer_id"].as_str().unwrap_or_default()
    }
}

/// Where it stands between two events.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Nowhere,
    Open,
    Queued,
    Offered {
        offer: String,
        agent: String,
    },
    Accepted {
        agent: String,
    },
    Calling {
        agent: String,
    },
    WrapUp {
        agent: String,
    },
    Ended(String),
    /// In the middle of an entry: an offer was accepted, and the assignment follows.
    Taken {
        agent: String,
    },
    /// In the middle of an entry: an offer or assignment is over, and what follows comes.
    Back,
}

/// Somebody's room is taken or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) entry: u64,
    pub(super) agent: String,
    pub(super) units: i64,
}

/// A walk along a history.
struct Walk {
    place: Place,
    /// In the middle of an entry: it was moved while it was offered.
    moved: bool,
    due: Option<Instant>,
    holds: Vec<Hold>,
}

/// Walks a callback's history; what room it took of whom, and when.
pub(super) fn walk(events: &[Event], callback: &Value) -> Result<Vec<Hold>, String> {
    let mut walk = Walk { place: Place::Nowhere, moved: false, due: None, holds: Vec::new() };
    let mut entries = 0;
    for (index, event) in events.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &events[index]);
        if before.is_none_or(|before| before.entry() < event.entry()) {
            walk.must_rest()?;
            entries += 1;
        } else if before.is_some_and(|before| before.id >= event.id) {
            return Err(format!("event {} comes after {:?}", event.id, before.map(|one| one.id)));
        }
        let place = walk.place.clone();
        walk.step(event).map_err(|why| format!("{} when {place:?}: {why}", event.kind))?;
    }
    walk.must_rest()?;
    // Each change of the record leaves an entry with an event: one that is missing is a gap.
    if callback["version"] != entries {
        return Err(format!("version {} after {entries} changes", callback["version"]));
    }
    walk.must_be(callback)?;
    Ok(walk.holds)
}

impl Walk {
    /// Between two entries nothing is half done.
    fn must_rest(&self) -> Result<(), String> {
        match self.place {
            Place::Taken { .. } | Place::Back => Err(format!("it is left {:?}", self.place)),
            _ if self.moved => Err("it was moved, and is still offered".to_owned()),
            _ => Ok(()),
        }
    }

    fn step(&mut self, event: &Event) -> Result<(), String> {
        let next = match event.kind.as_str() {
            "created" | "queued" | "rescheduled" | "retry_scheduled" | "canceled" | "closed" => {
                self.by_itself(event)?
            }
            "updated" | "unroutable" | "stuck" | "promise_broken" => self.in_place(event),
            _ => self.with_an_agent(event)?,
        };
        self.place = next.ok_or_else(|| format!("not legal there: {}", event.data))?;
        Ok(())
    }

    /// What happens to it while nobody has it; none where it may not.
    fn by_itself(&mut self, event: &Event) -> Result<Option<Place>, String> {
        Ok(Some(match (event.kind.as_str(), &self.place) {
            ("created", Place::Nowhere) => {
                self.due = start(event);
                Place::Open
            }
            ("queued", Place::Open) => {
                if let Some(due) = self.due.take().filter(|due| event.at < *due) {
                    return Err(format!("at {:?}, before its time {due:?}", event.at));
                }
                Place::Queued
            }
            ("queued", Place::Back) => Place::Queued,
            ("retry_scheduled", Place::Back) => {
                self.due = Some(Instant::read(&text(&event.data["next_attempt_at"])));
                Place::Open
            }
            ("rescheduled", place @ (Place::Open | Place::Queued | Place::Offered { .. })) => {
                let offered = matches!(place, Place::Offered { .. });
                let next = if offered { place.clone() } else { Place::Open };
                (self.due, self.moved) = (start(event), offered);
                next
            }
            ("canceled", Place::Open | Place::Queued | Place::Back) => {
                Place::Ended("canceled".to_owned())
            }
            ("closed", Place::Open | Place::Queued | Place::Back) => {
                Place::Ended(text(&event.data["state"]))
            }
            _ => return Ok(None),
        }))
    }

    /// What leaves it where it is; only its texts may change once it is over.
    fn in_place(&self, event: &Event) -> Option<Place> {
        let may = match self.place {
            Place::Nowhere => false,
            Place::Ended(_) => event.kind == "updated",
            _ => true,
        };
        may.then(|| self.place.clone())
    }

    /// What happens between it and one agent, who must be the same all along; none where it may
    /// not.
    fn with_an_agent(&mut self, event: &Event) -> Result<Option<Place>, String> {
        let agent = event.agent().to_owned();
        let (theirs, offer) = match &self.place {
            Place::Offered { offer, agent: had } => (*had == agent, *offer == event.offer()),
            Place::Taken { agent: had }
            | Place::Accepted { agent: had }
            | Place::Calling { agent: had }
            | Place::WrapUp { agent: had } => (*had == agent, false),
            Place::Nowhere | Place::Open | Place::Queued | Place::Ended(_) | Place::Back => {
                (false, false)
            }
        };
        Ok(Some(match (event.kind.as_str(), &self.place) {
            ("offered", Place::Queued) => {
                self.hold(event, &agent, 1);
                Place::Offered { offer: event.offer().to_owned(), agent }
            }
            ("requeued", Place::Back) => Place::Back,
            ("accepted", Place::Offered { .. }) if theirs && offer => Place::Taken { agent },
            ("assigned", Place::Taken { .. }) if theirs => Place::Accepted { agent },
            ("declined" | "offer_expired" | "offer_revoked", Place::Offered { .. })
                if theirs && offer =>
            {
                self.hold(event, &agent, -1);
                if std::mem::take(&mut self.moved) { Place::Open } else { Place::Back }
            }
            (
                "unassigned",
                Place::Accepted { .. } | Place::Calling { .. } | Place::WrapUp { .. },
            ) if theirs => {
                is_left_to(event)?;
                self.hold(event, &agent, -1);
                Place::Back
            }
            ("calling", Place::Accepted { .. } | Place::WrapUp { .. }) if theirs => {
                Place::Calling { agent }
            }
            ("answered", Place::Calling { .. }) if theirs => Place::Calling { agent },
            ("call_ended", Place::Calling { .. }) if theirs => Place::WrapUp { agent },
            _ => return Ok(None),
        }))
    }

    fn hold(&mut self, event: &Event, agent: &str, units: i64) {
        self.holds.push(Hold { entry: event.entry(), agent: agent.to_owned(), units });
    }

    /// The callback is where its history leads.
    fn must_be(&self, callback: &Value) -> Result<(), String> {
        let none = String::new();
        let (state, offered, assigned) = match &self.place {
            Place::Open => ("open", &none, &none),
            Place::Queued => ("queued", &none, &none),
            Place::Offered { agent, .. } => ("offered", agent, &none),
            Place::Accepted { agent } => ("accepted", &none, agent),
            Place::Calling { agent } => ("calling", &none, agent),
            Place::WrapUp { agent } => ("wrap_up", &none, agent),
            Place::Ended(state) => (state.as_str(), &none, &none),
            Place::Nowhere | Place::Taken { .. } | Place::Back => ("nowhere", &none, &none),
        };
        let field = |name: &str| callback[name].as_str().unwrap_or_default().to_owned();
        let found = (field("state"), field("offered_to"), field("assigned_agent"));
        let ended = matches!(self.place, Place::Ended(_));
        // Who had it last may stand in one that is over.
        if found.0 == state && (ended || (found.1 == *offered && found.2 == *assigned)) {
            return Ok(());
        }
        Err(format!("its history leads to {:?}, and it is {found:?}", self.place))
    }
}

/// Times are long enough here that nobody loses an assignment by being away.
fn is_left_to(event: &Event) -> Result<(), String> {
    match event.data["reason"].as_str().unwrap_or_default() {
        reason @ ("connection_lost" | "no_call" | "reassigned") => {
            Err(format!("an accept was undone: {reason}"))
        }
        _ => Ok(()),
    }
}

/// When it may be queued, if it was booked.
fn start(event: &Event) -> Option<Instant> {
    let start = event.data["start"].as_str().map(Instant::read);
    start.map(|start| start.less_seconds(LEAD_SECONDS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Events of entries one after the other.
    fn events(all: &[(u64, &str, Value)]) -> Vec<Event> {
        let numbered = all.iter().enumerate();
        let event = |(place, (entry, kind, data)): (usize, &(u64, &str, Value))| Event {
            id: entry * PLACES + u64::try_from(place).expect("few"),
            kind: (*kind).to_owned(),
            at: Instant::read("2030-01-01T10:00:00Z"),
            data: data.clone(),
        };
        numbered.map(event).collect()
    }

    fn offered_to(agent: &str) -> Value {
        json!({"offer_id": "o", "agent_id": agent})
    }

    fn taken() -> Vec<(u64, &'static str, Value)> {
        vec![
            (1, "created", json!({"start": null})),
            (1, "queued", json!({})),
            (2, "offered", offered_to("a")),
            (3, "accepted", offered_to("a")),
            (3, "assigned", json!({"agent_id": "a"})),
        ]
    }

    fn accepted(version: u64) -> Value {
        json!({"version": version, "state": "accepted", "assigned_agent": "a"})
    }

    #[test]
    fn a_legal_history_leads_to_the_callback() {
        let holds = walk(&events(&taken()), &accepted(3)).expect("legal");
        assert_eq!(holds, [Hold { entry: 2, agent: "a".to_owned(), units: 1 }]);
        let mut longer = taken();
        longer.push((4, "unassigned", json!({"agent_id": "a", "reason": "canceled"})));
        longer.push((4, "canceled", json!({})));
        let canceled = json!({"version": 4, "state": "canceled"});
        assert_eq!(walk(&events(&longer), &canceled).expect("legal").len(), 2);
    }

    #[test]
    fn what_is_not_legal_is_found() {
        let after = |more: &[(u64, &'static str, Value)]| {
            let all = [taken(), more.to_vec()].concat();
            let version = all.last().expect("some").0;
            walk(&events(&all), &accepted(version)).expect_err("not legal")
        };
        let again = after(&[(4, "offered", offered_to("b"))]);
        assert!(again.contains("not legal there"), "{again}");
        let lost = after(&[
            (4, "unassigned", json!({"agent_id": "a", "reason": "connection_lost"})),
            (4, "queued", json!({})),
        ]);
        assert!(lost.contains("undone"), "{lost}");
        let half = after(&[(4, "unassigned", json!({"agent_id": "a", "reason": "retry"}))]);
        assert!(half.contains("it is left"), "{half}");
        let other = after(&[(4, "calling", json!({"agent_id": "b"}))]);
        assert!(other.contains("not legal there"), "{other}");
        let gap = walk(&events(&taken()), &accepted(4)).expect_err("a change is missing");
        assert!(gap.contains("after 3 changes"), "{gap}");
        let elsewhere = json!({"version": 3, "state": "accepted", "assigned_agent": "b"});
        walk(&events(&taken()), &elsewhere).expect_err("its history says otherwise");
        let booked =
            [(1, "created", json!({"start": "2030-01-01T10:00:05Z"})), (2, "queued", json!({}))];
        let queued = json!({"version": 2, "state": "queued"});
        let early = walk(&events(&booked), &queued).expect_err("before its time");
        assert!(early.contains("before its time"), "{early}");
    }
}
