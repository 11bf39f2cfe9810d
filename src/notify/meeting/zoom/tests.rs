//! Zoom against a server that follows its published API, and fails in every way (fault F27).

use std::sync::Mutex;
use std::time::Duration;

use secrecy::SecretString;

use super::fake::{State, Trouble};
use super::*;
use crate::domain::ids::WorkspaceId;
use crate::domain::time::Span;
use crate::engine::clock::ManualTime;
use crate::notify::test_server::TestServer;

const CALLBACK: CallbackId = CallbackId(0x0193_6b5e_3c5a_7cc0_8000_0000_0000_0007);

struct Rig {
    server: TestServer,
    state: Arc<Mutex<State>>,
    time: Arc<ManualTime>,
    zoom: Zoom,
}

impl Rig {
    async fn new() -> Self {
        Self::with_secret("secret").await
    }

    async fn with_secret(secret: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server =
            TestServer::start(move |asked| shared.lock().expect("no panic").answer(asked)).await;
        let account = ZoomAccount {
            account_id: "the&account".into(),
            client_id: "client".into(),
            client_secret: SecretString::from(secret),
            host_user: "host@example.com".into(),
            api_url: server.url("/v2"),
            token_url: server.url("/oauth/token"),
        };
        let patience = Duration::from_millis(300);
        let calls = OutwardCalls { connect: patience, answer: patience };
        // 2026-11-23T16:00:00Z, eight hours before the day ends.
        let time = ManualTime::starting_at(Timestamp(1_795_449_600_000));
        let clock = Arc::new(Clock::manual(Arc::clone(&time)));
        let zoom = Zoom::new(&account, &calls, clock).expect("TLS");
        Self { server, state, time, zoom }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked here")
    }

    fn trouble(&self, line: &'static str, trouble: Trouble) {
        self.state().troubles.push_back((line, trouble));
    }

    async fn create(&self) -> Outcome<Meeting> {
        self.zoom.create(&appointment()).await
    }

    async fn made(&self) -> Meeting {
        delivered(self.create().await)
    }

    /// How many requests began so.
    fn count(&self, line: &str) -> usize {
        let asked = self.server.asked();
        asked
            .iter()
            .filter(|one| format!("{} {}", one.method, one.target).starts_with(line))
            .count()
    }
}

fn appointment() -> Appointment {
    Appointment {
        workspace: WorkspaceId::parse("main").expect("a slug"),
        callback: CALLBACK,
        topic: "Callback CB0001042".into(),
        start: Timestamp(1_795_532_400_000),
        end: Timestamp(1_795_533_300_000),
        customer_name: Some("Ada Lovelace".into()),
    }
}

fn delivered<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Delivered(value) => value,
        other => panic!("{other:?}"),
    }
}

fn is_later<T>(outcome: &Outcome<T>) -> bool {
    matches!(outcome, Outcome::Later { .. })
}

const CREATE: &str = "POST /v2/users";
const LIST: &str = "GET /v2/users";
const TOKEN: &str = "POST /oauth";

#[tokio::test]
async fn a_meeting_is_made_moved_renewed_and_removed() {
    let rig = Rig::new().await;
    let meeting = rig.made().await;
    assert_eq!(meeting.id, "97763643001");
    assert_eq!(meeting.join_url, "https://zoom.example/j/97763643001?pwd=x");
    assert_eq!(meeting.host_url, "https://zoom.example/s/97763643001?zak=y");
    let stored = rig.state().meetings[&97_763_643_001].clone();
    assert_eq!(stored["start_time"], "2026-11-24T15:00:00Z");
    assert_eq!((&stored["duration"], &stored["type"]), (&json!(15), &json!(2)));
    assert_eq!(stored["topic"], "Callback CB0001042");
    assert_eq!(stored["settings"]["waiting_room"], true);

    let moved = Appointment {
        start: Timestamp(1_795_536_000_500),
        end: Timestamp(1_795_537_860_500),
        ..appointment()
    };
    assert_eq!(delivered(rig.zoom.update(&meeting.id, &moved).await), meeting);
    let stored = rig.state().meetings[&97_763_643_001].clone();
    assert_eq!(stored["start_time"], "2026-11-24T16:00:00Z");
    assert_eq!(stored["duration"], 31);

    rig.state().meetings.get_mut(&97_763_643_001).expect("it is there")["start_url"] =
        json!("https://zoom.example/s/new");
    let renewed = delivered(rig.zoom.renew(&meeting.id, &moved).await);
    assert_eq!(renewed.host_url, "https://zoom.example/s/new");

    delivered(rig.zoom.delete(CALLBACK, Some(&meeting.id)).await);
    assert!(rig.state().meetings.is_empty());
    delivered(rig.zoom.delete(CALLBACK, Some(&meeting.id)).await);
    delivered(rig.zoom.delete(CALLBACK, None).await);
}

/// Whatever becomes of the answer, trying again leads to one meeting.
#[tokio::test]
async fn an_answer_lost_after_create_leaves_one_meeting() {
    for trouble in [Trouble::AnswerLost, Trouble::AnswerCut, Trouble::AnswerGarbled] {
        let rig = Rig::new().await;
        rig.trouble(CREATE, trouble.clone());
        assert!(is_later(&rig.create().await), "{trouble:?}");
        assert_eq!(rig.state().meetings.len(), 1, "{trouble:?}");
        let meeting = rig.made().await;
        assert_eq!(meeting, rig.made().await);
        assert_eq!(meeting.host_url, "https://zoom.example/s/97763643001?zak=y");
        assert_eq!((rig.state().meetings.len(), rig.count(CREATE)), (1, 1), "{trouble:?}");
        assert_eq!(rig.count("PATCH"), 0, "it was right already");
    }
}

#[tokio::test]
async fn a_meeting_found_again_is_moved_to_where_the_callback_went_meanwhile() {
    let rig = Rig::new().await;
    rig.trouble(CREATE, Trouble::AnswerLost);
    assert!(is_later(&rig.create().await));
    let moved = Appointment { start: appointment().end, ..appointment() };
    delivered(rig.zoom.create(&moved).await);
    let state = rig.state();
    let all: Vec<&Value> = state.meetings.values().map(|meeting| &meeting["start_time"]).collect();
    assert_eq!(all, ["2026-11-24T15:15:00Z"]);
}

#[tokio::test]
async fn a_callback_canceled_after_a_lost_answer_leaves_no_meeting() {
    let rig = Rig::new().await;
    let other = Appointment { callback: CallbackId(8), ..appointment() };
    delivered(rig.zoom.create(&other).await);
    rig.trouble(CREATE, Trouble::AnswerLost);
    assert!(is_later(&rig.create().await));
    assert_eq!(rig.state().meetings.len(), 2);
    delivered(rig.zoom.delete(CALLBACK, None).await);
    assert_eq!(rig.state().meetings.keys().collect::<Vec<_>>(), [&97_763_643_001]);
}

#[tokio::test]
async fn a_meeting_is_found_on_a_later_page_and_of_two_the_older_stays() {
    let rig = Rig::new().await;
    rig.state().page = Some(2);
    let first = rig.made().await;
    // A second one, as if a list had been behind once.
    let mut copy = rig.state().meetings[&97_763_643_001].clone();
    copy["id"] = json!(5);
    copy["created_at"] = json!("2026-11-23T05:31:59Z");
    rig.state().meetings.insert(5, copy);
    for callback in 100..105 {
        let other = Appointment { callback: CallbackId(callback), ..appointment() };
        delivered(rig.zoom.create(&other).await);
    }
    assert_eq!(rig.made().await, first);
    assert_eq!(rig.state().meetings.len(), 6);
    assert!(!rig.state().meetings.contains_key(&5));
    assert_eq!(rig.count(CREATE), 6);
}

#[tokio::test]
async fn a_meeting_that_somebody_removed_is_made_again() {
    let rig = Rig::new().await;
    let meeting = rig.made().await;
    rig.state().meetings.clear();
    let second = delivered(rig.zoom.update(&meeting.id, &appointment()).await);
    assert_ne!(second.id, meeting.id);
    rig.state().meetings.clear();
    let third = delivered(rig.zoom.renew(&second.id, &appointment()).await);
    assert_ne!(third.id, second.id);
    assert_eq!(rig.state().meetings.len(), 1);
}

#[tokio::test]
async fn a_token_serves_many_calls_until_shortly_before_its_end() {
    let rig = Rig::new().await;
    rig.made().await;
    rig.made().await;
    rig.time.advance(Span::seconds(3_539));
    rig.made().await;
    assert_eq!(rig.count(TOKEN), 1);
    rig.time.advance(Span::seconds(1));
    rig.made().await;
    assert_eq!(rig.count(TOKEN), 2);
}

#[tokio::test]
async fn many_calls_at_once_ask_for_one_token() {
    let rig = Rig::new().await;
    let zoom = &rig.zoom;
    let asked = (0..8_u128).map(|callback| async move {
        let one = Appointment { callback: CallbackId(callback), ..appointment() };
        delivered(zoom.create(&one).await)
    });
    futures_util::future::join_all(asked).await;
    assert_eq!((rig.count(TOKEN), rig.state().meetings.len()), (1, 8));
}

#[tokio::test]
async fn a_token_that_zoom_ended_is_renewed_once_and_the_call_repeated() {
    let rig = Rig::new().await;
    rig.made().await;
    rig.state().good.clear();
    rig.made().await;
    assert_eq!(rig.count(TOKEN), 2);

    for _ in 0..2 {
        rig.trouble(LIST, Trouble::Refused(401, Vec::new(), json!({"code": 124})));
    }
    assert_eq!(rig.create().await, Outcome::later("Zoom answered 401, code 124"));
    assert_eq!(rig.count(TOKEN), 3);
    rig.made().await;
    assert_eq!((rig.count(TOKEN), rig.state().meetings.len()), (4, 1));
}

#[tokio::test]
async fn without_a_token_nothing_is_asked_and_it_is_tried_again() {
    let rig = Rig::with_secret("wrong").await;
    assert_eq!(rig.create().await, Outcome::later("Zoom gives no token (answered 401)"));
    let rig = Rig::new().await;
    let nothing = json!({"reason": "Bad Request", "error": "invalid_request"});
    let busy = vec![("retry-after", "7".to_owned())];
    for (trouble, retry_after) in [
        (Trouble::Refused(400, Vec::new(), nothing), None),
        (Trouble::Refused(500, Vec::new(), Value::Null), None),
        (Trouble::Garbage, None),
        (Trouble::Slow, None),
        (Trouble::AnswerLost, None),
        (Trouble::Refused(429, busy, Value::Null), Some(Span::seconds(7))),
    ] {
        rig.trouble(TOKEN, trouble.clone());
        let outcome = rig.create().await;
        let Outcome::Later { reason, retry_after: found } = outcome else { panic!("{trouble:?}") };
        assert!(reason.starts_with("Zoom") && !reason.contains("account"), "{reason}");
        assert_eq!(found, retry_after, "{trouble:?}");
    }
    rig.time.advance(Span::seconds(7));
    assert_eq!(rig.count(LIST), 0);
    rig.made().await;
}

#[tokio::test]
async fn a_rate_limit_holds_all_calls_until_it_is_over() {
    let daily = "You have exceeded the daily rate limit (100) of Meeting Create/Update API \
                 requests permitted for this particular user.";
    let header = |name, value: &str| vec![(name, value.to_owned())];
    for (headers, body, seconds) in [
        (header("Retry-After", "30"), json!({"code": 429}), Some(30)),
        (header("Retry-After", "2026-11-24T00:00:00Z"), json!({"code": 429}), Some(28_800)),
        (header("X-RateLimit-Type", "Daily-limit"), Value::Null, Some(28_800)),
        (Vec::new(), json!({"code": 429, "message": daily}), Some(28_800)),
        (Vec::new(), json!({"code": 429, "message": "per-second rate limit"}), None),
    ] {
        let rig = Rig::new().await;
        rig.trouble(CREATE, Trouble::Refused(429, headers.clone(), body));
        let retry_after = seconds.map(Span::seconds);
        let Outcome::Later { retry_after: asked, .. } = rig.create().await else { panic!() };
        assert_eq!(asked, retry_after, "{headers:?}");
        let Some(wait) = retry_after else {
            rig.made().await;
            continue;
        };
        let before = rig.server.asked().len();
        rig.time.advance(wait - Span::seconds(1));
        let Outcome::Later { retry_after: left, .. } = rig.create().await else { panic!() };
        assert_eq!((left, rig.server.asked().len()), (Some(Span::seconds(1)), before));
        rig.time.advance(Span::seconds(1));
        rig.made().await;
        assert_eq!(rig.state().meetings.len(), 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_can_not_is_given_up() {
    let code = |code: u32| json!({"code": code, "message": "no"});
    for line in [LIST, CREATE] {
        for (trouble, reason) in [
            (Trouble::Refused(400, Vec::new(), code(4_711)), "Zoom answered 400, code 4711"),
            (Trouble::Refused(403, Vec::new(), code(200)), "Zoom answered 403, code 200"),
            (Trouble::Refused(404, Vec::new(), code(1_001)), "Zoom doesn't know the host user"),
            (Trouble::Refused(500, Vec::new(), Value::Null), "Zoom answered 500"),
            (Trouble::Refused(502, Vec::new(), json!("<html>")), "Zoom answered 502"),
            (Trouble::Refused(302, Vec::new(), Value::Null), "Zoom answered 302"),
            (Trouble::Garbage, "Zoom's answer wasn't understood"),
            (Trouble::Slow, "Zoom: no answer in time"),
        ] {
            let rig = Rig::new().await;
            rig.trouble(line, trouble.clone());
            assert_eq!(rig.create().await, Outcome::later(reason), "{line} {trouble:?}");
            rig.made().await;
            assert_eq!(rig.state().meetings.len(), 1);
        }
    }
    let rig = Rig::new().await;
    let invalid = Appointment { topic: "invalid".into(), ..appointment() };
    let outcome = rig.zoom.create(&invalid).await;
    assert_eq!(outcome, Outcome::given_up("Zoom answered 400, code 300"));
}

#[tokio::test]
async fn a_move_or_removal_that_fails_can_be_repeated() {
    let rig = Rig::new().await;
    let meeting = rig.made().await;
    let moved = Appointment { start: appointment().end, ..appointment() };
    for trouble in [Trouble::AnswerLost, Trouble::Slow] {
        rig.trouble("PATCH", trouble);
        assert!(is_later(&rig.zoom.update(&meeting.id, &moved).await));
    }
    assert_eq!(delivered(rig.zoom.update(&meeting.id, &moved).await), meeting);
    for trouble in [Trouble::Slow, Trouble::AnswerLost] {
        rig.trouble("DELETE", trouble);
        assert!(is_later(&rig.zoom.delete(CALLBACK, Some(&meeting.id)).await));
    }
    delivered(rig.zoom.delete(CALLBACK, Some(&meeting.id)).await);
    assert!(rig.state().meetings.is_empty());
}

#[test]
fn what_is_sent_stays_within_what_zoom_takes() {
    let of = |topic: String, seconds: i64| {
        let end = appointment().start + Span::millis(seconds * 1_000);
        let sent = wanted(&Appointment { topic, end, ..appointment() });
        let topic = sent["topic"].as_str().expect("text").chars().count();
        (topic, sent["duration"].as_i64().expect("a number"))
    };
    assert_eq!(of("é".repeat(200), 60), (200, 1));
    assert_eq!(of("é".repeat(201), 61), (200, 2));
    assert_eq!(of("a".into(), 0), (1, 1));
    assert_eq!(of("a".into(), -60), (1, 1));
    assert_eq!(of("a".into(), 90_000), (1, 1_440));
    assert_eq!(tag(CALLBACK), "[ringback:01936b5e-3c5a-7cc0-8000-000000000007]");
}
