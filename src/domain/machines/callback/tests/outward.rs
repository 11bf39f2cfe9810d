//! What goes out, step by step.

use super::*;
use crate::domain::callback::Told;
use crate::domain::dispatch::{
    Dispatch, Item, Mail, MailKind, Meeting, MeetingTask, OutboxChange, Provider, Slot, Task,
    overtaken, still_holds,
};
use crate::domain::estimate::{Basis, Estimate};
use crate::domain::message::Patch;
use crate::domain::phone::Email;

fn with_email(request: &Request) -> Request {
    let email = Email::parse("ada@example.com").ok();
    let customer = Customer { email, ..request.customer.clone() };
    Request { customer, ..request.clone() }
}

/// A callback of a customer with an address.
fn mailed(queue: Arc<Queue>, medium: Medium, start: Option<Timestamp>) -> Bench {
    Bench::asked(queue, medium, start, |wish| wish.request = Arc::new(with_email(&wish.request)))
}

fn meeting(join_url: &str) -> Meeting {
    Meeting {
        provider: Provider::Zoom,
        id: "1".to_owned(),
        join_url: join_url.to_owned(),
        host_url: "https://zoom.example/s/1".to_owned(),
    }
}

impl Bench {
    fn dispatches(&self) -> Vec<Dispatch> {
        let new = self.out.changes.iter().filter_map(|change| match change {
            Change::Outbox(change) => match &**change {
                OutboxChange::New(dispatch) => Some(dispatch.clone()),
                other => panic!("{other:?}"),
            },
            _ => None,
        });
        new.collect()
    }

    /// Names of what the last step lets go out.
    fn out(&self) -> Vec<&'static str> {
        self.dispatches().iter().map(Dispatch::name).collect()
    }

    fn mail(&self) -> Mail {
        let mails = self.dispatches().into_iter().filter_map(|dispatch| match dispatch.task {
            Task::Mail(mail) => Some(mail),
            Task::Meeting(_) | Task::Withdraw => None,
        });
        mails.into_iter().next().expect("a mail")
    }

    fn move_to(&mut self, start: Option<Timestamp>) {
        let booking = start.map(booking);
        self.act(&Who::Customer, Action::Reschedule { booking }).expect("moved");
    }

    fn made(&mut self, join_url: &str, late: bool) {
        let (token, meeting) = (Token(3), meeting(join_url));
        self.tell(CallbackMessage::MeetingMade { token, meeting, late });
        assert!(matches!(self.answer(), Some(Ok(_))));
    }

    fn email(&mut self, address: Option<&str>) {
        let read =
            Arc::new(Request { version: self.record().request_version, ..(*request()).clone() });
        let mut wished = (*read).clone();
        wished.customer.email = address.map(|text| Email::parse(text).expect("an address"));
        let request = Some((read, Arc::new(wished)));
        let fields = vec!["customer".to_owned()];
        let patch = Patch { request, fields, ..Patch::default() };
        self.act(&BOSS, Action::Patch(Box::new(patch))).expect("patched");
    }
}

const TOMORROW: Timestamp = Timestamp(START.0 + 86_400_000);
const LATER: Timestamp = Timestamp(START.0 + 2 * 86_400_000);

#[test]
fn nobody_without_an_address_is_written_to() {
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(TOMORROW));
    assert_eq!(bench.out(), [""; 0]);
    bench.move_to(Some(LATER));
    assert_eq!(bench.out(), [""; 0]);
    bench.email(Some("ada@example.com"));
    assert_eq!(bench.out(), ["confirmation", "reminder"], "the first that they hear of it");
    bench.email(Some("ada@example.org"));
    assert_eq!(bench.out(), [""; 0]);
    bench.email(None);
    assert_eq!(bench.out(), ["withdraw"], "no reminder either");
    bench.act(&BOSS, Action::Cancel { reason: None }).expect("canceled");
    assert_eq!(bench.out(), [""; 0]);
}

#[test]
fn a_booking_is_confirmed_reminded_of_moved_and_called_off() {
    let mut bench = mailed(queue(|_| ()), Medium::Voice, Some(TOMORROW));
    assert_eq!(bench.out(), ["confirmation", "reminder"]);
    let slot = Slot { start: TOMORROW, minutes: 15 };
    let confirmation = bench.mail();
    assert_eq!((confirmation.slot, confirmation.sequence), (Some(slot), 1));
    let due: Vec<_> = bench.dispatches().iter().map(|one| one.not_before).collect();
    assert_eq!(due, [START, TOMORROW - Span::minutes(60)]);

    bench.move_to(Some(LATER));
    assert_eq!(bench.out(), ["withdraw", "change", "reminder"]);
    let change = bench.mail();
    let later = Slot { start: LATER, minutes: 15 };
    assert_eq!((change.slot, change.previous_slot), (Some(later), Some(slot)));
    assert_eq!((change.sequence, change.bookings), (2, 2));
    bench.move_to(Some(LATER));
    assert_eq!(bench.out(), [""; 0], "it stays where it is");
    assert_eq!(bench.record().bookings, 2);
    bench.move_to(None);
    assert_eq!(bench.out(), ["withdraw", "change"]);
    assert_eq!((bench.mail().slot, bench.mail().previous_slot), (None, Some(later)));
    bench.move_to(Some(TOMORROW));
    assert_eq!(bench.out(), ["change", "reminder"]);
    bench.act(&Who::Customer, Action::Cancel { reason: None }).expect("canceled");
    assert_eq!(bench.out(), ["withdraw", "cancellation"]);
    assert_eq!(bench.mail().slot, Some(slot));
}

#[test]
fn of_a_callbacks_reminders_only_the_last_booking_s_last_one_holds() {
    let mut bench = mailed(queue(|_| ()), Medium::Voice, Some(TOMORROW));
    let mut items: Vec<Item> = Vec::new();
    let mut keep = |bench: &Bench, first| {
        items.extend((first..).zip(bench.dispatches()).map(|(id, one)| Item::new(id, one)));
        overtaken(&items, bench.record(), bench.at).iter().map(|item| item.id).collect::<Vec<_>>()
    };
    assert_eq!(keep(&bench, 0), [0; 0]);
    bench.move_to(Some(LATER));
    assert_eq!(keep(&bench, 10), [1]);
    bench.email(None);
    assert_eq!(keep(&bench, 20), [1, 12]);
    bench.email(Some("ada@example.com"));
    assert_eq!(keep(&bench, 30), [1, 12], "they are reminded once");
    bench.act(&BOSS, Action::Cancel { reason: None }).expect("canceled");
    assert_eq!(keep(&bench, 40), [1, 12, 31]);
}

#[test]
fn what_begins_within_the_time_for_reminding_has_no_reminder() {
    let soon = START + Span::minutes(60);
    assert_eq!(mailed(queue(|_| ()), Medium::Voice, Some(soon)).out(), ["confirmation"]);
    let never = queue(|settings| settings.reminder_minutes = 0);
    assert_eq!(mailed(never, Medium::Voice, Some(TOMORROW)).out(), ["confirmation"]);
}

#[test]
fn an_asap_request_is_confirmed_with_its_place() {
    let bench = mailed(queue(|_| ()), Medium::Voice, None);
    assert_eq!(bench.out(), ["confirmation"]);
    assert_eq!((bench.mail().position, bench.mail().slot), (Some(1), None));
    assert_eq!(bench.mail().estimate, None, "too little was known");
}

#[test]
fn an_asap_confirmation_has_the_estimate_of_the_answer_in_minutes_that_hold_it() {
    let request = Arc::new(with_email(&wish_of("+4930123456", CallbackType::Asap, None).request));
    let wish = Wish { request, ..wish_of("+4930123456", CallbackType::Asap, None) };
    let (machine, out) = (CallbackMachine::new(CallbackId(7)), StepOutput::default());
    let mut bench = Bench { machine, at: START, ahead: Span::ZERO, ids: 100, out };
    let estimate = Estimate { basis: Basis::Line, seconds: 300, low: 119, high: 601 };
    let told = Some(Told { at: START, estimate });
    let create = Box::new(Create { told, ..create(CallbackId(7), wish) });
    bench.tell(CallbackMessage::Create { create, queue: queue(|_| ()), position: Some(3) });
    let told = bench.mail().estimate.expect("it is told");
    assert_eq!((told.low_minutes, told.high_minutes), (1, 11));
}

#[test]
fn who_was_not_reached_hears_of_the_next_try_and_at_last_that_there_is_none() {
    let settings = |settings: &mut QueueSettings| {
        settings.wrap_up_seconds = 0;
        settings.max_attempts = 2;
    };
    let mut bench = mailed(queue(settings), Medium::Voice, None);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    assert_eq!(bench.out(), ["tried_to_reach"]);
    let tried = bench.mail();
    assert_eq!((tried.next_try, tried.attempts), (bench.record().next_attempt_at(), 1));
    assert!(still_holds(&tried, bench.record(), bench.at));
    bench.pass(Span::minutes(15));
    bench.take_and_call();
    bench.outcome(Outcome::Busy);
    assert_eq!(bench.out(), ["sorry"]);
    assert_eq!(bench.mail().attempts, 2);
    assert!(!still_holds(&tried, bench.record(), bench.at));
}

#[test]
fn who_waited_in_vain_gets_an_apology_and_who_was_reached_gets_nothing() {
    let mut bench = mailed(queue(|_| ()), Medium::Voice, None);
    bench.pass(Span::minutes(60));
    assert_eq!((bench.state(), bench.out()), (State::ClosedAbandoned, vec!["sorry"]));

    let settings = |settings: &mut QueueSettings| settings.wrap_up_seconds = 0;
    let mut bench = mailed(queue(settings), Medium::Voice, None);
    bench.take_and_call();
    bench.outcome(Outcome::Answered);
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    assert_eq!((bench.state(), bench.out()), (State::ClosedComplete, vec![]));
}

#[test]
fn a_retry_that_an_agent_wants_says_so_only_after_a_call_in_vain() {
    for (outcome, out) in [
        (None, vec![]),
        (Some(Outcome::Answered), vec![]),
        (Some(Outcome::NoAnswer), vec!["tried_to_reach"]),
    ] {
        let mut bench = mailed(queue(|_| ()), Medium::Voice, None);
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
        if let Some(outcome) = outcome {
            bench.act(&mara(), Action::Call).expect("called");
            bench.outcome(outcome);
            if outcome == Outcome::Answered {
                bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
            }
        }
        let retry = Action::Retry { at: None, mine: false, customer_agreed: false };
        bench.act(&mara(), retry).expect("later");
        assert_eq!((bench.state(), bench.out()), (State::Open, out), "{outcome:?}");
    }
}

#[test]
fn a_reminder_holds_for_the_booking_that_it_was_made_for() {
    let mut bench = mailed(queue(|_| ()), Medium::Voice, Some(TOMORROW));
    let reminder = |bench: &Bench| match bench.dispatches().pop().expect("a reminder").task {
        Task::Mail(mail) => mail,
        Task::Meeting(_) | Task::Withdraw => panic!("no mail"),
    };
    let first = reminder(&bench);
    assert_eq!(first.kind, MailKind::Reminder);
    assert!(still_holds(&first, bench.record(), TOMORROW - Span::millis(1)));
    assert!(!still_holds(&first, bench.record(), TOMORROW), "it has begun");
    bench.move_to(Some(LATER));
    bench.move_to(Some(TOMORROW));
    assert!(!still_holds(&first, bench.record(), START), "it was moved, and back");
    let last = reminder(&bench);
    assert!(still_holds(&last, bench.record(), START));
    bench.act(&BOSS, Action::Cancel { reason: None }).expect("canceled");
    assert!(!still_holds(&last, bench.record(), START));
}

fn video() -> Arc<Queue> {
    queue(|settings| settings.media = vec![Medium::Voice, Medium::Video])
}

#[test]
fn a_video_callback_has_a_meeting_that_follows_it() {
    let mut bench = mailed(video(), Medium::Video, Some(TOMORROW));
    assert_eq!(bench.out(), ["keep", "confirmation", "reminder"], "the meeting first");
    bench.made("https://zoom.example/j/1", false);
    assert_eq!(bench.events(), ["callback.meeting_ready"]);
    assert_eq!(bench.out(), [""; 0], "the confirmation has the link");
    let version = bench.record().version;
    bench.made("https://zoom.example/j/1", true);
    assert_eq!((bench.record().version, bench.out()), (version, vec![]), "nothing is new");
    bench.move_to(Some(LATER));
    assert_eq!(bench.out(), ["keep", "withdraw", "change", "reminder"]);
    bench.act(&BOSS, Action::Cancel { reason: None }).expect("canceled");
    assert_eq!(bench.out(), ["keep", "withdraw", "cancellation"]);
    bench.made("https://zoom.example/j/2", false);
    assert!(bench.events().is_empty(), "it is over");
    let quiet = Bench::new(video(), Medium::Video, Some(TOMORROW));
    assert_eq!(quiet.out(), ["keep"]);
    assert_eq!(Bench::new(queue(|_| ()), Medium::Voice, Some(TOMORROW)).out(), [""; 0]);
}

#[test]
fn a_link_that_comes_late_is_sent_after() {
    let mut bench = mailed(video(), Medium::Video, Some(TOMORROW));
    bench.made("https://zoom.example/j/1", true);
    assert_eq!(bench.out(), ["change"]);
    let mail = bench.mail();
    assert_eq!((mail.previous_slot, mail.sequence), (None, 2));
    assert_eq!(bench.record().meeting.as_deref(), Some(&meeting("https://zoom.example/j/1")));
}

#[test]
fn an_agent_who_takes_it_gets_a_link_that_is_good() {
    let mut bench = Bench::new(video(), Medium::Video, Some(TOMORROW));
    bench.made("https://zoom.example/j/1", false);
    bench.pass(Span::days(1));
    assert_eq!(bench.state(), State::Queued);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    let tasks: Vec<_> = bench.dispatches().into_iter().map(|one| one.task).collect();
    assert_eq!(tasks, [Task::Meeting(MeetingTask::Renew)]);
    let renewed = Meeting {
        host_url: "https://zoom.example/s/2".to_owned(),
        ..meeting("https://zoom.example/j/1")
    };
    let token = Token(3);
    bench.tell(CallbackMessage::MeetingMade { token, meeting: renewed, late: false });
    assert!(bench.events().is_empty(), "the customer's link is the same");
    assert!(bench.told_agent(|message| matches!(message, AgentMessage::Updated { .. })));
}
