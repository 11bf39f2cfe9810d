//! What happens to callbacks in the moment in which their queue's hours change.

use std::sync::Arc;

use futures_util::future::join_all;

use super::rig::{Rig, asap, queue_id, scheduled, until};
use crate::domain::callback::State;
use crate::domain::civil::Weekday;
use crate::domain::hours::{DayInterval, Hours};
use crate::domain::policy::QueueSettings;
use crate::domain::time::Span;
use crate::domain::zone::TimeZone;

/// Open until 8 in the morning.
fn mornings() -> QueueSettings {
    let morning = DayInterval::parse("00:00", "08:00").expect("an interval");
    let week = Weekday::ALL.map(|weekday| (weekday, morning));
    let hours = Hours::new(TimeZone::utc(), &week, Vec::new()).expect("hours");
    QueueSettings { hours: Arc::new(hours), ..QueueSettings::new(queue_id()) }
}

#[tokio::test]
async fn what_was_decided_by_the_old_hours_is_told_to_lie_outside_the_new_ones() {
    let rig = Rig::new().await;
    // Somebody is booked already, so that the walk begins; at noon, two days from now.
    let noon = Span::minutes(2 * 1_440 - 4 * 60);
    rig.create(scheduled(noon)).await.expect("taken");
    let bookings = join_all((0..64).map(|_| rig.create(scheduled(noon))));
    let (made, put) = tokio::join!(bookings, rig.handle.put_queue(mornings(), None));
    assert!(put.is_ok());
    let made: Vec<_> = made.into_iter().flatten().collect();
    until("each is looked at", || {
        rig.time.advance(Span::millis(100));
        let all = rig.vault.callbacks();
        all.iter().all(|one| one.booking.as_ref().is_some_and(|booking| booking.in_conflict))
    })
    .await;
    assert_eq!(rig.vault.callbacks().len(), made.len() + 1, "the others were refused");
}

/// A long line is told in several steps, and one of them panics.
#[tokio::test]
async fn whoever_waits_goes_at_a_closing_also_when_telling_them_panics_halfway() {
    let rig = Rig::new().await;
    for _ in 0..11 {
        let taken = join_all((0..100).map(|_| rig.create(asap()))).await;
        assert!(taken.iter().all(Result::is_ok));
    }
    assert!(rig.vault.callbacks().iter().all(|one| one.state() == State::Queued));
    rig.handle.poison_after("queue", 1);
    rig.handle.put_queue(mornings(), None).await.expect("replaced");
    until("all have gone", || {
        rig.time.advance(Span::millis(100));
        rig.vault.callbacks().iter().all(|one| one.state() == State::Open)
    })
    .await;
    assert_eq!(rig.handle.health().panics, 1);
    rig.handle.antidote();
}
