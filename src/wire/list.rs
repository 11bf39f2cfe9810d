//! What a list of callbacks may be filtered and sorted by, and what each role gets of it.

use std::collections::BTreeSet;

use super::callback::parse_number;
use super::page::PageQuery;
use super::problem::Problem;
use super::query::Query;
use super::request::{MEDIA, TYPES};
use super::role::Role;
use super::text::{REFERENCE_MAX, instant};
use crate::domain::callback::State;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::phone::Email;
use crate::domain::phone::{PhoneNumber, Region};
use crate::domain::policy::AgentSettings;
use crate::engine::handle::Handle;
use crate::engine::library::{FullCallback, ListFilter, ListRead, SortKey};

/// What its cursors are named by.
pub const LIST: &str = "callbacks";

/// Characters that a search by beginning may have.
const PREFIX_MAX: usize = 100;

/// The filters of which a channel must name one: it finds what it has a key to, and can't browse.
const CHANNEL_KEYS: [&str; 5] = ["contact_id", "phone", "email", "case_id", "external_id"];

/// Reads a list's query. `region_of` is the region that a queue's numbers without a country are
/// read in.
pub fn read_list(
    pairs: &[(String, String)],
    region_of: &dyn Fn(&QueueId) -> Option<Region>,
) -> Result<ListRead, Problem> {
    let mut query = Query::new(pairs);
    let filter = read_filter(&mut query, region_of);
    let (sort, descending) = read_sort(&mut query);
    let PageQuery { limit, after, .. } = PageQuery::read(&mut query, LIST);
    query.finish().map_err(Problem::invalid)?;
    Ok(ListRead { filter, sort, descending, limit, after })
}

fn read_filter(
    query: &mut Query<'_>,
    region_of: &dyn Fn(&QueueId) -> Option<Region>,
) -> ListFilter {
    let queue = query.parsed("queue", QueueId::parse);
    let region = queue.as_ref().and_then(region_of);
    ListFilter {
        states: read_states(query),
        queues: queue.into_iter().collect(),
        or_held_by: None,
        kind: query.word("type", &TYPES),
        medium: query.word("medium", &MEDIA),
        requested_by_agent: query.word("requested_by", &[("customer", false), ("agent", true)]),
        agent: query.parsed("agent_id", AgentId::parse),
        booked_by: query.parsed("booked_by", AgentId::parse),
        channel: None,
        contact: query.parsed("contact_id", |text| bounded(text, REFERENCE_MAX)),
        phone: query.parsed("phone", |text| read_phone(text, region)),
        email: query
            .parsed("email", |text| Email::parse(text).map(|email| email.as_str().to_owned())),
        case_id: query.parsed("case_id", |text| bounded(text, REFERENCE_MAX)),
        interaction_ref: query.parsed("interaction_ref", |text| bounded(text, REFERENCE_MAX)),
        external_id: query.parsed("external_id", |text| bounded(text, REFERENCE_MAX)),
        number: query.parsed("number", |text| {
            parse_number(text).ok_or("must be a callback's number, such as CB0001042")
        }),
        prefix: query.parsed("q", |text| bounded(&plus(text), PREFIX_MAX)),
        due_before: query.parsed("due_before", instant),
        due_after: query.parsed("due_after", instant),
    }
}

fn read_states(query: &mut Query<'_>) -> Vec<State> {
    let mut states = Vec::new();
    for word in query.all("state") {
        if word == "active" {
            states.extend(State::ALL.into_iter().filter(|state| !state.is_final()));
        } else if let Some(state) = State::ALL.into_iter().find(|state| state.as_str() == word) {
            states.push(state);
        } else {
            let words = State::ALL.map(State::as_str).join(", ");
            query.fault("state", format!("must be active or one of: {words}"));
        }
    }
    states.sort_unstable();
    states.dedup();
    states
}

fn read_sort(query: &mut Query<'_>) -> (SortKey, bool) {
    let sort = query.parsed("sort", |text| {
        let (key, descending) = text.strip_prefix('-').map_or((text, false), |key| (key, true));
        let key = match key {
            "created_at" => SortKey::CreatedAt,
            "start" => SortKey::Start,
            "queued_since" => SortKey::QueuedSince,
            _ => {
                return Err("must be created_at, start or queued_since, reversed by a - before it");
            }
        };
        Ok((key, descending))
    });
    sort.unwrap_or((SortKey::CreatedAt, true))
}

fn bounded(text: &str, most: usize) -> Result<String, String> {
    let fits = (1..=most).contains(&text.chars().count());
    fits.then(|| text.to_owned()).ok_or_else(|| format!("must have 1 to {most} characters"))
}

fn read_phone(text: &str, region: Option<Region>) -> Result<String, String> {
    let phone = PhoneNumber::parse(&plus(text), region).map_err(|error| error.to_string())?;
    Ok(phone.as_str().to_owned())
}

/// In an address a bare `+` means a blank: `?phone=+49…` is meant as it looks.
fn plus(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}"),
        Some(_) | None => text.to_owned(),
    }
}

/// Refuses a list that isn't the role's to ask for. Looks at names alone, so that it is told before
/// any fault in a value.
pub fn may_list(role: &Role, pairs: &[(String, String)]) -> Result<(), Problem> {
    match role {
        Role::Agent(_) | Role::Supervisor(_) | Role::Admin(_) => Ok(()),
        Role::Channel { public: false, .. } => {
            // Whom a callback is offered to isn't shown to it, and so can't be asked by it.
            if pairs.iter().any(|(name, _)| name == "agent_id") {
                return Err(Problem::forbidden("A channel can't ask by `agent_id`; leave it out."));
            }
            if pairs.iter().any(|(name, _)| CHANNEL_KEYS.contains(&name.as_str())) {
                return Ok(());
            }
            let keys = CHANNEL_KEYS.join(", ");
            Err(Problem::forbidden(format!("A channel must name one of: {keys}.")))
        }
        Role::Channel { public: true, .. } | Role::Customer(_) => {
            Err(Problem::forbidden("This credential may not list callbacks."))
        }
    }
}

/// Narrows a list that passed [`may_list`] to what the role may see. The filter alone isn't the
/// whole scope of an agent who names a queue: what comes back must pass [`those_seen`] as well.
pub fn narrow(filter: &mut ListFilter, role: &Role, agent: Option<&AgentSettings>) {
    match role {
        Role::Agent(id) if filter.queues.is_empty() => {
            let queues = agent.map_or(&[][..], |agent| &agent.queues);
            filter.queues = queues.iter().map(|served| served.queue.clone()).collect();
            filter.or_held_by = Some(id.clone());
        }
        Role::Channel { channel, .. } => filter.channel = Some(*channel),
        Role::Agent(_) | Role::Supervisor(_) | Role::Admin(_) | Role::Customer(_) => {}
    }
}

/// The callback, if the role may see it: one that may not is told that there is none.
pub async fn seen(handle: &Handle, role: &Role, id: CallbackId) -> Result<FullCallback, Problem> {
    let full = handle.callback(id).await?.ok_or_else(Problem::not_found)?;
    let agent = role.agent().and_then(|agent| handle.agent(agent));
    let settings = agent.as_ref().map(|view| &*view.agent.settings);
    let mut full = those_seen(handle, role, settings, vec![full]).await?;
    full.pop().ok_or_else(Problem::not_found)
}

/// Those that the role may see. Who held one once goes on seeing it, also where its record says so
/// no longer.
pub async fn those_seen(
    handle: &Handle,
    role: &Role,
    agent: Option<&AgentSettings>,
    mut all: Vec<FullCallback>,
) -> Result<Vec<FullCallback>, Problem> {
    let mut hidden: BTreeSet<CallbackId> = all
        .iter()
        .filter(|full| !may_see(role, agent, full))
        .map(|full| full.callback.id)
        .collect();
    if let Role::Agent(id) = role
        && !hidden.is_empty()
    {
        let asked: Vec<CallbackId> = hidden.iter().copied().collect();
        let held = handle.held(id.clone(), asked.clone()).await?;
        for (id, _) in asked.into_iter().zip(held).filter(|(_, held)| *held) {
            hidden.remove(&id);
        }
    }
    all.retain(|full| !hidden.contains(&full.callback.id));
    Ok(all)
}

/// Whether the role may see the callback by what its record says.
pub fn may_see(role: &Role, agent: Option<&AgentSettings>, full: &FullCallback) -> bool {
    let callback = &full.callback;
    match role {
        Role::Supervisor(_) | Role::Admin(_) => true,
        Role::Customer(id) => *id == callback.id,
        Role::Channel { channel, .. } => full.request.origin.channel == *channel,
        Role::Agent(id) => {
            let id = Some(id);
            let serves = agent.is_some_and(|agent| agent.membership(&callback.queue).is_some());
            let held = full.ended.iter().chain(callback.interaction());
            let closable = callback.closable_by.as_deref().map(|(agent, _)| agent);
            serves
                || callback.booked_by() == id
                || callback.holder() == id
                || closable == id
                || held.into_iter().any(|interaction| interaction.agent.as_ref() == id)
        }
    }
}

#[cfg(test)]
mod tests;
