//! What the journal does when the store stalls, goes, comes back as less, or is another's.

use tokio::time::Instant;

use super::double::{Switch, World};
use super::*;
use crate::engine::journal::Lost;

#[tokio::test(start_paused = true)]
async fn a_stall_is_told_once_and_ends_with_the_first_durable_group() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    for switch in [Switch::Held, Switch::Off] {
        world.log.send_replace(switch);
        desk.write_some(1);
        let newest = desk.journal.newest();
        let began = Instant::now();
        assert_eq!(desk.event().await, JournalEvent::Stalled);
        assert_eq!(began.elapsed().as_millis(), 800);
        desk.assert_silent().await;
        world.log.send_replace(Switch::On);
        assert_eq!(desk.event().await, JournalEvent::Resumed);
        assert_eq!(desk.event().await, JournalEvent::Durable(newest));
        assert!(desk.acknowledge(newest).is_empty());
        desk.assert_silent().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_hitch_is_no_stall() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.log.send_replace(Switch::Held);
    desk.write_some(1);
    pass(790).await;
    world.log.send_replace(Switch::On);
    assert_eq!(desk.event().await, JournalEvent::Durable(1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_under_an_idle_workspace_stalls_it_too() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.log.send_replace(Switch::Off);
    desk.assert_silent_but(&JournalEvent::Stalled).await;
    world.log.send_replace(Switch::On);
    desk.assert_silent_but(&JournalEvent::Resumed).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_group_is_sent_again_and_what_came_meanwhile_after_it() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.log.send_replace(Switch::AnswerLost);
    desk.write_some(2);
    assert_eq!(desk.event().await, JournalEvent::Stalled);
    assert_eq!(world.stored().last, 2, "it was written, and nobody here knows");
    desk.write_some(3);
    world.log.send_replace(Switch::On);
    assert_eq!(desk.event().await, JournalEvent::Resumed);
    desk.until_durable().await;
    assert_eq!(world.stored().appends, [(1, 2), (1, 2), (3, 3)]);
    assert_eq!(world.position(), (5, 0, 5), "each is written once");
}

#[tokio::test(start_paused = true)]
async fn a_fenced_journal_says_so_once_and_writes_no_more() {
    let world = World::new();
    let mut stale = Desk::open(&world).await;
    stale.write_some(1);
    stale.until_durable().await;
    let fresh = Desk::open(&world).await;
    let appends = world.stored().appends.len();
    stale.write_some(1);
    assert_eq!(stale.journal.hold(1), None);
    let fenced = JournalEvent::Fenced { found: 2, ours: 1 };
    stale.assert_silent_but(&fenced).await;
    stale.write_some(1);
    stale.assert_silent().await;
    assert_eq!(world.stored().appends.len(), appends + 1);
    assert_eq!(world.stored().last, 1);
    assert_eq!(fresh.journal.newest(), 1);
    let closed = stale.journal.close(Duration::from_secs(10)).await;
    assert!(!closed.is_durable);
}

#[tokio::test(start_paused = true)]
async fn an_idle_journal_notices_within_a_second_that_it_is_fenced() {
    let world = World::new();
    let mut stale = Desk::open(&world).await;
    let _fresh = Desk::open(&world).await;
    let began = Instant::now();
    assert_eq!(stale.event().await, JournalEvent::Fenced { found: 2, ours: 1 });
    assert!(began.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_emptied_store_is_noticed_within_a_second_idle_or_busy() {
    for is_busy in [false, true] {
        let world = World::new();
        let mut desk = Desk::open(&world).await;
        desk.write_some(3);
        desk.until_durable().await;
        world.empty();
        let began = Instant::now();
        if is_busy {
            desk.write_some(1);
        }
        let lost = JournalEvent::Lost(Lost::Replaced { found: 8, ours: 7 });
        desk.assert_silent_but(&lost).await;
        assert!(began.elapsed() <= Duration::from_secs(2), "a second of it was silence");
        assert_eq!(world.stored().last, 0, "nothing was written to the other store");
        drop(desk);
        let settings = JournalSettings::default();
        let again = Desk::open_expecting(&world, settings, Some(7)).await;
        assert!(matches!(again.err(), Some(OpenError::Replaced { found: 8, expected: 7 })));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_replica_lacks_is_written_again() {
    // Lost: one whole group, one and a half, all of them.
    for (kept, is_busy) in [(4, true), (3, true), (0, true), (3, false)] {
        let world = World::new();
        let mut desk = Desk::open(&world).await;
        for _ in 0..3 {
            desk.write_some(2);
            desk.until_durable().await;
        }
        let entries = world.stored().entries.clone();
        world.lose_log_after(kept);
        if is_busy {
            desk.write_some(1);
            desk.until_durable().await;
        } else {
            desk.assert_silent().await;
        }
        assert_eq!(world.stored().entries.iter().take(6).collect::<Vec<_>>(), {
            entries.iter().collect::<Vec<_>>()
        });
        assert_eq!(world.stored().last, if is_busy { 7 } else { 6 });
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_written_again_may_be_lost_again_later() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(2);
    desk.until_durable().await;
    for _ in 0..3 {
        world.lose_log_after(0);
        pass(4_000).await;
        assert_eq!(world.stored().last, 2);
    }
    desk.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_does_not_age_what_was_acknowledged_before_it() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(2);
    desk.until_durable().await;
    world.log.send_replace(Switch::Off);
    assert_eq!(desk.event().await, JournalEvent::Stalled);
    pass(60_000).await;
    world.lose_log_after(0);
    world.log.send_replace(Switch::On);
    assert_eq!(desk.event().await, JournalEvent::Resumed);
    assert_eq!(world.stored().last, 2);
}

/// What it can't lose need not be kept, by which a burst takes a fifth less memory.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_a_store_that_loses_nothing() {
    for is_sure in [false, true] {
        let world = World::new();
        world.stored().is_sure = is_sure;
        let mut desk = Desk::open(&world).await;
        desk.write_some(3);
        desk.until_durable().await;
        desk.until_projected().await;
        let first = desk.journal.shared().upgrade().expect("the journal runs").overlay.first();
        assert_eq!(first, if is_sure { 4 } else { 1 }, "with the tables' rows, is_sure: {is_sure}");
        world.lose_log_after(1);
        if is_sure {
            let lost = Lost::LogBehind { found: 1, durable: 3, kept_from: 4 };
            assert_eq!(desk.event().await, JournalEvent::Lost(lost));
        } else {
            pass(2_000).await;
            assert_eq!(world.stored().last, 3, "written again from memory");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_memory_any_more_is_lost_by_name() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.tables.send_replace(Switch::Off);
    desk.write_some(2);
    desk.until_durable().await;
    pass(3_000).await;
    desk.write_some(2);
    desk.until_durable().await;
    pass(3_000).await;
    world.lose_log_after(1);
    let lost = Lost::LogBehind { found: 1, durable: 4, kept_from: 3 };
    desk.assert_silent_but(&JournalEvent::Lost(lost)).await;
}

#[tokio::test(start_paused = true)]
async fn entries_that_nobody_here_wrote_are_refused() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.stored().last = 5;
    let lost = Lost::LogAhead { found: 5, newest: 0 };
    assert_eq!(desk.event().await, JournalEvent::Lost(lost));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_by_name_is_not_asked_again() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.log.send_replace(Switch::Damaged);
    desk.write_some(1);
    let lost = Lost::Broken("damaged: a test: damaged".to_owned());
    desk.assert_silent_but(&JournalEvent::Lost(lost)).await;
    assert_eq!(world.stored().appends.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_ends_the_journal() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let poisoned = world.clone();
    let caught = std::thread::spawn(move || {
        let _guard = poisoned.stored();
        panic!("poisons the double");
    });
    assert!(caught.join().is_err());
    let lost = Lost::Broken("a task of the journal panicked".to_owned());
    assert_eq!(desk.event().await, JournalEvent::Lost(lost));
}
