//! The door: how many commands may be under way, and who must wait, be refused, or be turned away.
//!
//! Talk between actors isn't bounded, so the way in is. A command takes a permit here, and keeps
//! it until the last inner message that it caused is handled: every such message carries the
//! [`Cause`]. Doors live on the callers' threads and decide without asking the workspace's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::clock::Clock;
use super::figures::{Refused, Tally};
use super::ports::EntryNumber;
use crate::domain::message::Token;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};

/// Where a workspace stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// It reads what the store has; at first, or again after a fault.
    #[default]
    Recovering,
    /// It takes commands.
    Ready,
    /// It finishes what is under way and takes nothing more.
    Draining,
    /// It is over.
    Ended,
}

/// What callers must know of the workspace to decide at the door, and when to let a read go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Where it stands.
    pub(crate) phase: Phase,
    /// Counts recoveries: entry numbers of an earlier one say nothing in a later one.
    pub(crate) life: u64,
    /// The newest durable entry.
    pub(crate) durable: EntryNumber,
    /// Since when the store doesn't acknowledge, by [`Clock::running`].
    pub(crate) stalled_since: Option<Timestamp>,
}

impl Standing {
    fn way_in(&self) -> WayIn {
        WayIn { phase: self.phase, is_stalled: self.stalled_since.is_some() }
    }
}

/// What decides whether anybody may come in.
///
/// Told by itself, because a burst waits outside by the thousand: if it looked at each group that
/// becomes durable, it would be woken as a whole for every few commands that get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct WayIn {
    phase: Phase,
    is_stalled: bool,
}

impl WayIn {
    /// Whether commands may come in.
    fn takes_commands(self) -> bool {
        self.takes_questions() && !self.is_stalled
    }

    /// Whether questions may, which can be answered while the store is stalled.
    fn takes_questions(self) -> bool {
        self.phase == Phase::Ready
    }
}

/// The door of a workspace.
#[derive(Debug)]
pub(crate) struct Door {
    permits: Arc<Semaphore>,
    /// How many there are.
    max: u32,
    /// How long a command waits for one.
    wait: Span,
    standing: watch::Sender<Standing>,
    way_in: watch::Sender<WayIn>,
    refused: Tally<Refused>,
}

impl Door {
    /// A door with `max` permits, for which a command waits `wait`.
    pub(crate) fn new(max: u32, wait: Span) -> Self {
        let permits = Arc::new(Semaphore::new(max as usize));
        let standing = watch::Sender::new(Standing::default());
        let way_in = watch::Sender::new(WayIn::default());
        Self { permits, max, wait, standing, way_in, refused: Tally::default() }
    }

    /// A permit for a command that changes something: waits for it, is overloaded when that takes
    /// too long, and unavailable at once while nothing can be written.
    pub(crate) async fn enter(&self, clock: &Clock) -> Result<OwnedSemaphorePermit, Refusal> {
        self.admit(clock, WayIn::takes_commands).await
    }

    /// A permit for a question, which can be answered while the store is stalled.
    pub(crate) async fn ask(&self, clock: &Clock) -> Result<OwnedSemaphorePermit, Refusal> {
        self.admit(clock, WayIn::takes_questions).await
    }

    async fn admit(
        &self,
        clock: &Clock,
        open: fn(WayIn) -> bool,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let admitted = self.wait_outside(clock, open).await;
        match &admitted {
            Err(Refusal::Overloaded) => self.refused(Refused::Overloaded),
            Err(_unavailable) => self.refused(Refused::Unavailable),
            Ok(_) => {}
        }
        admitted
    }

    async fn wait_outside(
        &self,
        clock: &Clock,
        open: fn(WayIn) -> bool,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        if !open(*self.way_in.borrow()) {
            return Err(Refusal::Unavailable);
        }
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let mut way_in = self.way_in.subscribe();
        tokio::select! {
            biased;
            _ = way_in.wait_for(|way_in| !open(*way_in)) => Err(Refusal::Unavailable),
            permit = Arc::clone(&self.permits).acquire_owned() => {
                permit.map_err(|_closed| Refusal::Unavailable)
            }
            () = clock.wait(self.wait) => Err(Refusal::Overloaded),
        }
    }

    /// As many permits as are free, up to `most`: for due callbacks.
    pub(crate) fn take_free(&self, most: u32) -> Option<OwnedSemaphorePermit> {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX).min(most);
        Arc::clone(&self.permits).try_acquire_many_owned(free).ok().filter(|_| free > 0)
    }

    /// Waits in line with the commands for `count` permits (or all that there are).
    pub(crate) async fn wait_for(&self, count: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_many_owned(count.min(self.max)).await.ok()
    }

    /// Waits until nothing is under way, and keeps everything out from then on.
    pub(crate) async fn wait_until_empty(&self) -> Option<OwnedSemaphorePermit> {
        self.wait_for(self.max).await
    }

    /// Notes a refusal.
    pub(crate) fn refused(&self, why: Refused) {
        self.refused.count(why);
    }

    /// How many were refused, and why.
    pub(crate) fn refusals(&self) -> Vec<(Refused, u64)> {
        self.refused.read()
    }

    /// Commands that may be under way.
    pub(crate) fn permits(&self) -> u32 {
        self.max
    }

    /// Commands under way.
    pub(crate) fn in_flight(&self) -> usize {
        (self.max as usize).saturating_sub(self.permits.available_permits())
    }

    /// How the workspace stands, as told last.
    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Tells how the workspace stands.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(change);
        let way_in = self.standing().way_in();
        self.way_in.send_if_modified(|told| std::mem::replace(told, way_in) != way_in);
    }

    /// Waits until entry `number` is durable; unavailable if the store stalls before, or the
    /// workspace began anew.
    pub(crate) async fn wait_durable(&self, life: u64, number: EntryNumber) -> Result<(), Refusal> {
        let mut standing = self.standing.subscribe();
        let settled = standing
            .wait_for(|standing| {
                standing.durable >= number
                    || standing.stalled_since.is_some()
                    || standing.life != life
                    || standing.phase == Phase::Ended
            })
            .await
            .map_err(|_gone| Refusal::Unavailable)?;
        let shown = settled.life == life && settled.durable >= number;
        if shown { Ok(()) } else { Err(Refusal::Unavailable) }
    }

    /// Waits until `done` says so of the workspace's standing.
    pub(crate) async fn wait_standing(&self, done: impl FnMut(&Standing) -> bool) -> Standing {
        let mut standing = self.standing.subscribe();
        let found = standing.wait_for(done).await;
        found.map_or_else(|_gone| Standing::default(), |standing| *standing)
    }
}

/// What an inner message was caused by: a command or a due callback, with its permit.
///
/// Shared by all messages that follow from it; the permit is given back with the last of them.
#[derive(Debug)]
pub(crate) struct Cause {
    _permit: OwnedSemaphorePermit,
    command: Option<Commanded>,
}

/// The command that a cause stands for, and where to tell that nobody answered it.
#[derive(Debug)]
struct Commanded {
    token: Token,
    answered: AtomicBool,
    unanswered: mpsc::UnboundedSender<Token>,
}

impl Cause {
    /// A command's. If it is given back before an answer was made, its token goes to
    /// `unanswered`: a step that panicked, or a machine that forgot, must not leave the caller
    /// waiting for good.
    pub(crate) fn command(
        permit: OwnedSemaphorePermit,
        token: Token,
        unanswered: mpsc::UnboundedSender<Token>,
    ) -> Arc<Self> {
        let command = Commanded { token, answered: AtomicBool::new(false), unanswered };
        Arc::new(Self { _permit: permit, command: Some(command) })
    }

    /// A due callback's: nobody waits for an answer.
    pub(crate) fn due(permit: OwnedSemaphorePermit) -> Arc<Self> {
        Arc::new(Self { _permit: permit, command: None })
    }

    /// An answer was made to `token`.
    pub(crate) fn answered(&self, token: Token) {
        if let Some(command) = &self.command
            && command.token == token
        {
            command.answered.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Cause {
    fn drop(&mut self) {
        if let Some(command) = &self.command
            && !command.answered.load(Ordering::Relaxed)
        {
            // The workspace being gone, nobody waits either.
            let _ = command.unanswered.send(command.token);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;
    use crate::engine::clock::ManualTime;

    /// Knows whether it was woken.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn ready(max: u32) -> (Door, Clock, Arc<ManualTime>) {
        let time = ManualTime::starting_at(Timestamp(0));
        let door = Door::new(max, Span::seconds(1));
        door.tell(|standing| standing.phase = Phase::Ready);
        (door, Clock::manual(Arc::clone(&time)), time)
    }

    #[tokio::test]
    async fn a_full_door_lets_wait_for_so_long_and_then_refuses() {
        let (door, clock, time) = ready(2);
        let first = door.enter(&clock).await.expect("one is free");
        let _second = door.enter(&clock).await.expect("two are free");
        assert_eq!(door.in_flight(), 2);
        let waiting = async { tokio::join!(door.enter(&clock), door.enter(&clock)) };
        let freed = async {
            tokio::task::yield_now().await;
            drop(first);
            time.advance(Span::seconds(1));
        };
        let ((third, fourth), ()) = tokio::join!(waiting, freed);
        assert!(third.is_ok());
        assert_eq!(fourth.err(), Some(Refusal::Overloaded));
    }

    #[tokio::test]
    async fn a_stall_refuses_at_once_who_comes_and_who_waits() {
        let (door, clock, _time) = ready(1);
        let held = door.enter(&clock).await.expect("one is free");
        let stall = async {
            tokio::task::yield_now().await;
            door.tell(|standing| standing.stalled_since = Some(Timestamp(0)));
        };
        let (waited, ()) = tokio::join!(door.enter(&clock), stall);
        assert_eq!(waited.err(), Some(Refusal::Unavailable));
        drop(held);
        assert_eq!(door.enter(&clock).await.err(), Some(Refusal::Unavailable));
        assert!(door.ask(&clock).await.is_ok(), "a question can be answered meanwhile");
    }

    #[tokio::test]
    async fn who_waits_outside_is_not_woken_by_what_becomes_durable() {
        let (door, clock, _time) = ready(1);
        let _held = door.enter(&clock).await.expect("one is free");
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut waiting = pin!(door.enter(&clock));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        door.tell(|standing| standing.durable = 7);
        assert!(!woken.0.load(Ordering::SeqCst), "nothing has changed for it");
        door.tell(|standing| standing.stalled_since = Some(Timestamp(0)));
        assert!(woken.0.load(Ordering::SeqCst));
        let Poll::Ready(refused) = waiting.as_mut().poll(&mut context) else { panic!("it waits") };
        assert_eq!(refused.err(), Some(Refusal::Unavailable));
    }

    #[tokio::test]
    async fn a_read_waits_for_its_entry_and_not_for_a_store_that_stands() {
        let (door, _clock, _time) = ready(1);
        let durable = async { door.tell(|standing| standing.durable = 7) };
        assert_eq!(tokio::join!(door.wait_durable(0, 7), durable).0, Ok(()));
        let stall = async { door.tell(|standing| standing.stalled_since = Some(Timestamp(0))) };
        let waited = tokio::join!(door.wait_durable(0, 8), stall).0;
        assert_eq!(waited, Err(Refusal::Unavailable));
        assert_eq!(door.wait_durable(0, 7).await, Ok(()), "what is durable is shown all the same");
        assert_eq!(door.wait_durable(1, 7).await, Err(Refusal::Unavailable));
    }

    #[tokio::test]
    async fn a_command_that_nobody_answers_is_told() {
        let (door, clock, _time) = ready(2);
        let (unanswered, mut told) = mpsc::unbounded_channel();
        for (token, answer) in [(Token(1), true), (Token(2), false)] {
            let permit = door.enter(&clock).await.expect("free");
            let cause = Cause::command(permit, token, unanswered.clone());
            let letter = Arc::clone(&cause);
            drop(cause);
            assert_eq!(door.in_flight(), 1, "the letter holds the permit");
            if answer {
                letter.answered(token);
            }
        }
        assert_eq!(told.try_recv(), Ok(Token(2)));
        assert!(told.try_recv().is_err());
        assert_eq!(door.in_flight(), 0);
    }
}
