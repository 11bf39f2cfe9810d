//! What is kept for a time only is gone when that is over, on every store, and nothing else is.

use std::sync::Arc;

use bytes::Bytes;
use ringback::domain::callback::State;
use ringback::domain::measure::Tally;
use ringback::domain::time::Timestamp;
use ringback::engine::clock::ManualTime;
use ringback::engine::ports::RangeRead;
use ringback::store::keys;

use super::redis_server::{self, RedisServer};
use super::*;

const START: Timestamp = Timestamp(1_764_000_000_000);

/// Past a walk's rest and the pause between two batches.
const A_WHILE: Span = Span::minutes(6);

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

struct Rig {
    place: Place,
    time: Arc<ManualTime>,
    handle: Handle,
    running: Running,
}

impl Rig {
    async fn new(place: Place) -> Self {
        Self::start(place, ManualTime::starting_at(START)).await
    }

    async fn start(place: Place, time: Arc<ManualTime>) -> Self {
        let (retain, report) = (Span::days(2), Span::days(3));
        let limits = Limits { retain, report, ..Limits::default() };
        let (handle, running) = place.start_at(Clock::manual(Arc::clone(&time)), limits).await;
        Self { place, time, handle, running }
    }

    async fn restart(self) -> Self {
        let Self { place, time, running, .. } = self;
        assert_eq!(running.drain().await, Ended::Drained);
        Self::start(place, time).await
    }

    async fn cancel(&self, id: CallbackId) {
        let cancel = Action::Cancel { reason: None };
        let canceled = self.handle.act(id, Who::Supervisor(None), cancel, None, None).await;
        assert_eq!(canceled.expect("possible").value.callback.state(), State::Canceled);
    }

    /// Lets no time pass until `done`.
    async fn until(&self, what: &str, done: impl Fn(&[u64; 4]) -> bool) {
        let deadline = redis_server::now() + PATIENCE;
        while !done(&self.handle.health().removed) {
            let removed = self.handle.health().removed;
            assert!(redis_server::now() < deadline, "{what}: {removed:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass until `done`.
    async fn passing(&self, what: &str, done: impl Fn(&[u64; 4]) -> bool) {
        let deadline = redis_server::now() + PATIENCE;
        while !done(&self.handle.health().removed) {
            let removed = self.handle.health().removed;
            assert!(redis_server::now() < deadline, "{what}: {removed:?}");
            self.time.advance(Span::millis(100));
            tokio::task::yield_now().await;
        }
    }

    /// Ends it, and returns the names of the tables whose keys name one of these callbacks.
    async fn tables_naming(self, ids: &[CallbackId]) -> Vec<&'static str> {
        assert_eq!(self.running.drain().await, Ended::Drained);
        let OpenStore { mut log, tables } = self.place.open().await;
        tables.take(log.take().await.expect("taken").epoch).await.expect("taken");
        let mut naming = Vec::new();
        for table in keys::ALL.into_iter().filter(|table| table.is_ordered()) {
            let start = Bytes::new();
            let all = RangeRead { table, start, end: None, reverse: false, limit: 100_000 };
            for (key, _) in tables.range(all).await.expect("readable") {
                let names = |id: &CallbackId| key.windows(16).any(|part| part == id.to_bytes());
                if ids.iter().any(names) {
                    naming.push(table.name);
                }
            }
        }
        for id in ids {
            let rows = (1..3).map(|version| keys::request(*id, version));
            let rows = rows.chain((0..3).map(|index| keys::interaction(*id, index)));
            let found = tables.get(rows.collect()).await.expect("readable");
            naming.extend(found.iter().flatten().map(|_| "request or interaction"));
        }
        naming
    }
}

fn places() -> [Place; 3] {
    let [memory, embedded] = Place::both();
    [memory, embedded, Place::Redis(RedisServer::start())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_gone_with_all_its_traces_when_it_was_kept_long_enough() {
    for place in places() {
        let rig = Rig::new(place).await;
        let (session, mut sent) = connect(&rig.handle).await;
        rig.handle.session_presence(session, 0, Presence::Available, None).await;
        // Declined once, changed, offered again, called, reached, closed.
        let called = create(&rig.handle, "X-1").await;
        let offer = loop {
            if let ToSession::Notice(Notice::Offered { callback }) = next(&mut sent).await {
                break callback.offer().expect("it has a pending offer").id;
            }
        };
        let decline = OfferAnswer::Decline { reason: None };
        rig.handle.session_answer_offer(session, 1, offer, decline).await;
        while !matches!(next(&mut sent).await, ToSession::Answer { frame: 1, .. }) {}
        rig.time.advance(Span::minutes(2));
        assert_eq!(accept(&rig.handle, session, &mut sent).await, called);
        let acts = [
            Action::Call,
            Action::Outcome { outcome: Outcome::Answered, notes: None },
            Action::EndCall { notes: None },
            Action::Close { disposition: None, resolved: None, notes: None },
        ];
        for action in acts {
            let who = Who::Agent(mara());
            rig.handle.act(called, who, action, None, None).await.expect("theirs");
        }
        assert_eq!(state(&rig.handle, called).await, State::ClosedComplete);
        rig.time.advance(Span::days(1));
        let later = create(&rig.handle, "X-2").await;
        rig.cancel(later).await;
        assert_eq!(rig.handle.health().removed[1], 0);

        rig.time.advance(Span::days(1) + A_WHILE);
        rig.passing("the first is removed", |removed| removed[1] == 1).await;
        assert_eq!(rig.handle.callback(called).await.expect("readable"), None);
        assert_eq!(rig.handle.history(called, 0, 10).await.expect("readable"), []);
        assert_eq!(state(&rig.handle, later).await, State::Canceled);
        // Its external id is free, and its number isn't.
        let again = rig.handle.create(wish("X-1"), None).await.expect("taken").value.callback;
        assert_eq!(again.number, 3);
        rig.cancel(again.id).await;
        rig.time.advance(Span::days(2) + A_WHILE);
        rig.passing("all are removed", |removed| removed[1] == 3 && removed[2] >= 2).await;
        let rig = rig.restart().await;
        assert_eq!(create(&rig.handle, "X-9").await, {
            let page = rig.handle.list(all()).await.expect("readable");
            assert_eq!(page.items[0].callback.number, 4, "all before are gone");
            page.items[0].callback.id
        });
        assert_eq!(rig.tables_naming(&[called, later, again.id]).await, Vec::<&str>::new());
    }
}

fn all() -> ListRead {
    let filter = ListFilter::default();
    ListRead { filter, sort: SortKey::CreatedAt, descending: false, limit: 200, after: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_on_where_a_restart_cut_it() {
    for place in places() {
        let rig = Rig::new(place).await;
        let mut ids = Vec::new();
        for count in 0..70 {
            ids.push(create(&rig.handle, &format!("X-{count}")).await);
            rig.cancel(ids[count]).await;
        }
        let kept = create(&rig.handle, "X-kept").await;
        rig.time.advance(Span::days(2) + A_WHILE);
        // Time stands still, so the second batch doesn't come before the restart.
        rig.until("a batch is removed", |removed| removed[1] > 0).await;
        assert_eq!(rig.handle.health().removed[1], 32);
        let rig = rig.restart().await;
        rig.passing("the others are removed", |removed| removed[1] == 38).await;
        let left = rig.handle.list(all()).await.expect("readable").items;
        assert_eq!(left.iter().map(|full| full.callback.id).collect::<Vec<_>>(), [kept]);
        assert_eq!(rig.tables_naming(&ids).await, Vec::<&str>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_as_good_as_new_after_a_day() {
    for place in places() {
        let rig = Rig::new(place).await;
        let ask = async |rig: &Rig| {
            let answered = rig.handle.create(wish_without_id(), Some(keyed(1))).await;
            let answered = answered.expect("taken");
            (answered.value.callback.id, answered.replayed)
        };
        let (first, _) = ask(&rig).await;
        rig.time.advance(Span::days(1) - Span::millis(1));
        assert_eq!(ask(&rig).await, (first, true));
        rig.time.advance(Span::millis(1));
        // Not removed yet, and not valid any more.
        let (second, replayed) = ask(&rig).await;
        assert!(!replayed && second != first);
        rig.time.advance(A_WHILE);
        rig.passing("the first answer is removed", |removed| removed[0] == 1).await;
        assert_eq!(ask(&rig).await, (second, true), "the newer answer stays");
        rig.time.advance(Span::days(1) + A_WHILE);
        rig.passing("the second is removed", |removed| removed[0] == 2).await;
        assert!(!ask(&rig).await.1);
        assert_eq!(rig.running.drain().await, Ended::Drained);
    }
}

fn wish_without_id() -> Wish {
    let wish = wish("");
    let request = Request { external_id: None, ..Request::clone(&wish.request) };
    Wish { request: Arc::new(request), ..wish }
}

/// Keys that are used again while their older answers are removed keep the newer ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_used_again_under_the_walk_keeps_its_newer_answer() {
    const KEYS: u8 = 200;
    for place in places() {
        let rig = Rig::new(place).await;
        let ask_all = async || {
            let ask = |key: u8| {
                let handle = rig.handle.clone();
                tokio::spawn(
                    async move { handle.create(wish_without_id(), Some(keyed(key))).await },
                )
            };
            let mut answers = Vec::new();
            for asked in (0..KEYS).map(ask).collect::<Vec<_>>() {
                let answered = asked.await.expect("no panic").expect("taken");
                answers.push((answered.value.callback.id, answered.replayed));
            }
            answers
        };
        ask_all().await;
        // Both begin at once: the walk removes, and the keys are used.
        rig.time.advance(Span::days(1) + A_WHILE);
        let newer = ask_all().await;
        assert!(newer.iter().all(|(_, replayed)| !replayed));
        let all = u64::from(KEYS);
        rig.passing("the older answers are removed", |removed| removed[0] == all).await;
        let again = ask_all().await;
        assert!(again.iter().all(|(_, replayed)| *replayed));
        assert!(again.iter().zip(&newer).all(|((id, _), (newer, _))| id == newer));
        assert_eq!(rig.running.drain().await, Ended::Drained);
    }
}

/// Callbacks made, as told of a time.
async fn made(rig: &Rig, from: Timestamp, to: Timestamp) -> u64 {
    let mut count = 0;
    let told = rig.handle.measured(from, to, |measured| {
        if let Tally::Intake(_, intake) = measured.tally {
            count += intake.created_where(|_, _, _| true);
        }
    });
    told.await.expect("readable");
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_outlasts_memory_and_goes_when_it_was_kept_long_enough() {
    for place in places() {
        let rig = Rig::new(place).await;
        create(&rig.handle, "X-1").await;
        create(&rig.handle, "X-2").await;
        let hours = |count: u32| START + Span::minutes(60 * count);
        assert_eq!(made(&rig, START - Span::minutes(15), hours(1)).await, 2);
        // Memory knows a day and an hour or two.
        rig.time.advance(Span::minutes(60 * 31));
        let rig = rig.restart().await;
        create(&rig.handle, "X-3").await;
        let before = START - Span::minutes(15);
        for (from, to, expected) in [
            (before, hours(1), 2),
            (before, hours(40), 3),
            (hours(1), hours(40), 1),
            (hours(1), hours(6), 0),
            (hours(32), hours(40), 0),
        ] {
            assert_eq!(made(&rig, from, to).await, expected, "{from:?} to {to:?}");
        }
        rig.time.advance(Span::days(2));
        rig.passing("the first quarter is removed", |removed| removed[3] == 1).await;
        assert_eq!(made(&rig, before, hours(90)).await, 1);
        assert_eq!(rig.running.drain().await, Ended::Drained);
    }
}
