//! JSON as it comes in: a tree, bounded in depth, in which no name stands twice.
//!
//! Separate, because `serde_json` alone is laxer than a door should be: of a name given twice it
//! keeps the last, so that two readers of one text could see two different requests.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// How many arrays and objects may lie within one another; requests have five.
pub const MAX_DEPTH: usize = 32;

/// Why a text isn't taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadJson(String);

/// Reads a text as JSON.
pub fn parse(text: &[u8]) -> Result<Value, BadJson> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let tree = Tree { depth: 0 }.deserialize(&mut reader);
    let tree = tree.and_then(|tree| reader.end().map(|()| tree));
    tree.map_err(|error| BadJson(error.to_string()))
}

#[derive(Clone, Copy)]
struct Tree {
    depth: usize,
}

impl Tree {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(E::custom(format_args!("more than {MAX_DEPTH} levels deep")));
        }
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(entries.next_value_seed(below)?);
                }
                Entry::Occupied(there) => {
                    let twice = format_args!("{:?} stands there twice", there.key());
                    return Err(A::Error::custom(twice));
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_comes_out_as_it_went_in() {
        let text = br#"{"a": [1, -2, 0.5, true, null, "x\u0000y"], "b": {"c": ""}}"#;
        let tree = json!({"a": [1, -2, 0.5, true, null, "x\u{0}y"], "b": {"c": ""}});
        assert_eq!(parse(text), Ok(tree));
    }

    #[test]
    fn a_name_given_twice_is_refused_at_any_depth() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "\u0061": 2}}]"#] {
            let error = parse(text.as_bytes()).expect_err("the name stands there twice");
            assert!(error.to_string().contains("\"a\" stands there twice"), "{error}");
        }
        assert!(parse(br#"{"a": {"a": {"a": 1}}}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(parse("[".repeat(60_000).as_bytes()).is_err());
        let objects = "{\"a\":".repeat(MAX_DEPTH + 1) + "1" + &"}".repeat(MAX_DEPTH + 1);
        assert!(parse(objects.as_bytes()).is_err());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let bad: [&[u8]; 9] = [
            b"",
            b" ",
            b"{",
            b"{} {}",
            b"{\"a\": 01}",
            b"\"\\ud800\"",
            b"\"\xff\"",
            b"\"\n\"",
            b"1e999",
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
