//! Duplicates: whether a customer who asks has asked already.
//!
//! One waiting callback per contact, queue and type; two bookings are the same only when their
//! starts lie close together. What is decided here rests on the contact's callbacks as they were
//! read with the contact's line held, so that two requests of one contact never miss each other.

use super::callback::{CallbackType, Reach, Snapshot, State};
use super::ids::CallbackId;
use super::message::Wish;
use super::policy::{DuplicatePolicy, QueueSettings};
use super::refusal::Refusal;
use super::time::Span;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken; these wait for the same already.
    Take(Vec<CallbackId>),
    /// It is answered with this one.
    Existing(Snapshot),
    /// It is refused because of this one.
    Refuse(Refusal),
}

/// Judges a request by what the contact has (`active`, the oldest first) and by who has its
/// external id. One that is sent again finds itself, if it still waits: that makes no second
/// callback, so it is answered as the queue's policy says. Any other would be a second.
pub fn judge(
    wish: &Wish,
    settings: &QueueSettings,
    active: &[Snapshot],
    external: Option<CallbackId>,
) -> Verdict {
    let verdict = by_contact(wish, settings, active, external);
    match (&verdict, external) {
        (Verdict::Existing(callback), Some(id)) if callback.id == id => verdict,
        (_, Some(id)) => Verdict::Refuse(Refusal::Duplicate { id }),
        (_, None) => verdict,
    }
}

fn by_contact(
    wish: &Wish,
    settings: &QueueSettings,
    active: &[Snapshot],
    external: Option<CallbackId>,
) -> Verdict {
    if active.is_empty() {
        return Verdict::Take(Vec::new());
    }
    let contact = Reach::of(&wish.request.customer).contact;
    let theirs = |callback: &&Snapshot| contact.is_some() && callback.reach.contact == contact;
    let mut same: Vec<&Snapshot> = active.iter().filter(theirs).collect();
    same.retain(|callback| is_same(wish, settings, callback));
    let is_other = |callback: &Snapshot| external.is_some_and(|id| callback.id != id);
    same.sort_by_key(|callback| (is_other(callback), apart(wish, callback), callback.id));
    let ids = || same.iter().map(|callback| callback.id).collect();
    let by_customer = wish.who.is_customers();
    match (same.first(), settings.duplicate_policy) {
        (Some(first), DuplicatePolicy::ReturnExisting) if by_customer => {
            Verdict::Existing((*first).clone())
        }
        (Some(first), DuplicatePolicy::Reject) if by_customer => {
            Verdict::Refuse(Refusal::DuplicateContact { id: first.id })
        }
        (Some(_) | None, _) => Verdict::Take(ids()),
    }
}

/// Whether a callback waits for what is asked for.
fn is_same(wish: &Wish, settings: &QueueSettings, callback: &Snapshot) -> bool {
    let waits = matches!(callback.state(), State::Open | State::Queued | State::Offered);
    let alike = callback.queue == wish.queue && callback.kind == wish.kind;
    let window = Span::minutes(settings.duplicate_window_minutes);
    waits && alike && (wish.kind == CallbackType::Asap || apart(wish, callback) <= window)
}

/// How far the two starts lie apart; nothing where there is none.
fn apart(wish: &Wish, callback: &Snapshot) -> Span {
    match (&wish.booking, &callback.booking) {
        (Some(wished), Some(booked)) => Span(wished.start.since(booked.start).0.abs()),
        (Some(_) | None, _) => Span::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::QueueId;
    use crate::domain::machines::callback::tests::{START, waiting, wish_of};
    use crate::domain::policy::QueueSettings;
    use crate::domain::time::Timestamp;

    const PHONE: &str = "+4930123456";

    fn wish(start: Option<u32>) -> Wish {
        let start = start.map(|minutes| START + Span::minutes(minutes));
        let kind = if start.is_some() { CallbackType::Scheduled } else { CallbackType::Asap };
        wish_of(PHONE, kind, start)
    }

    /// Which of these wait for the same as what is asked for.
    fn same(wish: &Wish, active: &[Snapshot]) -> Vec<u128> {
        let settings = QueueSettings::new(QueueId::parse("billing").expect("an id"));
        let settings = QueueSettings { duplicate_policy: DuplicatePolicy::Allow, ..settings };
        match judge(wish, &settings, active, None) {
            Verdict::Take(ids) => ids.into_iter().map(|id| id.0).collect(),
            other => panic!("everything is allowed, yet {other:?}"),
        }
    }

    fn edited(id: u128, edit: impl FnOnce(&mut crate::domain::callback::Callback)) -> Snapshot {
        let mut callback = waiting(id, wish(None));
        edit(std::sync::Arc::make_mut(&mut callback));
        callback
    }

    #[test]
    fn the_same_contact_queue_and_type_waiting_is_a_duplicate_and_nothing_else_is() {
        let other = wish_of("+4930123457", CallbackType::Asap, None);
        let elsewhere = QueueId::parse("sales").expect("an id");
        let end = crate::domain::callback::Phase::Ended {
            state: crate::domain::callback::FinalState::Canceled,
            reason: crate::domain::callback::ClosedReason::ByCustomer,
            at: Timestamp(0),
        };
        let active = [
            edited(1, |_| ()),
            waiting(2, other),
            edited(3, |it| it.queue = elsewhere),
            waiting(4, wish(Some(60))),
            edited(5, |it| it.phase = end),
            edited(6, |_| ()),
        ];
        assert_eq!(same(&wish(None), &active), [1, 6]);
        let nobody = wish_of("", CallbackType::Asap, None);
        assert_eq!(same(&nobody, &[waiting(7, nobody.clone())]), [0_u128; 0], "nobody is told");
    }

    #[test]
    fn a_request_sent_again_finds_itself_by_its_external_id_and_no_other() {
        let id = QueueId::parse("billing").expect("an id");
        let settings =
            |duplicate_policy| QueueSettings { duplicate_policy, ..QueueSettings::new(id.clone()) };
        // An agent has booked another meanwhile, or before.
        let active = [waiting(1, wish(None)), waiting(3, wish(None))];
        let judged = |policy, external| {
            judge(&wish(None), &settings(policy), &active, Some(CallbackId(external)))
        };
        let refused = |id| Verdict::Refuse(Refusal::Duplicate { id: CallbackId(id) });
        let existing = Verdict::Existing(active[0].clone());
        assert_eq!(judged(DuplicatePolicy::ReturnExisting, 1), existing);
        let existing = Verdict::Existing(active[1].clone());
        assert_eq!(judged(DuplicatePolicy::ReturnExisting, 3), existing, "not the first of them");
        assert_eq!(judged(DuplicatePolicy::ReturnExisting, 2), refused(2), "another has it");
        assert_eq!(judged(DuplicatePolicy::Reject, 1), refused(1));
        assert_eq!(judged(DuplicatePolicy::Allow, 1), refused(1), "it is unique all the same");
    }

    #[test]
    fn two_bookings_are_the_same_within_the_window_the_nearest_first() {
        let at = |id, minutes| waiting(id, wish(Some(minutes)));
        let active =
            [at(1, 300), at(2, 359), at(3, 420), at(4, 421), at(5, 361), edited(6, |_| ())];
        assert_eq!(same(&wish(Some(360)), &active), [2, 5, 1, 3]);
    }
}
