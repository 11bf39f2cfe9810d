//! Groups and held outputs.

use std::time::Duration;

use super::double::{Switch, World};
use super::*;
use crate::engine::journal::{GROUP_BYTES, GROUP_ENTRIES};

/// Leaves a group of one entry under way.
async fn begin_a_group(world: &World, desk: &mut Desk) {
    world.log.send_replace(Switch::Held);
    desk.write_some(1);
    while world.stored().appends.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_carries_everything_that_came_since_the_last() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    begin_a_group(&world, &mut desk).await;
    desk.write_some(9);
    assert_eq!(world.stored().appends, [(1, 1)], "one group is under way at a time");
    world.log.send_replace(Switch::On);
    desk.until_durable().await;
    assert_eq!(world.stored().appends, [(1, 1), (2, 9)]);
    assert_eq!((world.stored().last, desk.journal.hold(1)), (10, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn what_a_turn_takes_is_one_group() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let has_taken = desk.journal.has_taken();
    desk.take(&[put(0, b"a", b"1")]);
    desk.take(&[put(0, b"b", b"2")]);
    has_taken.notified().await;
    desk.assert_silent().await;
    assert!(world.stored().appends.is_empty(), "the turn isn't over");
    desk.journal.hand_over();
    desk.until_durable().await;
    assert_eq!(world.stored().appends, [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_group_has_bounds() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(GROUP_ENTRIES as u64 + 1);
    desk.until_durable().await;
    assert_eq!(world.stored().appends, [(1, GROUP_ENTRIES), (GROUP_ENTRIES as u64 + 1, 1)]);

    let first = desk.journal.newest() + 1;
    let half = vec![0; GROUP_BYTES / 2];
    for _ in 0..3 {
        desk.write(&[put(0, b"large", &half)]);
    }
    desk.until_durable().await;
    assert_eq!(world.stored().appends[2..], [(first, 2), (first + 2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn half_of_what_is_under_way_goes_while_the_other_half_is_worked_at() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    begin_a_group(&world, &mut desk).await;
    desk.write_some(63);
    world.log.send_replace(Switch::On);
    desk.until_durable().await;
    assert_eq!(world.stored().appends, [(1, 1), (2, 32), (34, 31)]);
}

#[tokio::test(start_paused = true)]
async fn outputs_wait_for_the_newest_entry_and_leave_in_order() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    assert_eq!(desk.journal.hold(1), Some(1), "nothing was taken, nothing is waited for");
    world.log.send_replace(Switch::Held);
    desk.write_some(1);
    assert_eq!(desk.journal.hold(2), None);
    assert_eq!(desk.journal.hold(3), None);
    desk.write_some(1);
    assert_eq!(desk.journal.hold(4), None);
    desk.assert_silent_but(&JournalEvent::Stalled).await;

    assert_eq!(desk.journal.acknowledge(1), [2, 3]);
    assert_eq!(desk.journal.hold(5), None, "entry 2 isn't durable yet");
    assert_eq!(desk.journal.acknowledge(2), [4, 5]);
    assert_eq!(desk.journal.hold(6), Some(6));
}

#[tokio::test(start_paused = true)]
async fn entries_are_numbered_on_after_a_restart() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(3);
    desk.until_durable().await;
    drop(desk);
    let mut desk = Desk::open(&world).await;
    assert_eq!((desk.journal.newest(), desk.journal.hold(1)), (3, Some(1)), "all are durable");
    assert_eq!(desk.rows.newest(), 3);
    desk.write_some(1);
    assert_eq!((desk.journal.newest(), desk.rows.newest()), (4, 4));
    desk.until_durable().await;
    assert_eq!(world.stored().last, 4);
}

#[tokio::test(start_paused = true)]
async fn closing_makes_everything_durable_and_catches_up() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.log.send_replace(Switch::Held);
    desk.write_some(2_002);
    world.log.send_replace(Switch::On);
    let closed = desk.journal.close(Duration::from_secs(10)).await;
    assert!(closed.is_durable);
    let (last, watermark, _) = world.position();
    assert_eq!((last, watermark), (2_002, 2_002));
}

#[tokio::test(start_paused = true)]
async fn closing_ends_in_time_whatever_the_store_does() {
    for side in ["log", "tables"] {
        let world = World::new();
        let mut desk = Desk::open(&world).await;
        let switch = if side == "log" { &world.log } else { &world.tables };
        switch.send_replace(Switch::Off);
        desk.write_some(2);
        let began = tokio::time::Instant::now();
        let closed = desk.journal.close(Duration::from_secs(10)).await;
        assert_eq!(began.elapsed().as_secs(), 10);
        assert_eq!(closed.is_durable, side == "tables");
        assert_eq!(world.position().1, 0, "the tables have nothing of it");
    }
}
