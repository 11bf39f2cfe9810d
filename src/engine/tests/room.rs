//! Bounds: a full overlay, a full log.

use super::double::{Switch, World};
use super::*;

fn small_overlay() -> JournalSettings {
    JournalSettings { overlay_bytes: 4_000, ..JournalSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_full_overlay_makes_the_door_wait_until_the_tables_have_caught_up() {
    let world = World::new();
    let mut desk = Desk::open_with(&world, small_overlay()).await.unwrap();
    world.tables.send_replace(Switch::Off);
    while !desk.journal.must_wait() {
        desk.write_some(1);
        assert!(desk.journal.newest() < 100, "there is a bound");
    }
    desk.write_some(5);
    desk.until_durable().await;
    desk.assert_silent().await;
    assert!(desk.journal.must_wait(), "what was admitted is taken, and the bound stands");
    world.tables.send_replace(Switch::On);
    desk.assert_silent_but(&JournalEvent::Room).await;
    assert!(!desk.journal.must_wait());
}

#[tokio::test(start_paused = true)]
async fn the_projector_does_not_wait_when_the_overlay_fills() {
    let world = World::new();
    let mut desk = Desk::open_with(&world, small_overlay()).await.unwrap();
    let began = tokio::time::Instant::now();
    desk.write_some(10);
    desk.until_durable().await;
    while world.stored().watermark < 10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    // Nobody was told to wait, so nobody is told of room.
    desk.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_log_makes_the_door_wait_until_it_is_trimmed() {
    let world = World::new();
    let settings = JournalSettings { log_max_bytes: 100, ..JournalSettings::default() };
    let mut desk = Desk::open_with(&world, settings).await.unwrap();
    world.tables.send_replace(Switch::Off);
    desk.write_some(2);
    desk.until_durable().await;
    assert!(!desk.journal.must_wait());
    desk.write_some(20);
    desk.until_durable().await;
    assert!(desk.journal.must_wait());
    desk.assert_silent().await;
    world.tables.send_replace(Switch::On);
    desk.assert_silent_but(&JournalEvent::Room).await;
    assert!(!desk.journal.must_wait());
    assert_eq!(world.stored().entries.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_shrink_stops_nobody_for_good() {
    let world = World::new();
    world.stored().keeps_all = true;
    let settings = JournalSettings { log_max_bytes: 100, ..JournalSettings::default() };
    let mut desk = Desk::open_with(&world, settings).await.unwrap();
    for _ in 0..3 {
        desk.write_some(20);
        desk.until_durable().await;
        if desk.journal.must_wait() {
            assert_eq!(desk.event().await, JournalEvent::Room);
        }
    }
    assert_eq!(world.stored().entries.len(), 60);
}
