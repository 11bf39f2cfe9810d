//! The tables of a callback's states and actions, one row after the other.

use std::sync::Arc;

use super::CallbackMachine;
use crate::domain::agent::{RevokeReason, UnassignReason};
use crate::domain::callback::{
    Booking, Callback, CallbackType, Channel, ClosedReason, Customer, FinalState, Origin, Outcome,
    Phase, Request, State,
};
use crate::domain::effect::{Answer, Effect, Outbox};
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, CallbackId, Fresh, OfferId, QueueId};
use crate::domain::message::{
    Action, AgentMessage, CallbackCommand, CallbackMessage, Create, Letter, OfferEnd,
    RouterMessage, SchedulerMessage, Token, Who, Wish,
};
use crate::domain::policy::{Choice, Disposition, Medium, QueueSettings, WrapUpMode};
use crate::domain::queue::Queue;
use crate::domain::rank::Priority;
use crate::domain::refusal::Refusal;
use crate::domain::skills::Requirements;
use crate::domain::time::{Now, Span, Timestamp};
use crate::domain::zone::TimeZone;

/// A machine with its clock, and what the last step left.
struct Bench {
    machine: CallbackMachine,
    at: Timestamp,
    ids: u128,
    out: Outbox,
}

const START: Timestamp = Timestamp(1_795_507_200_000);

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).expect("an id")
}

fn mara() -> Who {
    Who::Agent(agent("mara"))
}

const BOSS: Who = Who::Supervisor(None);

fn queue(edit: impl FnOnce(&mut QueueSettings)) -> Arc<Queue> {
    let mut settings = QueueSettings::new(QueueId::parse("billing").expect("an id"));
    edit(&mut settings);
    Arc::new(Queue {
        settings: Arc::new(settings),
        version: 1,
        intake_paused: None,
        offers_paused: None,
        pauses: Vec::new(),
    })
}

fn booking(start: Timestamp) -> Booking {
    let zone = TimeZone::utc();
    let local_start = zone.local(start);
    Booking { start, end: start + Span::minutes(15), local_start, zone, repeated: false }
}

fn request() -> Arc<Request> {
    let customer = Customer {
        id: None,
        kind: None,
        account: None,
        name: "Ada".to_owned(),
        phone: None,
        phone_extension: None,
        email: None,
        time_zone: None,
        locale: None,
    };
    let origin = Origin {
        channel: Channel::Api,
        interaction_ref: None,
        case_id: None,
        page_url: None,
        waiting_since: None,
    };
    Arc::new(Request {
        version: 1,
        customer,
        reason: None,
        short_description: None,
        description: None,
        origin,
        context: None,
        external_id: None,
        customer_agreed: false,
    })
}

impl Bench {
    fn new(queue: Arc<Queue>, medium: Medium, start: Option<Timestamp>) -> Self {
        let id = CallbackId(7);
        let kind = if start.is_some() { CallbackType::Scheduled } else { CallbackType::Asap };
        let wish = Wish {
            queue: queue.settings.id.clone(),
            who: Who::Channel,
            request: request(),
            kind,
            medium,
            booking: start.map(booking),
            zone: TimeZone::utc(),
            priority: Priority::default(),
            size: 1,
            requirements: Requirements::default(),
            preferred: None,
            max_attempts: None,
            expire_after_minutes: None,
        };
        let create = Box::new(Create { token: Token(1), id, number: 42, wish });
        let machine = CallbackMachine::new(id);
        let mut bench = Self { machine, at: START, ids: 100, out: Outbox::default() };
        bench.tell(CallbackMessage::Create { create, queue, position: Some(1) });
        bench
    }

    fn asap() -> Self {
        Self::new(queue(|_| ()), Medium::Voice, None)
    }

    fn tell(&mut self, message: CallbackMessage) {
        self.ids += 2;
        let now = Now { wall: self.at, steady: self.at, fresh: Fresh(self.ids) };
        self.out = Outbox::default();
        self.machine.step(&now, message, &mut self.out);
    }

    fn act(&mut self, who: &Who, action: Action) -> Result<(), Refusal> {
        let command = CallbackCommand { token: Token(2), who: who.clone(), if_match: None, action };
        self.tell(CallbackMessage::Command(Box::new(command)));
        self.answer().expect("a command is answered").map(|_| ())
    }

    fn answer(&self) -> Option<Result<Answer, Refusal>> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Answer { result, .. } => Some((**result).clone()),
            _ => None,
        })
    }

    fn pass(&mut self, span: Span) {
        self.at = self.at + span;
        self.tell(CallbackMessage::Wake);
    }

    fn offer(&mut self, id: &str) -> OfferId {
        self.tell(CallbackMessage::Propose { agent: agent(id) });
        self.record().offer().expect("it is offered").id
    }

    fn accepted() -> Self {
        let mut bench = Self::asap();
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Accept { offer }).expect("accepted");
        bench
    }

    fn ended_call(outcome: Outcome) -> Self {
        let mut bench = Self::accepted();
        bench.act(&mara(), Action::Call).expect("called");
        bench.act(&mara(), Action::Outcome { outcome, notes: None }).expect("told");
        if outcome == Outcome::Answered {
            bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
        }
        bench
    }

    fn record(&self) -> &Callback {
        self.machine.callback().expect("it was created")
    }

    fn state(&self) -> State {
        self.record().state()
    }

    fn closed(&self) -> Option<(FinalState, ClosedReason)> {
        match &self.record().phase {
            Phase::Ended { state, reason, .. } => Some((*state, *reason)),
            _ => None,
        }
    }

    fn events(&self) -> Vec<&'static str> {
        self.out.events.iter().map(Event::name).collect()
    }

    fn released(&self) -> Vec<&AgentId> {
        let one = |effect: &'_ Effect| match effect {
            Effect::Send(Letter::Router(RouterMessage::Release { .. })) => true,
            _ => false,
        };
        let all = self.out.effects.iter().filter(|effect| one(effect));
        all.filter_map(|effect| match effect {
            Effect::Send(Letter::Router(RouterMessage::Release { agent, .. })) => Some(agent),
            _ => None,
        })
        .collect()
    }

    fn enqueued(&self) -> bool {
        self.out
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send(Letter::Router(RouterMessage::Enqueue(_)))))
    }

    fn told_agent(&self, wanted: impl Fn(&AgentMessage) -> bool) -> bool {
        self.out.effects.iter().any(|effect| match effect {
            Effect::Send(Letter::Agent(_, message)) => wanted(message),
            _ => false,
        })
    }
}

#[test]
fn an_asap_request_is_queued_at_once_and_reached_in_the_end() {
    let mut bench = Bench::asap();
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.events(), ["callback.created", "callback.queued"]);
    assert!(bench.enqueued());
    assert_eq!(bench.record().version, 1);
    let offer = bench.offer("mara");
    assert_eq!(bench.state(), State::Offered);
    bench.act(&mara(), Action::Accept { offer }).expect("accepted");
    assert_eq!(bench.events(), ["callback.accepted", "callback.assigned"]);
    bench.act(&mara(), Action::Call).expect("called");
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("told");
    assert_eq!(bench.state(), State::Calling, "the call goes on");
    assert_eq!(bench.record().attempts, 1);
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    assert_eq!(bench.state(), State::WrapUp);
    assert!(bench.released().is_empty(), "wrap-up holds capacity");
    bench.pass(Span::seconds(60));
    assert_eq!(bench.closed(), Some((FinalState::ClosedComplete, ClosedReason::Reached)));
    assert_eq!(bench.released(), [&agent("mara")]);
}

#[test]
fn a_scheduled_one_sleeps_until_its_lead_and_is_due_then() {
    let start = START + Span::minutes(60);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    assert_eq!(bench.state(), State::Open);
    let slept = bench.out.effects.iter().any(|effect| {
        matches!(effect, Effect::Send(Letter::Scheduler(SchedulerMessage::Slept { at, .. }))
            if *at == start - Span::seconds(60))
    });
    assert!(slept && matches!(bench.out.effects.last(), Some(Effect::Answer { .. })));
    bench.pass(Span::minutes(58));
    assert_eq!(bench.state(), State::Open, "a timer that comes early changes nothing");
    bench.pass(Span::minutes(1));
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.record().queued_since, Some(start - Span::seconds(60)));
}

#[test]
fn accepting_twice_is_answered_twice_and_late_is_refused() {
    let mut bench = Bench::asap();
    let first = bench.offer("mara");
    let other = Who::Agent(agent("noor"));
    let refused = bench.act(&other, Action::Accept { offer: first });
    assert!(matches!(refused, Err(Refusal::Forbidden(_))));
    bench.act(&mara(), Action::Accept { offer: first }).expect("accepted");
    let version = bench.record().version;
    bench.act(&mara(), Action::Accept { offer: first }).expect("the same answer");
    assert_eq!(bench.record().version, version);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    let late = bench.act(&mara(), Action::Accept { offer: first });
    assert_eq!(late, Err(Refusal::OfferNotPending));
}

#[test]
fn an_offer_that_expires_goes_back_with_its_place_kept() {
    let mut bench = Bench::asap();
    let since = bench.record().queued_since;
    bench.offer("mara");
    bench.pass(Span::seconds(30));
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.record().queued_since, since);
    assert_eq!(bench.events(), ["callback.offer_expired", "callback.queued"]);
    assert!(bench.told_agent(|message| {
        matches!(message, AgentMessage::OfferEnded { end: OfferEnd::Expired, .. })
    }));
    assert!(bench.enqueued() && bench.released() == [&agent("mara")]);
}

#[test]
fn cool_downs_double_up_to_ten_minutes_and_some_reasons_bar_for_good() {
    let mut bench = Bench::asap();
    for (times, seconds) in [(1, 60), (2, 120), (3, 240), (4, 480), (5, 600), (6, 600)] {
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Decline { offer, reason: None }).expect("declined");
        let declined = &bench.record().declined[0];
        assert_eq!(declined.times, times);
        assert_eq!(declined.until, bench.at + Span::seconds(seconds));
        let lone = Span::seconds(seconds / 2);
        assert_eq!(declined.lone_until, bench.at + lone);
    }
}

#[test]
fn a_callback_declined_too_often_is_told_to_be_stuck_once_and_still_offered() {
    let mut bench = Bench::new(queue(|one| one.max_offers = 2), Medium::Voice, None);
    let mut stuck = 0;
    for _ in 0..4 {
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Decline { offer, reason: None }).expect("declined");
        stuck += bench.events().iter().filter(|name| **name == "callback.stuck").count();
    }
    assert_eq!((stuck, bench.state()), (1, State::Queued));
}

#[test]
fn an_offer_taken_back_carries_no_penalty() {
    let mut bench = Bench::asap();
    bench.offer("mara");
    let reason = RevokeReason::SessionLost;
    bench.tell(CallbackMessage::RevokeOffer { agent: agent("noor"), reason });
    assert_eq!(bench.state(), State::Offered, "it isn't noor's");
    bench.tell(CallbackMessage::RevokeOffer { agent: agent("mara"), reason });
    assert_eq!((bench.state(), bench.record().offers_lost), (State::Queued, 0));
    assert!(bench.record().declined.is_empty());
}

#[test]
fn an_uncalled_assignment_goes_back_after_the_preview_with_a_warning_before() {
    let mut bench = Bench::accepted();
    bench.pass(Span::seconds(269));
    assert!(!bench.told_agent(|_| true));
    bench.pass(Span::seconds(1));
    assert!(bench.told_agent(|message| matches!(message, AgentMessage::Updated { .. })));
    assert_eq!(bench.state(), State::Accepted);
    bench.pass(Span::seconds(30));
    assert_eq!(bench.state(), State::Queued);
    assert!(bench.told_agent(|message| {
        matches!(message, AgentMessage::Unassigned { reason: UnassignReason::NoCall, .. })
    }));
}

#[test]
fn a_call_must_have_an_outcome_before_it_can_end() {
    let mut bench = Bench::accepted();
    let early = bench.act(&mara(), Action::EndCall { notes: None });
    let state = State::Accepted;
    assert_eq!(early, Err(Refusal::IllegalTransition { state, action: "end_call" }));
    bench.act(&mara(), Action::Call).expect("called");
    let silent = bench.act(&mara(), Action::EndCall { notes: None });
    assert_eq!(silent, Err(Refusal::OutcomeMissing));
    let closed =
        bench.act(&BOSS, Action::Close { disposition: None, notes: None, resolved: Some(true) });
    assert!(matches!(closed, Err(Refusal::IllegalTransition { .. })), "not while calling");
}

#[test]
fn each_outcome_has_its_delay_and_only_the_customers_side_counts() {
    let table = [
        (Outcome::NoAnswer, 1, 15),
        (Outcome::Busy, 1, 5),
        (Outcome::Voicemail, 1, 60),
        (Outcome::Refused, 1, 60),
        (Outcome::Failed, 1, 5),
        (Outcome::Unknown, 0, 15),
    ];
    for (outcome, attempts, minutes) in table {
        let mut bench = Bench::ended_call(outcome);
        assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, attempts));
        bench.pass(Span::seconds(60));
        let due = bench.at + Span::minutes(minutes);
        assert_eq!(bench.record().next_attempt_at(), Some(due), "{outcome:?}");
        assert_eq!(bench.record().queued_since, Some(due), "a retry takes its due time");
        bench.at = due;
        bench.tell(CallbackMessage::Wake);
        assert_eq!((bench.state(), bench.record().interactions), (State::Queued, 2));
    }
    let mut wrong = Bench::ended_call(Outcome::WrongNumber);
    wrong.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(wrong.closed(), Some((abandoned, ClosedReason::WrongNumber)));
}

#[test]
fn attempts_run_out() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    for attempt in 2..=5 {
        bench.act(&mara(), Action::Call).expect("redialled");
        let busy = Action::Outcome { outcome: Outcome::Busy, notes: None };
        bench.act(&mara(), busy).expect("told");
        assert_eq!(bench.record().attempts, attempt);
    }
    let used_up = Err(Refusal::AttemptsUsedUp { max_attempts: 5 });
    assert_eq!(bench.act(&mara(), Action::Call), used_up);
    let retry = Action::Retry { at: None, mine: false, customer_agreed: false };
    assert_eq!(bench.act(&mara(), retry), used_up);
    bench.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::AttemptsUsedUp)));
}

#[test]
fn an_outcome_may_be_corrected_in_wrap_up() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("corrected");
    assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, 1));
    let unknown = Action::Outcome { outcome: Outcome::Unknown, notes: None };
    bench.act(&mara(), unknown).expect("corrected");
    assert_eq!(bench.record().attempts, 0);
}

#[test]
fn the_last_action_repeated_is_answered_again_until_something_else_happens() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    let version = bench.record().version;
    bench.act(&mara(), Action::Call).expect("the same answer");
    assert_eq!(bench.record().version, version);
    let busy = Action::Outcome { outcome: Outcome::Busy, notes: None };
    bench.act(&mara(), busy).expect("told");
    bench.act(&mara(), Action::Call).expect("redialled: another attempt");
    assert_eq!(bench.record().interactions, 2);
}

#[test]
fn wrap_up_can_be_extended_to_its_bound_and_closing_adds_words_for_half_an_hour() {
    let mut bench = Bench::ended_call(Outcome::Answered);
    bench.act(&mara(), Action::ExtendWrapUp { seconds: 10_000 }).expect("extended");
    let Phase::WrapUp { ends_at, .. } = bench.record().phase else { panic!("in wrap-up") };
    assert_eq!(ends_at, bench.at + Span::seconds(1_800));
    bench.pass(Span::seconds(1_800));
    assert_eq!(bench.state(), State::ClosedComplete);
    let word = |notes: &str| Action::Close {
        disposition: None,
        notes: Some(notes.to_owned()),
        resolved: None,
    };
    bench.at = bench.at + Span::minutes(30);
    bench.act(&mara(), word("late")).expect("within 30 minutes");
    assert_eq!(bench.record().notes.as_deref(), Some("late"));
    bench.at = bench.at + Span::millis(1);
    assert!(bench.act(&mara(), word("too late")).is_err());
    let other = Who::Agent(agent("noor"));
    assert!(bench.act(&other, word("another's")).is_err());
}

#[test]
fn closing_says_complete_only_if_reached_or_resolved() {
    let close = |resolved| Action::Close { disposition: None, notes: None, resolved };
    let complete = FinalState::ClosedComplete;
    let abandoned = FinalState::ClosedAbandoned;
    let mut bench = Bench::accepted();
    bench.act(&mara(), close(None)).expect("closed");
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Unreached)));
    let mut bench = Bench::accepted();
    bench.act(&mara(), close(Some(true))).expect("closed");
    assert_eq!(bench.closed(), Some((complete, ClosedReason::Resolved)));
    let mut bench = Bench::asap();
    bench.act(&BOSS, close(None)).expect("closed");
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::ClosedBySupervisor)));
    let mut bench = Bench::asap();
    assert!(bench.act(&mara(), close(None)).is_err(), "it isn't assigned to her");
}

#[test]
fn only_listed_dispositions_are_taken_and_they_may_mean_resolved() {
    let listed = queue(|one| {
        let choice = Choice { id: "settled".to_owned(), labels: Default::default() };
        one.dispositions = vec![Disposition { choice, resolved: true }];
    });
    let mut bench = Bench::new(listed, Medium::Voice, None);
    let close =
        |id: &str| Action::Close { disposition: Some(id.to_owned()), notes: None, resolved: None };
    assert!(matches!(bench.act(&BOSS, close("other")), Err(Refusal::Invalid(_))));
    bench.act(&BOSS, close("settled")).expect("closed");
    assert_eq!(bench.closed(), Some((FinalState::ClosedComplete, ClosedReason::Resolved)));
}

#[test]
fn what_waits_too_long_expires_and_an_offer_goes_with_it() {
    let mut bench = Bench::asap();
    bench.pass(Span::minutes(60) - Span::millis(1));
    assert_eq!(bench.state(), State::Queued);
    bench.offer("mara");
    bench.pass(Span::millis(1));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Expired)));
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.closed"]);
    assert_eq!(bench.released(), [&agent("mara")]);
}

#[test]
fn expiry_never_ends_work_but_is_looked_at_when_it_comes_back() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    bench.pass(Span::minutes(61));
    assert_eq!(bench.state(), State::Calling);
    let mut bench = Bench::asap();
    bench.at = bench.at + Span::minutes(59);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer }).expect("accepted");
    bench.at = bench.at + Span::minutes(2);
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!(bench.closed().map(|(_, why)| why), Some(ClosedReason::Expired));
}

#[test]
fn a_lost_agents_call_ends_unknown_and_comes_back_to_them() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!(bench.state(), State::Calling, "a call is kept longer");
    bench.tell(CallbackMessage::CallGraceOver { agent: agent("mara") });
    assert_eq!((bench.state(), bench.record().attempts), (State::Open, 0));
    let preferred = bench.record().preferred.as_ref().map(|preferred| &preferred.agent);
    assert_eq!(preferred, Some(&agent("mara")));
}

#[test]
fn a_lost_agents_answered_call_counts_as_ended() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("told");
    bench.tell(CallbackMessage::CallGraceOver { agent: agent("mara") });
    assert_eq!(bench.state(), State::WrapUp);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::ClosedComplete);
}

#[test]
fn video_customers_who_do_not_come_have_not_answered_and_are_not_tried_again() {
    let start = START + Span::minutes(5);
    let mut bench = Bench::new(queue(|_| ()), Medium::Video, Some(start));
    bench.pass(Span::minutes(4));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer }).expect("accepted");
    bench.act(&mara(), Action::Call).expect("called");
    bench.pass(Span::minutes(10));
    assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, 1));
    bench.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Unreached)));
}

#[test]
fn cancel_is_possible_until_the_call() {
    let cancel = || Action::Cancel { reason: Some("no need".to_owned()) };
    let mut bench = Bench::asap();
    bench.offer("mara");
    bench.act(&Who::Customer, cancel()).expect("canceled");
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.canceled"]);
    assert_eq!(bench.closed(), Some((FinalState::Canceled, ClosedReason::ByCustomer)));
    let mut bench = Bench::accepted();
    bench.act(&mara(), cancel()).expect("canceled");
    assert_eq!(bench.closed(), Some((FinalState::Canceled, ClosedReason::ByAgent)));
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    let state = State::Calling;
    let refused = bench.act(&BOSS, cancel());
    assert_eq!(refused, Err(Refusal::IllegalTransition { state, action: "cancel" }));
}

#[test]
fn moving_takes_a_new_place_in_line_and_keeps_the_attempts() {
    let mut bench = Bench::asap();
    let later = START + Span::minutes(90);
    let action = Action::Reschedule { booking: Some(booking(later)) };
    bench.act(&Who::Channel, action).expect("moved");
    assert_eq!((bench.state(), bench.record().kind), (State::Open, CallbackType::Scheduled));
    assert_eq!(bench.record().ended_interactions(), 1);
    bench.at = START + Span::minutes(30);
    bench.act(&Who::Channel, Action::Reschedule { booking: None }).expect("moved");
    assert_eq!((bench.state(), bench.record().kind), (State::Queued, CallbackType::Asap));
    assert_eq!(bench.record().queued_since, Some(bench.at));
    let past = Action::Reschedule { booking: Some(booking(START)) };
    assert_eq!(bench.act(&Who::Channel, past), Err(Refusal::StartPast));
    assert_eq!(bench.state(), State::Queued, "a refusal changes nothing");
}

#[test]
fn sending_back_keeps_the_place_and_cools_the_sender_down() {
    let mut bench = Bench::accepted();
    let since = bench.record().queued_since;
    let noor = Action::Requeue { queue: None, agent: Some(agent("noor")) };
    bench.act(&mara(), noor).expect("sent back");
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, since));
    assert_eq!(bench.record().declined[0].agent, agent("mara"));
    let preferred = bench.record().preferred.as_ref().expect("noor is preferred");
    assert_eq!((&preferred.agent, preferred.wait_seconds), (&agent("noor"), 120));
    assert_eq!(bench.record().interactions, 1, "the same interaction");
}

#[test]
fn assigning_asks_the_router_and_holds_off_what_comes_between() {
    let mut bench = Bench::asap();
    let assign = Action::Assign { agent: agent("noor"), force: false };
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action: assign };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    assert!(bench.answer().is_none(), "the router is asked first");
    bench.tell(CallbackMessage::Propose { agent: agent("mara") });
    assert_eq!((bench.state(), bench.released()), (State::Queued, vec![&agent("mara")]));
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert_eq!(bench.record().assigned_agent(), Some(&agent("noor")));
    assert!(matches!(bench.answer(), Some(Ok(_))));
}

#[test]
fn an_assignment_that_comes_too_late_gives_the_agent_back() {
    let mut bench = Bench::asap();
    let assign = Action::Assign { agent: agent("noor"), force: false };
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action: assign };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    bench.act(&Who::Customer, Action::Cancel { reason: None }).expect("canceled");
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert!(matches!(bench.answer(), Some(Err(Refusal::IllegalTransition { .. }))));
    assert_eq!(bench.released(), [&agent("noor")]);
}

#[test]
fn a_stale_version_is_refused_and_wrap_up_may_be_switched_off() {
    let mut bench =
        Bench::new(queue(|one| one.wrap_up_mode = WrapUpMode::None), Medium::Voice, None);
    let cancel = Action::Cancel { reason: None };
    let command = CallbackCommand { token: Token(3), who: BOSS, if_match: Some(9), action: cancel };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    assert!(matches!(bench.answer(), Some(Err(Refusal::VersionStale { version: 1 }))));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer }).expect("accepted");
    bench.act(&mara(), Action::Call).expect("called");
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("told");
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    assert_eq!(bench.state(), State::ClosedComplete);
}

#[test]
fn after_a_restart_a_pending_offer_is_taken_back() {
    let mut bench = Bench::asap();
    bench.offer("mara");
    let snapshot = Arc::new(bench.record().clone());
    bench.machine = CallbackMachine::restore(&snapshot, queue(|_| ()));
    let now = Now { wall: bench.at, steady: bench.at, fresh: Fresh(900) };
    bench.out = Outbox::default();
    bench.machine.recover(&now, &mut bench.out);
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.queued"]);
    assert!(bench.enqueued());
}
