//! One courier for each active webhook of each workspace, on a thread of their own.
//!
//! A thread apart, so that whatever receivers do, the engine and those who speak HTTP have theirs
//! for themselves.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{Id, JoinHandle, JoinSet};

use super::Sender;
use super::courier::{Courier, Office};

use crate::config;
use crate::domain::back_off::WEBHOOKS;
use crate::domain::ids::{WebhookId, WorkspaceId};
use crate::domain::time::Span;
use crate::domain::webhook::Bounds;
use crate::engine::background::Background;
use crate::engine::handle::Handle;

/// After a courier panicked.
const PAUSE: Span = Span::seconds(1);

/// Why webhooks can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// TLS can't be set up.
    #[error("webhooks can't be sent: {0}")]
    Client(#[from] reqwest::Error),
    /// The system gives no thread.
    #[error("webhooks get no thread: {0}")]
    Thread(#[from] io::Error),
}

/// All couriers.
pub struct Couriers {
    stop: watch::Sender<bool>,
    workspaces: Vec<JoinHandle<()>>,
    sender: Arc<Sender>,
    /// Dropped last: it is what the tasks run on.
    background: Background,
}

impl Couriers {
    /// Starts to deliver what these workspaces' webhooks ask for.
    pub fn start(
        settings: &config::Webhooks,
        workspaces: impl IntoIterator<Item = (WorkspaceId, Handle)>,
    ) -> Result<Self, StartError> {
        let sender = Arc::new(Sender::new(settings)?);
        let background = Background::start("webhooks")?;
        let (stop, stopped) = watch::channel(false);
        let permits = Arc::new(Semaphore::new(settings.concurrency_in_all));
        let give_up_after = i64::try_from(settings.give_up_after.as_millis()).unwrap_or(i64::MAX);
        let bounds = Bounds {
            waiting: settings.max_waiting,
            concurrency: settings.concurrency,
            schedule: WEBHOOKS.within(Span::millis(give_up_after)),
        };
        let offices = workspaces.into_iter().map(|(workspace, handle)| Office {
            workspace,
            handle,
            sender: Arc::clone(&sender),
            permits: Arc::clone(&permits),
            bounds,
            stop: stopped.clone(),
        });
        let tasks = background.handle();
        let workspaces = offices.map(|office| tasks.spawn(watch_over(office))).collect();
        Ok(Self { stop, workspaces, sender, background })
    }

    /// What sends, for whoever asks whether it would.
    pub fn sender(&self) -> Arc<Sender> {
        Arc::clone(&self.sender)
    }

    /// Begins no more attempts, waits a moment for those under way, and writes down how far all
    /// have come, if that can be done within this time.
    pub async fn stop(self, within: Duration) {
        self.stop.send_replace(true);
        let all = futures_util::future::join_all(self.workspaces);
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("not all webhooks were written down; some events are sent again");
        }
        // It waits for its thread, which has nothing more to do unless that was too long; then the
        // process may end up to two seconds later.
        tokio::task::spawn_blocking(move || drop(self.background));
    }
}

/// Keeps a courier for each active webhook of a workspace.
async fn watch_over(office: Office) {
    let mut changed = office.handle.webhooks_changed();
    let mut stop = office.stop.clone();
    let mut couriers = JoinSet::new();
    let mut running: BTreeMap<Id, (WebhookId, u64)> = BTreeMap::new();
    while !*stop.borrow() {
        for webhook in office.handle.webhooks() {
            let name = (webhook.settings.id.clone(), webhook.starts_after);
            if webhook.settings.active && !running.values().any(|one| *one == name) {
                let office = office.clone();
                let task = couriers.spawn(async move {
                    if let Some(courier) = Courier::begin(office, webhook).await {
                        courier.run().await;
                    }
                });
                running.insert(task.id(), name);
            }
        }
        tokio::select! {
            Some(ended) = couriers.join_next_with_id() => match ended {
                Ok((id, ())) => drop(running.remove(&id)),
                Err(error) => {
                    tracing::error!(%error, "a webhook's courier panicked; it begins again");
                    running.remove(&error.id());
                    office.handle.wait(PAUSE).await;
                }
            },
            _ = changed.changed() => {}
            _ = stop.changed() => {}
        }
    }
    couriers.join_all().await;
}
