//! The scheduler's actor: the one alarm, the permits of due callbacks, and reads of the due order.
//!
//! Due callbacks come in through the door like commands do: as many are woken as there are free
//! permits, and when there are none the scheduler waits for some in line with the commands, so
//! that neither starves the other.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Message};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::clock::{Clock, JUMP, LOOK};
use super::door::{Cause, Phase};
use super::office::{DueRead, Office, Todo};
use super::shell::{Envelope, guarded, post};
use crate::domain::effect::{Effect, StepOutput};
use crate::domain::ids::CallbackId;
use crate::domain::machines::scheduler::{SchedulerMachine, WindowLimits};
use crate::domain::message::{CallbackMessage, Letter, SchedulerMessage};
use crate::domain::time::{Span, Timestamp};

/// At most so many due callbacks are woken at once.
const BATCH: u32 = 64;

/// At most one in so many permits goes to due callbacks at once, so that commands get their share.
const SHARE: u32 = 4;

/// How long after a failed read the store is asked again.
const READ_AGAIN: Span = Span::millis(500);

/// The actor of the one scheduler.
pub(crate) struct SchedulerActor {
    office: Rc<Office>,
    /// None once it has panicked: the workspace is about to start again.
    machine: Option<SchedulerMachine>,
    /// When the machine wants to tick.
    wanted: Alarm,
    /// The alarm that is set, and the task that waits for it.
    alarm: Option<(Alarm, JoinHandle<()>)>,
    /// Permits are being waited for.
    waiting: bool,
}

/// When to tick, by either clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Alarm {
    wall: Option<Timestamp>,
    steady: Option<Timestamp>,
}

/// Look at what is due: time has passed, the wall clock has jumped, or the store is back.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ring;

/// Permits for due callbacks came free.
#[derive(Message)]
#[rtype(result = "()")]
struct Freed(Option<OwnedSemaphorePermit>);

impl SchedulerActor {
    /// The actor of a scheduler that knows no time yet; the first [`Ring`] begins its window.
    pub(crate) fn new(office: Rc<Office>) -> Self {
        let limits = &office.shared.limits;
        let window = WindowLimits { items: limits.window_items, span: limits.window_span };
        let machine = Some(SchedulerMachine::new(window));
        Self { office, machine, wanted: Alarm::default(), alarm: None, waiting: false }
    }

    /// Ticks, with as many permits as are given.
    fn tick(&mut self, permits: Option<OwnedSemaphorePermit>, ctx: &Context<Self>) {
        let standing = self.office.shared.door.standing();
        if standing.stalled_since.is_some() || self.office.draining.get() {
            // Timers are held; the journal's actor rings when the store is back.
            return;
        }
        if standing.phase == Phase::Recovering {
            // What wakes now would be read once more among what is live. When recovery is over,
            // the scheduler is rung.
            return;
        }
        let count = permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let tick = SchedulerMessage::Tick { permits: count };
        self.step(Envelope { message: tick, cause: None }, permits, ctx);
        self.wait_for_permits(ctx);
        self.arm(ctx);
    }

    fn step(
        &mut self,
        envelope: Envelope<SchedulerMessage>,
        permits: Option<OwnedSemaphorePermit>,
        ctx: &Context<Self>,
    ) {
        let Envelope { message, cause } = envelope;
        let now = self.office.now();
        let Some(machine) = &mut self.machine else { return };
        let Some(mut out) = guarded(|out| {
            #[cfg(test)]
            self.office.shared.fail_if_poisoned("scheduler");
            machine.step(&now, message, out);
        }) else {
            self.machine = None;
            self.office.fail("the scheduler's step panicked");
            return;
        };
        self.wake(&mut out, permits);
        let Todo { let_go: _, read, alarm } = self.office.carry_out(&now, out, cause.as_ref());
        if let Some(read) = read {
            self.read(read, Span::ZERO, ctx);
        }
        if let Some((wall, steady)) = alarm {
            self.wanted = Alarm { wall, steady };
            self.arm(ctx);
        }
    }

    /// Wakes dormant callbacks, each with a permit of its own. What is left of them is given back.
    fn wake(&self, out: &mut StepOutput, mut permits: Option<OwnedSemaphorePermit>) {
        let dormant = |id: &CallbackId| !self.office.directory.callbacks.has(id);
        let (mut due, mut rest) = (Vec::new(), Vec::new());
        for effect in out.effects.drain(..) {
            match effect {
                Effect::Send(Letter::Callback(id, CallbackMessage::Wake)) if dormant(&id) => {
                    let permit = permits.as_mut().and_then(|permits| permits.split(1));
                    due.push((id, permit.map(Cause::due)));
                }
                other => rest.push(other),
            }
        }
        out.effects = rest;
        self.office.wake_dormant(due);
    }

    fn read(&self, read: DueRead, after: Span, ctx: &Context<Self>) {
        let (office, actor) = (Rc::clone(&self.office), ctx.address());
        self.office.spawn(read_due(office, actor, read, after));
    }

    /// What is due after a tick lacks permits: they are waited for in line with the commands.
    fn wait_for_permits(&mut self, ctx: &Context<Self>) {
        let overdue = self.wanted.wall.is_some_and(|at| at <= self.office.shared.clock.wall());
        if !overdue || std::mem::replace(&mut self.waiting, true) {
            return;
        }
        let (office, actor) = (Rc::clone(&self.office), ctx.address());
        self.office.spawn(async move {
            let door = &office.shared.door;
            post(&actor, Freed(door.wait_for(batch(door.permits())).await));
        });
    }

    /// Sets the one alarm; while permits are waited for it is for the steady clock alone.
    fn arm(&mut self, ctx: &Context<Self>) {
        let alarm = Alarm { wall: self.wanted.wall.filter(|_| !self.waiting), ..self.wanted };
        if self.alarm.as_ref().is_some_and(|(set, task)| *set == alarm && !task.is_finished()) {
            return;
        }
        if let Some((_, task)) = self.alarm.take() {
            task.abort();
        }
        if alarm != Alarm::default() {
            let clock = Arc::clone(&self.office.shared.clock);
            let task = actix::spawn(ring(clock, alarm, ctx.address()));
            self.alarm = Some((alarm, task));
        }
    }
}

/// How many due callbacks may be woken at once, of so many permits.
fn batch(permits: u32) -> u32 {
    BATCH.min(permits / SHARE).max(1)
}

/// Waits for the alarm, and looks now and then whether the wall clock has jumped.
async fn ring(clock: Arc<Clock>, alarm: Alarm, actor: Addr<SchedulerActor>) {
    let drift = clock.drift();
    loop {
        let jumped = (clock.drift() - drift).0.abs() > JUMP.0;
        let left = alarm.left(&clock);
        if left <= Span::ZERO || (jumped && alarm.wall.is_some()) {
            break;
        }
        let wait = match (clock.is_held(), alarm.wall) {
            // A held clock comes no nearer; when it goes on, the scheduler is rung anyway.
            (true, _) => LOOK,
            (false, Some(_)) => left.min(LOOK),
            (false, None) => left,
        };
        clock.wait(wait).await;
    }
    post(&actor, Ring);
}

impl Alarm {
    /// How long it is until the first of both times.
    fn left(self, clock: &Clock) -> Span {
        let wall = self.wall.map(|at| at.since(clock.wall()));
        let steady = self.steady.map(|at| at.since(clock.steady()));
        wall.into_iter().chain(steady).min().unwrap_or(LOOK)
    }
}

/// Reads due callbacks and tells the scheduler; asks again until the store answers.
async fn read_due(office: Rc<Office>, actor: Addr<SchedulerActor>, read: DueRead, after: Span) {
    if after > Span::ZERO {
        office.shared.clock.wait(after).await;
    }
    let DueRead { read: number, after, until, limit } = read;
    // One more than asked for says whether there are more.
    match office.library.due(after, until, limit + 1).await {
        Ok(mut items) => {
            let more = items.len() > limit;
            items.truncate(limit);
            post(&actor, Found { read: number, items, more });
        }
        Err(error) => {
            tracing::warn!(error = %error, "due callbacks can't be read");
            post(&actor, ReadAgain(read));
        }
    }
}

/// Due callbacks were read.
#[derive(Message)]
#[rtype(result = "()")]
struct Found {
    read: u64,
    items: Vec<(Timestamp, CallbackId)>,
    more: bool,
}

/// They couldn't be.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadAgain(DueRead);

impl Actor for SchedulerActor {
    type Context = Context<Self>;
}

impl Handler<Envelope<SchedulerMessage>> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<SchedulerMessage>, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            office.shared.gauges.letter_arrived();
            self.step(envelope, None, ctx);
        });
    }
}

impl Handler<Ring> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, _: Ring, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            let door = &office.shared.door;
            self.tick(door.take_free(batch(door.permits())), ctx);
        });
    }
}

impl Handler<Freed> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, Freed(permits): Freed, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            self.waiting = false;
            self.tick(permits, ctx);
        });
    }
}

impl Handler<Found> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, Found { read, items, more }: Found, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            let message = SchedulerMessage::Window { read, items, more };
            self.step(Envelope { message, cause: None }, None, ctx);
        });
    }
}

impl Handler<ReadAgain> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, ReadAgain(read): ReadAgain, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| self.read(read, READ_AGAIN, ctx));
    }
}

#[cfg(test)]
mod tests {
    use super::batch;

    #[test]
    fn a_batch_leaves_commands_most_of_the_permits() {
        assert_eq!([1, 3, 4, 100, 256, 4_096].map(batch), [1, 1, 1, 25, 64, 64]);
    }
}
