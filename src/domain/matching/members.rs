//! Agents and queues as they come, change and go, and the signatures made between them.
//!
//! These are the rare changes: who serves what, who holds which skill. They may cost as much as
//! there are signatures in the queues concerned; the frequent ones (presence, a call's end) are
//! in `choosing`.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use super::agents::Entry;
use super::signatures::{Able, Fit, Signature, SignatureKey};
use super::{AgentState, Filing, Matching, No, QueueState, Rules};
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::message::AgentReport;
use crate::domain::policy::AgentSettings;

/// Whether both fit the same work: everything but the name is equal.
fn fit_alike(one: &Arc<AgentSettings>, other: &Arc<AgentSettings>) -> bool {
    Arc::ptr_eq(one, other)
        || (one.queues == other.queues
            && one.skills == other.skills
            && one.capacity == other.capacity)
}

impl Matching {
    /// Takes an agent as they are. What may have to be filed anew is added to `touched`, and the
    /// caller refreshes their place among able ones.
    pub(crate) fn put_agent(
        &mut self,
        report: AgentReport,
        touched: &mut BTreeSet<CallbackId>,
    ) -> No<AgentState> {
        let no = self.agent_no(&report.settings.id);
        let agent = &mut self.agents[no];
        let took_work = agent.takes_work();
        let before = agent.report.replace(report);
        agent.rests = false;
        agent.changed();
        let takes_work = agent.takes_work();
        let after = agent.report.as_ref();
        let alike = before
            .as_ref()
            .zip(after)
            .is_some_and(|(before, after)| fit_alike(&before.settings, &after.settings));
        if !alike {
            self.refit(no, touched);
        }
        if !alike || took_work != takes_work {
            touched.extend(&self.agents[no].preferring);
        }
        no
    }

    /// Takes an agent out; what they hold stays until it is released.
    pub(crate) fn remove_agent(&mut self, id: &AgentId, touched: &mut BTreeSet<CallbackId>) {
        let Some(no) = self.agents.find(id) else {
            return;
        };
        let agent = &mut self.agents[no];
        agent.report = None;
        agent.rests = false;
        agent.last_offered = 0;
        agent.changed();
        self.refit(no, touched);
        touched.extend(&self.agents[no].preferring);
    }

    /// Takes a queue's rules as they are; what was there before.
    pub(crate) fn put_queue(&mut self, id: &QueueId, rules: Rules) -> Option<Rules> {
        let no = self.queue_no(id);
        self.queues_changed();
        self.queues[no].rules.replace(rules)
    }

    /// Takes a queue out; agents may go on serving it, and work may go on waiting.
    pub(crate) fn remove_queue(&mut self, id: &QueueId) {
        if let Some(no) = self.queues.find(id) {
            self.queues_changed();
            self.queues[no].rules = None;
            self.forget_queue(no);
        }
    }

    /// Refreshes everyone's place after the queue's strategy has changed.
    pub(crate) fn refresh_members(&mut self, id: &QueueId) {
        if let Some(no) = self.queues.find(id) {
            for agent in self.queues[no].members.clone() {
                self.refresh(agent);
            }
        }
    }

    /// Works out anew which signatures the agent fits.
    fn refit(&mut self, no: No<AgentState>, touched: &mut BTreeSet<CallbackId>) {
        let report = self.agents[no].report.as_ref();
        let settings = report.map(|report| report.settings.clone());
        let memberships = settings.iter().flat_map(|settings| &settings.queues);
        let joined: Vec<_> =
            memberships.map(|one| (self.queue_no(&one.queue), one.preference)).collect();
        let left = mem::take(&mut self.agents[no].queues);
        let mut concerned: BTreeSet<_> = joined.iter().map(|(queue, _)| *queue).collect();
        concerned.extend(&left);

        for queue in &concerned {
            self.touch_sensitive(*queue, touched);
        }
        self.leave(no, &left);
        if let Some(settings) = &settings {
            self.join(no, settings, &joined);
        }
        for queue in &concerned {
            self.touch_sensitive(*queue, touched);
        }
        for queue in left {
            self.forget_queue(queue);
        }
    }

    fn leave(&mut self, no: No<AgentState>, queues: &[No<QueueState>]) {
        for queue in queues {
            self.queues[*queue].members.remove(&no);
        }
        for entry in mem::take(&mut self.agents[no].entries) {
            let signature = &mut self.signatures[entry.signature];
            signature.eligible -= 1;
            if let Some(able) = entry.able {
                signature.remove_able(entry.fit.preference, &able);
            }
        }
    }

    fn join(
        &mut self,
        no: No<AgentState>,
        settings: &AgentSettings,
        queues: &[(No<QueueState>, u8)],
    ) {
        let agent = &mut self.agents[no];
        for (queue, preference) in queues {
            if !self.queues[*queue].members.insert(no) {
                continue;
            }
            agent.queues.push(*queue);
            for number in &self.queues[*queue].signatures {
                let signature = &mut self.signatures[*number];
                if let Some(fit) = Fit::of(settings, *preference, &signature.key) {
                    signature.eligible += 1;
                    agent.entries.push(Entry { signature: *number, fit, able: None });
                }
            }
        }
        agent.entries.sort_unstable_by_key(|entry| entry.signature);
    }

    /// Names the work of a queue to which one agent more or less makes a difference: where there
    /// is no other, or some declined, or that is looked at one by one anyway.
    fn touch_sensitive(&mut self, queue: No<QueueState>, touched: &mut BTreeSet<CallbackId>) {
        let queue = &self.queues[queue];
        touched.extend(&queue.overflow);
        for signature in &queue.signatures {
            let signature = &mut self.signatures[*signature];
            signature.nobody.take();
            touched.extend(&signature.declined);
            if signature.eligible == 0 {
                touched.extend(signature.lines.ids());
            }
        }
    }

    /// Under what all that is asked like this is filed: its signature, made if there is room for it
    /// in the table. Signatures without waiting work go first, the one unused longest before the
    /// others, so nobody may keep the number of one without filing work there.
    pub(super) fn filing_of(&mut self, key: SignatureKey) -> Filing {
        self.asks += 1;
        let Some(number) = self.signatures.find(&key).or_else(|| self.make_signature(&key)) else {
            return Filing::Overflow(Box::new(key));
        };
        self.signatures[number].last_used = self.asks;
        Filing::Signature(number)
    }

    fn make_signature(&mut self, key: &SignatureKey) -> Option<No<Signature>> {
        if self.in_use >= self.max_signatures {
            return None;
        }
        if self.signatures.len() >= self.max_signatures {
            let unused = self.signatures.iter().filter(|(_, signature)| signature.waiting == 0);
            let oldest = unused.min_by_key(|(_, signature)| signature.last_used);
            let oldest = oldest.map(|(number, _)| number);
            self.remove_signature(oldest?);
        }
        let number = self.signatures.insert(key.clone(), Signature::new(key.clone()));
        let queue = &mut self.queues[key.queue];
        queue.signatures.insert(number);
        let strategy = queue.strategy();
        for no in &queue.members {
            let agent = &mut self.agents[*no];
            let Some(fit) = agent.fit_of(&queue.id, key) else {
                continue;
            };
            let able =
                agent.can_hold(key.medium, key.size).then(|| Able::new(*no, agent, &fit, strategy));
            let signature = &mut self.signatures[number];
            signature.eligible += 1;
            if let Some(able) = &able {
                signature.insert_able(fit.preference, able.clone());
            }
            let place = agent.place_of(number).expect_err("the signature is new");
            agent.entries.insert(place, Entry { signature: number, fit, able });
        }
        Some(number)
    }

    /// Takes out a signature that nothing waits under.
    pub(super) fn remove_signature(&mut self, number: No<Signature>) {
        let signature = &self.signatures[number];
        assert_eq!(signature.waiting, 0, "a signature with waiting work is kept");
        let key = signature.key.clone();
        let queue = &mut self.queues[key.queue];
        queue.signatures.remove(&number);
        for no in &queue.members {
            let agent = &mut self.agents[*no];
            if let Ok(place) = agent.place_of(number) {
                agent.entries.remove(place);
            }
        }
        self.signatures.remove(&key);
    }
}
