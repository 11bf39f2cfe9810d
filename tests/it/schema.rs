//! The server's description of itself: whether it is sound OpenAPI, and whether an answer is what
//! it promises.
//!
//! A small reader of the JSON Schema that the description uses. It knows no more keywords than
//! stand there, and a keyword that it doesn't know is a fault, so that nothing goes unchecked.
//! Stricter than the standard in one thing: a member that isn't described is a fault, unless
//! `additionalProperties` allows it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that only tell people something.
const NOTES: [&str; 4] = ["description", "examples", "default", "format"];

/// A server's `/openapi.json`.
pub(crate) struct Api(pub(crate) Value);

impl Api {
    /// Every fault of the document itself.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let version = self.0["openapi"].as_str().unwrap_or_default();
        let info = ["title", "version"].map(|name| self.0["info"][name].is_string());
        if !version.starts_with("3.1.") || info != [true, true] {
            faults.push("openapi, info.title or info.version is missing".to_owned());
        }
        let schemas = self.0["components"]["schemas"].as_object().expect("schemas");
        for (name, schema) in schemas {
            self.look_at(schema, name, &mut faults);
        }
        let mut names = BTreeSet::new();
        for (path, methods) in self.0["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let place = format!("{method} {path}");
                if !names.insert(operation["operationId"].as_str()) {
                    faults.push(format!("{place}: its operationId is another's"));
                }
                self.look_at_operation(path, operation, &place, &mut faults);
            }
        }
        faults
    }

    fn look_at_operation(
        &self,
        path: &str,
        operation: &Value,
        place: &str,
        faults: &mut Vec<String>,
    ) {
        let parameters = operation["parameters"].as_array().expect("a list");
        let named: BTreeSet<_> =
            parameters.iter().map(|one| (one["in"].as_str(), one["name"].as_str())).collect();
        if named.len() != parameters.len() {
            faults.push(format!("{place}: a parameter stands there twice"));
        }
        let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path: BTreeSet<_> = in_path.collect();
        for parameter in parameters {
            let name = parameter["name"].as_str().expect("a name");
            let stands = in_path.contains(name);
            if (parameter["in"] == "path") != stands || (stands && parameter["required"] != true) {
                faults.push(format!("{place}: {name} isn't where it is said to be"));
            }
            self.look_at(&parameter["schema"], place, faults);
        }
        for name in in_path {
            if !named.contains(&(Some("path"), Some(name))) {
                faults.push(format!("{place}: {name} isn't described"));
            }
        }
        let contents = [&operation["requestBody"]].into_iter();
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses {
            let known = status == "default" || status.parse::<u16>().is_ok();
            if !known || !response["description"].is_string() {
                faults.push(format!("{place}: {status} isn't described"));
            }
        }
        for one in contents.chain(responses.values()) {
            for content in one["content"].as_object().into_iter().flat_map(Map::values) {
                self.look_at(&content["schema"], place, faults);
            }
        }
    }

    /// Looks at a schema by itself: references lead somewhere, keywords are known.
    fn look_at(&self, schema: &Value, place: &str, faults: &mut Vec<String>) {
        let Some(members) = schema.as_object() else {
            faults.push(format!("{place}: {schema} isn't a schema"));
            return;
        };
        for (keyword, value) in members {
            match keyword.as_str() {
                "$ref" => {
                    if self.target(value).is_none() {
                        faults.push(format!("{place}: {value} leads nowhere"));
                    }
                }
                "items" => self.look_at(value, place, faults),
                "additionalProperties" => {
                    if !value.is_boolean() {
                        self.look_at(value, place, faults);
                    }
                }
                "properties" => {
                    for (name, schema) in value.as_object().expect("an object") {
                        self.look_at(schema, &format!("{place}.{name}"), faults);
                    }
                }
                "required" => {
                    for name in value.as_array().expect("a list") {
                        let name = name.as_str().expect("a name");
                        if schema["properties"].get(name).is_none() {
                            faults.push(format!("{place}: {name} is required and unknown"));
                        }
                    }
                }
                "type" | "enum" | "pattern" | "minimum" | "maximum" | "minLength" | "maxLength"
                | "minItems" | "maxItems" => {}
                note if NOTES.contains(&note) => {}
                other => faults.push(format!("{place}: {other} is no keyword that is known")),
            }
        }
    }

    fn target(&self, reference: &Value) -> Option<&Value> {
        self.0.pointer(reference.as_str()?.strip_prefix('#')?)
    }

    /// What is other than described in the answer to a request; nothing, if all is well.
    pub(crate) fn differs(
        &self,
        method: &str,
        path: &str,
        status: u16,
        body: &Value,
    ) -> Vec<String> {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let described = operation["responses"].get(status.to_string());
        let (response, media_type) = match described {
            Some(response) => (response, "application/json"),
            None if status >= 400 => {
                (&operation["responses"]["default"], "application/problem+json")
            }
            None => return vec![format!("{method} {path}: {status} isn't described")],
        };
        let mut faults = Vec::new();
        let schema = &response["content"][media_type]["schema"];
        if schema.is_object() {
            self.compare(schema, body, "", &mut faults);
        } else if !operation.is_object() {
            faults.push(format!("{method} {path} isn't described"));
        }
        faults
    }

    fn compare(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema.get("$ref") {
            let target = self.target(reference).expect("the document is sound");
            self.compare(target, value, place, faults);
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|name| is_of(value, name)) {
            faults.push(format!("{place}: {value} isn't {types:?}"));
            return;
        }
        let listed = schema["enum"].as_array();
        if listed.is_some_and(|listed| !listed.contains(value)) {
            faults.push(format!("{place}: {value} isn't among {listed:?}"));
        }
        match value {
            Value::String(text) => text_fits(schema, text, place, faults),
            Value::Number(number) => {
                let number = number.as_f64().expect("a number");
                let least = schema["minimum"].as_f64().is_none_or(|least| number >= least);
                let most = schema["maximum"].as_f64().is_none_or(|most| number <= most);
                if !(least && most) {
                    faults.push(format!("{place}: {number} is out of range"));
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    if schema["items"].is_object() {
                        self.compare(&schema["items"], item, &format!("{place}/{at}"), faults);
                    }
                }
            }
            Value::Object(members) => self.compare_members(schema, members, place, faults),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn compare_members(
        &self,
        schema: &Value,
        members: &Map<String, Value>,
        place: &str,
        faults: &mut Vec<String>,
    ) {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().expect("a name")) {
                faults.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, member) in members {
            let place = format!("{place}/{name}");
            if let Some(schema) = schema["properties"].get(name) {
                self.compare(schema, member, &place, faults);
            } else if schema["additionalProperties"].is_object() {
                self.compare(&schema["additionalProperties"], member, &place, faults);
            } else if schema["additionalProperties"] != true && schema.get("$ref").is_none() {
                faults.push(format!("{place} isn't described"));
            }
        }
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn text_fits(schema: &Value, text: &str, place: &str, faults: &mut Vec<String>) {
    let length = text.chars().count() as u64;
    let least = schema["minLength"].as_u64().is_none_or(|least| length >= least);
    let most = schema["maxLength"].as_u64().is_none_or(|most| length <= most);
    let format = match schema["format"].as_str() {
        Some("date-time") => is_instant(text),
        Some("uuid") => text.len() == 36 && text.as_bytes()[14] == b'7',
        _ => true,
    };
    if !(least && most && format) {
        faults.push(format!("{place}: {text:?} doesn't fit {schema}"));
    }
}

/// RFC 3339 in UTC as the document prints it: milliseconds only where they aren't zero.
fn is_instant(text: &str) -> bool {
    let shape = |form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                _ => byte == wanted,
            })
    };
    let with_millis = shape("0000-00-00T00:00:00.000Z") && !text.contains(".000");
    with_millis || shape("0000-00-00T00:00:00Z")
}
