//! The parts of a callback, as answers and frames show them.
//!
//! Separate from the whole, which says who may see what of it.

use serde::Serialize;

use crate::domain::callback::{
    Booking, Callback, Customer, CustomerKind, Interaction, Origin, Outcome, Reach,
};
use crate::domain::dispatch::Meeting;
use crate::domain::ids::AgentId;
use crate::domain::phone::{Email, Extension, PhoneNumber};
use crate::domain::zone::TimeZone;
use crate::wire::instant::{Id, Instant, Local};

/// A field that some views don't have at all, which is another thing than having it as null.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Omittable<T> {
    Shown(T),
    Omitted,
}

impl<T> Omittable<T> {
    pub(super) fn only(shown: bool, value: T) -> Self {
        if shown { Self::Shown(value) } else { Self::Omitted }
    }

    pub(super) const fn is_omitted(&self) -> bool {
        matches!(self, Self::Omitted)
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CustomerBody<'a> {
    id: Option<&'a str>,
    kind: Option<&'static str>,
    account: Option<&'a str>,
    name: &'a str,
    phone: Option<&'a str>,
    phone_extension: Option<&'a str>,
    email: Option<&'a str>,
    time_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    time_zone_candidates: Vec<String>,
    locale: Option<&'a str>,
}

impl<'a> CustomerBody<'a> {
    pub(super) fn of(customer: &'a Customer) -> Self {
        Self {
            id: customer.id.as_deref(),
            kind: customer.kind.map(|kind| match kind {
                CustomerKind::Contact => "contact",
                CustomerKind::Consumer => "consumer",
            }),
            account: customer.account.as_deref(),
            name: &customer.name,
            phone: customer.phone.as_ref().map(PhoneNumber::as_str),
            phone_extension: customer.phone_extension.as_ref().map(Extension::as_str),
            email: customer.email.as_ref().map(Email::as_str),
            time_zone: customer.time_zone.as_ref().map(TimeZone::name),
            time_zone_candidates: candidates(customer),
            locale: customer.locale.as_deref(),
        }
    }
}

/// Where a customer may be who gave no zone, if that isn't clear.
fn candidates(customer: &Customer) -> Vec<String> {
    if customer.time_zone.is_some() {
        return Vec::new();
    }
    match &*Reach::of(customer).zones() {
        [] | [_] => Vec::new(),
        zones => zones.iter().map(|zone| zone.name().to_owned()).collect(),
    }
}

/// The booked time; an asap callback has only the zone that its times are shown in.
#[derive(Debug, Serialize)]
pub(super) struct ScheduleBody<'a> {
    start: Option<Instant>,
    end: Option<Instant>,
    local_start: Option<Local>,
    time_zone: &'a str,
    repeated: bool,
}

impl<'a> ScheduleBody<'a> {
    pub(super) fn of(callback: &'a Callback) -> Self {
        let booking = callback.booking.as_ref();
        let zone = booking.map_or(&callback.zone, |booking| &booking.zone);
        Self {
            start: booking.map(|booking| Instant(booking.start)),
            end: booking.map(|booking| Instant(booking.end)),
            local_start: booking.map(|booking| Local(booking.local_start)),
            time_zone: zone.name(),
            repeated: booking.is_some_and(|Booking { repeated, .. }| *repeated),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OriginBody<'a> {
    channel: &'static str,
    interaction_ref: Option<&'a str>,
    case_id: Option<&'a str>,
    page_url: Option<&'a str>,
    waiting_since: Option<Instant>,
}

impl<'a> OriginBody<'a> {
    pub(super) fn of(origin: &'a Origin) -> Self {
        Self {
            channel: origin.channel.as_str(),
            interaction_ref: origin.interaction_ref.as_deref(),
            case_id: origin.case_id.as_deref(),
            page_url: origin.page_url.as_deref(),
            waiting_since: origin.waiting_since.map(Instant),
        }
    }
}

/// A meeting by link; the agent's way in is for agents.
#[derive(Debug, Serialize)]
pub(super) struct MeetingBody<'a> {
    provider: &'a str,
    join_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_url: Option<&'a str>,
}

impl<'a> MeetingBody<'a> {
    pub(super) fn of(meeting: &'a Meeting, inside: bool) -> Self {
        Self {
            provider: meeting.provider.as_str(),
            join_url: &meeting.join_url,
            host_url: inside.then_some(&meeting.host_url),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct InteractionBody<'a> {
    id: Id,
    attempt: u32,
    state: &'static str,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    agent_id: Omittable<Option<&'a str>>,
    created_at: Instant,
    offered_at: Option<Instant>,
    accepted_at: Option<Instant>,
    called_at: Option<Instant>,
    answered_at: Option<Instant>,
    ended_at: Option<Instant>,
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Omittable::is_omitted")]
    notes: Omittable<Option<&'a str>>,
}

impl<'a> InteractionBody<'a> {
    pub(super) fn of(interaction: &'a Interaction, inside: bool) -> Self {
        Self {
            id: Id(interaction.id.0),
            attempt: interaction.attempt,
            state: interaction.state.as_str(),
            agent_id: Omittable::only(inside, interaction.agent.as_ref().map(AgentId::as_str)),
            created_at: Instant(interaction.created_at),
            offered_at: interaction.offered_at.map(Instant),
            accepted_at: interaction.accepted_at.map(Instant),
            called_at: interaction.called_at.map(Instant),
            answered_at: interaction.answered_at.map(Instant),
            ended_at: interaction.ended_at.map(Instant),
            outcome: interaction.outcome.map(Outcome::as_str),
            notes: Omittable::only(inside, interaction.notes.as_deref()),
        }
    }
}
