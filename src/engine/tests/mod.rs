//! Tests of the journal with its tasks: all in paused time, so that nothing waits for a clock.

mod double;
mod faults;
mod figures;
mod group;
mod random;
mod reads;
mod reopen;
mod room;
mod stuck;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::double::{LinedUp, TABLES, World};
use super::background::Background;
use super::entry::Entry;
use super::journal::{Journal, JournalEvent, JournalSettings};
use super::merged::Merged;
use super::ports::{EntryNumber, RangeRead, RowKey, RowWrite, Rows};
use super::recovery::{OpenError, Places, Storage, open};
use crate::domain::time::Timestamp;

/// An opened workspace, as the actors' side has it.
struct Desk {
    world: World,
    codec: Arc<LinedUp>,
    journal: Journal<u64>,
    /// Number of the newest entry that the journal was told to be durable.
    durable: EntryNumber,
    rows: Arc<Merged>,
    events: mpsc::UnboundedReceiver<JournalEvent>,
}

impl Desk {
    async fn open(world: &World) -> Self {
        Self::open_with(world, JournalSettings::default()).await.unwrap()
    }

    async fn open_with(world: &World, settings: JournalSettings) -> Result<Self, OpenError> {
        Self::open_expecting(world, settings, None).await
    }

    async fn open_expecting(
        world: &World,
        settings: JournalSettings,
        expected_instance: Option<u128>,
    ) -> Result<Self, OpenError> {
        let (log, tables) = (Handle::current(), Handle::current());
        Self::open_on(world, settings, expected_instance, &Places { log, tables }).await
    }

    async fn open_on(
        world: &World,
        settings: JournalSettings,
        expected_instance: Option<u128>,
        places: &Places,
    ) -> Result<Self, OpenError> {
        let codec = Arc::new(LinedUp::default());
        let storage = Storage {
            log: world.open_log(),
            tables: world.open_tables(),
            codec: Arc::clone(&codec) as _,
            expected_instance,
        };
        let (told, events) = mpsc::unbounded_channel();
        let notify = Arc::new(move |event| drop(told.send(event)));
        let opened = open(storage, settings, notify, places).await?;
        let (world, journal) = (world.clone(), opened.journal);
        let durable = journal.newest();
        Ok(Self { world, codec, journal, durable, rows: opened.rows, events })
    }

    /// Takes an entry with these rows, as the only one of its turn.
    fn write(&mut self, rows: &[RowWrite]) -> EntryNumber {
        let number = self.take(rows);
        self.journal.hand_over();
        number
    }

    /// Takes an entry with these rows.
    fn take(&mut self, rows: &[RowWrite]) -> EntryNumber {
        self.codec.0.lock().unwrap().push_back(rows.to_vec());
        let (at, changes, events) = (Timestamp::default(), Vec::new(), Vec::new());
        self.journal.take(Entry { at, changes, events, kept: None, secret: None })
    }

    /// Takes `count` entries with a row each.
    fn write_some(&mut self, count: u64) {
        for _ in 0..count {
            let key = self.journal.newest().to_string();
            self.write(&[put(0, key.as_bytes(), b"v")]);
        }
    }

    /// The next event; paused time makes a minute short.
    async fn event(&mut self) -> JournalEvent {
        timeout(Duration::from_mins(1), self.events.recv()).await.expect("told").expect("alive")
    }

    /// Events until everything taken is durable; gives back what that released.
    async fn until_durable(&mut self) -> Vec<u64> {
        let mut released = Vec::new();
        while self.durable < self.journal.newest() {
            match self.event().await {
                JournalEvent::Durable(number) => released.extend(self.acknowledge(number)),
                other => panic!("{other:?} instead of durable"),
            }
        }
        released
    }

    /// The journal learns what is durable, and gives back what that releases.
    fn acknowledge(&mut self, number: EntryNumber) -> Vec<u64> {
        self.durable = self.durable.max(number);
        self.journal.acknowledge(number)
    }

    /// Number of the newest entry that the journal knows the tables to have.
    fn projected(&self) -> EntryNumber {
        self.journal.shared().upgrade().expect("the journal runs").watermark()
    }

    /// Nothing more is told within a second.
    async fn assert_silent(&mut self) {
        let told = timeout(Duration::from_secs(1), self.events.recv()).await;
        assert!(told.is_err(), "{told:?}");
    }

    /// Waits until the tables have everything durable.
    async fn until_projected(&self) {
        let projected = async {
            while self.projected() < self.durable {
                pass(10).await;
            }
        };
        timeout(Duration::from_mins(1), projected).await.expect("projected");
    }
}

/// A thread for the journal's tasks.
fn background(name: &str) -> Background {
    Background::start(name).unwrap()
}

/// So little room that entries leave the overlay as soon as the tables have them.
fn crowded() -> JournalSettings {
    JournalSettings { overlay_bytes: 400, ..JournalSettings::default() }
}

/// Lets this many milliseconds pass, in steps that leave the tasks their turns.
async fn pass(milliseconds: u64) {
    for _ in 0..milliseconds.div_ceil(10) {
        tokio::time::advance(Duration::from_millis(10)).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

fn put(table: usize, key: &[u8], value: &[u8]) -> RowWrite {
    let key = RowKey { table: TABLES[table], key: Bytes::copy_from_slice(key) };
    RowWrite { key, value: Some(Bytes::copy_from_slice(value)) }
}

fn delete(table: usize, key: &[u8]) -> RowWrite {
    RowWrite { value: None, ..put(table, key, b"") }
}

fn range(table: usize, start: &[u8], end: Option<&[u8]>, limit: usize) -> RangeRead {
    let (start, end) = (Bytes::copy_from_slice(start), end.map(Bytes::copy_from_slice));
    RangeRead { table: TABLES[table], start, end, reverse: false, limit }
}

/// The keys that a range read finds, as text.
async fn keys(rows: &dyn Rows, read: RangeRead) -> Vec<String> {
    let found = rows.range(read).await.unwrap();
    found.into_iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()).collect()
}

impl Desk {
    /// This is told, and nothing more within a second.
    async fn assert_silent_but(&mut self, event: &JournalEvent) {
        assert_eq!(self.event().await, *event);
        self.assert_silent().await;
    }
}
