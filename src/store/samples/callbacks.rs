//! Callbacks with their texts and interactions.

use super::{EPOCH, Sampler, skill};
use crate::domain::callback::{
    Assignment, Booking, Callback, CallbackType, Channel, ClosedReason, Customer, CustomerKind,
    Declined, Fallback, FinalState, Interaction, InteractionState, LastAction, Offer, OpenReason,
    Origin, Outcome, Phase, PreferMode, Preferred, Reach, Remarks, Request, RequestedBy, State,
    Told, Unroutable,
};
use crate::domain::civil::LocalTime;
use crate::domain::estimate::{Basis, Estimate};
use crate::domain::ids::CallbackId;
use crate::domain::phone::{Email, Extension, PhoneNumber};
use crate::domain::policy::Medium;
use crate::domain::rank::Priority;
use crate::domain::skills::{Level, Requirement, Requirements};
use crate::domain::time::{Span, Timestamp};

pub(in crate::store) const CLOSED_REASONS: [ClosedReason; 11] = [
    ClosedReason::Reached,
    ClosedReason::Resolved,
    ClosedReason::Expired,
    ClosedReason::AttemptsUsedUp,
    ClosedReason::Unreached,
    ClosedReason::WrongNumber,
    ClosedReason::ClosedBySupervisor,
    ClosedReason::ByCustomer,
    ClosedReason::ByAgent,
    ClosedReason::BySupervisor,
    ClosedReason::ServedElsewhere,
];

pub(in crate::store) const OPEN_REASONS: [OpenReason; 4] =
    [OpenReason::Booked, OpenReason::Retry, OpenReason::Opening, OpenReason::CarriedOver];

pub(in crate::store) const FINAL_STATES: [FinalState; 3] =
    [FinalState::ClosedComplete, FinalState::ClosedAbandoned, FinalState::Canceled];

const INTERACTION_STATES: [InteractionState; 6] = [
    InteractionState::Queued,
    InteractionState::Offered,
    InteractionState::Accepted,
    InteractionState::Calling,
    InteractionState::ClosedComplete,
    InteractionState::ClosedAbandoned,
];

/// The id of the `count`-th callback: made a millisecond after the one before.
pub(in crate::store) fn id(count: u64) -> CallbackId {
    let millis = u128::from(count) + u128::try_from(EPOCH).expect("after 1970");
    CallbackId(millis << 80 | 0x7000_8000_0000_0000_0000)
}

impl Sampler {
    fn told(&mut self) -> Told {
        let basis = [Basis::FreeAgent, Basis::Line][usize::from(self.yes())];
        let mut seconds = || u32::try_from(self.below(5_000)).expect("small");
        let estimate = Estimate { basis, seconds: seconds(), low: seconds(), high: seconds() };
        Told { at: self.at(), estimate }
    }

    /// The `count`-th callback in a state.
    pub(in crate::store) fn callback(&mut self, count: u64, state: State) -> Callback {
        let phase = self.phase(state);
        let kind = self.pick(&[CallbackType::Asap, CallbackType::Scheduled]);
        let live = !matches!(phase, Phase::Open { carried: None, .. } | Phase::Ended { .. });
        Callback {
            id: id(count),
            number: count + 1_000,
            version: self.below(300),
            request_version: 1,
            queue: self.queue_id(),
            kind,
            medium: self.pick(&Medium::ALL),
            channel: self.pick(&Channel::ALL),
            requested_by: self.requested_by(),
            reach: Reach::of(&self.customer()),
            booking: (kind == CallbackType::Scheduled).then(|| self.booking()),
            zone: self.zone(),
            priority: Priority::new(i64::from(self.count() % 10)).expect("0 to 9"),
            size: self.count(),
            requirements: self.requirements(),
            preferred: self.maybe(|it| Box::new(it.preferred())),
            max_attempts: self.count(),
            expire_after_minutes: self.count(),
            expiry_base: self.at(),
            attempts: self.count(),
            interactions: u32::from(live),
            queued_since: if state.is_live() {
                Some(self.some_time())
            } else {
                self.maybe(Self::some_time)
            },
            phase,
            declined: self.some(Self::declined),
            offers_lost: self.count(),
            retrying: self.yes(),
            contact_hours_bind: self.yes(),
            reached: self.yes(),
            told: self.maybe(Self::told),
            first_called_at: self.maybe(Self::at),
            promise_broken: self.yes(),
            unroutable: self.maybe(|it| Box::new(it.unroutable())),
            accepted_offer: self.maybe(|it| Box::new((it.offer_id(), it.agent_id()))),
            closable_by: self.maybe(|it| Box::new((it.agent_id(), it.at()))),
            last_action: self.maybe(|it| Box::new(it.last_action())),
            remarks: Remarks::new(
                self.maybe(Self::text),
                self.maybe(Self::text),
                self.maybe(Self::text),
            ),
            has_email: self.yes(),
            bookings: self.count(),
            meeting: self.maybe(|it| Box::new(it.meeting())),
            created_at: Timestamp(EPOCH + i64::try_from(count).expect("small")),
            updated_at: self.at(),
            clock_gap: Span(i64::from(self.count()) - 1_000),
        }
    }

    fn requested_by(&mut self) -> RequestedBy {
        let agent = self.maybe(|it| RequestedBy::Agent(it.maybe(Self::agent_id)));
        agent.unwrap_or(RequestedBy::Customer)
    }

    fn phase(&mut self, state: State) -> Phase {
        let interaction = Box::new(self.interaction());
        let assignment = Assignment { agent: self.agent_id(), since: self.at() };
        let ended = |it: &mut Self, state| {
            let reason = it.pick(&CLOSED_REASONS);
            Phase::Ended { state, reason, at: it.at() }
        };
        match state {
            State::Open => Phase::Open {
                due: self.at(),
                wake_at: self.at(),
                why: self.pick(&OPEN_REASONS),
                carried: self.maybe(|_| interaction),
            },
            State::Queued => Phase::Queued { interaction },
            State::Offered => Phase::Offered {
                interaction,
                offer: Offer { id: self.offer_id(), agent: self.agent_id(), expires_at: self.at() },
            },
            State::Accepted => Phase::Accepted { interaction, assignment },
            State::Calling => Phase::Calling { interaction, assignment, since: self.at() },
            State::WrapUp => {
                let (since, ends_at) = (self.at(), self.at());
                Phase::WrapUp { interaction, assignment, since, ends_at }
            }
            State::ClosedComplete => ended(self, FinalState::ClosedComplete),
            State::ClosedAbandoned => ended(self, FinalState::ClosedAbandoned),
            State::Canceled => ended(self, FinalState::Canceled),
        }
    }

    pub(in crate::store) fn interaction(&mut self) -> Interaction {
        Interaction {
            id: self.interaction_id(),
            attempt: self.count(),
            state: self.pick(&INTERACTION_STATES),
            agent: self.maybe(Self::agent_id),
            created_at: self.at(),
            offered_at: self.maybe(Self::at),
            accepted_at: self.maybe(Self::at),
            called_at: self.maybe(Self::at),
            answered_at: self.maybe(Self::at),
            ended_at: self.maybe(Self::at),
            outcome: self.maybe(|it| it.pick(&Outcome::ALL)),
            notes: self.maybe(Self::text),
        }
    }

    fn booking(&mut self) -> Booking {
        Booking {
            start: self.some_time(),
            end: self.at(),
            local_start: LocalTime::from_civil_seconds(EPOCH / 1_000),
            zone: self.zone(),
            repeated: self.yes(),
            overbooked: self.yes(),
            in_conflict: self.yes(),
        }
    }

    pub(super) fn requirements(&mut self) -> Requirements {
        let mut place = 0;
        let list = self.some(|it| {
            place += 1;
            Requirement {
                skill: skill(place - 1),
                mandatory: it.yes(),
                min_level: it.level(),
                expires_after_seconds: it.maybe(Self::count),
            }
        });
        Requirements::new(list, 8).expect("two skills")
    }

    pub(super) fn level(&mut self) -> Level {
        Level::new(i64::from(self.count() % 5) + 1).expect("1 to 5")
    }

    fn preferred(&mut self) -> Preferred {
        Preferred {
            agent: self.agent_id(),
            mode: self.pick(&[PreferMode::Prefer, PreferMode::Require]),
            wait_seconds: self.count(),
            fallback: self.pick(&[Fallback::Anyone, Fallback::None]),
        }
    }

    fn declined(&mut self) -> Declined {
        let (agent, times) = (self.agent_id(), self.count());
        Declined { agent, times, until: self.at(), lone_until: self.at() }
    }

    fn last_action(&mut self) -> LastAction {
        LastAction { agent: self.agent_id(), digest: self.next(), version: self.next() }
    }

    pub(super) fn unroutable(&mut self) -> Unroutable {
        let skill = self.text();
        self.pick(&[
            Unroutable::NoAgentInQueue,
            Unroutable::MissingSkill(skill),
            Unroutable::TooLarge,
            Unroutable::AllBarred,
            Unroutable::RequiredAgent,
            Unroutable::NumberDenied,
        ])
    }

    /// The texts of a callback.
    pub(in crate::store) fn request(&mut self, channel: Channel) -> Request {
        Request {
            version: 1,
            customer: self.customer(),
            reason: self.maybe(Self::text),
            short_description: self.maybe(Self::text),
            description: self.maybe(Self::text),
            origin: Origin {
                channel,
                interaction_ref: self.maybe(|it| it.pick(&["IMS1", "IMS2"]).to_owned()),
                case_id: self.maybe(|it| it.pick(&["CS1", "CS2"]).to_owned()),
                page_url: self.maybe(Self::text),
                waiting_since: self.maybe(Self::at),
            },
            context: self.maybe(Self::text),
            external_id: self.maybe(|it| it.pick(&["E1", "E2", "E3"]).to_owned()),
            customer_agreed: self.yes(),
        }
    }

    fn customer(&mut self) -> Customer {
        let names = ["Ada Lovelace", "ADA", "Grace Hopper", "Ὀδυσσεύς ΟΔΥΣΣΕΑΣ", "CB0"];
        let phones = ["+14155550123", "+14155550199", "+493012345678"];
        let emails = ["ada@example.com", "Ada@example.com", "grace@example.com"];
        Customer {
            id: self.maybe(|it| it.pick(&["CON1", "CON2"]).to_owned()),
            kind: self.maybe(|it| it.pick(&[CustomerKind::Contact, CustomerKind::Consumer])),
            account: self.maybe(Self::text),
            name: self.pick(&names).to_owned(),
            phone: self.maybe(|it| PhoneNumber::from_e164(it.pick(&phones)).expect("E.164")),
            phone_extension: self
                .maybe(|it| Extension::parse(it.pick(&["1", "20412345678"])).expect("digits")),
            email: self.maybe(|it| Email::parse(it.pick(&emails)).expect("an address")),
            time_zone: self.maybe(Self::zone),
            locale: self.maybe(Self::text),
        }
    }
}
