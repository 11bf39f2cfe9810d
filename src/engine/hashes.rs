//! A set of hashes in little more than 4 bytes each.
//!
//! Separate because contacts and used keys are both remembered in it, of millions of callbacks: an
//! ordered map takes three to six times as much, and a hash map stops the thread for 50 ms when it
//! grows. This is split by the first bits of a hash into sorted lists, each of which stays short.

/// Bits by which a hash finds its list. With more of them lists are shorter, but there are more
/// pieces of memory, each of which moves on to the next size now and then and leaves a hole behind.
const LIST_BITS: u32 = 8;

/// A list that is full gets room for one in so many more; twice as much, as a list does by itself,
/// would be a third of spare room.
const GROWTH: usize = 16;

/// The hashes, of which it keeps 40 bits: of a million others, one is taken for one that is there
/// when there are a million.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    /// Each sorted; none of them before the first hash.
    lists: Vec<Vec<u32>>,
    count: usize,
}

impl Hashes {
    /// What is kept of a hash: two with the same are one to it. Hashes come as they are, of short
    /// texts as well, so their bits are mixed first (the odd constant is 2^64 over the golden
    /// ratio).
    pub(super) fn kept(hash: u64) -> u64 {
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> (64 - LIST_BITS - u32::BITS)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether it is there.
    pub(super) fn contains(&self, hash: u64) -> bool {
        let (list, hash) = place(hash);
        self.lists.get(list).is_some_and(|list| list.binary_search(&hash).is_ok())
    }

    /// Puts it in; false: it is there already.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        if self.lists.is_empty() {
            self.lists.resize_with(1 << LIST_BITS, Vec::new);
        }
        let (list, hash) = place(hash);
        let list = &mut self.lists[list];
        let Err(at) = list.binary_search(&hash) else { return false };
        if list.len() == list.capacity() {
            list.reserve_exact(4 + list.len() / GROWTH);
        }
        list.insert(at, hash);
        self.count += 1;
        true
    }

    /// Takes it out, if it is there.
    pub(super) fn remove(&mut self, hash: u64) {
        let (list, hash) = place(hash);
        let Some(list) = self.lists.get_mut(list) else { return };
        let Ok(at) = list.binary_search(&hash) else { return };
        list.remove(at);
        self.count -= 1;
        if list.len() < list.capacity() / 2 {
            list.shrink_to_fit();
        }
    }
}

/// The list of a hash, and what stands there.
fn place(hash: u64) -> (usize, u32) {
    let kept = Hashes::kept(hash);
    let list = usize::try_from(kept >> u32::BITS).expect("eight bits fit");
    (list, u32::try_from(kept & u64::from(u32::MAX)).expect("32 bits fit"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_has_what_was_put_in_and_not_taken_out() {
        let (mut hashes, mut model) = (Hashes::default(), BTreeSet::new());
        for step in 0..60_000_u64 {
            let hash = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 20_000;
            if step % 3 == 0 {
                hashes.remove(hash);
                model.remove(&hash);
            } else {
                assert_eq!(hashes.insert(hash), model.insert(hash));
            }
            assert_eq!(hashes.len(), model.len());
        }
        for number in 0..40_000 {
            assert_eq!(hashes.contains(number), model.contains(&number));
        }
        for hash in &model {
            hashes.remove(*hash);
        }
        assert!(hashes.is_empty() && !model.is_empty());
    }

    #[test]
    fn lists_are_about_as_long_as_one_another() {
        for step in [1, 2, 1 << 10, 1 << 40] {
            let mut hashes = Hashes::default();
            for number in 0..100_000 {
                hashes.insert(number * step);
            }
            let longest = hashes.lists.iter().map(Vec::len).max();
            assert!(longest < Some(500), "{longest:?} of 100,000, by {step}");
            assert!(hashes.len() > 99_990, "{} are different, by {step}", hashes.len());
        }
    }

    #[test]
    fn there_is_little_spare_room() {
        let mut hashes = Hashes::default();
        for number in 0..200_000 {
            hashes.insert(number);
        }
        let room: usize = hashes.lists.iter().map(Vec::capacity).sum();
        assert!(room < 215_000, "room for {room}");
        for number in 0..190_000 {
            hashes.remove(number);
        }
        let room: usize = hashes.lists.iter().map(Vec::capacity).sum();
        assert!(room < 21_000, "room for {room}");
    }
}
