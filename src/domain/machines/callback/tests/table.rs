//! The table of actions, cell by cell: who may do what in which state, and what becomes of it.

use super::{BOSS, Bench, agent, mara, queue};
use crate::domain::callback::{Outcome, State};
use crate::domain::ids::OfferId;
use crate::domain::message::{Action, Patch, Who};
use crate::domain::policy::Medium;
use crate::domain::rank::Priority;
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

/// A callback that came to a state in an ordinary way; mara has it wherever an agent does.
pub(super) fn at(state: State) -> (Bench, OfferId) {
    let none = OfferId(999);
    match state {
        State::Open => {
            let start = super::START + Span::minutes(120);
            (Bench::new(queue(|_| ()), Medium::Voice, Some(start)), none)
        }
        State::Queued => (Bench::asap(), none),
        State::Offered => {
            let mut bench = Bench::asap();
            let offer = bench.offer("mara");
            (bench, offer)
        }
        State::Accepted => {
            let (mut bench, offer) = at(State::Offered);
            bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
            (bench, offer)
        }
        State::Calling => {
            let (mut bench, offer) = at(State::Accepted);
            bench.act(&mara(), Action::Call).expect("called");
            (bench, offer)
        }
        State::WrapUp => {
            let (mut bench, offer) = at(State::Calling);
            bench.outcome(Outcome::Busy);
            (bench, offer)
        }
        State::ClosedComplete | State::ClosedAbandoned => {
            let (mut bench, offer) = at(State::Accepted);
            let resolved = Some(state == State::ClosedComplete);
            let close = Action::Close { disposition: None, notes: None, resolved };
            bench.act(&BOSS, close).expect("closed");
            (bench, offer)
        }
        State::Canceled => {
            let mut bench = Bench::asap();
            bench.act(&BOSS, Action::Cancel { reason: None }).expect("canceled");
            (bench, none)
        }
    }
}

/// What came of it, in one letter: the state that it went to, or the refusal.
fn cell(state: State, who: &Who, action: impl Fn(OfferId) -> Action) -> char {
    let (mut bench, offer) = at(state);
    let action = action(offer);
    let name = action.name();
    let command =
        super::CallbackCommand { token: super::Token(2), who: who.clone(), if_match: None, action };
    bench.tell(super::CallbackMessage::Command(Box::new(command)));
    let Some(answer) = bench.answer() else { return '?' };
    match answer {
        Ok(_) => match bench.state() {
            State::Open => 'o',
            State::Queued => 'q',
            State::Offered => 'O',
            State::Accepted => 'a',
            State::Calling => 'c',
            State::WrapUp => 'w',
            State::ClosedComplete => 'C',
            State::ClosedAbandoned => 'A',
            State::Canceled => 'X',
        },
        Err(refusal) => {
            assert_eq!(bench.state(), state, "a refusal changes nothing");
            match refusal {
                Refusal::IllegalTransition { state: from, action } => {
                    assert_eq!((from, action), (state, name), "it names both");
                    '-'
                }
                Refusal::Forbidden(_) => 'f',
                Refusal::OfferNotPending => 'p',
                Refusal::OutcomeMissing => 'm',
                other => panic!("{name} in {state:?}: {other}"),
            }
        }
    }
}

/// Compares a row with the table; columns in the order of `State::ALL`.
fn row(who: &Who, action: impl Fn(OfferId) -> Action, expected: &str) {
    let found: String = State::ALL.iter().map(|state| cell(*state, who, &action)).collect();
    let name = action(OfferId(0)).name();
    assert_eq!(found, expected, "{name} by {who:?}, from {:?}", State::ALL);
}

pub(super) fn noor() -> Who {
    Who::Agent(agent("noor"))
}

#[test]
fn offers_are_answered_by_the_agent_they_are_made_to_while_they_are_pending() {
    let accept = |offer| Action::Accept { offer, session: None };
    let decline = |offer| Action::Decline { offer, reason: None, session: None };
    // A second accept of the same offer is answered as the first was, while it is theirs.
    row(&mara(), accept, "ppaacwppp");
    row(&noor(), accept, "ppfpppppp");
    row(&BOSS, accept, "fffffffff");
    row(&mara(), decline, "ppqpppppp");
    row(&noor(), decline, "ppfpppppp");
    row(&Who::Supervisor(Some(agent("mara"))), decline, "ppqpppppp");
}

#[test]
fn the_call_and_what_follows_are_the_assigned_agents() {
    let outcome = |_| Action::Outcome { outcome: Outcome::NoAnswer, notes: None };
    let end_call = |_| Action::EndCall { notes: None };
    let extend = |_| Action::ExtendWrapUp { seconds: 60 };
    let retry = |_| Action::Retry { at: None, mine: false, customer_agreed: false };
    // The call that brought it to `calling`, repeated, is answered again.
    row(&mara(), |_| Action::Call, "---ccc---");
    row(&mara(), outcome, "----ww---");
    row(&mara(), end_call, "----m----");
    row(&mara(), extend, "-----w---");
    row(&mara(), retry, "---o-o---");
    for who in [noor(), BOSS] {
        row(&who, |_| Action::Call, "---f-f---");
        row(&who, outcome, "----ff---");
        row(&who, end_call, "----f----");
        row(&who, extend, "-----f---");
        row(&who, retry, "---f-f---");
    }
}

#[test]
fn requeue_and_close_are_the_assigned_agents_and_more_of_them_the_supervisors() {
    let requeue = |_| Action::Requeue { queue: None, agent: None };
    let close = |_| Action::Close { disposition: None, notes: None, resolved: None };
    row(&mara(), requeue, "---q-q---");
    row(&noor(), requeue, "---f-f---");
    row(&BOSS, requeue, "qqqq-q---");
    row(&mara(), close, "---A-A---");
    row(&noor(), close, "---f-f---");
    row(&BOSS, close, "AAAA-A---");
}

#[test]
fn assigning_is_asked_of_the_router_where_the_state_allows() {
    let to_noor = |force| move |_| Action::Assign { agent: agent("noor"), force };
    row(&BOSS, to_noor(false), "????-----");
    row(&BOSS, to_noor(true), "????-----");
    row(&noor(), to_noor(false), "???f-----");
    row(&noor(), to_noor(true), "fffffffff");
    row(&mara(), to_noor(false), "fffffffff");
    row(&BOSS, |_| Action::Assign { agent: agent("mara"), force: false }, "???a-----");
}

#[test]
fn cancel_ends_with_the_call_and_a_move_with_the_accept() {
    let cancel = |_| Action::Cancel { reason: None };
    let asap = |_| Action::Reschedule { booking: None };
    let later =
        |_| Action::Reschedule { booking: Some(super::booking(super::START + Span::minutes(90))) };
    for who in [Who::Customer, Who::Channel, mara(), noor(), BOSS] {
        row(&who, cancel, "XXXX-----");
        row(&who, asap, "qqq------");
        // The queue is asked for a seat first.
        row(&who, later, "???------");
    }
}

#[test]
fn fields_are_changed_until_the_end_and_by_channels_until_the_accept() {
    let patch = |_| {
        let priority = Some(Priority::MOST);
        Action::Patch(Box::new(Patch {
            priority,
            fields: vec!["priority".to_owned()],
            ..Patch::default()
        }))
    };
    row(&BOSS, patch, "oqOacw---");
    row(&Who::Channel, patch, "oqO------");
}
