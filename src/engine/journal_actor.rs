//! Hears from the journal what became of its entries, and lets go what was held behind them.
//! Also looks after it while its writer may be stuck.

use std::rc::Rc;

use actix::{Actor, Context, Handler, Message};
use tokio::sync::Notify;

use super::journal::{JournalEvent, Lost};
use super::life::Fault;
use super::office::Office;
use super::ports::EntryNumber;
use super::scheduler_actor::Ring;
use super::shell::post;

/// The actor behind the journal.
pub(crate) struct JournalActor {
    office: Rc<Office>,
}

/// The journal has something to tell.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Heard(pub(crate) JournalEvent);

impl JournalActor {
    /// The actor behind an office's journal.
    pub(crate) fn new(office: Rc<Office>) -> Self {
        Self { office }
    }
}

impl Actor for JournalActor {
    type Context = Context<Self>;
}

impl Handler<Heard> for JournalActor {
    type Result = ();

    fn handle(&mut self, Heard(event): Heard, _ctx: &mut Self::Context) {
        let office = &self.office;
        office.watch(|| match event {
            JournalEvent::Durable(number) => office.durable(number),
            JournalEvent::Stalled => office.stalled(),
            JournalEvent::Resumed => office.resumed(),
            // Whoever comes asks the journal whether it takes more.
            JournalEvent::Room => {}
            JournalEvent::Fenced { .. } => office.end(Fault::Fenced),
            JournalEvent::Lost(lost) => office.lost(&lost),
        });
    }
}

/// Looks for stalls that the journal's writer can't tell, as long as it has something to write.
pub(super) fn watch_for_stalls(office: &Rc<Office>, handed_over: Rc<Notify>) {
    let this = Rc::clone(office);
    office.spawn(async move {
        loop {
            handed_over.notified().await;
            while let Some(pause) = this.look_for_stall() {
                tokio::time::sleep(pause).await;
            }
        }
    });
}

impl Office {
    /// Entries up to `number` are durable: what was held behind them goes out, in its order.
    fn durable(self: &Rc<Self>, number: EntryNumber) {
        self.let_out_to(number);
        // Reads are let go last, so that none shows what a board doesn't show yet.
        self.shared.door.tell(|standing| standing.durable = number);
    }

    /// The store doesn't acknowledge: nothing comes in, people's time stands still.
    fn stalled(self: &Rc<Self>) {
        tracing::warn!(alarm = true, "the store doesn't acknowledge; commands are refused");
        self.shared.gauges.stalled();
        let clock = &self.shared.clock;
        clock.hold();
        let since = clock.running();
        self.shared.door.tell(|standing| standing.stalled_since = Some(since));
        self.turn_all_away();
    }

    /// The store acknowledges again.
    fn resumed(self: &Rc<Self>) {
        tracing::info!("the store acknowledges again");
        self.shared.clock.release();
        self.shared.door.tell(|standing| standing.stalled_since = None);
        post(self.scheduler(), Ring);
        self.outbox.wake_all();
    }

    /// The store lost entries, or can't be gone on with. One that was emptied or replaced must not
    /// be recovered from: it would show no callbacks where there are some.
    fn lost(&self, lost: &Lost) {
        match lost {
            Lost::Replaced { .. } => {
                tracing::error!(reason = %lost, alarm = true, "the store is another one");
                self.end(Fault::Replaced);
            }
            Lost::LogBehind { .. }
            | Lost::LogAhead { .. }
            | Lost::TablesBehind { .. }
            | Lost::TablesAhead { .. } => {
                tracing::error!(reason = %lost, alarm = true, "the store lost entries");
                self.fail("the store lost entries");
            }
            Lost::Broken(_) => {
                tracing::error!(reason = %lost, alarm = true, "the store can't be gone on with");
                self.fail("the store can't be gone on with");
            }
        }
    }
}
