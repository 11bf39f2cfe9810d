//! What an ended callback says of waiting.

use super::*;
use crate::domain::callback::InteractionState;
use crate::domain::ids::InteractionId;

const ASKED: Timestamp = Timestamp(1_000_000);

fn at(seconds: u32) -> Timestamp {
    ASKED + Span::seconds(seconds)
}

fn interaction(created: u32, accepted: Option<u32>, ended: u32) -> Interaction {
    Interaction {
        id: InteractionId(1),
        attempt: 1,
        state: InteractionState::ClosedAbandoned,
        agent: None,
        created_at: at(created),
        offered_at: None,
        accepted_at: accepted.map(at),
        called_at: accepted.map(at),
        answered_at: None,
        ended_at: Some(at(ended)),
        outcome: None,
        notes: None,
    }
}

#[test]
fn a_service_is_from_accept_to_the_end_of_wrap_up_as_far_as_is_known() {
    let called = interaction(0, Some(20), 80);
    assert_eq!(service(&called, None), Some(Span::seconds(60)), "an earlier attempt's call");
    assert_eq!(service(&called, Some(at(100))), Some(Span::seconds(80)), "with its wrap-up");
    assert_eq!(service(&interaction(0, None, 80), Some(at(100))), None, "nobody called");
}

#[test]
fn a_wait_ends_with_the_first_accept_or_with_the_callback() {
    let waited = |ended: &[Interaction]| waited(ASKED, ended, at(300));
    assert_eq!(waited(&[]), Span::ZERO, "it was never queued");
    assert_eq!(waited(&[interaction(0, None, 300)]), Span::seconds(300));
    let attempts = [interaction(10, Some(50), 80), interaction(100, Some(200), 250)];
    assert_eq!(waited(&attempts), Span::seconds(40), "a retry's wait is another one");
}
