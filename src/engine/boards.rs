//! What readers on other threads see of queues, agents, webhooks and the deny list without asking
//! the workspace's thread.
//!
//! Written when the entry that shows it is durable, so whatever stands here may leave the process.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::domain::agent::AgentView;
use crate::domain::denied::Denied;
use crate::domain::ids::{AgentId, QueueId, WebhookId};
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::Queue;
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
}
