//! How the domain's values are stored.

use std::collections::BTreeMap;

use super::EventRecord;
use super::codec::{
    Broken, Reader, Stored, put_text, put_varint, stored_as, stored_enum, stored_struct,
    stored_text,
};
use crate::domain::agent::{
    Agent, AssignedBy, ExternalLoad, Presence, PresenceBy, RevokeReason, UnassignReason,
};
use crate::domain::callback::{
    Assignment, Booking, Callback, CallbackType, Channel, ClosedReason, ContactKey, Customer,
    CustomerKind, Declined, Fallback, FinalState, Interaction, InteractionState, LastAction, Offer,
    OpenReason, Origin, Outcome, Phase, PreferMode, Preferred, Reach, Remarks, Request,
    RequestedBy, Told, Unroutable,
};
use crate::domain::civil::{Date, LocalTime, Weekday};
use crate::domain::denied::Denied;
use crate::domain::estimate::{Basis, Estimate};
use crate::domain::event::{AgentEvent, By, CallbackEvent, Event, QueueEvent};
use crate::domain::hours::{ContactHours, DayInterval, Hours};
use crate::domain::ids::{
    AgentId, CallbackId, InteractionId, OfferId, QueueId, SessionId, SkillName,
};
use crate::domain::phone::{Email, Extension, PhoneNumber, Region};
use crate::domain::policy::{
    AgentSettings, Capacity, Choice, DeclineReason, Disposition, DuplicatePolicy, Medium,
    Membership, PerMedium, QueueSettings, RetryDelays, SlotCapacity, Strategy, WrapUpMode,
};
use crate::domain::queue::{Halves, Pause, Paused, Queue};
use crate::domain::rank::Priority;
use crate::domain::skills::{Held, Level, Preference, Requirement, Requirements, Skills, Widening};
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;
use crate::engine::entry::{IdempotencyKey, Kept, KeptAnswer, Keyed};

/// Requirements are bounded where they come in; what was taken then is read in any number.
const ANY_NUMBER: usize = usize::MAX;

fn broken(error: impl std::fmt::Display) -> Broken {
    Broken(error.to_string())
}

stored_as!(Timestamp as i64, |it: &Timestamp| it.0, |value| Ok(Timestamp(value)));
stored_as!(Span as i64, |it: &Span| it.0, |value| Ok(Span(value)));
stored_as!(CallbackId as u128, |it: &CallbackId| it.0, |value| Ok(CallbackId(value)));
stored_as!(InteractionId as u128, |it: &InteractionId| it.0, |value| Ok(InteractionId(value)));
stored_as!(OfferId as u128, |it: &OfferId| it.0, |value| Ok(OfferId(value)));
stored_as!(SessionId as u128, |it: &SessionId| it.0, |value| Ok(SessionId(value)));
stored_text!(QueueId, as_str, QueueId::parse);
stored_text!(AgentId, as_str, AgentId::parse);
stored_text!(SkillName, as_str, SkillName::parse);
stored_text!(TimeZone, name, TimeZone::parse);
stored_text!(Extension, as_str, Extension::parse);
stored_text!(Email, as_str, Email::parse);
stored_text!(Region, as_str, Region::parse);
stored_text!(PhoneNumber, as_str, |text| {
    PhoneNumber::from_e164(text).ok_or("it is no phone number")
});
stored_text!(Weekday, as_str, |text| Weekday::parse(text).ok_or("it is no weekday"));
stored_as!(LocalTime as i64, |it: &LocalTime| it.civil_seconds(), |value| {
    Ok(LocalTime::from_civil_seconds(value))
});
stored_as!(Date as i64, |it: &Date| i64::from(it.days()), |days: i64| {
    let date = i32::try_from(days).ok().and_then(Date::from_days);
    date.ok_or_else(|| Broken(format!("{days} is no date")))
});
stored_as!(
    DayInterval as (String, String),
    |it: &DayInterval| { (it.from().to_string(), it.to().to_string()) },
    |(from, to): (String, String)| DayInterval::parse(&from, &to).map_err(broken)
);
stored_as!(ContactHours as DayInterval, |it: &ContactHours| it.interval(), |interval| {
    Ok(ContactHours::new(interval))
});
stored_as!(Priority as u8, |it: &Priority| it.value(), |value| {
    Priority::new(i64::from(value)).map_err(broken)
});
stored_as!(Level as u8, |it: &Level| it.value(), |value| {
    Level::new(i64::from(value)).map_err(broken)
});
stored_as!(Preference as u8, |it: &Preference| it.value(), |value| {
    Preference::new(i64::from(value)).map_err(broken)
});
impl Stored for Requirements {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.iter().len() as u64, out);
        self.iter().for_each(|one| one.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Self::new(Stored::take(from)?, ANY_NUMBER).map_err(broken)
    }
}

stored_as!(
    Skills as BTreeMap<SkillName, Held>,
    |it: &Skills| { it.iter().map(|(name, held)| (name.clone(), held)).collect() },
    |all| Skills::new(all).map_err(broken)
);
impl Stored for Hours {
    fn put(&self, out: &mut Vec<u8>) {
        self.zone().put(out);
        let week = Weekday::ALL.into_iter();
        let week = week.flat_map(|day| self.weekly(day).iter().map(move |one| (day, *one)));
        week.collect::<Vec<_>>().put(out);
        let dates = self.exceptions().map(|(date, intervals)| (date, intervals.to_vec()));
        dates.collect::<Vec<_>>().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let zone = Stored::take(from)?;
        let week: Vec<(Weekday, DayInterval)> = Stored::take(from)?;
        Self::new(zone, &week, Stored::take(from)?).map_err(broken)
    }
}

stored_enum!(CallbackType { 0 => Asap, 1 => Scheduled });
stored_enum!(Medium { 0 => Voice, 1 => Video });
stored_enum!(Channel {
    0 => VirtualAgent, 1 => EngagementMessenger, 2 => Portal, 3 => Chat, 4 => Voice, 5 => Email,
    6 => Messaging, 7 => Case, 8 => Api,
});
stored_enum!(CustomerKind { 0 => Contact, 1 => Consumer });
stored_enum!(PreferMode { 0 => Prefer, 1 => Require });
stored_enum!(Fallback { 0 => Anyone, 1 => None });
stored_enum!(Outcome {
    0 => Answered, 1 => NoAnswer, 2 => Busy, 3 => Voicemail, 4 => Refused, 5 => Failed,
    6 => WrongNumber, 7 => Unknown,
});
stored_enum!(InteractionState {
    0 => Queued, 1 => Offered, 2 => Accepted, 3 => Calling, 4 => ClosedComplete,
    5 => ClosedAbandoned,
});
stored_enum!(OpenReason { 0 => Booked, 1 => Retry, 2 => Opening, 3 => CarriedOver });
stored_enum!(Basis { 0 => FreeAgent, 1 => Line });
stored_enum!(FinalState { 0 => ClosedComplete, 1 => ClosedAbandoned, 2 => Canceled });
stored_enum!(ClosedReason {
    0 => Reached, 1 => Resolved, 2 => Expired, 3 => AttemptsUsedUp, 4 => Unreached,
    5 => WrongNumber, 6 => ClosedBySupervisor, 7 => ByCustomer, 8 => ByAgent, 9 => BySupervisor,
    10 => ServedElsewhere,
});
stored_enum!(Presence { 0 => Available, 1 => Away, 2 => Offline });
stored_enum!(PresenceBy { 0 => Agent, 1 => Supervisor, 2 => Engine });
stored_enum!(AssignedBy { 0 => Accept, 1 => Supervisor, 2 => Claim });
stored_enum!(RevokeReason {
    0 => Canceled, 1 => Rescheduled, 2 => AcceptedElsewhere, 3 => SessionLost, 4 => AgentAway,
    5 => Reassigned, 6 => Expired, 7 => Closed, 8 => CarriedOver, 9 => Paused, 10 => AtCapacity,
    11 => Restarted, 12 => NumberDenied,
});
stored_enum!(UnassignReason {
    0 => Closed, 1 => Retry, 2 => Requeued, 3 => Canceled, 4 => Reassigned, 5 => NoCall,
    6 => ConnectionLost,
});
stored_enum!(Strategy { 0 => LongestIdle, 1 => MostCapacity, 2 => RoundRobin, 3 => BestSkilled });
stored_enum!(WrapUpMode { 0 => Timed, 1 => Required, 2 => None });
stored_enum!(DuplicatePolicy { 0 => ReturnExisting, 1 => Reject, 2 => Allow });
stored_enum!(Phase {
    0 => Open { due, wake_at, why, carried },
    1 => Queued { interaction },
    2 => Offered { interaction, offer },
    3 => Accepted { interaction, assignment },
    4 => Calling { interaction, assignment, since },
    5 => WrapUp { interaction, assignment, since, ends_at },
    6 => Ended { state, reason, at },
});
stored_enum!(CallbackEvent {
    0 => Created { queue, kind, medium, start, by },
    1 => Rescheduled { start, by },
    2 => Canceled { reason, text, by },
    3 => Queued { interaction, queued_since },
    4 => Offered { offer, agent, expires_at },
    5 => Accepted { offer, agent },
    6 => Declined { offer, agent, reason },
    7 => OfferExpired { offer, agent },
    8 => OfferRevoked { offer, agent, reason },
    9 => Assigned { agent, by },
    10 => Unassigned { agent, reason },
    11 => Calling { agent, attempt },
    12 => Answered { agent },
    13 => CallEnded { agent, outcome },
    14 => RetryScheduled { at, attempts, by },
    15 => Requeued { queue, agent, by },
    16 => Updated { by, fields },
    17 => Unroutable { reason },
    18 => Stuck { offers_lost },
    19 => CarriedOver { due, why },
    20 => PromiseBroken { promised_by },
    21 => Closed { state, reason, disposition, by },
    22 => MeetingReady { provider, join_url },
    23 => ScheduleConflict { start, next_open },
});
stored_enum!(AgentEvent {
    0 => Connected { session },
    1 => Disconnected { session, remaining },
    2 => PresenceChanged { presence, reason, by },
});
stored_struct!(Halves { intake, offers });
stored_enum!(QueueEvent {
    0 => Paused { halves, reason, until },
    1 => Resumed { halves },
});

/// Enums whose variants have a place instead of names.
macro_rules! stored_tuples {
    ($name:ty { $($tag:literal => $variant:ident $(($($field:ident),*))?),* $(,)? }) => {
        impl Stored for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($field),*))? => {
                        out.push($tag);
                        $($($field.put(out);)*)?
                    })*
                }
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
                match from.byte()? {
                    $($tag => {
                        $($(let $field = Stored::take(from)?;)*)?
                        Ok(Self::$variant $(($($field),*))?)
                    })*
                    other => Err(Broken(format!("{other} is no {}", stringify!($name)))),
                }
            }
        }
    };
}

pub(super) use stored_tuples;

stored_tuples!(Unroutable {
    0 => NoAgentInQueue, 1 => MissingSkill(skill), 2 => TooLarge, 3 => AllBarred,
    4 => RequiredAgent, 5 => NumberDenied,
});
stored_tuples!(SlotCapacity { 0 => Fixed(places), 1 => Staff });
stored_tuples!(RequestedBy { 0 => Customer, 1 => Agent(agent) });
stored_tuples!(By { 0 => Customer, 1 => Channel, 2 => Agent(agent), 3 => Supervisor, 4 => Engine });
stored_tuples!(Event { 0 => Callback(id, event), 1 => Agent(id, event), 2 => Queue(id, event) });

stored_struct!(PerMedium<u32> { voice, video });
stored_struct!(PerMedium<Option<u32>> { voice, video });
stored_struct!(PerMedium<SlotCapacity> { voice, video });
stored_struct!(Held { level, preference });
stored_struct!(Requirement { skill, mandatory, min_level, expires_after_seconds });
stored_struct!(Customer {
    id,
    kind,
    account,
    name,
    phone,
    phone_extension,
    email,
    time_zone,
    locale,
});
stored_struct!(Origin { channel, interaction_ref, case_id, page_url, waiting_since });
stored_struct!(Request {
    version,
    customer,
    reason,
    short_description,
    description,
    origin,
    context,
    external_id,
    customer_agreed,
});
stored_struct!(Booking { start, end, local_start, zone, repeated, overbooked, in_conflict });
stored_struct!(Preferred { agent, mode, wait_seconds, fallback });
stored_struct!(Interaction {
    id,
    attempt,
    state,
    agent,
    created_at,
    offered_at,
    accepted_at,
    called_at,
    answered_at,
    ended_at,
    outcome,
    notes,
});
stored_as!(ContactKey as u128, |it: &ContactKey| u128::from_be_bytes(it.0), |key: u128| {
    Ok(ContactKey(key.to_be_bytes()))
});
stored_struct!(Reach { contact, phone, zone });
stored_struct!(Offer { id, agent, expires_at });
stored_struct!(Assignment { agent, since });
stored_struct!(Declined { agent, times, until, lone_until });
stored_struct!(Estimate { basis, seconds, low, high });
stored_struct!(Told { at, estimate });
stored_struct!(LastAction { agent, digest, version });
stored_struct!(Callback {
    id,
    number,
    version,
    request_version,
    queue,
    kind,
    medium,
    channel,
    requested_by,
    reach,
    booking,
    zone,
    priority,
    size,
    requirements,
    preferred,
    max_attempts,
    expire_after_minutes,
    expiry_base,
    attempts,
    interactions,
    queued_since,
    phase,
    declined,
    offers_lost,
    retrying,
    contact_hours_bind,
    reached,
    told,
    first_called_at,
    promise_broken,
    unroutable,
    accepted_offer,
    closable_by,
    last_action,
    remarks,
    has_email,
    bookings,
    meeting,
    created_at,
    updated_at,
    clock_gap,
});

/// As its texts alone: hardly any record has one.
impl Stored for Remarks {
    fn put(&self, out: &mut Vec<u8>) {
        for text in [self.disposition(), self.notes(), self.cancel_reason()] {
            text.map(str::to_owned).put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self::new(Stored::take(from)?, Stored::take(from)?, Stored::take(from)?))
    }
}

stored_struct!(ExternalLoad { units, until });
stored_struct!(Membership { queue, preference });
stored_struct!(Capacity { units, media });
stored_struct!(AgentSettings { id, name, queues, skills, capacity });
stored_struct!(Agent {
    settings,
    version,
    presence,
    reason,
    presence_since,
    missed_offers,
    idle_since,
    external,
    settings_version,
});
stored_struct!(Choice { id, labels });
stored_struct!(Disposition { choice, resolved });
stored_struct!(DeclineReason { choice, reassignable });
stored_struct!(Widening { after_seconds, min_level_delta, drop_optional });
stored_struct!(RetryDelays { no_answer, busy, voicemail, refused, failed, unknown });
stored_struct!(QueueSettings {
    id,
    name,
    labels,
    time_zone,
    hours,
    default_region,
    contact_hours,
    media,
    allowed_regions,
    requirements,
    steps,
    lead_seconds,
    age_step_seconds,
    preference_limit_seconds,
    strategy,
    on_time_seconds,
    promise_window_minutes,
    promise_slack_seconds,
    service_level_seconds,
    wait_threshold_seconds,
    offer_timeout_seconds,
    max_missed_offers,
    decline_cooldown_seconds,
    decline_reasons,
    max_offers,
    auto_accept,
    agents_may_claim,
    session_grace_seconds,
    call_grace_seconds,
    preview_seconds,
    max_call_seconds,
    max_interactions,
    wrap_up_mode,
    wrap_up_seconds,
    max_wrap_up_seconds,
    reasons,
    dispositions,
    max_attempts,
    retry_delays_minutes,
    no_show_minutes,
    expire_after_minutes,
    retry_extends_expiry,
    retry_days,
    overrun_minutes,
    duplicate_window_minutes,
    duplicate_policy,
    slot_minutes,
    slot_capacity,
    slot_reserve,
    min_notice_minutes,
    max_days_ahead,
    max_outstanding,
    reminder_minutes,
});
stored_struct!(Denied { phone, since, by, reason, version });
stored_struct!(Pause { from, to });
stored_struct!(Paused { since, until, reason });
stored_struct!(Queue { settings, version, intake_paused, offers_paused, pauses, unchecked });
stored_struct!(EventRecord { at, event });
stored_as!(IdempotencyKey as [u8; 32], |it: &IdempotencyKey| it.0, |key| Ok(IdempotencyKey(key)));
stored_struct!(Keyed { key, fingerprint });
stored_struct!(Kept { keyed, at, answer });

impl Stored for KeptAnswer {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Callback { callback, position, created, duplicates } => {
                out.push(0);
                callback.put(out);
                position.put(out);
                created.put(out);
                duplicates.put(out);
            }
            Self::Queue(queue) => {
                out.push(1);
                queue.put(out);
            }
            Self::Failure(failure) => {
                out.push(2);
                failure.put(out);
            }
            Self::Served { closed, kept } => {
                out.push(3);
                closed.put(out);
                kept.put(out);
            }
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        match from.byte()? {
            0 => Ok(Self::Callback {
                callback: Stored::take(from)?,
                position: Stored::take(from)?,
                created: Stored::take(from)?,
                duplicates: Stored::take(from)?,
            }),
            1 => Ok(Self::Queue(Stored::take(from)?)),
            2 => Ok(Self::Failure(Stored::take(from)?)),
            3 => Ok(Self::Served { closed: Stored::take(from)?, kept: Stored::take(from)? }),
            other => Err(Broken(format!("{other} is no kept answer"))),
        }
    }
}
