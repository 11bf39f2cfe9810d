//! Opening a store again: what is refused, and a long tail in little memory.

use super::double::{Switch, World};
use super::*;
use crate::engine::ports::StoreError;

/// A world of `count` entries, of which the tables have those up to `watermark`.
async fn world_at(count: u64, watermark: u64) -> World {
    let world = World::new();
    world.stored().keeps_all = true;
    let mut desk = Desk::open(&world).await;
    desk.write_some(watermark);
    desk.until_durable().await;
    desk.until_projected().await;
    world.tables.send_replace(Switch::Off);
    desk.write_some(count - watermark);
    desk.until_durable().await;
    drop(desk);
    world.tables.send_replace(Switch::On);
    assert_eq!(world.position().0, count);
    assert_eq!(world.position().1, watermark);
    world
}

async fn refusal(world: &World) -> String {
    let refused = Desk::open_with(world, JournalSettings::default()).await;
    refused.err().expect("it is refused").to_string()
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ends_before_the_tables_is_refused() {
    let world = world_at(5, 5).await;
    world.lose_log_after(4);
    let expected = "the tables stand at entry 5, the log ends at 4; restore both together";
    assert_eq!(refusal(&world).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_hole_between_tables_and_log_is_refused() {
    let world = world_at(5, 2).await;
    world.stored().entries.pop_front();
    world.stored().entries.pop_front();
    assert_eq!(Desk::open(&world).await.journal.newest(), 5, "entries 3 to 5 are there");
    world.stored().entries.pop_front();
    let expected = "entry 3 is neither in the tables nor in the log; restore both together";
    assert_eq!(refusal(&world).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_log_trimmed_to_its_end_is_opened() {
    let world = world_at(5, 5).await;
    world.stored().entries.clear();
    let mut desk = Desk::open(&world).await;
    desk.write_some(1);
    assert_eq!(desk.journal.newest(), 6);
    desk.until_durable().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_said_to() {
    let world = World::new();
    for switch in [&world.log, &world.tables] {
        switch.send_replace(Switch::Off);
        let refused = Desk::open_with(&world, JournalSettings::default()).await.err();
        assert!(matches!(refused, Some(OpenError::Store(StoreError::Unavailable(_)))));
        switch.send_replace(Switch::On);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tail_longer_than_the_overlay_is_written_while_it_is_read() {
    let world = world_at(5_000, 0).await;
    let settings = JournalSettings { overlay_bytes: 100_000, ..JournalSettings::default() };
    let mut desk = Desk::open_with(&world, settings).await.unwrap();
    let (_, watermark, _) = world.position();
    assert!(watermark >= 4_000, "{watermark}");
    assert_eq!(desk.rows.newest(), 5_000);
    assert_eq!(keys(&*desk.rows, range(0, b"", None, 10_000)).await.len(), 5_000);
    assert!(!desk.journal.must_wait());
    desk.write_some(1);
    desk.until_durable().await;
}

/// Opens a workspace with a tail longer than the overlay, whose tables refuse for some minutes once
/// they have a part of it; says how many minutes that took.
async fn opened_while(trouble: Switch, minutes: u64) -> (Result<Desk, OpenError>, u64) {
    let settings = JournalSettings { overlay_bytes: 100_000, ..JournalSettings::default() };
    let world = world_at(5_000, 0).await;
    let in_trouble_for_a_while = async {
        while world.stored().watermark == 0 {
            tokio::task::yield_now().await;
        }
        world.tables.send_replace(trouble);
        pass(minutes * 60_000).await;
        world.tables.send_replace(Switch::On);
    };
    let begun = tokio::time::Instant::now();
    let opening = async {
        let opened = Desk::open_with(&world, settings).await;
        (opened, begun.elapsed().as_secs() / 60)
    };
    tokio::join!(opening, in_trouble_for_a_while).0
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_busy_tables_and_for_nothing_else() {
    let (opened, _) = opened_while(Switch::Busy, 9).await;
    let desk = opened.expect("they weren't busy for ten minutes");
    assert_eq!(keys(&*desk.rows, range(0, b"", None, 10_000)).await.len(), 5_000);
    let (refused, took) = opened_while(Switch::Busy, 11).await;
    assert!(matches!(refused, Err(OpenError::Store(StoreError::Busy(_)))) && took == 10);
    let (refused, took) = opened_while(Switch::Off, 1).await;
    assert!(matches!(refused, Err(OpenError::Store(StoreError::Unavailable(_)))) && took == 0);
    let (refused, took) = opened_while(Switch::Damaged, 1).await;
    assert!(matches!(refused, Err(OpenError::Lost(_))) && took == 0);
}

#[tokio::test(start_paused = true)]
async fn tables_that_are_set_back_while_a_start_reads_the_log_end_it_at_once() {
    let settings = JournalSettings { overlay_bytes: 100_000, ..JournalSettings::default() };
    let world = world_at(5_000, 0).await;
    let set_back = async {
        while world.stored().watermark == 0 {
            tokio::task::yield_now().await;
        }
        world.stored().watermark = 0;
    };
    let (opened, ()) = tokio::join!(Desk::open_with(&world, settings), set_back);
    let found = opened.err().expect("the next start finds out where they are");
    assert!(matches!(found, OpenError::Store(StoreError::Gap { found: 0, .. })), "{found}");
}

/// With their own threads, as in production.
#[test]
fn the_journal_runs_on_threads_of_its_own() {
    let (writing, following) = (background("log-test"), background("tables-test"));
    let places = Places { log: writing.handle().clone(), tables: following.handle().clone() };
    let world = World::new();
    let storage = Storage {
        log: world.open_log(),
        tables: world.open_tables(),
        codec: Arc::new(LinedUp::default()),
        expected_instance: None,
    };
    let (told, events) = std::sync::mpsc::channel();
    let notify = Arc::new(move |event| drop(told.send(event)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let settings = JournalSettings::default();
    let opened = runtime.block_on(open::<u64>(storage, settings, notify, &places));
    let mut journal = opened.unwrap().journal;
    journal.take_rows(&[put(0, b"a", b"1")]);
    journal.hand_over();
    assert_eq!(events.recv_timeout(Duration::from_secs(10)), Ok(JournalEvent::Durable(1)));
    let closed = runtime.block_on(journal.close(Duration::from_secs(10)));
    assert!(closed.is_durable);
    drop((writing, following));
    assert_eq!(world.stored().watermark, 1);
}
