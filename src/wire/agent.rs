//! Agents as supervisors and colleagues see them, and what is put to them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::action::Known;
use super::incoming::read_presence;
use super::instant::Instant;
use super::settings::COUNTS;
use super::settings::fields::Fields;
use super::settings::print_agent;
use super::text::instant;
use crate::domain::agent::{Agent, AgentView, Presence};
use crate::domain::policy::Choice;
use crate::domain::time::{Span, Timestamp};

/// How long work elsewhere may be said to last; also how long it lasts where nothing is said.
const EXTERNAL_MAX: Span = Span::minutes(240);

/// An agent as `GET /v1/agents/{id}` shows them: what a PUT takes.
pub fn agent_body(agent: &Agent) -> Map<String, Value> {
    print_agent(&agent.settings)
}

/// How an agent is doing.
#[derive(Debug, Serialize)]
pub struct AgentStatusBody<'a> {
    id: &'a str,
    name: &'a str,
    presence: &'static str,
    reason: Option<&'a str>,
    since: Instant,
    connected: bool,
    sessions: usize,
    engagement: &'static str,
    held_units: u32,
    external_units: u32,
    assignments: Vec<String>,
}

impl<'a> AgentStatusBody<'a> {
    /// The agent, seen from `now`.
    pub fn new(view: &'a AgentView, now: Timestamp) -> Self {
        let agent = &view.agent;
        Self {
            id: agent.settings.id.as_str(),
            name: &agent.settings.name,
            presence: agent.presence.as_str(),
            reason: agent.reason.as_deref(),
            since: Instant(agent.presence_since),
            connected: !view.sessions.is_empty(),
            sessions: view.sessions.len(),
            engagement: view.engagement.as_str(),
            held_units: view.held_units,
            external_units: external_units(agent, now),
            assignments: view.assigned.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What a channel is told of an agent: what it told of them itself.
#[derive(Debug, Serialize)]
pub struct ExternalLoadBody<'a> {
    id: &'a str,
    external_units: u32,
}

impl<'a> ExternalLoadBody<'a> {
    /// The agent, seen from `now`.
    pub fn new(agent: &'a Agent, now: Timestamp) -> Self {
        Self { id: agent.settings.id.as_str(), external_units: external_units(agent, now) }
    }
}

/// An agent in the directory.
#[derive(Debug, Serialize)]
pub struct ColleagueBody<'a> {
    id: &'a str,
    name: &'a str,
    presence: &'static str,
    connected: bool,
    free_units: u32,
}

impl<'a> ColleagueBody<'a> {
    /// The agent, seen from `now`.
    pub fn new(view: &'a AgentView, now: Timestamp) -> Self {
        let agent = &view.agent;
        let taken = view.held_units.saturating_add(external_units(agent, now));
        Self {
            id: agent.settings.id.as_str(),
            name: &agent.settings.name,
            presence: agent.presence.as_str(),
            connected: !view.sessions.is_empty(),
            free_units: agent.settings.capacity.units.saturating_sub(taken),
        }
    }
}

/// Units taken by work elsewhere, while it lasts.
fn external_units(agent: &Agent, now: Timestamp) -> u32 {
    let lasting = agent.external.as_ref().filter(|external| external.until > now);
    lasting.map_or(0, |external| external.units)
}

/// Reads the body of a presence; where the workspace lists reasons, only their ids are taken.
pub fn read_presence_body(
    fields: &mut Fields<'_>,
    reasons: &[Choice],
) -> Option<(Presence, Option<String>)> {
    let (presence, reason) = read_presence(fields)?;
    if let Some(fault) = reason.as_deref().and_then(|reason| reason_fault(reason, reasons)) {
        fields.fault("reason", fault);
    }
    Some((presence, reason))
}

/// Why a reason for a presence isn't taken, if it isn't.
pub fn reason_fault(reason: &str, reasons: &[Choice]) -> Option<String> {
    let listed = reasons.is_empty() || reasons.iter().any(|choice| choice.id == reason);
    (!listed).then(|| {
        let ids: Vec<&str> = reasons.iter().map(|choice| choice.id.as_str()).collect();
        format!("must be one of: {}", ids.join(", "))
    })
}

/// Reads the body of an external load: units, and until when.
pub fn read_external_load(fields: &mut Fields<'_>, known: &dyn Known) -> Option<(u32, Timestamp)> {
    let latest = known.now() + EXTERNAL_MAX;
    let units = fields.required("units").and_then(|item| item.number(COUNTS));
    let until = fields.parsed("until", |text| {
        let until = instant(text).map_err(|error| error.to_string())?;
        if until <= known.now() {
            return Err("lies in the past; to end a load, send 0 units".to_owned());
        }
        if until > latest { Err("lies more than 4 hours ahead".to_owned()) } else { Ok(until) }
    });
    Some((units?, until.unwrap_or(latest)))
}
