//! What customers bring along: how long they talk and wait, and what they ask for.
//!
//! Separate from the run, which decides when.

use ringback::domain::callback::{Channel, Request};
use ringback::domain::message::{Who, Wish};
use ringback::domain::time::{Span, Timestamp};

use super::arrivals::Call;
use super::dice::Dice;
use super::office::START;
use super::plan::{Class, Micros, Times, micros};

/// The engine's time.
pub(crate) fn clock(at: Micros) -> Timestamp {
    START + Span::millis(at / 1_000)
}

/// How long a conversation takes, this time.
pub(crate) fn talks(times: Times, call: Option<Call>, dice: &mut Dice) -> Micros {
    let traced = call.and_then(|call| call.talked).map(f64::from);
    match (times, traced) {
        (Times::Traced { .. }, Some(seconds)) => micros(seconds),
        (Times::Traced { mean }, None) => micros(mean),
        (times, _) => draw(times, dice),
    }
}

/// How long somebody waits before they give up. Whoever gave up in the trace does so again; whoever
/// was served would have waited longer than they had to.
pub(crate) fn patience(times: Times, call: Option<Call>, dice: &mut Dice) -> Micros {
    match (times, call) {
        (Times::Traced { mean }, Some(call)) => {
            let more = mean * dice.exponential();
            let waited = f64::from(call.waited);
            micros(if call.talked.is_some() { waited + more } else { waited })
        }
        (times, _) => draw(times, dice),
    }
}

fn draw(times: Times, dice: &mut Dice) -> Micros {
    micros(match times {
        Times::Exponential { mean } => mean * dice.exponential(),
        Times::Lognormal { mean, scv } => mean * dice.lognormal(scv),
        Times::Deterministic { mean } | Times::Traced { mean } => mean,
    })
}

/// What a customer of a class asks for.
pub(crate) fn wish(class: &Class) -> Wish {
    let request = Request::by(&class.id, Channel::Voice);
    Wish {
        priority: class.priority,
        requirements: class.requirements.clone(),
        ..Wish::asap(class.queue.clone(), Who::Channel, request)
    }
}
