//! Which numbers of a text aren't what was made of them.
//!
//! `serde_json` reads what isn't a whole number of 64 bits as the nearest one that is kept in
//! binary: `0.1` comes back as `0.1`, but twenty digits come back as seventeen, and `1e-400` as
//! nothing. Separate, because it reads the text a second time, which only texts with fractions
//! are worth.

use std::collections::BTreeMap;

use serde_json::Number;
use serde_json::value::RawValue;

use super::{Json, Name};

/// Marks each number of a tree that comes back as another than the text that it was read from says.
pub(super) fn mark(tree: &mut Json<'_>, text: &[u8]) -> Result<(), serde_json::Error> {
    walk(tree, serde_json::from_slice(text)?)
}

/// As deep as the tree, which is bounded.
fn walk(tree: &mut Json<'_>, raw: &RawValue) -> Result<(), serde_json::Error> {
    match tree {
        Json::Number(number) if number.is_f64() => {
            if !is_exact(number, raw.get()) {
                *tree = Json::Rounded(number.clone());
            }
        }
        Json::List(list) => {
            let parts: Vec<&RawValue> = serde_json::from_str(raw.get())?;
            for (item, part) in list.iter_mut().zip(parts) {
                walk(item, part)?;
            }
        }
        Json::Object(object) => {
            // The tree has each name once, in the same order.
            let parts: BTreeMap<Name<'_>, &RawValue> = serde_json::from_str(raw.get())?;
            for (item, part) in object.values_mut().zip(parts.into_values()) {
                walk(item, part)?;
            }
        }
        Json::Null | Json::Flag(_) | Json::Number(_) | Json::Rounded(_) | Json::Text(_) => {}
    }
    Ok(())
}

/// Whether a number is printed as the same as its text, be it in other words.
fn is_exact(number: &Number, text: &str) -> bool {
    decimal(text).is_some_and(|wanted| decimal(&number.to_string()) == Some(wanted))
}

/// A number's digits without zeros around them, and the power of ten of the last one. None: a power
/// that no number has which is kept.
fn decimal(text: &str) -> Option<(String, i64)> {
    let text = text.trim_start_matches('-');
    let (digits, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = [whole, fraction].concat();
    let up_to_last = all.trim_end_matches('0');
    let digits = up_to_last.trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return Some((digits, 0));
    }
    let power = power.parse::<i64>().ok()?;
    let beyond = i64::try_from(all.len() - up_to_last.len()).ok()?;
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(beyond)?;
    Some((digits, power))
}

#[cfg(test)]
mod tests {
    use crate::wire::json::{Json, parse};

    fn is_rounded(number: &str) -> bool {
        let text = format!("{{\"b\": 1, \"a\": [[], {{\"\\u0061\": {number}}}]}}");
        let tree = parse(text.as_bytes()).expect("JSON");
        let Some(Json::List(list)) = tree.get("a") else { panic!("{tree:?}") };
        assert_eq!(tree.get("b"), Some(&Json::Number(1.into())));
        matches!(list[1].get("a"), Some(Json::Rounded(_)))
    }

    #[test]
    fn numbers_that_come_back_as_others_are_marked_at_any_depth() {
        for exact in [
            "0.1",
            "1.10",
            "-2.5e-7",
            "0.30000000000000004",
            "0.9452706955539223",
            "-127.96010604549903",
            "1E2",
            "100.0",
            "-0",
            "0e999",
            "5e-324",
            "1e22",
            "1.7976931348623157e308",
            "0.00001",
            "12345678901234567e-20",
        ] {
            assert!(!is_rounded(exact), "{exact}");
        }
        for other in [
            "0.1234567890123456789",
            "1e-400",
            "-1e-400",
            "0.1000000000000000055511151231257827",
            "18446744073709551616",
            "9007199254740993.0",
            "1e-99999999999999999999",
            "3e-324",
        ] {
            assert!(is_rounded(other), "{other}");
        }
    }
}
