//! When a session is looked at: heartbeats, and whether its credential is still good.
//!
//! One timer for both, because whoever waits for a session's next message asks its timers too.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often a credential is looked at, however rare the heartbeats are.
const CREDENTIAL_CHECK: Duration = Duration::from_secs(30);

/// A session silent for so many heartbeats is dropped.
const SILENT_HEARTBEATS: u32 = 3;

/// What a session is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A ping, and all that goes with it.
    Heartbeat,
    /// Its credential alone.
    Between,
}

/// The looks at one session.
#[derive(Debug)]
pub(super) struct Looks {
    timer: Interval,
    /// From one heartbeat to the next.
    per_heartbeat: u32,
    since_heartbeat: u32,
}

impl Looks {
    /// Looks that begin now.
    pub(super) fn new(heartbeat: Duration) -> Self {
        let per_heartbeat = heartbeat.as_nanos().div_ceil(CREDENTIAL_CHECK.as_nanos());
        let per_heartbeat = u32::try_from(per_heartbeat).unwrap_or(u32::MAX).max(1);
        let apart = heartbeat / per_heartbeat;
        let mut timer = interval_at(Instant::now() + apart, apart);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { timer, per_heartbeat, since_heartbeat: 0 }
    }

    /// Waits for the next. May be dropped and called again without loss.
    pub(super) async fn next(&mut self) -> Look {
        self.timer.tick().await;
        self.since_heartbeat = (self.since_heartbeat + 1) % self.per_heartbeat;
        if self.since_heartbeat == 0 { Look::Heartbeat } else { Look::Between }
    }
}

/// Counts heartbeats without a sign of life.
#[derive(Debug, Default)]
pub(super) struct Silence(u32);

impl Silence {
    /// One more heartbeat: whether the session has been silent for too many.
    pub(super) fn beat(&mut self, heard: bool) -> bool {
        self.0 = if heard { 0 } else { self.0 + 1 };
        self.0 >= SILENT_HEARTBEATS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_credential_is_looked_at_between_rare_heartbeats() {
        for (heartbeat, apart, per_heartbeat) in [(10, 10, 1), (30, 30, 1), (80, 26, 3)] {
            let began = Instant::now();
            let mut looks = Looks::new(Duration::from_secs(heartbeat));
            for count in 1..=2 * per_heartbeat {
                let expected =
                    if count % per_heartbeat == 0 { Look::Heartbeat } else { Look::Between };
                assert_eq!(looks.next().await, expected, "look {count} of {heartbeat} s");
                if count == 1 {
                    assert_eq!(began.elapsed().as_secs(), apart);
                }
            }
            assert_eq!(began.elapsed().as_secs(), 2 * heartbeat);
        }
    }

    #[test]
    fn a_session_silent_for_three_heartbeats_is_dropped() {
        let mut silence = Silence::default();
        assert_eq!([true, false, false].map(|heard| silence.beat(heard)), [false; 3]);
        assert!(!silence.beat(true), "any sign of life is enough");
        let beats = [false, false, false, false].map(|heard| silence.beat(heard));
        assert_eq!(beats, [false, false, true, true]);
    }
}
