//! What the journal tells of itself for metrics and alarms.

use super::double::{Switch, World};
use super::*;

#[tokio::test(start_paused = true)]
async fn groups_and_what_waits_for_the_tables_are_counted() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let shared = desk.journal.shared().upgrade().expect("the journal runs");
    world.log.send_replace(Switch::Held);
    desk.write_some(1);
    pass(100).await;
    desk.write_some(6);
    assert_eq!(shared.figures().group_entries.count, 0, "nothing is durable yet");
    world.log.send_replace(Switch::On);
    desk.until_durable().await;
    let figures = shared.figures();
    assert_eq!((figures.group_entries.count, figures.group_entries.sum), (2, 7));
    assert_eq!(figures.append_micros.count, 2);
    assert!(figures.append_micros.sum >= 80_000, "{figures:?}");
    assert!(figures.log_bytes > 0 && figures.overlay_bytes > 0, "{figures:?}");
    assert_eq!(figures.projected, 0);
    pass(10_000).await;
    let figures = shared.figures();
    assert_eq!((figures.projected, figures.overlay_bytes), (7, 0));
}

#[tokio::test(start_paused = true)]
async fn tables_that_stay_away_are_an_alarm_until_they_are_written_again() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let shared = desk.journal.shared().upgrade().expect("the journal runs");
    world.tables.send_replace(Switch::Off);
    desk.write_some(1);
    desk.until_durable().await;
    pass(9_000).await;
    assert!(shared.figures().tables_failures > 0);
    assert!(!shared.counts.tables_are_failing(), "it may be a hiccup");
    pass(2_000).await;
    assert!(shared.counts.tables_are_failing());
    world.tables.send_replace(Switch::On);
    pass(1_000).await;
    assert!(!shared.counts.tables_are_failing());
    assert_eq!(shared.figures().projected, 1);
}

#[tokio::test(start_paused = true)]
async fn the_alarm_ends_when_tables_that_lack_nothing_answer_again() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let shared = desk.journal.shared().upgrade().expect("the journal runs");
    desk.write_some(1);
    desk.until_durable().await;
    pass(6_000).await;
    assert_eq!(shared.figures().projected, 1);
    world.tables.send_replace(Switch::Off);
    pass(12_000).await;
    assert!(shared.counts.tables_are_failing(), "they were asked, and didn't answer");
    world.tables.send_replace(Switch::On);
    pass(1_000).await;
    assert!(!shared.counts.tables_are_failing());
}
