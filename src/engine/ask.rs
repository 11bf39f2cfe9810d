//! What can be asked of a workspace, before it becomes a letter to a machine.

use std::sync::Arc;

use super::entry::Keyed;
use super::facts::FactKey;
use super::handle::{QueuePause, SessionOutlet};
use super::keys::KeyAsk;
use super::webhooks::WebhookAsk;
use crate::domain::agent::{Presence, PresenceBy};
use crate::domain::callback::{Channel, ContactKey, Reach, Snapshot};
use crate::domain::denied::Denied;
use crate::domain::dispatch::Meeting;
use crate::domain::ids::{AgentId, CallbackId, QueueId, SessionId};
use crate::domain::message::{Action, SlotQuestion, Who, Wish};
use crate::domain::phone::PhoneNumber;
use crate::domain::policy::{AgentSettings, Medium, QueueSettings};
use crate::domain::queue::Halves;
use crate::domain::time::Timestamp;

/// What is asked of a workspace.
pub(crate) enum Ask {
    Create(Box<Wish>),
    Act {
        callback: CallbackId,
        who: Who,
        action: Action,
        if_match: Option<u64>,
    },
    /// Tell these callbacks that their customer was served another way.
    ServeElsewhere {
        callbacks: Vec<CallbackId>,
        who: Who,
        include_scheduled: bool,
    },
    /// Put a number on the deny list, or take it off.
    Deny {
        phone: PhoneNumber,
        denied: Option<Denied>,
        if_match: Option<u64>,
    },
    PutQueue {
        settings: Arc<QueueSettings>,
        if_match: Option<u64>,
    },
    RemoveQueue {
        id: QueueId,
        if_match: Option<u64>,
    },
    PauseQueue {
        id: QueueId,
        pause: QueuePause,
    },
    ResumeQueue {
        id: QueueId,
        halves: Halves,
    },
    PutAgent {
        settings: Arc<AgentSettings>,
        if_match: Option<u64>,
    },
    RemoveAgent {
        id: AgentId,
        if_match: Option<u64>,
    },
    SetPresence {
        id: AgentId,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
    },
    SetExternalLoad {
        id: AgentId,
        units: u32,
        until: Timestamp,
    },
    Connect {
        agent: AgentId,
        session: SessionId,
        outlet: Box<dyn SessionOutlet>,
    },
    MeetingMade {
        callback: CallbackId,
        meeting: Box<Meeting>,
        late: bool,
    },
    RetryFailure {
        id: u64,
    },
    Trace {
        callback: Snapshot,
    },
    Webhook(WebhookAsk),
    Key(KeyAsk),
    /// A question that a queue answers.
    Queue {
        queue: QueueId,
        question: QueueQuestion,
    },
    /// What was answered under the key that it comes with.
    Replayed,
}

/// What a queue is asked.
pub(crate) enum QueueQuestion {
    /// A callback's place in line.
    Position { callback: CallbackId, medium: Medium },
    /// Whether a callback is offered.
    Availability { medium: Medium, live_wait_seconds: Option<u32> },
    /// How its line is.
    Stats,
    /// About its slots.
    Slots(SlotQuestion),
}

impl Ask {
    /// Whether it only asks: such a thing is answered while nothing can be written.
    pub(crate) fn only_asks(&self) -> bool {
        match self {
            Self::Queue { .. } | Self::Trace { .. } | Self::Replayed => true,
            Self::Create(_)
            | Self::MeetingMade { .. }
            | Self::RetryFailure { .. }
            | Self::Act { .. }
            | Self::ServeElsewhere { .. }
            | Self::Deny { .. }
            | Self::PutQueue { .. }
            | Self::RemoveQueue { .. }
            | Self::PauseQueue { .. }
            | Self::ResumeQueue { .. }
            | Self::PutAgent { .. }
            | Self::RemoveAgent { .. }
            | Self::SetPresence { .. }
            | Self::SetExternalLoad { .. }
            | Self::Connect { .. }
            | Self::Webhook(_)
            | Self::Key(_) => false,
        }
    }

    /// The contact whose callbacks its decision needs.
    pub(crate) fn contact(&self) -> Option<ContactKey> {
        match self {
            Self::Create(wish) => Reach::of(&wish.request.customer).contact,
            Self::Deny { phone, .. } => Some(ContactKey::of(phone)),
            Self::Act { .. }
            | Self::ServeElsewhere { .. }
            | Self::PutQueue { .. }
            | Self::RemoveQueue { .. }
            | Self::PauseQueue { .. }
            | Self::ResumeQueue { .. }
            | Self::PutAgent { .. }
            | Self::RemoveAgent { .. }
            | Self::SetPresence { .. }
            | Self::SetExternalLoad { .. }
            | Self::Connect { .. }
            | Self::MeetingMade { .. }
            | Self::RetryFailure { .. }
            | Self::Queue { .. }
            | Self::Trace { .. }
            | Self::Webhook(_)
            | Self::Key(_)
            | Self::Replayed => None,
        }
    }

    /// The keys that its decision needs.
    pub(crate) fn keys(&self, keyed: Option<Keyed>) -> Vec<FactKey> {
        let mut keys = Vec::new();
        keys.extend(keyed.map(|keyed| FactKey::Idempotency(keyed.key)));
        match self {
            Self::Create(wish) => {
                keys.extend(external(wish).map(|(channel, id)| FactKey::External(channel, id)));
                let reach = Reach::of(&wish.request.customer);
                keys.extend(reach.keys().map(FactKey::Contact));
            }
            Self::MeetingMade { callback, .. } => keys.push(FactKey::Callback(*callback)),
            Self::RetryFailure { id } => keys.push(FactKey::Failure(*id)),
            Self::Act { callback, action, .. } => {
                keys.push(FactKey::Callback(*callback));
                // Whoever the callback will be for must not be denied meanwhile.
                let reach = new_reach(action).into_iter();
                keys.extend(reach.flat_map(|reach| reach.keys()).map(FactKey::Contact));
            }
            Self::ServeElsewhere { callbacks, .. } => {
                keys.extend(callbacks.iter().copied().map(FactKey::Callback));
            }
            Self::Deny { phone, .. } => keys.push(FactKey::Contact(ContactKey::of(phone))),
            Self::PutQueue { .. }
            | Self::RemoveQueue { .. }
            | Self::PauseQueue { .. }
            | Self::ResumeQueue { .. }
            | Self::PutAgent { .. }
            | Self::RemoveAgent { .. }
            | Self::SetPresence { .. }
            | Self::SetExternalLoad { .. }
            | Self::Connect { .. }
            | Self::Queue { .. }
            | Self::Trace { .. }
            | Self::Webhook(_)
            | Self::Key(_)
            | Self::Replayed => {}
        }
        keys
    }
}

/// Whom a patch makes a callback for, if it may be somebody else.
pub(crate) fn new_reach(action: &Action) -> Option<Reach> {
    let Action::Patch(patch) = action else { return None };
    let (before, after) = patch.request.as_ref()?;
    (before.customer != after.customer).then(|| Reach::of(&after.customer))
}

/// The external id that a request claims for its channel.
pub(crate) fn external(wish: &Wish) -> Option<(Channel, String)> {
    let id = wish.request.external_id.clone()?;
    Some((wish.request.origin.channel, id))
}
