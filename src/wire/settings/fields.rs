//! Reads settings out of a tree of JSON values and collects every fault, each with its place.
//!
//! `serde` stops at the first fault; an administrator wants all of them at once, with the place
//! and what is allowed there. So settings are read by hand out of a tree, in which a key that
//! nothing asked for is a fault too. What isn't given takes the default, and so does `null`.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::Number;

use crate::wire::json::{Json, Object};

/// What is wrong at one place of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The place, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is allowed there, in a sentence without its full stop.
    pub detail: String,
}

/// The longest name or label, in characters.
pub const TEXT_MAX: usize = 200;

/// JSON and TOML have different words for it.
const NO_TABLE: &str = "must be an object (in TOML: a table)";

/// A place in the tree. It is made text only for a fault: nearly every value is as it should be.
#[derive(Clone, Copy)]
struct Place<'a> {
    above: Option<&'a Place<'a>>,
    name: Name<'a>,
}

/// What a place is called in the one above it.
#[derive(Clone, Copy)]
enum Name<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

/// One value at its place; each way of reading it takes it up.
pub struct Item<'a> {
    value: &'a Json<'a>,
    place: Place<'a>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Item<'a> {
    /// A whole tree; its own place is the empty pointer.
    pub fn root(value: &'a Json<'a>, faults: &'a mut Vec<Fault>) -> Self {
        Self { value, place: Place { above: None, name: Name::Root }, faults }
    }

    /// Notes a fault at this place.
    pub fn fault<T>(self, detail: impl Into<String>) -> Option<T> {
        self.faults.push(Fault { pointer: self.place.pointer(), detail: detail.into() });
        None
    }

    /// Whether it is a text, for what may be a text or a table.
    pub fn is_text(&self) -> bool {
        self.value.as_str().is_some()
    }

    /// Whether it is a number, for what may be a number or a table.
    pub fn is_number(&self) -> bool {
        self.value.as_number().is_some()
    }

    /// The value as it is.
    pub fn json(&self) -> &'a Json<'a> {
        self.value
    }

    /// An integer within `allowed`.
    pub fn number(self, allowed: RangeInclusive<u32>) -> Option<u32> {
        let number = self.value.as_number().and_then(Number::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| allowed.contains(number));
        if number.is_none() {
            let (least, most) = allowed.into_inner();
            return self.fault(format!("must be an integer from {least} to {most}"));
        }
        number
    }

    /// A share from 0 to 1, in thousandths.
    pub fn share(self) -> Option<u32> {
        let share = self.value.as_number().and_then(Number::as_f64);
        let thousandths = share.map(|share| share * 1_000.0);
        // Three decimals are near a whole number of thousandths, however they are kept.
        let whole = |it: &f64| (0.0..=1_000.0).contains(it) && (it - it.round()).abs() < 1e-6;
        match thousandths.filter(whole) {
            Some(thousandths) => (0..=1_000).find(|it| f64::from(*it) >= thousandths.round()),
            None => self.fault("must be a number from 0 to 1, with three decimals at most"),
        }
    }

    /// An integer within `allowed` that may be negative.
    pub fn integer(self, allowed: RangeInclusive<i64>) -> Option<i64> {
        let number = self.value.as_number().and_then(Number::as_i64);
        let number = number.filter(|number| allowed.contains(number));
        if number.is_none() {
            let (least, most) = allowed.into_inner();
            return self.fault(format!("must be an integer from {least} to {most}"));
        }
        number
    }

    /// `true` or `false`.
    pub fn flag(self) -> Option<bool> {
        match self.value {
            Json::Flag(flag) => Some(*flag),
            _ => self.fault("must be true or false"),
        }
    }

    /// Text of 1 to `most` characters on one line.
    pub fn text(self, most: usize) -> Option<String> {
        let fits = |text: &&str| {
            (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        match self.value.as_str().filter(fits) {
            Some(text) => Some(text.to_owned()),
            None => self.fault(format!("must be text of 1 to {most} characters, on one line")),
        }
    }

    /// One of `words`.
    pub fn word<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        let word = self.value.as_str();
        let found = words.iter().find(|(name, _)| Some(*name) == word);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
            return self.fault(format!("must be one of: {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// Text that `parse` takes; its error says what is allowed.
    pub fn parsed<T, E: Display>(self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match self.value.as_str().map(parse) {
            Some(Ok(value)) => Some(value),
            Some(Err(error)) => self.fault(error.to_string()),
            None => self.fault("must be text"),
        }
    }

    /// A list as above that isn't empty.
    pub fn some<T>(self, each: impl FnMut(Item<'_>) -> Option<T>) -> Option<Vec<T>> {
        if matches!(self.value, Json::List(list) if list.is_empty()) {
            return self.fault("must not be empty");
        }
        self.list(each)
    }

    /// What `read` makes of it, if `check` takes that too; its error says what is allowed.
    pub fn checked<R, T, E: Display>(
        self,
        read: impl FnOnce(Item<'_>) -> Option<R>,
        check: impl FnOnce(R) -> Result<T, E>,
    ) -> Option<T> {
        let Self { value, place, faults } = self;
        let read = read(Item { value, place, faults: &mut *faults })?;
        match check(read) {
            Ok(value) => Some(value),
            Err(error) => Item { value, place, faults }.fault(error.to_string()),
        }
    }

    /// A table of known keys: whatever `read` doesn't ask for is a fault.
    pub fn table<T>(self, read: impl FnOnce(&mut Fields<'_>) -> T) -> Option<T> {
        let Json::Object(map) = self.value else {
            return self.fault(NO_TABLE);
        };
        // A request for a callback has twenty.
        let asked = Vec::with_capacity(24);
        let mut fields = Fields { map, place: self.place, asked, faults: &mut *self.faults };
        let value = read(&mut fields);
        fields.refuse_unknown();
        Some(value)
    }

    /// A list; what `each` can't read is left out, its fault noted.
    pub fn list<T>(self, mut each: impl FnMut(Item<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Json::List(values) = self.value else {
            return self.fault("must be a list");
        };
        let mut list = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let place = self.place.below(Name::Index(index));
            list.extend(each(Item { value, place, faults: &mut *self.faults }));
        }
        Some(list)
    }

    /// A table whose keys the administrator chooses; read in the order of the keys.
    pub fn entries<T>(self, mut each: impl FnMut(&str, Item<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Json::Object(map) = self.value else {
            return self.fault(NO_TABLE);
        };
        let mut list = Vec::with_capacity(map.len());
        for (key, value) in map {
            let place = self.place.below(Name::Key(key));
            list.extend(each(key, Item { value, place, faults: &mut *self.faults }));
        }
        Some(list)
    }
}

/// A table that is being read.
pub struct Fields<'a> {
    map: &'a Object<'a>,
    place: Place<'a>,
    asked: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Fields<'a> {
    /// The value of `key`, if there is one.
    pub fn take(&mut self, key: &'static str) -> Option<Item<'_>> {
        let value = self.find(key)?;
        Some(self.item(key, value))
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Json<'a>> {
        self.asked.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn item<'b>(&'b mut self, key: &'static str, value: &'b Json<'b>) -> Item<'b> {
        Item { value, place: self.place.below(Name::Key(key)), faults: &mut *self.faults }
    }

    /// An integer within `allowed`, or the default.
    pub fn number(&mut self, key: &'static str, default: u32, allowed: RangeInclusive<u32>) -> u32 {
        self.take(key).and_then(|item| item.number(allowed)).unwrap_or(default)
    }

    /// `true` or `false`, or the default.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.take(key).and_then(Item::flag).unwrap_or(default)
    }

    /// Text on one line, if there is any.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.take(key).and_then(|item| item.text(TEXT_MAX))
    }

    /// One of `words`, or the default.
    pub fn word<T: Copy>(&mut self, key: &'static str, default: T, words: &[(&str, T)]) -> T {
        self.take(key).and_then(|item| item.word(words)).unwrap_or(default)
    }

    /// Text that `parse` takes, if there is any.
    pub fn parsed<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.take(key).and_then(|item| item.parsed(parse))
    }

    /// A list; empty if there is none.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        each: impl FnMut(Item<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.take(key).and_then(|item| item.list(each)).unwrap_or_default()
    }

    /// Notes a fault at `key`, or at the table itself where `key` is empty.
    pub fn fault(&mut self, key: &str, detail: impl Into<String>) {
        let place = if key.is_empty() { self.place } else { self.place.below(Name::Key(key)) };
        let pointer = place.pointer();
        self.faults.push(Fault { pointer, detail: detail.into() });
    }

    /// Asks for `key`, and notes a fault if it isn't there.
    pub fn required(&mut self, key: &'static str) -> Option<Item<'_>> {
        let Some(value) = self.find(key) else {
            self.fault(key, "is missing");
            return None;
        };
        Some(self.item(key, value))
    }

    /// How many of `keys` are given.
    pub fn count_of(&self, keys: &[&str]) -> usize {
        keys.iter().filter(|key| self.map.get(**key).is_some_and(|value| !value.is_null())).count()
    }

    fn refuse_unknown(&mut self) {
        for key in self.map.keys().filter(|key| !self.asked.iter().any(|asked| *asked == **key)) {
            let detail = unknown("key", key, &self.asked);
            let pointer = self.place.below(Name::Key(key)).pointer();
            self.faults.push(Fault { pointer, detail });
        }
    }
}

/// What is said of a name that nothing asked for: that, and which known one is near.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    // A near name has at most three letters that differ, and no more than half of all; long ones
    // needn't be compared at all.
    let near = known.iter().filter(|known| name.len().abs_diff(known.len()) <= 12);
    let near = near.map(|known| (distance(known, name), known)).min();
    match near.filter(|(letters, _)| *letters <= 3.min(name.chars().count() / 2)) {
        Some((_, near)) => format!("unknown {what}; did you mean `{near}`?"),
        None => format!("unknown {what}{}", there_are(name, known)),
    }
}

/// The names that are known: all of a few, else those nearest to `name`.
fn there_are(name: &str, known: &[&str]) -> String {
    const NAMED: usize = 12;
    let all: BTreeSet<&str> = known.iter().copied().collect();
    if all.is_empty() {
        return String::new();
    }
    if all.len() <= NAMED {
        let all: Vec<&str> = all.into_iter().collect();
        return format!("; known: {}", all.join(", "));
    }
    let mut near: Vec<&str> = all.into_iter().collect();
    near.sort_by_cached_key(|known| distance(known, name));
    format!("; nearest: {}", near[..3].join(", "))
}

/// The word for a value that [`Item::word`] reads.
pub fn name_of<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map(|(name, _)| *name).expect("the table has a word for each value")
}

impl<'a> Place<'a> {
    /// A place in this one.
    fn below(&'a self, name: Name<'a>) -> Self {
        Self { above: Some(self), name }
    }

    fn pointer(&self) -> String {
        let above = self.above.map(Place::pointer).unwrap_or_default();
        match self.name {
            Name::Root => above,
            Name::Key(key) => format!("{above}/{}", key.replace('~', "~0").replace('/', "~1")),
            Name::Index(index) => format!("{above}/{index}"),
        }
    }
}

/// How many letters must be put in, left out or changed to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(value: &Value, read: impl FnOnce(&mut Fields<'_>)) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        Item::root(&Json::from(value), &mut faults).table(read);
        faults.into_iter().map(|Fault { pointer, detail }| (pointer, detail)).collect()
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let value = json!({"a": -1, "b": 1.5, "c": "x", "d": [1, "y", 3], "e/f": {"g": 1}});
        let found = faults(&value, |fields| {
            fields.number("a", 0, 0..=5);
            fields.number("b", 0, 0..=5);
            fields.flag("c", true);
            fields.list("d", |item| item.number(1..=2));
            fields.take("e/f").map(|item| item.table(|inner| inner.text("g")));
        });
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["/a", "/b", "/c", "/d/1", "/d/2", "/e~1f/g"]);
        assert_eq!(found[0].1, "must be an integer from 0 to 5");
    }

    #[test]
    fn an_unknown_key_is_a_fault_that_names_its_neighbour() {
        let value = json!({"foo": 3, "lead_second": 1, "zebra": 2});
        let found = faults(&value, |fields| {
            fields.number("lead_seconds", 0, 0..=5);
            fields.number("q", 0, 0..=5);
        });
        assert_eq!(
            found,
            [
                ("/foo".into(), "unknown key; known: lead_seconds, q".into()),
                ("/lead_second".into(), "unknown key; did you mean `lead_seconds`?".into()),
                ("/zebra".into(), "unknown key; known: lead_seconds, q".into()),
            ]
        );
    }

    #[test]
    fn of_many_known_names_the_nearest_are_told() {
        let names = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b0", "b1"];
        assert_eq!(unknown("key", "zebra", &[]), "unknown key");
        let few = format!("unknown key; known: {}", names.join(", "));
        assert_eq!(unknown("key", "zebra", &names), few);
        let many = [&names[..], &["zero_hours"]].concat();
        assert_eq!(unknown("key", "zebr", &many), "unknown key; nearest: b0, b1, a0");
        assert_eq!(
            unknown("key", "zero_minute", &many),
            "unknown key; nearest: zero_hours, a0, a1"
        );
    }

    #[test]
    fn what_is_null_takes_the_default_and_what_is_required_must_be_there() {
        let value = json!({"a": null, "b": null});
        let mut number = 0;
        let found = faults(&value, |fields| {
            number = fields.number("a", 7, 0..=9);
            fields.required("b").map(Item::flag);
        });
        assert_eq!(number, 7);
        assert_eq!(found, [("/b".into(), "is missing".into())]);
    }

    #[test]
    fn distances_are_counted_in_letters() {
        for (a, b, letters) in [("", "ab", 2), ("abc", "abc", 0), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), letters, "{a} {b}");
        }
    }
}
