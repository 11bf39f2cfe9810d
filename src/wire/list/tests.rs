//! Lists: filters as they are read, and what each role gets.

use super::*;
use crate::domain::callback::Channel;
use crate::domain::policy::{Capacity, Membership};
use crate::domain::skills::Skills;
use crate::wire::problem::Kind;
use crate::wire::samples::{agent, at, bot, offered};

fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
    query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(query: &[(&str, &str)]) -> Result<ListRead, Problem> {
    read_list(&pairs(query), &|_| Region::parse("DE").ok())
}

fn settings(queues: &[&str]) -> AgentSettings {
    let membership =
        |queue: &&str| Membership { queue: QueueId::parse(queue).expect("an id"), preference: 1 };
    AgentSettings {
        id: agent("mara"),
        name: "Mara".to_owned(),
        queues: queues.iter().map(membership).collect(),
        skills: Skills::default(),
        capacity: Capacity::default(),
    }
}

#[test]
fn newest_first_unless_said() {
    let plain = read(&[]).expect("good");
    assert_eq!((plain.sort, plain.descending, plain.limit), (SortKey::CreatedAt, true, 50));
    assert_eq!(plain.filter, ListFilter::default());
    let sorted = read(&[("sort", "start")]).expect("good");
    assert_eq!((sorted.sort, sorted.descending), (SortKey::Start, false));
    let sorted = read(&[("sort", "-queued_since")]).expect("good");
    assert_eq!((sorted.sort, sorted.descending), (SortKey::QueuedSince, true));
    for bad in ["", "-", "--start", "state", "+start"] {
        assert!(read(&[("sort", bad)]).is_err(), "{bad:?}");
    }
}

#[test]
fn every_filter_of_the_document_is_read() {
    let read = read(&[
        ("state", "queued"),
        ("state", "offered"),
        ("queue", "billing"),
        ("type", "asap"),
        ("medium", "voice"),
        ("requested_by", "agent"),
        ("agent_id", "mara"),
        ("booked_by", "tom"),
        ("contact_id", "CON0042"),
        ("phone", " 4930123456"),
        ("email", "Ada@Example.com"),
        ("case_id", "CS1"),
        ("interaction_ref", "IMS1"),
        ("external_id", "X"),
        ("number", "CB0001042"),
        ("q", " 4930"),
        ("due_before", "2026-11-24T15:00:00Z"),
        ("due_after", "2026-11-24T14:00:00Z"),
    ]);
    let filter = read.expect("good").filter;
    assert_eq!(filter.states, [State::Queued, State::Offered]);
    assert_eq!(filter.queues, [QueueId::parse("billing").expect("an id")]);
    assert_eq!(filter.requested_by_agent, Some(true));
    assert_eq!(filter.agent, Some(agent("mara")));
    assert_eq!(filter.booked_by, Some(agent("tom")));
    assert_eq!(filter.phone.as_deref(), Some("+4930123456"), "a bare + in an address");
    assert_eq!(filter.email.as_deref(), Some("Ada@example.com"));
    assert_eq!(filter.number, Some(1042));
    assert_eq!(filter.prefix.as_deref(), Some("+4930"));
    assert_eq!(filter.due_before, Some(at("2026-11-24T15:00:00Z")));
    assert_eq!((filter.channel, filter.or_held_by), (None, None));
}

#[test]
fn active_is_all_that_is_not_final() {
    let active = read(&[("state", "active"), ("state", "queued")]).expect("good").filter.states;
    assert_eq!(active.len(), 6);
    assert!(active.iter().all(|state| !state.is_final()));
}

#[test]
fn what_is_no_filter_is_refused() {
    for (name, value) in [
        ("state", "waiting"),
        ("queue", "A B"),
        ("type", ""),
        ("medium", "fax"),
        ("requested_by", "me"),
        ("phone", "x"),
        ("email", "x"),
        ("number", "12"),
        ("due_before", "now"),
        ("contact_id", ""),
        ("tomorrow", "1"),
        ("q", ""),
    ] {
        let problem = read(&[(name, value)]).expect_err(name);
        assert_eq!((problem.status(), &*problem.errors[0].pointer), (422, &*format!("/{name}")));
    }
    assert!(read(&[("queue", "a"), ("queue", "b")]).is_err(), "only state may repeat");
}

#[test]
fn each_role_gets_its_scope() {
    let narrowed = |role: &Role, query: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        may_list(role, &pairs)?;
        let mut filter = read(query)?.filter;
        narrow(&mut filter, role, Some(&settings(&["billing"])));
        Ok::<_, Problem>(filter)
    };
    let all = narrowed(&Role::Supervisor(None), &[]).expect("all");
    assert_eq!(all, ListFilter::default());
    let mine = narrowed(&Role::Agent(agent("mara")), &[]).expect("some");
    assert_eq!(mine.queues.len(), 1);
    assert_eq!(mine.or_held_by, Some(agent("mara")));
    let named = narrowed(&Role::Agent(agent("mara")), &[("queue", "sales")]).expect("some");
    assert_eq!((named.queues[0].as_str(), named.or_held_by), ("sales", None));
    let probe = narrowed(&bot(), &[("phone", "+4930123456"), ("agent_id", "mara")]);
    assert_eq!(probe.expect_err("it isn't shown").kind, Kind::Forbidden);
    for key in CHANNEL_KEYS {
        let value = if key == "phone" { "+4930123456" } else { "ada@example.com" };
        let found = narrowed(&bot(), &[(key, value)]).expect("it has a key");
        assert_eq!(found.channel, Some(Channel::VirtualAgent));
    }
    for none in [&[][..], &[("state", "active")], &[("number", "CB0001042")]] {
        assert_eq!(narrowed(&bot(), none).expect_err("browsing").status(), 403);
    }
    let bad = narrowed(&bot(), &[("state", "nowhere")]).expect_err("browsing");
    assert_eq!(bad.status(), 403, "what may not be asked for isn't judged");
    let page = Role::Channel { channel: Channel::Portal, public: true };
    assert_eq!(narrowed(&page, &[("phone", "+4930123456")]).expect_err("public").status(), 403);
}

#[test]
fn a_callback_is_seen_by_those_whose_it_is() {
    let full = offered();
    let sees = |role: &Role, queues: &[&str]| may_see(role, Some(&settings(queues)), &full);
    assert!(sees(&Role::Admin(None), &[]));
    assert!(sees(&Role::Customer(full.callback.id), &[]));
    assert!(!sees(&Role::Customer(crate::domain::ids::CallbackId(5)), &[]));
    assert!(sees(&bot(), &[]));
    assert!(!sees(&Role::Channel { channel: Channel::Chat, public: false }, &[]));
    assert!(sees(&Role::Agent(agent("nobody")), &["billing"]), "their queue");
    assert!(!sees(&Role::Agent(agent("nobody")), &["video"]));
    assert!(sees(&Role::Agent(agent("mara")), &[]), "offered to them");
    assert!(sees(&Role::Agent(agent("tom")), &[]), "held once");
    assert!(!may_see(&Role::Agent(agent("nobody")), None, &full), "an agent that there isn't");
}
