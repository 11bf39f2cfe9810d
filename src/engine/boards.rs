//! What readers on other threads see of queues, agents, webhooks, keys and the deny list without
//! asking the workspace's thread.
//!
//! Written when the entry that shows it is durable, so whatever stands here may leave the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::keys::KeyRing;
use crate::domain::agent::{AgentView, Presence};
use crate::domain::denied::Denied;
use crate::domain::ids::{AgentId, QueueId, WebhookId};
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::{Queue, Staff};
use crate::domain::webhook::Webhook;

/// One board: things by their ids.
#[derive(Debug)]
pub(crate) struct Board<K, V> {
    rows: RwLock<BTreeMap<K, Arc<V>>>,
}

impl<K: Ord, V> Default for Board<K, V> {
    fn default() -> Self {
        Self { rows: RwLock::default() }
    }
}

impl<K: Ord, V> Board<K, V> {
    /// Shows a thing as it is now; none: it's gone.
    pub(crate) fn publish(&self, id: K, row: Option<Arc<V>>) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        match row {
            Some(row) => rows.insert(id, row),
            None => rows.remove(&id),
        };
    }

    /// Shows these, and nothing else.
    pub(crate) fn show(&self, all: BTreeMap<K, Arc<V>>) {
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// The thing of this id.
    pub(crate) fn one(&self, id: &K) -> Option<Arc<V>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Whether it is so of one.
    pub(crate) fn any(&self, is_so: impl Fn(&V) -> bool) -> bool {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.values().any(|row| is_so(row))
    }

    /// All, by id.
    pub(crate) fn all(&self) -> Vec<Arc<V>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// The boards of a workspace.
#[derive(Debug, Default)]
pub(crate) struct Boards {
    /// Queues.
    pub(crate) queues: Board<QueueId, Queue>,
    /// Agents.
    pub(crate) agents: Board<AgentId, AgentView>,
    /// Webhooks.
    pub(crate) webhooks: Board<WebhookId, Webhook>,
    /// Told when one of them is another.
    pub(crate) webhooks_changed: watch::Sender<()>,
    /// Numbers that aren't called.
    pub(crate) denied: Board<PhoneNumber, Denied>,
    /// Keys that are good.
    pub(crate) keys: Arc<KeyRing>,
    /// Agents by queue, counted.
    staff: Mutex<BTreeMap<QueueId, Staff>>,
}

impl Boards {
    /// Shows an agent as they are now; none: they're gone. Their queues' counts follow, so that
    /// nobody counts agents when a customer asks.
    pub(crate) fn publish_agent(&self, id: AgentId, view: Option<Arc<AgentView>>) {
        let before = self.agents.one(&id);
        let mut staff = self.staff.lock().unwrap_or_else(PoisonError::into_inner);
        for (view, count) in [(before.as_deref(), Count::Out), (view.as_deref(), Count::In)] {
            let Some(view) = view else { continue };
            for membership in &view.agent.settings.queues {
                let of_queue = staff.entry(membership.queue.clone()).or_default();
                count.apply(of_queue, view);
                if *of_queue == Staff::default() {
                    staff.remove(&membership.queue);
                }
            }
        }
        drop(staff);
        self.agents.publish(id, view);
    }

    /// The agents of a queue, counted.
    pub(crate) fn staff(&self, queue: &QueueId) -> Staff {
        let staff = self.staff.lock().unwrap_or_else(PoisonError::into_inner);
        staff.get(queue).copied().unwrap_or_default()
    }
}

/// Whether an agent is counted in or out.
#[derive(Clone, Copy)]
enum Count {
    In,
    Out,
}

impl Count {
    fn apply(self, staff: &mut Staff, view: &AgentView) {
        if view.sessions.is_empty() {
            return;
        }
        self.one(&mut staff.connected);
        if view.agent.presence != Presence::Available {
            return;
        }
        self.one(&mut staff.available);
        let external = view.agent.external.map_or(0, |load| load.units);
        let capacity = view.agent.settings.capacity;
        if view.held_units.saturating_add(external) >= capacity.units {
            return;
        }
        if capacity.media.voice != Some(0) {
            self.one(&mut staff.free.voice);
        }
        if capacity.media.video != Some(0) {
            self.one(&mut staff.free.video);
        }
    }

    fn one(self, count: &mut u32) {
        *count = match self {
            Self::In => *count + 1,
            Self::Out => count.saturating_sub(1),
        };
    }
}
