//! Random runs from a seed: entries, troubles and crashes at any point, compared with a plain map.

use std::collections::BTreeMap;

use tokio::task::yield_now;
use tokio::time::advance;

use super::double::{Switch, World, plain_range};
use super::*;

type Model = BTreeMap<RowKey, Bytes>;

/// SplitMix64: a run is repeated by its seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn key(&mut self) -> Bytes {
        Bytes::from(format!("{:02}", self.below(30)))
    }

    fn row(&mut self) -> RowWrite {
        let table = usize::try_from(self.below(2)).unwrap();
        let value = (self.below(3) > 0).then(|| Bytes::from(self.next().to_string()));
        RowWrite { key: RowKey { table: TABLES[table], key: self.key() }, value }
    }

    fn switch(&mut self) -> Switch {
        [Switch::On, Switch::Off, Switch::AnswerLost, Switch::Held][self.below(4) as usize]
    }

    fn read(&mut self) -> RangeRead {
        let end = (self.below(3) > 0).then(|| self.key());
        RangeRead {
            table: TABLES[self.below(2) as usize],
            start: if self.below(3) == 0 { Bytes::new() } else { self.key() },
            end,
            reverse: self.below(2) == 0,
            limit: self.below(40) as usize,
        }
    }
}

/// The rows after each entry, by its number; 0 is empty.
struct Plain(Vec<Model>);

impl Plain {
    fn newest(&self) -> &Model {
        self.0.last().unwrap()
    }

    fn write(&mut self, rows: &[RowWrite]) {
        let mut next = self.newest().clone();
        for row in rows {
            match &row.value {
                Some(value) => drop(next.insert(row.key.clone(), value.clone())),
                None => drop(next.remove(&row.key)),
            }
        }
        self.0.push(next);
    }
}

/// Learns what happened, and checks what is released.
fn hear(desk: &mut Desk, context: &str, expected: &mut u64) {
    while let Ok(event) = desk.events.try_recv() {
        match event {
            JournalEvent::Durable(number) => {
                assert!(
                    number <= desk.world.stored().last,
                    "{context}: told before it was durable"
                );
                for output in desk.journal.acknowledge(number) {
                    assert_eq!(output % 1_000, *expected, "{context}: in order");
                    assert!(output / 1_000 <= number, "{context}: released too early");
                    *expected += 1;
                }
            }
            JournalEvent::Stalled | JournalEvent::Resumed | JournalEvent::Room => {}
            JournalEvent::Fenced { .. } | JournalEvent::Lost(_) => panic!("{context}: {event:?}"),
        }
    }
}

async fn compare(desk: &Desk, plain: &Plain, dice: &mut Dice, context: &str) {
    let read = dice.read();
    let found = desk.rows.range(read.clone()).await.unwrap();
    assert_eq!(found, plain_range(plain.newest(), &read), "{context}: {read:?}");
    let keys: Vec<_> = (0..3).map(|_| dice.row().key).collect();
    let found = desk.rows.get(keys.clone()).await.unwrap();
    let expected: Vec<_> = keys.iter().map(|key| plain.newest().get(key).cloned()).collect();
    assert_eq!(found, expected, "{context}: {keys:?}");
}

async fn compare_all(desk: &Desk, plain: &Plain, context: &str) {
    for table in TABLES {
        for reverse in [false, true] {
            let (start, end, limit) = (Bytes::new(), None, usize::MAX / 2);
            let read = RangeRead { table, start, end, reverse, limit };
            let found = desk.rows.range(read.clone()).await.unwrap();
            assert_eq!(found, plain_range(plain.newest(), &read), "{context}: {read:?}");
        }
    }
}

/// One life of a process, up to its crash.
async fn live(world: &World, plain: &mut Plain, dice: &mut Dice, context: &str) {
    let settings = JournalSettings {
        overlay_bytes: 1 << (8 + dice.below(10)),
        log_max_bytes: 1 << (6 + dice.below(10)),
        ..JournalSettings::default()
    };
    let mut desk = Desk::open_with(world, settings).await.unwrap();
    let newest = desk.journal.newest();
    let known = plain.0.len() as u64 - 1;
    assert!(newest <= known, "{context}: {newest} of {known} entries");
    plain.0.truncate(usize::try_from(newest).unwrap() + 1);
    compare_all(&desk, plain, context).await;

    let (mut held, mut expected) = (0, 0);
    for _ in 0..dice.below(150) {
        match dice.below(12) {
            0..5 => {
                let rows: BTreeMap<_, _> = (0..dice.below(6))
                    .map(|_| dice.row())
                    .map(|row| (row.key.clone(), row))
                    .collect();
                let rows: Vec<_> = rows.into_values().collect();
                plain.write(&rows);
                let number = desk.write(&rows);
                if let Some(output) = desk.journal.hold(number * 1_000 + held) {
                    panic!("{context}: {output} was released before it was durable");
                }
                held += 1;
            }
            5..8 => {
                for _ in 0..dice.below(12) {
                    yield_now().await;
                }
            }
            8 => advance(Duration::from_millis(dice.below(3_000))).await,
            9 => drop(world.log.send_replace(dice.switch())),
            10 => drop(world.tables.send_replace(dice.switch())),
            _ => compare(&desk, plain, dice, context).await,
        }
        hear(&mut desk, context, &mut expected);
        assert!(desk.rows.newest() == desk.journal.newest(), "{context}");
    }
    let acknowledged = desk.journal.durable();
    drop(desk);
    // The crash takes effect where the tasks stand; then the store is there again.
    yield_now().await;
    world.log.send_replace(Switch::On);
    world.tables.send_replace(Switch::On);
    assert!(world.stored().last >= acknowledged, "{context}: an acknowledged entry is gone");
}

#[tokio::test(start_paused = true)]
async fn random_runs_agree_with_a_plain_map_across_crashes() {
    for seed in 0..150 {
        let mut dice = Dice(seed);
        let world = World::new();
        let mut plain = Plain(vec![Model::new()]);
        for life in 0..6 {
            let context = format!("seed {seed}, life {life}");
            live(&world, &mut plain, &mut dice, &context).await;
        }
    }
}
