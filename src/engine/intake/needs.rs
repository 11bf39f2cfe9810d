//! The facts that a command's decision may need, and how they are read.

use crate::domain::callback::{Channel, ContactKey, Snapshot};
use crate::domain::dispatch::Failure;
use crate::domain::ids::CallbackId;
use crate::domain::time::Timestamp;
use crate::engine::entry::{Kept, Keyed};
use crate::engine::library::Library;
use crate::engine::ports::StoreError;

/// Of one contact's callbacks so many are looked at: the oldest that aren't final.
pub(in crate::engine) const ACTIVE_MAX: usize = 1_000;

/// What must be read before a command can be decided about.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) kept: Option<Keyed>,
    pub(super) external: Option<(Channel, String)>,
    pub(super) contact: Option<ContactKey>,
    pub(super) failure: Option<u64>,
}

impl Needs {
    /// Nothing.
    pub(super) fn is_empty(&self) -> bool {
        let of_key = self.kept.is_none() && self.failure.is_none();
        of_key && self.external.is_none() && self.contact.is_none()
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) kept: Option<Kept>,
    pub(super) external: Option<CallbackId>,
    pub(super) active: Vec<Snapshot>,
    pub(super) failure: Option<Failure>,
}

/// Reads them; what was answered under the key before makes all else needless.
pub(super) async fn read(
    library: &dyn Library,
    needs: Needs,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    if let Some(keyed) = needs.kept {
        found.kept = library.kept(keyed.key, now).await?;
    }
    if let (Some((channel, id)), None) = (needs.external, &found.kept) {
        found.external = library.external(channel, id).await?;
    }
    if let (Some(contact), None) = (needs.contact, &found.kept) {
        found.active = library.active(contact, ACTIVE_MAX).await?;
    }
    if let (Some(id), None) = (needs.failure, &found.kept) {
        found.failure = library.failure(id).await?;
    }
    Ok(found)
}
