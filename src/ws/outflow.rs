//! What waits to be written to one socket: bounded in bytes, in order.
//!
//! The queue is filled from outside the session's actor, because a client that stops reading
//! stops its actor from being polled at all. It is drained as a stream that gives the connection
//! a little at a time, so that what the connection can't write yet stays here, where it is counted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::task::AtomicWaker;

use super::close::CloseCode;

/// One thing to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// A frame of text.
    Text(String),
    /// A WebSocket ping.
    Ping,
    /// The end, with a close code.
    Close(CloseCode),
}

impl Outgoing {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Ping | Self::Close(_) => 0,
        }
    }
}

/// How a frame was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It will be written.
    Taken,
    /// More waits than may: the session must be cut off.
    Full,
    /// The session is over.
    Over,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Outgoing>,
    bytes: usize,
    /// The connection has taken a frame and hasn't asked for the next.
    writing: bool,
    /// Nothing more is taken: the end, with this code, is in the queue, or was written.
    ended: Option<CloseCode>,
}

impl Waiting {
    /// Bytes behind the frame that is being written, or that will be as soon as the connection
    /// asks: a single large one passes, and what follows it isn't counted against it.
    fn behind(&self) -> usize {
        let first = if self.writing { None } else { self.queue.front() };
        self.bytes - first.map_or(0, Outgoing::bytes)
    }
}

/// The queue of one socket.
#[derive(Debug)]
pub(super) struct Outflow {
    waiting: Mutex<Waiting>,
    waker: AtomicWaker,
    limit: usize,
}

/// So many bytes are handed to the connection before it is asked whether it can write them.
const PORTION: usize = 16 * 1024;

impl Outflow {
    /// An empty queue that takes up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let waiting = Mutex::new(Waiting::default());
        Arc::new(Self { waiting, waker: AtomicWaker::new(), limit })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes one thing to write.
    pub(super) fn put(&self, outgoing: Outgoing) -> Put {
        let mut waiting = self.lock();
        if waiting.ended.is_some() {
            return Put::Over;
        }
        if !waiting.queue.is_empty() && waiting.behind() + outgoing.bytes() > self.limit {
            return Put::Full;
        }
        waiting.bytes += outgoing.bytes();
        waiting.queue.push_back(outgoing);
        drop(waiting);
        self.waker.wake();
        Put::Taken
    }

    /// Ends the session behind what waits, which is written first.
    pub(super) fn end_in_order(&self, code: CloseCode) {
        self.close(self.lock(), code);
    }

    /// Ends the session at once: what waits is dropped.
    pub(super) fn cut_off(&self, code: CloseCode) {
        let mut waiting = self.lock();
        // One that has ended in order keeps what was to be written before its end.
        if waiting.ended.is_none() {
            waiting.queue.clear();
            waiting.bytes = 0;
        }
        self.close(waiting, code);
    }

    fn close(&self, mut waiting: MutexGuard<'_, Waiting>, code: CloseCode) {
        if waiting.ended.is_some() {
            return;
        }
        waiting.ended = Some(code);
        waiting.queue.push_back(Outgoing::Close(code));
        drop(waiting);
        self.waker.wake();
    }

    /// The session's actor has ended it by itself.
    pub(super) fn ended_by_actor(&self, code: CloseCode) {
        self.lock().ended.get_or_insert(code);
    }

    /// The code that the server ended it with; none if the client left or its network broke.
    pub(super) fn end_code(&self) -> Option<CloseCode> {
        self.lock().ended
    }

    /// Whether more than half of what may wait does.
    pub(super) fn is_half_full(&self) -> bool {
        self.lock().behind() > self.half()
    }

    /// Half of what may wait, in bytes.
    pub(super) const fn half(&self) -> usize {
        self.limit / 2
    }
}

/// The queue as the connection reads it.
#[derive(Debug)]
pub(super) struct Drain {
    outflow: Arc<Outflow>,
    /// Bytes given since the connection was last asked.
    given: usize,
}

impl Drain {
    /// Reads from `outflow`.
    pub(super) fn new(outflow: Arc<Outflow>) -> Self {
        Self { outflow, given: 0 }
    }
}

impl Stream for Drain {
    type Item = Outgoing;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        self.outflow.waker.register(context.waker());
        if self.given >= PORTION {
            // The connection is polled again at once, but writes what it has before it asks here.
            self.given = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut waiting = self.outflow.lock();
        let next = waiting.queue.pop_front();
        waiting.writing = next.is_some();
        let Some(next) = next else {
            drop(waiting);
            self.given = 0;
            return Poll::Pending;
        };
        waiting.bytes -= next.bytes();
        drop(waiting);
        self.given += next.bytes().max(1);
        Poll::Ready(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Outgoing {
        Outgoing::Text("x".repeat(length))
    }

    #[test]
    fn the_bound_counts_what_waits_behind_the_first_frame() {
        let outflow = Outflow::new(100);
        assert_eq!(outflow.put(text(500)), Put::Taken, "one large frame passes");
        assert_eq!(outflow.put(text(50)), Put::Taken);
        assert!(!outflow.is_half_full());
        assert_eq!(outflow.put(text(50)), Put::Taken);
        assert!(outflow.is_half_full());
        assert_eq!(outflow.put(text(1)), Put::Full);
        assert_eq!(outflow.put(Outgoing::Ping), Put::Taken, "what weighs nothing passes");
    }

    #[test]
    fn a_frame_that_is_being_written_is_not_what_waits() {
        let outflow = Outflow::new(100);
        outflow.put(text(500));
        let mut drain = Drain::new(Arc::clone(&outflow));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut drain).poll_next(&mut context).is_ready());
        assert_eq!(outflow.put(text(60)), Put::Taken);
        assert!(outflow.is_half_full(), "the first behind it counts");
        assert_eq!(outflow.put(text(41)), Put::Full);
        assert_eq!(outflow.put(text(40)), Put::Taken);
        while Pin::new(&mut drain).poll_next(&mut context).is_ready() {}
        assert_eq!(outflow.put(text(60)), Put::Taken);
        assert!(!outflow.is_half_full(), "nothing is being written any more");
    }

    #[test]
    fn a_cut_off_drops_what_waits_and_ends() {
        let outflow = Outflow::new(100);
        outflow.put(text(10));
        outflow.cut_off(CloseCode::DoesNotRead);
        assert_eq!(outflow.put(text(1)), Put::Over);
        outflow.ended_by_actor(CloseCode::NoFrames);
        assert_eq!(outflow.end_code(), Some(CloseCode::DoesNotRead), "the first end counts");
        let mut drain = Drain::new(Arc::clone(&outflow));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let first = Pin::new(&mut drain).poll_next(&mut context);
        assert_eq!(first, Poll::Ready(Some(Outgoing::Close(CloseCode::DoesNotRead))));
    }

    #[test]
    fn the_connection_is_given_a_portion_at_a_time() {
        let outflow = Outflow::new(1 << 20);
        for _ in 0..4 {
            outflow.put(text(PORTION / 2));
        }
        let mut drain = Drain::new(outflow);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut given = Vec::new();
        for _ in 0..6 {
            given.push(Pin::new(&mut drain).poll_next(&mut context).is_ready());
        }
        assert_eq!(given, [true, true, false, true, true, false]);
    }
}
