//! What goes out because of a step: mails to the customer, work on the meeting.
//!
//! Like everything that others must hear, it follows from comparing the record before and after
//! and from the step's events, so that no handler can forget a mail. Also what comes back: the
//! meeting that was made.

use std::sync::Arc;

use super::{CallbackMachine, Draft};
use crate::domain::callback::{
    Booking, Callback, ClosedReason, FinalState, Interaction, Outcome, Phase, Request, State,
};
use crate::domain::dispatch::{self, Dispatch, Mail, MailKind, Meeting, MeetingTask, Slot, Task};
use crate::domain::estimate;
use crate::domain::event::CallbackEvent;
use crate::domain::policy::Medium;
use crate::domain::time::{Now, Span, Timestamp};

impl CallbackMachine {
    /// The meeting that was made, moved or looked up for it. `late`: mails that should have had
    /// its link went out without.
    pub(super) fn meeting_made(&mut self, meeting: Meeting, late: bool, draft: &mut Draft) {
        let record = self.record_mut();
        let over = record.state().is_final() || record.medium != Medium::Video;
        if over || record.meeting.as_deref() == Some(&meeting) {
            return;
        }
        let known = record.meeting.as_ref().map(|meeting| &meeting.join_url);
        if known != Some(&meeting.join_url) {
            draft.late_link = late;
            let (provider, join_url) = (meeting.provider, meeting.join_url.clone());
            draft.events.push(CallbackEvent::MeetingReady { provider, join_url });
        }
        record.meeting = Some(Box::new(meeting));
    }

    /// What goes out because of the step, in the order in which it should.
    pub(super) fn dispatches(
        &self,
        now: &Now,
        before: Option<&Callback>,
        after: &Callback,
        draft: &Draft,
    ) -> Vec<Dispatch> {
        let moved = before.is_some_and(|before| is_moved(before, after));
        let begun = before.is_none() || moved;
        let mut all = Vec::new();
        let mut add = |not_before, task| {
            let (callback, caused_at) = (after.id, now.wall);
            all.push(Dispatch { callback, caused_at, not_before, task });
        };
        if let Some(task) = meeting_task(before, after, begun) {
            add(now.wall, Task::Meeting(task));
        }
        if before.is_some_and(|before| is_overtaken(now, before, after, moved)) {
            add(now.wall, Task::Withdraw);
        }
        if !after.has_email {
            return all;
        }
        // Somebody who gives an address later has heard nothing yet.
        let new_address = before.is_some_and(|before| !before.has_email);
        let kind = match mail_kind(before, after, draft, moved) {
            None if new_address && !after.state().is_final() => Some(MailKind::Confirmation),
            kind => kind,
        };
        if let Some(kind) = kind {
            let mut mail = mail(kind, after);
            mail.position = draft.position;
            mail.estimate = draft.position.and(after.told).map(|told| in_minutes(told.estimate));
            if moved {
                mail.previous_slot = before.and_then(slot);
            }
            add(now.wall, Task::Mail(mail));
        }
        if begun || new_address {
            let minutes = self.queue().settings.reminder_minutes;
            if let Some(at) = reminder_at(after, minutes).filter(|at| *at > now.wall) {
                add(at, Task::Mail(mail(MailKind::Reminder, after)));
            }
        }
        all
    }
}

/// Whether a reminder that waits since an earlier step must not go out any more.
fn is_overtaken(now: &Now, before: &Callback, after: &Callback, moved: bool) -> bool {
    let is_ahead = booked_start(before).is_some_and(|start| start > now.wall);
    let may_wait = before.has_email && is_ahead && !before.state().is_final();
    may_wait && (moved || after.state().is_final() || !after.has_email)
}

/// Whether the customer of a request has an address to write to.
pub(super) fn has_email(request: &Request) -> bool {
    request.customer.email.is_some()
}

/// Whether its booked time is another one, or was given up or made.
pub(super) fn is_moved(before: &Callback, after: &Callback) -> bool {
    booked_start(before) != booked_start(after)
}

fn booked_start(callback: &Callback) -> Option<Timestamp> {
    callback.booking.as_ref().map(|booking| booking.start)
}

fn slot(callback: &Callback) -> Option<Slot> {
    let Booking { start, end, .. } = callback.booking.as_ref()?;
    Some(Slot::between(*start, *end))
}

fn mail(kind: MailKind, after: &Callback) -> Mail {
    Mail {
        kind,
        sequence: u32::try_from(after.version).unwrap_or(u32::MAX),
        slot: slot(after),
        previous_slot: None,
        bookings: after.bookings,
        position: None,
        estimate: None,
        attempts: after.attempts,
        next_try: match kind {
            MailKind::TriedToReach => after.next_attempt_at().filter(|at| *at < Timestamp::NEVER),
            MailKind::Confirmation
            | MailKind::Change
            | MailKind::Cancellation
            | MailKind::Reminder
            | MailKind::Sorry => None,
        },
    }
}

/// Whole minutes that hold the range.
const fn in_minutes(estimate: estimate::Estimate) -> dispatch::Estimate {
    dispatch::Estimate { low_minutes: estimate.low / 60, high_minutes: estimate.high.div_ceil(60) }
}

fn meeting_task(before: Option<&Callback>, after: &Callback, begun: bool) -> Option<MeetingTask> {
    if after.medium != Medium::Video {
        return None;
    }
    let ended = after.state().is_final() && !before.is_some_and(|old| old.state().is_final());
    let accepted =
        after.state() == State::Accepted && before.map(Callback::state) != Some(State::Accepted);
    if begun || ended {
        Some(MeetingTask::Keep)
    } else {
        (accepted && after.meeting.is_some()).then_some(MeetingTask::Renew)
    }
}

fn mail_kind(
    before: Option<&Callback>,
    after: &Callback,
    draft: &Draft,
    moved: bool,
) -> Option<MailKind> {
    let Some(before) = before else { return Some(MailKind::Confirmation) };
    if before.state().is_final() {
        return None;
    }
    match &after.phase {
        Phase::Ended { state: FinalState::Canceled, .. } => Some(MailKind::Cancellation),
        Phase::Ended { state: FinalState::ClosedAbandoned, reason, .. } => match reason {
            ClosedReason::Expired | ClosedReason::AttemptsUsedUp => Some(MailKind::Sorry),
            ClosedReason::Reached
            | ClosedReason::Resolved
            | ClosedReason::Unreached
            | ClosedReason::WrongNumber
            | ClosedReason::ClosedBySupervisor
            | ClosedReason::ByCustomer
            | ClosedReason::ByAgent
            | ClosedReason::BySupervisor
            | ClosedReason::ServedElsewhere => None,
        },
        Phase::Ended { state: FinalState::ClosedComplete, .. } => None,
        Phase::Open { .. }
        | Phase::Queued { .. }
        | Phase::Offered { .. }
        | Phase::Accepted { .. }
        | Phase::Calling { .. }
        | Phase::WrapUp { .. } => {
            if moved || draft.late_link {
                return Some(MailKind::Change);
            }
            let retried =
                draft.events.iter().any(|one| matches!(one, CallbackEvent::RetryScheduled { .. }));
            (retried && draft.ended.iter().any(not_reached)).then_some(MailKind::TriedToReach)
        }
    }
}

/// A call that was made, and in which the customer wasn't reached for what we know.
fn not_reached(interaction: &Interaction) -> bool {
    match interaction.outcome {
        Some(
            Outcome::NoAnswer
            | Outcome::Busy
            | Outcome::Voicemail
            | Outcome::Refused
            | Outcome::Failed
            | Outcome::WrongNumber,
        ) => true,
        Some(Outcome::Answered | Outcome::Unknown) | None => false,
    }
}

fn reminder_at(after: &Callback, minutes: u32) -> Option<Timestamp> {
    let waits = match after.state() {
        State::Open | State::Queued | State::Offered => minutes > 0,
        State::Accepted
        | State::Calling
        | State::WrapUp
        | State::ClosedComplete
        | State::ClosedAbandoned
        | State::Canceled => false,
    };
    let start = booked_start(after)?;
    waits.then(|| start - Span::minutes(minutes))
}

/// The texts as a draft has them now, if it changes them.
pub(super) fn new_texts(draft: &Draft) -> Option<&Arc<Request>> {
    draft.request.as_ref().map(|(_, after)| after)
}
