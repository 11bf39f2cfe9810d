//! What must hold at every entry, and at every restart.

use std::collections::{BTreeMap, BTreeSet};

use ringback::domain::agent::Presence;
use ringback::domain::callback::{Callback, CallbackType, ClosedReason, Phase, RequestedBy, State};
use ringback::domain::dispatch::MailKind;
use ringback::domain::effect::{Change, StepOutput};
use ringback::domain::event::{AgentEvent, CallbackEvent, Event};
use ringback::domain::ids::{AgentId, CallbackId, SessionId};
use ringback::domain::policy::DuplicatePolicy;
use ringback::domain::time::{Now, Span, Timestamp};

use crate::world::outside::{Mailed, Outside};
use crate::world::{Records, subject};

/// The journal's oracle.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// The newest version of each callback that anybody outside was shown by an answer.
    shown: BTreeMap<CallbackId, u64>,
    /// Callbacks whose cancel was acknowledged.
    canceled: BTreeSet<CallbackId>,
    /// Callbacks that somebody took or sent out before their booked time.
    hurried: BTreeSet<CallbackId>,
    /// Sessions that are up, by agent.
    sessions: BTreeMap<AgentId, BTreeSet<SessionId>>,
    /// Agents who were given work past their capacity by a supervisor.
    pub(crate) forced: BTreeSet<AgentId>,
    /// Mails that must arrive, with the entry that caused each.
    owed: BTreeMap<Mailed, usize>,
    /// Callbacks that didn't just wait since they were asked for.
    worked: BTreeSet<CallbackId>,
    /// What was found wrong, first things first.
    pub(crate) violations: Vec<String>,
}

impl Checks {
    fn fail(&mut self, text: String) {
        self.violations.push(text);
    }

    /// A step is about to be journaled.
    pub(crate) fn entry(&mut self, now: &Now, newest: &Records, out: &StepOutput) {
        for change in &out.changes {
            let Change::Callback { before, after } = change else { continue };
            let known = newest.callbacks.get(&after.id).map(|known| {
                // A machine made from its record counts time-outs by the clocks of that moment.
                let mut known = Callback::clone(known);
                let gap = before.as_ref().map_or(known.clock_gap, |before| before.clock_gap);
                known.rebase(&Now { steady: now.wall - gap, ..*now });
                known
            });
            let same = known.as_ref() == before.as_deref();
            if !same {
                self.fail(format!(
                    "{}: a step began from another record than the newest",
                    after.id
                ));
            }
            let version = before.as_ref().map_or(0, |before| before.version);
            if after.version != version + 1 {
                self.fail(format!("{}: version {version} to {}", after.id, after.version));
            }
            let from = before.as_ref().map(|before| before.state());
            if !legal(from, after.state()) {
                self.fail(format!("{}: {from:?} to {:?}", after.id, after.state()));
            }
            let given = matches!(after.state(), State::Offered | State::Accepted);
            let waited = matches!(from, Some(State::Open | State::Queued));
            if given && waited && newest.is_denied(after.reach.phone.as_ref()) {
                self.fail(format!("{}: offered, and its number is denied", after.id));
            }
            match before {
                None => self.twice(newest, after),
                Some(before) if before.attempts != after.attempts => {
                    self.worked.insert(after.id);
                }
                Some(_) => {}
            }
        }
        for event in &out.events {
            self.connection(event);
            self.event(now, newest, out, event);
        }
    }

    /// Customers don't wait twice for the same, unless the queue allows it.
    fn twice(&mut self, newest: &Records, after: &Callback) {
        let settings = &newest.queues[&after.queue].settings;
        let allowed = settings.duplicate_policy == DuplicatePolicy::Allow;
        if allowed || after.requested_by != RequestedBy::Customer || after.reach.contact.is_none() {
            return;
        }
        let start = |one: &Callback| one.booking.as_ref().map_or(0, |booking| booking.start.0);
        let window = Span::minutes(settings.duplicate_window_minutes).0;
        let same = newest.callbacks.values().find(|one| {
            let waits = matches!(one.state(), State::Open | State::Queued | State::Offered);
            let alike = one.queue == after.queue && one.kind == after.kind;
            let near = (start(one) - start(after)).abs() <= window;
            // What was with an agent, or elsewhere, when the other was asked for may be back.
            let there = !self.worked.contains(&one.id);
            waits && alike && near && there && one.reach.contact == after.reach.contact
        });
        if let Some(one) = same {
            let id = one.id;
            self.fail(format!("{}: its customer waits for the same already, as {id}", after.id));
        }
    }

    /// What customers must be written because of an entry.
    pub(crate) fn owes(&mut self, number: usize, out: &StepOutput) {
        for change in &out.changes {
            let Change::Callback { before, after } = change else { continue };
            if !after.has_email {
                continue;
            }
            let start = |one: &Callback| one.booking.as_ref().map(|booking| booking.start);
            let ended = |one: &Callback| one.state().is_final();
            let kind = match before {
                None => Some(MailKind::Confirmation),
                Some(before) if ended(before) => None,
                Some(_) if after.state() == State::Canceled => Some(MailKind::Cancellation),
                Some(before) if !ended(after) && start(before) != start(after) => {
                    Some(MailKind::Change)
                }
                Some(_) => match after.phase {
                    Phase::Ended {
                        reason: ClosedReason::Expired | ClosedReason::AttemptsUsedUp,
                        ..
                    } => Some(MailKind::Sorry),
                    _ => None,
                },
            };
            if let Some(kind) = kind {
                let version = u32::try_from(after.version).expect("a callback changes seldom");
                self.owed.insert((after.id, kind, version), number);
            }
        }
    }

    /// Mails that never arrived.
    pub(crate) fn missing_mails(&self, outside: &Outside) -> Vec<String> {
        let missing = self.owed.keys().filter(|mail| !outside.has_mail(mail));
        missing.map(|mail| format!("{mail:?} never arrived")).collect()
    }

    fn connection(&mut self, event: &Event) {
        match event {
            Event::Agent(agent, AgentEvent::Connected { session }) => {
                self.sessions.entry(agent.clone()).or_default().insert(*session);
            }
            Event::Agent(agent, AgentEvent::Disconnected { session, .. }) => {
                self.sessions.entry(agent.clone()).or_default().remove(session);
            }
            _ => {}
        }
    }

    /// When all is quiet, every pending offer is to an agent who is there and wants work.
    pub(crate) fn offers_stand(&mut self, newest: &Records) {
        let mut found = Vec::new();
        for callback in newest.callbacks.values() {
            let Some(offer) = callback.offer() else { continue };
            let up = self.sessions.get(&offer.agent).is_some_and(|all| !all.is_empty());
            let wants = newest
                .agents
                .get(&offer.agent)
                .is_some_and(|agent| agent.presence == Presence::Available);
            if !up || !wants {
                found.push(format!("{} is offered to {}, who is gone", callback.id, offer.agent));
            }
        }
        self.violations.extend(found);
    }

    fn event(&mut self, now: &Now, newest: &Records, out: &StepOutput, event: &Event) {
        let Some(id) = subject(event) else { return };
        let after = out.changes.iter().find_map(|change| match change {
            Change::Callback { after, .. } if after.id == id => Some(after),
            _ => None,
        });
        let Some(after) = after else {
            self.fail(format!("{id}: an event without a change: {event:?}"));
            return;
        };
        if let Event::Callback(_, event) = event {
            match event {
                CallbackEvent::Requeued { .. }
                | CallbackEvent::Assigned { .. }
                | CallbackEvent::RetryScheduled { .. } => {
                    self.hurried.insert(id);
                    self.worked.insert(id);
                }
                CallbackEvent::Rescheduled { .. } => {
                    self.hurried.remove(&id);
                    self.worked.insert(id);
                }
                CallbackEvent::Accepted { .. } => {
                    self.worked.insert(id);
                }
                _ => {}
            }
        }
        if let Event::Callback(_, CallbackEvent::Offered { .. }) = event {
            if self.canceled.contains(&id) {
                self.fail(format!("{id}: offered after its cancel was acknowledged"));
            }
            let lead = newest.queues.get(&after.queue).map_or(0, |q| q.settings.lead_seconds);
            let start = after.booking.as_ref().map(|booking| booking.start);
            let early = after.kind == CallbackType::Scheduled
                && start.is_some_and(|at| at - Span::seconds(lead) > now.wall);
            if early && after.attempts == 0 && !self.hurried.contains(&id) {
                self.fail(format!("{id}: offered before its time"));
            }
        }
    }

    /// Nobody holds more than they can.
    pub(crate) fn capacity(&mut self, newest: &Records) {
        let mut held: BTreeMap<&AgentId, u32> = BTreeMap::new();
        for callback in newest.callbacks.values() {
            if let Some(agent) = callback.holder() {
                *held.entry(agent).or_default() += callback.size;
            }
        }
        let mut found = Vec::new();
        for (agent, units) in held {
            let room = newest.agents.get(agent).map_or(0, |one| one.settings.capacity.units);
            if units > room && !self.forced.contains(agent) {
                found.push(format!("{agent} holds {units} of {room} units"));
            }
        }
        self.violations.extend(found);
    }

    /// When all is quiet, no callback waits while an agent who could take it is idle.
    pub(crate) fn conserves(&mut self, newest: &Records, steady: Timestamp, idle: &[AgentId]) {
        let mut held: BTreeMap<&AgentId, u32> = BTreeMap::new();
        for callback in newest.callbacks.values() {
            if let Some(agent) = callback.holder() {
                *held.entry(agent).or_default() += callback.size;
            }
        }
        let waiting = newest
            .callbacks
            .values()
            .filter(|one| one.state() == State::Queued && one.preferred.is_none())
            .filter(|one| !newest.is_denied(one.reach.phone.as_ref()));
        let mut found = Vec::new();
        for callback in waiting {
            let could = idle.iter().find(|agent| {
                let settings = &newest.agents[*agent].settings;
                let room = settings.capacity.units - held.get(agent).copied().unwrap_or(0);
                let cools =
                    callback.declined.iter().any(|one| one.agent == **agent && one.until > steady);
                settings.membership(&callback.queue).is_some() && room >= callback.size && !cools
            });
            if let Some(agent) = could {
                found.push(format!("{} waits while {agent} is idle", callback.id));
            }
        }
        self.violations.extend(found);
    }

    /// Somebody outside was shown this version of a callback.
    pub(crate) fn show(&mut self, id: CallbackId, version: u64) {
        let shown = self.shown.entry(id).or_default();
        *shown = version.max(*shown);
    }

    /// A cancel was acknowledged.
    pub(crate) fn show_canceled(&mut self, id: CallbackId) {
        self.canceled.insert(id);
    }

    /// The engine has started again from what was durable.
    pub(crate) fn restarted(&mut self, entries: usize, durable: &Records) {
        self.sessions.clear();
        self.owed.retain(|_, number| *number <= entries);
        let mut found = Vec::new();
        for (id, shown) in &self.shown {
            match durable.callbacks.get(id) {
                None => found.push(format!("{id}: acknowledged, and lost")),
                Some(callback) if callback.version < *shown => found
                    .push(format!("{id}: version {shown} was shown, {} is left", callback.version)),
                Some(_) => {}
            }
        }
        for id in &self.canceled {
            let state = durable.callbacks.get(id).map(|callback| callback.state());
            if state != Some(State::Canceled) {
                found.push(format!("{id}: its cancel was acknowledged, it is {state:?}"));
            }
        }
        self.violations.extend(found);
    }
}

/// The transitions of a callback, as the domain's tables have them; staying is one.
fn legal(from: Option<State>, to: State) -> bool {
    use State::{
        Accepted, Calling, Canceled, ClosedAbandoned, ClosedComplete, Offered, Open, Queued, WrapUp,
    };
    let Some(from) = from else {
        return matches!(to, Open | Queued | ClosedAbandoned);
    };
    if from == to {
        return true;
    }
    match from {
        Open => matches!(to, Queued | Accepted | Canceled | ClosedAbandoned | ClosedComplete),
        Queued => {
            matches!(to, Offered | Accepted | Open | Canceled | ClosedAbandoned | ClosedComplete)
        }
        Offered => {
            matches!(to, Queued | Accepted | Open | Canceled | ClosedAbandoned | ClosedComplete)
        }
        Accepted => {
            matches!(to, Queued | Calling | Open | Canceled | ClosedAbandoned | ClosedComplete)
        }
        Calling => matches!(to, WrapUp | Open | ClosedAbandoned | ClosedComplete),
        WrapUp => matches!(to, Calling | Queued | Open | ClosedAbandoned | ClosedComplete),
        ClosedComplete | ClosedAbandoned | Canceled => false,
    }
}
