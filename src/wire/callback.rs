//! A callback as answers and frames show it.
//!
//! Separate from what comes in (`wire::request`), because the two share few fields and change for
//! different reasons. Customers and channels never get what is agents' only.

mod parts;
mod wishes;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use self::parts::{
    CustomerBody, InteractionBody, MeetingBody, Omittable, OriginBody, ScheduleBody,
};
use self::wishes::{PreferredBody, RequirementBody};
use super::instant::{Id, Instant};
use super::link::{Links, record_url};
use crate::domain::agent::Lost;
use crate::domain::callback::{
    Callback, ClosedReason, NUMBER_MARK, Phase, Request, RequestedBy, State, Unroutable,
    shown_number,
};
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::machines::callback::deadlines::{next_deadline, promised_by, runs_out};
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::engine::library::FullCallback;

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Customers and channels.
    Outside,
    /// Agents and supervisors.
    Inside,
}

/// What is known and allowed where a callback is shown, over HTTP, on a socket and in a webhook.
#[derive(Debug, Clone, Copy)]
pub struct RenderContext<'a> {
    /// How much of it may be seen.
    pub view: View,
    /// Its queue; none if that was removed since.
    pub queue: Option<&'a Queue>,
    /// The workspace's links.
    pub links: &'a Links,
    /// The instant that it is seen from: when it last changed, for what must be the same on a
    /// replay, else now.
    pub at: Timestamp,
    /// Its agent has no session, where that is known and may show: not on a replay.
    pub lost: Option<Lost>,
    /// Its place in line, as far as it is known.
    pub position: Option<u32>,
    /// For how long it will stand there, as far as that is known.
    pub estimated_wait_seconds: Option<u32>,
    /// Without its context, for a client that reads slowly.
    pub omit_context: bool,
}

/// A callback's number that writes itself as text.
#[derive(Debug, Clone, Copy)]
struct Number(u64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&shown_number(self.0))
    }
}

/// Reads a number as it is shown; none for anything else.
pub fn parse_number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix(NUMBER_MARK)?;
    let number = digits.parse().ok()?;
    (shown_number(number) == text).then_some(number)
}

/// A callback, ready to be written.
#[derive(Debug, Serialize)]
pub struct CallbackBody<'a> {
    queue: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    medium: &'static str,
    customer: CustomerBody<'a>,
    reason: Option<&'a str>,
    short_description: Option<&'a str>,
    description: Option<&'a str>,
    schedule: ScheduleBody<'a>,
    origin: OriginBody<'a>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    context: Omittable<Option<&'a RawValue>>,
    requirements: Vec<RequirementBody<'a>>,
    preferred_agent: Option<PreferredBody<'a>>,
    priority: u8,
    size: u32,
    external_id: Option<&'a str>,
    max_attempts: u32,
    expire_after_minutes: u32,
    customer_agreed: bool,
    id: Id,
    number: Number,
    state: &'static str,
    version: u64,
    requested_by: &'static str,
    booked_by: Option<&'a str>,
    queued_since: Option<Instant>,
    next_attempt_at: Option<Instant>,
    expires_at: Option<Instant>,
    promised_by: Option<Instant>,
    next_deadline: Option<DeadlineBody>,
    attempts: u32,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    offered_to: Omittable<Option<&'a str>>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    assigned_agent: Omittable<Option<&'a str>>,
    unroutable: Option<String>,
    meeting: Option<MeetingBody<'a>>,
    interactions: Vec<InteractionBody<'a>>,
    disposition: Option<&'a str>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    notes: Omittable<Option<&'a str>>,
    record_url: Option<String>,
    canceled_by: Option<&'static str>,
    cancel_reason: Option<&'a str>,
    closed_reason: Option<&'static str>,
    created_at: Instant,
    updated_at: Instant,
    closed_at: Option<Instant>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    position: Omittable<Option<u32>>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    estimated_wait_seconds: Omittable<Option<u32>>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    overbooked: Omittable<bool>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    context_omitted: Omittable<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manage_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manage_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    existing: Omittable<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<Vec<Id>>,
}

/// What whoever asked for a callback is told besides it.
#[derive(Debug, Clone, Copy)]
pub struct Besides<'a> {
    /// The customer's way to it, as token and as link; for channels.
    pub manage: Option<(&'a str, &'a str)>,
    /// It was there already.
    pub existing: bool,
    /// What the contact had waiting for the same; for agents and supervisors.
    pub duplicates: Option<&'a [CallbackId]>,
}

/// What anybody may know of a callback that waits already for the number they gave.
#[derive(Debug, Serialize)]
pub struct ExistingBody<'a> {
    id: Id,
    number: Number,
    state: &'static str,
    schedule: ScheduleBody<'a>,
    existing: bool,
}

impl<'a> ExistingBody<'a> {
    /// The callback, without what is anybody's business.
    pub fn new(callback: &'a Callback) -> Self {
        Self {
            id: Id(callback.id.0),
            number: Number(callback.number),
            state: callback.state().as_str(),
            schedule: ScheduleBody::of(callback),
            existing: true,
        }
    }
}

fn overbooked(callback: &Callback) -> bool {
    callback.booking.as_ref().is_some_and(|booking| booking.overbooked)
}

#[derive(Debug, Serialize)]
struct DeadlineBody {
    at: Instant,
    action: &'static str,
}

impl<'a> CallbackBody<'a> {
    /// The callback, seen as `render` says.
    pub fn new(full: &'a FullCallback, render: RenderContext<'a>) -> Self {
        let FullCallback { callback, request, .. } = full;
        let inside = render.view == View::Inside;
        let queued = callback.state() == State::Queued;
        let preferred = callback.preferred.as_deref().map(PreferredBody::of);
        let queue = render.queue;
        // Outside nobody hears how an agent is doing.
        let lost = render.lost.filter(|_| inside);
        let times =
            queue.map(|queue| Times::of(callback, queue, lost, render.at)).unwrap_or_default();
        Self {
            queue: callback.queue.as_str(),
            kind: callback.kind.as_str(),
            medium: callback.medium.as_str(),
            customer: CustomerBody::of(&request.customer),
            reason: request.reason.as_deref(),
            short_description: request.short_description.as_deref(),
            description: request.description.as_deref(),
            schedule: ScheduleBody::of(callback),
            origin: OriginBody::of(&request.origin),
            context: Omittable::only(!render.omit_context, context(request)),
            requirements: callback.requirements.iter().map(RequirementBody::of).collect(),
            preferred_agent: preferred,
            priority: callback.priority.value(),
            size: callback.size,
            external_id: request.external_id.as_deref(),
            max_attempts: callback.max_attempts,
            expire_after_minutes: callback.expire_after_minutes,
            customer_agreed: request.customer_agreed,
            id: Id(callback.id.0),
            number: Number(callback.number),
            state: callback.state().as_str(),
            version: callback.version,
            requested_by: requested_by(&callback.requested_by),
            booked_by: callback.booked_by().map(AgentId::as_str),
            queued_since: callback.queued_since.map(Instant),
            next_attempt_at: callback.next_attempt_at().map(Instant),
            expires_at: times.expires_at,
            promised_by: times.promised_by,
            next_deadline: times.next_deadline,
            attempts: callback.attempts,
            offered_to: Omittable::only(inside, callback.offer().map(|offer| offer.agent.as_str())),
            assigned_agent: Omittable::only(inside, callback.assigned_agent().map(AgentId::as_str)),
            unroutable: callback.unroutable.as_deref().map(Unroutable::to_text),
            meeting: callback.meeting.as_ref().map(|meeting| MeetingBody::of(meeting, inside)),
            interactions: interactions(full, inside),
            disposition: callback.remarks.disposition(),
            notes: Omittable::only(inside, callback.remarks.notes()),
            record_url: record_url(render.links, callback, request),
            canceled_by: ended(callback).and_then(|(reason, _)| canceled_by(reason)),
            cancel_reason: callback.remarks.cancel_reason(),
            closed_reason: ended(callback).map(|(reason, _)| reason.as_str()),
            created_at: Instant(callback.created_at),
            updated_at: Instant(callback.updated_at),
            closed_at: ended(callback).map(|(_, at)| Instant(at)),
            position: Omittable::only(queued, render.position),
            estimated_wait_seconds: Omittable::only(queued, render.estimated_wait_seconds),
            overbooked: Omittable::only(inside && overbooked(callback), true),
            context_omitted: Omittable::only(render.omit_context, true),
            manage_token: None,
            manage_url: None,
            existing: Omittable::Omitted,
            duplicates: None,
        }
    }

    /// The same in answer to the request for it.
    #[must_use]
    pub fn besides(self, besides: Besides<'a>) -> Self {
        let ids = |all: &[CallbackId]| all.iter().map(|id| Id(id.0)).collect();
        Self {
            manage_token: besides.manage.map(|(token, _)| token),
            manage_url: besides.manage.map(|(_, url)| url),
            existing: Omittable::only(besides.existing, true),
            duplicates: besides.duplicates.map(ids),
            ..self
        }
    }
}

/// What is worked out when a callback is shown.
#[derive(Debug, Default)]
struct Times {
    expires_at: Option<Instant>,
    promised_by: Option<Instant>,
    next_deadline: Option<DeadlineBody>,
}

impl Times {
    fn of(callback: &Callback, queue: &Queue, lost: Option<Lost>, at: Timestamp) -> Self {
        let known = |at: Timestamp| (at < Timestamp::NEVER).then_some(Instant(at));
        let waits = matches!(callback.state(), State::Open | State::Queued | State::Offered);
        let next = next_deadline(callback, queue, lost, at);
        Self {
            expires_at: waits.then(|| runs_out(callback, queue, at)).and_then(known),
            promised_by: promised_by(callback, queue, at).and_then(known),
            next_deadline: next.and_then(|(at, action)| {
                known(at).map(|at| DeadlineBody { at, action: action.as_str() })
            }),
        }
    }
}

fn context(request: &Request) -> Option<&RawValue> {
    let text = request.context.as_deref()?;
    Some(serde_json::from_str(text).expect("a context is stored as the JSON that was taken"))
}

const fn requested_by(by: &RequestedBy) -> &'static str {
    match by {
        RequestedBy::Customer => "customer",
        RequestedBy::Agent(_) => "agent",
    }
}

fn interactions(full: &FullCallback, inside: bool) -> Vec<InteractionBody<'_>> {
    let all = full.ended.iter().chain(full.callback.interaction());
    all.map(|interaction| InteractionBody::of(interaction, inside)).collect()
}

fn ended(callback: &Callback) -> Option<(ClosedReason, Timestamp)> {
    match &callback.phase {
        Phase::Ended { reason, at, .. } => Some((*reason, *at)),
        Phase::Open { .. }
        | Phase::Queued { .. }
        | Phase::Offered { .. }
        | Phase::Accepted { .. }
        | Phase::Calling { .. }
        | Phase::WrapUp { .. } => None,
    }
}

/// Who called it off; a customer who was served elsewhere did so by that.
const fn canceled_by(reason: ClosedReason) -> Option<&'static str> {
    match reason {
        ClosedReason::ByCustomer | ClosedReason::ServedElsewhere => Some("customer"),
        ClosedReason::ByAgent => Some("agent"),
        ClosedReason::BySupervisor => Some("supervisor"),
        ClosedReason::Reached
        | ClosedReason::Resolved
        | ClosedReason::Expired
        | ClosedReason::AttemptsUsedUp
        | ClosedReason::Unreached
        | ClosedReason::WrongNumber
        | ClosedReason::ClosedBySupervisor => None,
    }
}

#[cfg(test)]
mod tests;
