//! JSON as it comes in: a tree, bounded in depth, in which no name stands twice.
//!
//! Separate, because `serde_json` alone is laxer than a door should be: of a name given twice it
//! keeps the last, so that two readers of one text could see two different requests. The tree's
//! texts are the text's own, but for those that are written with escapes: most are looked at once
//! and copied only into what is kept.

mod exact;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::de::Read;
use serde_json::{Number, Value};

/// How many arrays and objects may lie within one another; requests have five.
pub const MAX_DEPTH: usize = 32;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number that is what the text says.
    Number(Number),
    /// The number next to what the text says, which no 64 bits can hold.
    Rounded(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(Object<'a>),
}

/// An object, in the order of its names.
pub type Object<'a> = BTreeMap<Cow<'a, str>, Json<'a>>;

impl Json<'_> {
    /// Whether it is `null`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub const fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) | Self::Rounded(number) = self { Some(number) } else { None }
    }

    /// The value under a name, if it is an object that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        if let Self::Object(object) = self { object.get(name) } else { None }
    }
}

impl<'a> From<&'a Value> for Json<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            Value::Object(map) => {
                let entry = |(name, value)| (Cow::Borrowed(String::as_str(name)), value);
                let entries = map.iter().map(entry);
                Self::Object(entries.map(|(name, value)| (name, Self::from(value))).collect())
            }
        }
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => out.serialize_unit(),
            Self::Flag(flag) => out.serialize_bool(*flag),
            Self::Number(number) | Self::Rounded(number) => number.serialize(out),
            Self::Text(text) => out.serialize_str(text),
            Self::List(list) => out.collect_seq(list),
            Self::Object(object) => out.collect_map(object),
        }
    }
}

/// Why a text isn't taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadJson {
    /// It isn't JSON.
    #[error("{0}")]
    NotJson(String),
    /// It is JSON, but says what isn't taken from anybody: a name twice, too many levels, a number
    /// or a character that there isn't.
    #[error("{0}")]
    Refused(String),
}

impl BadJson {
    fn of(error: &serde_json::Error, text: &[u8]) -> Self {
        // What passes over values looks at their grammar alone.
        let is_json =
            str::from_utf8(text).is_ok() && serde_json::from_slice::<IgnoredAny>(text).is_ok();
        let error = error.to_string();
        if is_json { Self::Refused(error) } else { Self::NotJson(error) }
    }
}

/// Reads a text as JSON.
pub fn parse(text: &[u8]) -> Result<Json<'_>, BadJson> {
    // Looked at as a whole, a text is UTF-8 at a tenth of what its parts cost one by one; where it
    // isn't, the other reader says at which place.
    let has_fractions = Cell::new(false);
    let tree = match str::from_utf8(text) {
        Ok(text) => read(serde_json::Deserializer::from_str(text), &has_fractions),
        Err(_) => read(serde_json::Deserializer::from_slice(text), &has_fractions),
    };
    let mut tree = tree.map_err(|error| BadJson::of(&error, text))?;
    // Only then can one have been rounded, and only then is the text read again.
    if has_fractions.get() {
        exact::mark(&mut tree, text).map_err(|error| BadJson::of(&error, text))?;
    }
    Ok(tree)
}

fn read<'a, R: Read<'a>>(
    mut reader: serde_json::Deserializer<R>,
    has_fractions: &Cell<bool>,
) -> Result<Json<'a>, serde_json::Error> {
    let tree = Tree { depth: 0, has_fractions }.deserialize(&mut reader)?;
    reader.end().map(|()| tree)
}

/// A name, which is mostly written without escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Clone, Copy)]
struct Tree<'c> {
    depth: usize,
    /// Set by every number that isn't kept as an integer.
    has_fractions: &'c Cell<bool>,
}

impl Tree<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(E::custom(format_args!("more than {MAX_DEPTH} levels deep")));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        self.has_fractions.set(true);
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let below = self.below()?;
        let mut object = Object::new();
        while let Some(Name(name)) = entries.next_key()? {
            match object.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(entries.next_value_seed(below)?);
                }
                Entry::Occupied(there) => {
                    let twice = format_args!("{:?} stands there twice", there.key());
                    return Err(A::Error::custom(twice));
                }
            }
        }
        Ok(Json::Object(object))
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
        assert_eq!(parse(text), Ok(Json::from(&tree)));
        assert_eq!(serde_json::to_string(&Json::from(&tree)).expect("a tree"), tree.to_string());
    }

    #[test]
    fn texts_are_copied_only_where_they_have_escapes() {
        let text = br#"{"plain": "as it stands", "esc\u0061ped": "a\nb"}"#;
        let Ok(Json::Object(object)) = parse(text) else { panic!("it is an object") };
        let is_copy = |text: &Cow<'_, str>| matches!(text, Cow::Owned(_));
        for (name, value) in &object {
            let Json::Text(value) = value else { panic!("{value:?}") };
            assert_eq!((is_copy(name), is_copy(value)), (name == "escaped", name == "escaped"));
        }
    }

    #[test]
    fn what_is_not_utf8_is_told_with_its_place() {
        let text = b"{\"a\": \"\xc3\xa4\",\n \"b\": \"x\xff\"}";
        let error = parse(text).expect_err("0xff is in no text").to_string();
        assert_eq!(error, "invalid unicode code point at line 2 column 9");
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
    fn what_is_not_json_is_told_from_json_that_is_not_taken() {
        let bad: [&[u8]; 9] = [
            b"",
            b" ",
            b"{",
            b"{} {}",
            b"{\"a\": 01}",
            b"\"\\ud8\"",
            b"\"\xff\"",
            b"\"\n\"",
            b"{\"a\": 1, \"a\": 2",
        ];
        for text in bad {
            assert!(matches!(parse(text), Err(BadJson::NotJson(_))), "{text:?}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in ["1e999", "\"\\ud800\"", "{\"a\": 1, \"a\": 2}", &deep] {
            assert!(matches!(parse(text.as_bytes()), Err(BadJson::Refused(_))), "{text}");
        }
    }
}
