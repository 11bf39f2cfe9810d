//! How a callback is filed: under which signature, in which line, for whom, and until when.
//!
//! Everything that follows from a callback and the time is worked out here, in one place and from
//! nothing else, so that filing it anew after any change is always right.

use super::lines::Standing;
use super::signatures::{Signature, SignatureKey};
use super::{AgentState, Matching, No, QueueState};
use crate::domain::callback::{Declined, Fallback, PreferMode, Preferred};
use crate::domain::ids::CallbackId;
use crate::domain::message::Work;
use crate::domain::time::Timestamp;

/// Where work is filed.
#[derive(Debug)]
pub(crate) enum Filing {
    /// Under what it shares with all work that is alike.
    Signature(No<Signature>),
    /// By itself: every signature that the table has room for has waiting work.
    Overflow(Box<SignatureKey>),
}

/// A waiting callback and what follows from it at a moment.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) work: Box<Work>,
    pub(crate) queue: No<QueueState>,
    pub(crate) filing: Filing,
    pub(crate) standing: Standing,
    /// The agent asked for.
    pub(crate) preferred: Option<No<AgentState>>,
    /// The one agent that it waits for.
    pub(crate) waits_for: Option<No<AgentState>>,
    /// Agents who fit and aren't offered it at the moment, or for good.
    pub(crate) excluded: Box<[No<AgentState>]>,
    /// When time changes any of this.
    pub(crate) review: Option<Timestamp>,
}

/// Collects the instants at which something changes, and keeps the next.
struct Review {
    now: Timestamp,
    next: Timestamp,
}

impl Review {
    /// Whether `at` is still to come; if so, it is looked at again then.
    fn before(&mut self, at: Timestamp) -> bool {
        if self.now < at {
            self.next = self.next.min(at);
        }
        self.now < at
    }
}

impl Matching {
    /// Works out how a callback is to be filed at `now`; [`Matching::file`] or
    /// [`Matching::let_go`] follows.
    pub(crate) fn classify(&mut self, work: Box<Work>, now: Timestamp) -> Waiting {
        let queue = self.queue_no(&work.queue);
        let waited = now.since(work.waiting_since);
        let asked = work.requirements.in_force(waited);
        let key = SignatureKey { queue, medium: work.medium, size: work.size, asked };
        let filing = self.filing_of(key);
        let preferred = work.preferred.as_deref().map(|(wish, _)| self.agent_no(&wish.agent));

        let mut review = Review { now, next: Timestamp::NEVER };
        if let Some(after) = work.requirements.next_expiry(waited) {
            review.before(work.waiting_since + after);
        }
        let standing = self.standing(&work, queue, &mut review);
        let mut waiting = Waiting {
            work,
            queue,
            filing,
            standing,
            preferred,
            waits_for: None,
            excluded: Box::default(),
            review: None,
        };
        // Who requires it comes before who declined it (nobody else is eligible then), and that
        // before who is preferred (who declined isn't waited for).
        waiting.waits_for = self.required(&waiting, &mut review);
        waiting.excluded = self.excluded(&waiting, &mut review);
        waiting.waits_for = waiting.waits_for.or_else(|| self.awaited(&waiting, &mut review));
        waiting.review = (review.next < Timestamp::NEVER).then_some(review.next);
        waiting
    }

    fn standing(&self, work: &Work, queue: No<QueueState>, review: &mut Review) -> Standing {
        let rules = self.queues[queue].rules;
        let limit = rules.and_then(|rules| rules.preference_limit);
        let aged = limit.is_some_and(|limit| !review.before(work.waiting_since + limit));
        let urgent = work.promise.zip(rules).and_then(|(promise, rules)| {
            (!review.before(promise - rules.promise_slack)).then_some(promise)
        });
        Standing { urgent, aged, rank: work.rank, id: work.id }
    }

    /// The agent whom it requires, while nobody else may take it.
    fn required(&self, waiting: &Waiting, review: &mut Review) -> Option<No<AgentState>> {
        let (wish, until) = waiting.work.preferred.as_deref()?;
        let agent = waiting.preferred?;
        if wish.mode == PreferMode::Prefer {
            return None;
        }
        let alone =
            waits_for_good(wish) || (review.before(*until) && self.could_take(agent, waiting));
        alone.then_some(agent)
    }

    /// The agent whom it prefers, while it waits for them.
    fn awaited(&self, waiting: &Waiting, review: &mut Review) -> Option<No<AgentState>> {
        let (wish, until) = waiting.work.preferred.as_deref()?;
        let agent = waiting.preferred?;
        let awaited = wish.mode == PreferMode::Prefer
            && review.before(*until)
            && self.agents[agent].takes_work()
            && !waiting.excluded.contains(&agent)
            && self.could_take(agent, waiting);
        awaited.then_some(agent)
    }

    /// Agents who fit but declined it: for good, or until their cool-down is over.
    fn excluded(&self, waiting: &Waiting, review: &mut Review) -> Box<[No<AgentState>]> {
        let mut excluded = Vec::new();
        for declined in &waiting.work.declined {
            let Some(agent) = self.agents.find(&declined.agent) else {
                continue;
            };
            if self.fit(agent, waiting.queue, &waiting.filing).is_some()
                && review.before(self.cooldown_end(agent, declined, waiting))
                && !excluded.contains(&agent)
            {
                excluded.push(agent);
            }
        }
        excluded.into()
    }

    /// Until when the agent isn't offered it: shorter where nobody else is eligible.
    pub(crate) fn cooldown_end(
        &self,
        agent: No<AgentState>,
        declined: &Declined,
        waiting: &Waiting,
    ) -> Timestamp {
        if !declined.bars() && self.is_lone(agent, waiting) {
            declined.until.min(declined.lone_until)
        } else {
            declined.until
        }
    }

    /// Puts a callback in its line.
    pub(crate) fn file(&mut self, waiting: Waiting) {
        let id = waiting.work.id;
        for agent in &waiting.excluded {
            self.agents[*agent].excluded.insert(id);
        }
        if let Some(agent) = waiting.preferred {
            self.agents[agent].preferring.insert(id);
        }
        if let Some(at) = waiting.review {
            self.reviews.insert((at, id));
        }
        match &waiting.filing {
            Filing::Signature(number) => {
                let signature = &mut self.signatures[*number];
                self.in_use += usize::from(signature.waiting == 0);
                signature.waiting += 1;
                if !waiting.work.declined.is_empty() {
                    signature.declined.insert(id);
                }
                let lines = match waiting.waits_for {
                    Some(agent) => self.agents[agent].reserved.entry(*number).or_default(),
                    None => &mut signature.lines,
                };
                lines.insert(&waiting.standing);
            }
            Filing::Overflow(_) => {
                self.queues[waiting.queue].overflow.insert(id);
            }
        }
        self.count_in(&waiting);
        let before = self.waiting.insert(id, Box::new(waiting));
        assert!(before.is_none(), "a callback waits once");
    }

    /// Takes a callback out of its line; [`Matching::let_go`] follows, or it is filed anew.
    pub(crate) fn unfile(&mut self, id: CallbackId) -> Option<Waiting> {
        let waiting = *self.waiting.remove(&id)?;
        for agent in &waiting.excluded {
            self.agents[*agent].excluded.remove(&id);
        }
        if let Some(agent) = waiting.preferred {
            self.agents[agent].preferring.remove(&id);
        }
        if let Some(at) = waiting.review {
            self.reviews.remove(&(at, id));
        }
        match &waiting.filing {
            Filing::Signature(number) => {
                let signature = &mut self.signatures[*number];
                signature.waiting -= 1;
                self.in_use -= usize::from(signature.waiting == 0);
                signature.declined.remove(&id);
                if let Some(agent) = waiting.waits_for {
                    let reserved = &mut self.agents[agent].reserved;
                    let lines = reserved.get_mut(number).expect("it stands in this agent's line");
                    lines.remove(&waiting.standing);
                    if lines.is_empty() {
                        reserved.remove(number);
                    }
                } else {
                    signature.lines.remove(&waiting.standing);
                }
            }
            Filing::Overflow(_) => {
                self.queues[waiting.queue].overflow.remove(&id);
            }
        }
        self.count_out(&waiting);
        Some(waiting)
    }

    /// Forgets whom and what only this callback spoke of.
    pub(crate) fn let_go(&mut self, waiting: &Waiting) {
        let named = waiting.work.preferred.iter().map(|wished| &wished.0.agent);
        for agent in named.chain(waiting.work.declined.iter().map(|declined| &declined.agent)) {
            if let Some(agent) = self.agents.find(agent) {
                self.forget_agent(agent);
            }
        }
        if self.queues[waiting.queue].rules.is_none() {
            self.forget_queue(waiting.queue);
        }
    }
}

/// Whether it waits for this agent and nobody else, however long.
pub(crate) fn waits_for_good(wish: &Preferred) -> bool {
    wish.mode == PreferMode::Require && wish.fallback == Fallback::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_takes_128_bytes_and_so_does_what_is_noted_of_it() {
        // The allocator's next size is 160, and everything in line has one of each.
        let (work, noted) = (size_of::<Work>(), size_of::<Waiting>());
        assert!(work <= 128 && noted <= 128, "{work} and {noted} bytes");
    }
}
