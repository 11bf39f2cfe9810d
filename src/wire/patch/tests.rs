//! Patches: who may change what, and what comes of it.

use serde_json::{Value, json};

use super::*;
use crate::domain::callback::{Fallback, PreferMode, RequestedBy};
use crate::wire::samples::{World, agent, billing, bot, offered, open};

fn check(role: &Role, full: &FullCallback, patch: &Value) -> Result<(), u16> {
    let Json::Object(patch) = Json::from(patch) else { panic!("{patch} is no object") };
    Rights::of(role, &full.callback).check(&patch).map_err(|problem| problem.status())
}

fn read(full: &FullCallback, patch: &Value) -> Result<Patch, Problem> {
    let world = World::new();
    let queue = billing();
    let Json::Object(patch) = Json::from(patch) else { panic!("{patch} is no object") };
    let target = Target { full, queue: &queue, known: &world, max_requirements: 8 };
    read_patch(&patch, target)
}

fn pointers(result: Result<Patch, Problem>) -> Vec<String> {
    let problem = result.expect_err("refused");
    assert_eq!(problem.kind.name(), "invalid");
    problem.errors.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn each_role_has_its_fields() {
    let mut full = open();
    let mara = Role::Agent(agent("mara"));
    let supervisor = Role::Supervisor(None);
    for field in ["priority", "requirements", "preferred_agent", "max_attempts"] {
        assert_eq!(check(&supervisor, &full, &json!({field: null})), Ok(()), "{field}");
        assert_eq!(check(&bot(), &full, &json!({field: null})), Err(403), "{field}");
    }
    for field in ["customer", "reason", "short_description", "description"] {
        assert_eq!(check(&supervisor, &full, &json!({field: null})), Ok(()), "{field}");
        assert_eq!(check(&mara, &full, &json!({field: null})), Err(403), "not hers: {field}");
    }
    assert_eq!(check(&bot(), &full, &json!({"customer": {"email": "a@b.example"}})), Ok(()));
    assert_eq!(check(&bot(), &full, &json!({"context": {}})), Ok(()));
    assert_eq!(check(&bot(), &full, &json!({"customer": {"name": "x"}})), Err(403));
    assert_eq!(check(&bot(), &full, &json!({"reason": "other"})), Err(403));
    assert_eq!(check(&supervisor, &full, &json!({"context": {}})), Err(403));
    assert_eq!(check(&mara, &full, &json!({})), Err(403));
    let public = Role::Channel { channel: full.callback.channel, public: true };
    assert_eq!(check(&public, &full, &json!({"context": {}})), Err(403));
    assert_eq!(check(&Role::Customer(full.callback.id), &full, &json!({})), Err(403));

    let callback = Arc::make_mut(&mut full.callback);
    callback.requested_by = RequestedBy::Agent(Some(agent("mara")));
    assert_eq!(check(&mara, &full, &json!({"reason": "other", "customer": {}})), Ok(()));
    assert_eq!(check(&mara, &full, &json!({"priority": 9})), Err(403));
    // An unknown field is nobody's: the reader says so.
    assert_eq!(check(&mara, &full, &json!({"state": "open"})), Ok(()));
}

#[test]
fn unknown_and_fixed_fields_are_refused() {
    let full = open();
    let fixed = json!({"state": "closed_complete", "queue": "sales", "version": 1, "id": "x"});
    let mut found = pointers(read(&full, &fixed));
    found.sort_unstable();
    assert_eq!(found, ["/id", "/queue", "/state", "/version"]);
    assert_eq!(pointers(read(&full, &json!({"customer": {"rank": 1}}))), ["/customer/rank"]);
    assert_eq!(pointers(read(&full, &json!({"customer": null}))), ["/customer"]);
    assert_eq!(pointers(read(&full, &json!({"customer": {"name": null}}))), ["/customer/name"]);
    assert_eq!(pointers(read(&full, &json!({"priority": 10}))), ["/priority"]);
    assert_eq!(pointers(read(&full, &json!({"reason": "unlisted"}))), ["/reason"]);
}

#[test]
fn only_what_differs_is_changed() {
    let full = open();
    let patch = read(
        &full,
        &json!({"priority": 9, "reason": "invoice", "customer": {"email": null, "name": "Ada K."}}),
    );
    let patch = patch.expect("good");
    assert_eq!(patch.fields, ["priority", "customer"]);
    let (old, new) = patch.request.expect("the customer changed");
    assert_eq!(old, full.request);
    assert_eq!(new.customer.name, "Ada K.");
    assert_eq!(new.customer.email, None);
    assert_eq!(new.customer.phone, old.customer.phone);
    assert_eq!(new.reason, old.reason);

    let nothing = read(&full, &json!({"priority": 5, "description": "Twice!"})).expect("good");
    assert!(nothing.fields.is_empty());
    assert!(nothing.request.is_none());
    assert!(read(&full, &json!({})).expect("good").fields.is_empty());
}

#[test]
fn null_takes_away() {
    let full = open();
    let all = json!({
        "description": null, "short_description": null, "reason": null, "requirements": null,
        "preferred_agent": null,
    });
    let patch = read(&full, &all).expect("good");
    assert_eq!(patch.preferred, Some(None));
    assert!(patch.requirements.as_ref().expect("given").is_empty());
    let (_, new) = patch.request.expect("texts changed");
    assert_eq!((&new.description, &new.short_description, &new.reason), (&None, &None, &None));
    assert_eq!(
        patch.fields,
        ["requirements", "preferred_agent", "reason", "short_description", "description"]
    );
}

#[test]
fn an_agent_asked_for_is_merged() {
    let mut full = open();
    let read_one = |full: &FullCallback, patch: Value| {
        read(full, &json!({"preferred_agent": patch}))
            .map(|patch| patch.preferred.expect("given").map(|it| *it))
    };
    let mara = Preferred {
        agent: agent("mara"),
        mode: PreferMode::Prefer,
        wait_seconds: 45,
        fallback: Fallback::None,
    };
    Arc::make_mut(&mut full.callback).preferred = Some(Box::new(mara.clone()));
    let firm = Preferred { mode: PreferMode::Require, ..mara.clone() };
    assert_eq!(read_one(&full, json!({"mode": "require"})), Ok(Some(firm)));
    let usual = Preferred { wait_seconds: 60, fallback: Fallback::Anyone, ..mara.clone() };
    let reset = json!({"wait_seconds": null, "fallback": null, "mode": null});
    assert_eq!(read_one(&full, reset), Ok(Some(usual)));
    assert_eq!(read_one(&full, json!({})), Ok(Some(mara.clone())));
    assert_eq!(read_one(&full, Value::Null), Ok(None));
    for (bad, pointer) in [
        (json!({"agent_id": null}), "/preferred_agent/agent_id"),
        (json!({"mode": "ask"}), "/preferred_agent/mode"),
        (json!({"rank": 1}), "/preferred_agent/rank"),
        (json!(7), "/preferred_agent"),
    ] {
        assert_eq!(pointers(read(&full, &json!({"preferred_agent": bad}))), [pointer], "{bad}");
    }
    Arc::make_mut(&mut full.callback).preferred =
        Some(Box::new(Preferred { agent: agent("tom"), ..mara.clone() }));
    assert_eq!(read_one(&full, json!({"agent_id": "mara"})), Ok(Some(mara)));
    Arc::make_mut(&mut full.callback).preferred = None;
    let half = read(&full, &json!({"preferred_agent": {"mode": "require"}}));
    assert_eq!(pointers(half), ["/preferred_agent/agent_id"], "nobody was asked for");
}

#[test]
fn a_context_is_merged_and_stays_in_its_bound() {
    let full = offered();
    let patch = json!({"context": {"ivr_path": null, "attributes": {"plan": "gold"}}});
    let (_, new) = read(&full, &patch).expect("good").request.expect("it changed");
    let context: Value =
        serde_json::from_str(new.context.as_deref().expect("there is one")).expect("JSON");
    assert_eq!(context["attributes"], json!({"vip": true, "plan": "gold"}));
    assert_eq!(context.get("ivr_path"), None);
    assert_eq!(context["articles"][0]["title"], "Refunds");
    let large = json!({"context": {"attributes": {"a": "x".repeat(33_000)}}});
    assert_eq!(pointers(read(&full, &large)), ["/context"]);
    let (_, none) = read(&full, &json!({"context": null})).expect("good").request.expect("gone");
    assert_eq!(none.context, None);
    assert_eq!(pointers(read(&full, &json!({"context": {"x": 1}}))), ["/context/x"]);
}
