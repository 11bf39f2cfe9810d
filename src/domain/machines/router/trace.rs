//! Why a callback isn't assigned, agent by agent, in words for people.
//!
//! It is separate because it explains decisions and takes none; it asks the same questions as the
//! decisions do, of the same structures, in the documented order. The supervisor's page says these
//! sentences in other languages and knows them word for word (src/pages/supervisor/why.js).

use super::RouterMachine;
use crate::domain::agent::Presence;
use crate::domain::effect::{Candidate, Failed, Trace};
use crate::domain::ids::AgentId;
use crate::domain::matching::{AgentState, No, Waiting, fits_when_free, waits_for_good};
use crate::domain::message::{AgentReport, Work};
use crate::domain::time::Timestamp;

/// So many agents are named in one sentence.
const NAMED: usize = 3;

/// How one agent failed, or that they didn't.
type Verdict = (Option<Failed>, String);

fn failed(test: Failed, detail: impl Into<String>) -> Verdict {
    (Some(test), detail.into())
}

/// Seconds from `now` to `at`, rounded up, as people read them.
fn seconds(now: Timestamp, at: Timestamp) -> String {
    format!("{} s", at.since(now).0.max(0).saturating_add(999) / 1_000)
}

impl RouterMachine {
    /// Tests each agent of the queue, and the preferred one, as they are at `now`.
    pub(super) fn trace(&mut self, work: Box<Work>, now: Timestamp) -> Trace {
        let waiting = self.matching.classify(work, now);
        let candidates: Vec<Candidate> = self
            .candidates(&waiting)
            .into_iter()
            .map(|(id, no)| {
                let (failed, detail) = self.verdict(no, &waiting, now);
                Candidate { agent: id, failed, detail }
            })
            .collect();
        let would_change = self.would_change(&candidates, &waiting, now);
        self.matching.let_go(&waiting);
        Trace { candidates, would_change }
    }

    /// Whom the trace tells of, by id; the preferred agent is among them in any case.
    fn candidates(&self, waiting: &Waiting) -> Vec<(AgentId, No<AgentState>)> {
        let with_id = |no: No<AgentState>| (self.matching.agents[no].id.clone(), no);
        let members = &self.matching.queues[waiting.queue].members;
        let mut candidates: Vec<_> = members.iter().map(|no| with_id(*no)).collect();
        candidates.sort_unstable();
        candidates.truncate(self.limits.max_candidates);
        if let Some(preferred) = waiting.preferred.map(with_id)
            && let Err(place) = candidates.binary_search(&preferred)
        {
            if candidates.len() == self.limits.max_candidates {
                candidates.pop();
            }
            candidates.insert(place.min(candidates.len()), preferred);
        }
        candidates
    }

    fn verdict(&self, no: No<AgentState>, waiting: &Waiting, now: Timestamp) -> Verdict {
        let agent = &self.matching.agents[no];
        let Some(report) = &agent.report else {
            return failed(Failed::NotInQueue, "there is no such agent");
        };
        if agent.held.contains_key(&waiting.work.id) {
            return (None, "is offered it, or has it".to_owned());
        }
        self.could_ever(report, waiting)
            .or_else(|| Self::is_there(report))
            .or_else(|| Self::has_room(agent, report, waiting))
            .or_else(|| self.may_have_it(no, waiting, now))
            .unwrap_or_else(|| (None, "can take it".to_owned()))
    }

    /// Tests of settings and of what was said for good.
    fn could_ever(&self, report: &AgentReport, waiting: &Waiting) -> Option<Verdict> {
        let settings = &report.settings;
        let queue = &waiting.work.queue;
        if settings.membership(queue).is_none() {
            return Some(failed(Failed::NotInQueue, format!("doesn't serve {queue}")));
        }
        if let Some(lacking) = self.matching.key_of(waiting).asked.lacking(&settings.skills) {
            let held = lacking.held.map_or("none".to_owned(), |level| level.value().to_string());
            let level = lacking.min_level.value();
            let detail = format!("needs {} at level {level}, has {held}", lacking.skill);
            return Some(failed(Failed::MissingSkill, detail));
        }
        let mut declined = waiting.work.declined.iter();
        declined
            .any(|declined| declined.agent == settings.id && declined.bars())
            .then(|| failed(Failed::Barred, "declined it with a reason that bars them for good"))
    }

    fn is_there(report: &AgentReport) -> Option<Verdict> {
        match report.presence {
            Presence::Offline => Some(failed(Failed::Offline, "is offline")),
            Presence::Away => Some(failed(Failed::Away, "is away")),
            Presence::Available if !report.connected => {
                Some(failed(Failed::NotConnected, "has no session"))
            }
            Presence::Available => None,
        }
    }

    fn has_room(agent: &AgentState, report: &AgentReport, waiting: &Waiting) -> Option<Verdict> {
        let (medium, size) = (waiting.work.medium, waiting.work.size);
        if agent.has_room(medium, size) {
            return None;
        }
        let units = report.settings.capacity.units;
        let detail = if !fits_when_free(&report.settings, medium, size) {
            format!("has no room for {size} units of {} even when free", medium.as_str())
        } else if agent.free_units() < size {
            format!("needs {size} free, uses {} of {units} units", agent.used_units())
        } else {
            format!("holds as much {} as they may: {}", medium.as_str(), agent.held_of(medium))
        };
        Some(failed(Failed::AtCapacity, detail))
    }

    /// Tests of the pair at this moment.
    fn may_have_it(
        &self,
        no: No<AgentState>,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Option<Verdict> {
        if let Some(end) = self.cooldown_end(no, waiting).filter(|end| now < *end) {
            let detail = format!("declined it, is offered it again in {}", seconds(now, end));
            return Some(failed(Failed::Cooldown, detail));
        }
        if let Some(only) = waiting.waits_for.filter(|only| *only != no) {
            let only = &self.matching.agents[only].id;
            return Some(failed(Failed::ReservedForPreferred, format!("it waits for {only}")));
        }
        let kept = self.matching.keeps_room_from(no, waiting);
        kept.then(|| failed(Failed::AtCapacity, "keeps the free units for a larger one before it"))
    }

    fn cooldown_end(&self, no: No<AgentState>, waiting: &Waiting) -> Option<Timestamp> {
        let id = &self.matching.agents[no].id;
        let declined = waiting.work.declined.iter().find(|declined| declined.agent == *id)?;
        Some(self.matching.cooldown_end(no, declined, waiting))
    }

    /// What would have to change for it to be offered, the nearest at hand first.
    fn would_change(
        &self,
        candidates: &[Candidate],
        waiting: &Waiting,
        now: Timestamp,
    ) -> Vec<String> {
        let work = &waiting.work;
        let queue = &self.matching.queues[waiting.queue];
        let mut changes = Vec::new();
        if !queue.offers() {
            changes.push(format!("Offers of {} are resumed.", work.queue));
        }
        if candidates.iter().any(|candidate| candidate.failed.is_none()) {
            return changes;
        }
        let mut for_good = None;
        if let (Some(only), Some((wish, until))) = (waiting.waits_for, work.preferred.as_deref()) {
            let only = &self.matching.agents[only].id;
            changes.push(if waits_for_good(wish) {
                for_good = Some(only);
                format!("{only} can take it; it waits for nobody else.")
            } else {
                format!(
                    "{only} can take it, or the wait for them ends in {}.",
                    seconds(now, *until)
                )
            });
        }
        // What others lack is of no matter where it waits for one alone.
        let matter = |one: &&Candidate| for_good.is_none_or(|only| one.agent == *only);
        let among =
            |test| candidates.iter().filter(matter).filter(move |one| one.failed == Some(test));
        let cooling = among(Failed::Cooldown).filter_map(|one| {
            let no = self.matching.agents.find(&one.agent)?;
            Some((self.cooldown_end(no, waiting)?, &one.agent))
        });
        if let Some((end, agent)) = cooling.min() {
            changes.push(format!("{agent}'s cool-down ends in {}.", seconds(now, end)));
        }
        let sentences = [
            (Failed::AtCapacity, "has room again"),
            (Failed::NotConnected, "connects"),
            (Failed::Away, "becomes available"),
            (Failed::Offline, "becomes available"),
            (Failed::MissingSkill, "is given the skills asked for"),
        ];
        for (test, change) in sentences {
            let names: Vec<_> = among(test).map(|one| one.agent.as_str()).collect();
            if let [first, ..] = names[..] {
                let of = names[..names.len().min(NAMED)].join(", ");
                let more = if names.len() > NAMED { ", …" } else { "" };
                changes.push(match names.len() {
                    1 => format!("{first} {change}."),
                    count => format!("One of {count} agents {change}: {of}{more}."),
                });
            }
        }
        let waited = now.since(work.waiting_since);
        if let Some(after) = work.requirements.next_expiry(waited) {
            let at = seconds(now, work.waiting_since + after);
            changes.push(format!("A requirement expires in {at}."));
        }
        if queue.members.is_empty() {
            changes.push(format!("An agent is added to {}.", work.queue));
        }
        changes
    }
}
