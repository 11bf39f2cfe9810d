//! Made-up tallies.

use super::Sampler;
use crate::domain::agent::Presence;
use crate::domain::callback::{CallbackType, Channel, ClosedReason};
use crate::domain::measure::{AgentTally, Calls, Intake, Line, Offers, Share, Waits, Work};
use crate::domain::policy::Medium;
use crate::domain::time::Span;

impl Sampler {
    fn number(&mut self) -> u64 {
        let bits = self.below(40);
        self.below(1 << bits)
    }

    fn length(&mut self) -> Span {
        Span(self.number().cast_signed())
    }

    fn share(&mut self) -> Share {
        Share { met: self.number(), of: self.number() }
    }

    fn offers(&mut self) -> Offers {
        Offers {
            made: self.number(),
            accepted: self.number(),
            declined: self.number(),
            missed: self.number(),
            revoked: self.number(),
        }
    }

    fn calls(&mut self) -> Calls {
        Calls { reached: self.share(), handled: self.number(), handling: self.length() }
    }

    fn waits(&mut self) -> Waits {
        let mut waits = Waits::default();
        for wait in self.some(Self::length) {
            waits.add(wait);
        }
        waits
    }

    /// What comes to a queue.
    pub(in crate::store) fn intake(&mut self) -> Intake {
        let created = self.some(|it| {
            let channel = it.pick(&Channel::ALL);
            let kind = it.pick(&[CallbackType::Asap, CallbackType::Scheduled]);
            let medium = it.pick(&[Medium::Voice, Medium::Video]);
            ((channel, (kind, medium)), it.number())
        });
        Intake {
            created: created.into_iter().collect(),
            queued: self.number(),
            asap_requests: self.number(),
            callback_offers: self.number(),
        }
    }

    /// What is done in it.
    pub(in crate::store) fn work(&mut self) -> Work {
        let reasons = [ClosedReason::Reached, ClosedReason::Expired, ClosedReason::ByCustomer];
        let closed = self.some(|it| (it.pick(&reasons), it.number()));
        Work {
            closed: closed.into_iter().collect(),
            attempts: self.share(),
            waits: self.waits(),
            service_level: self.share(),
            on_time: self.share(),
            promises_kept: self.number(),
            promises_broken: self.number(),
            offers: self.offers(),
            calls: self.calls(),
        }
    }

    /// A queue's line.
    pub(in crate::store) fn line(&mut self) -> Line {
        let minutes = self.some(|it| it.maybe(|it| it.pick(&[0, 1, 200, u32::MAX])));
        Line { minutes }
    }

    /// An agent's.
    pub(in crate::store) fn agent_tally(&mut self) -> AgentTally {
        let mut tally = AgentTally {
            offers: self.offers(),
            calls: self.calls(),
            presence: Vec::new(),
            held: self.length(),
            available: self.length(),
        };
        for presence in self.some(|it| it.pick(&[Presence::Available, Presence::Away])) {
            let reason = self.maybe(|_| "lunch".to_owned());
            tally.present(presence, reason.as_deref(), self.length());
        }
        tally
    }
}
