//! The document against the server: each has what the other has.

use std::collections::BTreeSet;

use super::*;
use crate::http::body::BodyRule;
use crate::http::routes::{Answer, ROUTES};

/// Routes that other layers mount.
const ELSEWHERE: [(&str, &str); 1] = [("get", "/v1/agent/socket")];

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
