//! Where the machines' actors are, and how many letters are on their way to each.
//!
//! An actor may be let go only while nothing is on its way to it. All letters go through here, on
//! one thread, so "nothing on its way, and forgotten" can't be interrupted by another letter: the
//! next one starts the actor anew.

use std::cell::RefCell;
use std::collections::BTreeMap;

use actix::{Actor, Addr};

use super::agent_actor::AgentActor;
use super::callback_actor::CallbackActor;
use super::queue_actor::QueueActor;
use crate::domain::ids::{AgentId, CallbackId, QueueId};

/// Actors of one kind.
pub(crate) struct Book<K, A: Actor> {
    desks: RefCell<BTreeMap<K, Desk<A>>>,
}

struct Desk<A: Actor> {
    actor: Addr<A>,
    /// Letters posted and not yet handled.
    on_the_way: u32,
}

impl<K: Ord + Clone, A: Actor> Default for Book<K, A> {
    fn default() -> Self {
        Self { desks: RefCell::default() }
    }
}

impl<K: Ord + Clone, A: Actor> Book<K, A> {
    /// The actor of `key`, started if there is none; a letter to it follows at once.
    pub(crate) fn expect_letter(&self, key: &K, start: impl FnOnce() -> Addr<A>) -> Addr<A> {
        if let Some(actor) = self.expect_letter_if_there(key) {
            return actor;
        }
        let actor = start();
        self.insert(key.clone(), actor.clone());
        self.expect_letter_if_there(key).expect("it was put there a moment ago")
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

/// All actors that come and go.
#[derive(Default)]
pub(crate) struct Directory {
    /// Callbacks that are live or addressed.
    pub(crate) callbacks: Book<CallbackId, CallbackActor>,
    /// Agents.
    pub(crate) agents: Book<AgentId, AgentActor>,
    /// Queues.
    pub(crate) queues: Book<QueueId, QueueActor>,
}
