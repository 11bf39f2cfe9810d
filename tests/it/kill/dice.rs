//! The chance in these tests: all of it comes from one seed, which is printed.

/// A generator whose whole state is the seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// From `SEED`, or fresh; told either way, so that a failure can be repeated as far as
    /// threads and processes can be.
    pub(super) fn cast(test: &str) -> Self {
        let seed = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
        let seed = seed.unwrap_or_else(|| getrandom::u64().expect("the system has random numbers"));
        eprintln!("{test}: SEED={seed}");
        Self(seed)
    }

    /// Another generator, the same for the same name.
    pub(super) fn fork(&self, name: u64) -> Self {
        Self(Self(self.0 ^ name.wrapping_mul(0xff51_afd7_ed55_8ccd)).next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// The place of the share that is hit, of shares that add up to 100.
    pub(super) fn share(&mut self, shares: &[u64]) -> usize {
        assert_eq!(shares.iter().sum::<u64>(), 100, "shares of the whole");
        let mut left = self.next() % 100;
        for (place, share) in shares.iter().enumerate() {
            if left < *share {
                return place;
            }
            left -= share;
        }
        unreachable!("they add up to 100")
    }

    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let place = self.next() % u64::try_from(items.len()).expect("fits").max(1);
        items.get(usize::try_from(place).expect("fits"))
    }
}
