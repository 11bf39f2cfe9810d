//! A set of hashes in little more than 4 bytes each.
//!
//! Separate because contacts and used keys are both remembered in it, of millions of callbacks: an
//! ordered map takes three to six times as much, and a hash map stops the thread for 50 ms when it
//! grows. This is split by the first bits of a hash into sorted lists, each of which stays short:
//! when those of one of the 256 parts become long, each of them is made two.

/// Bits by which a hash finds its part. With more of them there are more pieces of memory from the
/// first hashes on.
const PART_BITS: u32 = 8;

/// When a part has so many hashes for each of its lists, it gets twice as many lists: what comes in
/// moves half a list, 1 KiB.
const LIST_HASHES: usize = 512;

/// Nearly all hashes are so near to where they should be. A place in a list of n, spread evenly, is
/// binomial: its standard deviation is at most √n / 2, 11 with 512.
const NEAR: usize = 32;

/// A list that is full gets room for one in so many more; twice as much, as a list does by itself,
/// would be a third of spare room.
const GROWTH: usize = 16;

/// The hashes, of which it keeps 40 bits: of a million others, one is taken for one that is there
/// when there are a million.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hashes {
    /// None of them before the first hash.
    parts: Vec<Part>,
    count: usize,
}

/// Hashes that come at once, to be made a set when all are there: none is moved for another one.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// As they came, by the bits that they begin with. None of them before the first hash.
    parts: Vec<Vec<u32>>,
}

/// Those that begin with the same bits.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    /// A power of two; by the next bits. Each sorted. None of them before the first hash. They
    /// don't become fewer again; an empty one costs 24 bytes.
    lists: Vec<Vec<u32>>,
    count: usize,
}

impl Hashes {
    /// What is kept of a hash: two with the same are one to it. Hashes come as they are, of short
    /// texts as well, so their bits are mixed first (the odd constant is 2^64 over the golden
    /// ratio).
    pub(super) fn kept(hash: u64) -> u64 {
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> (64 - PART_BITS - u32::BITS)
    }

    /// The set of these; tells what is kept of each that was there already.
    pub(super) fn of(gathered: Gathered, mut again: impl FnMut(u64)) -> Self {
        let mut hashes = Self::default();
        for (number, mut part) in (0_u64..).zip(gathered.parts) {
            part.sort_unstable();
            let repeated = part.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
            repeated.for_each(|hash| again(number << u32::BITS | u64::from(hash)));
            part.dedup();
            hashes.count += part.len();
            hashes.parts.push(Part::of(&part));
        }
        hashes
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
        let (part, hash) = place(hash);
        self.parts.get(part).is_some_and(|part| part.find(hash).1.is_ok())
    }

    /// Puts it in; false: it is there already.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        if self.parts.is_empty() {
            self.parts.resize_with(1 << PART_BITS, Part::default);
        }
        let (part, hash) = place(hash);
        let is_new = self.parts[part].insert(hash);
        self.count += usize::from(is_new);
        is_new
    }

    /// Takes it out, if it is there.
    pub(super) fn remove(&mut self, hash: u64) {
        let (part, hash) = place(hash);
        let Some(part) = self.parts.get_mut(part) else { return };
        self.count -= usize::from(part.remove(hash));
    }
}

impl Gathered {
    /// Puts one down.
    pub(super) fn add(&mut self, hash: u64) {
        if self.parts.is_empty() {
            self.parts.resize_with(1 << PART_BITS, Vec::new);
        }
        let (part, hash) = place(hash);
        self.parts[part].push(hash);
    }

    /// Puts these down, too.
    pub(super) fn append(&mut self, others: Self) {
        if self.parts.is_empty() {
            *self = others;
            return;
        }
        for (part, mut other) in self.parts.iter_mut().zip(others.parts) {
            part.append(&mut other);
        }
    }
}

impl Part {
    /// With all of these, which are sorted.
    fn of(mut hashes: &[u32]) -> Self {
        let count = hashes.len();
        let mut part = Self { lists: Vec::new(), count };
        if count > 0 {
            let lists = count.div_ceil(LIST_HASHES).next_power_of_two();
            part.lists.resize_with(lists, Vec::new);
        }
        for number in 0..part.lists.len() {
            let (list, rest) =
                hashes.split_at(hashes.partition_point(|hash| part.list(*hash) == number));
            part.lists[number] = list.to_vec();
            hashes = rest;
        }
        part
    }

    /// Bits by which a hash finds its list.
    fn bits(&self) -> u32 {
        self.lists.len().checked_ilog2().unwrap_or_default()
    }

    /// The number of a hash's list.
    fn list(&self, hash: u32) -> usize {
        hash.checked_shr(u32::BITS - self.bits()).unwrap_or_default() as usize
    }

    /// The number of a hash's list, and its place there, or where it would be put. Hashes are
    /// spread evenly, so it is looked for where it should be about: each step of a binary search
    /// would be another line of memory that isn't in the processor's cache.
    fn find(&self, hash: u32) -> (usize, Result<usize, usize>) {
        let number = self.list(hash);
        let Some(list) = self.lists.get(number) else { return (number, Err(0)) };
        let rest = u64::from(hash.checked_shl(self.bits()).unwrap_or_default());
        let about = ((rest * list.len() as u64) >> u32::BITS) as usize;
        let (from, to) = (about.saturating_sub(NEAR), (about + NEAR).min(list.len()));
        let is_near = (from == 0 || list[from - 1] < hash) && (to == list.len() || list[to] > hash);
        let (from, to) = if is_near { (from, to) } else { (0, list.len()) };
        let found = list[from..to].binary_search(&hash);
        (number, found.map(|at| from + at).map_err(|at| from + at))
    }

    fn insert(&mut self, hash: u32) -> bool {
        if self.count >= self.lists.len() * LIST_HASHES {
            self.split();
        }
        let (number, Err(at)) = self.find(hash) else { return false };
        let list = &mut self.lists[number];
        if list.len() == list.capacity() {
            list.reserve_exact(4 + list.len() / GROWTH);
        }
        list.insert(at, hash);
        self.count += 1;
        true
    }

    fn remove(&mut self, hash: u32) -> bool {
        let (number, Ok(at)) = self.find(hash) else { return false };
        let list = &mut self.lists[number];
        list.remove(at);
        if list.len() < list.capacity() / 2 {
            list.shrink_to_fit();
        }
        self.count -= 1;
        true
    }

    /// Makes two of each list, or the first one.
    fn split(&mut self) {
        let lists = std::mem::take(&mut self.lists);
        self.lists.resize_with((lists.len() * 2).max(1), Vec::new);
        for (place, mut list) in lists.into_iter().enumerate() {
            let at = list.partition_point(|hash| self.list(*hash) == place * 2);
            self.lists[place * 2 + 1] = list[at..].to_vec();
            list.truncate(at);
            list.shrink_to_fit();
            self.lists[place * 2] = list;
        }
    }
}

/// The part of a hash, and what stands there.
fn place(hash: u64) -> (usize, u32) {
    let kept = Hashes::kept(hash);
    let part = usize::try_from(kept >> u32::BITS).expect("eight bits fit");
    (part, u32::try_from(kept & u64::from(u32::MAX)).expect("32 bits fit"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn lists(hashes: &Hashes) -> impl Iterator<Item = &Vec<u32>> {
        hashes.parts.iter().flat_map(|part| &part.lists)
    }

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
    fn gathered_ones_make_the_same_set_as_one_after_the_other() {
        for count in [0, 1, 2, 300, 131_072, 131_073, 200_000] {
            let (mut hashes, mut gathered) = (Hashes::default(), Gathered::default());
            let (mut others, mut repeated) = (Gathered::default(), Vec::new());
            for hash in 0..count + count / 4 {
                let hash = hash % count;
                let half = if hash % 3 == 0 { &mut gathered } else { &mut others };
                half.add(hash);
                if !hashes.insert(hash) {
                    repeated.push(Hashes::kept(hash));
                }
            }
            let mut again = Vec::new();
            let (mut all, none) = (Gathered::default(), Gathered::default());
            all.append(others);
            all.append(gathered);
            all.append(none);
            let all = Hashes::of(all, |kept| again.push(kept));
            again.sort_unstable();
            repeated.sort_unstable();
            assert_eq!(again, repeated);
            assert_eq!(all.len(), hashes.len());
            assert!(lists(&all).flatten().eq(lists(&hashes).flatten()), "{count}");
            // One that comes again may have had lists split already.
            assert!(lists(&all).count() <= lists(&hashes).count(), "{count}");
        }
    }

    #[test]
    fn lists_are_about_as_long_as_one_another() {
        for step in [1, 2, 1 << 10, 1 << 40] {
            let mut hashes = Hashes::default();
            for number in 0..100_000 {
                hashes.insert(number * step);
            }
            let longest = lists(&hashes).map(Vec::len).max();
            assert!(longest < Some(500), "{longest:?} of 100,000, by {step}");
            assert!(hashes.len() > 99_990, "{} are different, by {step}", hashes.len());
            for number in 100_000..900_000 {
                hashes.insert(number * step);
            }
            let longest = lists(&hashes).map(Vec::len).max();
            assert!(longest < Some(700), "{longest:?} of 900,000, by {step}");
            assert!((0..900_000).all(|number| hashes.contains(number * step)), "by {step}");
        }
    }

    #[test]
    fn there_is_little_spare_room() {
        let mut hashes = Hashes::default();
        for number in 0..200_000 {
            hashes.insert(number);
        }
        let room: usize = lists(&hashes).map(Vec::capacity).sum();
        assert!(room < 215_000, "room for {room}");
        for number in 0..190_000 {
            hashes.remove(number);
        }
        let room: usize = lists(&hashes).map(Vec::capacity).sum();
        assert!(room < 21_000, "room for {room}");
    }
}
