//! The beat of an open loop: requests go out when they are meant to, whatever the server does.
//!
//! It has a thread of its own, because the runtime's timers are too coarse for latencies below a
//! millisecond. It only gives out turns; what is done in one is the caller's.

use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::clock;

/// The shortest wait: finer would cost the server's share of the machine.
const TICK: Duration = Duration::from_micros(200);

/// So many turns a second, from a moment on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    pub(crate) began: Instant,
    pub(crate) rate: f64,
}

impl Course {
    /// When this turn was meant to be taken; from 0 on.
    pub(crate) fn meant(&self, turn: u64) -> Instant {
        #[expect(clippy::cast_precision_loss, reason = "turns stay far below 2^52")]
        let offset = clock::seconds(turn as f64 / self.rate);
        self.began + offset
    }
}

/// Gives out the turns of a course; ends with its value.
#[derive(Debug)]
pub(crate) struct Pace {
    course: Course,
    turns: Arc<Semaphore>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pace {
    /// Begins; no turn is given after `ends`, and no more than `count`.
    pub(crate) fn begin(course: Course, ends: Instant, count: u64) -> Self {
        let turns = Arc::new(Semaphore::new(0));
        let (stop, stopped) = mpsc::channel::<()>();
        let given_to = Arc::clone(&turns);
        let thread = thread::spawn(move || {
            give(course, ends, count, &given_to, &stopped);
            // What has been given out is still taken; nothing more will come.
            given_to.close();
        });
        Self { course, turns, stop: Some(stop), thread: Some(thread) }
    }

    /// Waits for a turn; false where no more comes.
    pub(crate) async fn turn(&self) -> bool {
        self.turns.acquire().await.map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// When turns were meant to be taken.
    pub(crate) fn course(&self) -> Course {
        self.course
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic, and there is nobody left to tell.
            drop(thread.join());
        }
    }
}

fn give(
    course: Course,
    ends: Instant,
    count: u64,
    turns: &Semaphore,
    stopped: &mpsc::Receiver<()>,
) {
    let mut given = 0_u64;
    loop {
        let now = clock::now();
        if now >= ends || given >= count {
            return;
        }
        let elapsed = now.duration_since(course.began).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number below 10^10"
        )]
        let due = ((elapsed * course.rate) as u64 + 1).min(count);
        turns.add_permits(usize::try_from(due - given).unwrap_or_default());
        given = due;
        let wait = course.meant(given).saturating_duration_since(clock::now());
        match stopped.recv_timeout(wait.max(TICK)) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_number_and_end() {
        let course = Course { began: clock::now(), rate: 10_000.0 };
        let pace = Pace::begin(course, course.began + Duration::from_mins(1), 50);
        let mut taken = 0;
        while pace.turn().await {
            taken += 1;
        }
        assert_eq!(taken, 50);
        assert_eq!(course.meant(10_000) - course.began, Duration::from_secs(1));
    }
}
