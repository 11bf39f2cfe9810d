//! What is read is what was written, by the codec's own rows in an ordered map.

mod lists;
mod outbox;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::task::yield_now;

use super::*;
use crate::domain::callback::{Phase, Request};
use crate::domain::effect::Change;
use crate::domain::event::Event;
use crate::domain::ids::AgentId;
use crate::domain::time::Span;
use crate::engine::contacts::Contacts;
use crate::engine::entry::{Entry, KeptAnswer, Keyed, Secret};
use crate::engine::library::Codec;
use crate::engine::ports::RowWrite;
use crate::store::index::RowCodec;
use crate::store::samples::Sampler;
use crate::store::samples::callbacks::id;

const AT: Timestamp = Timestamp(1_000);

/// Rows in an ordered map, with a count of reads.
#[derive(Default)]
pub(super) struct MapRows {
    rows: Mutex<BTreeMap<RowKey, Bytes>>,
    newest: AtomicUsize,
    reads: AtomicUsize,
    read_keys: AtomicUsize,
}

impl MapRows {
    pub(super) fn write(&self, entry: &Entry) {
        let number = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
        let rows = RowCodec.rows(number as u64, entry).rows;
        self.apply(rows);
    }

    pub(super) fn apply(&self, rows: Vec<RowWrite>) {
        let mut map = self.rows.lock().expect("no test panics while it writes");
        for row in rows {
            match row.value {
                Some(value) => map.insert(row.key, value),
                None => map.remove(&row.key),
            };
        }
    }

    pub(super) fn change(&self, change: Change) {
        let changes = vec![change];
        self.write(&Entry { at: AT, changes, events: Vec::new(), kept: None, secret: None });
    }

    /// An index row.
    pub(super) fn put(&self, key: RowKey) {
        self.apply(vec![RowWrite { key, value: Some(Bytes::new()) }]);
    }

    /// All keys.
    pub(super) fn keys(&self) -> Vec<RowKey> {
        let map = self.rows.lock().expect("no test panics while it writes");
        map.keys().cloned().collect()
    }

    /// Rows that name a callback, in key or value.
    pub(super) fn naming(&self, id: CallbackId) -> Vec<RowKey> {
        let map = self.rows.lock().expect("no test panics while it writes");
        let names = |bytes: &[u8]| bytes.windows(16).any(|part| part == id.to_bytes());
        let rows = map.iter().filter(|(key, value)| names(&key.key) || names(value));
        rows.map(|(key, _)| key.clone()).collect()
    }

    fn drop_row(&self, key: RowKey) {
        self.apply(vec![RowWrite { key, value: None }]);
    }
}

impl Rows for MapRows {
    fn newest(&self) -> EntryNumber {
        self.newest.load(Ordering::Relaxed) as u64
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read_keys.fetch_add(keys.len(), Ordering::Relaxed);
        let map = self.rows.lock().expect("no test panics while it writes");
        let values = keys.iter().map(|key| map.get(key).cloned()).collect();
        Box::pin(async { Ok(values) })
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        assert!(read.table.is_ordered(), "{} has no order", read.table.name);
        self.reads.fetch_add(1, Ordering::Relaxed);
        let map = self.rows.lock().expect("no test panics while it writes");
        let in_range = |key: &RowKey| {
            let below = read.end.as_ref().is_none_or(|end| key.key < *end);
            key.table == read.table && key.key >= read.start && below
        };
        let first = RowKey { table: read.table, key: read.start.clone() };
        let behind = map.range(first..).take_while(|(key, _)| key.table == read.table);
        let rows = behind.filter(|(key, _)| in_range(key));
        let rows = rows.map(|(key, value)| (key.key.clone(), value.clone()));
        let mut rows: Vec<_> = rows.collect();
        if read.reverse {
            rows.reverse();
        }
        rows.truncate(read.limit);
        Box::pin(async { Ok(rows) })
    }
}

/// The same, with each read waited for once, so that two readers go on in turns.
struct WaitedFor(Arc<MapRows>);

impl Rows for WaitedFor {
    fn newest(&self) -> EntryNumber {
        self.0.newest()
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        self.0.get(keys)
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async {
            let rows = self.0.range(read).await;
            yield_now().await;
            rows
        })
    }
}

/// The rows of a map are there at once, so no future waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing waits here"),
    }
}

fn workspace() -> (Arc<MapRows>, StoreLibrary) {
    let rows = Arc::new(MapRows::default());
    (Arc::clone(&rows), StoreLibrary::new(rows))
}

fn put(rows: &MapRows, callback: &Callback) -> Arc<Callback> {
    let after = Arc::new(callback.clone());
    rows.change(Change::Callback { before: None, after: Arc::clone(&after) });
    after
}

fn put_request(rows: &MapRows, callback: CallbackId, request: &Request) {
    let after = Arc::new(request.clone());
    rows.change(Change::Request { callback, before: None, after });
}

fn is_damaged<T: std::fmt::Debug>(read: Result<T, StoreError>, place: &str) {
    match read {
        Err(StoreError::Damaged { place: told, .. }) => {
            assert!(told.starts_with(place), "{told} instead of {place}");
        }
        other => panic!("damage must be told, not {other:?}"),
    }
}

#[test]
fn a_callback_is_completed_by_its_version_of_the_texts_and_its_ended_interactions_alone() {
    let (rows, library) = workspace();
    let mut sampler = Sampler::full(1);
    let mut callback = sampler.callback(1, State::Calling);
    (callback.request_version, callback.interactions) = (2, 3);
    let callback = put(&rows, &callback);
    let texts = [1, 2, 3].map(|version| Request { version, ..sampler.request(callback.channel) });
    for request in &texts {
        put_request(&rows, callback.id, request);
    }
    let ended = [0, 1, 2].map(|_| sampler.interaction());
    for (index, interaction) in (0..).zip(&ended) {
        let interaction = Box::new(interaction.clone());
        rows.change(Change::Interaction { callback: callback.id, index, interaction });
    }
    rows.reads.store(0, Ordering::Relaxed);
    let full = now(library.complete(Arc::clone(&callback))).expect("all is there");
    assert_eq!(rows.reads.load(Ordering::Relaxed), 1);
    assert_eq!(*full.request, texts[1]);
    assert_eq!(full.ended, ended[..2], "the third is the live one");
    assert_eq!(now(library.callback(callback.id)).expect("no damage"), Some(callback));
    assert_eq!(now(library.callback(id(99))).expect("no damage"), None);
}

#[test]
fn what_a_record_says_is_there_must_be_there() {
    let (rows, library) = workspace();
    let mut sampler = Sampler::full(1);
    let mut callback = sampler.callback(1, State::Queued);
    callback.interactions = 2;
    let callback = put(&rows, &callback);
    is_damaged(now(library.complete(Arc::clone(&callback))), "request/");
    put_request(&rows, callback.id, &sampler.request(callback.channel));
    is_damaged(now(library.complete(Arc::clone(&callback))), "interaction/");
    rows.drop_row(keys::callback(callback.id));
    is_damaged(now(library.live(None, 10)), "callback/");
}

#[test]
fn history_is_a_callbacks_own_events_oldest_first() {
    let (rows, library) = workspace();
    let mut sampler = Sampler::full(1);
    let mut expected = Vec::new();
    for number in 1..=3_u64 {
        for callback in [id(1), id(2)] {
            let mut events = sampler.events(callback);
            events.truncate(26);
            let entry = Entry { at: AT, changes: vec![], events, kept: None, secret: None };
            rows.write(&entry);
            let first = rows.newest() * 32;
            let events = entry.events.into_iter().filter(|event| is_of(event, id(2)));
            let events = (first..).zip(events);
            expected.extend(events.map(|(id, event)| StoredEvent { id, at: AT, event }));
        }
        assert_eq!(expected.len() as u64, number * 24);
    }
    assert_eq!(now(library.history(id(2), 0, 1_000)).expect("no damage"), expected);
    let mut paged = Vec::new();
    loop {
        let after = paged.last().map_or(0, |event: &StoredEvent| event.id);
        let page = now(library.history(id(2), after, 7)).expect("no damage");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 7 && paged.len() < expected.len());
        paged.extend(page);
    }
    assert_eq!(paged, expected);
    assert_eq!(now(library.history(id(2), u64::MAX, 7)).expect("no damage"), []);
    rows.drop_row(keys::event(expected[0].id));
    is_damaged(now(library.history(id(2), 0, 7)), "event/");
}

fn is_of(event: &Event, callback: CallbackId) -> bool {
    matches!(event, Event::Callback(id, _) if *id == callback)
}

#[test]
fn an_answer_is_kept_for_a_day() {
    let (rows, library) = workspace();
    let key = IdempotencyKey([1; 32]);
    let queue = Arc::new(Sampler::full(1).queue(QueueId::parse("billing").expect("a slug")));
    let keyed = Keyed { key, fingerprint: [2; 32] };
    let kept = Kept { keyed, at: AT, answer: KeptAnswer::Queue(queue) };
    let (changes, events) = (Vec::new(), Vec::new());
    rows.write(&Entry { at: AT, changes, events, kept: Some(kept.clone()), secret: None });
    let at = |millis: i64| now(library.kept(key, AT + Span::millis(millis))).expect("no damage");
    assert_eq!(at(86_400_000 - 1), Some(kept));
    assert_eq!(at(86_400_000), None);
    assert_eq!(now(library.kept(IdempotencyKey([3; 32]), AT)).expect("no damage"), None);
}

#[test]
fn an_external_id_is_found_in_its_own_channel() {
    let (rows, library) = workspace();
    let mut request = Sampler::full(1).request(Channel::Portal);
    request.external_id = Some("E7".to_owned());
    put_request(&rows, id(4), &request);
    let find = |channel, id: &str| now(library.external(channel, id.to_owned())).expect("sound");
    assert_eq!(find(Channel::Portal, "E7"), Some(id(4)));
    assert_eq!(find(Channel::Chat, "E7"), None);
    assert_eq!(find(Channel::Portal, "E"), None);
}

#[test]
fn dormant_callbacks_come_by_time_then_id_from_after_to_until() {
    let (rows, library) = workspace();
    let mut all = Vec::new();
    for (count, wake_at) in (1..).zip([-5, 0, 5, 5, 5, 9, i64::MAX]) {
        let mut callback = Sampler::full(1).callback(count, State::Open);
        if let Phase::Open { wake_at: at, .. } = &mut callback.phase {
            *at = Timestamp(wake_at);
        }
        put(&rows, &callback);
        put(&rows, &Sampler::full(1).callback(count + 100, State::Queued));
        all.push((Timestamp(wake_at), callback.id));
    }
    let due = |after, until, limit| now(library.due(after, until, limit)).expect("no damage");
    assert_eq!(due(None, Timestamp::NEVER, 100), all);
    assert_eq!(due(None, Timestamp(5), 100), all[..5]);
    assert_eq!(due(None, Timestamp(4), 100), all[..2]);
    assert_eq!(due(Some(all[2]), Timestamp(8), 100), all[3..5]);
    assert_eq!(due(Some(all[2]), Timestamp(8), 1), all[3..4]);
    assert_eq!(due(Some(all[6]), Timestamp::NEVER, 100), []);
}

#[test]
fn live_callbacks_are_paged_by_id() {
    let (rows, library) = workspace();
    let mut expected = Vec::new();
    for (count, state) in (1..).zip(State::ALL.into_iter().cycle().take(30)) {
        let callback = put(&rows, &Sampler::new(count).callback(count, state));
        expected.extend(state.is_live().then_some(callback));
    }
    let mut paged: Vec<Arc<Callback>> = Vec::new();
    loop {
        let after = paged.last().map(|callback| callback.id);
        let page = now(library.live(after, 4)).expect("no damage");
        let last = page.len() < 4;
        paged.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(paged, expected);
}

#[tokio::test]
async fn all_contacts_and_all_seats_are_found_however_many_are_read_at_once() {
    for count in 0..4 * walk::AT_ONCE {
        let (rows, library) = workspace();
        let mut seats: BTreeMap<QueueId, Bookings> = BTreeMap::new();
        let mut active = ActiveKeys::default();
        for number in 0..count {
            let seed = number as u64;
            let open = put(&rows, &Sampler::full(seed).callback(seed, State::Open));
            open.reach.keys().for_each(|key| active.add(key));
            let seat = open.seat().expect("it is booked");
            seats.entry(open.queue.clone()).or_default().take(seat);
            put(&rows, &Sampler::full(99 + seed).callback(99 + seed, State::Canceled));
        }
        let found = now(library.contacts()).expect("no damage");
        let contacts = Contacts::of(active);
        assert_eq!(Contacts::of(found), contacts);
        let in_turns = StoreLibrary::new(Arc::new(WaitedFor(Arc::clone(&rows))));
        let found = in_turns.contacts().await.expect("no damage");
        assert_eq!(Contacts::of(found), contacts);
        assert_eq!(now(library.seats()).expect("no damage"), seats);
        for short in [&[0], &b"short"[..], &[0xff]] {
            let short = RowKey { table: keys::ACTIVE, key: Bytes::from_static(short) };
            rows.put(short.clone());
            is_damaged(now(library.contacts()), keys::ACTIVE.name);
            rows.drop_row(short);
        }
    }
}

#[test]
fn open_callbacks_of_a_queue_are_counted_up_to_a_limit() {
    let (rows, library) = workspace();
    let queue = |id: &str| QueueId::parse(id).expect("a slug");
    for count in 0..9 {
        let state = if count < 5 { State::Open } else { State::Queued };
        let mut callback = Sampler::new(1).callback(count, state);
        callback.queue = if count == 0 { queue("sales2") } else { queue("sales") };
        put(&rows, &callback);
    }
    let count = |id, limit| now(library.count_open(queue(id), limit)).expect("no damage");
    assert_eq!((count("sales", 100), count("sales", 3)), (4, 3));
    assert_eq!((count("sales2", 100), count("sale", 100)), (1, 0));
    let open = |after, limit| now(library.open(queue("sales"), after, limit)).expect("no damage");
    let all = open(None, 100);
    assert_eq!((all.len(), open(None, 3)), (4, all[..3].to_vec()));
    assert_eq!(open(Some(all[1]), 100), all[2..]);
}

#[test]
fn a_new_workspace_has_nothing_and_a_full_one_all() {
    let (rows, library) = workspace();
    let inventory = now(library.inventory()).expect("no damage");
    assert!(inventory.queues.is_empty() && inventory.agents.is_empty());
    assert_eq!((inventory.last_number, inventory.secret), (0, None));
    assert_eq!(library.newest(), 0);

    let mut sampler = Sampler::new(1);
    let mut queues = Vec::new();
    let mut agents = Vec::new();
    for count in 0..=CHUNK {
        let queue = Arc::new(sampler.queue(QueueId::parse(&format!("q{count:05}")).expect("slug")));
        rows.change(Change::Queue(Arc::clone(&queue)));
        queues.push(queue);
    }
    for count in 0..CHUNK {
        let agent = Arc::new(sampler.agent(AgentId::parse(&format!("a{count:05}")).expect("slug")));
        rows.change(Change::Agent(Arc::clone(&agent)));
        agents.push(agent);
    }
    put(&rows, &sampler.callback(300, State::Open));
    put(&rows, &sampler.callback(200, State::Open));
    let (changes, events, secret) = (Vec::new(), Vec::new(), Some(Secret([8; 32])));
    rows.write(&Entry { at: AT, changes, events, kept: None, secret });
    let inventory = now(library.inventory()).expect("no damage");
    assert_eq!(inventory.queues, queues);
    assert_eq!(inventory.agents, agents);
    assert_eq!((inventory.last_number, inventory.secret), (1_300, Some(vec![8; 32])));
}
