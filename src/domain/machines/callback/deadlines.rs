//! What a callback does by itself, and when.

use super::contact::binding_zones;
use super::life::is_ahead_of_its_start;
use super::{CallbackMachine, Draft, Waiting};
use crate::domain::agent::{Lost, UnassignReason};
use crate::domain::callback::{Assignment, Callback, CallbackType, Outcome, Phase, State};
use crate::domain::event::CallbackEvent;
use crate::domain::ids::AgentId;
use crate::domain::message::OfferEnd;
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::time::{Now, Span, Timestamp};

/// How long before time runs out the agent is told.
pub const WARNING: Span = Span::seconds(30);

/// The clocks may come apart by less than this without anybody minding.
const JUMP: Span = Span::seconds(1);

/// What the engine does next by itself, as shown in `next_deadline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NextAction {
    /// It falls due.
    Queue,
    /// It goes back to `open` until a later opening.
    CarryOver,
    /// It expires.
    Expire,
    /// The pending offer expires.
    ExpireOffer,
    /// An uncalled assignment goes back to the queue.
    Requeue,
    /// A call without an outcome or end is given up.
    EndCall,
    /// A video customer who hasn't come isn't coming.
    NoShow,
    /// Wrap-up ends.
    EndWrapUp,
}

impl NextAction {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::CarryOver => "carry_over",
            Self::Expire => "expire",
            Self::ExpireOffer => "expire_offer",
            Self::Requeue => "requeue",
            Self::EndCall => "end_call",
            Self::NoShow => "no_show",
            Self::EndWrapUp => "end_wrap_up",
        }
    }
}

/// What the engine does next by itself to a callback, seen from `now`, as people's clocks show it;
/// none once it is over. `lost`: its agent has no session, and whoever asks knows of it.
pub fn next_deadline(
    callback: &Callback,
    queue: &Queue,
    lost: Option<Lost>,
    now: Timestamp,
) -> Option<(Timestamp, NextAction)> {
    let expiry = (runs_out(callback, queue, now), NextAction::Expire);
    let waits_until = || match put_off_at(callback, queue, now) {
        Some(at) => expiry.min((at, NextAction::CarryOver)),
        None => expiry,
    };
    match &callback.phase {
        Phase::Open { due, .. } => Some(expiry.min((*due, NextAction::Queue))),
        Phase::Queued { .. } => Some(waits_until()),
        Phase::Offered { offer, .. } => {
            let ends = callback.on_wall(offer.expires_at);
            Some(waits_until().min((ends, NextAction::ExpireOffer)))
        }
        Phase::Accepted { assignment, .. } => {
            let since = callback.on_wall(assignment.since);
            let preview = callback.on_wall(preview_ends(assignment, queue));
            // What is assigned to an agent whose grace is over goes back at once.
            let grace = lost.map(|lost| since.max(lost.since + lost.session_grace));
            Some((grace.map_or(preview, |at| at.min(preview)), NextAction::Requeue))
        }
        Phase::Calling { interaction, since, .. } => {
            let no_show = no_show_at(callback.medium, interaction.outcome, *since, queue);
            let end = callback.on_wall(call_ends(*since, queue));
            let since = callback.on_wall(*since);
            let grace = Span::seconds(queue.settings.call_grace_seconds);
            let bound = lost.map_or(end, |lost| end.min(since.max(lost.since + grace)));
            let bound = (bound, NextAction::EndCall);
            let no_show = no_show.map(|at| (callback.on_wall(at), NextAction::NoShow));
            Some(no_show.map_or(bound, |no_show| bound.min(no_show)))
        }
        Phase::WrapUp { ends_at, .. } => Some((callback.on_wall(*ends_at), NextAction::EndWrapUp)),
        Phase::Ended { .. } => None,
    }
}

/// When what waits for an agent stops: its queue is shut, or contact hours end.
fn put_off_at(callback: &Callback, queue: &Queue, now: Timestamp) -> Option<Timestamp> {
    let shuts_at = queue.shuts_at(now).filter(|at| !is_ahead_of_its_start(callback, queue, *at));
    let zones = binding_zones(callback, &queue.settings);
    shuts_at.into_iter().chain(queue.settings.contact_hours.ends(now, &zones)).min()
}

/// When its time to wait is over, seen from `now`.
pub fn runs_out(callback: &Callback, queue: &Queue, now: Timestamp) -> Timestamp {
    runs_out_from(callback.expiry_base, callback, queue, now)
}

/// The same where it counts from another instant.
fn runs_out_from(base: Timestamp, callback: &Callback, queue: &Queue, now: Timestamp) -> Timestamp {
    let zones = binding_zones(callback, &queue.settings);
    let waits = queue.runs_out_within(base, callback.expire_after(), now, &zones);
    waits.min(retries_end(callback, queue).unwrap_or(Timestamp::NEVER))
}

/// When trying ends in any case: `retry_days` after the first call, or after the booked time where
/// the customer has moved it to later. None before the first call, which expiry alone bounds.
fn retries_end(callback: &Callback, queue: &Queue) -> Option<Timestamp> {
    let booked = callback.booking.as_ref().map(|booking| booking.end);
    let from = callback.first_called_at?.max(booked.unwrap_or_default());
    Some(from + Span::days(queue.settings.retry_days))
}

/// No retry is made later than this, seen from `now`. What was never called is put off from now.
pub fn last_retry_at(callback: &Callback, queue: &Queue, now: Timestamp) -> Timestamp {
    let ends = retries_end(callback, queue);
    ends.unwrap_or_else(|| now + Span::days(queue.settings.retry_days))
}

/// When its promise breaks, if it has one that still stands, seen from `now`.
pub fn promised_by(callback: &Callback, queue: &Queue, now: Timestamp) -> Option<Timestamp> {
    promised_later(Span::ZERO, callback, queue, now)
}

/// The same of one asked for as soon as possible so much later.
fn promised_later(
    by: Span,
    callback: &Callback,
    queue: &Queue,
    now: Timestamp,
) -> Option<Timestamp> {
    if !callback.awaits_its_call() {
        return None;
    }
    let settings = &queue.settings;
    match callback.kind {
        CallbackType::Scheduled => {
            let start = callback.booking.as_ref()?.start;
            Some(queue.unpaused_after(start, Span::seconds(settings.on_time_seconds)))
        }
        CallbackType::Asap => {
            let window = Span::minutes(settings.promise_window_minutes?);
            // Not from before it was asked for, however long they had waited then in a live line,
            // nor later because an agent has put it off uncalled.
            let queued = callback.queued_since.filter(|_| !callback.retrying);
            let since = queued.unwrap_or_default().max(callback.created_at);
            Some(queue.runs_out_at(since + by, window, now))
        }
    }
}

/// When an assignment that isn't called goes back, by the steady clock.
fn preview_ends(assignment: &Assignment, queue: &Queue) -> Timestamp {
    assignment.since + Span::seconds(queue.settings.preview_seconds)
}

/// When a call of which nothing is heard is given up, by the clock of `since`, its beginning.
fn call_ends(since: Timestamp, queue: &Queue) -> Timestamp {
    since + Span::seconds(queue.settings.max_call_seconds)
}

/// When a video customer who hasn't come by then isn't coming, by the clock of `since`.
fn no_show_at(
    medium: Medium,
    outcome: Option<Outcome>,
    since: Timestamp,
    queue: &Queue,
) -> Option<Timestamp> {
    let waits = medium == Medium::Video && outcome.is_none();
    waits.then(|| since + Span::minutes(queue.settings.no_show_minutes))
}

impl CallbackMachine {
    /// When its time to wait is over, as wall time.
    pub(super) fn waits_until_wall(&self, now: Timestamp) -> Timestamp {
        runs_out(self.record(), self.queue(), now)
    }

    /// Works out its deadlines by the queue's clock; called when waiting begins.
    pub(super) fn begin_waiting(&mut self, now: &Now) {
        let queued_since = self.record().queued_since.unwrap_or(now.wall);
        if self.waiting.is_none_or(|waiting| waiting.wall != queued_since) {
            let steady = now.steady - now.wall.since(queued_since);
            self.waiting = Some(Waiting { wall: queued_since, steady });
        }
        self.waits_until = None;
        self.promise = None;
        self.refresh_bounds(now);
    }

    /// Fills in what a change of the queue or of the state has made unknown.
    pub(super) fn refresh_bounds(&mut self, now: &Now) {
        if !matches!(self.record().state(), State::Queued | State::Offered | State::Accepted) {
            return;
        }
        if self.waits_until.is_none() {
            let ends = self.latest_of(now, |machine, wall, by| {
                let record = machine.record();
                Some(runs_out_from(record.expiry_base + by, record, machine.queue(), wall))
            });
            self.waits_until = ends;
        }
        if self.promise.is_none() {
            self.promise = if self.record().kind == CallbackType::Scheduled {
                // An appointment is at its time by the wall, wherever that has jumped to.
                let promised = promised_by(self.record(), self.queue(), now.wall);
                promised.map(|at| steadily(at, now.wall, now))
            } else {
                self.latest_of(now, |machine, wall, by| {
                    promised_later(by, machine.record(), machine.queue(), wall)
                })
            };
        }
        self.allowed_until = self.allowed_until(now);
    }

    /// What `ends` says, by the steady clock: asked by the wall clock as it would be, had it not
    /// jumped, nor the store stalled, since this waits, and by the wall clock as it is, of what
    /// began so much later. The first knows all pauses from before a jump, the second all since
    /// then: the later one counts, so that neither a jump nor a stall brings an end nearer.
    fn latest_of(
        &self,
        now: &Now,
        ends: impl Fn(&Self, Timestamp, Span) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        let unmoved = self.wall_without_jumps(now);
        let jumped = now.wall.since(unmoved);
        if jumped.0.abs() < JUMP.0 {
            return ends(self, now.wall, Span::ZERO).map(|at| steadily(at, now.wall, now));
        }
        let is = ends(self, now.wall, jumped).map(|at| steadily(at, now.wall, now));
        is.max(ends(self, unmoved, Span::ZERO).map(|at| steadily(at, unmoved, now)))
    }

    /// The wall clock as it would be, had it not jumped, nor the store stalled, since this waits.
    fn wall_without_jumps(&self, now: &Now) -> Timestamp {
        self.waiting.map_or(now.wall, |Waiting { wall, steady }| wall + now.steady.since(steady))
    }

    /// It waits by the wall clock from now on, and has waited no longer than it has.
    pub(super) fn wait_by_the_wall(&mut self, now: &Now) {
        let jumped = now.wall.since(self.wall_without_jumps(now));
        let base = &mut self.record_mut().expiry_base;
        *base = *base + jumped;
        self.waiting = None;
    }

    /// When it is to be woken, by the steady clock; what is `open` sleeps by the wall clock.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        let record = self.record();
        let promise = if record.promise_broken { None } else { self.promise };
        let wakes_at = match &record.phase {
            Phase::Open { .. } | Phase::Ended { .. } => None,
            Phase::Queued { .. } => earliest([self.waits_until, promise, self.allowed_until]),
            Phase::Offered { offer, .. } => {
                let expires_at = self
                    .allowed_until
                    .map_or(offer.expires_at, |until| until.min(offer.expires_at));
                earliest([self.waits_until, promise, Some(expires_at)])
            }
            Phase::Accepted { assignment, .. } => {
                let end = preview_ends(assignment, self.queue());
                earliest([promise, Some(self.warn_or(end)), None])
            }
            Phase::Calling { interaction, since, .. } => {
                let end = call_ends(*since, self.queue());
                let no_show = no_show_at(record.medium, interaction.outcome, *since, self.queue());
                earliest([Some(self.warn_or(end)), no_show, self.call_grace_end()])
            }
            Phase::WrapUp { ends_at, .. } => Some(*ends_at),
        };
        wakes_at.filter(|at| *at < Timestamp::NEVER)
    }

    fn warn_or(&self, end: Timestamp) -> Timestamp {
        if self.warned { end } else { end - WARNING }
    }

    /// Does what is due. A deadline that has moved since the timer was set is left alone.
    pub(super) fn wake(&mut self, now: &Now, draft: &mut Draft) {
        if self.record.is_none() {
            return;
        }
        self.refresh_bounds(now);
        let due = |at: Timestamp| at <= now.steady;
        self.break_promise(now, draft);
        let expired = self.waits_until.is_some_and(due);
        let forbidden = self.is_waiting() && self.is_forbidden(now.wall);
        match &self.record().phase {
            Phase::Open { due: at, wake_at, .. } => {
                if *at <= now.wall {
                    self.fall_due(now, draft);
                } else if *wake_at <= now.wall {
                    self.open_wake(now, draft);
                }
            }
            Phase::Queued { .. } | Phase::Offered { .. } if expired => self.expire(now, draft),
            Phase::Queued { .. } | Phase::Offered { .. } if forbidden => {
                self.carry_over(now, Some(now.wall), draft);
            }
            Phase::Offered { offer, .. } if due(offer.expires_at) => {
                self.offer_expired(now, draft);
            }
            Phase::Accepted { assignment, .. } => {
                if due(preview_ends(assignment, self.queue())) {
                    self.give_back(now, UnassignReason::NoCall, draft);
                }
            }
            Phase::Calling { interaction, since, assignment } => {
                let agent = assignment.agent.clone();
                let end = call_ends(*since, self.queue());
                let no_show =
                    no_show_at(self.record().medium, interaction.outcome, *since, self.queue());
                if self.call_grace_end().is_some_and(due) {
                    let why = UnassignReason::ConnectionLost;
                    self.call_given_up(now, &agent, why, draft);
                } else if due(end) {
                    self.call_given_up(now, &agent, UnassignReason::Retry, draft);
                } else if no_show.is_some_and(due) {
                    self.call_failed(now, Outcome::NoAnswer, None, draft);
                }
            }
            Phase::WrapUp { ends_at, .. } if due(*ends_at) => self.wrap_up_over(now, draft),
            Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::WrapUp { .. }
            | Phase::Ended { .. } => {}
        }
    }

    /// The customer was to be called by now and wasn't.
    pub(super) fn break_promise(&mut self, now: &Now, draft: &mut Draft) {
        let record = self.record();
        let waits = matches!(record.state(), State::Queued | State::Offered | State::Accepted);
        if !waits || record.promise_broken {
            return;
        }
        if let Some(promise) = self.promise.filter(|at| *at <= now.steady) {
            self.record_mut().promise_broken = true;
            let promised_by = now.wall - now.steady.since(promise);
            draft.events.push(CallbackEvent::PromiseBroken { promised_by });
        }
    }

    /// The assigned agent has no session since, or has one again.
    pub(super) fn set_agent_lost_since(&mut self, agent: &AgentId, since: Option<Timestamp>) {
        if self.record().assigned_agent() == Some(agent) {
            self.agent_lost_since = since;
        }
    }

    /// When a call whose agent has no session is given up.
    fn call_grace_end(&self) -> Option<Timestamp> {
        let grace = Span::seconds(self.queue().settings.call_grace_seconds);
        self.agent_lost_since.map(|since| since + grace)
    }

    /// A dormant callback whose time to wait may be over before it is due.
    pub(super) fn open_wake(&mut self, now: &Now, draft: &mut Draft) {
        let ends = self.waits_until_wall(now.wall);
        if ends <= now.wall {
            self.expire(now, draft);
            return;
        }
        if let Phase::Open { due, wake_at, .. } = &mut self.record_mut().phase {
            *wake_at = ends.min(*due);
        }
    }

    /// Whether the agent has to be told now that time runs out.
    pub(super) fn warns(&self, now: &Now) -> bool {
        let end = match &self.record().phase {
            Phase::Accepted { assignment, .. } => preview_ends(assignment, self.queue()),
            Phase::Calling { since, .. } => call_ends(*since, self.queue()),
            Phase::Open { .. }
            | Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::WrapUp { .. }
            | Phase::Ended { .. } => return false,
        };
        !self.warned && end - WARNING <= now.steady
    }

    /// The pending offer wasn't answered in time.
    fn offer_expired(&mut self, now: &Now, draft: &mut Draft) {
        self.end_offer(OfferEnd::Expired, draft);
        self.offer_lost(draft);
        let interaction = self.take_interaction().expect("an offer has its interaction");
        self.queue_again(now, interaction, draft);
    }

    /// Wrap-up has run out: closed if the customer was reached, else as the retry policy says.
    pub(super) fn wrap_up_over(&mut self, now: &Now, draft: &mut Draft) {
        let agent = self.record().assigned_agent().cloned();
        self.after_call(now, UnassignReason::Closed, draft);
        let until = now.wall + CallbackMachine::CLOSABLE_FOR;
        self.record_mut().closable_by = agent.map(|agent| Box::new((agent, until)));
    }

    /// How long after a wrap-up that ran out its agent may still set disposition and notes.
    pub const CLOSABLE_FOR: Span = Span::minutes(30);
}

/// An instant of a wall clock by the steady one; `wall`: what that wall clock shows now.
fn steadily(at: Timestamp, wall: Timestamp, now: &Now) -> Timestamp {
    if at == Timestamp::NEVER { at } else { now.steady + at.since(wall) }
}

fn earliest(times: [Option<Timestamp>; 3]) -> Option<Timestamp> {
    times.into_iter().flatten().min()
}
