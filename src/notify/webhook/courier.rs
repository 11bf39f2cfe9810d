//! Delivers the events of one webhook, for as long as it is the same one and active.
//!
//! One task, in which all attempts and the writing down go on side by side: nothing waits for a
//! receiver but the attempt itself. How far it has come is written down once a second while it
//! moves, so after a crash what was delivered within the last second is delivered again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, watch};

use super::{Delivery, Endpoint, Sender};
use crate::domain::dispatch::Outcome;
use crate::domain::event::Event;
use crate::domain::ids::WorkspaceId;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use crate::domain::webhook::{Bounds, GivenUp, Outgoing, Settled, Step, Stream, Webhook};
use crate::engine::entry::Entry;
use crate::engine::feed::EventFeed;
use crate::engine::figures::deliveries::Delivered;
use crate::engine::handle::Handle;
use crate::engine::library::StoredEvent;

/// Between two times that it is written down how far it has come.
const SAVE_EVERY: Span = Span::seconds(1);

/// Events given up that are written down at once: each has a number of its entry's.
const GIVEN_UP_AT_ONCE: usize = 32;
const _: () = assert!(GIVEN_UP_AT_ONCE as u64 <= Entry::MAX_EVENTS);

/// Events taken up again at once.
const AGAIN_AT_ONCE: usize = 32;

/// After the engine or its store refused something.
const AGAIN: Span = Span::seconds(1);

/// How long attempts under way may take to be answered when the process ends: what was taken by
/// then isn't sent again.
const LAND_WITHIN: Span = Span::seconds(1);

/// What all couriers of a workspace share.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) workspace: WorkspaceId,
    pub(super) handle: Handle,
    pub(super) sender: Arc<Sender>,
    /// Attempts under way in all.
    pub(super) permits: Arc<Semaphore>,
    pub(super) bounds: Bounds,
    /// Told when the process ends.
    pub(super) stop: watch::Receiver<bool>,
}

/// How an attempt went.
enum Flight {
    Landed(Outcome),
    /// The event is gone: it was kept for long enough.
    Gone,
    /// It couldn't be read.
    Unread,
}

type Attempt = Pin<Box<dyn Future<Output = (u64, Flight)> + Send>>;

/// What is being written down: how many of what was given up, and what was taken up again.
struct Saving {
    given_up: usize,
    taken_again: Vec<u64>,
    result: Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>,
}

/// Delivers for one webhook.
pub(super) struct Courier {
    office: Office,
    /// The webhook as it began; its id and beginning don't change.
    webhook: Arc<Webhook>,
    feed: EventFeed,
    outgoing: Outgoing,
    attempts: FuturesUnordered<Attempt>,
    /// Events that were read and not yet tried.
    fresh: BTreeMap<u64, StoredEvent>,
    saving: Option<Saving>,
    save_at: Timestamp,
    /// Events given up, until that is written down.
    given_up: Vec<GivenUp>,
    /// Events taken up again, until that is written down.
    taken_again: BTreeSet<u64>,
    /// There may be events to be taken up again.
    look_again: bool,
    read_again_at: Timestamp,
    /// That events were gone before they were read was told.
    told_gone: bool,
}

impl Courier {
    /// Goes on where the webhook had come to; none if it ended before that could be read.
    pub(super) async fn begin(office: Office, webhook: Arc<Webhook>) -> Option<Self> {
        let progress = loop {
            match office.handle.progress(&webhook).await {
                Ok(progress) => break progress,
                Err(_unavailable) => office.handle.wait(AGAIN).await,
            }
            office.now_of(&webhook)?;
        };
        let now = office.handle.running();
        Some(Self {
            feed: EventFeed::new(office.handle.clone()),
            outgoing: Outgoing::new(progress, office.bounds),
            office,
            webhook,
            attempts: FuturesUnordered::new(),
            fresh: BTreeMap::new(),
            saving: None,
            save_at: now,
            given_up: Vec::new(),
            taken_again: BTreeSet::new(),
            look_again: true,
            read_again_at: now,
            told_gone: false,
        })
    }

    /// Delivers until the webhook is another one or inactive, or the process ends.
    pub(super) async fn run(mut self) {
        let mut changed = self.office.handle.webhooks_changed();
        let mut stop = self.office.stop.clone();
        while let Some(webhook) = self.office.now_of(&self.webhook) {
            if *stop.borrow() {
                break;
            }
            let now = self.office.handle.running();
            self.read_again(now).await;
            self.read(&webhook, now).await;
            self.start(&webhook, now);
            self.save(now);
            self.show(now);
            let wake = self.wakes_at(now);
            let wants_more = self.outgoing.room(now) > 0 && now >= self.read_again_at;
            tokio::select! {
                Some((event, flight)) = self.attempts.next() => self.land(event, flight).await,
                result = saved(&mut self.saving) => match result {
                    Ok(()) => self.saved(),
                    Err(Refusal::NotFound) => break,
                    Err(_later) => {
                        self.saving = None;
                        self.outgoing.not_saved();
                    }
                },
                () = self.feed.more(), if wants_more => {}
                () = self.office.handle.wait(wake.unwrap_or(Span::ZERO)), if wake.is_some() => {}
                // The sender lives as long as the handle.
                _ = changed.changed() => self.look_again = true,
                _ = stop.changed() => {}
            }
        }
        self.end().await;
    }

    /// Takes up again what somebody asked for.
    async fn read_again(&mut self, now: Timestamp) {
        if !self.look_again || now < self.read_again_at {
            return;
        }
        let id = &self.webhook.settings.id;
        let handle = &self.office.handle;
        let Ok(mut again) = handle.again(id, AGAIN_AT_ONCE).await else {
            self.read_again_at = now + AGAIN;
            return;
        };
        again.retain(|event| !self.taken_again.contains(event));
        if again.is_empty() {
            self.look_again = false;
            return;
        }
        let Ok(found) = handle.events_of(again.clone()).await else {
            self.read_again_at = now + AGAIN;
            return;
        };
        self.look_again = false;
        self.taken_again.extend(again);
        for event in found {
            self.outgoing.read_again(event.id, Stream::of(&event.event), now);
        }
    }

    /// Reads more, as far as there is room.
    async fn read(&mut self, webhook: &Webhook, now: Timestamp) {
        let room = self.outgoing.room(now);
        if room == 0 || now < self.read_again_at || !self.feed.may_have_more() {
            return;
        }
        let Ok(events) = self.feed.read(self.outgoing.read_to(), room).await else {
            self.read_again_at = now + AGAIN;
            return;
        };
        for event in events {
            self.tell_gone(&event);
            let Ok(wanted) = self.office.wants(webhook, &event).await else {
                self.feed.go_back();
                self.read_again_at = now + AGAIN;
                return;
            };
            let stream = wanted.then(|| Stream::of(&event.event));
            self.outgoing.read(event.id, stream, now);
            if wanted {
                self.fresh.insert(event.id, event);
            }
        }
    }

    /// Where events are as old as those that go, some before it may be gone already.
    fn tell_gone(&mut self, event: &StoredEvent) {
        let handle = &self.office.handle;
        if !self.told_gone && handle.now().since(event.at) >= handle.retain() {
            self.told_gone = true;
            tracing::warn!(
                webhook = %self.webhook.settings.id,
                event = event.id,
                "a webhook is so far behind that events are gone unsent"
            );
        }
    }

    /// Begins as many attempts as may be under way.
    fn start(&mut self, webhook: &Arc<Webhook>, now: Timestamp) {
        // What can't be written down must not grow.
        if self.given_up.len() >= GIVEN_UP_AT_ONCE {
            return;
        }
        while let Some(event) = self.outgoing.start(now) {
            let fresh = self.fresh.remove(&event);
            let (office, webhook) = (self.office.clone(), Arc::clone(webhook));
            self.attempts.push(Box::pin(attempt(office, webhook, event, fresh)));
        }
    }

    /// An attempt is over.
    async fn land(&mut self, event: u64, flight: Flight) {
        let now = self.office.handle.running();
        let outcome = match flight {
            Flight::Landed(outcome) => outcome,
            Flight::Gone => return self.outgoing.drop_event(event),
            Flight::Unread => return self.outgoing.postpone(event, now + AGAIN),
        };
        let was_failing = self.outgoing.is_failing();
        let failure = reason_of(&outcome);
        let dice = event ^ now.0.cast_unsigned();
        let webhook = &self.webhook.settings.id;
        let deliveries = self.office.handle.deliveries();
        match self.outgoing.settle(event, outcome, now, dice) {
            Settled::Done => deliveries.count(Delivered::Delivered),
            Settled::Held => deliveries.count(Delivered::Failed),
            Settled::GivenUp(given_up) => {
                deliveries.count(Delivered::GivenUp);
                let (attempts, reason) = (given_up.event.failed, &given_up.reason);
                tracing::warn!(%webhook, event, attempts, reason, "a webhook's event is given up");
                self.given_up.push(given_up);
            }
            Settled::Refused(reason) => {
                deliveries.count(Delivered::GivenUp);
                self.disable(reason).await;
                return;
            }
        }
        match (was_failing, self.outgoing.is_failing()) {
            (false, true) => {
                tracing::warn!(%webhook, reason = failure, "a webhook's receiver takes nothing");
            }
            (true, false) => tracing::info!(%webhook, "a webhook's receiver takes events again"),
            (true, true) | (false, false) => {}
        }
    }

    /// The receiver wants nothing any more.
    async fn disable(&mut self, reason: String) {
        let id = &self.webhook.settings.id;
        tracing::warn!(webhook = %id, reason, "a webhook is disabled");
        let handle = self.office.handle.clone();
        while self.office.now_of(&self.webhook).is_some() && !*self.office.stop.borrow() {
            let starts_after = self.webhook.starts_after;
            match handle.disable_webhook(id.clone(), starts_after, reason.clone()).await {
                Ok(()) | Err(Refusal::NotFound) => return,
                Err(_later) => handle.wait(AGAIN).await,
            }
        }
    }

    /// Begins to write down how far it has come, if it is time.
    fn save(&mut self, now: Timestamp) {
        if self.saving.is_none() && self.is_unsaved() && now >= self.save_at {
            self.save_at = now + SAVE_EVERY;
            let (handle, step) = (self.office.handle.clone(), self.step());
            self.saving = Some(Saving {
                given_up: step.given_up.len(),
                taken_again: step.taken_again.clone(),
                result: Box::pin(async move { handle.save_progress(step).await }),
            });
        }
    }

    fn is_unsaved(&self) -> bool {
        self.outgoing.is_unsaved() || !self.given_up.is_empty() || !self.taken_again.is_empty()
    }

    /// How far it has come, to be written down.
    fn step(&mut self) -> Step {
        Step {
            progress: self.outgoing.take_unsaved(),
            given_up: self.given_up.iter().take(GIVEN_UP_AT_ONCE).cloned().collect(),
            taken_again: self.taken_again.iter().copied().collect(),
        }
    }

    /// What was to be written down is.
    fn saved(&mut self) {
        let Some(Saving { given_up, taken_again, .. }) = self.saving.take() else { return };
        self.given_up.drain(..given_up);
        // There may be more behind those that are off the list now.
        self.look_again |= !taken_again.is_empty();
        for event in taken_again {
            self.taken_again.remove(&event);
        }
    }

    fn show(&self, now: Timestamp) {
        let standing = self.outgoing.standing(now);
        self.office.handle.deliveries().show(&self.webhook.settings.id, Some(standing));
    }

    /// How long nothing needs to be looked at, if nothing comes.
    fn wakes_at(&self, now: Timestamp) -> Option<Span> {
        let save = self.is_unsaved() && self.saving.is_none();
        let read = now < self.read_again_at;
        let times = [
            self.outgoing.wakes_at(),
            save.then_some(self.save_at),
            read.then_some(self.read_again_at),
        ];
        let next = times.into_iter().flatten().min()?;
        Some(next.since(now).max(Span::millis(1)))
    }

    /// Waits for the answers to what is under way, but for no receiver that hangs.
    async fn land_last(&mut self) {
        let handle = self.office.handle.clone();
        let mut late = std::pin::pin!(handle.wait(LAND_WITHIN));
        while !self.attempts.is_empty() {
            tokio::select! {
                Some((event, flight)) = self.attempts.next() => self.land(event, flight).await,
                () = &mut late => return,
            }
        }
    }

    /// The last word: what was delivered since it was written down last needn't be again.
    async fn end(mut self) {
        self.office.handle.deliveries().show(&self.webhook.settings.id, None);
        if *self.office.stop.borrow() {
            self.land_last().await;
        }
        if self.saving.is_some() {
            // Either way the next one says more.
            if let Ok(()) = saved(&mut self.saving).await {
                self.saved();
            }
        }
        if self.office.now_of(&self.webhook).is_some() && self.is_unsaved() {
            let step = self.step();
            let saved = self.office.handle.save_progress(step).await;
            if let Err(error) = saved {
                tracing::debug!(%error, "what was delivered last is delivered again");
            }
        }
    }
}

impl Office {
    /// Whether an event is to be sent.
    async fn wants(&self, webhook: &Webhook, event: &StoredEvent) -> Result<bool, Refusal> {
        let filter = &webhook.settings.filter;
        if !filter.wants_type(event.event.name()) {
            return Ok(false);
        }
        let channel = match &event.event {
            Event::Callback(id, _) if !filter.channels.is_empty() => {
                self.handle.channel_of(*id).await?
            }
            Event::Callback(..) | Event::Agent(..) | Event::Queue(..) => None,
        };
        Ok(filter.wants(&event.event, channel))
    }

    /// The webhook as it is now, while it is the same one and active.
    fn now_of(&self, webhook: &Webhook) -> Option<Arc<Webhook>> {
        let now = self.handle.webhook(&webhook.settings.id)?;
        (now.settings.active && now.starts_after == webhook.starts_after).then_some(now)
    }
}

/// Waits for what is being written down; for ever where nothing is.
async fn saved(saving: &mut Option<Saving>) -> Result<(), Refusal> {
    match saving {
        Some(saving) => (&mut saving.result).await,
        None => std::future::pending().await,
    }
}

fn reason_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered(()) => String::new(),
        Outcome::Later { reason, .. } | Outcome::GivenUp { reason } => reason.clone(),
    }
}

/// One attempt to deliver one event.
async fn attempt(
    office: Office,
    webhook: Arc<Webhook>,
    event: u64,
    fresh: Option<StoredEvent>,
) -> (u64, Flight) {
    // Never closed.
    let _permit = office.permits.acquire().await;
    let stored = match fresh {
        Some(stored) => stored,
        None => match office.handle.events_of(vec![event]).await.map(|mut found| found.pop()) {
            Ok(Some(stored)) => stored,
            Ok(None) => return (event, Flight::Gone),
            Err(_unavailable) => return (event, Flight::Unread),
        },
    };
    let now = office.handle.now();
    let endpoint = Endpoint {
        url: webhook.settings.url.clone(),
        secret: webhook.secret.clone(),
        former_secret: webhook.former_secret(now).map(|former| former.secret.clone()),
    };
    let delivery = Delivery::new(&stored, &office.workspace, now);
    (event, Flight::Landed(office.sender.deliver(&endpoint, &delivery).await))
}
