//! Webhooks as the workspace keeps them: set by administrators, moved on by whoever delivers.
//!
//! They have no machine and no actor, since nothing happens to them by itself: each command is
//! decided here, on the workspace's thread, and is one entry. Delivering is others' work; it must
//! never be waited for here.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::answers::strange;
use super::ask::Ask;
use super::door::Cause;
use super::entry::Entry;
use super::feed::last_event_of;
use super::figures::deliveries::Deliveries;
use super::handle::{Handle, unreadable};
use super::office::Office;
use super::outputs::{CommandAnswer, Output};
use crate::domain::dispatch::{Failure, OutboxChange, Undelivered};
use crate::domain::effect::{Answer, Change, WebhookChange};
use crate::domain::ids::WebhookId;
use crate::domain::message::Token;
use crate::domain::refusal::Refusal;
use crate::domain::webhook::{
    GivenUp, MAX_WEBHOOKS, NewWebhook, Progress, SigningSecret, Step, Stream, Webhook,
};

/// What is asked of webhooks.
pub(crate) enum WebhookAsk {
    /// Make or replace one.
    Put { wanted: Box<NewWebhook>, fresh: SigningSecret, if_match: Option<u64> },
    /// Remove one.
    Remove { id: WebhookId, if_match: Option<u64> },
    /// Make one inactive, if it is still the one that began then.
    Disable { id: WebhookId, starts_after: u64, why: String },
    /// One has come further, if it is still the one that began then.
    Save(Box<Step>),
}

impl Office {
    /// Carries out what is asked of webhooks.
    pub(crate) fn webhook(self: &Rc<Self>, token: Token, ask: WebhookAsk, cause: &Cause) {
        cause.answered(token);
        let decided = match ask {
            WebhookAsk::Save(step) => self.webhook_steps(*step),
            ask => self.webhook_change(ask),
        };
        let (changes, answer) = match decided {
            Ok(done) => done,
            Err(refusal) => return self.refuse(token, refusal),
        };
        let shown: Vec<_> = changes.iter().filter_map(shown).collect();
        self.known.borrow_mut().learn(&changes);
        self.write(self.now().wall, changes, Vec::new(), Vec::new());
        for output in shown {
            self.hold(output);
        }
        self.answer(token, CommandAnswer::Made(Box::new(Ok(answer))));
    }

    /// A webhook has come further: its progress, what was given up on the way, and what isn't to
    /// be sent again any more since it is under way.
    fn webhook_steps(&self, step: Step) -> Decided {
        let Step { progress, given_up, taken_again } = step;
        let id = progress.webhook.clone();
        let webhook = self.known.borrow().webhook(&id);
        if !webhook.is_some_and(|it| is_under_way(&it, progress.starts_after)) {
            return Err(Refusal::NotFound);
        }
        let mut changes = vec![Change::Webhook(WebhookChange::Progress(Arc::new(progress)))];
        let entry = self.newest() + 1;
        for (place, given_up) in (0..Entry::MAX_EVENTS).zip(given_up) {
            let failure = failure(entry * Entry::MAX_EVENTS + place, &id, given_up);
            changes.push(Change::Outbox(Box::new(OutboxChange::Failed(failure))));
        }
        changes.extend(taken_again.into_iter().map(|event| {
            Change::Webhook(WebhookChange::TakenAgain { webhook: id.clone(), event })
        }));
        Ok((changes, Answer::Done))
    }

    /// What it takes for a webhook to be sent an event again that was given up.
    pub(crate) fn webhook_again(&self, webhook: &str, event: u64) -> Result<Change, Refusal> {
        let id = WebhookId::parse(webhook).map_err(|_| Refusal::NotFound)?;
        let there = self.known.borrow().webhook(&id).filter(|webhook| webhook.settings.active);
        if there.is_none() {
            let text = format!("webhook {id} isn't active; make it active first");
            return Err(Refusal::InUse(text));
        }
        Ok(Change::Webhook(WebhookChange::Again { webhook: id, event }))
    }

    fn webhook_change(&self, ask: WebhookAsk) -> Decided {
        let known = self.known.borrow();
        let now = self.shared.clock.wall();
        let (change, answer) = match ask {
            WebhookAsk::Put { wanted, fresh, if_match } => {
                let before = known.webhook(&wanted.settings.id);
                check_version(before.as_ref().map_or(0, |webhook| webhook.version), if_match)?;
                let created = before.is_none();
                if created && known.webhook_count() >= MAX_WEBHOOKS {
                    let text = format!("there are {MAX_WEBHOOKS} webhooks; remove another first");
                    return Err(Refusal::LimitReached(text));
                }
                let newest = last_event_of(self.newest());
                let webhook = Webhook::put(before.as_deref(), *wanted, fresh, newest, now);
                let webhook = Arc::new(webhook);
                let answer = Answer::Webhook { webhook: Arc::clone(&webhook), created };
                (WebhookChange::Put(webhook), answer)
            }
            WebhookAsk::Remove { id, if_match } => {
                let before = known.webhook(&id).ok_or(Refusal::NotFound)?;
                check_version(before.version, if_match)?;
                (WebhookChange::Removed(id), Answer::Done)
            }
            WebhookAsk::Disable { id, starts_after, why } => {
                let before = known.webhook(&id).filter(|it| is_under_way(it, starts_after));
                let webhook = Arc::new(before.ok_or(Refusal::NotFound)?.disable(why, now));
                (WebhookChange::Put(webhook), Answer::Done)
            }
            WebhookAsk::Save(_) => unreachable!("`webhook_steps` takes these"),
        };
        Ok((vec![Change::Webhook(change)], answer))
    }
}

/// What a command changes, and its answer.
type Decided = Result<(Vec<Change>, Answer), Refusal>;

/// What others are told of a change, when it is durable.
pub(super) fn shown(change: &Change) -> Option<Output> {
    let Change::Webhook(change) = change else { return None };
    match change {
        WebhookChange::Put(webhook) => {
            let id = webhook.settings.id.clone();
            Some(Output::PublishWebhook(id, Some(Arc::clone(webhook))))
        }
        WebhookChange::Removed(id) => Some(Output::PublishWebhook(id.clone(), None)),
        WebhookChange::Again { .. } => Some(Output::WakeWebhooks),
        WebhookChange::Progress(_) | WebhookChange::TakenAgain { .. } => None,
    }
}

/// What the list of failures has of an event that was given up.
fn failure(id: u64, webhook: &WebhookId, given_up: GivenUp) -> Failure {
    let GivenUp { event, at, reason } = given_up;
    let callback = match event.stream {
        Stream::Callback(callback) => Some(callback),
        Stream::Agent(_) | Stream::Queue(_) => None,
    };
    Failure {
        id,
        what: Undelivered::Webhook {
            webhook: webhook.as_str().to_owned(),
            event: event.event,
            callback,
        },
        tries: event.failed,
        first_try: event.since,
        failed_at: at,
        reason,
    }
}

fn is_under_way(webhook: &Webhook, starts_after: u64) -> bool {
    webhook.settings.active && webhook.starts_after == starts_after
}

/// Whether a change is meant for what is there, of this version; 0: nothing.
pub(super) fn check_version(version: u64, if_match: Option<u64>) -> Result<(), Refusal> {
    match if_match {
        Some(wanted) if wanted != version => Err(Refusal::VersionStale { version }),
        Some(_) | None => Ok(()),
    }
}

impl Handle {
    /// Makes or replaces a webhook; true: made.
    pub async fn put_webhook(
        &self,
        wanted: NewWebhook,
        if_match: Option<u64>,
    ) -> Result<(Arc<Webhook>, bool), Refusal> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::warn!(%error, "the system gives no random secret");
            Refusal::Unavailable
        })?;
        let fresh = SigningSecret::of_random(&random);
        let ask = WebhookAsk::Put { wanted: Box::new(wanted), fresh, if_match };
        match self.plain(Ask::Webhook(ask)).await? {
            Answer::Webhook { webhook, created } => Ok((webhook, created)),
            other => Err(strange(&other)),
        }
    }

    /// Removes a webhook. What it wasn't sent yet, it never is.
    pub async fn remove_webhook(
        &self,
        id: WebhookId,
        if_match: Option<u64>,
    ) -> Result<(), Refusal> {
        self.webhook_done(WebhookAsk::Remove { id, if_match }).await
    }

    /// Makes a webhook inactive; not found where it is another one by now.
    pub async fn disable_webhook(
        &self,
        id: WebhookId,
        starts_after: u64,
        why: String,
    ) -> Result<(), Refusal> {
        self.webhook_done(WebhookAsk::Disable { id, starts_after, why }).await
    }

    /// Writes down how far a webhook has come; not found where it is another one by now. At most
    /// [`Entry::MAX_EVENTS`] events are given up at once.
    pub async fn save_progress(&self, step: Step) -> Result<(), Refusal> {
        self.webhook_done(WebhookAsk::Save(Box::new(step))).await
    }

    /// Events that a webhook is to be sent again, at most so many.
    pub async fn again(&self, webhook: &WebhookId, limit: usize) -> Result<Vec<u64>, Refusal> {
        let gate = self.shared.gate()?;
        let again = gate.library.webhook_again(webhook.clone(), limit).await;
        self.shown(&gate, again.map_err(unreadable)?).await
    }

    async fn webhook_done(&self, ask: WebhookAsk) -> Result<(), Refusal> {
        match self.plain(Ask::Webhook(ask)).await? {
            Answer::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }

    /// A webhook, as durable.
    pub fn webhook(&self, id: &WebhookId) -> Option<Arc<Webhook>> {
        self.shared.boards.webhooks.one(id)
    }

    /// All webhooks, by id, as durable.
    pub fn webhooks(&self) -> Vec<Arc<Webhook>> {
        self.shared.boards.webhooks.all()
    }

    /// Told when a webhook was made, changed or removed.
    pub fn webhooks_changed(&self) -> watch::Receiver<()> {
        self.shared.boards.webhooks_changed.subscribe()
    }

    /// How far a webhook had come when that was written down last; its beginning, if it wasn't yet.
    pub async fn progress(&self, webhook: &Webhook) -> Result<Progress, Refusal> {
        let gate = self.shared.gate()?;
        let id = webhook.settings.id.clone();
        let saved = gate.library.progress(id.clone()).await.map_err(unreadable)?;
        let saved = saved.filter(|saved| saved.starts_after == webhook.starts_after);
        let progress = saved.unwrap_or_else(|| Progress::beginning(id, webhook.starts_after));
        self.shown(&gate, progress).await
    }

    /// Where whoever delivers counts what they do.
    pub fn deliveries(&self) -> Arc<Deliveries> {
        Arc::clone(&self.shared.gauges.deliveries)
    }
}
