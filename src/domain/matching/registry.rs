//! Things by their key, each under a small number that stands for it in all indexes.
//!
//! It is separate because agents, queues and signatures are all found by a key once per message
//! and named by number everywhere else. Numbers are handed out again after a removal, so nobody
//! may keep one longer than what it stands for.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// The number that stands for a `T`.
pub(crate) struct No<T>(u32, PhantomData<fn() -> T>);

impl<T> No<T> {
    const fn new(number: u32) -> Self {
        Self(number, PhantomData)
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

impl<T> Clone for No<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for No<T> {}

impl<T> PartialEq for No<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for No<T> {}

impl<T> PartialOrd for No<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for No<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for No<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for No<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{}", self.0)
    }
}

/// What is looked up by key, and put in order by whoever walks through it.
#[expect(
    clippy::disallowed_types,
    reason = "its order never matters; among 10,000 agents an ordered map compares 14 texts"
)]
pub(crate) type ByKey<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Things by key and by number.
#[derive(Debug)]
pub(crate) struct Registry<K, T> {
    numbers: ByKey<K, No<T>>,
    slots: Vec<Option<T>>,
    free: Vec<No<T>>,
}

impl<K: Eq + Hash, T> Registry<K, T> {
    pub(crate) fn new() -> Self {
        Self { numbers: ByKey::default(), slots: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(crate) fn find(&self, key: &K) -> Option<No<T>> {
        self.numbers.get(key).copied()
    }

    /// Puts in what isn't there yet.
    pub(crate) fn insert(&mut self, key: K, thing: T) -> No<T> {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            let last = u32::try_from(self.slots.len() - 1);
            No::new(last.expect("memory ends long before 2^32 things"))
        });
        let before = self.numbers.insert(key, number);
        assert!(before.is_none(), "a key stands for one thing");
        self.slots[number.index()] = Some(thing);
        number
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<T> {
        let number = self.numbers.remove(key)?;
        self.free.push(number);
        self.slots[number.index()].take()
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (No<T>, &T)> {
        let number = |index| No::new(u32::try_from(index).expect("numbers have 32 bits"));
        let slots = self.slots.iter().enumerate();
        slots.filter_map(move |(index, slot)| Some((number(index), slot.as_ref()?)))
    }
}

impl<K, T> Index<No<T>> for Registry<K, T> {
    type Output = T;

    fn index(&self, number: No<T>) -> &T {
        self.slots[number.index()].as_ref().expect("a number is not kept longer than its thing")
    }
}

impl<K, T> IndexMut<No<T>> for Registry<K, T> {
    fn index_mut(&mut self, number: No<T>) -> &mut T {
        self.slots[number.index()].as_mut().expect("a number is not kept longer than its thing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_handed_out_again_after_a_removal() {
        let mut registry = Registry::new();
        let one = registry.insert("one", 1);
        let two = registry.insert("two", 2);
        assert_ne!(one, two);
        assert_eq!(registry.remove(&"one"), Some(1));
        assert_eq!(registry.remove(&"one"), None);
        assert_eq!(registry.insert("three", 3), one);
        assert_eq!((registry[one], registry[two], registry.len()), (3, 2, 2));
        assert_eq!(registry.find(&"one"), None);
        assert!(registry.iter().eq([(one, &3), (two, &2)]), "by number");
    }
}
