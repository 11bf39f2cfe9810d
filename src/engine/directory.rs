//! Where the machines' actors are, and how many letters are on their way to each.
//!
//! An actor may be let go only while nothing is on its way to it. All letters go through here, on
//! one thread, so "nothing on its way, and forgotten" can't be interrupted by another letter: the
//! next one starts the actor anew.
//!
//! A callback that waits in line hears nothing for minutes, and its actor would take more memory
//! than its machine. So its actor goes and leaves the machine here, and the next letter's actor
//! begins with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hash;

use actix::{Actor, Addr};

use super::agent_actor::AgentActor;
use super::callback_actor::{CallbackActor, CallbackDesk};
use super::queue_actor::QueueActor;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::matching::ByKey;

/// Actors of one kind.
pub(crate) struct Book<K, A: Actor> {
    desks: RefCell<ByKey<K, Desk<A>>>,
}

struct Desk<A: Actor> {
    actor: Addr<A>,
    /// Letters posted and not yet handled.
    on_the_way: u32,
}

impl<K: Hash + Eq + Clone, A: Actor> Default for Book<K, A> {
    fn default() -> Self {
        Self { desks: RefCell::default() }
    }
}

impl<K: Hash + Eq + Clone, A: Actor> Book<K, A> {
    /// Posts a letter to the actor of `key`, which is started if there is none and it may be. An
    /// address isn't copied for that: each copy is two pieces of memory.
    pub(crate) fn post(
        &self,
        key: &K,
        start: impl FnOnce() -> Option<Addr<A>>,
        post: impl FnOnce(&Addr<A>),
    ) {
        if let Some(desk) = self.desks.borrow_mut().get_mut(key) {
            desk.on_the_way += 1;
            post(&desk.actor);
            return;
        }
        let Some(actor) = start() else { return };
        post(&actor);
        self.desks.borrow_mut().insert(key.clone(), Desk { actor, on_the_way: 1 });
    }

    /// The actor of `key`, if there is one; a letter to it follows at once.
    pub(crate) fn expect_letter_if_there(&self, key: &K) -> Option<Addr<A>> {
        let mut desks = self.desks.borrow_mut();
        let desk = desks.get_mut(key)?;
        desk.on_the_way += 1;
        Some(desk.actor.clone())
    }

    /// Puts an actor there.
    pub(crate) fn insert(&self, key: K, actor: Addr<A>) {
        self.desks.borrow_mut().insert(key, Desk { actor, on_the_way: 0 });
    }

    /// A letter has come out of the mailbox.
    pub(crate) fn arrived(&self, key: &K) {
        let mut desks = self.desks.borrow_mut();
        let desk = desks.get_mut(key).expect("who is on the way to an actor keeps it in the book");
        desk.on_the_way -= 1;
    }

    /// Forgets the actor unless a letter is on its way; true: it is forgotten, and may stop.
    pub(crate) fn forget_if_idle(&self, key: &K) -> bool {
        let mut desks = self.desks.borrow_mut();
        let idle = desks.get(key).is_some_and(|desk| desk.on_the_way == 0);
        if idle {
            desks.remove(key);
        }
        idle
    }

    /// Whether there is one.
    pub(crate) fn has(&self, key: &K) -> bool {
        self.desks.borrow().contains_key(key)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.desks.borrow().len()
    }
}

/// Callbacks that are live or addressed: each has an actor or rests.
#[derive(Default)]
pub(crate) struct Callbacks {
    up: Book<CallbackId, CallbackActor>,
    resting: RefCell<BTreeMap<CallbackId, Box<CallbackDesk>>>,
}

impl Callbacks {
    /// Posts a letter to the actor of a callback; `start` makes one of a machine that rested, or
    /// of nothing.
    pub(crate) fn post(
        &self,
        id: &CallbackId,
        start: impl FnOnce(Option<Box<CallbackDesk>>) -> Addr<CallbackActor>,
        post: impl FnOnce(&Addr<CallbackActor>),
    ) {
        let start = || {
            let rested = self.resting.borrow_mut().remove(id);
            Some(start(rested))
        };
        self.up.post(id, start, post);
    }

    /// A letter has come out of the mailbox.
    pub(crate) fn arrived(&self, id: &CallbackId) {
        self.up.arrived(id);
    }

    /// Forgets the actor unless a letter is on its way; true: it is forgotten, and may stop.
    pub(crate) fn forget_if_idle(&self, id: &CallbackId) -> bool {
        self.up.forget_if_idle(id)
    }

    /// A machine rests, of whose actor nobody knows.
    pub(crate) fn rest(&self, id: CallbackId, machine: Box<CallbackDesk>) {
        assert!(!self.up.has(&id), "a callback has an actor or rests");
        self.resting.borrow_mut().insert(id, machine);
    }

    /// Puts an actor there.
    pub(crate) fn insert(&self, id: CallbackId, actor: Addr<CallbackActor>) {
        assert!(!self.resting.borrow().contains_key(&id), "a callback has an actor or rests");
        self.up.insert(id, actor);
    }

    /// Whether there is one.
    pub(crate) fn has(&self, id: &CallbackId) -> bool {
        self.up.has(id) || self.resting.borrow().contains_key(id)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.up.len() + self.resting.borrow().len()
    }

    /// Whether it is there without an actor.
    #[cfg(test)]
    pub(crate) fn rests(&self, id: &CallbackId) -> bool {
        self.resting.borrow().contains_key(id)
    }
}

/// All actors that come and go.
#[derive(Default)]
pub(crate) struct Directory {
    /// Callbacks.
    pub(crate) callbacks: Callbacks,
    /// Agents.
    pub(crate) agents: Book<AgentId, AgentActor>,
    /// Queues.
    pub(crate) queues: Book<QueueId, QueueActor>,
}
