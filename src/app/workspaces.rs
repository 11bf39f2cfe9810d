//! Opens each workspace's store and starts its engine.

use std::sync::Arc;

use super::RunError;
use super::outward::Senders;
use crate::config::{self, Settings};
use crate::domain::ids::WorkspaceId;
use crate::domain::machines::router::RouterLimits;
use crate::domain::time::Span;
use crate::engine::clock::Clock;
use crate::engine::handle::Handle;
use crate::engine::journal::JournalSettings;
use crate::engine::ports::StoreError;
use crate::engine::system::{EngineConfig, Limits, Running, StartError, Workspace};
use crate::store::index::RowCodec;
use crate::store::library::StoreLibrary;
use crate::store::{BadStoreUrl, StoreUrl};

/// Why the workspaces didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] BadStoreUrl),
    /// The store can't be opened.
    #[error("the store can't be opened: {0}")]
    Open(#[from] StoreError),
    /// What it holds can't be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It would lose data, and `require_durable` is set.
    #[error("the store would lose data and require_durable is set: {0}")]
    NotDurable(String),
}

/// A workspace that runs.
pub(super) struct Started {
    /// Its id.
    pub(super) id: WorkspaceId,
    /// The way in.
    pub(super) handle: Handle,
    /// Its end.
    pub(super) running: Running,
}

/// Starts all of them, in the order of the settings; those that run already are in `started` then,
/// however this ends.
pub(super) async fn start(
    settings: &Settings,
    senders: &Senders<'_>,
    started: &mut Vec<Started>,
) -> Result<(), RunError> {
    let url = store_url(&settings.store).map_err(StoreFault::from)?;
    check_durability(&url, settings.limits.require_durable).await?;
    let clock = Arc::new(Clock::system());
    for workspace in &settings.workspaces {
        let store = url.open(&workspace.id).await.map_err(StoreFault::from)?;
        let config = EngineConfig {
            workspace: workspace.id.clone(),
            limits: limits(&settings.limits),
            queues: workspace.queues.clone(),
            agents: workspace.agents.clone(),
            keys: workspace.keys.iter().map(|key| Arc::new(key.configured())).collect(),
            secret: secret(workspace),
            clock: Arc::clone(&clock),
            outward: senders.of(workspace, &clock)?,
        };
        let codec = Arc::new(RowCodec);
        let library = Box::new(|rows| Arc::new(StoreLibrary::new(rows)) as _);
        let begun = Workspace::start(config, store.log, store.tables, codec, library).await;
        let (handle, running) = begun.map_err(StoreFault::from)?;
        started.push(Started { id: workspace.id.clone(), handle, running });
    }
    Ok(())
}

pub(super) fn store_url(setting: &config::StoreUrl) -> Result<StoreUrl, BadStoreUrl> {
    use secrecy::ExposeSecret;
    match setting {
        config::StoreUrl::Memory => Ok(StoreUrl::Memory),
        config::StoreUrl::Embedded(path) => Ok(StoreUrl::Embedded(path.clone())),
        config::StoreUrl::Redis(url) => url.expose_secret().parse(),
    }
}

/// Says what the store would lose, or refuses to start on it.
async fn check_durability(url: &StoreUrl, required: bool) -> Result<(), StoreFault> {
    let durability = url.durability().await?;
    for warning in durability.warnings.iter().chain(&durability.unchecked) {
        tracing::warn!(warning, "the store may lose what was acknowledged");
    }
    if required && !durability.is_proven() {
        let all = durability.warnings.iter().chain(&durability.unchecked);
        let text = all.cloned().collect::<Vec<_>>().join("; ");
        return Err(StoreFault::NotDurable(text));
    }
    Ok(())
}

fn limits(limits: &config::Limits) -> Limits {
    let span = |duration: std::time::Duration| {
        Span::millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    };
    Limits {
        max_commands_in_flight: u32::try_from(limits.max_commands_in_flight).unwrap_or(u32::MAX),
        admission_wait: span(limits.admission_wait),
        journal: JournalSettings {
            overlay_bytes: limits.overlay_bytes,
            stall_after: limits.store_stall,
            resend_for: limits.resend,
            log_max_bytes: limits.log_max_bytes,
        },
        window_items: limits.window_items,
        window_span: span(limits.window),
        mails_at_once: limits.mails_at_once,
        meetings_at_once: limits.meetings_at_once,
        max_keys: limits.max_keys,
        max_denied_numbers: limits.max_denied_numbers,
        max_panics: usize::try_from(limits.max_panics).unwrap_or(usize::MAX),
        retain: Span::days(limits.retain_days),
        report: Span::days(limits.report_days),
        drain: span(limits.drain.saturating_sub(super::time_of_couriers(limits.drain))),
        router: RouterLimits { max_signatures: limits.max_signatures, ..RouterLimits::default() },
        ..Limits::default()
    }
}

/// A configured secret of any length, as the 32 bytes that links are signed with.
fn secret(workspace: &config::Workspace) -> Option<[u8; 32]> {
    use secrecy::ExposeSecret;
    use sha2::{Digest, Sha256};
    let secret = workspace.secret.as_ref()?;
    Some(Sha256::digest(secret.expose_secret()).into())
}
