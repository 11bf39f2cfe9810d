//! Whether a callback is worth offering, and whether it can be: what a customer is told first.
//!
//! One table of rules over what a queue knows at a moment. Separate from the queue's machine,
//! which only gathers the facts, so that every rule can be read and tested by itself.

use super::estimate::Estimate;
use super::time::{Span, Timestamp};

/// Why a callback is offered, or isn't; in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Whoever stays in line waits longer than `wait_threshold_seconds`.
    LongWait,
    /// No agent of the queue is available.
    NoAgents,
    /// The queue is closed: a callback can be booked, and isn't made as soon as possible.
    Closed,
    /// The queue closes before the wait is over.
    Closing,
    /// No more may be outstanding, no slot is free, or the promised window can't be kept.
    LimitReached,
    /// Requests, or offers to agents, are paused.
    Paused,
    /// Whoever stays in line doesn't wait long.
    ShortWait,
}

impl Reason {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LongWait => "long_wait",
            Self::NoAgents => "no_agents",
            Self::Closed => "closed",
            Self::Closing => "closing",
            Self::LimitReached => "limit_reached",
            Self::Paused => "paused",
            Self::ShortWait => "short_wait",
        }
    }
}

/// What the rules look at.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself, in any mix")]
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// When it is asked, by the wall clock.
    pub now: Timestamp,
    /// The queue is open.
    pub open: bool,
    /// When it closes; none if it is closed, or never does.
    pub closes_at: Option<Timestamp>,
    /// Requests are paused.
    pub intake_paused: bool,
    /// Offers to agents are paused.
    pub offers_paused: bool,
    /// Agents of the queue who are connected and available.
    pub available: u32,
    /// What the channel says of its own live line, in seconds.
    pub live_wait_seconds: Option<u32>,
    /// Our estimate for whoever joins now; none where too little is known.
    pub estimate: Option<Estimate>,
    /// Above this wait a callback is worth offering.
    pub wait_threshold_seconds: u32,
    /// The window that is promised, if one is.
    pub promise_window: Option<Span>,
    /// The medium may be had as soon as possible.
    pub asap_allowed: bool,
    /// As many are outstanding as may be.
    pub outstanding_full: bool,
    /// There is a free slot.
    pub slot_free: bool,
}

/// Whether one kind of callback is offered, and what decided it; none where nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether a customer may choose it now.
    pub offered: bool,
    /// Why, or why not.
    pub reason: Option<Reason>,
}

/// What is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackOffer {
    /// As soon as possible.
    pub asap: Verdict,
    /// At a time of the customer's choice.
    pub scheduled: Verdict,
    /// All that speaks for it or against it, in order.
    pub reasons: Vec<Reason>,
}

impl CallbackOffer {
    /// Whether anything is.
    pub const fn is_made(&self) -> bool {
        self.asap.offered || self.scheduled.offered
    }
}

/// What stands in the way comes first, then what makes it worth while.
pub fn decide(situation: &Situation) -> CallbackOffer {
    let asap = verdict(asap_hindrance(situation), worth(situation));
    // While offers are paused nobody is served, so that booking is worth while at any wait.
    let paused = (situation.open && situation.offers_paused).then_some(Reason::Paused);
    let scheduled = verdict(booking_hindrance(situation), paused.or_else(|| worth(situation)));
    let asap = if situation.asap_allowed { asap } else { Verdict { offered: false, reason: None } };
    CallbackOffer { asap, scheduled, reasons: reasons(situation) }
}

fn verdict(hindrance: Option<Reason>, worth: Option<Reason>) -> Verdict {
    match (hindrance, worth) {
        (Some(hindrance), _) => Verdict { offered: false, reason: Some(hindrance) },
        (None, Some(Reason::ShortWait)) => {
            Verdict { offered: false, reason: Some(Reason::ShortWait) }
        }
        (None, worth) => Verdict { offered: worth.is_some(), reason: worth },
    }
}

fn asap_hindrance(it: &Situation) -> Option<Reason> {
    if it.intake_paused || it.offers_paused {
        Some(Reason::Paused)
    } else if !it.open {
        Some(Reason::Closed)
    } else if it.outstanding_full || breaks_promise(it) {
        Some(Reason::LimitReached)
    } else {
        is_closing(it).then_some(Reason::Closing)
    }
}

fn booking_hindrance(it: &Situation) -> Option<Reason> {
    if it.intake_paused {
        return Some(Reason::Paused);
    }
    (it.outstanding_full || !it.slot_free).then_some(Reason::LimitReached)
}

/// What makes a callback worth while, or speaks against it; none where nothing can be said.
fn worth(it: &Situation) -> Option<Reason> {
    if !it.open {
        return Some(Reason::Closed);
    }
    if is_long(it) == Some(true) {
        Some(Reason::LongWait)
    } else if it.available == 0 {
        Some(Reason::NoAgents)
    } else {
        is_long(it).map(|_short| Reason::ShortWait)
    }
}

/// Whether whoever stays in line waits long: by the channel's own word, else by our estimate.
fn is_long(it: &Situation) -> Option<bool> {
    let wait = it.live_wait_seconds.or_else(|| it.estimate.map(|estimate| estimate.seconds));
    Some(wait? > it.wait_threshold_seconds)
}

/// Whether the wait, at its likely most, ends after the queue has closed.
fn is_closing(it: &Situation) -> bool {
    let wait = it.estimate.map(|estimate| estimate.high).or(it.live_wait_seconds);
    let wait = Span::seconds(wait.unwrap_or(0));
    it.open && it.closes_at.is_some_and(|closes_at| it.now + wait > closes_at)
}

/// Whether the wait, at its likely most, is longer than what would be promised.
fn breaks_promise(it: &Situation) -> bool {
    let wait = it.estimate.map(|estimate| Span::seconds(estimate.high));
    it.promise_window.zip(wait).is_some_and(|(window, wait)| wait > window)
}

fn reasons(it: &Situation) -> Vec<Reason> {
    let limited = it.outstanding_full || !it.slot_free || (it.open && breaks_promise(it));
    let all = [
        (Reason::LongWait, it.open && is_long(it) == Some(true)),
        (Reason::NoAgents, it.open && it.available == 0),
        (Reason::Closed, !it.open),
        (Reason::Closing, is_closing(it)),
        (Reason::LimitReached, limited),
        (Reason::Paused, it.intake_paused || it.offers_paused),
        (Reason::ShortWait, worth(it) == Some(Reason::ShortWait)),
    ];
    all.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::estimate::Basis;
    use super::*;
    use Reason::{Closed, Closing, LimitReached, LongWait, NoAgents, Paused, ShortWait};

    const YES: bool = true;
    const NO: bool = false;

    fn told(seconds: u32, high: u32) -> Estimate {
        Estimate { basis: Basis::Line, seconds, low: 0, high }
    }

    /// Open for four hours, agents there, nobody waits for long.
    fn usual() -> Situation {
        Situation {
            now: Timestamp(0),
            open: true,
            closes_at: Some(Timestamp(0) + Span::minutes(240)),
            intake_paused: false,
            offers_paused: false,
            available: 3,
            live_wait_seconds: None,
            estimate: Some(told(60, 150)),
            wait_threshold_seconds: 120,
            promise_window: None,
            asap_allowed: true,
            outstanding_full: false,
            slot_free: true,
        }
    }

    type Case = (
        &'static str,
        fn(&mut Situation),
        (bool, Option<Reason>),
        (bool, Option<Reason>),
        &'static [Reason],
    );

    const CASES: [Case; 21] = [
        ("a short wait", |_| (), (NO, Some(ShortWait)), (NO, Some(ShortWait)), &[ShortWait]),
        (
            "a long wait",
            |it| it.estimate = Some(told(121, 300)),
            (YES, Some(LongWait)),
            (YES, Some(LongWait)),
            &[LongWait],
        ),
        (
            "just the threshold",
            |it| it.estimate = Some(told(120, 300)),
            (NO, Some(ShortWait)),
            (NO, Some(ShortWait)),
            &[ShortWait],
        ),
        (
            "the channel's word goes before our estimate",
            |it| it.live_wait_seconds = Some(600),
            (YES, Some(LongWait)),
            (YES, Some(LongWait)),
            &[LongWait],
        ),
        (
            "also where it is shorter",
            |it| (it.live_wait_seconds, it.estimate) = (Some(30), Some(told(500, 900))),
            (NO, Some(ShortWait)),
            (NO, Some(ShortWait)),
            &[ShortWait],
        ),
        ("nothing is known", |it| it.estimate = None, (NO, None), (NO, None), &[]),
        (
            "nobody is available",
            |it| (it.available, it.estimate) = (0, None),
            (YES, Some(NoAgents)),
            (YES, Some(NoAgents)),
            &[NoAgents],
        ),
        (
            "nobody is available, and the live line is short",
            |it| (it.available, it.estimate, it.live_wait_seconds) = (0, None, Some(10)),
            (YES, Some(NoAgents)),
            (YES, Some(NoAgents)),
            &[NoAgents],
        ),
        (
            "nobody is available, and the live line is long",
            |it| (it.available, it.live_wait_seconds) = (0, Some(900)),
            (YES, Some(LongWait)),
            (YES, Some(LongWait)),
            &[LongWait, NoAgents],
        ),
        (
            "closed: booking only",
            |it| (it.open, it.closes_at, it.available) = (false, None, 0),
            (NO, Some(Closed)),
            (YES, Some(Closed)),
            &[Closed],
        ),
        (
            "closes before the wait is likely over",
            |it| (it.closes_at, it.estimate) = (Some(at_minutes(4)), Some(told(200, 300))),
            (NO, Some(Closing)),
            (YES, Some(LongWait)),
            &[LongWait, Closing],
        ),
        (
            "closes just as it is over",
            |it| (it.closes_at, it.estimate) = (Some(at_minutes(5)), Some(told(200, 300))),
            (YES, Some(LongWait)),
            (YES, Some(LongWait)),
            &[LongWait],
        ),
        (
            "closes before the live line's wait is over",
            |it| {
                it.closes_at = Some(at_minutes(5));
                it.estimate = None;
                it.live_wait_seconds = Some(301);
            },
            (NO, Some(Closing)),
            (YES, Some(LongWait)),
            &[LongWait, Closing],
        ),
        (
            "as many are outstanding as may be",
            |it| (it.outstanding_full, it.live_wait_seconds) = (true, Some(600)),
            (NO, Some(LimitReached)),
            (NO, Some(LimitReached)),
            &[LongWait, LimitReached],
        ),
        (
            "no slot is free",
            |it| (it.slot_free, it.live_wait_seconds) = (false, Some(600)),
            (YES, Some(LongWait)),
            (NO, Some(LimitReached)),
            &[LongWait, LimitReached],
        ),
        (
            "the promised window can't be kept",
            |it| {
                (it.promise_window, it.estimate) =
                    (Some(Span::minutes(30)), Some(told(900, 1_801)));
            },
            (NO, Some(LimitReached)),
            (YES, Some(LongWait)),
            &[LongWait, LimitReached],
        ),
        (
            "the promised window can just be kept",
            |it| {
                (it.promise_window, it.estimate) =
                    (Some(Span::minutes(30)), Some(told(900, 1_800)));
            },
            (YES, Some(LongWait)),
            (YES, Some(LongWait)),
            &[LongWait],
        ),
        (
            "a window, and nothing is known",
            |it| (it.promise_window, it.estimate, it.available) = (Some(Span::minutes(1)), None, 0),
            (YES, Some(NoAgents)),
            (YES, Some(NoAgents)),
            &[NoAgents],
        ),
        (
            "requests are paused",
            |it| (it.intake_paused, it.live_wait_seconds) = (true, Some(600)),
            (NO, Some(Paused)),
            (NO, Some(Paused)),
            &[LongWait, Paused],
        ),
        (
            "offers are paused: booking only",
            |it| (it.offers_paused, it.estimate) = (true, None),
            (NO, Some(Paused)),
            (YES, Some(Paused)),
            &[Paused],
        ),
        (
            "video can only be booked",
            |it| (it.asap_allowed, it.live_wait_seconds) = (false, Some(600)),
            (NO, None),
            (YES, Some(LongWait)),
            &[LongWait],
        ),
    ];

    const fn at_minutes(minutes: u32) -> Timestamp {
        Timestamp(Span::minutes(minutes).0)
    }

    #[test]
    fn every_rule() {
        for (what, set, asap, scheduled, reasons) in CASES {
            let mut situation = usual();
            set(&mut situation);
            let offer = decide(&situation);
            let told = |verdict: Verdict| (verdict.offered, verdict.reason);
            assert_eq!(told(offer.asap), asap, "{what}: asap");
            assert_eq!(told(offer.scheduled), scheduled, "{what}: scheduled");
            assert_eq!(offer.reasons, reasons, "{what}");
            assert_eq!(offer.is_made(), asap.0 || scheduled.0, "{what}");
        }
    }
}
