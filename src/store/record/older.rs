//! Layouts of earlier releases, still read: each record's as it was, with what it lacked.

use std::sync::Arc;

use super::codec::{Broken, Reader, Stored};
use crate::domain::agent::Agent;
use crate::domain::denied::Denied;

/// Layout 1, in which the settings had no version of their own.
pub(super) fn agent_1(from: &mut Reader<'_>) -> Result<Arc<Agent>, Broken> {
    let agent = Agent {
        settings: Stored::take(from)?,
        version: Stored::take(from)?,
        presence: Stored::take(from)?,
        reason: Stored::take(from)?,
        presence_since: Stored::take(from)?,
        missed_offers: Stored::take(from)?,
        idle_since: Stored::take(from)?,
        external: Stored::take(from)?,
        settings_version: 0,
    };
    // Whoever read it then was told the version of all.
    Ok(Arc::new(Agent { settings_version: agent.version, ..agent }))
}

/// Layout 1, which had no version.
pub(super) fn denied_1(from: &mut Reader<'_>) -> Result<Arc<Denied>, Broken> {
    Ok(Arc::new(Denied {
        phone: Stored::take(from)?,
        since: Stored::take(from)?,
        by: Stored::take(from)?,
        reason: Stored::take(from)?,
        version: 1,
    }))
}
