//! Problems (RFC 9457): the one place where a refusal becomes a type, a status and a sentence.
//!
//! Shared by http, which sends them as bodies, and ws, which puts them into `error` frames. Must
//! never show what went wrong inside: the log has that.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::slot::slot_list;
use crate::domain::civil::format_rfc3339;
use crate::domain::refusal::{FieldFault, Refusal};
use crate::domain::time::Timestamp;
use crate::domain::zone::{BadZone, Missing};
use crate::engine::handle::CommandError;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// After so many seconds a request that was turned away for load may be sent again.
const RETRY_SECONDS: u32 = 1;

/// After so many seconds one that was open may have ended.
pub const PLACE_SECONDS: u32 = 5;

macro_rules! kinds {
    ($($variant:ident $status:literal $name:literal $title:literal),+ $(,)?) => {
        /// What kind of problem it is; the document of the API lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the title of each says it")]
        pub enum Kind { $($variant),+ }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The last part of its `type`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// A few words that never change.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

kinds! {
    Malformed 400 "malformed" "Not a request that can be read",
    Unauthorized 401 "unauthorized" "No valid credential",
    Forbidden 403 "forbidden" "Not allowed",
    NotFound 404 "not-found" "Not found",
    MethodNotAllowed 405 "method-not-allowed" "Method not allowed",
    TooSlow 408 "too-slow" "Request came too slowly",
    IllegalTransition 409 "illegal-transition" "Not possible in this state",
    OfferNotPending 409 "offer-not-pending" "The offer is not pending",
    OutcomeMissing 409 "outcome-missing" "The call's outcome is missing",
    AttemptsUsedUp 409 "attempts-used-up" "No attempts left",
    AgentNotConnected 409 "agent-not-connected" "The agent is not connected",
    AtCapacity 409 "at-capacity" "The agent has no room",
    SlotFull 409 "slot-full" "The slot is full",
    Duplicate 409 "duplicate" "Exists already",
    LimitReached 409 "limit-reached" "Limit reached",
    IntakePaused 409 "intake-paused" "The queue takes no requests",
    InUse 409 "in-use" "Still in use",
    Gone 410 "gone" "No longer kept",
    VersionStale 412 "version-stale" "Changed in the meantime",
    TooLarge 413 "too-large" "Request too large",
    UnsupportedMediaType 415 "unsupported-media-type" "Unsupported media type",
    Invalid 422 "invalid" "Invalid fields",
    KeyReused 422 "idempotency-key-reused" "Idempotency-Key used for another request",
    NotASlot 422 "not-a-slot" "Not a slot",
    StartPast 422 "start-past" "The start lies in the past",
    TooSoon 422 "too-soon" "The start is too soon",
    TooFar 422 "too-far" "The start is too far ahead",
    OutsideHours 422 "outside-hours" "Outside operating hours",
    OutsideContactHours 422 "outside-contact-hours" "Outside contact hours",
    LocalTimeMissing 422 "local-time-missing" "The local time does not exist",
    UnknownZone 422 "unknown-zone" "Unknown time zone",
    PhoneRefused 422 "phone-refused" "The number is not called",
    MediumNotOffered 422 "medium-not-offered" "The queue does not offer this medium",
    UpgradeRequired 426 "upgrade-required" "Another version of the protocol needed",
    RateLimited 429 "rate-limited" "Too many requests",
    Internal 500 "internal" "Internal error",
    Unavailable 503 "unavailable" "The store does not answer",
    Overloaded 503 "overloaded" "Overloaded",
}

/// A problem, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// One sentence that says what to do.
    pub detail: String,
    /// Invalid fields.
    pub errors: Vec<FieldFault>,
    /// Members of its own kind.
    pub members: Map<String, Value>,
    /// For `Retry-After`.
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// One without members.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let retry = matches!(kind, Kind::Unavailable | Kind::Overloaded | Kind::RateLimited);
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            retry_after_seconds: retry.then_some(RETRY_SECONDS),
        }
    }

    /// Invalid fields.
    pub fn invalid(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => format!("The body {}.", one.detail),
            [one] => format!("{} {}.", one.pointer, one.detail),
            _ => "Some fields can't be taken; errors says which, and what is allowed.".to_owned(),
        };
        Self { errors, ..Self::new(Kind::Invalid, detail) }
    }

    /// One invalid field.
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::invalid(vec![FieldFault { pointer: pointer.to_owned(), detail }])
    }

    /// There is nothing there, or nothing that the caller may know of.
    pub fn not_found() -> Self {
        Refusal::NotFound.into()
    }

    /// A role that may not do it.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// Text that names no zone.
    pub fn unknown_zone(pointer: &str, error: &BadZone) -> Self {
        Self::new(Kind::UnknownZone, format!("{pointer}: {error}."))
            .with("hint", error.hint())
            .at(pointer, error.to_string())
    }

    /// A local time that no clock shows in that zone.
    pub fn local_time_missing(pointer: &str, missing: &Missing) -> Self {
        let next = missing.next_local.to_string();
        let detail = format!("The clocks skip that time; the next one there is is {next}.");
        Self::new(Kind::LocalTimeMissing, detail)
            .with("next_local_start", next)
            .with("next_start", format_rfc3339(missing.next_at))
            .at(pointer, "the clocks skip that time")
    }

    /// A medium that the queue doesn't have among its `media`.
    pub fn medium_not_offered(media: &[&str]) -> Self {
        let detail = format!("This queue offers: {}. Ask for one of them.", media.join(", "));
        Self::new(Kind::MediumNotOffered, detail).at("/medium", "isn't offered by the queue")
    }

    /// As many are open as one may have: `what` says of what, in the plural.
    pub fn all_open(most: usize, what: &str) -> Self {
        let detail = format!("{most} {what} are open, the most; close one, or wait for its end.");
        Self::new(Kind::RateLimited, detail).retry_after(PLACE_SECONDS)
    }

    /// Adds the field that it is about.
    #[must_use]
    pub fn at(mut self, pointer: &str, detail: impl Into<String>) -> Self {
        self.errors.push(FieldFault { pointer: pointer.to_owned(), detail: detail.into() });
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.kind.status()
    }

    fn instant(self, name: &str, at: Option<Timestamp>) -> Self {
        self.with(name, at.map(format_rfc3339))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let sentence = sentence(&refusal);
        let of = |kind| Self::new(kind, sentence.clone());
        match refusal {
            Refusal::NotFound => of(Kind::NotFound),
            Refusal::Forbidden(_) => of(Kind::Forbidden),
            Refusal::VersionStale { version } => of(Kind::VersionStale).with("version", version),
            Refusal::IllegalTransition { state, action } => {
                of(Kind::IllegalTransition).with("state", state.as_str()).with("action", action)
            }
            Refusal::OfferNotPending => of(Kind::OfferNotPending),
            Refusal::OutcomeMissing => of(Kind::OutcomeMissing),
            Refusal::AttemptsUsedUp { max_attempts } => {
                of(Kind::AttemptsUsedUp).with("max_attempts", max_attempts)
            }
            Refusal::AgentNotConnected(agent) => {
                of(Kind::AgentNotConnected).with("agent_id", agent)
            }
            Refusal::AtCapacity(agent) => of(Kind::AtCapacity).with("agent_id", agent),
            Refusal::LimitReached(_) => of(Kind::LimitReached),
            Refusal::IntakePaused { until } => of(Kind::IntakePaused).instant("until", until),
            Refusal::Duplicate { id } | Refusal::DuplicateContact { id } => {
                of(Kind::Duplicate).with("id", id.to_string())
            }
            Refusal::OutsideHours { next_allowed_at } => {
                of(Kind::OutsideHours).instant("next_allowed_at", next_allowed_at)
            }
            Refusal::OutsideContactHours { next_allowed_at } => {
                of(Kind::OutsideContactHours).instant("next_allowed_at", next_allowed_at)
            }
            Refusal::StartPast => of(Kind::StartPast),
            Refusal::NumberDenied => {
                of(Kind::PhoneRefused).at("/customer/phone", "is on the deny list")
            }
            Refusal::TooSoon { soonest } => {
                of(Kind::TooSoon).instant("soonest_start", Some(soonest))
            }
            Refusal::TooFar { latest } => of(Kind::TooFar).instant("latest_start", Some(latest)),
            Refusal::NotASlot { nearest } => {
                of(Kind::NotASlot).with("nearest", slot_list(&nearest.slots, &nearest.zone))
            }
            Refusal::SlotFull { nearest } => {
                of(Kind::SlotFull).with("nearest", slot_list(&nearest.slots, &nearest.zone))
            }
            Refusal::InUse(_) => of(Kind::InUse),
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::Internal => of(Kind::Internal),
            Refusal::Unavailable => of(Kind::Unavailable),
            Refusal::Overloaded => of(Kind::Overloaded),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::KeyReused => Self::new(Kind::KeyReused, sentence(&error)),
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/problems/{}", self.kind.name()))?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.status())?;
        map.serialize_entry("detail", &self.detail)?;
        if !self.errors.is_empty() {
            let error =
                |fault: &FieldFault| json!({"pointer": fault.pointer, "detail": fault.detail});
            map.serialize_entry("errors", &self.errors.iter().map(error).collect::<Value>())?;
        }
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// An error's own words, with a capital at the start and a full stop at the end.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
