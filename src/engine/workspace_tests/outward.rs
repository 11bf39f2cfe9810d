//! What goes out, with carriers that do as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::rig::{Rig, START, limits, queue_id, scheduled};
use super::vault::Vault;
use crate::domain::callback::State;
use crate::domain::dispatch::{MailKind, Meeting, Outcome, Provider};
use crate::domain::ids::CallbackId;
use crate::domain::message::{Action, Who};
use crate::domain::phone::Email;
use crate::domain::policy::Medium;
use crate::domain::time::{Span, Timestamp};
use crate::engine::clock::ManualTime;
use crate::engine::outward::{Appointment, MailToSend, Mails, Meetings, Outward};
use crate::engine::ports::PortFuture;
use crate::engine::system::Limits;

/// A mail that was handed over, with the link that it could have had.
type Posted = (CallbackId, u64, MailKind, Option<String>);

/// A mail server and a maker of meetings in one, which answer as they are told.
pub(super) struct Carriers {
    /// Answers to the next mails, then to the next meetings; none: delivered.
    mails: Mutex<VecDeque<Outcome>>,
    meetings: Mutex<VecDeque<Outcome>>,
    posted: watch::Sender<Vec<Posted>>,
    done: watch::Sender<Vec<&'static str>>,
    /// Mails take one each before they go on.
    gate: Semaphore,
}

impl Carriers {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mails: Mutex::default(),
            meetings: Mutex::default(),
            posted: watch::Sender::default(),
            done: watch::Sender::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// They take mails, and never come to an end with one.
    pub(super) fn held() -> Arc<Self> {
        let carriers = Self::new();
        carriers.gate.forget_permits(Semaphore::MAX_PERMITS);
        carriers
    }

    pub(super) fn outward(self: &Arc<Self>) -> Outward {
        Outward { mails: Some(self.clone()), meetings: Some(self.clone()) }
    }

    fn mail_answers(&self, answer: Outcome) {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }

    fn meeting_answers(&self, answer: Outcome) {
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }

    fn next(list: &Mutex<VecDeque<Outcome>>) -> Outcome {
        let next = list.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.unwrap_or(Outcome::Delivered(()))
    }

    async fn posted(&self, count: usize) -> Vec<Posted> {
        let mut posted = self.posted.subscribe();
        let found = posted.wait_for(|posted| posted.len() >= count).await;
        found.expect("the carriers outlive the test").clone()
    }

    async fn done(&self, count: usize) -> Vec<&'static str> {
        let mut done = self.done.subscribe();
        let found = done.wait_for(|done| done.len() >= count).await;
        found.expect("the carriers outlive the test").clone()
    }

    fn meet(&self, what: &'static str, start: Timestamp) -> Outcome<Meeting> {
        self.done.send_modify(|done| done.push(what));
        Self::next(&self.meetings).map(|()| Meeting {
            provider: Provider::Zoom,
            id: "1".to_owned(),
            join_url: format!("https://zoom.example/j/{}", start.0),
            host_url: "https://zoom.example/s/1".to_owned(),
        })
    }
}

impl Mails for Carriers {
    fn send<'a>(&'a self, mail: &'a MailToSend) -> PortFuture<'a, Outcome> {
        Box::pin(async move {
            self.gate.acquire().await.expect("it is never closed").forget();
            let callback = &mail.full.callback;
            let link = callback.meeting.as_ref().map(|meeting| meeting.join_url.clone());
            let posted = (callback.id, mail.id, mail.mail.kind, link);
            self.posted.send_modify(|all| all.push(posted));
            Self::next(&self.mails)
        })
    }
}

impl Meetings for Carriers {
    fn provider(&self) -> Provider {
        Provider::Zoom
    }

    fn create<'a>(&'a self, appointment: &'a Appointment) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(std::future::ready(self.meet("create", appointment.start)))
    }

    fn update<'a>(
        &'a self,
        _: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(std::future::ready(self.meet("update", appointment.start)))
    }

    fn renew<'a>(
        &'a self,
        _: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(std::future::ready(self.meet("renew", appointment.start)))
    }

    fn delete<'a>(&'a self, _: CallbackId, _: Option<&'a str>) -> PortFuture<'a, Outcome> {
        Box::pin(std::future::ready(self.meet("delete", START).map(|_| ())))
    }
}

async fn rig(carriers: &Arc<Carriers>, limits: Limits) -> Rig {
    let time = ManualTime::starting_at(START);
    Rig::sending(Vault::new(), time, limits, carriers.outward()).await
}

/// A booked callback of a customer with an address.
pub(super) async fn book(rig: &Rig, medium: Medium, start: Timestamp) -> CallbackId {
    let mut wish = scheduled(start.since(START));
    wish.medium = medium;
    let mut request = (*wish.request).clone();
    request.customer.email = Email::parse("ada@example.com").ok();
    wish.request = Arc::new(request);
    rig.create(wish).await.expect("it is made").id
}

async fn move_to(rig: &Rig, id: CallbackId, start: Timestamp) {
    let booking = scheduled(start.since(START)).booking;
    let action = Action::Reschedule { booking };
    rig.act(id, Who::Customer, action).await.expect("moved");
}

async fn cancel(rig: &Rig, id: CallbackId) {
    let action = Action::Cancel { reason: None };
    rig.act(id, Who::Customer, action).await.expect("called off");
}

fn kinds(posted: &[Posted]) -> Vec<MailKind> {
    posted.iter().map(|(_, _, kind, _)| *kind).collect()
}

/// Lets time pass until the store is as it should be.
async fn pass_until(rig: &Rig, step: Span, done: impl Fn(&Vault) -> bool) {
    for _ in 0..10_000 {
        for _ in 0..ROUNDS {
            if done(&rig.vault) {
                return;
            }
            // A way to the workspace's thread and back, which lets it and its carriers work.
            rig.handle.queue_stats(queue_id()).await.expect("it answers");
            tokio::task::yield_now().await;
        }
        rig.time.advance(step);
    }
    panic!("it never came to that");
}

/// Questions between two steps of time.
const ROUNDS: usize = 50;

const TOMORROW: Timestamp = Timestamp(START.0 + 86_400_000);
const LATER: Timestamp = Timestamp(START.0 + 2 * 86_400_000);

#[tokio::test]
async fn one_callbacks_mails_go_out_in_order_however_long_the_first_takes() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    let (reason, retry_after) = ("not now".to_owned(), Some(Span::seconds(90)));
    carriers.mail_answers(Outcome::Later { reason, retry_after });
    let id = book(&rig, Medium::Voice, TOMORROW).await;
    move_to(&rig, id, LATER).await;
    cancel(&rig, id).await;
    let other = book(&rig, Medium::Voice, TOMORROW).await;
    let found = carriers.posted(2).await;
    assert!(found.iter().any(|posted| posted.0 == other), "another callback's needn't wait");
    // The other's reminder remains, for tomorrow.
    pass_until(&rig, Span::seconds(1), |vault| vault.items() == 1).await;
    let posted: Vec<Posted> =
        carriers.posted(5).await.into_iter().filter(|posted| posted.0 == id).collect();
    assert_eq!(
        kinds(&posted),
        [MailKind::Confirmation, MailKind::Confirmation, MailKind::Change, MailKind::Cancellation]
    );
    assert_eq!(posted[0].1, posted[1].1, "it is the same mail each time");
}

#[tokio::test]
async fn a_reminder_goes_out_in_time_and_one_of_an_earlier_booking_never() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    let id = book(&rig, Medium::Voice, TOMORROW).await;
    move_to(&rig, id, LATER).await;
    pass_until(&rig, Span::minutes(10), |vault| vault.items() == 0).await;
    let posted = carriers.posted(3).await;
    assert_eq!(kinds(&posted), [MailKind::Confirmation, MailKind::Change, MailKind::Reminder]);
    let now = rig.handle.now();
    assert!(now >= LATER - Span::minutes(60) && now < LATER, "{now:?}");
}

#[tokio::test]
async fn a_reminder_is_gone_as_soon_as_it_is_overtaken() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    let id = book(&rig, Medium::Voice, TOMORROW).await;
    let other = book(&rig, Medium::Voice, TOMORROW).await;
    let last = book(&rig, Medium::Voice, TOMORROW).await;
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 3).await;
    move_to(&rig, id, LATER).await;
    carriers.posted(4).await;
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 3).await;
    // Mails are of no use meanwhile, and in nobody's way.
    (0..200).for_each(|_| carriers.mail_answers(Outcome::later("down")));
    cancel(&rig, id).await;
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 3).await;
    let close = Action::Close { disposition: None, notes: None, resolved: None };
    rig.act(other, Who::Supervisor(None), close).await.expect("closed");
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 2).await;
    cancel(&rig, last).await;
    // Two cancellations wait for the server, and no reminder.
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 2).await;
    assert_eq!(rig.handle.now(), START);
}

#[tokio::test]
async fn after_a_day_and_after_a_refusal_it_is_given_up_and_can_be_tried_again() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    carriers.mail_answers(Outcome::given_up("no such mailbox"));
    let id = book(&rig, Medium::Voice, LATER).await;
    pass_until(&rig, Span::ZERO, |vault| vault.failures().len() == 1).await;
    let failures = rig.handle.failures(0, 10).await.expect("readable");
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!((failure.tries, &*failure.reason), (1, "no such mailbox"));
    rig.handle.retry_failure(failure.id, None).await.expect("again");
    assert!(rig.handle.retry_failure(failure.id, None).await.is_err(), "it is none any more");
    let posted = carriers.posted(2).await;
    assert_eq!((posted[0].0, posted[0].1), (id, posted[1].1));
    for _ in 0..200 {
        carriers.mail_answers(Outcome::later("down"));
    }
    cancel(&rig, id).await;
    pass_until(&rig, Span::minutes(5), |vault| vault.failures().len() == 1).await;
    let failures = rig.handle.failures(0, 10).await.expect("readable");
    let failure = &failures[0];
    let tried_for = failure.failed_at.since(failure.first_try);
    assert!(tried_for >= Span::days(1), "{tried_for:?}");
    assert!((40..80).contains(&failure.tries), "{}", failure.tries);
}

#[tokio::test]
async fn no_more_are_under_way_at_once_than_the_bound_says() {
    let carriers = Carriers::held();
    let rig = rig(&carriers, Limits { mails_at_once: 2, ..limits() }).await;
    for _ in 0..5 {
        book(&rig, Medium::Voice, TOMORROW).await;
    }
    carriers.gate.add_permits(1);
    carriers.posted(1).await;
    carriers.gate.add_permits(4);
    assert_eq!(carriers.posted(5).await.len(), 5);
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 5).await;
}

#[tokio::test]
async fn what_was_sent_and_not_written_down_goes_out_again_as_the_same() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    let id = book(&rig, Medium::Voice, TOMORROW).await;
    carriers.posted(1).await;
    pass_until(&rig, Span::ZERO, |vault| vault.items() == 1).await;
    rig.vault.log_open.send_replace(false);
    let moved = tokio::spawn({
        let handle = rig.handle.clone();
        let action = Action::Reschedule { booking: scheduled(LATER.since(START)).booking };
        async move { handle.act(id, Who::Customer, action, None, None).await }
    });
    assert!(moved.await.expect("no panic").is_err(), "the store stalls");
    assert_eq!(carriers.posted.borrow().len(), 1, "nothing goes out that isn't durable");
    rig.vault.log_open.send_replace(true);
    assert_eq!(kinds(&carriers.posted(2).await)[1], MailKind::Change);
}

#[tokio::test]
async fn a_meeting_is_made_before_the_confirmation_moved_and_removed() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    let id = book(&rig, Medium::Video, TOMORROW).await;
    let posted = carriers.posted(1).await;
    let link = format!("https://zoom.example/j/{}", TOMORROW.0);
    assert_eq!((posted[0].2, &posted[0].3), (MailKind::Confirmation, &Some(link)));
    move_to(&rig, id, LATER).await;
    let posted = carriers.posted(2).await;
    let link = format!("https://zoom.example/j/{}", LATER.0);
    assert_eq!((posted[1].2, &posted[1].3), (MailKind::Change, &Some(link)));
    cancel(&rig, id).await;
    assert_eq!(carriers.done(3).await, ["create", "update", "delete"]);
    assert_eq!(carriers.posted(3).await[2].2, MailKind::Cancellation);
}

#[tokio::test]
async fn a_provider_that_is_down_holds_nothing_up_and_the_link_follows() {
    let carriers = Carriers::new();
    let rig = rig(&carriers, limits()).await;
    carriers.meeting_answers(Outcome::later("down"));
    let id = book(&rig, Medium::Video, TOMORROW).await;
    let posted = carriers.posted(1).await;
    assert_eq!((posted[0].2, &posted[0].3), (MailKind::Confirmation, &None));
    let without = rig.handle.callback(id).await.expect("readable").expect("there");
    assert_eq!((without.callback.state(), &without.callback.meeting), (State::Open, &None));
    pass_until(&rig, Span::seconds(1), |vault| vault.items() == 1).await;
    let posted = carriers.posted(2).await;
    assert_eq!(posted[1].2, MailKind::Change);
    assert!(posted[1].3.is_some());
    assert_eq!(carriers.done(2).await, ["create", "create"]);
}
