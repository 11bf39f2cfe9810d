//! What the journal does when its log keeps the whole thread, as a file on a disk that hangs does.

use std::sync::mpsc;

use super::double::World;
use super::*;
use crate::engine::ports::{Log, LogEntry, LogState, PortFuture, StoreError};

/// Ten seconds, with a pause of 5 ms after each.
const LOOKS: usize = 2_000;

/// A log that blocks the thread of each append until it is let on.
struct Stuck {
    log: Box<dyn Log>,
    let_on: mpsc::Receiver<()>,
}

impl Log for Stuck {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        self.log.take()
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        self.log.state()
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.let_on.recv().expect("the test goes on");
            self.log.append(first, entries).await
        })
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.log.read(from, limit)
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        self.log.trim(keep_from)
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        self.log.size_bytes()
    }

    fn may_lose(&self) -> bool {
        self.log.may_lose()
    }
}

#[test]
fn a_stall_of_a_log_that_keeps_its_thread_is_told_from_outside() {
    let (writing, following) = (background("log-test"), background("tables-test"));
    let places = Places { log: writing.handle().clone(), tables: following.handle().clone() };
    let world = World::new();
    let (let_on, is_let_on) = mpsc::channel();
    let storage = Storage {
        log: Box::new(Stuck { log: world.open_log(), let_on: is_let_on }),
        tables: world.open_tables(),
        codec: Arc::new(LinedUp::default()),
        expected_instance: None,
    };
    let (told, events) = mpsc::channel();
    let notify = Arc::new(move |event| drop(told.send(event)));
    let stall_after = Duration::from_millis(20);
    let settings = JournalSettings { stall_after, ..JournalSettings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let opened = runtime.block_on(open::<u64>(storage, settings, notify, &places));
    let mut journal = opened.unwrap().journal;
    let event = || events.recv_timeout(Duration::from_secs(10));
    // As the workspace's thread looks while something isn't durable.
    let stall = |journal: &Journal<u64>| {
        let mut looks = (0..LOOKS).map(|_| {
            let pause = journal.look_for_stall().expect("something isn't durable");
            events.recv_timeout(pause)
        });
        looks.find(|told| *told != Err(mpsc::RecvTimeoutError::Timeout))
    };
    for number in 1..=2 {
        journal.take_rows(&[put(0, b"a", b"1")]);
        journal.hand_over();
        assert_eq!(stall(&journal), Some(Ok(JournalEvent::Stalled)));
        let_on.send(()).unwrap();
        assert_eq!(event(), Ok(JournalEvent::Resumed));
        assert_eq!(event(), Ok(JournalEvent::Durable(number)));
        assert!(journal.acknowledge(number).is_empty());
        assert_eq!(journal.look_for_stall(), None);
    }
    let closed = runtime.block_on(journal.close(Duration::from_secs(10)));
    assert!(closed.is_durable);
    assert_eq!(world.position().1, 2, "the tables have all of it");
}
