//! Lists held against a plain model: every filter and every pair of filters, every order, in small
//! pages, for each role.

use serde_json::Value;

use crate::server::{Server, slot};
use crate::stores::{Walk, id_of};

/// A filter: its name, a value, and what it means of a row.
struct Filter {
    query: String,
    takes: Box<dyn Fn(&Value) -> bool>,
}

fn filter(name: &str, value: &str, takes: impl Fn(&Value) -> bool + 'static) -> Filter {
    let value: String = value.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
            text + &char::from(byte).to_string()
        }
        _ => text + &format!("%{byte:02X}"),
    });
    Filter { query: format!("{name}={value}"), takes: Box::new(takes) }
}

/// Of a member that has this very text.
fn exact(name: &str, pointer: &'static str, value: &'static str) -> Filter {
    filter(name, value, move |row| row.pointer(pointer).is_some_and(|found| found == value))
}

fn is_final(row: &Value) -> bool {
    ["closed_complete", "closed_abandoned", "canceled"].iter().any(|state| row["state"] == *state)
}

/// The agent who is offered or assigned it, or was last.
fn last_agent(row: &Value) -> Option<&str> {
    let interactions = row["interactions"].as_array().expect("a list");
    interactions.iter().rev().find_map(|one| one["agent_id"].as_str())
}

/// What a number, name or phone begins with, whatever its case.
fn begins(row: &Value, with: &str) -> bool {
    let texts = [&row["number"], &row["customer"]["name"], &row["customer"]["phone"]];
    let mut texts = texts.into_iter().filter_map(Value::as_str);
    texts.any(|text| text.to_lowercase().starts_with(&with.to_lowercase()))
}

fn filters() -> Vec<Filter> {
    let middle: &'static str = slot(9).leak();
    // Instants of one length sort as texts; those asked for lie days from any with milliseconds.
    let due = |row: &Value| row["next_attempt_at"].as_str().map(str::to_owned);
    let mut all = vec![
        filter("state", "active", |row| !is_final(row)),
        exact("state", "/state", "open"),
        exact("state", "/state", "queued"),
        exact("state", "/state", "closed_complete"),
        exact("state", "/state", "canceled"),
        exact("queue", "/queue", "billing"),
        exact("queue", "/queue", "sales"),
        exact("type", "/type", "asap"),
        exact("type", "/type", "scheduled"),
        exact("medium", "/medium", "voice"),
        exact("medium", "/medium", "video"),
        exact("requested_by", "/requested_by", "customer"),
        exact("requested_by", "/requested_by", "agent"),
        exact("booked_by", "/booked_by", "mara"),
        exact("contact_id", "/customer/id", "CON2"),
        exact("phone", "/customer/phone", "+4930123401"),
        exact("case_id", "/origin/case_id", "CS3"),
        exact("interaction_ref", "/origin/interaction_ref", "IMS0"),
        exact("external_id", "/external_id", "X6"),
        exact("number", "/number", "CB0000007"),
        filter("agent_id", "mara", |row| last_agent(row) == Some("mara")),
        filter("email", "ADA.1@EXAMPLE.COM", |row| row["customer"]["email"] == "ada.1@example.com"),
        filter("due_before", middle, move |row| due(row).is_some_and(|due| &*due < middle)),
        filter("due_after", middle, move |row| due(row).is_some_and(|due| &*due >= middle)),
    ];
    for with in ["ad", "ör", "CB000001", "+49301234"] {
        all.push(filter("q", with, move |row| begins(row, with)));
    }
    all
}

/// All pages of a list, joined.
#[track_caller]
fn pages(walk: &Walk, query: &str, credential: &str, limit: usize) -> Vec<String> {
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let route = format!("/v1/callbacks?limit={limit}{query}{cursor}");
        let page = walk.get(&route, "", credential);
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= limit, "{route}");
        seen.extend(items.iter().map(|row| id_of(row).to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

/// The ids of the rows that belong into a list, in its order.
fn model(rows: &[Value], sort: &str, takes: impl Fn(&Value) -> bool) -> Vec<String> {
    let (key, descending) = sort.strip_prefix('-').map_or((sort, false), |key| (key, true));
    let key = match key {
        "start" => "/schedule/start",
        "queued_since" => "/queued_since",
        _ => "/created_at",
    };
    // Those without the instant come last.
    let at = |row: &Value| {
        let at = row.pointer(key).filter(|at| at.is_string());
        at.map_or(vec![u8::MAX], instant)
    };
    let mut all: Vec<(Vec<u8>, &str)> =
        rows.iter().filter(|row| takes(row)).map(|row| (at(row), id_of(row))).collect();
    all.sort();
    if descending {
        all.reverse();
    }
    all.into_iter().map(|(_, id)| id.to_owned()).collect()
}

/// An instant as text that sorts: with its milliseconds, zero or not.
fn instant(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("an instant").trim_end_matches('Z');
    let (seconds, millis) = text.split_once('.').unwrap_or((text, "000"));
    format!("{seconds}.{millis}").into_bytes()
}

/// Every filter, every pair of them, and every order, against all that there is.
pub(crate) fn check_lists(walk: &Walk) {
    let list = walk.get("/v1/callbacks?limit=200", "", "lead-key-1");
    assert_eq!(list["next_cursor"], Value::Null);
    let rows = list["items"].as_array().expect("a list");
    for sort in ["created_at", "-created_at", "start", "-start", "queued_since", "-queued_since"] {
        for (narrow, filter) in [("", None), ("&queue=billing", Some("billing"))] {
            let expected =
                model(rows, sort, |row| filter.is_none_or(|queue| row["queue"] == queue));
            let query = format!("&sort={sort}{narrow}");
            assert_eq!(pages(walk, &query, "lead-key-1", 3), expected, "{query}");
        }
    }
    let filters = filters();
    for (at, first) in filters.iter().enumerate() {
        let expected = model(rows, "-created_at", &first.takes);
        assert!(!expected.is_empty(), "{}: the model has rows for each filter", first.query);
        let query = format!("&{}", first.query);
        assert_eq!(pages(walk, &query, "lead-key-1", 4), expected, "{query}");
        for second in &filters[at + 1..] {
            let name = |filter: &Filter| filter.query.split('=').next().map(str::to_owned);
            // Only a state may repeat, and then either will do.
            let same = name(first) == name(second);
            if same && name(first).as_deref() != Some("state") {
                continue;
            }
            let takes = |row: &Value| {
                let (one, other) = ((first.takes)(row), (second.takes)(row));
                if same { one || other } else { one && other }
            };
            let query = format!("&{}&{}", first.query, second.query);
            assert_eq!(
                pages(walk, &query, "lead-key-1", 200),
                model(rows, "-created_at", takes),
                "{query}"
            );
        }
    }
    check_scopes(walk, rows);
}

/// What agents and channels see of it.
fn check_scopes(walk: &Walk, rows: &[Value]) {
    let held = |row: &Value, agent: &str| {
        row["booked_by"] == agent
            || row["interactions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["agent_id"] == agent))
    };
    for (credential, agent, queue) in
        [("mara-key-1", "mara", "billing"), ("tom-key-1", "tom", "sales")]
    {
        let expected = model(rows, "-created_at", |row| row["queue"] == queue || held(row, agent));
        assert_eq!(pages(walk, "", credential, 5), expected, "{credential}");
        let theirs = model(rows, "-created_at", |row| row["queue"] != queue && held(row, agent));
        let other = if queue == "sales" { "billing" } else { "sales" };
        assert_eq!(pages(walk, &format!("&queue={other}"), credential, 5), theirs);
    }
    for (credential, channel) in [("portal-key", "portal"), ("chat-key-1", "chat")] {
        let expected = model(rows, "-created_at", |row| {
            row["origin"]["channel"] == channel && row["origin"]["case_id"] == "CS3"
        });
        assert_eq!(pages(walk, "&case_id=CS3", credential, 1), expected, "{credential}");
    }
}

#[test]
fn a_cursor_belongs_to_its_list() {
    let server = Server::start();
    for number in 0..3 {
        server.callback(&crate::server::asap(&format!("030 12345{number}")));
    }
    let page = server.get("/v1/callbacks?limit=1", "lead-key-1").body;
    let cursor = page["next_cursor"].as_str().expect("there is more");
    for other in ["state=open", "sort=start", "sort=created_at", "queue=sales", "q=a"] {
        let answer = server.get(&format!("/v1/callbacks?{other}&cursor={cursor}"), "lead-key-1");
        assert_eq!(answer.pointers(), ["/cursor"], "{other}");
    }
    // Another page's size isn't another list.
    let rest = server.get(&format!("/v1/callbacks?limit=200&cursor={cursor}"), "lead-key-1");
    assert_eq!(rest.body["items"].as_array().map(Vec::len), Some(2), "{}", rest.body);
    // Nor may what one role was told be read by another with another scope.
    let mara = server.get(&format!("/v1/callbacks?cursor={cursor}"), "mara-key-1");
    assert_eq!(mara.pointers(), ["/cursor"]);

    // Nor is a cursor of one list one of another, whatever stands in it.
    let ids: Vec<String> = server.get("/v1/callbacks", "lead-key-1").body["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|callback| callback["id"].as_str().expect("an id").to_owned())
        .collect();
    let history = |at: usize| format!("/v1/callbacks/{}/history", ids[at]);
    let lists = [
        "/v1/callbacks".to_owned(),
        "/v1/queues".to_owned(),
        "/v1/agents".to_owned(),
        "/v1/agent_status".to_owned(),
        history(0),
        history(1),
    ];
    for one in &lists {
        let page = server.get(&format!("{one}?limit=1"), "lead-key-1").body;
        let cursor = page["next_cursor"].as_str().expect("there is more");
        for other in &lists {
            let next = server.get(&format!("{other}?limit=1&cursor={cursor}"), "lead-key-1");
            if one == other {
                assert_eq!(next.status, 200, "{one}");
            } else {
                assert_eq!(next.pointers(), ["/cursor"], "{one} {other}");
            }
        }
    }
}
