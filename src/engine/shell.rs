//! The shell around every machine: runs a step, catches its panic, and makes the machine anew.
//!
//! A step is pure, so a panic in it has changed nothing outside the machine: its output is
//! dropped, and the machine is made again from the newest state that it wrote. This is also the
//! one file that may name `Addr::do_send`, because a mailbox of actix has no bound: what bounds
//! it is the door, through the permit that rides along in each [`Envelope`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

use super::door::Cause;
use super::office::Office;
use crate::domain::effect::StepOutput;
use crate::domain::message::Letter;
use crate::domain::time::{Now, Span, Timestamp};

/// Puts a message into an actor's mailbox. Never waits; to an actor that is gone it is lost.
#[expect(clippy::disallowed_methods, reason = "this is the one wrapper around it")]
pub(crate) fn post<A, M>(actor: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    actor.do_send(message);
}

/// A message between machines, with the permit of what caused it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Envelope<T: Send + 'static> {
    /// The message.
    pub(crate) message: T,
    /// What it was caused by; given back when this is handled.
    pub(crate) cause: Option<Arc<Cause>>,
}

/// Runs one step; none if it panicked, and then whatever it had decided is dropped.
pub(crate) fn guarded(step: impl FnOnce(&mut StepOutput)) -> Option<StepOutput> {
    let mut out = StepOutput::default();
    // The machine may be left half changed: whoever gets none must not use it again.
    catch_unwind(AssertUnwindSafe(|| step(&mut out))).ok()?;
    Some(out)
}

/// A machine with what it takes to make it anew.
pub(crate) trait Rebuilt {
    /// What it is told.
    type Message: Send + 'static;

    /// What kind of machine it is, for the log.
    const KIND: &'static str;

    /// Which one it is, for the log.
    fn name(&self) -> String;

    /// Notes a message before its step. Returns what others must be sent if the step panics, or
    /// if the machine is set aside and there is no step: an agent that was reserved, say.
    fn note(&mut self, message: &Self::Message) -> Vec<Letter>;

    /// Runs the machine's step.
    fn step(&mut self, now: &Now, message: Self::Message, out: &mut StepOutput);

    /// Notes what a good step has written and sent.
    fn learn(&mut self, out: &StepOutput);

    /// Tells everybody what they must know of a machine that was made from its record at start.
    fn recover(&mut self, now: &Now, out: &mut StepOutput);

    /// Makes the machine anew from what it wrote last, and tells everybody what they must know:
    /// unlike at start, they know what it was before.
    fn rebuild(&mut self, office: &Office, now: &Now, out: &mut StepOutput);

    /// What others must be sent when it is set aside.
    fn farewell(&self) -> Vec<Letter>;

    /// Whether its actor may be let go; `let_go`: the machine has just said so.
    fn may_go(&self, let_go: bool) -> bool;
}

/// A machine, run.
pub(crate) struct Shell<M> {
    /// The machine; boxed, since some are kept without their shells.
    pub(crate) machine: Box<M>,
    office: Rc<Office>,
    panics: Panics,
    set_aside: bool,
}

impl<M: Rebuilt> Shell<M> {
    /// A machine to be run.
    pub(crate) fn new(office: Rc<Office>, machine: Box<M>) -> Self {
        Self { machine, office, panics: Panics::default(), set_aside: false }
    }

    /// A machine made from its record, which tells everybody what they must know of it.
    pub(crate) fn recovered(office: Rc<Office>, machine: Box<M>) -> Self {
        let mut shell = Self::new(office, machine);
        let now = shell.office.now();
        shell.set_up(&now, |machine, _office, out| machine.recover(&now, out));
        shell
    }

    /// Runs one step. True: the machine may be let go.
    pub(crate) fn take(&mut self, envelope: Envelope<M::Message>) -> bool {
        let Envelope { message, cause } = envelope;
        let owed = self.machine.note(&message);
        if self.set_aside {
            self.send(owed);
            return false;
        }
        let now = self.office.now();
        let machine = &mut self.machine;
        let out = guarded(|out| {
            machine.step(&now, message, out);
            // Last, so that the machine is as half changed as it can be.
            #[cfg(test)]
            self.office.shared.fail_if_poisoned(M::KIND);
        });
        if let Some(out) = out {
            self.machine.learn(&out);
            let todo = self.office.carry_out(&now, out, cause.as_ref());
            self.machine.may_go(todo.let_go)
        } else {
            self.send(owed);
            self.panicked(&now);
            !self.set_aside && self.machine.may_go(false)
        }
    }

    fn panicked(&mut self, now: &Now) {
        let (kind, name) = (M::KIND, self.machine.name());
        tracing::error!(kind, name, "a step panicked; the machine is made anew");
        self.office.shared.gauges.panicked();
        let limits = &self.office.shared.limits;
        if self.panics.note_and_check(now.steady, limits.max_panics, limits.panic_span) {
            self.put_aside();
        } else {
            self.set_up(now, |machine, office, out| machine.rebuild(office, now, out));
        }
    }

    /// A machine that can't even be made anew is set aside at once.
    fn set_up(&mut self, now: &Now, set_up: impl FnOnce(&mut M, &Office, &mut StepOutput)) {
        let (machine, office) = (&mut *self.machine, &self.office);
        match guarded(|out| set_up(machine, office, out)) {
            Some(out) => {
                self.machine.learn(&out);
                self.office.carry_out(now, out, None);
            }
            None => self.put_aside(),
        }
    }

    /// Takes no more steps: it panicked again and again, or its record is damaged. Commands to it
    /// are answered as internal errors.
    pub(crate) fn put_aside(&mut self) {
        let (kind, name) = (M::KIND, self.machine.name());
        tracing::error!(kind, name, alarm = true, "a machine is set aside until a restart");
        self.office.shared.gauges.set_aside();
        self.set_aside = true;
        self.send(self.machine.farewell());
    }

    /// Whether its machine has never panicked, so that nothing is lost without the shell.
    pub(crate) fn is_sound(&self) -> bool {
        !self.set_aside && self.panics.at.is_empty()
    }

    /// The machine alone.
    #[expect(clippy::unnecessary_box_returns, reason = "whoever keeps it keeps the box")]
    pub(crate) fn into_machine(self) -> Box<M> {
        self.machine
    }

    /// What it says of itself may be half changed.
    pub(crate) fn is_set_aside(&self) -> bool {
        self.set_aside
    }

    fn send(&self, letters: Vec<Letter>) {
        for letter in letters {
            self.office.deliver(letter, None);
        }
    }
}

/// When a machine panicked, lately.
#[derive(Debug, Default)]
struct Panics {
    at: Vec<Timestamp>,
}

impl Panics {
    /// Notes one more; true: it's the `max`th within `span`.
    fn note_and_check(&mut self, now: Timestamp, max: usize, span: Span) -> bool {
        self.at.retain(|at| now.since(*at) < span);
        self.at.push(now);
        self.at.len() >= max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_drops_what_the_step_had_decided() {
        let out = guarded(|out| {
            out.effects.push(crate::domain::effect::Effect::LetGo);
            panic!("on purpose");
        });
        assert!(out.is_none());
        let out = guarded(|out| out.effects.push(crate::domain::effect::Effect::LetGo));
        assert_eq!(out.map(|out| out.effects.len()), Some(1));
    }

    #[test]
    fn the_third_panic_within_the_span_is_one_too_many() {
        let span = Span::seconds(60);
        let mut panics = Panics::default();
        let mut at =
            |seconds: u32| panics.note_and_check(Timestamp(0) + Span::seconds(seconds), 3, span);
        assert!(!at(0) && !at(1));
        assert!(!at(60), "the first is a minute ago");
        assert!(at(60));
    }
}
