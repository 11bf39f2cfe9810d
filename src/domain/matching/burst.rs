//! Who takes what when much is decided at once.
//!
//! One after another, each callback would take whoever has been idle longest, and leave those who
//! come later without the few who could have done theirs. Where all of them are known, scarcity
//! breaks the ties: the work that few are free for goes first, and takes those who are asked for
//! least elsewhere. Separate from `choosing`, because it compares agents by what else waits, which
//! no order that is kept could follow; so it looks at a few heads of a list only.

use super::lines::Turn;
use super::signatures::Signature;
use super::{AgentState, Filing, Matching, No, Waiting};

/// So many of the longest idle are compared.
const COMPARED: usize = 16;
/// In which pressure is counted: callbacks for so many agents.
const SCALE: u64 = 1_024;

impl Matching {
    /// In which order works of a burst are decided: each in its turn, and of equal rank the one
    /// that fewest are free for.
    pub(crate) fn burst_order(&self, waiting: &Waiting) -> impl Ord + use<> {
        let Turn { deadline, preference, rank, id } = waiting.standing.turn(1);
        let relief = match &waiting.filing {
            Filing::Signature(number) => u64::MAX - pressure(&self.signatures[*number]),
            Filing::Overflow(_) => 0,
        };
        (deadline, preference, rank, relief, id)
    }

    /// Which agent a work of a burst takes: as [`Matching::choose_agent`] says, but that among
    /// those whom only their idle time tells apart the one goes whose other work is asked for
    /// least, by how many it waits for and how many could take it.
    pub(crate) fn choose_agent_in_burst(&self, waiting: &Waiting) -> Option<No<AgentState>> {
        let best = self.choose_agent(waiting)?;
        let Filing::Signature(number) = waiting.filing else { return Some(best) };
        if waiting.waits_for.is_some() || waiting.preferred == Some(best) {
            return Some(best);
        }
        let excluded = |agent| self.passes_over(agent, waiting);
        let equals =
            self.signatures[number].equally_able(waiting.standing.aged, COMPARED, excluded);
        equals.into_iter().min_by_key(|agent| self.pressure_on(*agent, number))
    }

    /// How much an agent is asked for elsewhere: by what is asked for most of what they could take.
    fn pressure_on(&self, agent: No<AgentState>, but: No<Signature>) -> u64 {
        let entries = self.agents[agent].entries.iter();
        let others = entries.filter(|entry| entry.signature != but && entry.able.is_some());
        others.map(|entry| pressure(&self.signatures[entry.signature])).max().unwrap_or(0)
    }
}

/// Callbacks that wait, for each agent who could take them.
fn pressure(signature: &Signature) -> u64 {
    let able = signature.able().max(1);
    (signature.waiting as u64).saturating_mul(SCALE) / able as u64
}
