//! Signatures: what all work that is alike asks for, and who could do it.
//!
//! It is separate because this is what makes a decision cheap: thousands of callbacks share a
//! signature, so whether an agent fits is worked out once for all of them, and kept.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::agents::AgentState;
use super::lines::Lines;
use super::queues::QueueState;
use super::registry::No;
use crate::domain::callback::Unroutable;
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::policy::{AgentSettings, Medium, Strategy};
use crate::domain::skills::InForce;
use crate::domain::time::Timestamp;

/// What all work of a signature has in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SignatureKey {
    pub(crate) queue: No<QueueState>,
    pub(crate) medium: Medium,
    pub(crate) size: u32,
    pub(crate) asked: InForce,
}

/// How well an agent fits what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    /// The largest of the membership's and of the mandatory skills'.
    pub(crate) preference: u8,
    /// Optional requirements met.
    pub(crate) optional_met: usize,
    /// The levels held of the skills asked for, together.
    pub(crate) levels: u32,
}

impl Fit {
    /// The fit of an agent with so much `membership` preference; none if a mandatory skill isn't
    /// held, or if there would be no room for it even with nothing else to do.
    pub(crate) fn of(settings: &AgentSettings, membership: u8, key: &SignatureKey) -> Option<Self> {
        let skills = &settings.skills;
        if !fits_when_free(settings, key.medium, key.size) || !key.asked.met_by(skills) {
            return None;
        }
        let held = key.asked.iter().filter_map(|ask| skills.held(&ask.skill));
        Some(Self {
            preference: membership.max(key.asked.preference(skills).value()),
            optional_met: key.asked.optional_met(skills),
            levels: held.map(|held| u32::from(held.level.value())).sum(),
        })
    }
}

/// Whether the agent has room for it when nothing else is held.
pub(crate) fn fits_when_free(settings: &AgentSettings, medium: Medium, size: u32) -> bool {
    let capacity = &settings.capacity;
    size <= capacity.units && capacity.media.of(medium).is_none_or(|most| size <= most)
}

/// Who takes arriving work among agents of one preference: the smallest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Able {
    optional_met: Reverse<usize>,
    strategy: i64,
    idle_since: Timestamp,
    id: AgentId,
    pub(crate) no: No<AgentState>,
}

impl Able {
    pub(crate) fn new(
        no: No<AgentState>,
        agent: &AgentState,
        fit: &Fit,
        strategy: Strategy,
    ) -> Self {
        let strategy = match strategy {
            Strategy::LongestIdle => 0,
            Strategy::MostCapacity => -i64::from(agent.free_units()),
            Strategy::RoundRobin => agent.last_offered,
            Strategy::BestSkilled => -i64::from(fit.levels),
        };
        Self {
            optional_met: Reverse(fit.optional_met),
            strategy,
            idle_since: agent.idle_since(),
            id: agent.id.clone(),
            no,
        }
    }
}

/// All work that is alike.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) key: SignatureKey,
    /// How many agents could ever take it, as things are.
    pub(crate) eligible: usize,
    /// Why nobody could, once that was asked; forgotten when agents of the queue change.
    pub(crate) nobody: OnceCell<Unroutable>,
    /// Those of them who can take it now, by preference.
    able: BTreeMap<u8, BTreeSet<Able>>,
    /// What waits for any of them.
    pub(crate) lines: Lines,
    /// How many wait, those that wait for one agent included.
    pub(crate) waiting: usize,
    /// How many of those press and take several units.
    pub(crate) pressing: usize,
    /// Work, wherever it waits, that some agent declined.
    pub(crate) declined: BTreeSet<CallbackId>,
    /// When it was last asked for, counted in requests.
    pub(crate) last_used: u64,
}

impl Signature {
    pub(crate) fn new(key: SignatureKey) -> Self {
        Self {
            key,
            eligible: 0,
            nobody: OnceCell::new(),
            able: BTreeMap::new(),
            lines: Lines::default(),
            waiting: 0,
            pressing: 0,
            declined: BTreeSet::new(),
            last_used: 0,
        }
    }

    pub(crate) fn insert_able(&mut self, preference: u8, able: Able) {
        let new = self.able.entry(preference).or_default().insert(able);
        assert!(new, "an agent stands among the able ones once");
    }

    pub(crate) fn remove_able(&mut self, preference: u8, able: &Able) {
        let found = self.able.get_mut(&preference).is_some_and(|ables| ables.remove(able));
        assert!(found, "an agent is taken out from where they stand");
    }

    /// How many can take it now.
    pub(crate) fn able(&self) -> usize {
        self.able.values().map(BTreeSet::len).sum()
    }

    /// Those who stand equally near to taking it but for their idle time, the longest idle first;
    /// at most so many. What has aged has none that are equal, but the one who takes it.
    pub(crate) fn equally_able(
        &self,
        aged: bool,
        most: usize,
        passed_over: impl Fn(No<AgentState>) -> bool,
    ) -> Vec<No<AgentState>> {
        if aged {
            return self.best_able(aged, passed_over).into_iter().collect();
        }
        let open = |able: &&Able| !passed_over(able.no);
        let mut firsts = self.able.values().filter(|ables| ables.iter().any(|able| open(&able)));
        let Some(ables) = firsts.next() else { return Vec::new() };
        let mut open = ables.iter().filter(open).take(most).peekable();
        let best = open.peek().map(|able| (able.optional_met, able.strategy));
        open.take_while(|able| Some((able.optional_met, able.strategy)) == best)
            .map(|able| able.no)
            .collect()
    }

    /// Who takes it. What has aged counts as preference 1 for everybody. It looks at one agent
    /// more than are passed over, per preference.
    pub(crate) fn best_able(
        &self,
        aged: bool,
        passed_over: impl Fn(No<AgentState>) -> bool,
    ) -> Option<No<AgentState>> {
        let mut firsts =
            self.able.values().filter_map(|ables| ables.iter().find(|able| !passed_over(able.no)));
        let best = if aged { firsts.min() } else { firsts.next() };
        best.map(|able| able.no)
    }
}
