//! What is measured, through the handle.

use super::{Handle, unreadable};
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::measure::series::Window;
use crate::domain::measure::{AgentTally, LastHour, Measured, QueueTally};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use crate::engine::measures::open;

/// So much time's tallies are read from the store at once.
const READ_AT_ONCE: Span = Span::minutes(6 * 60);

/// Windows that end now, shortest first.
pub type Windows = [Window; 4];

/// The tallies of windows, in the order in which they were asked for.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// Queue by queue.
    pub queues: Vec<[QueueTally; 4]>,
    /// The same queues' lines.
    pub lines: Vec<LastHour>,
    /// Agent by agent.
    pub agents: Vec<[AgentTally; 4]>,
}

impl Handle {
    /// What was measured lately of these queues and agents, each in its windows.
    pub async fn looked(
        &self,
        now: Timestamp,
        queues: &[(QueueId, Windows)],
        agents: &[(AgentId, Windows)],
    ) -> Result<Looked, Refusal> {
        let gate = self.shared.gate()?;
        let mut looked = Looked::default();
        for (id, windows) in queues {
            let ledger = open(&gate.ledger);
            looked.queues.push(windows.map(|window| ledger.queue(id, window)));
            looked.lines.push(ledger.last_hour(now, id));
        }
        for (id, windows) in agents {
            let ledger = open(&gate.ledger);
            looked.agents.push(windows.map(|window| ledger.agent(now, id, window)));
        }
        self.shown(&gate, looked).await
    }

    /// Tells all tallies of the quarters from `from` to before `to`, in no order; a quarter's may
    /// come in parts. Of the last day they are in memory; only what lies before is read, and only
    /// of that time.
    pub async fn measured(
        &self,
        from: Timestamp,
        to: Timestamp,
        mut tell: impl FnMut(Measured),
    ) -> Result<(), Refusal> {
        let gate = self.shared.gate()?;
        let now = self.now();
        let floor = open(&gate.ledger).floor();
        let names = open(&gate.ledger).names();
        for name in &names {
            let late = open(&gate.ledger).quarters(now, name, floor.max(from), to);
            late.into_iter().for_each(&mut tell);
        }
        let mut at = from;
        while at < floor.min(to) {
            let end = (at + READ_AT_ONCE).min(floor).min(to);
            let early = gate.library.measured(at, end).await.map_err(unreadable)?;
            early.into_iter().for_each(&mut tell);
            at = end;
        }
        self.shown(&gate, ()).await
    }
}
