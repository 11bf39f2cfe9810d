//! `/openapi.json`: the description of every route, checked against the table of routes.
//!
//! Shapes stand in `openapi/schemas.json`, routes below; a test holds both against what the
//! server really has. Written by hand, since a generator would describe the types that we happen
//! to use, and these are read by field and not by type.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::state::Shared;
use crate::wire::problem::{Kind, Problem};

mod operations;

use operations::{OPERATIONS, Operation};

/// What is said of `Idempotency-Key`.
const KEY: &str = "The same key, path and body, each byte by byte: the same answer.";

const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// `GET /openapi.json`.
pub(super) fn document(_shared: &Shared) -> Reply {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    let text = TEXT.get_or_init(|| build().to_string().into_bytes());
    Reply::text("application/json", text.clone())
}

/// `GET /problems`: every kind of problem, by name.
pub(super) fn problems() -> Reply {
    let kinds: Vec<_> = Kind::ALL.iter().copied().map(kind_of_problem).collect();
    Reply::ok(&json!({"items": kinds, "next_cursor": null}))
}

/// `GET /problems/{name}`: the kind that a problem's `type` leads to.
pub(super) fn problem(name: &str) -> Result<Reply, Problem> {
    let kind = Kind::ALL.iter().copied().find(|kind| kind.name() == name);
    kind.map(|kind| Reply::ok(&kind_of_problem(kind))).ok_or_else(Problem::not_found)
}

fn kind_of_problem(kind: Kind) -> Value {
    json!({
        "type": format!("/problems/{}", kind.name()),
        "title": kind.title(),
        "status": kind.status(),
    })
}

fn build() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).expect("a test reads this file");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ringback",
            "version": "1",
            "description": "A callback engine for contact centres. Instants are RFC 3339 in UTC, \
                            durations whole seconds unless the name says otherwise. Every POST \
                            takes an Idempotency-Key; single resources have an ETag, and \
                            If-Match is honoured on writes.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key, a manage token, or a signed JWT.",
                },
            },
            "schemas": schemas,
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "summary": operation.summary,
        "operationId": operation.id(),
        "x-roles": operation.roles,
        "parameters": parameters(operation),
        "responses": responses(operation),
    });
    if let Some(schema) = operation.body {
        let mut content = json!({"application/json": {"schema": reference(schema)}});
        if operation.method == "patch" {
            content["application/merge-patch+json"] = content["application/json"].clone();
        }
        described["requestBody"] = json!({"required": operation.needs_body(), "content": content});
    }
    if operation.roles.is_empty() {
        described["security"] = json!([]);
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let schema = json!({"type": "string"});
        Some(json!({"name": name, "in": "path", "required": true, "schema": schema}))
    });
    let in_query = operation.query.iter().map(|name| {
        let schema = match *name {
            "limit" => json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
            "live_wait_seconds" => json!({"type": "integer", "minimum": 0}),
            "state" => json!({"type": "array", "items": {"type": "string"}}),
            "by" => json!({"type": "string", "enum": ["hour", "day"]}),
            "format" => json!({"type": "string", "enum": ["json", "csv"]}),
            _ => json!({"type": "string"}),
        };
        json!({"name": name, "in": "query", "schema": schema})
    });
    let header = |name: &str, text: &str| {
        let schema = json!({"type": "string"});
        json!({"name": name, "in": "header", "description": text, "schema": schema})
    };
    let key = (operation.method == "post").then(|| header("Idempotency-Key", KEY));
    let version = (operation.method != "get" && operation.path.contains('{'))
        .then(|| header("If-Match", "The ETag that the write is meant for."));
    let place = operation
        .is_stream()
        .then(|| header("Last-Event-ID", "The id of the last event that was read."));
    in_path.chain(in_query).chain(key).chain(version).chain(place).collect()
}

fn responses(operation: &Operation) -> Value {
    let mut responses = json!({
        "default": {
            "description": "A problem",
            "content": {"application/problem+json": {"schema": reference("Problem")}},
        },
    });
    for (status, schema) in operation.answers {
        let mut response = json!({"description": "Done"});
        if let Some((list, name)) = schema.map(|name| match name.strip_suffix("[]") {
            Some(name) => (true, name),
            None => (false, name),
        }) {
            let shape = if list { page(name) } else { reference(name) };
            // A stream's events have this shape in their data.
            let kind = if operation.is_stream() { "text/event-stream" } else { "application/json" };
            response["content"] = json!({kind: {"schema": shape}});
        }
        responses[status.to_string()] = response;
    }
    responses
}

fn page(schema: &str) -> Value {
    json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": reference(schema)},
            "next_cursor": {"type": ["string", "null"]},
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

#[cfg(test)]
mod tests;
