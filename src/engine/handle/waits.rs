//! Questions about waiting, through the handle.

use super::Handle;
use crate::domain::callback::Callback;
use crate::domain::effect::{Answer, Availability, InLine};
use crate::domain::ids::QueueId;
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::engine::answers::strange;
use crate::engine::ask::{Ask, QueueQuestion};

impl Handle {
    /// A queued callback's place in line, and for how long it will stand there.
    pub async fn in_line(&self, callback: &Callback) -> Result<Option<InLine>, Refusal> {
        let (queue, medium) = (callback.queue.clone(), callback.medium);
        let ask = Ask::Queue {
            queue,
            question: QueueQuestion::Position { callback: callback.id, medium },
        };
        match self.question(ask).await? {
            Answer::Position(in_line) => Ok(in_line),
            other => Err(strange(&other)),
        }
    }

    /// Whether a queue offers a callback, and all that a customer is told before they choose.
    pub async fn availability(
        &self,
        queue: QueueId,
        medium: Medium,
        live_wait_seconds: Option<u32>,
    ) -> Result<Availability, Refusal> {
        let question = QueueQuestion::Availability { medium, live_wait_seconds };
        match self.question(Ask::Queue { queue, question }).await? {
            Answer::Availability(availability) => Ok(*availability),
            other => Err(strange(&other)),
        }
    }
}
