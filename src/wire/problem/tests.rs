//! Each refusal's problem, held against the document of the API.

use super::*;
use crate::domain::callback::State;
use crate::domain::ids::CallbackId;

fn value(problem: impl Into<Problem>) -> Value {
    serde_json::to_value(problem.into()).expect("a problem")
}

#[test]
fn each_refusal_has_its_name_and_status() {
    let at = Timestamp(1_795_532_400_000);
    let all = [
        (Refusal::NotFound, "not-found", 404),
        (Refusal::Forbidden("not you".to_owned()), "forbidden", 403),
        (Refusal::VersionStale { version: 8 }, "version-stale", 412),
        (
            Refusal::IllegalTransition { state: State::Calling, action: "cancel" },
            "illegal-transition",
            409,
        ),
        (Refusal::OfferNotPending, "offer-not-pending", 409),
        (Refusal::OutcomeMissing, "outcome-missing", 409),
        (Refusal::AttemptsUsedUp { max_attempts: 5 }, "attempts-used-up", 409),
        (Refusal::AgentNotConnected("mara".to_owned()), "agent-not-connected", 409),
        (Refusal::AtCapacity("mara".to_owned()), "at-capacity", 409),
        (Refusal::LimitReached("full".to_owned()), "limit-reached", 409),
        (Refusal::IntakePaused { until: Some(at) }, "intake-paused", 409),
        (Refusal::Duplicate { id: CallbackId(1) }, "duplicate", 409),
        (Refusal::OutsideHours { next_allowed_at: Some(at) }, "outside-hours", 422),
        (Refusal::StartPast, "start-past", 422),
        (Refusal::InUse("2 callbacks are there".to_owned()), "in-use", 409),
        (Refusal::field("/size", "must be more"), "invalid", 422),
        (Refusal::Internal, "internal", 500),
        (Refusal::Unavailable, "unavailable", 503),
        (Refusal::Overloaded, "overloaded", 503),
    ];
    for (refusal, name, status) in all {
        let told = value(refusal);
        assert_eq!(told["type"], format!("/problems/{name}"));
        assert_eq!(told["status"], status, "{name}");
        for member in ["title", "detail"] {
            let text = told[member].as_str().expect("text");
            assert!(!text.is_empty(), "{name}");
        }
        let detail = told["detail"].as_str().expect("text");
        assert!(detail.ends_with('.') && !detail.ends_with(".."), "{detail}");
    }
}

#[test]
fn problems_carry_what_the_client_needs() {
    let illegal = Refusal::IllegalTransition { state: State::Calling, action: "cancel" };
    let told = value(illegal);
    assert_eq!((&told["state"], &told["action"]), (&json!("calling"), &json!("cancel")));
    let hours = Refusal::OutsideHours { next_allowed_at: Some(Timestamp(1_795_532_400_000)) };
    assert_eq!(value(hours)["next_allowed_at"], "2026-11-24T15:00:00Z");
    assert_eq!(
        value(Refusal::OutsideHours { next_allowed_at: None })["next_allowed_at"],
        json!(null)
    );
    let id = CallbackId(0x0193_6b5e_3c5a_7cc0_8000_0000_0000_0001);
    assert_eq!(value(Refusal::Duplicate { id })["id"], "01936b5e-3c5a-7cc0-8000-000000000001");
    assert_eq!(value(CommandError::KeyReused)["type"], "/problems/idempotency-key-reused");
    let told = value(Problem::field("/customer/phone", "must be text"));
    assert_eq!(told["errors"], json!([{"pointer": "/customer/phone", "detail": "must be text"}]));
}

#[test]
fn whoever_is_turned_away_for_load_is_told_when_to_come_again() {
    for refusal in [Refusal::Unavailable, Refusal::Overloaded] {
        assert!(Problem::from(refusal).retry_after_seconds.is_some());
    }
    assert_eq!(Problem::from(Refusal::NotFound).retry_after_seconds, None);
}

#[test]
fn kinds_have_names_of_their_own() {
    let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kind::ALL.len());
    for name in names {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
    }
}
