//! Made-up values of everything that is stored, for tests: as a seed says, or with every field set.

pub(super) mod callbacks;
mod events;
mod measures;
pub(super) mod outward;
mod settings;
mod webhooks;

use crate::domain::ids::{AgentId, InteractionId, OfferId, QueueId, SessionId, SkillName};
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// Where sampled time begins, in milliseconds.
pub(super) const EPOCH: i64 = 1_795_000_000_000;

/// A source of values that a seed repeats.
pub(super) struct Sampler {
    state: u64,
    full: bool,
}

impl Sampler {
    /// Anything, as `seed` says.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, full: false }
    }

    /// The same with every optional field set and two of everything that there may be many of.
    pub(super) fn full(seed: u64) -> Self {
        Self { state: seed, full: true }
    }

    /// The next of Steele and Vigna's "split mix" numbers.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let place = self.below(of.len() as u64);
        of[usize::try_from(place).expect("a place in a slice")].clone()
    }

    pub(super) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let there = self.full || self.yes();
        there.then(|| make(self))
    }

    pub(super) fn some<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = if self.full { 2 } else { self.below(3) };
        (0..count).map(|_| make(self)).collect()
    }

    pub(super) fn count(&mut self) -> u32 {
        self.pick(&[0, 1, 127, 128, 300, u32::MAX])
    }

    pub(super) fn text(&mut self) -> String {
        self.pick(&["", "x", "Charged twice", "Ödön · 漢字", "line\nline", "\0"]).to_owned()
    }

    pub(super) fn at(&mut self) -> Timestamp {
        match self.below(20) {
            0 => Timestamp::NEVER,
            1 => Timestamp(-1),
            _ => Timestamp(EPOCH + i64::from(u32::try_from(self.below(1_000)).expect("small"))),
        }
    }

    /// An instant that something is filed by: none of those is `NEVER`.
    pub(super) fn some_time(&mut self) -> Timestamp {
        self.at().min(Timestamp(i64::MAX - 1))
    }

    pub(super) fn agent_id(&mut self) -> AgentId {
        AgentId::parse(self.pick(&["ann", "bob", "mara", "mara-2"])).expect("a slug")
    }

    pub(super) fn queue_id(&mut self) -> QueueId {
        QueueId::parse(self.pick(&["billing", "sales", "sales2"])).expect("a slug")
    }

    fn zone(&mut self) -> TimeZone {
        let zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"];
        TimeZone::parse(self.pick(&zones)).expect("a zone")
    }

    pub(super) fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    fn interaction_id(&mut self) -> InteractionId {
        InteractionId(self.wide())
    }

    fn offer_id(&mut self) -> OfferId {
        OfferId(self.wide())
    }

    fn session_id(&mut self) -> SessionId {
        SessionId(self.wide())
    }
}

/// One of two skills.
fn skill(place: usize) -> SkillName {
    SkillName::parse(["french", "refunds"][place]).expect("a slug")
}
