//! What customers bring along: how long they talk and wait, and what they ask for.
//!
//! Separate from the run, which decides when.

use std::sync::Arc;

use ringback::domain::callback::{CallbackType, Channel, Customer, Origin, Request};
use ringback::domain::message::{Who, Wish};
use ringback::domain::policy::Medium;
use ringback::domain::time::{Span, Timestamp};
use ringback::domain::zone::TimeZone;

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
    let customer = Customer {
        id: None,
        kind: None,
        account: None,
        name: class.id.clone(),
        phone: None,
        phone_extension: None,
        email: None,
        time_zone: None,
        locale: None,
    };
    let origin = Origin {
        channel: Channel::Voice,
        interaction_ref: None,
        case_id: None,
        page_url: None,
        waiting_since: None,
    };
    let request = Request {
        version: 1,
        customer,
        reason: None,
        short_description: None,
        description: None,
        origin,
        context: None,
        external_id: None,
        customer_agreed: false,
    };
    Wish {
        queue: class.queue.clone(),
        who: Who::Channel,
        request: Arc::new(request),
        kind: CallbackType::Asap,
        medium: Medium::Voice,
        booking: None,
        zone: TimeZone::utc(),
        priority: class.priority,
        size: 1,
        requirements: class.requirements.clone(),
        preferred: None,
        max_attempts: None,
        expire_after_minutes: None,
    }
}
