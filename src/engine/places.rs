//! How many of a thing each one has open at once: streams of a credential, sessions of an agent.
//!
//! Beside the workspace's thread, since whoever lets somebody in must know on the spot: what
//! readers are shown lags behind, and of many who come at once all would be let in. What it
//! remembers is bounded by what is open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places, of which each may hold so many.
#[derive(Debug)]
pub struct Places<K> {
    most: usize,
    held: Mutex<BTreeMap<K, usize>>,
}

/// A place that is held until this is dropped.
#[derive(Debug)]
pub struct Place<K: Ord> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K: Ord + Clone> Places<K> {
    /// Each may hold `most`.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    /// How many each may hold.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes one more for `key`; none: it holds as many as it may.
    pub fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut held = self.held();
        let count = held.get(&key).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        held.insert(key.clone(), count + 1);
        drop(held);
        Some(Place { places: Arc::clone(self), key })
    }
}

impl<K> Places<K> {
    fn held(&self) -> MutexGuard<'_, BTreeMap<K, usize>> {
        // What a panicking thread left behind is still a count.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holds_so_many_and_what_is_given_back_is_free_again() {
        let places = Places::new(2);
        let (first, _second) = (places.take("a"), places.take("a"));
        assert!(first.is_some() && places.take("a").is_none());
        assert!(places.take("b").is_some(), "another one's are their own");
        drop(first);
        assert!(places.take("a").is_some());
        assert_eq!(places.held().len(), 1, "nobody is remembered who holds none");
    }
}
