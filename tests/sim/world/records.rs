//! Records, as the journal's entries say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringback::domain::agent::Agent;
use ringback::domain::callback::Snapshot;
use ringback::domain::dispatch::{Item, OutboxChange};
use ringback::domain::effect::{Change, WebhookChange};
use ringback::domain::event::Event;
use ringback::domain::ids::{AgentId, CallbackId, QueueId};
use ringback::domain::phone::PhoneNumber;
use ringback::domain::queue::Queue;
use ringback::domain::webhook::Progress;

/// Events and dispatches are numbered by their entry's number × this + their place there.
pub(super) const PLACES: u64 = 32;

/// An entry of the journal.
pub(crate) struct Entry {
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<Event>,
}

/// The newest state of everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    pub(crate) callbacks: BTreeMap<CallbackId, Snapshot>,
    pub(crate) agents: BTreeMap<AgentId, Arc<Agent>>,
    pub(crate) queues: BTreeMap<QueueId, Arc<Queue>>,
    pub(crate) denied: BTreeSet<PhoneNumber>,
    /// What is to go out, by number.
    pub(crate) items: BTreeMap<u64, Item>,
    /// How far the webhook has come.
    pub(crate) progress: Option<Arc<Progress>>,
}

impl Records {
    /// Takes the changes of the entry of this number.
    pub(super) fn take(&mut self, number: u64, entry: &Entry) {
        let mut next = number * PLACES;
        for change in &entry.changes {
            self.apply(change, &mut next);
        }
    }

    fn apply(&mut self, change: &Change, next: &mut u64) {
        match change {
            Change::Callback { after, .. } => {
                self.callbacks.insert(after.id, Arc::clone(after));
            }
            Change::Outbox(change) => self.goes_out(change, next),
            Change::Webhook(WebhookChange::Progress(progress)) => {
                self.progress = Some(Arc::clone(progress));
            }
            Change::Webhook(_)
            | Change::Request { .. }
            | Change::Interaction { .. }
            | Change::Key(..)
            | Change::Measured(_) => {}
            Change::Denied(phone, Some(_)) => {
                self.denied.insert(*phone);
            }
            Change::Denied(phone, None) => {
                self.denied.remove(phone);
            }
            Change::Agent(agent) => {
                self.agents.insert(agent.settings.id.clone(), Arc::clone(agent));
            }
            Change::AgentRemoved(id) => {
                self.agents.remove(id);
            }
            Change::Queue(queue) => {
                self.queues.insert(queue.settings.id.clone(), Arc::clone(queue));
            }
            Change::QueueRemoved(id) => {
                self.queues.remove(id);
            }
        }
    }

    fn goes_out(&mut self, change: &OutboxChange, next: &mut u64) {
        match change {
            OutboxChange::New(dispatch) => {
                self.items.insert(*next, Item::new(*next, dispatch.clone()));
                *next += 1;
            }
            OutboxChange::Later { after, .. } => {
                self.items.insert(after.id, after.clone());
            }
            OutboxChange::Done(item) | OutboxChange::GivenUp { item, .. } => {
                self.items.remove(&item.id);
            }
            OutboxChange::Failed(_) | OutboxChange::Again { .. } => {}
        }
    }

    pub(crate) fn is_denied(&self, phone: Option<&PhoneNumber>) -> bool {
        phone.is_some_and(|phone| self.denied.contains(phone))
    }

    /// A callback's items, in the order of their numbers.
    pub(super) fn items_of(&self, callback: CallbackId) -> Vec<Item> {
        let all = self.items.values();
        all.filter(|item| item.dispatch.callback == callback).cloned().collect()
    }
}
