//! Who booked, holds or held a callback. An uncalled one that an agent has given away says nothing
//! of them any more; the index of agents keeps all whose it ever was.

use std::sync::Arc;

use super::StoreLibrary;
use super::filter::in_queues;
use crate::domain::callback::Callback;
use crate::domain::ids::{AgentId, CallbackId};
use crate::engine::library::ListFilter;
use crate::engine::ports::StoreError;
use crate::store::keys;

impl StoreLibrary {
    /// Which of these the agent did, each in its place.
    pub(super) async fn held_by(
        &self,
        agent: AgentId,
        callbacks: Vec<CallbackId>,
    ) -> Result<Vec<bool>, StoreError> {
        let front = keys::by_agent(&agent);
        let key = |id| keys::key(keys::BY_AGENT, keys::with_id(&front, id));
        let rows = self.rows.get(callbacks.into_iter().map(key).collect()).await?;
        Ok(rows.iter().map(Option::is_some).collect())
    }

    /// The same for the agent whose scope a list is; asked only where it matters.
    pub(super) async fn those_held(
        &self,
        filter: &ListFilter,
        callbacks: &[Arc<Callback>],
    ) -> Result<Vec<bool>, StoreError> {
        match &filter.or_held_by {
            Some(agent) if !callbacks.iter().all(|one| in_queues(filter, one)) => {
                let ids = callbacks.iter().map(|callback| callback.id).collect();
                self.held_by(agent.clone(), ids).await
            }
            Some(_) | None => Ok(vec![false; callbacks.len()]),
        }
    }
}
