//! `If-Match` and `If-None-Match`: which version of a resource a write is meant for.

use actix_web::http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};

/// A version that no resource ever has: they count up, and this is never reached.
const NEVER: u64 = u64::MAX;

/// The version of a resource that there isn't.
const ABSENT: u64 = 0;

/// The version that a write is meant for; none where it doesn't matter. Of a list it is the one
/// that there is now, if that is in it.
///
/// A tag that isn't one of ours, or a weak one (RFC 9110, 13.1.1), matches no version, so that the
/// write is refused as stale.
pub(super) fn wanted(headers: &HeaderMap, now: u64) -> Option<u64> {
    if headers.contains_key(IF_MATCH) {
        let lines = headers.get_all(IF_MATCH).map(|line| line.to_str().unwrap_or_default());
        // No tag of ours has a comma in it.
        let tags: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        if tags == ["*"] {
            return None;
        }
        let versions: Vec<u64> = tags.into_iter().filter_map(version).collect();
        let there = versions.contains(&now).then_some(now);
        return Some(there.or(versions.first().copied()).unwrap_or(NEVER));
    }
    // "Only if there is none": a PUT that must not replace.
    let none = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == b"*");
    none.then_some(ABSENT)
}

/// Whether the write is meant for what is there already.
pub(super) fn has_if_match(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH)
}

fn version(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let version: u64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn of(name: HeaderName, value: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        wanted(&headers, 2)
    }

    #[test]
    fn a_tag_names_a_version_and_anything_else_none() {
        assert_eq!(wanted(&HeaderMap::new(), 2), None);
        assert_eq!(of(IF_MATCH, "\"7\""), Some(7));
        assert_eq!(of(IF_MATCH, "*"), None);
        for strange in ["7", "W/\"7\"", "\"07\"", "\"+7\"", "\"\"", "\"x\"", "*, *"] {
            assert_eq!(of(IF_MATCH, strange), Some(NEVER), "{strange}");
        }
        for list in ["\"1\", \"2\"", "W/\"1\",\"2\"", "\"x\" ,\"2\", \"3\""] {
            assert_eq!(of(IF_MATCH, list), Some(2), "{list}");
        }
        assert_eq!(of(IF_MATCH, "\"1\", \"3\", W/\"2\""), Some(1), "which isn't there any more");
        assert_eq!(of(IF_NONE_MATCH, "*"), Some(ABSENT));
        assert_eq!(of(IF_NONE_MATCH, "\"7\""), None);
    }
}
