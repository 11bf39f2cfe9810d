//! A request for a callback: the body of `POST /v1/callbacks` on its way to a [`Wish`].
//!
//! Every fault is told at once, each with its place; what has a problem of its own (a refused
//! number, a time outside hours) is told when nothing else is wrong. What depends on the state of
//! the queue or of other callbacks is the queue's machine to decide.

use std::sync::Arc;

use serde_json::{Value, json};

use super::action::{Known, agent, queue};
use super::context::read_context;
use super::customer::{Dialling, read_customer};
use super::json::Json;
use super::problem::Problem;
use super::role::Role;
use super::schedule::{
    Asked, IN_REQUEST, Schedule, book, check_contact_hours, read_schedule, zone_of,
};
use super::settings::fields::{Fault, Fields, Item};
use super::settings::{COUNTS, YEAR_MINUTES, YEAR_SECONDS, read_requirements};
use super::text::{
    DESCRIPTION_MAX, REASON_MAX, SHORT_DESCRIPTION_MAX, instant, line, prose, reference,
    web_address,
};
use crate::domain::callback::{
    CallbackType, Channel, Fallback, Origin, PreferMode, Preferred, Request,
};
use crate::domain::message::Wish;
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::queue::Queue;
use crate::domain::rank::Priority;
use crate::domain::refusal::FieldFault;
use crate::domain::skills::Requirements;
use crate::domain::time::{Span, Timestamp};

/// The most units that one callback may take; no agent has more.
const SIZE_MAX: u32 = 1_000;

/// How far back a customer may have waited in a live line.
const WAITING_MAX: Span = Span::minutes(240);

/// By so much the clock of a channel may be ahead of ours.
const CLOCK_SLACK: Span = Span::seconds(60);

/// What only a key that doesn't stand in a page may say.
const SECRET_ONLY: [&str; 4] = ["priority", "requirements", "preferred_agent", "size"];

/// Reads a request in the name of `role`.
pub fn read_request(
    body: &Json<'_>,
    role: &Role,
    known: &dyn Known,
    max_requirements: usize,
) -> Result<Wish, Problem> {
    let mut faults = Vec::new();
    let mut reader = Reader { body, role, known, max_requirements, problem: None };
    let draft = Item::root(body, &mut faults).table(|fields| reader.draft(fields)).flatten();
    let problem = reader.problem;
    match draft {
        Some(draft) if faults.is_empty() => match problem {
            Some(problem) => Err(problem),
            None => draft.into_wish(role, known.now()),
        },
        _ if faults.is_empty() => Err(problem.unwrap_or_else(|| Problem::invalid(Vec::new()))),
        _ => Err(invalid(faults)),
    }
}

/// The problem that tells faults.
pub fn invalid(faults: Vec<Fault>) -> Problem {
    let faults = faults.into_iter().map(|Fault { pointer, detail }| FieldFault { pointer, detail });
    Problem::invalid(faults.collect())
}

struct Reader<'a> {
    body: &'a Json<'a>,
    role: &'a Role,
    known: &'a dyn Known,
    max_requirements: usize,
    /// The first problem of its own kind.
    problem: Option<Problem>,
}

/// A request whose fields are good, each by itself.
struct Draft {
    queue: Arc<Queue>,
    kind: CallbackType,
    medium: Medium,
    schedule: Option<Schedule>,
    request: Request,
    priority: Priority,
    size: u32,
    requirements: Requirements,
    preferred: Option<Box<Preferred>>,
    max_attempts: Option<u32>,
    expire_after_minutes: Option<u32>,
}

impl Reader<'_> {
    fn is_public(&self) -> bool {
        matches!(self.role, Role::Channel { public: true, .. })
    }

    fn draft(&mut self, fields: &mut Fields<'_>) -> Option<Draft> {
        if self.is_public() {
            for key in SECRET_ONLY {
                if fields.count_of(&[key]) > 0 {
                    fields.fault(key, "isn't taken from a public key; leave it out");
                }
            }
        }
        let queue = fields.required("queue").and_then(|item| queue(item, self.known));
        let settings = queue.as_deref().map(|queue| &*queue.settings);
        let kind = read_type(fields);
        let medium = fields.word("medium", Medium::Voice, &MEDIA);
        if (medium, kind) == (Medium::Video, Some(CallbackType::Asap)) {
            fields.fault("type", "must be scheduled for video");
        }
        let schedule = self.schedule(fields, kind);
        let dialling = Dialling::of(settings, self.is_public(), self.known);
        let customer = fields
            .required("customer")
            .and_then(|item| read_customer(item, medium, dialling, &mut self.problem));
        let reason = read_reason(fields, settings);
        let short_description = fields.parsed("short_description", line(SHORT_DESCRIPTION_MAX));
        let description = fields.parsed("description", prose(DESCRIPTION_MAX));
        let origin = self.origin(fields);
        let context = fields.take("context").and_then(read_context);
        let external_id = fields.parsed("external_id", reference);
        let customer_agreed = fields.flag("customer_agreed", false);
        let requirements = fields
            .take("requirements")
            .and_then(|item| read_requirements(item, self.max_requirements));
        let preferred = fields.take("preferred_agent");
        let preferred = preferred.and_then(|item| read_preferred(item, self.known));
        let priority = read_priority(fields);
        let size = fields.number("size", 1, 1..=SIZE_MAX);
        let max_attempts = fields.take("max_attempts").and_then(|item| item.number(COUNTS));
        let expiry = fields.take("expire_after_minutes");
        let expire_after_minutes = expiry.and_then(|item| item.number(YEAR_MINUTES));
        // Every field is read by now: what is given up below leaves none of them unknown.
        let request = Request {
            version: 1,
            customer: customer?,
            reason,
            short_description,
            description,
            origin: origin?,
            context,
            external_id,
            customer_agreed,
        };
        Some(Draft {
            queue: queue?,
            kind: kind?,
            medium,
            schedule,
            request,
            priority,
            size,
            requirements: requirements.unwrap_or_default(),
            preferred,
            max_attempts,
            expire_after_minutes,
        })
    }

    fn schedule(
        &mut self,
        fields: &mut Fields<'_>,
        kind: Option<CallbackType>,
    ) -> Option<Schedule> {
        let item = match kind {
            Some(CallbackType::Scheduled) => fields.required("schedule"),
            Some(CallbackType::Asap) | None => fields.take("schedule"),
        };
        let schedule = item.and_then(|item| read_schedule(item, &mut self.problem))?;
        match (kind, &schedule.start) {
            (Some(CallbackType::Scheduled), None) if !self.names_a_start() => {
                fields.fault("schedule", "must have start or local_start");
            }
            (Some(CallbackType::Asap), Some(_)) => {
                fields.fault("schedule", "must not have a start where the type is asap");
            }
            _ => {}
        }
        Some(schedule)
    }

    /// Whether a start is given at all; one that can't be read has its own fault.
    fn names_a_start(&self) -> bool {
        let schedule = self.body.get("schedule");
        let given = |name| schedule?.get(name).filter(|start| !start.is_null());
        given("start").or_else(|| given("local_start")).is_some()
    }

    fn origin(&self, fields: &mut Fields<'_>) -> Option<Origin> {
        let own = match self.role {
            Role::Channel { channel, .. } => Some(*channel),
            Role::Customer(_) | Role::Agent(_) | Role::Supervisor(_) | Role::Admin(_) => None,
        };
        let Some(item) = fields.take("origin") else {
            return Some(Origin {
                channel: own.unwrap_or(Channel::Case),
                interaction_ref: None,
                case_id: None,
                page_url: None,
                waiting_since: None,
            });
        };
        item.table(|fields| self.origin_fields(fields, own))
    }

    fn origin_fields(&self, fields: &mut Fields<'_>, own: Option<Channel>) -> Origin {
        let words = Channel::ALL.map(|channel| (channel.as_str(), channel));
        let named = fields.take("channel").and_then(|item| item.word(&words));
        if let (Some(own), Some(named)) = (own, named)
            && own != named
        {
            fields.fault("channel", format!("must be {}, the key's own", own.as_str()));
        }
        let now = self.known.now();
        let waiting_since = fields.parsed("waiting_since", |text| since(text, now));
        if waiting_since.is_some() && (own.is_none() || self.is_public()) {
            fields.fault("waiting_since", "is taken from channels with a secret key only");
        }
        Origin {
            channel: own.or(named).unwrap_or(Channel::Case),
            interaction_ref: fields.parsed("interaction_ref", reference),
            case_id: fields.parsed("case_id", reference),
            page_url: fields.parsed("page_url", web_address),
            waiting_since,
        }
    }
}

/// The words for media.
pub const MEDIA: [(&str, Medium); 2] = [("voice", Medium::Voice), ("video", Medium::Video)];

/// The words for types.
pub const TYPES: [(&str, CallbackType); 2] =
    [("asap", CallbackType::Asap), ("scheduled", CallbackType::Scheduled)];

fn read_type(fields: &mut Fields<'_>) -> Option<CallbackType> {
    fields.required("type").and_then(|item| item.word(&TYPES))
}

/// A reason: one of the queue's, where it lists them.
pub fn read_reason(fields: &mut Fields<'_>, queue: Option<&QueueSettings>) -> Option<String> {
    let reason = fields.parsed("reason", line(REASON_MAX))?;
    let listed = queue.map_or(&[][..], |queue| &queue.reasons);
    if !listed.is_empty() && !listed.iter().any(|choice| choice.id == reason) {
        let ids: Vec<&str> = listed.iter().map(|choice| choice.id.as_str()).collect();
        fields.fault("reason", format!("must be one of: {}", ids.join(", ")));
    }
    Some(reason)
}

/// A priority; 5 unless said.
pub fn read_priority(fields: &mut Fields<'_>) -> Priority {
    let value = fields.number("priority", 5, 0..=9);
    Priority::new(i64::from(value)).expect("the range is that of priorities")
}

/// The words for how firmly an agent is asked for.
const PREFER_MODES: [(&str, PreferMode); 2] =
    [("prefer", PreferMode::Prefer), ("require", PreferMode::Require)];

/// The words for what comes then.
const FALLBACKS: [(&str, Fallback); 2] = [("anyone", Fallback::Anyone), ("none", Fallback::None)];

/// An agent asked for, as JSON that [`read_preferred`] takes again.
pub fn print_preferred(preferred: &Preferred) -> Value {
    let mode = PREFER_MODES.iter().find(|(_, mode)| *mode == preferred.mode);
    let fallback = FALLBACKS.iter().find(|(_, fallback)| *fallback == preferred.fallback);
    json!({
        "agent_id": preferred.agent.as_str(),
        "mode": mode.map(|(word, _)| word),
        "wait_seconds": preferred.wait_seconds,
        "fallback": fallback.map(|(word, _)| word),
    })
}

/// An agent asked for.
pub fn read_preferred(item: Item<'_>, known: &dyn Known) -> Option<Box<Preferred>> {
    let read = item.table(|fields| {
        let agent = fields.required("agent_id").and_then(|item| agent(item, known));
        let mode = fields.word("mode", PreferMode::Prefer, &PREFER_MODES);
        let usual = match mode {
            PreferMode::Prefer => Preferred::PREFER_SECONDS,
            PreferMode::Require => Preferred::REQUIRE_SECONDS,
        };
        let wait_seconds = fields.number("wait_seconds", usual, YEAR_SECONDS);
        let fallback = fields.word("fallback", Fallback::Anyone, &FALLBACKS);
        Some(Box::new(Preferred { agent: agent?, mode, wait_seconds, fallback }))
    });
    read.flatten()
}

fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let at = instant(text).map_err(|error| error.to_string())?;
    if at > now + CLOCK_SLACK {
        return Err("lies in the future".to_owned());
    }
    if at < now - WAITING_MAX {
        return Err("lies more than 4 hours back; leave it out".to_owned());
    }
    Ok(at.min(now))
}

impl Draft {
    fn into_wish(self, role: &Role, now: Timestamp) -> Result<Wish, Problem> {
        let media = &self.queue.settings.media;
        if !media.contains(&self.medium) {
            let offered: Vec<&str> = media.iter().map(|medium| medium.as_str()).collect();
            return Err(Problem::medium_not_offered(&offered));
        }
        let zone = zone_of(self.schedule.as_ref(), &self.request.customer, &self.queue);
        let start = self.schedule.as_ref().and_then(|schedule| schedule.start.as_ref());
        let asked = Asked { bound: role.bound(), now, place: IN_REQUEST };
        let book = |start| book(start, zone.clone(), &self.queue, asked);
        let booking = start.map(book).transpose()?;
        if let (Some(start), Some(booking)) = (start, &booking)
            && role.is_inside()
            && !self.request.customer_agreed
        {
            let customer = &self.request.customer;
            check_contact_hours(start, booking, customer, &self.queue, IN_REQUEST)?;
        }
        Ok(Wish {
            queue: self.queue.settings.id.clone(),
            who: role.who(),
            request: Arc::new(self.request),
            kind: self.kind,
            medium: self.medium,
            booking,
            zone,
            priority: self.priority,
            size: self.size,
            requirements: self.requirements,
            preferred: self.preferred,
            max_attempts: self.max_attempts,
            expire_after_minutes: self.expire_after_minutes,
        })
    }
}

#[cfg(test)]
mod tests;
