//! Values that the tests of this layer share.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::action::Known;
use super::json::Json;
use super::request::read_request;
use super::role::Role;
use crate::domain::callback::{
    Callback, CallbackType, Channel, Interaction, InteractionState, Offer, OpenReason, Outcome,
    Phase, Reach, Remarks, RequestedBy,
};
use crate::domain::civil::parse_rfc3339;
use crate::domain::hours::{DayInterval, Hours};
use crate::domain::ids::{AgentId, CallbackId, InteractionId, OfferId, QueueId};
use crate::domain::message::Wish;
use crate::domain::phone::{PhoneNumber, Region};
use crate::domain::policy::{Choice, Labels, Medium, QueueSettings};
use crate::domain::queue::Queue;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;
use crate::engine::library::FullCallback;

/// A Tuesday, 14:00 in Berlin.
pub(crate) const NOW: &str = "2026-11-24T13:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    parse_rfc3339(text).expect("an instant")
}

pub(crate) fn agent(id: &str) -> AgentId {
    AgentId::parse(id).expect("an id")
}

/// A workspace with two queues and an agent.
pub(crate) struct World {
    pub(crate) queues: BTreeMap<QueueId, Arc<Queue>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let queues = [billing(), video()];
        let queues = queues.map(|queue| (queue.settings.id.clone(), Arc::new(queue)));
        Self { queues: queues.into() }
    }
}

impl Known for World {
    fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.queues.get(id).cloned()
    }

    fn is_denied(&self, phone: &PhoneNumber) -> bool {
        phone.as_str() == "+493099999999"
    }

    fn has_agent(&self, id: &AgentId) -> bool {
        id.as_str() == "mara"
    }

    fn now(&self) -> Timestamp {
        at(NOW)
    }
}

fn queue(settings: QueueSettings) -> Queue {
    Queue {
        settings: Arc::new(settings),
        version: 3,
        intake_paused: None,
        offers_paused: None,
        pauses: Vec::new(),
        unchecked: false,
    }
}

/// Open from 8 to 18 o'clock in Berlin, with two reasons.
pub(crate) fn billing() -> Queue {
    let zone = TimeZone::parse("Europe/Berlin").expect("a zone");
    let day = DayInterval::parse("08:00", "18:00").expect("an interval");
    let hours = crate::domain::civil::Weekday::ALL.map(|weekday| (weekday, day));
    let hours = Hours::new(zone.clone(), &hours, Vec::new()).expect("good hours");
    let choice = |id: &str| Choice { id: id.to_owned(), labels: Labels::new() };
    queue(QueueSettings {
        name: "Billing".to_owned(),
        time_zone: zone,
        hours: Arc::new(hours),
        default_region: Some(Region::parse("DE").expect("a region")),
        reasons: vec![choice("invoice"), choice("other")],
        ..QueueSettings::new(QueueId::parse("billing").expect("an id"))
    })
}

/// Always open, for video too.
pub(crate) fn video() -> Queue {
    queue(QueueSettings {
        media: vec![Medium::Voice, Medium::Video],
        ..QueueSettings::new(QueueId::parse("video").expect("an id"))
    })
}

/// The request of the API's document.
pub(crate) fn body() -> Value {
    json!({
        "queue": "billing",
        "type": "scheduled",
        "medium": "voice",
        "customer": {
            "id": "CON0042", "kind": "contact", "account": "ACME", "name": "Ada Lovelace",
            "phone": "+14155550123", "phone_extension": "204", "email": "ada@example.com",
            "time_zone": "America/New_York", "locale": "en-US",
        },
        "reason": "invoice", "short_description": "Charged twice", "description": "Twice!",
        "schedule": {"start": "2026-11-24T15:00:00Z"},
        "origin": {
            "channel": "virtual_agent", "interaction_ref": "IMS0001234", "case_id": "CS0000042",
            "page_url": "https://shop.example/help",
        },
        "context": {
            "articles": [{
                "title": "Refunds", "url": "https://kb.example/1",
                "viewed_at": "2026-11-24T12:50:00Z",
            }],
            "searches": [{"query": "refund", "at": "2026-11-24T12:49:00Z"}],
            "transcript": [{"from": "customer", "text": "Hello", "at": "2026-11-24T12:51:00Z"}],
            "ivr_path": "1-3", "attributes": {"vip": true},
        },
        "requirements": [{
            "skill": "french", "min_level": 3, "mandatory": true, "expires_after_seconds": 120,
        }],
        "preferred_agent": {
            "agent_id": "mara", "mode": "prefer", "wait_seconds": 60, "fallback": "anyone",
        },
        "priority": 5, "size": 1, "external_id": "X-1", "max_attempts": 5,
        "expire_after_minutes": 60, "customer_agreed": false,
    })
}

pub(crate) fn bot() -> Role {
    Role::Channel { channel: Channel::VirtualAgent, public: false }
}

/// The callback that the request of the document becomes.
pub(crate) fn open() -> FullCallback {
    let body = body();
    let wish = read_request(&Json::from(&body), &bot(), &World::new(), 8).expect("a good request");
    full(wish)
}

fn full(wish: Wish) -> FullCallback {
    let now = at(NOW);
    let mut booking = wish.booking.expect("it is scheduled");
    booking.end = booking.start + Span::minutes(15);
    let callback = Callback {
        id: CallbackId(0x0193_6b5e_3c5a_7cc0_8000_0000_0000_0001),
        number: 1042,
        version: 7,
        request_version: 1,
        queue: wish.queue,
        kind: CallbackType::Scheduled,
        medium: wish.medium,
        channel: wish.request.origin.channel,
        requested_by: RequestedBy::Customer,
        reach: Reach::of(&wish.request.customer),
        expiry_base: booking.end,
        phase: Phase::Open {
            due: booking.start - Span::seconds(60),
            wake_at: booking.start - Span::seconds(60),
            why: OpenReason::Booked,
            carried: None,
        },
        booking: Some(booking),
        zone: wish.zone,
        priority: wish.priority,
        size: wish.size,
        requirements: wish.requirements,
        preferred: wish.preferred,
        max_attempts: 5,
        expire_after_minutes: 60,
        attempts: 0,
        interactions: 0,
        queued_since: None,
        declined: Vec::new(),
        offers_lost: 0,
        retrying: false,
        contact_hours_bind: false,
        reached: false,
        told: None,
        first_called_at: None,
        promise_broken: false,
        unroutable: None,
        accepted_offer: None,
        closable_by: None,
        last_action: None,
        remarks: Remarks::default(),
        has_email: false,
        bookings: 1,
        meeting: None,
        created_at: now,
        updated_at: now,
        clock_gap: Span::ZERO,
    };
    FullCallback { callback: Arc::new(callback), request: wish.request, ended: Vec::new() }
}

/// The same while it is offered to mara, after an attempt of tom's.
pub(crate) fn offered() -> FullCallback {
    let mut full = open();
    let callback = Arc::make_mut(&mut full.callback);
    let interaction = Interaction {
        id: InteractionId(3),
        attempt: 2,
        state: InteractionState::Offered,
        agent: Some(agent("mara")),
        created_at: at(NOW),
        offered_at: Some(at(NOW)),
        accepted_at: None,
        called_at: None,
        answered_at: None,
        ended_at: None,
        outcome: None,
        notes: None,
    };
    full.ended.push(Interaction {
        id: InteractionId(2),
        attempt: 1,
        state: InteractionState::ClosedAbandoned,
        agent: Some(agent("tom")),
        ended_at: Some(at(NOW)),
        outcome: Some(Outcome::NoAnswer),
        notes: Some("Rang out".to_owned()),
        ..interaction.clone()
    });
    callback.interactions = 2;
    callback.attempts = 1;
    callback.remarks = Remarks::new(None, Some("Be kind".to_owned()), None);
    callback.queued_since = Some(at(NOW));
    let offer =
        Offer { id: OfferId(9), agent: agent("mara"), expires_at: at(NOW) + Span::seconds(30) };
    callback.phase = Phase::Offered { interaction: Box::new(interaction), offer };
    full
}
