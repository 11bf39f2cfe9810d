//! Random runs from a seed: entries, troubles and crashes at any point, compared with a plain map.

use std::collections::BTreeMap;

use tokio::task::yield_now;
use tokio::time::{Instant, advance};

use super::double::{Stored, Switch, World, plain_range};
use super::*;

type Model = BTreeMap<RowKey, Bytes>;

/// The generator `SplitMix64`: a run is repeated by its seed.
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

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn key(&mut self) -> Bytes {
        Bytes::from(format!("{:02}", self.below(30)))
    }

    fn row(&mut self) -> RowWrite {
        let value = (self.below(3) > 0).then(|| Bytes::from(self.next().to_string()));
        RowWrite { key: RowKey { table: self.pick(&TABLES), key: self.key() }, value }
    }

    fn switch(&mut self) -> Switch {
        self.pick(&[Switch::On, Switch::Off, Switch::AnswerLost, Switch::Held])
    }

    fn read(&mut self) -> RangeRead {
        let end = (self.below(3) > 0).then(|| self.key());
        RangeRead {
            table: self.pick(&TABLES),
            start: if self.below(3) == 0 { Bytes::new() } else { self.key() },
            end,
            reverse: self.below(2) == 0,
            limit: usize::try_from(self.below(40)).unwrap(),
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
                let stored = desk.world.stored();
                let is_there = number <= stored.last || stored.has_gone_back;
                drop(stored);
                assert!(is_there, "{context}: told before it was durable");
                for output in desk.acknowledge(number) {
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

/// A server that may fail over to what it was a moment ago.
#[derive(Default)]
struct Replica(Option<(Instant, Stored)>);

impl Replica {
    /// Copies the server's state, or goes back to the copy if it isn't too old.
    fn act(&mut self, world: &World) {
        match self.0.take() {
            Some((at, copy)) if at.elapsed() < Duration::from_secs(1) => {
                *world.stored() = copy;
                world.stored().has_gone_back = true;
            }
            _ => self.0 = Some((Instant::now(), world.stored().clone())),
        }
    }
}

/// One life of a process, up to its crash.
async fn live(world: &World, plain: &mut Plain, dice: &mut Dice, context: &str) {
    // With failovers the journal has all its room: what readers are shown doesn't go back then.
    let has_failovers = dice.below(3) == 0;
    let mut settings = JournalSettings::default();
    if !has_failovers {
        settings.overlay_bytes = 1 << (8 + dice.below(10));
        settings.log_max_bytes = 1 << (6 + dice.below(10));
    }
    let mut desk = Desk::open_with(world, settings).await.unwrap();
    let newest = desk.journal.newest();
    let known = plain.0.len() as u64 - 1;
    assert!(newest <= known, "{context}: {newest} of {known} entries");
    plain.0.truncate(usize::try_from(newest).unwrap() + 1);
    compare_all(&desk, plain, context).await;

    let (mut held, mut expected) = (0, 0);
    let mut replica = Replica::default();
    for _ in 0..dice.below(150) {
        match dice.below(13) {
            0..5 => {
                let rows = (0..dice.below(6)).map(|_| dice.row());
                let rows: BTreeMap<_, _> = rows.map(|row| (row.key.clone(), row)).collect();
                let rows: Vec<_> = rows.into_values().collect();
                plain.write(&rows);
                let number = desk.write(&rows);
                let free = desk.journal.hold(number * 1_000 + held);
                assert_eq!(free, None, "{context}: it can't be durable yet");
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
            11 if has_failovers => replica.act(world),
            _ => compare(&desk, plain, dice, context).await,
        }
        hear(&mut desk, context, &mut expected);
        assert_eq!(desk.rows.newest(), desk.journal.newest(), "{context}");
    }
    let acknowledged = desk.durable;
    if dice.below(2) == 0 {
        // Troubles end, and nothing is missing, not even what a failover took.
        world.log.send_replace(Switch::On);
        world.tables.send_replace(Switch::On);
        pass(3_000).await;
        hear(&mut desk, context, &mut expected);
        assert_eq!(desk.durable, desk.journal.newest(), "{context}");
        assert_eq!((world.position().0, expected), (desk.journal.newest(), held), "{context}");
        compare_all(&desk, plain, context).await;
    }
    drop(desk);
    // The crash takes effect where the tasks stand; then the store is there again.
    yield_now().await;
    world.log.send_replace(Switch::On);
    world.tables.send_replace(Switch::On);
    let mut stored = world.stored();
    let is_there = stored.last >= acknowledged || stored.has_gone_back;
    assert!(is_there, "{context}: an acknowledged entry is gone");
    stored.has_gone_back = false;
}

#[tokio::test(start_paused = true)]
async fn random_runs_agree_with_a_plain_map_across_crashes() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let world = World::new();
        let mut plain = Plain(vec![Model::new()]);
        for life in 0..6 {
            let context = format!("seed {seed}, life {life}");
            live(&world, &mut plain, &mut dice, &context).await;
        }
    }
}
