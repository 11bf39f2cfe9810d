//! The document against the server: each has what the other has.

use std::collections::BTreeSet;

use super::*;
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::policy::QueueSettings;
use crate::http::body::BodyRule;
use crate::http::routes::{Answer, ROUTES};
use crate::wire::json::{Json, Object};
use crate::wire::settings::{self, print_agent, print_queue};

/// Routes that other layers mount.
const ELSEWHERE: [(&str, &str); 1] = [("get", "/v1/agent/socket")];

/// The members that a schema describes.
fn members(name: &str) -> BTreeSet<String> {
    let schema = &schemas()[name];
    schema["properties"].as_object().expect("an object").keys().cloned().collect()
}

/// The members that an object has.
fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn settings_are_described_each_with_the_default_that_holds() {
    let id = QueueId::parse("billing").expect("a slug");
    let printed = Value::Object(print_queue(&QueueSettings::new(id)));
    let mut described = members("Queue");
    for beside in ["status", "conflicts"] {
        assert!(described.remove(beside), "{beside} is shown beside the settings");
    }
    assert_eq!(described, keys(&printed));
    for (name, schema) in schemas()["Queue"]["properties"].as_object().expect("an object") {
        if let Some(default) = schema.get("default") {
            assert_eq!(&printed[name], default, "{name}");
        }
    }
    let delays = &schemas()["RetryDelays"]["properties"];
    for (outcome, minutes) in printed["retry_delays_minutes"].as_object().expect("an object") {
        assert_eq!(&delays[outcome]["default"], minutes, "{outcome}");
    }
    let mara = settings::agent(
        &Json::Object(Object::new()),
        &AgentId::parse("mara").expect("a slug"),
        &|_| true,
    );
    let printed = Value::Object(print_agent(&mara.expect("all defaults")));
    assert_eq!(members("Agent"), keys(&printed));
}

#[test]
fn texts_are_described_with_the_bounds_that_hold() {
    use crate::wire::text;
    let most = |schema: &str, name: &str| {
        schemas()[schema]["properties"][name]["maxLength"].as_u64().expect("a bound")
    };
    for (schema, name, bound) in [
        ("Customer", "name", text::NAME_MAX),
        ("Customer", "id", text::REFERENCE_MAX),
        ("Customer", "account", text::REFERENCE_MAX),
        ("Customer", "locale", text::LOCALE_MAX),
        ("NewCallback", "reason", text::REASON_MAX),
        ("NewCallback", "short_description", text::SHORT_DESCRIPTION_MAX),
        ("NewCallback", "description", text::DESCRIPTION_MAX),
        ("NewCallback", "external_id", text::REFERENCE_MAX),
        ("Origin", "case_id", text::REFERENCE_MAX),
        ("Origin", "interaction_ref", text::REFERENCE_MAX),
        ("Origin", "page_url", text::URL_MAX),
        ("Cancel", "reason", text::REASON_MAX),
        ("Decline", "reason", text::REASON_MAX),
        ("OutcomeOfCall", "notes", text::NOTES_MAX),
        ("EndCall", "notes", text::NOTES_MAX),
        ("Close", "notes", text::NOTES_MAX),
        ("Close", "disposition", text::DISPOSITION_MAX),
        ("Pause", "reason", text::REASON_MAX),
        ("PresenceChange", "reason", text::REASON_MAX),
    ] {
        assert_eq!(most(schema, name), bound as u64, "{schema}.{name}");
    }
}

fn schemas() -> Map<String, Value> {
    serde_json::from_str(SCHEMAS).expect("an object")
}

#[test]
fn every_route_is_described_and_every_description_is_a_routes() {
    let described: BTreeSet<(String, String)> =
        OPERATIONS.iter().map(|one| (one.method.to_owned(), one.path.to_owned())).collect();
    assert_eq!(described.len(), OPERATIONS.len(), "none twice");
    let routes = ROUTES
        .iter()
        .map(|route| (route.method.as_str().to_ascii_lowercase(), route.path.to_owned()));
    let elsewhere = ELSEWHERE.map(|(method, path)| (method.to_owned(), path.to_owned()));
    let real: BTreeSet<_> = routes.chain(elsewhere).collect();
    assert_eq!(described, real);
}

#[test]
fn credentials_and_bodies_are_described_as_they_are_asked_for() {
    for route in &ROUTES {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = OPERATIONS
            .iter()
            .find(|one| one.method == method && one.path == route.path)
            .expect("the test above finds all");
        let open = !matches!(route.answer, Answer::Call(_));
        assert_eq!(operation.roles.is_empty(), open, "{}", route.path);
        assert_eq!(operation.body.is_some(), route.body != BodyRule::None, "{}", route.path);
        if operation.body.is_some() {
            let needed = route.body != BodyRule::Optional;
            assert_eq!(operation.needs_body(), needed, "{method} {}", route.path);
        }
    }
}

#[test]
fn every_shape_that_is_named_is_there_and_every_one_there_is_named() {
    let text = build().to_string();
    let schemas = schemas();
    for name in schemas.keys() {
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "nobody names {name}");
    }
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().expect("a reference ends with its quote");
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn operations_have_names_of_their_own_and_a_sentence() {
    let names: BTreeSet<_> = OPERATIONS.iter().map(Operation::id).collect();
    assert_eq!(names.len(), OPERATIONS.len());
    assert!(OPERATIONS.iter().all(|one| !one.summary.is_empty()));
}

#[test]
fn what_only_some_operations_have_is_described_there() {
    let document = build();
    let names = |path: &str, method: &str| -> Vec<String> {
        let parameters = document["paths"][path][method]["parameters"].as_array();
        let named = parameters.into_iter().flatten().filter_map(|one| one["name"].as_str());
        named.map(str::to_owned).collect()
    };
    assert_eq!(names("/v1/events", "get"), ["Last-Event-ID"]);
    let answer = &document["paths"]["/v1/events"]["get"]["responses"]["200"]["content"];
    assert!(answer["text/event-stream"].is_object(), "{answer}");
    assert_eq!(names("/v1/deny_list/{phone}", "delete"), ["phone", "If-Match"]);
}
