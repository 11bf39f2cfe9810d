//! The one file that names `actix_web_actors`: the handshake, and an actor that moves frames
//! between the socket and the session's pump.

use std::net::IpAddr;
use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, StreamHandler};
use actix_http::ws::Item;
use actix_web::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, HOST, HeaderMap, HeaderValue, ORIGIN, RETRY_AFTER,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, CloseReason, Message, ProtocolError};
use tokio::sync::{mpsc, oneshot};

use super::close::CloseCode;
use super::guard::{Guarded, Inflow};
use super::outflow::{Drain, Outflow, Outgoing};
use super::pump::{self, Client, FromClient};
use super::{Admitted, FRAME_MAX, SUBPROTOCOL, SocketState};
use crate::wire::problem::{Kind, MEDIA_TYPE, Problem};

/// The version of the WebSocket protocol: there is one (RFC 6455).
const VERSION: &str = "13";

/// The word in figures for an end that isn't the server's: the client left, or its network broke.
const LEFT: &str = "left";

/// Mounts the socket.
pub fn configure(config: &mut web::ServiceConfig, state: SocketState) {
    let resource = web::resource("/v1/agent/socket")
        .route(web::get().to(socket))
        .default_service(web::to(no_method));
    config.app_data(web::Data::new(state)).service(resource);
}

async fn no_method(request: HttpRequest) -> HttpResponse {
    let detail = format!("{} isn't possible here; use GET.", request.method());
    let mut response = refuse(&Problem::new(Kind::MethodNotAllowed, detail));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

async fn socket(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<SocketState>,
) -> HttpResponse {
    let address = request.peer_addr().map(|address| address.ip());
    let admitted = match admit(request.headers(), address, &state) {
        Ok(admitted) => admitted,
        Err(problem) => return refuse(&problem),
    };
    let theirs = (admitted.workspace.clone(), admitted.agent.clone());
    let Some(place) = state.sessions.take(theirs) else {
        return refuse(&Problem::all_open(state.sessions.most(), "sessions of this agent"));
    };
    let inflow = Arc::new(Inflow::default());
    let outflow = Outflow::new(state.limits.buffer_bytes);
    let (to_pump, from_client) = mpsc::unbounded_channel();
    let (alive, gone) = oneshot::channel();
    let session = Session {
        to_pump,
        _alive: alive,
        inflow: Arc::clone(&inflow),
        outflow: Arc::clone(&outflow),
        fragments: None,
    };
    let bytes = Guarded::new(body, Arc::clone(&inflow), FRAME_MAX as u64);
    let answer = ws::WsResponseBuilder::new(session, &request, bytes).frame_size(FRAME_MAX).start();
    match answer {
        Ok(mut answer) => {
            // Whichever of the request's lines it stood in.
            let chosen = HeaderValue::from_static(SUBPROTOCOL);
            answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
            let state = state.as_ref().clone();
            let client = Client { frames: from_client, gone, inflow, address };
            actix_web::rt::spawn(async move {
                let counts = Arc::clone(&state.counts);
                counts.opened();
                pump::run(state, admitted, client, Arc::clone(&outflow)).await;
                drop(place);
                counts.ended(outflow.end_code().map_or(LEFT, CloseCode::as_str));
            });
            answer
        }
        Err(error) => refuse(&Problem::new(Kind::Malformed, format!("No WebSocket: {error}."))),
    }
}

/// Whether this handshake may become a session, and whose.
fn admit(
    headers: &HeaderMap,
    address: Option<IpAddr>,
    state: &SocketState,
) -> Result<Admitted, Problem> {
    let offered: Vec<&str> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    if headers.get_all(AUTHORIZATION).nth(1).is_some() {
        let detail = "The header authorization stands there more than once; send it once.";
        return Err(Problem::new(Kind::Malformed, detail));
    }
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let token = bearer.or_else(|| offered.iter().find_map(|one| one.strip_prefix("bearer.")));
    let Some(token) = token else {
        let detail = "Send a credential: in the Authorization header, or as a second offered \
                      subprotocol bearer.<token>.";
        return Err(Problem::new(Kind::Unauthorized, detail));
    };
    let admitted = state.gate.admit(token, address)?;
    if !offered.contains(&SUBPROTOCOL) {
        let detail = format!("Offer the subprotocol {SUBPROTOCOL}.");
        return Err(Problem::new(Kind::Malformed, detail));
    }
    // One that names none isn't a handshake at all, and is refused as that.
    if headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|named| named != VERSION) {
        let detail = format!("Speak version {VERSION} of the WebSocket protocol (RFC 6455).");
        return Err(Problem::new(Kind::UpgradeRequired, detail));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let own = origin.split_once("://").is_some_and(|(_, rest)| rest == host);
        if !own && !admitted.desk_origins.iter().any(|one| one == origin) {
            let detail = "The page's origin may not use the socket; see desk_origins.";
            return Err(Problem::forbidden(detail));
        }
    }
    Ok(admitted)
}

fn refuse(problem: &Problem) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(problem.status())
        .expect("problems have valid statuses");
    let body = serde_json::to_string(problem).expect("a problem is plain JSON");
    let mut response = HttpResponse::build(status);
    response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header((CACHE_CONTROL, "no-store"));
    if problem.kind == Kind::Unauthorized {
        response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    if problem.kind == Kind::UpgradeRequired {
        // RFC 6455, section 4.4; RFC 9110 asks for `Upgrade` with this status.
        response.insert_header((UPGRADE, "websocket"));
        response.insert_header((SEC_WEBSOCKET_VERSION, VERSION));
    }
    if let Some(seconds) = problem.retry_after_seconds {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.content_type(MEDIA_TYPE).body(body)
}

/// Without a text beside the code: the code says all, and is what is documented.
fn close_reason(code: CloseCode) -> CloseReason {
    ws::CloseCode::Other(code.as_u16()).into()
}

/// Moves frames. When it is dropped, for whatever reason, the pump hears that the client is gone.
struct Session {
    to_pump: mpsc::UnboundedSender<FromClient>,
    /// Dropped with the session, which the pump hears at once.
    _alive: oneshot::Sender<()>,
    inflow: Arc<Inflow>,
    outflow: Arc<Outflow>,
    /// A text that comes in several frames.
    fragments: Option<Vec<u8>>,
}

impl Session {
    /// The pump bounds what is on its way by the guard's count.
    fn tell(&self, message: FromClient) {
        self.inflow.arrived();
        // A pump that is gone has ended the session.
        let _ = self.to_pump.send(message);
    }

    fn fragment(&mut self, item: Item) {
        let (bytes, last) = match item {
            Item::FirstText(bytes) => {
                self.fragments = Some(Vec::new());
                (bytes, false)
            }
            Item::FirstBinary(_) => {
                self.tell(FromClient::Binary);
                return;
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let Some(all) = &mut self.fragments else { return };
        if all.len() + bytes.len() > FRAME_MAX {
            self.fragments = None;
            self.outflow.cut_off(CloseCode::TooLarge);
            return;
        }
        all.extend_from_slice(&bytes);
        if last && let Some(all) = self.fragments.take() {
            self.tell(match String::from_utf8(all) {
                Ok(text) => FromClient::Text(text),
                Err(_) => FromClient::Binary,
            });
        }
    }
}

impl Actor for Session {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.add_stream(Drain::new(Arc::clone(&self.outflow)));
    }
}

impl StreamHandler<Outgoing> for Session {
    fn handle(&mut self, outgoing: Outgoing, context: &mut Self::Context) {
        match outgoing {
            Outgoing::Text(text) => context.text(text),
            Outgoing::Ping => context.ping(b""),
            Outgoing::Close(code) => {
                context.close(Some(close_reason(code)));
                context.stop();
            }
        }
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<Message, ProtocolError>, context: &mut Self::Context) {
        if message.is_ok() {
            self.inflow.decoded();
        }
        match message {
            Ok(Message::Text(text)) => self.tell(FromClient::Text(text.to_string())),
            Ok(Message::Binary(_)) => self.tell(FromClient::Binary),
            Ok(Message::Ping(bytes)) => context.pong(&bytes),
            Ok(Message::Continuation(item)) => self.fragment(item),
            Ok(Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            // That something came is a sign of life, which the guard has noted.
            Ok(Message::Pong(_) | Message::Nop) => {}
            Err(error) => {
                let large = self.inflow.was_too_large() || matches!(error, ProtocolError::Overflow);
                let code = if large { CloseCode::TooLarge } else { CloseCode::NoFrames };
                self.outflow.ended_by_actor(code);
                context.close(Some(close_reason(code)));
                context.stop();
            }
        }
    }

    fn finished(&mut self, context: &mut Self::Context) {
        context.stop();
    }
}
