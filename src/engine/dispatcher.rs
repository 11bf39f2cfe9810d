//! The dispatcher: carries out what is in the outbox, and writes down what became of it.
//!
//! One for each carrier, for as long as a life lasts. It never polls: it is woken when an item's
//! entry is durable, when something on its way has ended, and when the next item is due. What goes
//! out is shown by durable entries alone, and what became of it is an entry of its own; a crash
//! between the two lets it go out again, as the same mail. It must never hold up the workspace's
//! thread: adapters run elsewhere.

use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::answers::Reply;
use super::ask::Ask;
use super::door::{Cause, Phase};
use super::entry::Entry;
use super::handle::CommandError;
use super::library::{FullCallback, OutboxPlace};
use super::office::Office;
use super::outbox::{entry_of, item_again};
use super::outward::{Appointment, MailToSend};
use super::ports::{EntryNumber, PortFuture, StoreError};
use super::webhooks::shown;
use crate::domain::callback::shown_number;
use crate::domain::dispatch::{
    Carrier, Failure, Item, Mail, Meeting, MeetingTask, OutboxChange, Outcome, Task, Turn,
    Undelivered, Work, judge, overtaken, still_holds, turn, work_on,
};
use crate::domain::effect::{Answer, Change, StepOutput};
use crate::domain::ids::{CallbackId, WorkspaceId};
use crate::domain::message::Token;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};

/// Items looked at in one read of the due order.
const PAGE: usize = 128;

/// Items counted in one read.
const COUNTED: usize = 1_000;

/// After the store couldn't be read or written.
const AGAIN: Span = Span::seconds(1);

/// The longest sleep: due times follow the wall clock, which may jump.
const LOOK: Span = Span::seconds(60);

/// What could not be done for now, and says nothing of the item.
enum Trouble {
    /// The store can't be read.
    Store(StoreError),
    /// It stalls, or the workspace is about to end.
    Unavailable,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Office {
    /// Begins to carry out what goes out, on `elsewhere`, for as long as this life lasts.
    pub(crate) fn send_what_goes_out(self: &Rc<Self>, elsewhere: &Handle) {
        for carrier in Carrier::ALL {
            if self.outward.has(carrier) {
                let (office, elsewhere) = (Rc::clone(self), elsewhere.clone());
                self.spawn(async move { office.carry(carrier, elsewhere).await });
            }
        }
    }

    async fn carry(self: Rc<Self>, carrier: Carrier, elsewhere: Handle) {
        self.count_waiting(carrier).await;
        loop {
            let next = match self.run_once(carrier, &elsewhere).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(error = %error, "the outbox can't be read");
                    Some(self.shared.clock.wall() + AGAIN)
                }
            };
            let wait: PortFuture<'_, ()> = match next {
                Some(at) => {
                    let left = at.since(self.shared.clock.wall());
                    self.shared.clock.wait(left.max(Span::ZERO).min(LOOK))
                }
                None => Box::pin(std::future::pending()),
            };
            tokio::select! {
                () = self.outbox.woken(carrier) => {}
                () = wait => {}
            }
        }
    }

    /// Starts what is due, as far as there is room, and says when the next item is.
    async fn run_once(
        self: &Rc<Self>,
        carrier: Carrier,
        elsewhere: &Handle,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.shared.clock.wall();
        let mut after = None;
        loop {
            let standing = self.shared.door.standing();
            let ready = standing.phase == Phase::Ready && standing.stalled_since.is_none();
            if !ready || self.draining.get() || self.is_full(carrier) {
                // Whatever ends that wakes.
                return Ok(None);
            }
            let page = self.library.outbox_due(carrier, after, now, PAGE).await?;
            for place in &page {
                if self.is_full(carrier) {
                    return Ok(None);
                }
                if !self.outbox.is_busy(place.callback) && entry_of(place.id) <= standing.durable {
                    match self.look_at(carrier, *place, now, elsewhere).await {
                        Err(error @ StoreError::Damaged { .. }) => {
                            tracing::error!(error = %error, alarm = true, "an item is skipped");
                        }
                        looked => looked?,
                    }
                }
            }
            after = page.last().copied();
            if page.len() < PAGE {
                break;
            }
        }
        let behind = OutboxPlace { at: now, id: u64::MAX, callback: CallbackId(u128::MAX) };
        let next = self.library.outbox_due(carrier, Some(behind), Timestamp::NEVER, 1).await?;
        Ok(next.first().map(|place| place.at))
    }

    fn is_full(&self, carrier: Carrier) -> bool {
        let limits = &self.shared.limits;
        let most = match carrier {
            Carrier::Mail => limits.mails_at_once,
            Carrier::Meeting => limits.meetings_at_once,
        };
        self.outbox.under_way(carrier) >= most
    }

    /// Starts an item that is due, unless another one of its callback goes first.
    async fn look_at(
        self: &Rc<Self>,
        carrier: Carrier,
        place: OutboxPlace,
        now: Timestamp,
        elsewhere: &Handle,
    ) -> Result<(), StoreError> {
        let items = self.library.outbox_of(place.callback).await?;
        let Some(item) = items.iter().find(|item| item.id == place.id) else { return Ok(()) };
        if self.outbox.is_busy(place.callback) || item.next_at > now {
            return Ok(());
        }
        match turn(item, &items, now, self.outward.has(Carrier::Meeting)) {
            Turn::Behind => {}
            Turn::Go => {
                self.outbox.begin(carrier, place.callback);
                let (office, item, elsewhere) = (Rc::clone(self), item.clone(), elsewhere.clone());
                self.spawn(async move {
                    office.attempt(&item, &elsewhere).await;
                    office.outbox.end(carrier, item.dispatch.callback);
                });
            }
            Turn::Wait(until) => {
                // Out of the due order meanwhile, or it would be looked at again and again.
                let after = Item { next_at: until, ..item.clone() };
                let before = item.clone();
                self.outbox.begin(carrier, place.callback);
                self.note(vec![OutboxChange::Later { before, after }]).await;
                self.outbox.end(carrier, place.callback);
            }
        }
        Ok(())
    }

    /// Tries an item once, and writes down what became of it.
    async fn attempt(self: &Rc<Self>, item: &Item, elsewhere: &Handle) {
        let began = self.shared.clock.wall();
        let judged = |outcome| vec![self.judge_try(item, began, outcome)];
        let tried = match &item.dispatch.task {
            Task::Mail(mail) => self.try_mail(item, mail, elsewhere).await.map(judged),
            Task::Meeting(task) => self.try_meeting(item, *task, elsewhere).await.map(judged),
            Task::Withdraw => self.withdraw(item).await,
        };
        match tried {
            Ok(changes) => self.note(changes).await,
            Err(trouble) => {
                if let Trouble::Store(error) = trouble {
                    tracing::warn!(error = %error, "the outbox can't be read");
                }
                self.shared.clock.wait(AGAIN).await;
            }
        }
    }

    /// What follows from a try that began then, with a word for the log.
    fn judge_try(&self, item: &Item, began: Timestamp, outcome: Outcome) -> OutboxChange {
        let dice = u64::try_from(self.now().fresh.0 & u128::from(u64::MAX)).unwrap_or_default();
        let change = judge(item, began, outcome, self.shared.clock.wall(), dice);
        let (carrier, name) = (item.dispatch.carrier().as_str(), item.dispatch.name());
        let callback = item.dispatch.callback;
        match &change {
            OutboxChange::Later { after: Item { tries, reason, .. }, .. } => {
                tracing::info!(carrier, name, %callback, tries, reason, "it goes out later");
            }
            OutboxChange::GivenUp { failure: Failure { tries, reason, .. }, .. } => {
                tracing::warn!(
                    carrier,
                    name,
                    %callback,
                    tries,
                    reason,
                    "what was to go out is given up"
                );
            }
            OutboxChange::New(_)
            | OutboxChange::Done(_)
            | OutboxChange::Failed(_)
            | OutboxChange::Again { .. } => {}
        }
        change
    }

    /// Takes out what no longer holds, in one entry with the item that asked for it.
    async fn withdraw(&self, item: &Item) -> Result<Vec<OutboxChange>, Trouble> {
        let id = item.dispatch.callback;
        // Before the callback, so that nothing among them belongs to a later booking.
        let items = self.library.outbox_of(id).await?;
        let now = self.shared.clock.wall();
        let mut gone = match self.read_durable(id).await? {
            Some(full) => overtaken(&items, &full.callback, now),
            None => Vec::new(),
        };
        gone.push(item.clone());
        Ok(gone.into_iter().map(OutboxChange::Done).collect())
    }

    async fn try_mail(
        &self,
        item: &Item,
        mail: &Mail,
        elsewhere: &Handle,
    ) -> Result<Outcome, Trouble> {
        let Some(full) = self.read_durable(item.dispatch.callback).await? else {
            return Ok(Outcome::Delivered(()));
        };
        let now = self.shared.clock.wall();
        let Some(mails) = self.outward.mails.clone() else { return Err(Trouble::Unavailable) };
        let has_address = full.request.customer.email.is_some();
        if !has_address || !still_holds(mail, &full.callback, now) {
            return Ok(Outcome::Delivered(()));
        }
        let Some(secret) = self.shared.secret.get() else { return Err(Trouble::Unavailable) };
        let order = MailToSend {
            id: item.id,
            mail: mail.clone(),
            caused_at: item.dispatch.caused_at,
            queue: self.known.borrow().queue_of(&full.callback.queue),
            full,
            secret: Arc::clone(secret),
        };
        let sent = elsewhere.spawn(async move { mails.send(&order).await }).await;
        let outcome = sent.unwrap_or_else(|_panic| Outcome::later("an internal error"));
        if outcome == Outcome::Delivered(()) {
            self.shared.gauges.outbox.sent(Carrier::Mail);
        }
        Ok(outcome)
    }

    async fn try_meeting(
        self: &Rc<Self>,
        item: &Item,
        task: MeetingTask,
        elsewhere: &Handle,
    ) -> Result<Outcome, Trouble> {
        let id = item.dispatch.callback;
        let Some(full) = self.read_durable(id).await? else {
            return Ok(Outcome::Delivered(()));
        };
        let Some(meetings) = self.outward.meetings.clone() else {
            return Err(Trouble::Unavailable);
        };
        let work = work_on(&full.callback, task, meetings.provider());
        let appointment = appointment(&self.shared.workspace, &full, &self.queue_name(&full));
        let done = elsewhere.spawn(async move {
            match work {
                Work::Nothing => Outcome::Delivered(None),
                Work::Delete(known) => meetings.delete(id, known.as_deref()).await.map(|()| None),
                Work::Create => meetings.create(&appointment).await.map(Some),
                Work::Update(known) => meetings.update(&known, &appointment).await.map(Some),
                Work::Renew(known) => meetings.renew(&known, &appointment).await.map(Some),
            }
        });
        let outcome = done.await.unwrap_or_else(|_panic| Outcome::later("an internal error"));
        if let Outcome::Delivered(made) = &outcome {
            self.shared.gauges.outbox.sent(Carrier::Meeting);
            if let Some(meeting) = made {
                let late = task == MeetingTask::Keep && item.tries > 0;
                self.tell_meeting(id, meeting.clone(), late).await?;
            }
        }
        Ok(outcome.map(|_meeting| ()))
    }

    fn queue_name(&self, full: &FullCallback) -> String {
        self.known.borrow().queue_of(&full.callback.queue).settings.name.clone()
    }

    /// Tells a callback its meeting, and returns when that is durable.
    async fn tell_meeting(
        self: &Rc<Self>,
        callback: CallbackId,
        meeting: Meeting,
        late: bool,
    ) -> Result<(), Trouble> {
        let permit = self.shared.door.wait_for(1).await.ok_or(Trouble::Unavailable)?;
        let (answer, answered) = oneshot::channel();
        let ask = Ask::MeetingMade { callback, meeting: Box::new(meeting), late };
        self.admit(ask, None, Reply::Caller(answer), permit);
        match answered.await {
            Ok(Ok(_) | Err(CommandError::Refused(Refusal::NotFound))) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Trouble::Unavailable),
        }
    }

    /// A callback with its texts, as it is durable; none if it has lapsed.
    async fn read_durable(&self, id: CallbackId) -> Result<Option<FullCallback>, Trouble> {
        let life = self.shared.door.standing().life;
        let Some(callback) = self.library.callback(id).await? else { return Ok(None) };
        let full = self.library.complete(callback).await?;
        let shown = self.shared.door.wait_durable(life, self.library.newest()).await;
        shown.map_err(|_stalled| Trouble::Unavailable)?;
        Ok(Some(full))
    }

    /// Writes down what became of items, as one entry, and returns when that is durable.
    async fn note(&self, changes: Vec<OutboxChange>) {
        loop {
            // Kept until the entry is with the journal, as a command's is.
            let permit = self.shared.door.wait_for(1).await;
            let stalled = self.shared.door.standing().stalled_since.is_some();
            if !stalled && self.journal_has_room() {
                let number = self.write_outbox(changes);
                drop(permit);
                if let Some(number) = number {
                    self.shared.door.wait_standing(|standing| standing.durable >= number).await;
                }
                return;
            }
            drop(permit);
            if stalled {
                self.shared.door.wait_standing(|standing| standing.stalled_since.is_none()).await;
            } else {
                self.shared.clock.wait(AGAIN).await;
            }
        }
    }

    /// What was given up is due again.
    pub(crate) fn retry_failure(
        self: &Rc<Self>,
        token: Token,
        failure: Failure,
        cause: &Arc<Cause>,
    ) {
        let now = self.now();
        let mut out = StepOutput::default();
        if let Undelivered::Webhook { webhook, event, callback: _ } = &failure.what {
            match self.webhook_again(webhook, *event) {
                Ok(again) => out.changes.push(again),
                Err(refusal) => {
                    cause.answered(token);
                    return self.refuse(token, refusal);
                }
            }
        }
        let shown = out.changes.first().and_then(shown);
        let item = item_again(&failure.what, failure.id, now.wall);
        out.answer(token, Ok(Answer::Failure(Box::new(failure.clone()))));
        out.changes.push(Change::Outbox(Box::new(OutboxChange::Again { failure, item })));
        self.carry_out(&now, out, Some(cause));
        if let Some(output) = shown {
            self.hold(output);
        }
    }

    fn write_outbox(&self, changes: Vec<OutboxChange>) -> Option<EntryNumber> {
        let mut journal = self.journal.borrow_mut();
        let journal = journal.as_mut()?;
        for change in &changes {
            self.shared.gauges.outbox.took(change);
        }
        let changes = changes.into_iter().map(|change| Change::Outbox(Box::new(change))).collect();
        let at = self.shared.clock.wall();
        let (events, kept, secret) = (Vec::new(), None, None);
        let number = journal.take(Entry { at, changes, events, kept, secret });
        self.shared.gauges.taken(number);
        Some(number)
    }

    /// Counts what waits from before this life, for the figures.
    async fn count_waiting(&self, carrier: Carrier) {
        let found_until = self.outbox.before();
        let mut after = None;
        loop {
            let read = self.library.outbox_due(carrier, after, Timestamp::NEVER, COUNTED);
            let Ok(page) = read.await else {
                // Told when the outbox is read to be sent.
                return;
            };
            let old = page.iter().filter(|place| entry_of(place.id) <= found_until).count();
            self.shared.gauges.outbox.found(carrier, i64::try_from(old).unwrap_or(i64::MAX));
            after = page.last().copied();
            if page.len() < COUNTED {
                return;
            }
        }
    }
}

fn appointment(workspace: &WorkspaceId, full: &FullCallback, queue: &str) -> Appointment {
    let callback = &full.callback;
    let (start, end) = callback
        .booking
        .as_ref()
        .map_or((callback.created_at, callback.created_at), |booking| (booking.start, booking.end));
    Appointment {
        workspace: workspace.clone(),
        callback: callback.id,
        topic: format!("{queue} ({})", shown_number(callback.number)),
        start,
        end,
        customer_name: Some(full.request.customer.name.clone()),
    }
}
