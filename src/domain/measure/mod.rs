//! What is measured: how many, how long, and of how many, per queue and agent and quarter of an
//! hour.
//!
//! A tally is sums and counts alone, so tallies of any stretches of time, and of several queues or
//! agents, add up; shares, means and percentiles are worked out of the sums when somebody looks.
//! What each measure is stands in docs/reports.md. Quarters of an hour, because the clocks of all
//! zones differ from UTC by whole ones: hours and days of any zone are made of them.

mod book;
pub mod facts;
pub mod grid;
pub mod ledger;
pub mod line;
pub mod series;
#[cfg(test)]
mod tests;
pub mod waits;

use std::collections::BTreeMap;
use std::ops::AddAssign;

pub use self::ledger::Ledger;
pub use self::line::{LastHour, Line};
pub use self::waits::Waits;
use super::agent::Presence;
use super::callback::{CallbackType, Channel, ClosedReason, FinalState};
use super::ids::{AgentId, QueueId};
use super::policy::Medium;
use super::time::{Span, Timestamp};

/// What tallies are kept by.
pub const QUARTER: Span = Span::minutes(15);

/// What a presence whose reason is one too many is counted as: reasons are free texts.
pub const OTHER_REASON: &str = "other";

/// Reasons told apart in one tally.
const MAX_REASONS: usize = 16;

/// The quarter of an hour that an instant lies in, by its first instant.
pub fn quarter_of(at: Timestamp) -> Timestamp {
    start_of(at, QUARTER)
}

/// The beginning of the stretch of this length that an instant lies in.
pub(super) fn start_of(at: Timestamp, length: Span) -> Timestamp {
    Timestamp(at.0.div_euclid(length.0).saturating_mul(length.0))
}

/// What comes to a queue: a row of its own, since an intake changes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intake {
    /// Callbacks made, by where they came from and what they are.
    pub created: BTreeMap<(Channel, (CallbackType, Medium)), u64>,
    /// Interactions that fell due.
    pub queued: u64,
    /// Requests for a callback as soon as possible, by customers and channels.
    pub asap_requests: u64,
    /// Availabilities that offered a callback.
    pub callback_offers: u64,
}

impl Intake {
    /// Callbacks made that are such.
    pub fn created_where(&self, is_such: impl Fn(Channel, CallbackType, Medium) -> bool) -> u64 {
        let such = self.created.iter();
        let such = such.filter(|((channel, (kind, medium)), _)| is_such(*channel, *kind, *medium));
        such.map(|(_, count)| count).sum()
    }
}

impl AddAssign<&Self> for Intake {
    fn add_assign(&mut self, other: &Self) {
        add_all(&mut self.created, &other.created);
        self.queued += other.queued;
        self.asap_requests += other.asap_requests;
        self.callback_offers += other.callback_offers;
    }
}

/// What became of offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// Made to agents.
    pub made: u64,
    /// Accepted.
    pub accepted: u64,
    /// Declined.
    pub declined: u64,
    /// Not answered in time.
    pub missed: u64,
    /// Taken back.
    pub revoked: u64,
}

impl AddAssign<&Self> for Offers {
    fn add_assign(&mut self, other: &Self) {
        self.made += other.made;
        self.accepted += other.accepted;
        self.declined += other.declined;
        self.missed += other.missed;
        self.revoked += other.revoked;
    }
}

/// How many of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// So many did.
    pub met: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    fn count(&mut self, met: bool) {
        self.met += u64::from(met);
        self.of += 1;
    }
}

impl AddAssign<&Self> for Share {
    fn add_assign(&mut self, other: &Self) {
        self.met += other.met;
        self.of += other.of;
    }
}

/// Calls, by when they were begun, and how long they kept an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Begun; met: the customer answered.
    pub reached: Share,
    /// Calls that an agent is done with.
    pub handled: u64,
    /// Their time from accept, or redial, to the end of wrap-up.
    pub handling: Span,
}

impl AddAssign<&Self> for Calls {
    fn add_assign(&mut self, other: &Self) {
        self.reached += &other.reached;
        self.handled += other.handled;
        self.handling += other.handling;
    }
}

/// What is done in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// Callbacks that ended, by why.
    pub closed: BTreeMap<ClosedReason, u64>,
    /// Attempts of those that weren't called off; `met` of them, `of` callbacks.
    pub attempts: Share,
    /// From queue time to the first call.
    pub waits: Waits,
    /// Asap ones first called within `service_level_seconds`, of those called or given up.
    pub service_level: Share,
    /// Scheduled ones first called within `on_time_seconds`, of those called or given up.
    pub on_time: Share,
    /// Promises kept.
    pub promises_kept: u64,
    /// Promises broken.
    pub promises_broken: u64,
    /// Offers to agents.
    pub offers: Offers,
    /// Calls.
    pub calls: Calls,
}

impl Work {
    /// Callbacks that ended in this state.
    pub fn closed_as(&self, state: FinalState) -> u64 {
        let so = self.closed.iter().filter(|(reason, _)| ends_as(**reason) == state);
        so.map(|(_, count)| count).sum()
    }

    /// Callbacks that ended for this reason.
    pub fn closed_for(&self, reason: ClosedReason) -> u64 {
        self.closed.get(&reason).copied().unwrap_or(0)
    }
}

impl AddAssign<&Self> for Work {
    fn add_assign(&mut self, other: &Self) {
        add_all(&mut self.closed, &other.closed);
        self.attempts += &other.attempts;
        self.waits += &other.waits;
        self.service_level += &other.service_level;
        self.on_time += &other.on_time;
        self.promises_kept += other.promises_kept;
        self.promises_broken += other.promises_broken;
        self.offers += &other.offers;
        self.calls += &other.calls;
    }
}

/// The final state that a reason belongs to.
const fn ends_as(reason: ClosedReason) -> FinalState {
    match reason {
        ClosedReason::Reached | ClosedReason::Resolved => FinalState::ClosedComplete,
        ClosedReason::Expired
        | ClosedReason::AttemptsUsedUp
        | ClosedReason::Unreached
        | ClosedReason::WrongNumber
        | ClosedReason::ClosedBySupervisor => FinalState::ClosedAbandoned,
        ClosedReason::ByCustomer
        | ClosedReason::ByAgent
        | ClosedReason::BySupervisor
        | ClosedReason::ServedElsewhere => FinalState::Canceled,
    }
}

/// All of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueTally {
    /// What comes to it.
    pub intake: Intake,
    /// What is done in it.
    pub work: Work,
}

impl AddAssign<&Self> for QueueTally {
    fn add_assign(&mut self, other: &Self) {
        self.intake += &other.intake;
        self.work += &other.work;
    }
}

/// How long an agent was so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeIn {
    /// What they wanted.
    pub presence: Presence,
    /// What was said with that presence.
    pub reason: Option<String>,
    /// For how long, in all.
    pub span: Span,
}

/// All of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentTally {
    /// Offers to them.
    pub offers: Offers,
    /// Their calls.
    pub calls: Calls,
    /// How long they were available or away, by reason, in order. Offline is what remains. A list
    /// and no map, since there are many tallies, each with one row as a rule.
    pub presence: Vec<TimeIn>,
    /// Units of capacity held by callbacks, times how long.
    pub held: Span,
    /// Units that they had for callbacks, times how long: while available and connected all but
    /// what work elsewhere takes, else what was still held.
    pub available: Span,
}

impl AgentTally {
    /// How long they were so.
    pub fn time_in(&self, presence: Presence) -> Span {
        let so = self.presence.iter().filter(|one| one.presence == presence);
        so.fold(Span::ZERO, |sum, one| sum + one.span)
    }

    /// Adds a time; of a reason too many to `other`.
    pub fn present(&mut self, presence: Presence, reason: Option<&str>, span: Span) {
        let order = |one: &TimeIn| (one.presence, one.reason.as_deref()).cmp(&(presence, reason));
        match self.presence.binary_search_by(order) {
            Ok(place) => self.presence[place].span += span,
            Err(_) if self.presence.len() >= MAX_REASONS && reason != Some(OTHER_REASON) => {
                self.present(presence, Some(OTHER_REASON), span);
            }
            Err(place) => {
                let reason = reason.map(str::to_owned);
                self.presence.reserve_exact(1);
                self.presence.insert(place, TimeIn { presence, reason, span });
            }
        }
    }
}

impl AddAssign<&Self> for AgentTally {
    fn add_assign(&mut self, other: &Self) {
        self.offers += &other.offers;
        self.calls += &other.calls;
        for TimeIn { presence, reason, span } in &other.presence {
            self.present(*presence, reason.as_deref(), *span);
        }
        self.held += other.held;
        self.available += other.available;
    }
}

fn add_all<K: Ord + Clone>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key.clone()).or_default() += count;
    }
}

/// A tally as it stands after a step: what is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tally {
    /// What comes to a queue.
    Intake(QueueId, Intake),
    /// What is done in it.
    Work(QueueId, Box<Work>),
    /// An agent's.
    Agent(AgentId, Box<AgentTally>),
    /// How long a queue's line was.
    Line(QueueId, Line),
}

/// The newest state of one quarter's tally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The first instant of the quarter.
    pub quarter: Timestamp,
    /// The tally.
    pub tally: Tally,
}
