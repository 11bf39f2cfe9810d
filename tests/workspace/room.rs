//! What happens at the bounds of overlay and log: writes are refused, told, and taken again.

use ringback::engine::figures::Refused;
use ringback::engine::health::Alarm;
use ringback::store::Trouble;

use super::redis_server;
use super::*;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Either bound, so small that some dozens of callbacks reach it.
fn small_bounds() -> [Limits; 2] {
    let [mut overlay, mut log] = [Limits::default(), Limits::default()];
    overlay.journal.overlay_bytes = 64 << 10;
    log.journal.log_max_bytes = 16 << 10;
    [overlay, log]
}

#[tokio::test]
async fn at_a_bound_writes_are_refused_until_the_tables_follow_again() {
    for limits in small_bounds() {
        let store = MemoryStore::new();
        let place = Place::Memory(store.clone());
        let (handle, running) = place.start_at(Clock::system(), limits).await;
        store.set_tables_trouble(Trouble::Unavailable);
        let mut ids = BTreeSet::new();
        let refused = loop {
            match handle.create(wish(&format!("X-{}", ids.len())), None).await {
                Ok(answered) => assert!(ids.insert(answered.value.callback.id)),
                Err(error) => break error,
            }
            assert!(ids.len() < 1_000, "there is a bound");
        };
        assert_eq!(refused, Refusal::Unavailable.into());
        let health = handle.health();
        assert!(health.ready && health.alarms.contains(&Alarm::NoRoom), "{health:?}");
        let refusals = handle.figures().refused;
        assert!(refusals.contains(&(Refused::NoRoom, 1)), "{refusals:?}");
        assert!(handle.queue_stats(queue_id()).await.is_ok(), "questions are answered");

        store.set_tables_trouble(Trouble::None);
        let deadline = redis_server::now() + PATIENCE;
        loop {
            match handle.create(wish(&format!("X-{}", ids.len())), None).await {
                Ok(answered) => break assert!(ids.insert(answered.value.callback.id)),
                Err(error) => assert_eq!(error, Refusal::Unavailable.into()),
            }
            assert!(redis_server::now() < deadline, "there is room again");
            tokio::task::yield_now().await;
        }
        assert_eq!(running.drain().await, Ended::Drained);
        let (handle, running) = place.start().await;
        let waiting = handle.queue_stats(queue_id()).await.expect("known").waiting;
        assert_eq!(usize::try_from(waiting), Ok(ids.len()));
        assert_eq!(running.drain().await, Ended::Drained);
    }
}
