//! Which sites' pages may read answers: what browsers ask before a request, and look for after it.
//!
//! A public key's sites reach what such a key may ask for, and what the link of the callback that
//! comes of it may do; a workspace's desks reach all of the API. Grants nothing: whoever may read
//! an answer still needs a credential for it, and a public key is held to its sites each time.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use super::auth::Caller;
use super::reply::Reply;
use super::state::Shared;
use crate::wire::problem::Problem;
use crate::wire::role::Role;

/// What pages of a public key's sites reach: by the key, and by a callback's manage token.
const SHOP_PATHS: [&str; 6] = [
    "/v1/queues/{id}/availability",
    "/v1/queues/{id}/slots",
    "/v1/callbacks",
    "/v1/callbacks/{id}",
    "/v1/callbacks/{id}/reschedule",
    "/v1/callbacks/{id}/cancel",
];

/// Headers of requests that scripts may set.
const ASKED_WITH: &str = "authorization, content-type, idempotency-key, if-match, last-event-id";

/// Headers of answers that scripts may read.
const TOLD: &str = "etag, idempotent-replayed, location, retry-after";

/// How long a browser may remember what it was told before a request, in seconds.
const REMEMBER_SECONDS: &str = "600";

/// Whether pages of `origin` may read an answer of that path; no caller: nobody knows yet who asks.
fn allows(shared: &Shared, origin: &str, path: &str, caller: Option<&Caller>) -> bool {
    let shop = SHOP_PATHS.contains(&path);
    if let Some(public) = caller.and_then(|caller| caller.public.as_ref()) {
        return shop && public.allows(origin);
    }
    let customer = caller.is_none_or(|caller| matches!(caller.role, Role::Customer(_)));
    let all = shared.workspaces.iter().enumerate();
    let mut asked = all.filter(|(at, _)| caller.is_none_or(|caller| caller.workspace == *at));
    asked.any(|(at, workspace)| {
        workspace.desk_origins.contains(origin)
            || customer && shop && shared.gate.is_shop(at, origin)
    })
}

/// The site whose page asks.
pub(super) fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ORIGIN)
}

/// Marks an answer for the site whose page asked, if it may read it.
pub(super) fn mark(
    response: &mut HttpResponse,
    shared: &Shared,
    origin: Option<&HeaderValue>,
    path: &str,
    caller: Option<&Caller>,
) {
    response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return };
    if origin.to_str().is_ok_and(|text| allows(shared, text, path, caller)) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(TOLD));
    }
}

/// What a browser is told that asks before a request; none: it doesn't ask that. Such a question
/// carries no credential, so a site of any workspace and key is let on.
pub(super) fn preflight(
    shared: &Shared,
    request: &HttpRequest,
    path: &str,
    methods: &str,
) -> Option<HttpResponse> {
    let headers = request.headers();
    let origin = origin(headers)?;
    if *request.method() != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let allowed = origin.to_str().is_ok_and(|text| allows(shared, text, path, None));
    let mut response = if allowed {
        let mut response = HttpResponse::build(StatusCode::NO_CONTENT);
        response.insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods));
        response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ASKED_WITH));
        response.insert_header((ACCESS_CONTROL_MAX_AGE, REMEMBER_SECONDS));
        response.finish()
    } else {
        let detail = "Pages of that origin may not ask for this; list it in allowed_origins of a \
                      public key, or in desk_origins.";
        Reply::from(Problem::forbidden(detail)).into_response()
    };
    mark(&mut response, shared, Some(origin), path, None);
    Some(response)
}
