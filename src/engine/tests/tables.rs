//! The projector: what reaches the tables, when, and what it does when they went back.

use tokio::time::Instant;

use super::double::{Switch, World};
use super::*;
use crate::engine::journal::{LOOK_WHEN_IDLE, Lost};
use crate::engine::overlay::RUN_ROWS;

#[tokio::test(start_paused = true)]
async fn rows_are_written_once_as_they_are_last() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    for value in [b"1", b"2", b"3"] {
        desk.write(&[put(0, b"a", value), put(1, b"only", value)]);
        desk.until_durable().await;
    }
    desk.write(&[delete(1, b"only"), put(0, b"b", b"4")]);
    desk.until_durable().await;
    pass(4_900).await;
    assert_eq!(world.stored().batches, [], "it lets some time pass");
    desk.until_projected().await;
    let stored = world.stored();
    let [batch] = stored.batches.as_slice() else { panic!("{:?}", stored.batches) };
    assert_eq!((batch.from, batch.to), (1, 4));
    let rows = [put(0, b"a", b"3"), put(0, b"b", b"4"), delete(1, b"only")];
    assert_eq!(batch.rows(), rows.each_ref());
}

#[tokio::test(start_paused = true)]
async fn only_what_is_durable_is_written_though_readers_see_more() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let one = put(0, b"a", b"1");
    desk.write(std::slice::from_ref(&one));
    desk.until_durable().await;
    world.log.send_replace(Switch::Held);
    desk.write(&[put(0, b"a", b"2")]);
    pass(20_000).await;
    assert_eq!(world.stored().batches, [], "the run's last entry isn't durable");
    let read = desk.rows.get(vec![one.key.clone()]).await.unwrap();
    assert_eq!(read, [Some(Bytes::from_static(b"2"))]);
    // A crash now loses entry 2, and not entry 1 with it.
    drop(desk);
    world.log.send_replace(Switch::On);
    let mut desk = Desk::open(&world).await;
    let read = desk.rows.get(vec![one.key.clone()]).await.unwrap();
    assert_eq!(read, [Some(Bytes::from_static(b"1"))]);
    // What was held back is written as soon as it is durable.
    world.log.send_replace(Switch::Held);
    desk.write(&[put(0, b"a", b"3")]);
    pass(20_000).await;
    world.log.send_replace(Switch::On);
    desk.until_projected().await;
    assert_eq!(world.stored().rows[&one.key], b"3"[..]);
}

#[tokio::test(start_paused = true)]
async fn batches_are_bounded_and_an_entry_is_never_split() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    let most = RUN_ROWS * 2 / 3;
    for entry in 0..3_u32 {
        let rows: Vec<_> = (0..u32::try_from(most).unwrap())
            .map(|row| put(0, &[entry.to_be_bytes(), row.to_be_bytes()].concat(), b""))
            .collect();
        desk.write(&rows);
    }
    desk.until_durable().await;
    desk.until_projected().await;
    let stored = world.stored();
    let batches: Vec<_> = stored.batches.iter().map(|batch| (batch.from, batch.to)).collect();
    assert_eq!(batches, [(1, 2), (3, 3)]);
    assert_eq!(stored.rows.len(), 3 * most);
}

/// Writes rows of several batches, the first of which took 100 ms; it is done.
async fn one_of_some_batches(world: &World) -> Desk {
    let mut desk = Desk::open(world).await;
    for entry in 0..4_u8 {
        let rows: Vec<_> = (0..u32::try_from(RUN_ROWS).unwrap())
            .map(|row| put(0, &[&[entry][..], &row.to_be_bytes()].concat(), b""))
            .collect();
        desk.write(&rows);
    }
    desk.until_durable().await;
    world.tables.send_replace(Switch::Held);
    pass(5_100).await;
    world.tables.send_replace(Switch::On);
    pass(10).await;
    assert_eq!(desk.projected(), 1);
    desk
}

#[tokio::test(start_paused = true)]
async fn it_rests_between_batches_for_which_nobody_waits() {
    let world = World::new();
    let desk = one_of_some_batches(&world).await;
    pass(80).await;
    assert_eq!(desk.projected(), 1, "it rests");
    pass(20).await;
    assert_eq!(desk.projected(), 4, "the others took no time");
}

#[tokio::test(start_paused = true)]
async fn its_rest_ends_when_tables_are_in_doubt_and_when_the_journal_closes() {
    let world = World::new();
    let desk = one_of_some_batches(&world).await;
    desk.journal.shared().upgrade().expect("the journal runs").doubt_tables();
    pass(10).await;
    assert_eq!(desk.projected(), 4);

    let world = World::new();
    let desk = one_of_some_batches(&world).await;
    let begun = Instant::now();
    assert!(desk.journal.close(Duration::from_secs(10)).await.is_durable);
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    assert_eq!(world.position().1, 4);
}

/// Each is some milliseconds of a processor's time, or of Redis', and others have work to do.
#[tokio::test(start_paused = true)]
async fn a_crowded_overlay_is_brought_to_have_room_and_the_rest_waits() {
    let world = World::new();
    // A row costs 197 bytes: a quarter of this is less than three runs, and there is room again
    // with two.
    let overlay_bytes = RUN_ROWS * 200 * 11;
    let settings = JournalSettings { overlay_bytes, ..JournalSettings::default() };
    let mut desk = Desk::open_with(&world, settings).await.unwrap();
    let run = u64::try_from(RUN_ROWS).unwrap();
    desk.write_some(5 * run);
    desk.until_durable().await;
    pass(1_000).await;
    assert_eq!(world.stored().watermark, 3 * run);
    desk.until_projected().await;
    let batches: Vec<_> = world.stored().batches.iter().map(|batch| batch.to).collect();
    assert_eq!(batches, [run, 2 * run, 3 * run, 4 * run, 5 * run]);
}

#[tokio::test(start_paused = true)]
async fn tables_that_fail_are_tried_again_without_a_stall() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    for switch in [Switch::Off, Switch::AnswerLost, Switch::Held] {
        world.tables.send_replace(switch);
        desk.write_some(3);
        desk.until_durable().await;
        pass(6_000).await;
        // Meanwhile more comes, so that the batch sent again would be a longer one.
        desk.write_some(3);
        desk.until_durable().await;
        world.tables.send_replace(Switch::On);
        desk.until_projected().await;
    }
    assert_eq!(world.stored().rows.len(), 18);
    desk.assert_silent().await;
    assert_eq!(keys(&*desk.rows, range(0, b"", None, 100)).await.len(), 18);
}

#[tokio::test(start_paused = true)]
async fn the_log_is_trimmed_behind_the_watermark() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    for _ in 0..3 {
        desk.write_some(4);
        desk.until_durable().await;
        desk.until_projected().await;
    }
    let (last, _, kept) = world.position();
    assert!(kept <= 4, "{kept}");
    assert_eq!(last, 12);
}

/// Whoever is turned away meanwhile writes nothing that could end it.
#[tokio::test(start_paused = true)]
async fn a_stall_of_a_trim_ends_with_the_trim() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.trims.send_replace(Switch::Held);
    desk.write_some(4);
    desk.until_durable().await;
    assert_eq!(desk.event().await, JournalEvent::Stalled);
    world.trims.send_replace(Switch::On);
    let began = Instant::now();
    assert_eq!(desk.event().await, JournalEvent::Resumed);
    assert!(began.elapsed() < LOOK_WHEN_IDLE, "it isn't the next look that finds out");
}

#[tokio::test(start_paused = true)]
async fn an_idle_workspace_keeps_nothing_that_the_tables_have() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(4);
    desk.until_durable().await;
    desk.until_projected().await;
    pass(15_000).await;
    assert_eq!(world.position(), (4, 4, 0), "last entry, watermark, entries in the log");
}

/// Once with what is new, once to write out what they gathered, once to forget it.
#[tokio::test(start_paused = true)]
async fn an_idle_workspace_settles_its_tables_until_they_can_forget_and_then_rests() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(4);
    desk.until_durable().await;
    desk.until_projected().await;
    pass(30_000).await;
    let settles = world.stored().settles;
    assert!(settles >= 3, "{settles}");
    pass(60_000).await;
    assert_eq!(world.stored().settles, settles, "whoever is at rest leaves the store alone");
}

/// Two entries, and tables that have lost the second.
async fn gone_back(settings: JournalSettings) -> Desk {
    let world = World::new();
    world.stored().keeps_all = true;
    let mut desk = Desk::open_with(&world, settings).await.unwrap();
    desk.write(&[put(0, b"a", b"1"), put(0, b"b", b"1")]);
    desk.until_durable().await;
    desk.until_projected().await;
    let rows = world.stored().rows.clone();
    desk.write(&[put(0, b"a", b"2"), put(0, b"c", b"2")]);
    desk.until_durable().await;
    desk.until_projected().await;
    world.set_tables(rows, 1);
    desk
}

#[tokio::test(start_paused = true)]
async fn tables_that_went_back_are_brought_up_again() {
    for settings in [JournalSettings::default(), crowded()] {
        for is_idle in [false, true] {
            let mut desk = gone_back(settings).await;
            if is_idle {
                // A failover that the journal notices by a hitch.
                desk.world.log.send_replace(Switch::Off);
                assert_eq!(desk.event().await, JournalEvent::Stalled);
                desk.world.log.send_replace(Switch::On);
                assert_eq!(desk.event().await, JournalEvent::Resumed);
            } else {
                desk.write(&[put(0, b"b", b"3")]);
                desk.until_durable().await;
            }
            while desk.world.position().1 < desk.durable {
                pass(10).await;
            }
            let expected = if is_idle { [b"2", b"1", b"2"] } else { [b"2", b"3", b"2"] };
            let expected = expected.map(|value| Bytes::from_static(value));
            assert!(desk.world.stored().rows.values().eq(&expected));
            let found = desk.rows.range(range(0, b"", None, 10)).await.unwrap();
            assert!(found.iter().map(|(_, value)| value).eq(&expected));
            desk.assert_silent().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn readers_notice_nothing_of_a_failover_while_the_overlay_has_room() {
    let desk = gone_back(JournalSettings::default()).await;
    let key = put(0, b"a", b"").key;
    assert_eq!(desk.rows.get(vec![key]).await.unwrap(), [Some(Bytes::from_static(b"2"))]);
    assert_eq!(keys(&*desk.rows, range(0, b"", None, 10)).await, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_tables_lost_unnoticed_is_not_trimmed() {
    let mut desk = gone_back(JournalSettings::default()).await;
    desk.world.stored().keeps_all = false;
    // Nothing tells of it, until what was kept for a while is to go.
    pass(20_000).await;
    desk.write_some(1);
    desk.until_durable().await;
    while desk.world.position().1 < 3 {
        pass(10).await;
    }
    assert_eq!(desk.world.stored().rows.len(), 4);
    desk.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn tables_that_went_back_too_far_are_lost_by_name() {
    let mut desk = gone_back(crowded()).await;
    desk.world.stored().entries.clear();
    desk.write_some(1);
    desk.until_durable().await;
    let lost = Lost::TablesBehind { found: 1, watermark: 2 };
    desk.assert_silent_but(&JournalEvent::Lost(lost)).await;
}

#[tokio::test(start_paused = true)]
async fn tables_past_what_is_durable_are_refused() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.stored().watermark = 9;
    desk.write_some(1);
    desk.until_durable().await;
    world.log.send_replace(Switch::Off);
    assert_eq!(desk.event().await, JournalEvent::Stalled);
    world.log.send_replace(Switch::On);
    assert_eq!(desk.event().await, JournalEvent::Resumed);
    let lost = Lost::TablesAhead { found: 9, durable: 1 };
    assert_eq!(desk.event().await, JournalEvent::Lost(lost));
}

#[tokio::test(start_paused = true)]
async fn tables_that_another_process_took_end_the_journal() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    desk.write_some(1);
    desk.until_durable().await;
    world.log.send_replace(Switch::Held);
    world.stored().epoch = 5;
    let mut told = vec![desk.event().await, desk.event().await];
    told.sort_by_key(|event| *event != JournalEvent::Stalled);
    assert_eq!(told, [JournalEvent::Stalled, JournalEvent::Fenced { found: 5, ours: 1 }]);
    desk.assert_silent().await;
}
