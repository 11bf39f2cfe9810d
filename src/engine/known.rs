//! Settings of queues, agents and webhooks, keys and the deny list as they are now, which others
//! depend on.
//!
//! An agent's timers are the largest among their queues', and a callback that is read from the
//! store needs its queue; both are known here as soon as they are journaled. Also who is on the
//! way into a queue, so that a queue isn't removed under a callback that is just being made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::effect::{Change, WebhookChange};
use crate::domain::ids::{AgentId, QueueId, WebhookId};
use crate::domain::key::{ApiKey, TokenHash};
use crate::domain::message::{AgentMessage, AgentTimers, Letter, QueueMessage};
use crate::domain::phone::PhoneNumber;
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::domain::queue::Queue;
use crate::domain::time::Span;
use crate::domain::webhook::Webhook;

/// What is known of queues, agents, webhooks, keys and the deny list, and of commands under way
/// that bring something into a queue or take a queue away.
#[derive(Debug, Default)]
pub(crate) struct Known {
    queues: BTreeMap<QueueId, Arc<Queue>>,
    agents: BTreeMap<AgentId, (Arc<AgentSettings>, AgentTimers)>,
    /// How many agents serve each queue.
    staff: BTreeMap<QueueId, u32>,
    webhooks: BTreeMap<WebhookId, Arc<Webhook>>,
    /// Keys, revoked ones of the configuration too.
    keys: BTreeMap<TokenHash, Arc<ApiKey>>,
    /// Keys as the configuration has them.
    configured_keys: BTreeMap<TokenHash, Arc<ApiKey>>,
    /// Numbers that aren't called, each with the version of its entry.
    denied: BTreeMap<PhoneNumber, u64>,
    /// Commands under way that bring a callback into a queue.
    arriving: BTreeMap<QueueId, u32>,
    /// Queues whose removal is under way.
    closing: BTreeSet<QueueId>,
}

impl Known {
    /// Takes note of changes; returns what agents must be told of their timers, and queues of their
    /// agents.
    pub(crate) fn learn(&mut self, changes: &[Change]) -> Vec<Letter> {
        let mut letters = Vec::new();
        for change in changes {
            match change {
                Change::Queue(queue) => {
                    let id = queue.settings.id.clone();
                    let known = self.queues.insert(id.clone(), Arc::clone(queue));
                    letters.extend(self.refresh_timers(&id));
                    // Agents may serve a queue before it is made.
                    if known.is_none() && self.agents_of(&id) > 0 {
                        letters.push(self.tell_staff(&id));
                    }
                }
                Change::QueueRemoved(id) => {
                    self.queues.remove(id);
                    letters.extend(self.refresh_timers(id));
                }
                // Agents come and go all day; how they are set up hardly ever changes.
                Change::Agent(agent) if self.is_set_up_so(&agent.settings) => {}
                Change::Agent(agent) => {
                    let timers = self.timers(&agent.settings);
                    let id = agent.settings.id.clone();
                    let old = self.agents.insert(id, (Arc::clone(&agent.settings), timers));
                    let old = old.as_ref().map(|(settings, _)| &**settings);
                    letters.extend(self.staff(old, Some(&agent.settings)));
                }
                Change::AgentRemoved(id) => {
                    let old = self.agents.remove(id);
                    let old = old.as_ref().map(|(settings, _)| &**settings);
                    letters.extend(self.staff(old, None));
                }
                Change::Denied(phone, Some(denied)) => {
                    self.denied.insert(*phone, denied.version);
                }
                Change::Denied(phone, None) => drop(self.denied.remove(phone)),
                Change::Key(token, Some(key)) => drop(self.keys.insert(*token, Arc::clone(key))),
                Change::Key(token, None) => drop(self.keys.remove(token)),
                Change::Webhook(WebhookChange::Put(webhook)) => {
                    self.webhooks.insert(webhook.settings.id.clone(), Arc::clone(webhook));
                }
                Change::Webhook(WebhookChange::Removed(id)) => {
                    self.webhooks.remove(id);
                }
                Change::Callback { .. }
                | Change::Request { .. }
                | Change::Interaction { .. }
                | Change::Measured(_)
                | Change::Outbox(_)
                | Change::Webhook(
                    WebhookChange::Progress(_)
                    | WebhookChange::Again { .. }
                    | WebhookChange::TakenAgain { .. },
                ) => {}
            }
        }
        letters
    }

    /// Whether these are an agent's settings as they are known.
    fn is_set_up_so(&self, settings: &Arc<AgentSettings>) -> bool {
        self.agents.get(&settings.id).is_some_and(|(known, _)| Arc::ptr_eq(known, settings))
    }

    /// Whether the number, if there is one, is on the deny list.
    pub(crate) fn is_denied(&self, phone: Option<&PhoneNumber>) -> bool {
        phone.is_some_and(|phone| self.denied.contains_key(phone))
    }

    /// The version of a number on the deny list; 0 if it isn't there.
    pub(crate) fn denied_version(&self, phone: &PhoneNumber) -> u64 {
        self.denied.get(phone).copied().unwrap_or(0)
    }

    /// How many numbers are on the deny list.
    pub(crate) fn denied_count(&self) -> usize {
        self.denied.len()
    }

    /// What the configuration has of keys.
    pub(crate) fn configure(&mut self, keys: &[Arc<ApiKey>]) {
        self.configured_keys = keys.iter().map(|key| (key.token, Arc::clone(key))).collect();
    }

    /// A key as the configuration has it.
    pub(crate) fn configured_key(&self, token: &TokenHash) -> Option<&Arc<ApiKey>> {
        self.configured_keys.get(token)
    }

    /// A key, as it is now; revoked perhaps.
    pub(crate) fn key(&self, token: &TokenHash) -> Option<&Arc<ApiKey>> {
        self.keys.get(token)
    }

    /// How many keys are good.
    pub(crate) fn key_count(&self) -> usize {
        self.keys.values().filter(|key| key.grant.is_some()).count()
    }

    /// A queue, as it is now.
    pub(crate) fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.queues.get(id).cloned()
    }

    /// A webhook, as it is now.
    pub(crate) fn webhook(&self, id: &WebhookId) -> Option<Arc<Webhook>> {
        self.webhooks.get(id).cloned()
    }

    /// How many webhooks there are.
    pub(crate) fn webhook_count(&self) -> usize {
        self.webhooks.len()
    }

    /// The queue of a callback. An ended callback may outlive its queue: then one with every
    /// default stands in, which decides nothing for it any more.
    pub(crate) fn queue_of(&self, id: &QueueId) -> Arc<Queue> {
        self.queue(id).unwrap_or_else(|| {
            Arc::new(Queue {
                settings: Arc::new(QueueSettings::new(id.clone())),
                version: 0,
                intake_paused: None,
                offers_paused: None,
                pauses: Vec::new(),
                unchecked: false,
            })
        })
    }

    /// How many agents serve the queue.
    pub(crate) fn agents_of(&self, queue: &QueueId) -> u32 {
        self.staff.get(queue).copied().unwrap_or(0)
    }

    /// An agent is set up otherwise, or gone: returns what their queues must be told.
    fn staff(&mut self, old: Option<&AgentSettings>, new: Option<&AgentSettings>) -> Vec<Letter> {
        let queues = |settings: Option<&AgentSettings>| -> BTreeSet<QueueId> {
            let places = settings.into_iter().flat_map(|settings| &settings.queues);
            places.map(|place| place.queue.clone()).collect()
        };
        let (old, new) = (queues(old), queues(new));
        for queue in old.difference(&new) {
            if let Some(count) = self.staff.get_mut(queue) {
                *count -= 1;
            }
        }
        for queue in new.difference(&old) {
            *self.staff.entry(queue.clone()).or_default() += 1;
        }
        self.staff.retain(|_, count| *count > 0);
        old.symmetric_difference(&new).map(|queue| self.tell_staff(queue)).collect()
    }

    fn tell_staff(&self, queue: &QueueId) -> Letter {
        let agents = self.agents_of(queue);
        Letter::Queue(queue.clone(), QueueMessage::Staff { agents })
    }

    /// All queues' ids.
    pub(crate) fn queue_ids(&self) -> Vec<QueueId> {
        self.queues.keys().cloned().collect()
    }

    /// Whether the agent serves the queue.
    pub(crate) fn serves(&self, agent: &AgentId, queue: &QueueId) -> bool {
        self.agents.get(agent).is_some_and(|(settings, _)| settings.membership(queue).is_some())
    }

    /// An agent's timers: the largest among their queues'; the defaults if they have none.
    pub(crate) fn timers(&self, settings: &AgentSettings) -> AgentTimers {
        let theirs = settings.queues.iter().filter_map(|place| self.queues.get(&place.queue));
        let timers = theirs.map(|queue| timers_of(&queue.settings));
        timers.reduce(largest).unwrap_or_else(|| {
            let id = QueueId::parse("none").expect("it is a slug");
            timers_of(&QueueSettings::new(id))
        })
    }

    fn refresh_timers(&mut self, queue: &QueueId) -> Vec<Letter> {
        let mut letters = Vec::new();
        let mut agents = std::mem::take(&mut self.agents);
        for (id, (settings, timers)) in &mut agents {
            if settings.membership(queue).is_none() {
                continue;
            }
            let fresh = self.timers(settings);
            if fresh != *timers {
                *timers = fresh;
                letters.push(Letter::Agent(id.clone(), AgentMessage::SetTimers(fresh)));
            }
        }
        self.agents = agents;
        letters
    }

    /// A callback is on its way into a queue; false: there is no such queue, or soon none.
    pub(crate) fn arrive(&mut self, queue: &QueueId) -> bool {
        let stays = self.queues.contains_key(queue) && !self.closing.contains(queue);
        if stays {
            *self.arriving.entry(queue.clone()).or_default() += 1;
        }
        stays
    }

    /// It has arrived, or won't.
    pub(crate) fn arrived(&mut self, queue: &QueueId) {
        if let Some(count) = self.arriving.get_mut(queue) {
            *count -= 1;
            if *count == 0 {
                self.arriving.remove(queue);
            }
        }
    }

    /// A queue is about to be removed: nothing comes in from now on. False: something is on its
    /// way there already, or another removal is.
    pub(crate) fn begin_removal(&mut self, queue: &QueueId) -> bool {
        !self.arriving.contains_key(queue) && self.closing.insert(queue.clone())
    }

    /// A removal was carried out, or refused.
    pub(crate) fn removal_over(&mut self, queue: &QueueId) {
        self.closing.remove(queue);
    }
}

fn timers_of(settings: &QueueSettings) -> AgentTimers {
    AgentTimers {
        session_grace: Span::seconds(settings.session_grace_seconds),
        call_grace: Span::seconds(settings.call_grace_seconds),
        max_missed_offers: match settings.max_missed_offers {
            // Never, which is more than any other number.
            0 => u32::MAX,
            bound => bound,
        },
    }
}

fn largest(one: AgentTimers, other: AgentTimers) -> AgentTimers {
    AgentTimers {
        session_grace: one.session_grace.max(other.session_grace),
        call_grace: one.call_grace.max(other.call_grace),
        max_missed_offers: one.max_missed_offers.max(other.max_missed_offers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{Capacity, Membership};
    use crate::domain::skills::Skills;

    fn queue(id: &str, session_grace_seconds: u32, call_grace_seconds: u32) -> Change {
        let id = QueueId::parse(id).expect("a slug");
        let mut settings = QueueSettings::new(id.clone());
        settings.session_grace_seconds = session_grace_seconds;
        settings.call_grace_seconds = call_grace_seconds;
        let queue = Known::default().queue_of(&id);
        Change::Queue(Arc::new(Queue { settings: Arc::new(settings), ..Queue::clone(&queue) }))
    }

    fn agent(known: &mut Known, queues: &[&str]) -> AgentSettings {
        let place =
            |id: &&str| Membership { queue: QueueId::parse(id).expect("a slug"), preference: 1 };
        let settings = AgentSettings {
            id: AgentId::parse("mara").expect("a slug"),
            name: "Mara".to_owned(),
            queues: queues.iter().map(place).collect(),
            skills: Skills::default(),
            capacity: Capacity::default(),
        };
        let timers = known.timers(&settings);
        known.agents.insert(settings.id.clone(), (Arc::new(settings.clone()), timers));
        settings
    }

    #[test]
    fn an_agents_timers_are_the_largest_among_their_queues() {
        let mut known = Known::default();
        known.learn(&[queue("a", 10, 900), queue("b", 40, 60), queue("c", 99, 9_999)]);
        let settings = agent(&mut known, &["a", "b", "gone"]);
        let timers = known.timers(&settings);
        assert_eq!(timers.session_grace, Span::seconds(40));
        assert_eq!(timers.call_grace, Span::seconds(900));
        let settings = agent(&mut known, &[]);
        assert_eq!(known.timers(&settings).session_grace, Span::seconds(30), "the default");
    }

    #[test]
    fn no_bound_on_missed_offers_is_the_largest_of_all() {
        let mut known = Known::default();
        let missed = |id, max_missed_offers| {
            let Change::Queue(queue) = queue(id, 10, 900) else { unreachable!("it makes queues") };
            let mut queue = Queue::clone(&queue);
            Arc::make_mut(&mut queue.settings).max_missed_offers = max_missed_offers;
            Change::Queue(Arc::new(queue))
        };
        known.learn(&[missed("a", 3), missed("b", 0)]);
        let settings = agent(&mut known, &["a"]);
        assert_eq!(known.timers(&settings).max_missed_offers, 3);
        let settings = agent(&mut known, &["a", "b"]);
        assert_eq!(known.timers(&settings).max_missed_offers, u32::MAX);
    }

    #[test]
    fn agents_are_told_when_a_queue_of_theirs_changes_their_timers_and_only_then() {
        let mut known = Known::default();
        known.learn(&[queue("a", 10, 900), queue("b", 40, 60)]);
        agent(&mut known, &["a", "b"]);
        assert!(known.learn(&[queue("a", 20, 900)]).is_empty(), "b's 40 s are still the largest");
        let told = known.learn(&[queue("a", 50, 900)]);
        assert!(matches!(
            told.as_slice(),
            [Letter::Agent(_, AgentMessage::SetTimers(timers))]
                if timers.session_grace == Span::seconds(50)
        ));
        assert!(known.learn(&[queue("c", 5_000, 5_000)]).is_empty());
    }

    #[test]
    fn a_queue_is_not_removed_under_a_callback_on_its_way_there() {
        let mut known = Known::default();
        let id = QueueId::parse("a").expect("a slug");
        assert!(!known.arrive(&id), "there is no such queue");
        known.learn(&[queue("a", 10, 900)]);
        assert!(known.arrive(&id) && known.arrive(&id));
        known.arrived(&id);
        assert!(!known.begin_removal(&id));
        known.arrived(&id);
        assert!(known.begin_removal(&id) && !known.begin_removal(&id));
        assert!(!known.arrive(&id));
        known.removal_over(&id);
        assert!(known.arrive(&id));
    }
}
