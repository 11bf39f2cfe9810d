//! An ordered set that knows each key's place: how many stand before it.
//!
//! It is separate because the standard ordered set can't tell a place without counting, and both
//! a callback's position in line and the estimate of its wait ask for one at each arrival. It
//! holds keys only and knows nothing of what they mean; equal keys are kept once.

/// The most keys of one chunk. A place costs one step per chunk before it and a binary search
/// within its own; an insertion moves at most one chunk. At 100,000 keys these are about equal.
const CHUNK_MAX: usize = 512;

/// Neighbours that fit into this together become one, so that chunks stay few after removals.
const MERGE_BELOW: usize = CHUNK_MAX / 2;

/// Keys in ascending order, in chunks.
#[derive(Debug, Clone)]
pub struct RankedSet<K> {
    /// Ascending, none of them empty, each at most [`CHUNK_MAX`] long.
    chunks: Vec<Vec<K>>,
    len: usize,
}

impl<K> Default for RankedSet<K> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<K: Ord + Copy> RankedSet<K> {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The smallest key.
    pub fn first(&self) -> Option<&K> {
        self.chunks.first().and_then(|chunk| chunk.first())
    }

    /// All keys, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.chunks.iter().flatten()
    }

    /// Whether `key` is there.
    pub fn contains(&self, key: &K) -> bool {
        self.chunks.get(self.chunk_of(key)).is_some_and(|chunk| chunk.binary_search(key).is_ok())
    }

    /// How many keys are smaller than `key`; none if it isn't there.
    pub fn rank_of(&self, key: &K) -> Option<usize> {
        let chunk = self.chunk_of(key);
        let within = self.chunks.get(chunk)?.binary_search(key).ok()?;
        let before: usize = self.chunks[..chunk].iter().map(Vec::len).sum();
        Some(before + within)
    }

    /// How many keys are smaller than `key`, whether it is there or not.
    pub fn below(&self, key: &K) -> usize {
        let chunk = self.chunk_of(key);
        let before: usize = self.chunks[..chunk].iter().map(Vec::len).sum();
        let within = self.chunks.get(chunk);
        before + within.map_or(0, |chunk| chunk.partition_point(|one| one < key))
    }

    /// Puts `key` in; false if it was there.
    pub fn insert(&mut self, key: K) -> bool {
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        // A key beyond all others belongs at the end of the last chunk.
        let mut place = self.chunk_of(&key).min(self.chunks.len() - 1);
        let Err(mut within) = self.chunks[place].binary_search(&key) else {
            return false;
        };
        if self.chunks[place].len() == CHUNK_MAX {
            // What comes in order fills its chunks; all else finds two half full ones. The half
            // that isn't written now has no room to spare.
            let is_last = place + 1 == self.chunks.len() && within == CHUNK_MAX;
            let lower = if is_last { CHUNK_MAX } else { CHUNK_MAX / 2 };
            let upper = self.chunks[place].split_off(lower);
            self.chunks.insert(place + 1, upper);
            if within >= lower {
                self.chunks[place].shrink_to_fit();
                (place, within) = (place + 1, within - lower);
            }
        }
        self.chunks[place].insert(within, key);
        self.len += 1;
        true
    }

    /// Takes `key` out; false if it wasn't there.
    pub fn remove(&mut self, key: &K) -> bool {
        let place = self.chunk_of(key);
        let Some(chunk) = self.chunks.get_mut(place) else {
            return false;
        };
        let Ok(within) = chunk.binary_search(key) else {
            return false;
        };
        chunk.remove(within);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(place);
        } else {
            self.merge(place);
            self.merge(place.saturating_sub(1));
        }
        true
    }

    /// Makes one chunk of the one at `place` and the next, if that is a small one.
    fn merge(&mut self, place: usize) {
        let fits = |pair: &[Vec<K>]| pair[0].len() + pair[1].len() <= MERGE_BELOW;
        if self.chunks.get(place..place + 2).is_some_and(fits) {
            let next = self.chunks.remove(place + 1);
            self.chunks[place].extend(next);
        }
    }

    /// The first chunk whose last key isn't smaller than `key`.
    fn chunk_of(&self, key: &K) -> usize {
        self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last < key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::CallbackId;

    /// Asserts what must hold of the chunks at any time.
    fn check<K: Ord + Copy>(set: &RankedSet<K>) {
        assert_eq!(set.len(), set.iter().count());
        assert!(set.iter().zip(set.iter().skip(1)).all(|(one, next)| one < next));
        assert!(set.chunks.iter().all(|chunk| (1..=CHUNK_MAX).contains(&chunk.len())));
    }

    #[test]
    fn an_empty_set_has_no_first_and_no_place() {
        let mut set = RankedSet::new();
        assert!(set.is_empty());
        assert_eq!(set.first(), None);
        assert_eq!(set.rank_of(&7), None);
        assert!(!set.remove(&7));
    }

    #[test]
    fn places_follow_rank_and_then_id() {
        let mut set = RankedSet::new();
        let key = |rank, id| (rank, CallbackId(id));
        assert!(set.insert(key(5, 1)));
        assert!(set.insert(key(-5, 9)));
        assert!(set.insert(key(5, 0)));
        assert!(!set.insert(key(5, 0)), "it is there already");
        assert_eq!(set.first(), Some(&key(-5, 9)));
        assert_eq!(set.rank_of(&key(5, 0)), Some(1));
        assert_eq!(set.rank_of(&key(5, 1)), Some(2));
        assert_eq!(set.rank_of(&key(5, 2)), None);
    }

    #[test]
    fn chunks_split_when_full_and_merge_when_nearly_empty() {
        let mut set = RankedSet::new();
        for key in 0..100_000_u32 {
            set.insert(key);
        }
        check(&set);
        assert!(set.chunks.len() <= 100_000 / (CHUNK_MAX / 2));
        assert_eq!(set.rank_of(&99_999), Some(99_999));
        for key in 0..100_000 {
            if key % 1_000 != 0 {
                assert!(set.remove(&key));
            }
        }
        check(&set);
        assert_eq!(set.len(), 100);
        assert!(set.chunks.len() <= 2, "{} chunks for 100 keys", set.chunks.len());
    }

    proptest! {
        #[test]
        fn it_does_what_a_sorted_list_does(
            steps in proptest::collection::vec((0_u16..1_500, 0_u8..3), 1..4_000)
        ) {
            let mut set = RankedSet::new();
            let mut list: Vec<u16> = Vec::new();
            for (key, action) in steps {
                let found = list.binary_search(&key);
                match action {
                    0 | 1 => {
                        prop_assert_eq!(set.insert(key), found.is_err());
                        if let Err(place) = found {
                            list.insert(place, key);
                        }
                    }
                    _ => {
                        prop_assert_eq!(set.remove(&key), found.is_ok());
                        if let Ok(place) = found {
                            list.remove(place);
                        }
                    }
                }
                prop_assert_eq!(set.rank_of(&key), list.binary_search(&key).ok());
                prop_assert_eq!(set.below(&key), list.partition_point(|one| *one < key));
                prop_assert_eq!(set.contains(&key), list.binary_search(&key).is_ok());
                prop_assert_eq!(set.first(), list.first());
            }
            check(&set);
            prop_assert!(set.iter().eq(list.iter()));
        }
    }
}
