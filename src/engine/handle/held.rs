//! Who may see a callback for having had it, through the handle.

use super::{Handle, unreadable};
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::refusal::Refusal;

impl Handle {
    /// Which of these callbacks the agent booked, holds or held, each in its place.
    pub async fn held(
        &self,
        agent: AgentId,
        callbacks: Vec<CallbackId>,
    ) -> Result<Vec<bool>, Refusal> {
        let gate = self.shared.gate()?;
        let held = gate.library.held(agent, callbacks).await.map_err(unreadable)?;
        self.shown(&gate, held).await
    }
}
