//! Queues and agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Sampler, skill};
use crate::domain::agent::{Agent, ExternalLoad, Presence};
use crate::domain::callback::Channel;
use crate::domain::civil::{Date, Weekday};
use crate::domain::denied::Denied;
use crate::domain::hours::{ContactHours, DayInterval, Hours};
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::key::{Grant, PublicUse};
use crate::domain::phone::{PhoneNumber, Region};
use crate::domain::policy::{
    AgentSettings, Capacity, Choice, DeclineReason, Disposition, DuplicatePolicy, Labels, Medium,
    Membership, PerMedium, QueueSettings, RetryDelays, SlotCapacity, Strategy, WrapUpMode,
};
use crate::domain::queue::{Pause, Paused, Queue};
use crate::domain::skills::{Held, Preference, Skills, Widening};

impl Sampler {
    pub(in crate::store) fn denied(&mut self) -> Denied {
        Denied {
            phone: PhoneNumber::parse("+14155550123", None).expect("a number"),
            since: self.at(),
            by: self.by(),
            reason: self.maybe(Self::text),
            version: self.next(),
        }
    }

    pub(in crate::store) fn agent(&mut self, id: AgentId) -> Agent {
        Agent {
            settings: Arc::new(self.agent_settings(id)),
            version: self.next(),
            presence: self.pick(&Presence::ALL),
            reason: self.maybe(Self::text),
            presence_since: self.at(),
            missed_offers: self.count(),
            idle_since: self.at(),
            external: self.maybe(|it| ExternalLoad { units: it.count(), until: it.at() }),
            settings_version: self.next(),
        }
    }

    fn agent_settings(&mut self, id: AgentId) -> AgentSettings {
        let mut place = 0;
        let skills: BTreeMap<_, _> = self
            .some(|it| {
                place += 1;
                let preference = Preference::new(i64::from(it.count() % 9) + 1).expect("1 to 9");
                (skill(place - 1), Held { level: it.level(), preference })
            })
            .into_iter()
            .collect();
        AgentSettings {
            id,
            name: self.text(),
            queues: self.some(|it| Membership { queue: it.queue_id(), preference: 3 }),
            skills: Skills::new(skills).expect("two skills"),
            capacity: Capacity {
                units: self.count(),
                media: PerMedium { voice: self.maybe(Self::count), video: self.maybe(Self::count) },
            },
        }
    }

    /// What keys may allow, one of each kind.
    pub(in crate::store) fn grants(&mut self) -> [Grant; 5] {
        let agent = AgentId::parse("mara").expect("a slug");
        let public = PublicUse {
            allowed_origins: self.some(Self::text),
            requests_per_minute: self.count(),
            callbacks_per_hour: self.count(),
        };
        [
            Grant::Channel { channel: Channel::Portal, public: Some(public) },
            Grant::Channel { channel: Channel::Chat, public: None },
            Grant::Agent(agent.clone()),
            Grant::Supervisor(None),
            Grant::Admin(Some(agent)),
        ]
    }

    pub(in crate::store) fn queue(&mut self, id: QueueId) -> Queue {
        Queue {
            settings: Arc::new(self.queue_settings(id)),
            version: self.next(),
            intake_paused: self.maybe(Self::paused),
            offers_paused: self.maybe(Self::paused),
            pauses: self.some(|it| Pause { from: it.at(), to: it.at() }),
            unchecked: self.yes(),
        }
    }

    fn paused(&mut self) -> Paused {
        Paused { since: self.at(), until: self.maybe(Self::at), reason: self.maybe(Self::text) }
    }

    fn labels(&mut self) -> Labels {
        ["de", "en"].map(|locale| (locale.to_owned(), self.text())).into()
    }

    fn choice(&mut self) -> Choice {
        Choice { id: self.text(), labels: self.labels() }
    }

    fn region(&mut self) -> Region {
        Region::parse(self.pick(&["DE", "US"])).expect("a region")
    }

    fn hours(&mut self) -> Hours {
        let interval = |from, to| DayInterval::parse(from, to).expect("two times of day");
        let week = self.some(|it| {
            let day = it.pick(&Weekday::ALL);
            (day, it.pick(&[interval("08:00", "24:00"), interval("22:30", "06:15")]))
        });
        let mut day = 20_000;
        let dates = self.some(|it| {
            day += 1;
            (Date::from_days(day).expect("in 2024"), it.some(|_| interval("00:00", "12:00")))
        });
        Hours::new(self.zone(), &week, dates).expect("few intervals")
    }

    /// Every field is named, so that a new one has to be sampled.
    fn queue_settings(&mut self, id: QueueId) -> QueueSettings {
        let strategies = [
            Strategy::LongestIdle,
            Strategy::MostCapacity,
            Strategy::RoundRobin,
            Strategy::BestSkilled,
        ];
        let wrap_up_modes = [WrapUpMode::Timed, WrapUpMode::Required, WrapUpMode::None];
        QueueSettings {
            id,
            name: self.text(),
            labels: self.labels(),
            time_zone: self.zone(),
            hours: Arc::new(self.hours()),
            default_region: self.maybe(Self::region),
            contact_hours: ContactHours::parse("07:15", "24:00").expect("two times of day"),
            media: Medium::ALL.to_vec(),
            allowed_regions: self.maybe(|it| it.some(Self::region)),
            requirements: self.requirements(),
            steps: self.some(Self::step),
            lead_seconds: self.count(),
            age_step_seconds: self.count(),
            preference_limit_seconds: self.count(),
            strategy: self.pick(&strategies),
            on_time_seconds: self.count(),
            promise_window_minutes: self.maybe(Self::count),
            promise_slack_seconds: self.count(),
            service_level_seconds: self.count(),
            wait_threshold_seconds: self.count(),
            offer_timeout_seconds: self.count(),
            max_missed_offers: self.count(),
            decline_cooldown_seconds: self.count(),
            decline_reasons: self
                .some(|it| DeclineReason { choice: it.choice(), reassignable: it.yes() }),
            max_offers: self.count(),
            auto_accept: self.yes(),
            agents_may_claim: self.yes(),
            session_grace_seconds: self.count(),
            call_grace_seconds: self.count(),
            preview_seconds: self.count(),
            max_call_seconds: self.count(),
            max_interactions: self.count(),
            wrap_up_mode: self.pick(&wrap_up_modes),
            wrap_up_seconds: self.count(),
            max_wrap_up_seconds: self.count(),
            reasons: self.some(Self::choice),
            dispositions: self.some(|it| Disposition { choice: it.choice(), resolved: it.yes() }),
            max_attempts: self.count(),
            retry_delays_minutes: self.retry_delays(),
            no_show_minutes: self.count(),
            expire_after_minutes: self.count(),
            retry_extends_expiry: self.yes(),
            retry_days: self.count(),
            overrun_minutes: self.count(),
            duplicate_window_minutes: self.count(),
            duplicate_policy: self.pick(&[
                DuplicatePolicy::ReturnExisting,
                DuplicatePolicy::Reject,
                DuplicatePolicy::Allow,
            ]),
            slot_minutes: self.count(),
            slot_capacity: PerMedium { voice: self.places(), video: self.places() },
            slot_reserve: self.count(),
            min_notice_minutes: self.count(),
            max_days_ahead: self.count(),
            max_outstanding: PerMedium { voice: self.count(), video: self.count() },
            reminder_minutes: self.count(),
        }
    }

    fn step(&mut self) -> Widening {
        Widening {
            after_seconds: self.count(),
            min_level_delta: if self.yes() { -1 } else { 4 },
            drop_optional: self.yes(),
        }
    }

    fn places(&mut self) -> SlotCapacity {
        if self.yes() { SlotCapacity::Staff } else { SlotCapacity::Fixed(self.count()) }
    }

    fn retry_delays(&mut self) -> RetryDelays {
        RetryDelays {
            no_answer: self.count(),
            busy: self.count(),
            voicemail: self.count(),
            refused: self.count(),
            failed: self.count(),
            unknown: self.count(),
        }
    }
}
