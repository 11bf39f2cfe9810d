//! Merged reads: directions, ends, limits, deletions, and the projector passing by.

use tokio::task::yield_now;

use super::double::{Switch, World};
use super::*;

/// Even keys are in the tables; then some are deleted, some rewritten, odd ones added.
async fn mixed() -> Desk {
    let world = World::new();
    let mut desk = Desk::open_with(&world, crowded()).await.unwrap();
    let even: Vec<_> =
        (0..20).map(|key| put(0, format!("{:02}", key * 2).as_bytes(), b"")).collect();
    desk.write(&even);
    desk.write(&[put(1, b"00", b"other")]);
    desk.until_durable().await;
    desk.until_projected().await;
    world.tables.send_replace(Switch::Held);
    for key in 4..14 {
        desk.write(&[delete(0, format!("{:02}", key * 2).as_bytes())]);
    }
    desk.write(&[put(0, b"02", b"new"), put(0, b"09", b"new"), put(0, b"31", b"new")]);
    desk.write(&[put(0, b"39", b"new"), delete(0, b"99")]);
    desk
}

const ALL: [&str; 13] =
    ["00", "02", "04", "06", "09", "28", "30", "31", "32", "34", "36", "38", "39"];

#[tokio::test(start_paused = true)]
async fn ranges_merge_in_both_directions_at_every_limit_and_end() {
    let desk = mixed().await;
    for limit in 0..=ALL.len() + 1 {
        for start in 0..41 {
            for end in (start..41).map(Some).chain([None]) {
                let (first, past) = (format!("{start:02}"), end.map(|end| format!("{end:02}")));
                let past = past.as_deref();
                let mut read = range(0, first.as_bytes(), past.map(str::as_bytes), limit);
                let inside = |key: &&str| **key >= *first && past.is_none_or(|past| **key < *past);
                let expected: Vec<_> = ALL.into_iter().filter(inside).take(limit).collect();
                assert_eq!(keys(&*desk.rows, read.clone()).await, expected, "{read:?}");
                read.reverse = true;
                let expected: Vec<_> = ALL.into_iter().rev().filter(inside).take(limit).collect();
                assert_eq!(keys(&*desk.rows, read.clone()).await, expected, "{read:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn point_reads_keep_the_order_of_their_keys() {
    let desk = mixed().await;
    let keys = ["09", "08", "00", "02", "77"].map(|key| put(0, key.as_bytes(), b"").key);
    let found = desk.rows.get(keys.to_vec()).await.unwrap();
    let new = Some(Bytes::from_static(b"new"));
    assert_eq!(found, [new.clone(), None, Some(Bytes::new()), new, None]);
    assert_eq!(desk.rows.get(Vec::new()).await.unwrap(), Vec::<Option<Bytes>>::new());
}

#[tokio::test(start_paused = true)]
async fn tables_are_not_asked_for_what_the_overlay_knows() {
    let desk = mixed().await;
    desk.world.reads.send_replace(Switch::Off);
    let keys = ["09", "08"].map(|key| put(0, key.as_bytes(), b"").key);
    let found = desk.rows.get(keys.to_vec()).await.unwrap();
    assert_eq!(found, [Some(Bytes::from_static(b"new")), None]);
    let missing = put(0, b"00", b"").key;
    assert!(desk.rows.get(vec![missing]).await.is_err(), "an error is never an absent row");
    assert!(desk.rows.range(range(0, b"", None, 1)).await.is_err());
}

/// The reader has looked at the overlay, and before it reads the tables, the projector writes the
/// rows there and drops them from the overlay.
#[tokio::test(start_paused = true)]
async fn a_read_misses_nothing_while_rows_move_from_the_overlay_to_the_tables() {
    let desk = mixed().await;
    desk.world.reads.send_replace(Switch::Held);
    let (rows, same) = (Arc::clone(&desk.rows), Arc::clone(&desk.rows));
    let keys_read = ["02", "04", "09", "08"].map(|key| put(0, key.as_bytes(), b"").key).to_vec();
    let by_key = tokio::spawn(async move { rows.get(keys_read).await.unwrap() });
    let by_range = tokio::spawn(async move { keys(&*same, range(0, b"", None, 100)).await });
    yield_now().await;
    desk.world.tables.send_replace(Switch::On);
    while desk.projected() < desk.journal.newest() {
        pass(10).await;
    }
    desk.world.reads.send_replace(Switch::On);
    let new = Some(Bytes::from_static(b"new"));
    assert_eq!(by_key.await.unwrap(), [new.clone(), Some(Bytes::new()), new, None]);
    assert_eq!(by_range.await.unwrap(), ALL);
    assert_eq!(keys(&*desk.rows, range(0, b"", None, 100)).await, ALL, "from the tables alone");
}

#[tokio::test(start_paused = true)]
async fn the_newest_number_covers_what_was_read() {
    let world = World::new();
    let mut desk = Desk::open(&world).await;
    world.log.send_replace(Switch::Held);
    let number = desk.write(&[put(0, b"a", b"1")]);
    assert_eq!(keys(&*desk.rows, range(0, b"", None, 1)).await, ["a"]);
    assert_eq!((desk.rows.newest(), world.position().0), (number, 0));
}

/// With real threads: one takes entries, one moves rows to the tables, one reads.
#[test]
fn readers_on_other_threads_never_see_an_older_value_than_before() {
    const ENTRIES: u64 = 2_000;
    let (writing, following) = (background("log-test"), background("tables-test"));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let world = World::new();
    let places = Places { log: writing.handle().clone(), tables: following.handle().clone() };
    let mut desk = runtime().block_on(Desk::open_on(&world, crowded(), None, &places)).unwrap();
    let rows = Arc::clone(&desk.rows);
    let reader = std::thread::spawn(move || {
        let key = put(0, b"a", b"").key;
        let mut last = 0;
        runtime().block_on(async {
            while last < ENTRIES {
                let by_key = rows.get(vec![key.clone()]).await.unwrap().remove(0);
                let by_range = rows.range(range(0, b"", None, 9)).await.unwrap();
                let by_range = by_range.first().map(|(_, value)| value.clone());
                for value in [by_key, by_range] {
                    let value = value.map_or(0, |value| {
                        std::str::from_utf8(&value).unwrap().parse::<u64>().unwrap()
                    });
                    assert!(value >= last, "{value} after {last}");
                    assert!(value <= rows.newest());
                    last = value;
                }
            }
        });
    });
    for number in 1..=ENTRIES {
        desk.write(&[put(0, b"a", number.to_string().as_bytes())]);
        if number % 10 == 0 {
            let told = desk.events.blocking_recv().expect("told");
            assert!(matches!(told, JournalEvent::Durable(_)), "{told:?}");
        }
    }
    reader.join().unwrap();
    drop(desk);
}
