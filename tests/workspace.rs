//! A workspace above the real stores: what it acknowledged is there again after a restart, and
//! what lapsed is gone; its bounds hold.

#[path = "workspace/lapse.rs"]
mod lapse;
#[path = "support/redis.rs"]
mod redis_server;
#[path = "workspace/room.rs"]
mod room;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringback::domain::agent::Presence;
use ringback::domain::callback::{Booking, Channel, Outcome, Request, State};
use ringback::domain::effect::Notice;
use ringback::domain::ids::{AgentId, CallbackId, QueueId, SessionId, WorkspaceId};
use ringback::domain::message::{Action, OfferAnswer, Who, Wish};
use ringback::domain::policy::{AgentSettings, Capacity, Membership, QueueSettings};
use ringback::domain::refusal::Refusal;
use ringback::domain::skills::Skills;
use ringback::domain::time::{Span, Timestamp};
use ringback::domain::zone::TimeZone;
use ringback::engine::clock::Clock;
use ringback::engine::entry::{IdempotencyKey, Keyed};
use ringback::engine::handle::{Handle, SessionOutlet, ToSession};
use ringback::engine::library::{ListFilter, ListRead, SortKey};
use ringback::engine::outward::Outward;
use ringback::engine::system::{Ended, EngineConfig, Limits, Running, Workspace};
use ringback::store::index::RowCodec;
use ringback::store::library::StoreLibrary;
use ringback::store::{MemoryStore, OpenStore, StoreUrl};
use tokio::sync::mpsc;

/// Where the workspace is kept from one start to the next.
enum Place {
    Memory(MemoryStore),
    Embedded(tempfile::TempDir),
    Redis(redis_server::RedisServer),
}

impl Place {
    fn both() -> [Self; 2] {
        let directory = tempfile::tempdir().expect("a directory");
        [Self::Memory(MemoryStore::new()), Self::Embedded(directory)]
    }

    async fn open(&self) -> OpenStore {
        match self {
            Self::Memory(store) => store.open(),
            Self::Embedded(directory) => {
                let url = format!("embedded:{}", directory.path().display());
                let url: StoreUrl = url.parse().expect("a URL");
                url.open(&workspace_id()).await.expect("nobody else has it open")
            }
            Self::Redis(server) => {
                let url: StoreUrl = server.url().parse().expect("a URL");
                url.open(&workspace_id()).await.expect("opening needs no server")
            }
        }
    }

    async fn start(&self) -> (Handle, Running) {
        // Nothing here is about being too slow, however busy the machine is.
        let limits = Limits { admission_wait: Span::minutes(1), ..Limits::default() };
        self.start_at(Clock::system(), limits).await
    }

    async fn start_at(&self, clock: Clock, limits: Limits) -> (Handle, Running) {
        let config = EngineConfig {
            workspace: workspace_id(),
            limits,
            queues: vec![QueueSettings::new(queue_id())],
            agents: vec![mara_settings()],
            keys: Vec::new(),
            secret: None,
            clock: Arc::new(clock),
            outward: Outward::default(),
        };
        let OpenStore { log, tables } = self.open().await;
        let library = Box::new(|rows| Arc::new(StoreLibrary::new(rows)) as Arc<_>);
        let started = Workspace::start(config, log, tables, Arc::new(RowCodec), library).await;
        started.expect("it starts")
    }
}

fn workspace_id() -> WorkspaceId {
    WorkspaceId::parse("main").expect("a slug")
}

fn queue_id() -> QueueId {
    QueueId::parse("billing").expect("a slug")
}

fn mara() -> AgentId {
    AgentId::parse("mara").expect("a slug")
}

fn mara_settings() -> AgentSettings {
    AgentSettings {
        id: mara(),
        name: "Mara".to_owned(),
        queues: vec![Membership { queue: queue_id(), preference: 1 }],
        skills: Skills::default(),
        capacity: Capacity::default(),
    }
}

fn wish(external_id: &str) -> Wish {
    let mut request = Request::by("Ada Lovelace", Channel::Portal);
    request.customer.id = Some(external_id.to_owned());
    request.short_description = Some("Charged twice".to_owned());
    request.external_id = Some(external_id.to_owned());
    Wish::asap(queue_id(), Who::Channel, request)
}

fn keyed(key: u8) -> Keyed {
    Keyed { key: IdempotencyKey([key; 32]), fingerprint: [key; 32] }
}

async fn create(handle: &Handle, external_id: &str) -> CallbackId {
    handle.create(wish(external_id), None).await.expect("taken").value.callback.id
}

async fn state(handle: &Handle, id: CallbackId) -> State {
    handle.callback(id).await.expect("readable").expect("there").callback.state()
}

struct Outlet(Mutex<mpsc::UnboundedSender<ToSession>>);

impl SessionOutlet for Outlet {
    fn put(&self, message: ToSession) {
        // A session that was dropped reads no more.
        let _ = self.0.lock().expect("no panic").send(message);
    }
}

async fn connect(handle: &Handle) -> (SessionId, mpsc::UnboundedReceiver<ToSession>) {
    let (outlet, sent) = mpsc::unbounded_channel();
    let id = handle.connect(mara(), Box::new(Outlet(Mutex::new(outlet)))).await;
    (id.expect("the agent is known"), sent)
}

async fn next(sent: &mut mpsc::UnboundedReceiver<ToSession>) -> ToSession {
    let next = tokio::time::timeout(Duration::from_secs(10), sent.recv()).await;
    next.expect("something comes").expect("the session is up")
}

/// The next callback offered, taken.
async fn accept(
    handle: &Handle,
    session: SessionId,
    sent: &mut mpsc::UnboundedReceiver<ToSession>,
) -> CallbackId {
    loop {
        if let ToSession::Notice(Notice::Offered { callback }) = next(sent).await {
            let offer = callback.offer().expect("it has a pending offer").id;
            handle.session_answer_offer(session, 1, offer, OfferAnswer::Accept).await;
            return callback.id;
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_again() {
    for place in Place::both() {
        let (handle, running) = place.start().await;
        let secret = handle.secret();
        let (session, mut sent) = connect(&handle).await;
        handle.session_presence(session, 0, Presence::Available, None).await;
        let made = handle.create(wish("X-1"), Some(keyed(1))).await.expect("taken").value;
        let called = accept(&handle, session, &mut sent).await;
        assert_eq!(called, made.callback.id);
        handle.session_act(session, 2, called, Action::Call).await;
        let waiting = create(&handle, "X-2").await;
        let hour = 3_600_000;
        let start = Timestamp(handle.now().0 / hour * hour) + Span::days(1);
        let scheduled = wish("X-3").booked(Booking::at(start, TimeZone::utc()));
        let booked = handle.create(scheduled, None).await.expect("taken").value.callback.id;
        assert_eq!(running.drain().await, Ended::Drained);

        let (handle, running) = place.start().await;
        assert_eq!(handle.secret(), secret);
        assert_eq!(state(&handle, called).await, State::Calling);
        assert_eq!(state(&handle, waiting).await, State::Queued);
        assert_eq!(state(&handle, booked).await, State::Open);
        let full = handle.callback(waiting).await.expect("readable").expect("it is there");
        let line = handle.in_line(&full.callback).await.expect("told");
        assert_eq!(line.map(|line| line.position), Some(1));
        let again = handle.create(wish("X-1"), Some(keyed(1))).await.expect("kept");
        assert!(again.replayed && again.value.callback == made.callback);
        let found = handle.create(wish("X-2"), None).await.expect("it waits").value;
        assert_eq!((found.created, found.callback.id), (false, waiting));
        let refused = handle.create(wish("X-1"), None).await.err();
        assert_eq!(refused, Some(Refusal::Duplicate { id: called }.into()));
        let (_, mut sent) = connect(&handle).await;
        let ToSession::Welcome(welcome) = next(&mut sent).await else { panic!("it comes first") };
        assert_eq!(welcome.assignments.len(), 1);
        let who = Who::Agent(mara());
        let outcome = Action::Outcome { outcome: Outcome::Answered, notes: None };
        let answered = handle.act(called, who, outcome, None, None).await.expect("theirs");
        assert!(answered.value.callback.version > made.callback.version);
        // Numbers go on where they were; the two requests that made nothing took one each.
        assert_eq!(handle.create(wish("X-4"), None).await.expect("taken").value.callback.number, 6);
        assert_eq!(running.drain().await, Ended::Drained);
    }
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_all_there_and_numbered_once() {
    for place in Place::both() {
        let (handle, running) = place.start().await;
        let ask = |count: u32| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.create(wish(&format!("X-{count}")), None).await })
        };
        let asked: Vec<_> = (0..1_000).map(ask).collect();
        let mut ids = BTreeSet::new();
        for one in asked {
            ids.insert(one.await.expect("no panic").expect("taken").value.callback.id);
        }
        assert_eq!(running.drain().await, Ended::Drained);

        let (handle, running) = place.start().await;
        let (mut found, mut numbers, mut after) = (BTreeSet::new(), BTreeSet::new(), None);
        loop {
            let read = ListRead {
                filter: ListFilter { queues: vec![queue_id()], ..ListFilter::default() },
                sort: SortKey::CreatedAt,
                descending: false,
                limit: 200,
                after,
            };
            let page = handle.list(read).await.expect("readable");
            found.extend(page.items.iter().map(|full| full.callback.id));
            numbers.extend(page.items.iter().map(|full| full.callback.number));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, ids);
        assert_eq!(numbers.len(), 1_000);
        assert_eq!(handle.queue_stats(queue_id()).await.expect("known").waiting, 1_000);
        assert_eq!(running.drain().await, Ended::Drained);
    }
}
