//! What all threads see of a workspace: its door, its boards, its way in, its counters.
//!
//! It outlives the workspace's inner lives: after a fault all actors are made anew, and handles
//! held by http and ws go on working with the new ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use actix::dev::ToEnvelope;
use actix::{Addr, Handler, Message};

use super::boards::Boards;
use super::clock::Clock;
use super::door::{Door, Phase, Standing};
use super::door_actor::DoorActor;
use super::figures::deliveries::Deliveries;
use super::figures::{Figures, JournalFigures, Line, StepCounts};
use super::health::{Alarm, Health};
use super::journal;
use super::library::{Lapsing, Library};
use super::measures::SharedLedger;
use super::outbox::OutboxCounts;
use super::shell::post;
use super::system::Limits;
use crate::domain::ids::{QueueId, WorkspaceId};
use crate::domain::refusal::Refusal;

/// A workspace, as all threads see it.
pub(crate) struct Shared {
    /// Which one it is.
    pub(crate) workspace: WorkspaceId,
    /// What it may hold and how long it may wait, as configured.
    pub(crate) limits: Limits,
    /// Wall and steady time; held while the store stalls.
    pub(crate) clock: Arc<Clock>,
    /// Bounds the commands under way.
    pub(crate) door: Door,
    /// What can be read at once.
    pub(crate) boards: Boards,
    /// What any thread may count and read.
    pub(crate) gauges: Gauges,
    /// Its secret, once it is known.
    pub(crate) secret: OnceLock<Arc<[u8; 32]>>,
    gate: RwLock<Option<Gate>>,
    #[cfg(test)]
    poison: std::sync::Mutex<Vec<Poison>>,
}

/// The way into the actors of one inner life.
#[derive(Clone)]
pub(crate) struct Gate {
    /// Which life: entry numbers of another one say nothing here.
    pub(crate) life: u64,
    /// Where commands and questions go.
    pub(crate) door: Addr<DoorActor>,
    /// Where rows are read.
    pub(crate) library: Arc<dyn Library>,
    /// What is measured.
    pub(crate) ledger: SharedLedger,
}

/// A panic that a test has ordered.
#[cfg(test)]
struct Poison {
    kind: &'static str,
    spares: usize,
}

/// Counters that any thread may read.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    taken: AtomicU64,
    live: AtomicUsize,
    panics: AtomicU64,
    set_aside: AtomicU64,
    removed: [AtomicU64; Lapsing::ALL.len()],
    letters: AtomicUsize,
    /// The most that were on their way at once.
    #[cfg(test)]
    letters_most: AtomicUsize,
    stalls: AtomicU64,
    /// The store isn't the one that this process had.
    replaced: AtomicBool,
    recovery_fails: AtomicBool,
    /// What steps count.
    pub(crate) steps: StepCounts,
    /// What is counted of webhooks.
    pub(crate) deliveries: Arc<Deliveries>,
    /// What goes out.
    pub(crate) outbox: OutboxCounts,
    lines: Mutex<BTreeMap<QueueId, Arc<Line>>>,
    journal: Mutex<Weak<journal::Shared>>,
}

impl Gauges {
    /// A letter was posted.
    pub(crate) fn letter_posted(&self) {
        self.letters.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        self.letters_most.fetch_max(self.letters(), Ordering::Relaxed);
    }

    /// A letter came out of its mailbox.
    pub(crate) fn letter_arrived(&self) {
        self.letters.fetch_sub(1, Ordering::Relaxed);
    }

    /// A life begins: no letters are on their way, nobody is there and nobody is set aside.
    pub(crate) fn begin(&self) {
        self.letters.store(0, Ordering::Relaxed);
        self.set_aside.store(0, Ordering::Relaxed);
        self.steps.nothing_is_live();
        self.outbox.begin();
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A life's journal is there.
    pub(super) fn journal(&self, journal: Weak<journal::Shared>) {
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = journal;
    }

    fn journal_now(&self) -> Option<Arc<journal::Shared>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Where a queue shows its line.
    pub(crate) fn line(&self, queue: &QueueId) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(queue.clone()).or_default())
    }

    /// A queue is gone.
    pub(crate) fn no_line(&self, queue: &QueueId) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
    }

    /// The store stalls.
    pub(crate) fn stalled(&self) {
        self.stalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the last attempt to recover from the store has failed.
    pub(crate) fn set_recovery_fails(&self, fails: bool) {
        self.recovery_fails.store(fails, Ordering::Relaxed);
    }

    /// The store was emptied or replaced.
    pub(crate) fn replaced(&self) {
        self.replaced.store(true, Ordering::Relaxed);
    }

    /// Letters on their way.
    pub(crate) fn letters(&self) -> usize {
        self.letters.load(Ordering::Relaxed)
    }

    /// The most letters that were on their way at once: permits × fan-out bound it.
    #[cfg(test)]
    pub(crate) fn letters_most(&self) -> usize {
        self.letters_most.load(Ordering::Relaxed)
    }

    /// The newest entry taken.
    pub(crate) fn taken(&self, number: u64) {
        self.taken.store(number, Ordering::Relaxed);
    }

    /// How many callbacks are in memory, with an actor or without.
    pub(crate) fn live(&self, count: usize) {
        self.live.store(count, Ordering::Relaxed);
    }

    /// A step panicked.
    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// So many of what lapsed were removed.
    pub(crate) fn removed(&self, kind: Lapsing, count: u64) {
        self.removed[kind as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// A machine was set aside.
    pub(crate) fn set_aside(&self) {
        self.set_aside.fetch_add(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// A workspace that isn't ready yet.
    pub(crate) fn new(workspace: WorkspaceId, limits: Limits, clock: &Clock) -> Self {
        let clock = clock.apart();
        let door = Door::new(limits.max_commands_in_flight, limits.admission_wait);
        Self {
            workspace,
            limits,
            clock: Arc::new(clock),
            door,
            boards: Boards::default(),
            gauges: Gauges::default(),
            secret: OnceLock::new(),
            gate: RwLock::default(),
            #[cfg(test)]
            poison: std::sync::Mutex::default(),
        }
    }

    /// Opens or shuts the way in.
    pub(crate) fn set_gate(&self, gate: Option<Gate>) {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = gate;
    }

    /// The way in, while there is one.
    pub(crate) fn gate(&self) -> Result<Gate, Refusal> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        gate.clone().ok_or(Refusal::Unavailable)
    }

    /// Sends something in.
    pub(crate) fn post<M>(&self, message: M) -> Result<(), Refusal>
    where
        DoorActor: Handler<M>,
        <DoorActor as actix::Actor>::Context: ToEnvelope<DoorActor, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let gate = gate.as_ref().ok_or(Refusal::Unavailable)?;
        post(&gate.door, message);
        Ok(())
    }

    /// How it stands, for readiness and metrics.
    pub(crate) fn health(&self) -> Health {
        let Standing { phase, durable, stalled_since, .. } = self.door.standing();
        let stalled_for = |since| self.clock.running().since(since).0;
        Health {
            ready: phase == Phase::Ready && stalled_since.is_none(),
            stalled_ms: stalled_since.map(|since| u64::try_from(stalled_for(since)).unwrap_or(0)),
            draining: phase == Phase::Draining,
            durable,
            taken: self.gauges.taken.load(Ordering::Relaxed),
            live: self.gauges.live.load(Ordering::Relaxed),
            in_flight: self.door.in_flight(),
            panics: self.gauges.panics.load(Ordering::Relaxed),
            set_aside: self.gauges.set_aside.load(Ordering::Relaxed),
            removed: Lapsing::ALL
                .map(|kind| self.gauges.removed[kind as usize].load(Ordering::Relaxed)),
            alarms: self.alarms(stalled_since.is_some()),
        }
    }

    fn alarms(&self, is_stalled: bool) -> Vec<Alarm> {
        let journal = self.gauges.journal_now();
        let rings = |alarm: &Alarm| match alarm {
            Alarm::StoreReplaced => self.gauges.replaced.load(Ordering::Relaxed),
            Alarm::RecoveryFailing => self.gauges.recovery_fails.load(Ordering::Relaxed),
            Alarm::StoreStalled => is_stalled,
            Alarm::TablesFailing => {
                journal.as_ref().is_some_and(|journal| journal.counts.tables_are_failing())
            }
            Alarm::NoRoom => journal.as_ref().is_some_and(|journal| journal.is_full()),
            Alarm::SetAside => self.gauges.set_aside.load(Ordering::Relaxed) > 0,
        };
        Alarm::ALL.into_iter().filter(rings).collect()
    }

    /// Its figures at this moment.
    pub(crate) fn figures(&self) -> Figures {
        let now = self.clock.wall();
        let gauges = &self.gauges;
        let lines = gauges.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.iter().map(|(queue, line)| line.read(queue.clone(), now)).collect();
        let mut agents = BTreeMap::new();
        let mut sessions = 0;
        for view in self.boards.agents.all() {
            *agents.entry((view.agent.presence, view.engagement)).or_default() += 1;
            sessions += view.sessions.len() as u64;
        }
        Figures {
            journal: gauges.journal_now().map_or_else(JournalFigures::default, |it| it.figures()),
            stalls: gauges.stalls.load(Ordering::Relaxed),
            overlay_max_bytes: self.limits.journal.overlay_bytes as u64,
            log_max_bytes: self.limits.journal.log_max_bytes,
            door_permits: u64::from(self.door.permits()),
            refused: self.door.refusals(),
            live: gauges.steps.live(),
            ended: gauges.steps.ended(),
            events: gauges.steps.events(),
            outbox: gauges.outbox.read(),
            lines,
            agents,
            sessions,
            deliveries: gauges.deliveries.read(),
        }
    }

    /// In tests: panics where a test asked for it.
    #[cfg(test)]
    pub(crate) fn fail_if_poisoned(&self, kind: &'static str) {
        let mut poison = self.poison.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = poison.iter().position(|poison| poison.kind == kind) else { return };
        if poison[place].spares > 0 {
            poison[place].spares -= 1;
            return;
        }
        poison.remove(place);
        drop(poison);
        panic!("a test poisoned this step of a {kind}");
    }

    /// Lets a step of this kind of machine panic, after so many more that don't.
    #[cfg(test)]
    pub(crate) fn poison(&self, kind: &'static str, spares: usize) {
        let mut poison = self.poison.lock().unwrap_or_else(PoisonError::into_inner);
        poison.push(Poison { kind, spares });
    }

    /// Takes back the panics that haven't come yet.
    #[cfg(test)]
    pub(crate) fn antidote(&self) {
        self.poison.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
