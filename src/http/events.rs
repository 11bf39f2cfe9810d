//! `GET /v1/events`: events as they become durable, in a stream that can be taken up again.
//!
//! Pulled by the connection: as long as what was written isn't taken, nothing more is read, so a
//! reader that is slow costs no memory, and one that stands still is cut off as every connection
//! is. It then begins again with the id that it has. Must never wait for a reader.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::web::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::call::Call;
use super::reply::Reply;
use super::state::Workspace;
use crate::domain::callback::Channel;
use crate::domain::event::Event;
use crate::domain::ids::{CallbackId, WorkspaceId};
use crate::domain::key::ApiKey;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use crate::engine::feed::EventFeed;
use crate::engine::handle::Handle;
use crate::engine::library::StoredEvent;
use crate::engine::places::Place;
use crate::engine::ports::PortFuture;
use crate::wire::event::EventBody;
use crate::wire::problem::{Kind, PLACE_SECONDS, Problem};
use crate::wire::query::Query;
use crate::wire::role::Role;

const MEDIA_TYPE: &str = "text/event-stream";

/// Streams at once, per workspace: each reads every event.
const MAX_STREAMS: usize = 100;

/// Events read at once.
const READ_AT_ONCE: usize = 256;

/// After so long without an event comes a sign of life, which also tells how far was read.
const QUIET: Span = Span::seconds(15);

/// A client that has gone is noticed when something is written to it; one that closed its
/// connection with the second write, for the first only makes its system answer. So where no place
/// is left each open stream is written to this often, and whoever asks for one waits as long.
const LOOKS: u32 = 5;

/// Between two of them.
const LOOK: Span = Span::millis(100);

/// How long clients wait before they come again, in milliseconds.
const COME_AGAIN: &str = "retry: 1000\n\n";

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /v1/events`.
pub(super) async fn stream(call: &Call<'_>) -> Result<Reply, Problem> {
    call.not_public()?;
    let channel = match call.role() {
        Role::Channel { channel, .. } => Some(*channel),
        role if role.supervises() => None,
        _ => return Err(Problem::forbidden("Only supervisors and channels may follow events.")),
    };
    let pairs = call.query()?;
    Query::new(&pairs).finish().map_err(Problem::invalid)?;
    let workspace = call.workspace();
    let handle = workspace.handle.clone();
    let after = begin(call, &handle).await?;
    if call.request.method() == Method::HEAD {
        // Nobody would read what comes, nor be seen to leave.
        return Ok(Reply::text(MEDIA_TYPE, ""));
    }
    let seat = seat(call, workspace).await?;
    let following = Following {
        feed: EventFeed::new(handle.clone()),
        quiet: handle.wait(QUIET),
        handle,
        workspace: workspace.id.clone(),
        channel,
        after,
        expires_at: call.caller.expires_at,
        key: call.caller.key.clone(),
        asked: workspace.streams.asked.subscribe(),
        _seat: seat,
    };
    let first = futures_util::stream::iter([Ok(Bytes::from_static(COME_AGAIN.as_bytes()))]);
    let rest = futures_util::stream::unfold(following, Following::next);
    Ok(Reply::stream(MEDIA_TYPE, futures_util::StreamExt::chain(first, rest)))
}

/// One of the places that a credential has, and one of the workspace's.
async fn seat(call: &Call<'_>, workspace: &Workspace) -> Result<Seat, Problem> {
    let streams = &workspace.streams;
    for _ in 0..LOOKS {
        if let Ok(seat) = take_seat(call, streams) {
            return Ok(seat);
        }
        // One asks for all who wait.
        let turn = streams.look.try_acquire();
        if turn.is_ok() {
            streams.asked.send_replace(());
        }
        workspace.handle.wait(LOOK).await;
    }
    take_seat(call, streams)
}

fn take_seat(call: &Call<'_>, streams: &Streams) -> Result<Seat, Problem> {
    let places = &call.shared.streams_of;
    let place = places.take(call.caller.identity);
    let place =
        place.ok_or_else(|| Problem::all_open(places.most(), "streams with this credential"))?;
    let permit = streams.free.clone().try_acquire_owned().map_err(|_full| {
        let detail = format!("{MAX_STREAMS} streams are open; close one, or try again later.");
        Problem::new(Kind::Overloaded, detail).retry_after(PLACE_SECONDS)
    })?;
    Ok(Seat { _place: place, _permit: permit })
}

/// The id after which it begins: the client's last, or the newest now.
async fn begin(call: &Call<'_>, handle: &Handle) -> Result<u64, Problem> {
    let newest = handle.newest_event().await?;
    let Some(text) = call.request.headers().get(LAST_EVENT_ID) else { return Ok(newest) };
    let last = text.to_str().ok().and_then(|text| text.trim().parse().ok());
    let Some(last) = last.filter(|last: &u64| *last <= newest) else {
        let detail = "must be the id of an event, or be left out";
        return Err(Problem::field("/Last-Event-ID", detail));
    };
    if last < handle.events_gone_to().await? {
        let detail = "Events after that one are gone already; read what you need, and begin anew \
                      without Last-Event-ID.";
        return Err(Problem::new(Kind::Gone, detail));
    }
    Ok(last)
}

/// The streams of a workspace.
pub(super) struct Streams {
    /// How many may still be opened.
    free: Arc<Semaphore>,
    /// All of them are to show whether they are there.
    asked: watch::Sender<()>,
    /// Held by who has asked, until it is seen who was there.
    look: Semaphore,
}

impl Streams {
    /// None is open.
    pub(super) fn new() -> Self {
        let free = Arc::new(Semaphore::new(MAX_STREAMS));
        Self { free, asked: watch::Sender::new(()), look: Semaphore::new(1) }
    }
}

/// Held until the stream ends.
struct Seat {
    _place: Place<[u8; 32]>,
    _permit: OwnedSemaphorePermit,
}

/// A stream that is open.
struct Following {
    handle: Handle,
    feed: EventFeed,
    workspace: WorkspaceId,
    /// Whose callbacks are shown, and nothing else; none: everything.
    channel: Option<Channel>,
    after: u64,
    /// Ends when a sign of life is due.
    quiet: PortFuture<'static, ()>,
    expires_at: Option<Timestamp>,
    /// The key that it was opened with, if with one.
    key: Option<Arc<ApiKey>>,
    asked: watch::Receiver<()>,
    _seat: Seat,
}

impl Following {
    /// The next part; none: the stream ends, and the client comes again with what it has.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            if self.is_over() {
                return None;
            }
            tokio::select! {
                biased;
                // First: others' events, which aren't shown, may come without a pause.
                () = &mut self.quiet => return Some(self.show()),
                Ok(()) = self.asked.changed() => return Some(self.show()),
                () = self.feed.more() => {}
                () = self.feed.ended() => return None,
                () = ended(&self.handle, self.expires_at) => continue,
            }
            let events = self.feed.read(self.after, READ_AT_ONCE).await.ok()?;
            let text = self.print(events).await.ok()?;
            if !text.is_empty() {
                return Some(self.say(text));
            }
        }
    }

    /// A sign of life.
    fn show(self) -> (Result<Bytes, Infallible>, Self) {
        // An id without data is remembered and shown to nobody.
        let sign = format!(":\nid: {}\n\n", self.after);
        self.say(sign)
    }

    fn say(mut self, text: String) -> (Result<Bytes, Infallible>, Self) {
        self.quiet = self.handle.wait(QUIET);
        (Ok(text.into()), self)
    }

    /// Whether the credential isn't good any more.
    fn is_over(&self) -> bool {
        self.expires_at.is_some_and(|end| self.handle.now() >= end)
            || self.key.as_ref().is_some_and(|key| !self.handle.keys().holds(key))
    }

    async fn print(&mut self, events: Vec<StoredEvent>) -> Result<String, Refusal> {
        let mut text = String::new();
        let mut seen = BTreeMap::new();
        for event in events {
            self.after = event.id;
            if !self.shows(&event.event, &mut seen).await? {
                continue;
            }
            let body = EventBody::new(&event, &self.workspace);
            let body = if self.channel.is_some() { body.without_agents() } else { body };
            let data = serde_json::to_string(&body).expect("an event is texts and numbers");
            let name = event.event.name();
            write!(text, "id: {}\nevent: {name}\ndata: {data}\n\n", event.id)
                .expect("a string takes any text");
        }
        Ok(text)
    }

    /// Whether the caller may see it; `seen`: what is known of callbacks.
    async fn shows(
        &self,
        event: &Event,
        seen: &mut BTreeMap<CallbackId, bool>,
    ) -> Result<bool, Refusal> {
        let Some(own) = self.channel else { return Ok(true) };
        let Event::Callback(id, _) = event else { return Ok(false) };
        if let Some(shown) = seen.get(id) {
            return Ok(*shown);
        }
        let shown = self.handle.channel_of(*id).await? == Some(own);
        seen.insert(*id, shown);
        Ok(shown)
    }
}

/// Ends with the credential.
async fn ended(handle: &Handle, expires_at: Option<Timestamp>) {
    match expires_at {
        Some(end) => handle.wait(end.since(handle.now()).max(Span::ZERO)).await,
        None => std::future::pending().await,
    }
}
