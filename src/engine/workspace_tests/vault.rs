//! A store in memory that a test can hold up, cut off and count on.
//!
//! Entries are kept as they are, and their bytes are only their numbers: what is tested here is
//! the engine, not how records are encoded.

mod log;
mod webhooks;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

pub(super) use self::log::{NoTables, VaultLog};
use self::world::World;
use crate::domain::callback::{Callback, Channel, ContactKey, State};
use crate::domain::dispatch::{Carrier, Failure, Item};
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, CallbackId, QueueId, WebhookId};
use crate::domain::measure::Measured;
use crate::domain::slots::Bookings;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Progress;
use crate::engine::contacts::ActiveKeys;
use crate::engine::entry::{Entry, IdempotencyKey, Kept};
use crate::engine::library::{
    BookedRead, Codec, FullCallback, Inventory, Lapsed, Lapsing, Library, ListRead, OutboxPlace,
    Packed, Page, Removal, StoredEvent,
};
use crate::engine::ports::{EntryNumber, Epoch, PortFuture, RowKey, RowWrite, StoreError, Table};

/// What is stored, and how the store behaves.
pub(super) struct Vault {
    /// All entries ever taken, by number; the log says which of them are durable.
    entries: Mutex<BTreeMap<EntryNumber, Entry>>,
    /// What reads show.
    world: Mutex<World>,
    log: Mutex<Vec<Bytes>>,
    epoch: Mutex<Epoch>,
    /// Another one: the store was emptied or replaced.
    instance: AtomicU32,
    /// The log takes appends.
    pub(super) log_open: watch::Sender<bool>,
    /// It can't be taken by whoever starts.
    pub(super) is_gone: AtomicBool,
    /// Reads are answered.
    pub(super) reads_open: watch::Sender<bool>,
    /// A callback whose record can't be decoded.
    pub(super) damaged: Mutex<Option<CallbackId>>,
    /// Records that were read one by one.
    pub(super) read_alone: AtomicU32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vault {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            world: Mutex::default(),
            log: Mutex::default(),
            epoch: Mutex::default(),
            instance: AtomicU32::new(7),
            log_open: watch::Sender::new(true),
            is_gone: AtomicBool::new(false),
            reads_open: watch::Sender::new(true),
            damaged: Mutex::default(),
            read_alone: AtomicU32::new(0),
        })
    }

    /// Another process takes the workspace.
    pub(super) fn fence(&self) {
        *lock(&self.epoch) += 1;
    }

    /// The store is another one from now on.
    pub(super) fn replace(&self) {
        self.instance.fetch_add(1, Ordering::SeqCst);
    }

    /// How many entries are durable.
    pub(super) fn durable(&self) -> usize {
        lock(&self.log).len()
    }

    /// All callbacks, as written last.
    pub(super) fn callbacks(&self) -> Vec<Arc<Callback>> {
        lock(&self.world).callbacks.values().cloned().collect()
    }

    /// How many items wait in the outbox.
    pub(super) fn items(&self) -> usize {
        lock(&self.world).items.len()
    }

    /// What was given up.
    pub(super) fn failures(&self) -> Vec<Failure> {
        lock(&self.world).failures.values().cloned().collect()
    }

    /// Whether one of these can't be decoded: then none of what is read with it is had.
    fn check(&self, ids: &[CallbackId]) -> Result<(), StoreError> {
        if lock(&self.damaged).is_some_and(|damaged| ids.contains(&damaged)) {
            let (place, what) = ("callback".to_owned(), "a test".to_owned());
            return Err(StoreError::Damaged { place, what });
        }
        Ok(())
    }

    async fn read<T>(&self, look: impl FnOnce(&World) -> T) -> Result<T, StoreError> {
        let open = self.reads_open.subscribe().wait_for(|open| *open).await.is_ok();
        assert!(open, "the vault outlives its readers");
        Ok(look(&lock(&self.world)))
    }
}

/// Entries as their numbers.
pub(super) struct VaultCodec(pub(super) Arc<Vault>);

impl VaultCodec {
    fn row(number: EntryNumber) -> Vec<RowWrite> {
        let key = Bytes::copy_from_slice(&number.to_be_bytes());
        let table = Table::ordered(0, "entries");
        vec![RowWrite { key: RowKey { table, key: key.clone() }, value: Some(key) }]
    }
}

impl Codec for VaultCodec {
    fn rows(&self, number: EntryNumber, entry: &Entry) -> Packed {
        lock(&self.0.entries).insert(number, entry.clone());
        lock(&self.0.world).apply(number, entry);
        self.pack(&Self::row(number))
    }

    fn pack(&self, rows: &[RowWrite]) -> Packed {
        let bytes = rows.iter().find_map(|row| row.value.clone()).unwrap_or_default();
        Packed { bytes, rows: rows.to_vec() }
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<RowWrite>, StoreError> {
        let number = EntryNumber::from_be_bytes(bytes.try_into().expect("an entry's number"));
        let entry = lock(&self.0.entries).get(&number).cloned().expect("it was written once");
        // What reads show is newer already, where the projector reads the log again.
        let known = lock(&self.0.world).newest >= number;
        Ok(if known { Self::row(number) } else { self.rows(number, &entry).rows })
    }
}

/// Reads of the vault.
pub(super) struct VaultLibrary(pub(super) Arc<Vault>);

fn complete_one(world: &World, callback: &Arc<Callback>) -> FullCallback {
    let ended = 0..callback.ended_interactions();
    FullCallback {
        callback: Arc::clone(callback),
        request: Arc::clone(&world.requests[&(callback.id, callback.request_version)]),
        ended: ended.map(|at| world.ended[&(callback.id, at)].clone()).collect(),
    }
}

impl Library for VaultLibrary {
    fn newest(&self) -> EntryNumber {
        lock(&self.0.world).newest
    }

    fn callback(
        &self,
        id: CallbackId,
    ) -> PortFuture<'_, Result<Option<Arc<Callback>>, StoreError>> {
        Box::pin(async move {
            self.0.read_alone.fetch_add(1, Ordering::Relaxed);
            self.0.check(&[id])?;
            self.0.read(move |world| world.callbacks.get(&id).cloned()).await
        })
    }

    fn complete_all(
        &self,
        callbacks: Vec<Arc<Callback>>,
    ) -> PortFuture<'_, Result<Vec<FullCallback>, StoreError>> {
        let complete = move |world: &World| {
            callbacks.iter().map(|callback| complete_one(world, callback)).collect()
        };
        Box::pin(self.0.read(complete))
    }

    fn held(
        &self,
        agent: AgentId,
        callbacks: Vec<CallbackId>,
    ) -> PortFuture<'_, Result<Vec<bool>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let holds =
                |id| world.callbacks.get(id).is_some_and(|one| one.holder() == Some(&agent));
            callbacks.iter().map(holds).collect()
        }))
    }

    fn list(
        &self,
        read: ListRead,
    ) -> PortFuture<'_, Result<Page<FullCallback>, Option<StoreError>>> {
        Box::pin(async move {
            let items = self.0.read(|world| {
                let all = world.callbacks.values().take(read.limit);
                all.map(|callback| complete_one(world, callback)).collect()
            });
            Ok(Page { items: items.await.map_err(Some)?, next: None })
        })
    }

    fn history(
        &self,
        id: CallbackId,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let its = |stored: &&StoredEvent| {
                stored.id > after && matches!(stored.event, Event::Callback(of, _) if of == id)
            };
            world.events.iter().filter(its).take(limit).cloned().collect()
        }))
    }

    fn events(
        &self,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            world.events.iter().filter(|event| event.id > after).take(limit).cloned().collect()
        }))
    }

    fn events_gone_to(&self) -> PortFuture<'_, Result<u64, StoreError>> {
        // A vault keeps everything.
        Box::pin(async { Ok(0) })
    }

    fn events_of(&self, ids: Vec<u64>) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            world.events.iter().filter(|event| ids.contains(&event.id)).cloned().collect()
        }))
    }

    fn progress(&self, webhook: WebhookId) -> PortFuture<'_, Result<Option<Progress>, StoreError>> {
        Box::pin(self.0.read(move |world| world.webhooks.progress(&webhook)))
    }

    fn webhook_again(
        &self,
        webhook: WebhookId,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<u64>, StoreError>> {
        Box::pin(self.0.read(move |world| world.webhooks.again(&webhook, limit)))
    }

    fn kept(
        &self,
        key: IdempotencyKey,
        now: Timestamp,
    ) -> PortFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let fresh = |kept: &&Kept| now.since(kept.at).0 < 86_400_000;
            world.kept.get(&key).filter(fresh).cloned()
        }))
    }

    fn external(
        &self,
        channel: Channel,
        external_id: String,
    ) -> PortFuture<'_, Result<Option<CallbackId>, StoreError>> {
        Box::pin(self.0.read(move |world| world.externals.get(&(channel, external_id)).copied()))
    }

    fn due(
        &self,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>> {
        use crate::domain::callback::Phase;
        Box::pin(self.0.read(move |world| {
            let wake_at = |callback: &Arc<Callback>| match &callback.phase {
                Phase::Open { wake_at, .. } => Some((*wake_at, callback.id)),
                _ => None,
            };
            let mut due: Vec<_> = world.callbacks.values().filter_map(wake_at).collect();
            due.sort();
            let within = |edge: &(Timestamp, CallbackId)| Some(*edge) > after && edge.0 <= until;
            due.into_iter().filter(within).take(limit).collect()
        }))
    }

    fn live(
        &self,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let live = world.callbacks.values().filter(|callback| callback.state().is_live());
            live.filter(|callback| Some(callback.id) > after).take(limit).cloned().collect()
        }))
    }

    fn count_open(
        &self,
        queue: QueueId,
        limit: usize,
    ) -> PortFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let open = |callback: &&Arc<Callback>| {
                callback.queue == queue && callback.state() == State::Open
            };
            world.callbacks.values().filter(open).take(limit).count()
        }))
    }

    fn open(
        &self,
        queue: QueueId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<CallbackId>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let open = |callback: &&Arc<Callback>| {
                callback.queue == queue && callback.state() == State::Open
            };
            let ids = world.callbacks.values().filter(open).map(|callback| callback.id);
            ids.filter(|id| Some(*id) > after).take(limit).collect()
        }))
    }

    fn active(
        &self,
        contact: ContactKey,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let theirs = |one: &&Arc<Callback>| {
                !one.state().is_final() && one.reach.keys().any(|key| key == contact)
            };
            world.callbacks.values().filter(theirs).take(limit).cloned().collect()
        }))
    }

    fn contacts(&self) -> PortFuture<'_, Result<ActiveKeys, StoreError>> {
        Box::pin(self.0.read(|world| {
            let mut found = ActiveKeys::default();
            let active = world.callbacks.values().filter(|one| !one.state().is_final());
            active.flat_map(|one| one.reach.keys()).for_each(|key| found.add(key));
            found
        }))
    }

    fn seats(&self) -> PortFuture<'_, Result<BTreeMap<QueueId, Bookings>, StoreError>> {
        Box::pin(self.0.read(|world| {
            let mut all: BTreeMap<QueueId, Bookings> = BTreeMap::new();
            for callback in world.callbacks.values() {
                if let Some(seat) = callback.seat() {
                    all.entry(callback.queue.clone()).or_default().take(seat);
                }
            }
            all
        }))
    }

    fn booked(
        &self,
        read: BookedRead,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let seated =
                |one: &&Arc<Callback>| one.queue == read.queue && one.medium == read.medium;
            let place = |one: &Arc<Callback>| Some((one.seat()?.start?, one.id));
            let mut all: Vec<_> =
                world.callbacks.values().filter(seated).filter_map(place).collect();
            all.sort();
            let within = |edge: &(Timestamp, CallbackId)| {
                Some(*edge) > read.after && (read.from..read.until).contains(&edge.0)
            };
            all.into_iter().filter(within).take(read.limit).collect()
        }))
    }

    fn callbacks(
        &self,
        ids: Vec<CallbackId>,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(async move {
            self.0.check(&ids)?;
            let there = move |world: &World| {
                ids.iter().filter_map(|id| world.callbacks.get(id).cloned()).collect()
            };
            self.0.read(there).await
        })
    }

    fn zone_rules_row(&self, _rules: u64) -> Option<RowWrite> {
        // A vault keeps changes and no rows: its bookings are looked at by each life.
        None
    }

    fn lapsed(
        &self,
        _kind: Lapsing,
        _after: Option<(Timestamp, Lapsed)>,
        _until: Timestamp,
        _limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, Lapsed)>, StoreError>> {
        // A vault keeps everything; what goes when is tested above the real stores.
        Box::pin(async { Ok(Vec::new()) })
    }

    fn removal(
        &self,
        _lapsed: Vec<(Timestamp, Lapsed)>,
    ) -> PortFuture<'_, Result<Removal, StoreError>> {
        Box::pin(async { Ok(Removal::default()) })
    }

    fn measured(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> PortFuture<'_, Result<Vec<Measured>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let within = |one: &&Measured| (from..to).contains(&one.quarter);
            world.measured.values().filter(within).cloned().collect()
        }))
    }

    fn outbox_due(
        &self,
        carrier: Carrier,
        after: Option<OutboxPlace>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<OutboxPlace>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let place = |item: &Item| OutboxPlace {
                at: item.next_at,
                id: item.id,
                callback: item.dispatch.callback,
            };
            let its = world.items.values().filter(|item| item.dispatch.carrier() == carrier);
            let mut due: Vec<_> = its.map(place).collect();
            due.sort();
            due.into_iter()
                .filter(|one| Some(*one) > after && one.at <= until)
                .take(limit)
                .collect()
        }))
    }

    fn outbox_of(&self, callback: CallbackId) -> PortFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            let its = world.items.values().filter(|item| item.dispatch.callback == callback);
            its.cloned().collect()
        }))
    }

    fn failures(
        &self,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Failure>, StoreError>> {
        Box::pin(self.0.read(move |world| {
            world.failures.range(after + 1..).map(|(_, one)| one.clone()).take(limit).collect()
        }))
    }

    fn failure(&self, id: u64) -> PortFuture<'_, Result<Option<Failure>, StoreError>> {
        Box::pin(self.0.read(move |world| world.failures.get(&id).cloned()))
    }

    fn inventory(&self) -> PortFuture<'_, Result<Inventory, StoreError>> {
        Box::pin(self.0.read(|world| Inventory {
            queues: world.queues.values().cloned().collect(),
            agents: world.agents.values().cloned().collect(),
            denied: world.denied.values().cloned().collect(),
            keys: world.keys.values().cloned().collect(),
            webhooks: world.webhooks.all(),
            last_number: world.callbacks.values().map(|one| one.number).max().unwrap_or(0),
            secret: world.secret.clone(),
            zone_rules: None,
        }))
    }
}
