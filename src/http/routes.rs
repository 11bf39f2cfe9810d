//! Every route in one table, and what happens to each request before its handler sees it.
//!
//! The order of checks is the contract's and is kept here: 401, 415, 413, 400; handlers go on with
//! 404, 403, replay, 422, 429, 412, 409. Before all of them, 400 for a header that may stand there
//! once and doesn't: nobody can say which of the two is meant.

use std::cell::Cell;
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::{ConnectionType, Method, header};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture};
use tokio::time::Instant;

use super::auth::Caller;
use super::body::{self, Body, BodyRule};
use super::call::Call;
use super::reply::Reply;
use super::state::Shared;
use super::{
    actions, agents, availability, callbacks, cors, customers, deny_list, docs, events, health,
    keys, openapi, outbox, queues, reports, slots, stats, webhooks,
};
use crate::domain::time::Timestamp;
use crate::wire::action::ActionName;
use crate::wire::problem::{Kind, Problem};

/// A handler of requests with a credential.
type Handler = for<'a> fn(&'a Call<'a>) -> LocalBoxFuture<'a, Result<Reply, Problem>>;

/// A handler of requests without one.
type OpenHandler = fn(&Shared) -> Result<Reply, Problem>;

/// Who answers.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// For callers with a credential.
    Call(Handler),
    /// For anybody.
    Open(OpenHandler),
    /// For anybody, about what has the `{name}` of the path.
    Named(fn(&str) -> Result<Reply, Problem>),
    /// For anybody, or for supervisors, as the settings say.
    Metrics(OpenHandler),
}

/// A route.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) body: BodyRule,
    pub(super) answer: Answer,
}

impl Route {
    /// Whether it is for requests of this method.
    fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }
}

/// Statuses of requests whose body may not have been read. Their connections end, so that nobody
/// is sent the rest of a body for nothing, and none of it can be taken for the next request.
const UNREAD: [u16; 6] = [400, 401, 408, 413, 415, 429];

/// Headers of which only one can be meant. Others could read the second where the first is taken.
static ONCE: [header::HeaderName; 2] = [header::AUTHORIZATION, header::CONTENT_TYPE];

macro_rules! call {
    ($method:ident $path:literal $body:ident $handler:expr) => {
        Route {
            method: Method::$method,
            path: $path,
            body: BodyRule::$body,
            answer: Answer::Call(|call| {
                let handler = $handler;
                Box::pin(handler(call))
            }),
        }
    };
}

macro_rules! agents_action {
    ($path:literal $name:ident) => {
        Route {
            method: Method::POST,
            path: $path,
            body: BodyRule::Optional,
            answer: Answer::Call(|call| Box::pin(actions::agents(call, ActionName::$name))),
        }
    };
}

const fn open(path: &'static str, handler: OpenHandler) -> Route {
    Route { method: Method::GET, path, body: BodyRule::None, answer: Answer::Open(handler) }
}

/// Every route. HEAD is answered wherever GET is.
pub(super) static ROUTES: [Route; 62] = [
    call!(GET "/v1/callbacks" None callbacks::list),
    call!(POST "/v1/callbacks" Json callbacks::create),
    call!(GET "/v1/callbacks/{id}" None callbacks::get),
    call!(PATCH "/v1/callbacks/{id}" Patch callbacks::patch),
    call!(POST "/v1/callbacks/{id}/reschedule" Json actions::reschedule),
    call!(POST "/v1/callbacks/{id}/cancel" Optional actions::cancel),
    agents_action!("/v1/callbacks/{id}/accept" Accept),
    agents_action!("/v1/callbacks/{id}/decline" Decline),
    agents_action!("/v1/callbacks/{id}/call" Call),
    agents_action!("/v1/callbacks/{id}/outcome" Outcome),
    agents_action!("/v1/callbacks/{id}/end_call" EndCall),
    agents_action!("/v1/callbacks/{id}/extend_wrap_up" ExtendWrapUp),
    agents_action!("/v1/callbacks/{id}/retry" Retry),
    agents_action!("/v1/callbacks/{id}/requeue" Requeue),
    agents_action!("/v1/callbacks/{id}/close" Close),
    call!(POST "/v1/callbacks/{id}/assign" Json actions::assign),
    call!(GET "/v1/callbacks/{id}/routing" None callbacks::routing),
    call!(GET "/v1/callbacks/{id}/history" None callbacks::history),
    call!(POST "/v1/customers/served_elsewhere" Json customers::served_elsewhere),
    call!(GET "/v1/deny_list" None deny_list::list),
    call!(GET "/v1/deny_list/{phone}" None deny_list::get),
    call!(PUT "/v1/deny_list/{phone}" Optional deny_list::put),
    call!(DELETE "/v1/deny_list/{phone}" None deny_list::delete),
    call!(GET "/v1/queues" None queues::list),
    call!(GET "/v1/queues/{id}" None queues::get),
    call!(PUT "/v1/queues/{id}" Json queues::put),
    call!(DELETE "/v1/queues/{id}" None queues::delete),
    call!(GET "/v1/queues/{id}/availability" None availability::show),
    call!(GET "/v1/queues/{id}/slots" None slots::list),
    call!(POST "/v1/queues/{id}/pause" Optional queues::pause),
    call!(POST "/v1/queues/{id}/resume" Optional queues::resume),
    call!(GET "/v1/agents" None agents::list),
    call!(GET "/v1/agents/{id}" None agents::get),
    call!(PUT "/v1/agents/{id}" Json agents::put),
    call!(DELETE "/v1/agents/{id}" None agents::delete),
    call!(PUT "/v1/agents/{id}/presence" Json agents::presence),
    call!(PUT "/v1/agents/{id}/external_load" Json agents::external_load),
    call!(GET "/v1/agents/{id}/status" None agents::status),
    call!(GET "/v1/agent_status" None agents::status_list),
    call!(GET "/v1/directory" None agents::directory),
    call!(GET "/v1/stats" None stats::stats),
    call!(GET "/v1/reports/{report}" None reports::report),
    call!(GET "/v1/events" None events::stream),
    call!(GET "/v1/webhooks" None webhooks::list),
    call!(GET "/v1/webhooks/{id}" None webhooks::get),
    call!(PUT "/v1/webhooks/{id}" Json webhooks::put),
    call!(DELETE "/v1/webhooks/{id}" None webhooks::delete),
    call!(GET "/v1/keys" None keys::list),
    call!(GET "/v1/keys/{token_sha256}" None keys::get),
    call!(PUT "/v1/keys/{token_sha256}" Json keys::put),
    call!(DELETE "/v1/keys/{token_sha256}" None keys::delete),
    call!(GET "/v1/outbox/failures" None outbox::failures),
    call!(POST "/v1/outbox/failures/{id}/retry" Optional outbox::retry),
    open("/healthz", |_| Ok(health::healthz())),
    open("/readyz", health::readyz),
    Route {
        method: Method::GET,
        path: "/metrics",
        body: BodyRule::None,
        answer: Answer::Metrics(health::metrics),
    },
    open("/openapi.json", |shared| Ok(openapi::document(shared))),
    open("/docs", |_| Ok(docs::page())),
    open("/docs/docs.js", |_| Ok(docs::script())),
    open("/docs/docs.css", |_| Ok(docs::style())),
    open("/problems", |_| Ok(openapi::problems())),
    Route {
        method: Method::GET,
        path: "/problems/{name}",
        body: BodyRule::None,
        answer: Answer::Named(openapi::problem),
    },
];

/// Puts every route of the table in its place.
pub(super) fn mount(config: &mut ServiceConfig) {
    let mut paths: Vec<&'static str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        // Shared, since actix clones a handler for each request.
        let routes: Rc<[&'static Route]> =
            ROUTES.iter().filter(|route| route.path == path).collect();
        let allowed: Rc<str> = allowed(path).into();
        // Of a path's routes the method alone decides. actix would ask a guard for each of them,
        // and note for each request all that were asked.
        let handler = move |request: HttpRequest, payload: Payload| match routes
            .iter()
            .find(|route| route.takes(request.method()))
        {
            Some(route) => Either::Left(respond(route, request, payload)),
            None => Either::Right(ready(refuse(&request, path, &allowed))),
        };
        config.service(web::resource(path).to(handler));
    }
}

/// What answers where a path has no route for a method.
fn refuse(request: &HttpRequest, path: &'static str, allowed: &str) -> HttpResponse {
    let shared = state(request);
    cors::preflight(&shared, request, path, allowed).unwrap_or_else(|| {
        let problem = Problem::new(
            Kind::MethodNotAllowed,
            format!("{} isn't possible here; use {allowed}.", request.method()),
        );
        Reply::from(problem).allow(allowed).into_response()
    })
}

/// What answers where there is no route.
pub(super) async fn unknown() -> HttpResponse {
    let problem = Problem::new(Kind::NotFound, "There is no such path; see /openapi.json.");
    Reply::from(problem).into_response()
}

fn allowed(path: &str) -> String {
    let methods = ROUTES.iter().filter(|route| route.path == path).map(|route| &route.method);
    let mut names: Vec<&str> = methods.map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.join(", ")
}

fn state(request: &HttpRequest) -> Arc<Shared> {
    let shared = request.app_data::<Data<Shared>>().map(|data| Arc::clone(data));
    shared.expect("the server gives every request its state")
}

async fn respond(route: &'static Route, request: HttpRequest, payload: Payload) -> HttpResponse {
    let began = Instant::now();
    let shared = state(&request);
    let origin = cors::origin(request.headers()).cloned();
    let mut who = None;
    let answer = AssertUnwindSafe(answer(route, &shared, request, payload, &mut who));
    let reply = match answer.catch_unwind().await {
        Ok(Ok(reply)) => reply,
        Ok(Err(problem)) => problem.into(),
        Err(_panic) => {
            tracing::error!(route = route.path, "a handler panicked");
            Problem::new(Kind::Internal, "An internal error; repeat the request.").into()
        }
    };
    let mut response = reply.into_response();
    if matches!(route.answer, Answer::Call(_)) {
        cors::mark(&mut response, &shared, origin.as_ref(), route.path, who.as_ref());
    }
    let status = response.status().as_u16();
    if UNREAD.contains(&status) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let method = method_name(&route.method);
    shared.metrics.count(method, route.path, status, began.elapsed().as_secs_f64());
    response
}

async fn answer(
    route: &'static Route,
    shared: &Arc<Shared>,
    request: HttpRequest,
    payload: Payload,
    who: &mut Option<Caller>,
) -> Result<Reply, Problem> {
    if !matches!(route.answer, Answer::Open(_) | Answer::Named(_)) {
        check_once(&request)?;
    }
    let handler = match route.answer {
        Answer::Open(handler) => return handler(shared),
        Answer::Named(handler) => return handler(request.match_info().query("name")),
        Answer::Metrics(handler) => {
            let caller = if shared.metrics_open { None } else { Some(caller(shared, &request)?) };
            if caller.is_some_and(|(caller, _)| !caller.role.supervises()) {
                return Err(Problem::forbidden("Only supervisors may read the figures."));
            }
            return handler(shared);
        }
        Answer::Call(handler) => handler,
    };
    let (caller, now) = caller(shared, &request)?;
    // Only pages of other sites need to know who asked.
    *who = cors::origin(request.headers()).map(|_origin| caller.clone());
    let limits = &shared.limits;
    let bytes = body::read(route.body, &request, payload, limits.body_bytes, limits.body).await?;
    let body = Body::of(route.body, &bytes)?;
    let shared = Arc::clone(shared);
    let query_read = Cell::new(false);
    let call = Call { shared, caller, request, body, now, query_read };
    let reply = handler(&call).await?;
    if route.method == Method::GET {
        call.check_query()?;
    }
    Ok(reply)
}

fn check_once(request: &HttpRequest) -> Result<(), Problem> {
    let twice = |name: &&header::HeaderName| request.headers().get_all(*name).nth(1).is_some();
    let Some(name) = ONCE.iter().find(twice) else { return Ok(()) };
    let detail = format!("The header {name} stands there more than once; send it once.");
    Err(Problem::new(Kind::Malformed, detail))
}

/// Who asks, and the time by which everything about the request is judged.
fn caller(shared: &Shared, request: &HttpRequest) -> Result<(Caller, Timestamp), Problem> {
    let now = shared.workspaces.first().map(|one| one.handle.now()).unwrap_or_default();
    let header = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    match shared.gate.authorize(header, now) {
        Ok(caller) => Ok((caller, now)),
        Err(error) => {
            let address = request.peer_addr().map(|address| address.ip());
            Err(shared.gate.refuse(error, header.and(address), header.unwrap_or_default(), now))
        }
    }
}

/// A method's name for as long as the process lives.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
