//! What the vault has of webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::effect::WebhookChange;
use crate::domain::ids::WebhookId;
use crate::domain::webhook::{Progress, Webhook};

/// Webhooks, how far they have come, and what they are to be sent again.
#[derive(Default)]
pub(super) struct Webhooks {
    records: BTreeMap<WebhookId, Arc<Webhook>>,
    progress: BTreeMap<WebhookId, Progress>,
    again: BTreeSet<(WebhookId, u64)>,
}

impl Webhooks {
    pub(super) fn apply(&mut self, change: &WebhookChange) {
        match change {
            WebhookChange::Put(webhook) => {
                self.records.insert(webhook.settings.id.clone(), Arc::clone(webhook));
            }
            WebhookChange::Removed(id) => {
                self.records.remove(id);
                self.progress.remove(id);
            }
            WebhookChange::Progress(progress) => {
                self.progress.insert(progress.webhook.clone(), Progress::clone(progress));
            }
            WebhookChange::Again { webhook, event } => {
                self.again.insert((webhook.clone(), *event));
            }
            WebhookChange::TakenAgain { webhook, event } => {
                self.again.remove(&(webhook.clone(), *event));
            }
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Webhook>> {
        self.records.values().cloned().collect()
    }

    pub(super) fn progress(&self, webhook: &WebhookId) -> Option<Progress> {
        self.progress.get(webhook).cloned()
    }

    pub(super) fn again(&self, webhook: &WebhookId, limit: usize) -> Vec<u64> {
        let its = self.again.iter().filter(|(id, _)| id == webhook);
        its.map(|(_, event)| *event).take(limit).collect()
    }
}
