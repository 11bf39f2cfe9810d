//! The people around the engine: agents with a browser, customers, a supervisor. Their messages
//! are lost, doubled and late; what they believe is only what they were shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringback::domain::agent::{Presence, PresenceBy};
use ringback::domain::callback::{Booking, Callback, Channel, Outcome, Request, State};
use ringback::domain::effect::{Answer, Notice};
use ringback::domain::ids::{AgentId, CallbackId, OfferId, QueueId, SessionId};
use ringback::domain::message::{
    Action, AgentMessage, CallbackCommand, CallbackMessage, Create, Letter, Patch, QueueMessage,
    Token, Who, Wish,
};
use ringback::domain::phone::{Email, PhoneNumber};
use ringback::domain::policy::Medium;
use ringback::domain::queue::Halves;
use ringback::domain::rank::Priority;
use ringback::domain::refusal::Refusal;
use ringback::domain::time::{Span, Timestamp};
use ringback::domain::zone::TimeZone;

use crate::rng::Rng;
use crate::world::World;

/// Slots are short, so that many ask for the same.
pub(crate) const SLOT_MINUTES: u32 = 5;

/// An agent's browser.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: AgentId,
    pub(crate) session: Option<SessionId>,
    welcomed: bool,
    offers: BTreeMap<OfferId, CallbackId>,
    work: BTreeMap<CallbackId, (State, Option<Outcome>)>,
    presence: Presence,
}

/// Why a command was sent, for when its answer comes.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// Nothing is to be remembered.
    Other,
    /// A callback's cancel.
    Cancel(CallbackId),
    /// A session of the agent at this place.
    Session(usize),
}

/// A command on its way.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) letter: Letter,
    pub(crate) token: Token,
    pub(crate) asked: Asked,
}

/// Everybody.
pub(crate) struct People {
    pub(crate) agents: Vec<Person>,
    pub(crate) queues: Vec<QueueId>,
    known: Vec<CallbackId>,
    tokens: u64,
    numbers: u64,
    /// People do the sensible thing, at once, and nothing is lost.
    pub(crate) calm: bool,
}

impl People {
    pub(crate) fn new(agents: &[AgentId], queues: Vec<QueueId>) -> Self {
        let person = |id: &AgentId| Person {
            id: id.clone(),
            session: None,
            welcomed: false,
            offers: BTreeMap::new(),
            work: BTreeMap::new(),
            presence: Presence::Offline,
        };
        let agents = agents.iter().map(person).collect();
        Self { agents, queues, known: Vec::new(), tokens: 0, numbers: 0, calm: false }
    }

    pub(crate) fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Agents who are connected and want work, as they know it themselves.
    pub(crate) fn available(&self) -> Vec<AgentId> {
        let ready = |one: &&Person| one.welcomed && one.presence == Presence::Available;
        self.agents.iter().filter(ready).map(|one| one.id.clone()).collect()
    }

    /// The engine is gone, and all connections with it.
    pub(crate) fn cut_off(&mut self) {
        for person in &mut self.agents {
            person.session = None;
            person.welcomed = false;
            person.offers.clear();
            person.work.clear();
        }
    }

    /// An answer has come.
    pub(crate) fn answered(
        &mut self,
        world: &mut World,
        asked: &Asked,
        result: &Result<Answer, Refusal>,
    ) {
        let Ok(answer) = result else { return };
        match answer {
            Answer::Callback { callback, created, .. } => {
                world.checks.show(callback.id, callback.version);
                if *created {
                    self.known.push(callback.id);
                }
                if let Asked::Cancel(id) = asked {
                    world.checks.show_canceled(*id);
                }
            }
            Answer::Welcome(welcome) => {
                let Asked::Session(place) = asked else { return };
                let person = &mut self.agents[*place];
                if person.session == Some(welcome.session) {
                    person.welcomed = true;
                    person.presence = welcome.agent.presence;
                    person.offers.clear();
                    person.work.clear();
                    for callback in &welcome.offers {
                        let offer = callback.offer().expect("an offer in the welcome is pending");
                        person.offers.insert(offer.id, callback.id);
                    }
                    for callback in &welcome.assignments {
                        person.see(callback);
                    }
                }
            }
            Answer::Agent { .. }
            | Answer::Queue { .. }
            | Answer::Webhook { .. }
            | Answer::Position(_)
            | Answer::Availability(_)
            | Answer::Trace(_)
            | Answer::QueueStats(_)
            | Answer::Failure(_)
            | Answer::Key { .. }
            | Answer::Denied { .. }
            | Answer::Served { .. }
            | Answer::Slots(_)
            | Answer::Booked { .. }
            | Answer::Done => {}
        }
    }

    /// A frame has come.
    pub(crate) fn noticed(&mut self, world: &mut World, session: SessionId, notice: &Notice) {
        let Some(person) = self.agents.iter_mut().find(|one| one.session == Some(session)) else {
            return;
        };
        match notice {
            Notice::Offered { callback } => {
                world.checks.show(callback.id, callback.version);
                let offer = callback.offer().expect("what is offered has an offer");
                assert_eq!(offer.agent, person.id, "an offer came to another agent's session");
                person.offers.insert(offer.id, callback.id);
            }
            Notice::OfferRevoked { offer, .. }
            | Notice::OfferDeclined { offer, .. }
            | Notice::OfferExpired { offer, .. } => {
                person.offers.remove(offer);
            }
            Notice::Assigned { callback, .. } | Notice::Updated { callback } => {
                world.checks.show(callback.id, callback.version);
                assert_eq!(callback.assigned_agent(), Some(&person.id), "another's assignment");
                person.offers.retain(|_, id| *id != callback.id);
                person.see(callback);
            }
            Notice::Unassigned { callback, .. } => {
                person.work.remove(callback);
            }
            Notice::PresenceChanged { agent, .. } => person.presence = agent.presence,
            Notice::QueueUpdated { .. } => {}
        }
    }

    fn sent(&mut self, asked: Asked, letter: impl FnOnce(Token) -> Letter) -> Sent {
        let token = self.token();
        Sent { letter: letter(token), token, asked }
    }

    fn command(&mut self, id: CallbackId, who: Who, action: Action) -> Sent {
        let asked = match action {
            Action::Cancel { .. } => Asked::Cancel(id),
            _ => Asked::Other,
        };
        self.sent(asked, |token| {
            let command = CallbackCommand { token, who, if_match: None, action };
            Letter::Callback(id, CallbackMessage::Command(Box::new(command)))
        })
    }

    /// What the agent at this place does next.
    pub(crate) fn agent_acts(
        &mut self,
        place: usize,
        world: &mut World,
        rng: &mut Rng,
    ) -> Option<Sent> {
        let person = self.agents[place].clone();
        let id = person.id.clone();
        let Some(session) = person.session else {
            let session = SessionId(world.fresh());
            self.agents[place].session = Some(session);
            return Some(self.sent(Asked::Session(place), |token| {
                Letter::Agent(id, AgentMessage::Connect { token, session })
            }));
        };
        if !self.calm && rng.percent(4) {
            self.agents[place].session = None;
            self.agents[place].welcomed = false;
            self.agents[place].offers.clear();
            self.agents[place].work.clear();
            return Some(
                self.sent(Asked::Other, |_| {
                    Letter::Agent(id, AgentMessage::Disconnect { session })
                }),
            );
        }
        let wish = if self.calm || rng.percent(85) {
            Presence::Available
        } else {
            *rng.pick(&Presence::ALL)
        };
        if person.presence != Presence::Available || (!self.calm && rng.percent(6)) {
            return Some(self.sent(Asked::Other, |token| {
                let (by, token) = (PresenceBy::Agent, Some(token));
                let message = AgentMessage::SetPresence { token, by, presence: wish, reason: None };
                Letter::Agent(id, message)
            }));
        }
        if let Some((offer, callback)) = person.offers.iter().next() {
            let action = match rng.below(10) {
                0 if !self.calm => return None,
                1 | 2 if !self.calm => {
                    Action::Decline { offer: *offer, reason: None, session: None }
                }
                _ => Action::Accept { offer: *offer, session: None },
            };
            return Some(self.command(*callback, Who::Agent(id), action));
        }
        let work: Vec<_> = person.work.iter().collect();
        if work.is_empty() {
            return None;
        }
        let (callback, (state, outcome)) = *rng.pick(&work);
        let action = self.next_action(*state, *outcome, rng)?;
        Some(self.command(*callback, Who::Agent(id), action))
    }

    fn next_action(&self, state: State, outcome: Option<Outcome>, rng: &mut Rng) -> Option<Action> {
        let close = Action::Close { disposition: None, notes: None, resolved: None };
        let requeue = Action::Requeue { queue: None, agent: None };
        let retry = Action::Retry { at: None, mine: rng.percent(50), customer_agreed: false };
        let draw = if self.calm { 0 } else { rng.below(12) };
        Some(match (state, outcome) {
            (State::Accepted, _) => match draw {
                1 => requeue,
                2 => retry,
                3 => close,
                4 => return None,
                _ => Action::Call,
            },
            (State::Calling, Some(Outcome::Answered)) => Action::EndCall { notes: None },
            (State::Calling, _) => {
                let outcome = if self.calm { Outcome::Answered } else { *rng.pick(&Outcome::ALL) };
                Action::Outcome { outcome, notes: None }
            }
            (State::WrapUp, _) => match draw {
                1 => requeue,
                2 => retry,
                3 => Action::Call,
                4 => Action::ExtendWrapUp { seconds: 60 },
                5 => Action::Outcome { outcome: *rng.pick(&Outcome::ALL), notes: None },
                6 | 7 => return None,
                _ => close,
            },
            _ => return None,
        })
    }

    /// A customer asks for a callback.
    pub(crate) fn asks(&mut self, world: &mut World, rng: &mut Rng) -> Sent {
        self.numbers += 1;
        let queue = rng.pick(&self.queues).clone();
        let id = CallbackId(world.fresh());
        let who = if rng.percent(15) { Who::Supervisor(None) } else { Who::Channel };
        let mut request = request(rng);
        let mut wish = Wish::asap(queue.clone(), who.clone(), request.clone());
        if rng.percent(50) {
            wish = wish.booked(booking(world.wall, &who, rng));
            if rng.percent(30) {
                wish.medium = Medium::Video;
                request.customer.email = Email::parse("ada@example.com").ok();
                wish.request = Arc::new(request);
            }
        }
        let number = self.numbers;
        self.sent(Asked::Other, |token| {
            let (active, duplicates) = (Vec::new(), Vec::new());
            let (external, told) = (None, None);
            let create = Create {
                token,
                id,
                number,
                wish,
                active,
                external,
                duplicates,
                free_agents: 0,
                told,
            };
            let create = Box::new(create);
            Letter::Queue(queue, QueueMessage::Create(create))
        })
    }

    /// A customer or supervisor changes their mind about some callback.
    pub(crate) fn changes(&mut self, world: &World, rng: &mut Rng) -> Option<Sent> {
        if self.known.is_empty() {
            return None;
        }
        let id = *rng.pick(&self.known);
        let agent = rng.pick(&self.agents).id.clone();
        let supervisor = Who::Supervisor(None);
        let (who, action) = match rng.below(10) {
            0 | 1 => (Who::Channel, Action::Cancel { reason: None }),
            2 => {
                let who = if rng.percent(20) { supervisor } else { Who::Customer };
                let booking = Some(booking(world.wall, &who, rng));
                (who, Action::Reschedule { booking })
            }
            3 => (Who::Channel, Action::Reschedule { booking: None }),
            4 => (supervisor, Action::Requeue { queue: None, agent: Some(agent) }),
            5 => (supervisor, Action::Assign { agent, force: false }),
            6 => (Who::Agent(agent.clone()), Action::Assign { agent, force: false }),
            7 => {
                let priority = Priority::new(i64::try_from(rng.below(10)).expect("small")).ok();
                let fields = vec!["priority".to_owned()];
                let patch = Patch { priority, fields, ..Patch::default() };
                (supervisor, Action::Patch(Box::new(patch)))
            }
            8 => (Who::Channel, Action::ServeElsewhere { include_scheduled: rng.percent(50) }),
            _ => {
                let close = Action::Close { disposition: None, notes: None, resolved: None };
                (supervisor, close)
            }
        };
        Some(self.command(id, who, action))
    }

    /// The supervisor stops a queue, or lets it go on.
    pub(crate) fn pauses(&mut self, resume: bool, rng: &mut Rng) -> Sent {
        let queue = rng.pick(&self.queues).clone();
        self.sent(Asked::Other, |token| {
            let halves = Halves { intake: false, offers: true };
            let message = if resume {
                QueueMessage::Resume { token, halves }
            } else {
                QueueMessage::Pause { token, halves, reason: None, until: None }
            };
            Letter::Queue(queue, message)
        })
    }

    /// Every queue goes on.
    pub(crate) fn resume_all(&mut self) -> Vec<Sent> {
        let queues = self.queues.clone();
        let resume = |queue: QueueId| {
            self.sent(Asked::Other, |token| {
                let message = QueueMessage::Resume { token, halves: Halves::BOTH };
                Letter::Queue(queue, message)
            })
        };
        queues.into_iter().map(resume).collect()
    }
}

impl Person {
    fn see(&mut self, callback: &Callback) {
        let outcome = callback.interaction().and_then(|interaction| interaction.outcome);
        self.work.insert(callback.id, (callback.state(), outcome));
    }
}

/// What a customer chooses: a slot, most of the time; agents book any minute.
fn booking(now: Timestamp, who: &Who, rng: &mut Rng) -> Booking {
    let minute = Span::minutes(1).0;
    let slot = Span::minutes(SLOT_MINUTES).0;
    let between = |rng: &mut Rng, low, high| i64::try_from(rng.between(low, high)).expect("small");
    let start = match who {
        Who::Customer | Who::Channel if rng.percent(95) => {
            Timestamp((now.0 / slot + between(rng, 1, 12)) * slot)
        }
        _ => Timestamp(now.0 + between(rng, 1, 180) * minute),
    };
    Booking::at(start, TimeZone::utc())
}

/// Customers call from so many numbers, so that some ask twice.
pub(crate) const PHONES: u64 = 12;

/// One of them.
pub(crate) fn phone(number: u64) -> PhoneNumber {
    PhoneNumber::from_e164(&format!("+49301234{number:03}")).expect("a number")
}

fn request(rng: &mut Rng) -> Request {
    let mut request = Request::by("Ada", Channel::Api);
    request.customer.phone = rng.percent(70).then(|| phone(rng.below(PHONES)));
    request.customer.email = rng.percent(60).then(|| Email::parse("ada@example.com").expect("one"));
    request
}
