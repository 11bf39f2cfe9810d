//! What a handler answers, before it becomes bytes on a connection.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Bytes;
use futures_util::stream::{LocalBoxStream, Stream};
use serde::Serialize;

use crate::wire::problem::{Kind, MEDIA_TYPE, Problem};

/// Says that nothing was done now.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What most answers fit in; a callback alone has some 1,500 bytes.
const USUAL_BYTES: usize = 2_048;

/// What stands below the headers.
enum Below {
    Whole(Vec<u8>),
    /// Comes by and by, as fast as it is taken.
    Parts(LocalBoxStream<'static, Result<Bytes, Infallible>>),
}

/// An answer.
pub(super) struct Reply {
    status: StatusCode,
    media_type: &'static str,
    body: Below,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// JSON.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut bytes, body).expect("answers have text keys and finite numbers");
        let body = Below::Whole(bytes);
        Self { status, media_type: "application/json", body, headers: Vec::new() }
    }

    /// JSON with 200.
    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Nothing, with 204.
    pub(super) fn none() -> Self {
        let status = StatusCode::NO_CONTENT;
        Self { status, media_type: "", body: Below::Whole(Vec::new()), headers: Vec::new() }
    }

    /// Text of any type.
    pub(super) fn text(media_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = Below::Whole(body.into());
        Self { status: StatusCode::OK, media_type, body, headers: Vec::new() }
    }

    /// Something of any type that comes by and by.
    pub(super) fn stream(
        media_type: &'static str,
        parts: impl Stream<Item = Result<Bytes, Infallible>> + 'static,
    ) -> Self {
        let body = Below::Parts(Box::pin(parts));
        Self { status: StatusCode::OK, media_type, body, headers: Vec::new() }
    }

    /// The version of the resource shown.
    pub(super) fn version(self, version: u64) -> Self {
        let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes");
        self.header(ETAG, tag)
    }

    /// Where the resource is that was made; a path of our own.
    pub(super) fn location(self, path: String) -> Self {
        let path = HeaderValue::try_from(path).expect("paths of ids are visible ASCII");
        self.header(LOCATION, path)
    }

    /// Whether the answer had been given before.
    pub(super) fn replayed(self, replayed: bool) -> Self {
        if replayed { self.header(REPLAYED, HeaderValue::from_static("true")) } else { self }
    }

    /// Any other header.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The methods that there are, for 405.
    pub(super) fn allow(self, methods: &str) -> Self {
        let methods = HeaderValue::from_str(methods).expect("methods are visible ASCII");
        self.header(ALLOW, methods)
    }

    /// As what is sent.
    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        // As text each would be copied first.
        response.insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
        response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if !self.media_type.is_empty() {
            response.insert_header((CONTENT_TYPE, HeaderValue::from_static(self.media_type)));
        }
        for header in self.headers {
            response.insert_header(header);
        }
        match self.body {
            Below::Whole(body) => response.body(body),
            Below::Parts(parts) => response.streaming(parts),
        }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status()).expect("kinds have real statuses");
        let mut reply = Self { media_type: MEDIA_TYPE, ..Self::json(status, &problem) };
        if let Some(seconds) = problem.retry_after_seconds {
            reply = reply.header(RETRY_AFTER, seconds.into());
        }
        if problem.kind == Kind::Unauthorized {
            reply = reply.header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply
    }
}
