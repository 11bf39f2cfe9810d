//! What a test's store has, as entries leave it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::webhooks::Webhooks;
use crate::domain::agent::Agent;
use crate::domain::callback::{Callback, Channel, Interaction, Request};
use crate::domain::denied::Denied;
use crate::domain::dispatch::{Failure, Item, OutboxChange};
use crate::domain::effect::Change;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::key::{ApiKey, TokenHash};
use crate::domain::measure::{Measured, Tally};
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::engine::entry::{Entry, IdempotencyKey, Kept};
use crate::engine::library::StoredEvent;
use crate::engine::ports::EntryNumber;

/// What reads show.
#[derive(Default)]
pub(super) struct World {
    pub(super) newest: EntryNumber,
    pub(super) callbacks: BTreeMap<CallbackId, Arc<Callback>>,
    pub(super) requests: BTreeMap<(CallbackId, u32), Arc<Request>>,
    pub(super) ended: BTreeMap<(CallbackId, u32), Interaction>,
    pub(super) queues: BTreeMap<QueueId, Arc<Queue>>,
    pub(super) agents: BTreeMap<AgentId, Arc<Agent>>,
    pub(super) keys: BTreeMap<TokenHash, Arc<ApiKey>>,
    pub(super) denied: BTreeMap<PhoneNumber, Arc<Denied>>,
    pub(super) kept: BTreeMap<IdempotencyKey, Kept>,
    pub(super) externals: BTreeMap<(Channel, String), CallbackId>,
    pub(super) events: Vec<StoredEvent>,
    pub(super) webhooks: Webhooks,
    pub(super) items: BTreeMap<u64, Item>,
    pub(super) failures: BTreeMap<u64, Failure>,
    pub(super) secret: Option<Vec<u8>>,
    pub(super) measured: BTreeMap<(Timestamp, String), Measured>,
}

impl World {
    pub(super) fn apply(&mut self, number: EntryNumber, entry: &Entry) {
        self.newest = number;
        let mut dispatches = 0;
        for change in &entry.changes {
            match change {
                Change::Outbox(change) => self.outbox(number, change, &mut dispatches),
                Change::Callback { after, .. } => {
                    self.callbacks.insert(after.id, Arc::clone(after));
                }
                Change::Request { callback, after, .. } => {
                    self.requests.insert((*callback, after.version), Arc::clone(after));
                    if let Some(id) = &after.external_id {
                        self.externals.insert((after.origin.channel, id.clone()), *callback);
                    }
                }
                Change::Interaction { callback, index, interaction } => {
                    self.ended.insert((*callback, *index), Interaction::clone(interaction));
                }
                Change::Agent(agent) => {
                    self.agents.insert(agent.settings.id.clone(), Arc::clone(agent));
                }
                Change::AgentRemoved(id) => drop(self.agents.remove(id)),
                Change::Queue(queue) => {
                    self.queues.insert(queue.settings.id.clone(), Arc::clone(queue));
                }
                Change::QueueRemoved(id) => drop(self.queues.remove(id)),
                Change::Webhook(change) => self.webhooks.apply(change),
                Change::Key(token, Some(key)) => drop(self.keys.insert(*token, Arc::clone(key))),
                Change::Key(token, None) => drop(self.keys.remove(token)),
                Change::Denied(phone, Some(denied)) => {
                    self.denied.insert(*phone, Arc::clone(denied));
                }
                Change::Denied(phone, None) => drop(self.denied.remove(phone)),
                Change::Measured(one) => {
                    let whose = match &one.tally {
                        Tally::Intake(queue, _) => format!("in {queue}"),
                        Tally::Work(queue, _) => format!("done {queue}"),
                        Tally::Agent(agent, _) => format!("by {agent}"),
                        Tally::Line(queue, _) => format!("line {queue}"),
                    };
                    self.measured.insert((one.quarter, whose), Measured::clone(one));
                }
            }
        }
        for (place, event) in (0..).zip(&entry.events) {
            let id = number * Entry::MAX_EVENTS + place;
            self.events.push(StoredEvent { id, at: entry.at, event: event.clone() });
        }
        if let Some(secret) = &entry.secret {
            self.secret = Some(secret.0.to_vec());
        }
        if let Some(kept) = &entry.kept {
            self.kept.insert(kept.keyed.key, kept.clone());
        }
    }

    fn outbox(&mut self, number: EntryNumber, change: &OutboxChange, dispatches: &mut u64) {
        match change {
            OutboxChange::New(dispatch) => {
                let id = number * Entry::MAX_EVENTS + *dispatches;
                *dispatches += 1;
                self.items.insert(id, Item::new(id, dispatch.clone()));
            }
            OutboxChange::Later { after, .. } => {
                self.items.insert(after.id, after.clone());
            }
            OutboxChange::Done(item) => drop(self.items.remove(&item.id)),
            OutboxChange::GivenUp { item, failure } => {
                self.items.remove(&item.id);
                self.failures.insert(failure.id, failure.clone());
            }
            OutboxChange::Failed(failure) => {
                self.failures.insert(failure.id, failure.clone());
            }
            OutboxChange::Again { failure, item } => {
                self.failures.remove(&failure.id);
                self.items.extend(item.clone().map(|item| (item.id, item)));
            }
        }
    }
}
