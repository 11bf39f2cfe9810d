//! Frames of the agent's socket that the server sends; what clients send is `wire::incoming`.
//!
//! Separate from `ws`, which moves them and keeps the session: here are only shapes. A frame's
//! text is made once and may go to several sessions.

use serde::Serialize;

use super::callback::CallbackBody;
use super::instant::Instant;
use super::link::Links;
use super::problem::Problem;
use crate::domain::agent::{AssignedBy, Presence, PresenceBy, RevokeReason, UnassignReason};
use crate::domain::callback::Snapshot;
use crate::domain::civil::rfc3339;
use crate::domain::ids::{CallbackId, OfferId, QueueId, SessionId};
use crate::domain::policy::{AgentSettings, Choice, Labels};
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;

/// The `id` of a client's frame, as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FrameId {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// A frame that the server sends.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub enum ServerFrame<'a> {
    /// The whole truth at connect.
    #[serde(rename = "welcome")]
    Welcome(WelcomeBody<'a>),
    /// The Callback notification.
    #[serde(rename = "callback.offered")]
    Offered(OfferBody<'a>),
    /// An offer was taken back.
    #[serde(rename = "callback.offer_revoked")]
    OfferRevoked(OfferEndBody),
    /// Nobody answered an offer.
    #[serde(rename = "callback.offer_expired")]
    OfferExpired(OfferEndBody),
    /// A callback was assigned.
    #[serde(rename = "callback.assigned")]
    Assigned {
        /// As it is.
        callback: CallbackBody<'a>,
        /// `accept`, `supervisor` or `claim`.
        by: &'static str,
    },
    /// An assignment changed.
    #[serde(rename = "callback.updated")]
    Updated {
        /// As it is.
        callback: CallbackBody<'a>,
    },
    /// An assignment is over.
    #[serde(rename = "callback.unassigned")]
    Unassigned {
        /// The callback that they don't have any more.
        callback_id: String,
        /// What ended it, as one word.
        reason: &'static str,
    },
    /// The agent's presence changed.
    #[serde(rename = "agent.presence_changed")]
    PresenceChanged {
        /// What they want from now on.
        presence: &'static str,
        /// In the words of who set it; where a rule did, the rule's name.
        reason: Option<&'a str>,
        /// `agent`, `supervisor` or `engine`.
        by: &'static str,
    },
    /// How long a queue's line is.
    #[serde(rename = "queue.updated")]
    QueueUpdated {
        /// The queue's id.
        queue: &'a str,
        /// Callbacks queued.
        waiting: u32,
        /// How long the oldest waits.
        oldest_wait_seconds: Option<i64>,
    },
    /// A client's frame was carried out, and that is durable.
    #[serde(rename = "ack")]
    Ack {
        /// The frame's.
        id: &'a FrameId,
    },
    /// A client's frame was not.
    #[serde(rename = "error")]
    Error {
        /// The frame's; none where it couldn't be read.
        id: Option<&'a FrameId>,
        /// What was wrong, and what to do next.
        problem: &'a Problem,
    },
    /// The answer to `ping`.
    #[serde(rename = "pong")]
    Pong {
        /// The frame's.
        id: &'a FrameId,
    },
}

impl<'a> ServerFrame<'a> {
    /// The frame as the text that is sent.
    pub fn to_text(&self, at: Timestamp) -> String {
        let mut text = serde_json::to_string(self)
            .expect("frames have text keys and no values that JSON lacks");
        // Put behind the other fields by hand: `flatten` takes longer than all of a short frame.
        let end = text.pop();
        assert_eq!(end, Some('}'), "a frame is an object");
        text.push_str(r#","at":""#);
        text.push_str(rfc3339(at).as_str());
        text.push_str(r#""}"#);
        text
    }

    /// `callback.offer_revoked`.
    pub fn offer_revoked(callback: CallbackId, offer: OfferId, reason: RevokeReason) -> Self {
        Self::OfferRevoked(OfferEndBody::new(callback, offer, reason.as_str()))
    }

    /// `callback.offer_revoked`, of an offer that was declined in another session.
    pub fn offer_declined(callback: CallbackId, offer: OfferId) -> Self {
        Self::OfferRevoked(OfferEndBody::new(callback, offer, "declined"))
    }

    /// `callback.offer_expired`.
    pub fn offer_expired(callback: CallbackId, offer: OfferId) -> Self {
        Self::OfferExpired(OfferEndBody::new(callback, offer, "no_response"))
    }

    /// `callback.assigned`.
    pub fn assigned(callback: CallbackBody<'a>, by: AssignedBy) -> Self {
        Self::Assigned { callback, by: by.as_str() }
    }

    /// `callback.unassigned`.
    pub fn unassigned(callback: CallbackId, reason: UnassignReason) -> Self {
        Self::Unassigned { callback_id: callback.to_string(), reason: reason.as_str() }
    }

    /// `agent.presence_changed`.
    pub fn presence_changed(presence: Presence, reason: Option<&'a str>, by: PresenceBy) -> Self {
        Self::PresenceChanged { presence: presence.as_str(), reason, by: by.as_str() }
    }

    /// `queue.updated`, seen from `now`.
    pub fn queue_updated(
        queue: &'a QueueId,
        waiting: u32,
        oldest_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let oldest_wait_seconds = oldest_since.map(|since| now.since(since).whole_seconds().max(0));
        Self::QueueUpdated { queue: queue.as_str(), waiting, oldest_wait_seconds }
    }
}

/// A pending offer, in its own frame and in `welcome`.
#[derive(Debug, Serialize)]
pub struct OfferBody<'a> {
    offer_id: String,
    expires_at: Instant,
    callback: CallbackBody<'a>,
}

impl<'a> OfferBody<'a> {
    /// The offer that `callback` has pending; none if it has none.
    pub fn new(callback: &Snapshot, body: CallbackBody<'a>) -> Option<Self> {
        let offer = callback.offer()?;
        Some(Self {
            offer_id: offer.id.to_string(),
            expires_at: Instant(callback.on_wall(offer.expires_at)),
            callback: body,
        })
    }
}

/// An offer that is over.
#[derive(Debug, Serialize)]
pub struct OfferEndBody {
    offer_id: String,
    callback_id: String,
    reason: &'static str,
}

impl OfferEndBody {
    fn new(callback: CallbackId, offer: OfferId, reason: &'static str) -> Self {
        Self { offer_id: offer.to_string(), callback_id: callback.to_string(), reason }
    }
}

/// The whole truth at connect.
#[derive(Debug, Serialize)]
pub struct WelcomeBody<'a> {
    /// The session.
    #[serde(serialize_with = "as_text")]
    pub session_id: SessionId,
    /// Who the agent is.
    pub agent: AgentName<'a>,
    /// How often the server pings.
    pub heartbeat_seconds: u64,
    /// What the agent wants.
    pub presence: &'static str,
    /// What was said with that presence.
    pub reason: Option<&'a str>,
    /// Pending offers.
    pub offers: Vec<OfferBody<'a>>,
    /// What is assigned.
    pub assignments: Vec<CallbackBody<'a>>,
    /// The queues that the agent serves.
    pub queues: Vec<WelcomeQueue<'a>>,
    /// What the agent may say when they go away.
    pub presence_reasons: Vec<ChoiceBody<'a>>,
    /// Templates of links.
    pub links: &'a Links,
}

/// Who an agent is.
#[derive(Debug, Serialize)]
pub struct AgentName<'a> {
    id: &'a str,
    name: &'a str,
}

impl<'a> AgentName<'a> {
    /// Id and name.
    pub fn of(agent: &'a AgentSettings) -> Self {
        Self { id: agent.id.as_str(), name: &agent.name }
    }
}

/// A queue, as far as an agent's desk needs it.
#[derive(Debug, Serialize)]
pub struct WelcomeQueue<'a> {
    id: &'a str,
    name: &'a str,
    labels: &'a Labels,
    media: Vec<&'static str>,
    open: bool,
    reasons: Vec<ChoiceBody<'a>>,
    decline_reasons: Vec<DeclineReasonBody<'a>>,
    dispositions: Vec<DispositionBody<'a>>,
    wrap_up_seconds: u32,
}

/// A code with texts.
#[derive(Debug, Serialize)]
pub struct ChoiceBody<'a> {
    id: &'a str,
    labels: &'a Labels,
}

impl<'a> ChoiceBody<'a> {
    /// Code and texts.
    pub fn of(choice: &'a Choice) -> Self {
        Self { id: &choice.id, labels: &choice.labels }
    }
}

#[derive(Debug, Serialize)]
struct DeclineReasonBody<'a> {
    #[serde(flatten)]
    choice: ChoiceBody<'a>,
    reassignable: bool,
}

#[derive(Debug, Serialize)]
struct DispositionBody<'a> {
    #[serde(flatten)]
    choice: ChoiceBody<'a>,
    resolved: bool,
}

impl<'a> WelcomeQueue<'a> {
    /// The queue, seen from `now`.
    pub fn of(queue: &'a Queue, now: Timestamp) -> Self {
        let settings = &queue.settings;
        let declines = settings.decline_reasons.iter().map(|reason| DeclineReasonBody {
            choice: ChoiceBody::of(&reason.choice),
            reassignable: reason.reassignable,
        });
        let dispositions = settings.dispositions.iter().map(|code| DispositionBody {
            choice: ChoiceBody::of(&code.choice),
            resolved: code.resolved,
        });
        Self {
            id: settings.id.as_str(),
            name: &settings.name,
            labels: &settings.labels,
            media: settings.media.iter().map(|medium| medium.as_str()).collect(),
            open: queue.is_open(now),
            reasons: settings.reasons.iter().map(ChoiceBody::of).collect(),
            decline_reasons: declines.collect(),
            dispositions: dispositions.collect(),
            wrap_up_seconds: settings.wrap_up_seconds,
        }
    }
}

fn as_text<S: serde::Serializer>(id: &SessionId, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(id)
}

#[cfg(test)]
mod tests;
