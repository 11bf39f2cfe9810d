//! The engine's machines under a virtual clock: the very ones that run in production, a mailbox
//! for all of them, and an ear for what their agents' browsers would be shown.
//!
//! Separate from the world around them (`run`), which only asks, cancels, accepts and hangs up as
//! people do. Nothing is journaled, since nothing can be lost here. It must never decide anything:
//! who gets which callback is the router's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ringback::domain::agent::{Presence, PresenceBy};
use ringback::domain::callback::{Callback, State};
use ringback::domain::effect::{Answer, Effect, Notice, StepOutput};
use ringback::domain::ids::{AgentId, CallbackId, Fresh, OfferId, QueueId, SessionId};
use ringback::domain::machines::agent::AgentMachine;
use ringback::domain::machines::callback::CallbackMachine;
use ringback::domain::machines::queue::QueueMachine;
use ringback::domain::machines::router::{RouterLimits, RouterMachine};
use ringback::domain::machines::scheduler::{SchedulerMachine, WindowLimits};
use ringback::domain::message::{
    Action, AgentMessage, AgentTimers, CallbackCommand, CallbackMessage, Create, Letter,
    QueueMessage, SchedulerMessage, Token, Who, Wish,
};
use ringback::domain::policy::{AgentSettings, QueueSettings};
use ringback::domain::refusal::Refusal;
use ringback::domain::time::{Now, Span, Timestamp};

/// 2026-01-01T00:00:00Z, a moment without meaning at which every run begins.
pub(crate) const START: Timestamp = Timestamp(1_767_225_600_000);
/// Dormant callbacks that may be woken in one tick.
const PERMITS: usize = 1_000;
/// As the server's own defaults are.
const WINDOW: WindowLimits = WindowLimits { items: 10_000, span: Span::seconds(300) };
/// Low bits of a callback's id say where its machine is.
const SLOT_BITS: u32 = 32;

/// What people would see or hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// An agent is shown an offer.
    Offered { callback: CallbackId, agent: usize, offer: OfferId },
    /// An agent has it, and may call.
    Assigned { callback: CallbackId, agent: usize },
    /// An agent has it no more.
    Unassigned { callback: CallbackId, agent: usize },
    /// It is over.
    Ended { callback: CallbackId, state: State },
    /// A request was refused.
    Refused { callback: CallbackId },
}

/// A callback's machine, while anything may be said to it.
#[derive(Debug)]
struct Slot {
    id: CallbackId,
    machine: CallbackMachine,
}

/// All machines of a workspace.
#[derive(Debug)]
pub(crate) struct Office {
    now: Timestamp,
    queues: BTreeMap<QueueId, QueueMachine>,
    agents: Vec<AgentMachine>,
    agent_numbers: BTreeMap<AgentId, usize>,
    agent_ids: Vec<AgentId>,
    router: RouterMachine,
    scheduler: SchedulerMachine,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// Over, and to be let go when no letter is under way.
    over: Vec<usize>,
    mail: VecDeque<Letter>,
    out: StepOutput,
    told: Vec<Told>,
    alarm: Option<Timestamp>,
    ids: u64,
    numbers: u64,
    /// Letters handled so far.
    pub(crate) steps: u64,
}

impl Office {
    /// Queues set up, agents connected and available, nothing asked for yet.
    pub(crate) fn new(
        queues: &[Arc<QueueSettings>],
        agents: &[Arc<AgentSettings>],
    ) -> Result<Self> {
        let grace = |seconds: fn(&QueueSettings) -> u32| {
            Span::seconds(queues.iter().map(|queue| seconds(queue)).max().unwrap_or_default())
        };
        let timers = AgentTimers {
            session_grace: grace(|queue| queue.session_grace_seconds),
            call_grace: grace(|queue| queue.call_grace_seconds),
            max_missed_offers: queues.iter().map(|one| one.max_missed_offers).max().unwrap_or(1),
        };
        let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id.clone()).collect();
        let machines = ids.iter().map(|id| AgentMachine::new(id.clone(), 0, timers));
        let mut office = Self {
            now: START,
            queues: BTreeMap::new(),
            agents: machines.collect(),
            agent_numbers: ids.iter().cloned().enumerate().map(|(no, id)| (id, no)).collect(),
            agent_ids: ids,
            router: RouterMachine::new(RouterLimits::default()),
            scheduler: SchedulerMachine::new(WINDOW),
            slots: Vec::new(),
            free: Vec::new(),
            over: Vec::new(),
            mail: VecDeque::new(),
            out: StepOutput::default(),
            told: Vec::new(),
            alarm: Some(START),
            ids: 0,
            numbers: 0,
            steps: 0,
        };
        for settings in queues {
            let (id, settings) = (settings.id.clone(), Arc::clone(settings));
            office.queues.insert(id.clone(), QueueMachine::new(id.clone(), 0));
            let message = QueueMessage::Put { token: None, if_match: None, settings };
            office.mail.push_back(Letter::Queue(id, message));
        }
        for (number, settings) in agents.iter().enumerate() {
            let id = settings.id.clone();
            let settings = Arc::clone(settings);
            let message = AgentMessage::Put { token: None, if_match: None, settings, timers };
            office.mail.push_back(Letter::Agent(id.clone(), message));
            let session = SessionId(u128::try_from(number).context("agents fit into memory")?);
            let message = AgentMessage::Connect { token: Token(0), session };
            office.mail.push_back(Letter::Agent(id, message));
        }
        office.settle()?;
        Ok(office)
    }

    /// Lets time pass; never back.
    pub(crate) fn advance(&mut self, to: Timestamp) {
        assert!(to >= self.now, "time runs forwards");
        self.now = to;
    }

    /// When the machines want to be woken next.
    pub(crate) const fn alarm(&self) -> Option<Timestamp> {
        self.alarm
    }

    /// Wakes whoever is due.
    pub(crate) fn ring(&mut self) {
        self.alarm = None;
        self.mail.push_back(Letter::Scheduler(SchedulerMessage::Tick { permits: PERMITS }));
    }

    /// A customer asks for a callback, as a channel would send it.
    pub(crate) fn request(&mut self, wish: Wish) -> CallbackId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.ids += 1;
        self.numbers += 1;
        let id = CallbackId((u128::from(self.ids) << SLOT_BITS) | slot as u128);
        self.slots[slot] = Some(Slot { id, machine: CallbackMachine::new(id) });
        let create = Create {
            token: Token(self.numbers),
            id,
            number: self.numbers,
            wish,
            external: None,
            active: Vec::new(),
            duplicates: Vec::new(),
            free_agents: 0,
            told: None,
        };
        let queue = create.wish.queue.clone();
        self.mail.push_back(Letter::Queue(queue, QueueMessage::Create(Box::new(create))));
        id
    }

    /// The customer calls it off.
    pub(crate) fn cancel(&mut self, callback: CallbackId) {
        self.command(callback, Who::Customer, Action::Cancel { reason: None });
    }

    /// Whether anything may still be said to it.
    pub(crate) fn is_live(&self, callback: CallbackId) -> bool {
        let slot = self.slots.get(slot_number(callback)).and_then(Option::as_ref);
        slot.is_some_and(|slot| slot.id == callback)
    }

    /// Whether somebody is calling it, or talks.
    pub(crate) fn is_calling(&self, callback: CallbackId) -> bool {
        let slot = self.slots.get(slot_number(callback)).and_then(Option::as_ref);
        let called = slot.filter(|slot| slot.id == callback).and_then(|it| it.machine.callback());
        called.is_some_and(|callback| callback.state() == State::Calling)
    }

    /// An agent does something with a callback.
    pub(crate) fn act(&mut self, callback: CallbackId, agent: usize, action: Action) {
        let who = Who::Agent(self.agent_ids[agent].clone());
        self.command(callback, who, action);
    }

    fn command(&mut self, callback: CallbackId, who: Who, action: Action) {
        let command = CallbackCommand { token: Token(0), who, if_match: None, action };
        let message = CallbackMessage::Command(Box::new(command));
        self.mail.push_back(Letter::Callback(callback, message));
    }

    /// An agent comes, or goes when their call is over.
    pub(crate) fn set_presence(&mut self, agent: usize, presence: Presence) {
        let message = AgentMessage::SetPresence {
            token: None,
            by: PresenceBy::Agent,
            presence,
            reason: None,
        };
        self.mail.push_back(Letter::Agent(self.agent_ids[agent].clone(), message));
    }

    /// Delivers letters until none is under way; what people were told meanwhile is taken up with
    /// [`Office::hear`]. Fails where a command that makes sense was refused.
    pub(crate) fn settle(&mut self) -> Result<()> {
        while let Some(letter) = self.mail.pop_front() {
            self.deliver(letter)?;
        }
        for slot in self.over.drain(..) {
            self.slots[slot] = None;
            self.free.push(slot);
        }
        Ok(())
    }

    /// What people were told since the last time.
    pub(crate) fn hear(&mut self, into: &mut Vec<Told>) {
        into.append(&mut self.told);
    }

    fn deliver(&mut self, letter: Letter) -> Result<()> {
        self.steps += 1;
        self.ids += 1;
        let fresh = Fresh(u128::from(self.ids) << 1);
        let now = Now { wall: self.now, steady: self.now, fresh };
        let mut out = std::mem::take(&mut self.out);
        let mut about = None;
        match letter {
            Letter::Callback(id, message) => {
                about = Some(id);
                if let Some(slot) = slot_of(&mut self.slots, id) {
                    slot.machine.step(&now, message, &mut out);
                }
            }
            Letter::Agent(id, message) => {
                let number = self.agent_numbers.get(&id).context("an agent nobody knows")?;
                self.agents[*number].step(&now, message, &mut out);
            }
            Letter::Queue(id, message) => {
                let queue = self.queues.get_mut(&id).context("a queue nobody knows")?;
                queue.step(&now, message, &mut out);
            }
            Letter::Router(message) => self.router.step(&now, message, &mut out),
            Letter::Scheduler(message) => self.scheduler.step(&now, message, &mut out),
        }
        let result = self.carry_out(about, &mut out);
        out.changes.clear();
        out.events.clear();
        self.out = out;
        result
    }

    fn carry_out(&mut self, about: Option<CallbackId>, out: &mut StepOutput) -> Result<()> {
        for effect in out.effects.drain(..) {
            match effect {
                Effect::Send(letter) => self.mail.push_back(letter),
                Effect::Answer { token, result } => self.answered(about, token, *result)?,
                Effect::Notify { sessions, notice } => {
                    for session in sessions {
                        let agent = usize::try_from(session.0).context("sessions are numbered")?;
                        self.told.extend(heard(agent, &notice));
                    }
                }
                Effect::LetGo => self.let_go(about),
                Effect::ReadDue { read, after, until, limit } => {
                    self.read_due(read, after, until, limit);
                }
                Effect::SetAlarm { wall, steady } => {
                    self.alarm = wall.into_iter().chain(steady).min();
                }
                Effect::CloseSessions { .. }
                | Effect::PublishAgent(..)
                | Effect::PublishQueue(..) => {}
            }
        }
        Ok(())
    }

    /// Requests may be refused, as by a queue that is full; all else that is sent makes sense.
    fn answered(
        &mut self,
        about: Option<CallbackId>,
        token: Token,
        result: Result<Answer, Refusal>,
    ) -> Result<()> {
        match result {
            Ok(_) => Ok(()),
            Err(_) if token != Token(0) => {
                let asked =
                    self.slots.iter().flatten().find(|slot| slot.machine.callback().is_none());
                let callback = asked.context("a refused request was just made")?.id;
                self.told.push(Told::Refused { callback });
                self.over.push(slot_number(callback));
                Ok(())
            }
            Err(refusal) => bail!("the engine refused what it should take: {refusal} ({about:?})"),
        }
    }

    /// A callback that sleeps is kept here, as the store would; one that is over is let go.
    fn let_go(&mut self, about: Option<CallbackId>) {
        let Some(id) = about else { return };
        let Some(slot) = slot_of(&mut self.slots, id) else { return };
        let state = slot.machine.callback().map(Callback::state);
        let number = slot_number(id);
        if let Some(state) = state.filter(|state| state.is_final())
            && !self.over.contains(&number)
        {
            self.over.push(number);
            self.told.push(Told::Ended { callback: id, state });
        }
    }

    fn read_due(
        &mut self,
        read: u64,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) {
        let live = self.slots.iter().flatten().filter_map(|slot| slot.machine.callback());
        let mut items: Vec<(Timestamp, CallbackId)> = live
            .filter_map(|callback| Some((callback.wakes_at()?, callback.id)))
            .filter(|edge| after.is_none_or(|after| *edge > after) && edge.0 <= until)
            .collect();
        items.sort_unstable();
        let more = items.len() > limit;
        items.truncate(limit);
        self.mail.push_back(Letter::Scheduler(SchedulerMessage::Window { read, items, more }));
    }
}

/// Where a callback's machine is; used again when it is over.
pub(crate) fn slot_number(id: CallbackId) -> usize {
    usize::try_from(id.0 & u128::from(u32::MAX)).expect("masked to 32 bits")
}

/// The machine of a callback; none once it is over and let go.
fn slot_of(slots: &mut [Option<Slot>], id: CallbackId) -> Option<&mut Slot> {
    slots.get_mut(slot_number(id))?.as_mut().filter(|slot| slot.id == id)
}

/// What an agent's browser makes of a frame.
fn heard(agent: usize, notice: &Notice) -> Option<Told> {
    match notice {
        Notice::Offered { callback } => {
            let offer = callback.offer()?.id;
            Some(Told::Offered { callback: callback.id, agent, offer })
        }
        Notice::Assigned { callback, .. } => Some(Told::Assigned { callback: callback.id, agent }),
        Notice::Unassigned { callback, .. } => {
            Some(Told::Unassigned { callback: *callback, agent })
        }
        Notice::OfferRevoked { .. }
        | Notice::OfferExpired { .. }
        | Notice::OfferDeclined { .. }
        | Notice::Updated { .. }
        | Notice::PresenceChanged { .. }
        | Notice::QueueUpdated { .. } => None,
    }
}
