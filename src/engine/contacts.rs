//! Counts the callbacks that aren't final under each contact's key, so that a contact who has none
//! costs no read.
//!
//! Keys stand in it as hashes of 40 bits: it never denies what is there, and now and then has the
//! store read for two who share one. It is exact from the first command on, since it is filled
//! from the store's index when a life begins and learns every change as it is journaled.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::hashes::{Gathered, Hashes};
use crate::domain::callback::{Callback, ContactKey};
use crate::domain::effect::Change;
use crate::domain::fnv::Fnv;

/// The counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contacts {
    /// Keys with a callback.
    some: Hashes,
    /// How many each has beside the first, by what [`Hashes`] keeps. Hardly anybody has.
    further: BTreeMap<u64, u32>,
}

/// The keys of all callbacks that aren't final, as a start reads them.
#[derive(Debug, Default)]
pub struct ActiveKeys(Gathered);

impl ActiveKeys {
    /// A callback is found under this key.
    pub fn add(&mut self, key: ContactKey) {
        self.0.add(hash(key));
    }

    /// These, too.
    pub fn append(&mut self, others: Self) {
        self.0.append(others.0);
    }
}

impl Contacts {
    /// All that were found.
    pub(crate) fn of(found: ActiveKeys) -> Self {
        let mut further = BTreeMap::new();
        let some = Hashes::of(found.0, |kept| *further.entry(kept).or_default() += 1);
        Self { some, further }
    }

    /// A callback is found under this key.
    fn add(&mut self, key: ContactKey) {
        let hash = hash(key);
        if !self.some.insert(hash) {
            *self.further.entry(Hashes::kept(hash)).or_default() += 1;
        }
    }

    /// It isn't any more.
    fn remove(&mut self, key: ContactKey) {
        let hash = hash(key);
        assert!(self.some.contains(hash), "what is removed was added before");
        let Entry::Occupied(mut further) = self.further.entry(Hashes::kept(hash)) else {
            self.some.remove(hash);
            return;
        };
        *further.get_mut() -= 1;
        if *further.get() == 0 {
            further.remove();
        }
    }

    /// Takes note of changes.
    pub(crate) fn learn(&mut self, changes: &[Change]) {
        for change in changes {
            let Change::Callback { before, after } = change else { continue };
            let before = before.as_deref().filter(|before| is_active(before));
            let after = Some(&**after).filter(|after| is_active(after));
            if before.map(|one| &one.reach) == after.map(|one| &one.reach) {
                continue;
            }
            after.into_iter().flat_map(|one| one.reach.keys()).for_each(|key| self.add(key));
            before.into_iter().flat_map(|one| one.reach.keys()).for_each(|key| self.remove(key));
        }
    }

    /// Whether a callback may be found under this key; false is certain.
    pub(crate) fn maybe(&self, key: ContactKey) -> bool {
        self.some.contains(hash(key))
    }
}

fn is_active(callback: &Callback) -> bool {
    !callback.state().is_final()
}

/// No more than an even spread is needed.
fn hash(key: ContactKey) -> u64 {
    Fnv::of(&[&key.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_found_at_a_start_count_like_those_that_come_later() {
        let [one, other, third] = ["anna", "ben", "+4930123456"].map(ContactKey::told_by);
        let (mut found, mut counted) = (ActiveKeys::default(), Contacts::default());
        for key in [one, other, one, third, one] {
            found.add(key);
            counted.add(key);
        }
        let mut contacts = Contacts::of(found);
        assert_eq!(contacts.further, counted.further);
        for key in [one, one, other, third] {
            assert!(contacts.maybe(key));
            contacts.remove(key);
        }
        assert!(contacts.maybe(one) && !contacts.maybe(other) && !contacts.maybe(third));
    }

    #[test]
    fn a_key_is_there_as_long_as_it_has_a_callback() {
        let [one, other] = ["anna", "ben"].map(ContactKey::told_by);
        let mut contacts = Contacts::default();
        for times in 1..4 {
            for _ in 0..times {
                contacts.add(one);
            }
            for _ in 0..times {
                assert!(contacts.maybe(one) && !contacts.maybe(other));
                contacts.remove(one);
            }
            assert!(!contacts.maybe(one) && contacts.further.is_empty());
        }
    }
}
