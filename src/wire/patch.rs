//! `PATCH /v1/callbacks/{id}`: a merge patch (RFC 7396), held against what its sender may change.
//!
//! Customer, agent asked for and context are patched as JSON: what there is, printed; the patch,
//! merged into it; and the result read again with every check that a new request has.

use std::sync::Arc;

use serde_json::Value;

use super::action::Known;
use super::context::{merge, read_context};
use super::customer::{Dialling, print_customer, read_customer};
use super::json::{self, Json, Object};
use super::problem::Problem;
use super::request::{invalid, print_preferred, read_preferred, read_priority, read_reason};
use super::role::Role;
use super::settings::fields::{Fault, Fields, Item};
use super::settings::{COUNTS, read_requirements};
use super::text::{DESCRIPTION_MAX, SHORT_DESCRIPTION_MAX, line, prose};
use crate::domain::callback::{Callback, Customer, Preferred, Request};
use crate::domain::message::Patch;
use crate::domain::queue::Queue;
use crate::engine::library::FullCallback;

/// What decides where a callback goes: a supervisor's.
const ROUTING: [&str; 4] = ["priority", "requirements", "preferred_agent", "max_attempts"];
/// What it is about: a supervisor's, and of the agent who has it or booked it.
const TEXTS: [&str; 4] = ["customer", "reason", "short_description", "description"];
/// What the channel of origin may add.
const CHANNELS: [&str; 2] = ["customer", "context"];

/// Which fields a role may change of one callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// All but the context.
    Supervisor,
    /// The texts.
    Holder,
    /// The customer's address and the context.
    Channel,
    /// Nothing.
    None,
}

impl Rights {
    /// Those of `role`, which may see the callback.
    pub fn of(role: &Role, callback: &Callback) -> Self {
        match role {
            Role::Supervisor(_) | Role::Admin(_) => Self::Supervisor,
            Role::Agent(agent) => {
                let agent = Some(agent);
                let holds = callback.assigned_agent() == agent || callback.booked_by() == agent;
                if holds { Self::Holder } else { Self::None }
            }
            Role::Channel { public: false, .. } => Self::Channel,
            Role::Channel { public: true, .. } | Role::Customer(_) => Self::None,
        }
    }

    /// Whether the field may be changed.
    fn allow(self, field: &str) -> bool {
        match self {
            Self::Supervisor => ROUTING.contains(&field) || TEXTS.contains(&field),
            Self::Holder => TEXTS.contains(&field),
            Self::Channel => CHANNELS.contains(&field),
            Self::None => false,
        }
    }

    /// Refuses fields that are another role's. Fields that there are not are the reader's to tell.
    pub fn check(self, patch: &Object<'_>) -> Result<(), Problem> {
        let known = |field: &str| {
            ROUTING.contains(&field) || TEXTS.contains(&field) || CHANNELS.contains(&field)
        };
        if self == Self::None {
            return Err(Problem::forbidden(
                "Only supervisors, the assigned or booking agent and the channel of origin may \
                 change a callback.",
            ));
        }
        if let Some(field) = patch.keys().find(|field| known(field) && !self.allow(field)) {
            return Err(Problem::forbidden(format!("Your role may not change {field}.")));
        }
        let of_customer = patch.get("customer");
        let more = matches!(
            of_customer,
            Some(Json::Object(fields)) if fields.keys().any(|field| field != "email")
        );
        if self == Self::Channel && more {
            return Err(Problem::forbidden("A channel may change the customer's email alone."));
        }
        Ok(())
    }
}

/// What a patch is read against.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The callback, as it is.
    pub full: &'a FullCallback,
    /// The queue where it waits: its codes and bounds hold.
    pub queue: &'a Queue,
    /// Which queues and agents there are.
    pub known: &'a dyn Known,
    /// Requirements that a callback may have.
    pub max_requirements: usize,
}

/// Reads a patch whose fields are all allowed.
pub fn read_patch(body: &Object<'_>, target: Target<'_>) -> Result<Patch, Problem> {
    let mut faults = Vec::new();
    let mut problem = None;
    let value = Json::Object(body.clone());
    let mut reader = Reader { body, target, problem: &mut problem, late: Vec::new() };
    let patch = Item::root(&value, &mut faults).table(|fields| reader.patch(fields));
    faults.append(&mut reader.late);
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    match problem {
        Some(problem) => Err(problem),
        None => Ok(patch.unwrap_or_default()),
    }
}

struct Reader<'a> {
    body: &'a Object<'a>,
    target: Target<'a>,
    problem: &'a mut Option<Problem>,
    /// Faults of what was merged, which lies outside the body.
    late: Vec<Fault>,
}

impl Reader<'_> {
    fn has(&self, field: &str) -> bool {
        self.body.contains_key(field)
    }

    fn patch(&mut self, fields: &mut Fields<'_>) -> Patch {
        let mut patch = self.routing(fields);
        let old = &self.target.full.request;
        let mut request = Request::clone(old);
        if let Some(customer) = self.customer(fields, &old.customer) {
            request.customer = customer;
        }
        let reason = read_reason(fields, Some(&self.target.queue.settings));
        if self.has("reason") {
            request.reason = reason;
        }
        let text = fields.parsed("short_description", line(SHORT_DESCRIPTION_MAX));
        if self.has("short_description") {
            request.short_description = text;
        }
        let text = fields.parsed("description", prose(DESCRIPTION_MAX));
        if self.has("description") {
            request.description = text;
        }
        self.context(fields, &mut request.context);
        if request != **old {
            patch.request = Some((Arc::clone(old), Arc::new(request)));
        }
        patch.fields = self.changed(&patch);
        patch
    }

    fn routing(&mut self, fields: &mut Fields<'_>) -> Patch {
        let target = self.target;
        let priority = read_priority(fields);
        let requirements = fields
            .take("requirements")
            .and_then(|item| read_requirements(item, target.max_requirements));
        let preferred = self.preferred(fields);
        let max_attempts = fields.take("max_attempts").and_then(|item| item.number(COUNTS));
        let usual = target.queue.settings.max_attempts;
        Patch {
            priority: self.has("priority").then_some(priority),
            requirements: self.has("requirements").then(|| requirements.unwrap_or_default()),
            preferred: self.has("preferred_agent").then_some(preferred),
            max_attempts: self.has("max_attempts").then(|| max_attempts.unwrap_or(usual)),
            request: None,
            fields: Vec::new(),
        }
    }

    fn preferred(&mut self, fields: &mut Fields<'_>) -> Option<Box<Preferred>> {
        const FIELD: &str = "preferred_agent";
        let _ = fields.take(FIELD);
        let (known, old) = (self.target.known, &self.target.full.callback.preferred);
        let printed = old.as_deref().map_or(Value::Null, print_preferred);
        let mut merged = Json::from(&printed);
        merge(&mut merged, self.body.get(FIELD)?);
        let body = Json::Object(Object::from([(FIELD.into(), merged)]));
        let preferred = Item::root(&body, &mut self.late)
            .table(|fields| fields.take(FIELD).and_then(|item| read_preferred(item, known)));
        preferred.flatten()
    }

    fn customer(&mut self, fields: &mut Fields<'_>, old: &Customer) -> Option<Customer> {
        // Taken so that it isn't unknown; a null would take the customer away, which can't be.
        let _ = fields.take("customer");
        let printed = print_customer(old);
        let mut merged = Json::from(&printed);
        merge(&mut merged, self.body.get("customer")?);
        let (queue, medium) = (self.target.queue, self.target.full.callback.medium);
        let dialling = Dialling::of(Some(&queue.settings), false, self.target.known);
        let body = Json::Object(Object::from([("customer".into(), merged)]));
        let problem = &mut *self.problem;
        let customer = Item::root(&body, &mut self.late).table(|fields| {
            let item = fields.required("customer");
            item.and_then(|item| read_customer(item, medium, dialling, problem))
        });
        customer.flatten()
    }

    fn context(&mut self, fields: &mut Fields<'_>, context: &mut Option<String>) {
        let _ = fields.take("context");
        let Some(patch) = self.body.get("context") else { return };
        let stored = context.take();
        let parse = |text| json::parse(text).expect("what is kept was read before");
        let read = stored.as_deref().map(|text| parse(text.as_bytes()));
        let mut merged = read.unwrap_or(Json::Null);
        merge(&mut merged, patch);
        if merged.is_null() {
            return;
        }
        let body = Json::Object(Object::from([("context".into(), merged)]));
        Item::root(&body, &mut self.late).table(|fields| {
            let item = fields.take("context");
            *context = item.and_then(read_context);
        });
    }

    /// Names of the fields that are other than they were.
    fn changed(&self, patch: &Patch) -> Vec<String> {
        let FullCallback { callback, request: old, .. } = self.target.full;
        let new = patch.request.as_ref().map_or(old, |(_, new)| new);
        let all = [
            ("priority", patch.priority.is_some_and(|new| new != callback.priority)),
            (
                "requirements",
                patch.requirements.as_ref().is_some_and(|new| *new != callback.requirements),
            ),
            (
                "preferred_agent",
                patch.preferred.as_ref().is_some_and(|new| *new != callback.preferred),
            ),
            ("max_attempts", patch.max_attempts.is_some_and(|new| new != callback.max_attempts)),
            ("customer", new.customer != old.customer),
            ("reason", new.reason != old.reason),
            ("short_description", new.short_description != old.short_description),
            ("description", new.description != old.description),
            ("context", new.context != old.context),
        ];
        let changed = all.into_iter().filter(|(_, differs)| *differs);
        changed.map(|(field, _)| field.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests;
