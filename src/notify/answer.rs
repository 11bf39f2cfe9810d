//! Reading what another server answers, within bounds: how long to wait, a body, why it failed.

use std::error::Error;

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::domain::civil::parse_rfc3339;
use crate::domain::time::{Span, Timestamp};

/// The longest reason that is kept.
const REASON_MAX: usize = 300;

/// How long an answer asks to be left alone, counted from `now`.
///
/// HTTP has seconds or a date (RFC 9110, 10.2.3); Zoom writes RFC 3339 for daily limits.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Span::seconds(u32::try_from(seconds).unwrap_or(u32::MAX)));
    }
    let at = parse_rfc3339(text).ok().or_else(|| {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Timestamp(date.timestamp().as_millisecond()))
    })?;
    Some(at.since(now).max(Span::ZERO))
}

/// The body, if it isn't longer than `most` bytes; an error is told in a few words.
pub(super) async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(why)? {
        if body.len() + chunk.len() > most {
            return Err(format!("the answer is longer than {most} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why a request failed, with its causes and without the address: that may hold a secret.
pub(super) fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text.chars().filter(|letter| !letter.is_control()).take(REASON_MAX).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_read_in_its_three_forms() {
        let now = parse_rfc3339("2026-11-24T15:00:00Z").expect("an instant");
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("99999999999", Some(i64::from(u32::MAX))),
            ("Tue, 24 Nov 2026 15:01:00 GMT", Some(60)),
            ("Tue, 24 Nov 2026 14:01:00 GMT", Some(0)),
            ("2026-11-25T00:00:00Z", Some(32_400)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let value = HeaderValue::from_str(text).expect("a value");
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
            let found = retry_after(&headers, now).map(Span::whole_seconds);
            assert_eq!(found, seconds, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
