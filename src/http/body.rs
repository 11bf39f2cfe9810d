//! The body of a request: its type, its size, the time that it may take, and its JSON.
//!
//! actix bounds the time of a request's head and not of its body, so a body that trickles in is
//! given up here. One in chunks that nobody reads on it would wait for without end; a [`Held`] one
//! ends the connection with the answer.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{self, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::{Stream, StreamExt};

use crate::wire::json::{self, BadJson, Json, Object};
use crate::wire::problem::{Kind, Problem};

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyRule {
    /// Nothing; what comes is left unread.
    None,
    /// JSON.
    Json,
    /// JSON, or nothing, which means `{}`.
    Optional,
    /// JSON as a merge patch.
    Patch,
}

/// A body, as bytes and as what they say.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) value: Json<'a>,
}

impl<'a> Body<'a> {
    /// What a body's bytes say, by its rule.
    pub(super) fn of(rule: BodyRule, bytes: &'a [u8]) -> Result<Self, Problem> {
        let value = match rule {
            BodyRule::None => Json::Null,
            BodyRule::Optional if bytes.is_empty() => Json::Object(Object::new()),
            BodyRule::Json | BodyRule::Optional | BodyRule::Patch => {
                json::parse(bytes).map_err(|error| match error {
                    BadJson::NotJson(why) => {
                        let detail = format!("The body isn't JSON that can be read: {why}.");
                        Problem::new(Kind::Malformed, detail)
                    }
                    BadJson::Refused(why) => Problem::field("", format!("isn't taken: {why}")),
                })?
            }
        };
        Ok(Self { bytes, value })
    }

    /// The body as an object.
    pub(super) fn object(&self) -> Result<&Object<'a>, Problem> {
        let Json::Object(object) = &self.value else {
            return Err(Problem::field("", "must be a JSON object"));
        };
        Ok(object)
    }
}

/// Takes a body's bytes by its rule.
pub(super) async fn read(
    rule: BodyRule,
    request: &HttpRequest,
    payload: Payload,
    most: usize,
    time: Duration,
) -> Result<Bytes, Problem> {
    if rule == BodyRule::None {
        return Ok(Bytes::new());
    }
    let length = announced(request)?;
    let chunked = request.chunked().unwrap_or(true);
    let empty = length == Some(0) || (length.is_none() && !chunked);
    if empty && rule == BodyRule::Optional {
        return Ok(Bytes::new());
    }
    check_type(request, rule)?;
    let too_large = || {
        let detail = format!("The body has more than {most} bytes; send less.");
        Problem::new(Kind::TooLarge, detail)
    };
    if length.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(time, collect(payload, most, &too_large)).await;
    bytes.map_err(|_elapsed| {
        let seconds = time.as_secs_f32();
        let detail = format!("The body didn't come within {seconds} s; send it faster.");
        Problem::new(Kind::TooSlow, detail)
    })?
}

async fn collect(
    mut payload: Payload,
    most: usize,
    too_large: &impl Fn() -> Problem,
) -> Result<Bytes, Problem> {
    // Most bodies come in one piece, which needn't be copied.
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(Kind::Malformed, format!("The body ended before its end: {error}."))
        })?;
        // From the second piece on `all` has the first as well.
        if first.len().max(all.len()) + chunk.len() > most {
            return Err(too_large());
        }
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// A request's body in chunks, for its handler and until its answer is sent.
#[derive(Clone)]
pub(super) struct InChunks(Rc<RefCell<dev::Payload>>);

impl InChunks {
    /// Takes the body out of a request and leaves a reader of it there; none where it isn't in
    /// chunks.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.chunked().unwrap_or(false) {
            return None;
        }
        let chunks = Self(Rc::new(RefCell::new(request.take_payload())));
        let payload: Pin<Box<dyn Stream<Item = _>>> = Box::pin(chunks.clone());
        request.set_payload(dev::Payload::from(payload));
        Some(chunks)
    }

    /// An answer's body with which it is held.
    pub(super) fn held_with(self, answer: BoxBody) -> BoxBody {
        BoxBody::new(Held { answer, _unread: self })
    }
}

impl Stream for InChunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

/// An answer's body. What is unread of the request's is dropped after it, by which actix knows that
/// the connection is good for nothing more.
struct Held {
    answer: BoxBody,
    _unread: InChunks,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(context)
    }
}

fn announced(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(length) = request.headers().get(CONTENT_LENGTH) else { return Ok(None) };
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    let bad = || Problem::new(Kind::Malformed, "Content-Length isn't a number.");
    length.map(Some).ok_or_else(bad)
}

/// JSON in UTF-8, not compressed.
fn check_type(request: &HttpRequest, rule: BodyRule) -> Result<(), Problem> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or(""));
    let plain = header(CONTENT_ENCODING).is_none_or(|name| name.eq_ignore_ascii_case("identity"));
    let known = header(CONTENT_TYPE).is_some_and(|text| is_json(text, rule));
    if plain && known {
        return Ok(());
    }
    let detail = if plain {
        "Send the body as Content-Type: application/json."
    } else {
        "Send the body without Content-Encoding."
    };
    Err(Problem::new(Kind::UnsupportedMediaType, detail))
}

fn is_json(text: &str, rule: BodyRule) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let utf8 = parts.all(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return parameter.is_empty() };
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
    });
    let patch = rule == BodyRule::Patch && name == "application/merge-patch+json";
    utf8 && (name == "application/json" || patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_its_type() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
        ] {
            assert!(is_json(good, BodyRule::Json), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json; charset=utf-16",
            "application/jsonp",
            "application/merge-patch+json",
            "multipart/form-data; boundary=application/json",
        ] {
            assert!(!is_json(bad, BodyRule::Json), "{bad}");
        }
        assert!(is_json("application/merge-patch+json", BodyRule::Patch));
    }
}
