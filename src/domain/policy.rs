//! Settings of queues, agents and a workspace: what the administrator decides.
//!
//! Every name is a key of the configuration and of the API, with the default that the
//! administrator gets. Values are checked where they come in (`wire::settings`); here they are
//! plain facts, and nothing in the domain changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hours::{ContactHours, Hours};
use super::ids::{AgentId, QueueId};
use super::phone::Region;
use super::skills::{Requirements, Skills, Widening};
use super::time::Span;
use super::zone::TimeZone;

/// Texts by locale (`en`, `de`), as the administrator wrote them.
pub type Labels = BTreeMap<String, String>;

/// How a customer is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Medium {
    /// A phone call.
    Voice,
    /// A meeting by link.
    Video,
}

impl Medium {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 2] = [Self::Voice, Self::Video];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Video => "video",
        }
    }
}

/// A number per medium; `None` where the medium has no bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerMedium<T> {
    /// For voice.
    pub voice: T,
    /// For video.
    pub video: T,
}

impl<T: Copy> PerMedium<T> {
    /// The same for every medium.
    pub const fn both(value: T) -> Self {
        Self { voice: value, video: value }
    }

    /// The one of `medium`.
    pub const fn of(&self, medium: Medium) -> T {
        match medium {
            Medium::Voice => self.voice,
            Medium::Video => self.video,
        }
    }
}

/// How many callbacks of a medium a slot takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotCapacity {
    /// So many; 0 for no limit.
    Fixed(u32),
    /// As many as the queue's agents can call in that time.
    Staff,
}

/// Which of several equally fitting agents takes arriving work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// Who has been idle longest.
    LongestIdle,
    /// Who has the most free units.
    MostCapacity,
    /// Who was offered something longest ago.
    RoundRobin,
    /// Who holds the asked skills at the highest levels.
    BestSkilled,
}

/// How wrap-up ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WrapUpMode {
    /// After `wrap_up_seconds`, which the agent may extend.
    Timed,
    /// When the agent closes; `max_wrap_up_seconds` bounds it.
    Required,
    /// There is none.
    None,
}

/// What to do with a second waiting request of the same contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DuplicatePolicy {
    /// Answer with the one that waits.
    ReturnExisting,
    /// Refuse it.
    Reject,
    /// Take it.
    Allow,
}

/// A code with texts that an agent may choose: a reason, or a disposition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The code.
    pub id: String,
    /// Texts by locale.
    pub labels: Labels,
}

/// A closing code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// Code and texts.
    pub choice: Choice,
    /// Whether it means that the customer's matter is settled, reached or not.
    pub resolved: bool,
}

/// Why an agent declines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineReason {
    /// Code and texts.
    pub choice: Choice,
    /// Whether the same callback may be offered to the same agent again.
    pub reassignable: bool,
}

/// Minutes until the next attempt, by the outcome of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryDelays {
    /// Nobody picked up.
    pub no_answer: u32,
    /// The line was busy.
    pub busy: u32,
    /// A machine picked up.
    pub voicemail: u32,
    /// Picked up, didn't take the call.
    pub refused: u32,
    /// The call couldn't be made.
    pub failed: u32,
    /// Nobody said how it went.
    pub unknown: u32,
}

impl Default for RetryDelays {
    fn default() -> Self {
        Self { no_answer: 15, busy: 5, voicemail: 60, refused: 60, failed: 5, unknown: 15 }
    }
}

/// A queue, as the administrator set it up. Names and defaults are those of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSettings {
    /// Its id.
    pub id: QueueId,
    /// Its name for people.
    pub name: String,
    /// Its name by locale.
    pub labels: Labels,
    /// The zone of its hours.
    pub time_zone: TimeZone,
    /// When it is open.
    pub hours: Arc<Hours>,
    /// Region for numbers without a country code.
    pub default_region: Option<Region>,
    /// When customers may be called unasked, in their own zone.
    pub contact_hours: ContactHours,
    /// What it takes.
    pub media: Vec<Medium>,
    /// Regions that may be called; `None` for all.
    pub allowed_regions: Option<Vec<Region>>,
    /// Asked of every callback of the queue.
    pub requirements: Requirements,
    /// By which what is asked of those who wait widens, each adding to those before it.
    pub steps: Vec<Widening>,

    /// How long before its start a scheduled callback falls due.
    pub lead_seconds: u32,
    /// How much waiting one step of priority is worth.
    pub age_step_seconds: u32,
    /// After so much waiting every eligible agent counts as preference 1; 0 never.
    pub preference_limit_seconds: u32,
    /// Tie-break among agents.
    pub strategy: Strategy,
    /// A scheduled callback is called within this of its start.
    pub on_time_seconds: u32,
    /// The window that an asap callback is promised; `None` for no promise.
    pub promise_window_minutes: Option<u32>,
    /// From this long before it breaks a promise goes first.
    pub promise_slack_seconds: u32,
    /// What service level is measured against.
    pub service_level_seconds: u32,
    /// A callback is worth offering above this wait.
    pub wait_threshold_seconds: u32,

    /// How long an offer stands.
    pub offer_timeout_seconds: u32,
    /// After so many missed offers the agent goes away.
    pub max_missed_offers: u32,
    /// How long a declined callback isn't offered to the same agent again; doubles to 600.
    pub decline_cooldown_seconds: u32,
    /// What an agent may say; empty: anything.
    pub decline_reasons: Vec<DeclineReason>,
    /// Declined or missed so often, a callback is told to be stuck.
    pub max_offers: u32,
    /// Skips the offer.
    pub auto_accept: bool,
    /// Whether agents may take work by themselves.
    pub agents_may_claim: bool,

    /// How long a vanished agent keeps what wasn't called yet.
    pub session_grace_seconds: u32,
    /// How long a vanished agent keeps a call.
    pub call_grace_seconds: u32,
    /// How long an accepted callback may stay uncalled.
    pub preview_seconds: u32,
    /// How long a call may last without an outcome or an end.
    pub max_call_seconds: u32,
    /// Bounds attempts that don't count.
    pub max_interactions: u32,
    /// How wrap-up ends.
    pub wrap_up_mode: WrapUpMode,
    /// How long wrap-up lasts.
    pub wrap_up_seconds: u32,
    /// How long it may be extended to.
    pub max_wrap_up_seconds: u32,
    /// Reasons that a request may name; empty: anything.
    pub reasons: Vec<Choice>,
    /// Codes that an agent may close with; empty: anything.
    pub dispositions: Vec<Disposition>,

    /// Attempts on the customer's side before it is given up.
    pub max_attempts: u32,
    /// Minutes until the next attempt.
    pub retry_delays_minutes: RetryDelays,
    /// A video customer who hasn't come by then isn't coming.
    pub no_show_minutes: u32,
    /// How long a callback may wait.
    pub expire_after_minutes: u32,
    /// Whether each retry has its own time to wait.
    pub retry_extends_expiry: bool,
    /// Ends retrying in any case, so long after the request.
    pub retry_days: u32,
    /// How long after closing what is queued still goes out.
    pub overrun_minutes: u32,

    /// Two bookings within it are the same.
    pub duplicate_window_minutes: u32,
    /// What to do with a duplicate.
    pub duplicate_policy: DuplicatePolicy,
    /// Length of a slot.
    pub slot_minutes: u32,
    /// Room in a slot.
    pub slot_capacity: PerMedium<SlotCapacity>,
    /// Share of the staff's time that slots leave free, in thousandths.
    pub slot_reserve: u32,
    /// How soon a slot may be booked.
    pub min_notice_minutes: u32,
    /// How far ahead.
    pub max_days_ahead: u32,
    /// Callbacks that may be waiting or booked; 0 for no limit.
    pub max_outstanding: PerMedium<u32>,
    /// Minutes before its start at which a customer is reminded; 0 for none.
    pub reminder_minutes: u32,
}

impl QueueSettings {
    /// A queue with every default, always open, in UTC.
    pub fn new(id: QueueId) -> Self {
        let name = id.to_string();
        Self {
            id,
            name,
            labels: Labels::new(),
            time_zone: TimeZone::utc(),
            hours: Arc::new(Hours::always(TimeZone::utc())),
            default_region: None,
            contact_hours: ContactHours::default(),
            media: vec![Medium::Voice],
            allowed_regions: None,
            requirements: Requirements::default(),
            steps: Vec::new(),
            lead_seconds: 60,
            age_step_seconds: 300,
            preference_limit_seconds: 900,
            strategy: Strategy::LongestIdle,
            on_time_seconds: 300,
            promise_window_minutes: None,
            promise_slack_seconds: 300,
            service_level_seconds: 300,
            wait_threshold_seconds: 120,
            offer_timeout_seconds: 30,
            max_missed_offers: 1,
            decline_cooldown_seconds: 60,
            decline_reasons: Vec::new(),
            max_offers: 8,
            auto_accept: false,
            agents_may_claim: true,
            session_grace_seconds: 30,
            call_grace_seconds: 900,
            preview_seconds: 300,
            max_call_seconds: 14_400,
            max_interactions: 20,
            wrap_up_mode: WrapUpMode::Timed,
            wrap_up_seconds: 60,
            max_wrap_up_seconds: 1_800,
            reasons: Vec::new(),
            dispositions: Vec::new(),
            max_attempts: 5,
            retry_delays_minutes: RetryDelays::default(),
            no_show_minutes: 10,
            expire_after_minutes: 60,
            retry_extends_expiry: true,
            retry_days: 7,
            overrun_minutes: 15,
            duplicate_window_minutes: 60,
            duplicate_policy: DuplicatePolicy::ReturnExisting,
            slot_minutes: 15,
            slot_capacity: PerMedium::both(SlotCapacity::Fixed(4)),
            slot_reserve: 200,
            min_notice_minutes: 30,
            max_days_ahead: 30,
            max_outstanding: PerMedium::both(0),
            reminder_minutes: 60,
        }
    }

    /// The most steps of one queue.
    pub const MAX_STEPS: usize = 20;

    /// How long a cool-down may grow to by doubling.
    pub const MAX_COOLDOWN: Span = Span::seconds(600);

    /// The least cool-down where nobody else could take the work.
    pub const LONE_COOLDOWN: Span = Span::seconds(15);
}

/// An agent's place in a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// A queue that they serve.
    pub queue: QueueId,
    /// 1 (first choice) to 9.
    pub preference: u8,
}

/// How much an agent can hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Units of all media together.
    pub units: u32,
    /// Per medium, where it has a bound of its own.
    pub media: PerMedium<Option<u32>>,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { units: 1, media: PerMedium::both(None) }
    }
}

/// An agent, as the administrator set them up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Their id.
    pub id: AgentId,
    /// Their name.
    pub name: String,
    /// Queues served, by id; the order says nothing.
    pub queues: Vec<Membership>,
    /// Skills held.
    pub skills: Skills,
    /// How much at once.
    pub capacity: Capacity,
}

impl AgentSettings {
    /// The agent's place in `queue`, if they serve it.
    pub fn membership(&self, queue: &QueueId) -> Option<&Membership> {
        self.queues.iter().find(|membership| membership.queue == *queue)
    }
}
