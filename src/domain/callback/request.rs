//! What is asked for: who is called, by which channel, when, and by whom.
//!
//! Nothing here changes by itself; what the engine makes of it is in `phase` and `interaction`.

use crate::domain::civil::LocalTime;
use crate::domain::ids::AgentId;
use crate::domain::phone::{Email, Extension, PhoneNumber};
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// As soon as possible, or at a time of the customer's choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallbackType {
    /// As soon as an agent is free.
    Asap,
    /// At its booked start.
    Scheduled,
}

impl CallbackType {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asap => "asap",
            Self::Scheduled => "scheduled",
        }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A chat bot.
    VirtualAgent,
    /// The messenger in a page.
    EngagementMessenger,
    /// The customers' portal.
    Portal,
    /// A live chat.
    Chat,
    /// A call or voice menu.
    Voice,
    /// A mail.
    Email,
    /// A messaging service.
    Messaging,
    /// A case on an agent's desk.
    Case,
    /// Any other program.
    Api,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::VirtualAgent,
        Self::EngagementMessenger,
        Self::Portal,
        Self::Chat,
        Self::Voice,
        Self::Email,
        Self::Messaging,
        Self::Case,
        Self::Api,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VirtualAgent => "virtual_agent",
            Self::EngagementMessenger => "engagement_messenger",
            Self::Portal => "portal",
            Self::Chat => "chat",
            Self::Voice => "voice",
            Self::Email => "email",
            Self::Messaging => "messaging",
            Self::Case => "case",
            Self::Api => "api",
        }
    }

    /// The channel of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// Whether the contact is a person of a business customer, or a private one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustomerKind {
    /// A contact of an account.
    Contact,
    /// A private person.
    Consumer,
}

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Their id at the integrator's.
    pub id: Option<String>,
    /// What kind of customer they are.
    pub kind: Option<CustomerKind>,
    /// Their account at the integrator's.
    pub account: Option<String>,
    /// What agents call them; at most 200 characters.
    pub name: String,
    /// Their number; video may have none.
    pub phone: Option<PhoneNumber>,
    /// Dialled after the number.
    pub phone_extension: Option<Extension>,
    /// Where mails go; without it they get none.
    pub email: Option<Email>,
    /// Where they are, for contact hours; without it their number's country says.
    pub time_zone: Option<TimeZone>,
    /// Their language, as they gave it.
    pub locale: Option<String>,
}

/// Where a request came from, with references for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The key's own, where a channel asked; else the one that was named.
    pub channel: Channel,
    /// The interaction at the channel.
    pub interaction_ref: Option<String>,
    /// The case that it belongs to.
    pub case_id: Option<String>,
    /// The page on which it was asked for.
    pub page_url: Option<String>,
    /// Since when the customer has waited in a live line.
    pub waiting_since: Option<Timestamp>,
}

/// The texts of a callback, written once; a PATCH writes a new version beside the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Counts from 1; [`Callback::request_version`] says which one holds.
    pub version: u32,
    /// Who is called.
    pub customer: Customer,
    /// A code, or free text where the queue lists none.
    pub reason: Option<String>,
    /// One line of at most 200 characters.
    pub short_description: Option<String>,
    /// What goes beyond that line; at most 4,000 characters.
    pub description: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// What the customer did before, as the JSON object that came in; at most 32 KiB.
    pub context: Option<String>,
    /// The integrator's own id, unique per workspace and channel.
    pub external_id: Option<String>,
    /// The customer agreed to be called outside contact hours.
    pub customer_agreed: bool,
}

impl Request {
    /// The first version of a request by whoever has this name, over this channel, that says
    /// nothing else.
    pub fn by(name: &str, channel: Channel) -> Self {
        let customer = Customer {
            id: None,
            kind: None,
            account: None,
            name: name.to_owned(),
            phone: None,
            phone_extension: None,
            email: None,
            time_zone: None,
            locale: None,
        };
        let origin = Origin {
            channel,
            interaction_ref: None,
            case_id: None,
            page_url: None,
            waiting_since: None,
        };
        Self {
            version: 1,
            customer,
            reason: None,
            short_description: None,
            description: None,
            origin,
            context: None,
            external_id: None,
            customer_agreed: false,
        }
    }
}

/// A booked time: kept as instant and as the wall time that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// When they are to be called, by the wall clock.
    pub start: Timestamp,
    /// The end of the slot that it falls in.
    pub end: Timestamp,
    /// The start as wall time.
    pub local_start: LocalTime,
    /// In this zone.
    pub zone: TimeZone,
    /// The wall time exists twice that day; the first is meant.
    pub repeated: bool,
    /// The slot was full when an agent booked it.
    pub overbooked: bool,
    /// It was told that the queue's hours have changed under it.
    pub in_conflict: bool,
}

impl Booking {
    /// At an instant, asked for in this zone; its end is the queue's to set.
    pub fn at(start: Timestamp, zone: TimeZone) -> Self {
        Self {
            start,
            end: start,
            local_start: zone.local(start),
            zone,
            repeated: false,
            overbooked: false,
            in_conflict: false,
        }
    }
}

/// How firmly an agent is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PreferMode {
    /// For a while, and not while they are away.
    Prefer,
    /// For a while, wherever they are.
    Require,
}

/// Who takes over from an agent that was required in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fallback {
    /// Anyone eligible.
    Anyone,
    /// Nobody: it goes on waiting for that agent.
    None,
}

/// An agent asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferred {
    /// Who is asked for.
    pub agent: AgentId,
    /// Whether they are waited for while they are away.
    pub mode: PreferMode,
    /// How long, from the moment the callback is queued.
    pub wait_seconds: u32,
    /// Who may have it when that time is over.
    pub fallback: Fallback,
}

impl Preferred {
    /// How long `prefer` waits unless said.
    pub const PREFER_SECONDS: u32 = 60;
    /// How long `require` waits unless said.
    pub const REQUIRE_SECONDS: u32 = 1_800;
    /// How long a transfer's target is preferred.
    pub const TRANSFER_SECONDS: u32 = 120;
}

/// Who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedBy {
    /// The customer, over a channel.
    Customer,
    /// An agent or supervisor; `None` where a supervisor's credential names no agent.
    Agent(Option<AgentId>),
}
