//! The router's actor. What the router knows stands in no record of its own, so a panic of its
//! machine starts the workspace again as a whole.

use std::rc::Rc;

use actix::{Actor, Context, Handler};

use super::office::Office;
use super::shell::{Envelope, guarded};
use crate::domain::machines::router::RouterMachine;
use crate::domain::message::RouterMessage;

/// The actor of the one router.
pub(crate) struct RouterActor {
    office: Rc<Office>,
    /// None once it has panicked: the workspace is about to start again.
    machine: Option<RouterMachine>,
}

impl RouterActor {
    /// The actor of a router that knows nobody yet.
    pub(crate) fn new(office: Rc<Office>) -> Self {
        let machine = Some(RouterMachine::new(office.shared.limits.router));
        Self { office, machine }
    }

    fn take(&mut self, envelope: Envelope<RouterMessage>) {
        let Envelope { message, cause } = envelope;
        let now = self.office.now();
        let Some(machine) = &mut self.machine else { return };
        let out = guarded(|out| {
            #[cfg(test)]
            self.office.shared.fail_if_poisoned("router");
            machine.step(&now, message, out);
        });
        if let Some(out) = out {
            self.office.carry_out(&now, out, cause.as_ref());
        } else {
            self.machine = None;
            self.office.fail("the router's step panicked");
        }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}

impl Handler<Envelope<RouterMessage>> for RouterActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<RouterMessage>, _ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            office.shared.gauges.letter_arrived();
            self.take(envelope);
        });
    }
}
