//! A guard on a socket's incoming bytes: it reads each frame's declared length before the codec
//! sees it, because the codec makes room for whatever a frame announces.
//!
//! It also holds the socket back while more of its frames wait to be handled than may: the bytes
//! then stay with the client, by TCP's own means.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::task::AtomicWaker;

/// The most frames of one session that may wait to be handled.
pub(super) const MAX_WAITING_FRAMES: usize = 64;

/// What the guard and the session share.
#[derive(Debug, Default)]
pub(super) struct Inflow {
    /// Frames handed on and not yet handled.
    waiting: AtomicUsize,
    /// Frames whose last byte the codec has and that it hasn't handed on yet.
    undecoded: AtomicUsize,
    too_large: AtomicBool,
    /// Something came since the pump looked last.
    heard: AtomicBool,
    waker: AtomicWaker,
}

impl Inflow {
    /// A frame is handed on.
    pub(super) fn arrived(&self) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
    }

    /// The codec has handed a frame on.
    pub(super) fn decoded(&self) {
        self.undecoded.fetch_sub(1, Ordering::AcqRel);
    }

    /// A frame was handled.
    pub(super) fn handled(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Whether the client has given a sign of life since this was asked last. What waits to be
    /// handled is one: while much of it does, the client is held back and can give no other.
    pub(super) fn was_heard(&self) -> bool {
        let heard = self.heard.swap(false, Ordering::AcqRel);
        heard || self.waiting.load(Ordering::Acquire) > 0
    }

    /// A frame announced more than may be.
    pub(super) fn was_too_large(&self) -> bool {
        self.too_large.load(Ordering::Acquire)
    }

    fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= MAX_WAITING_FRAMES
    }
}

/// Where in the incoming bytes the guard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a header, with so many of its bytes read.
    Header(usize),
    /// In a payload (and its mask), with so many bytes to come.
    Payload(u64),
}

/// The longest header before mask and payload: two bytes, and eight of length.
const HEADER_MAX: usize = 10;

/// The bytes of a socket, cut off at the first frame that announces more than `limit`.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    inner: S,
    inflow: Arc<Inflow>,
    limit: u64,
    place: Place,
    header: [u8; HEADER_MAX],
}

impl<S> Guarded<S> {
    /// Guards `inner`; `limit` bounds the payload of one frame, in bytes.
    pub(super) fn new(inner: S, inflow: Arc<Inflow>, limit: u64) -> Self {
        let (place, header) = (Place::Header(0), [0; HEADER_MAX]);
        Self { inner, inflow, limit, place, header }
    }

    /// Where it is when so many bytes of a payload are to come.
    fn after(&self, left: u64) -> Place {
        if left > 0 {
            return Place::Payload(left);
        }
        self.inflow.undecoded.fetch_add(1, Ordering::AcqRel);
        Place::Header(0)
    }

    /// Whether all frames that begin in `bytes` announce no more than they may.
    fn fits(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.place {
                Place::Payload(left) => {
                    let here = left.min(bytes.len() as u64);
                    let skip = usize::try_from(here).unwrap_or(bytes.len());
                    bytes = &bytes[skip..];
                    self.place = self.after(left - here);
                }
                Place::Header(read) => {
                    self.header[read] = bytes[0];
                    bytes = &bytes[1..];
                    self.place = Place::Header(read + 1);
                    if let Some(length) = announced(&self.header[..=read]) {
                        if length > self.limit {
                            return false;
                        }
                        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
                        self.place = self.after(length + mask);
                    }
                }
            }
        }
        true
    }
}

/// The payload's length, once the header is long enough to tell it (RFC 6455, section 5.2).
fn announced(header: &[u8]) -> Option<u64> {
    let short = u64::from(header.get(1)? & 0x7f);
    match short {
        126 => {
            let bytes = header.get(2..4)?;
            Some(u64::from(u16::from_be_bytes([bytes[0], bytes[1]])))
        }
        127 => {
            let bytes: [u8; 8] = header.get(2..10)?.try_into().ok()?;
            Some(u64::from_be_bytes(bytes))
        }
        length => Some(length),
    }
}

impl<S> Stream for Guarded<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.inflow.was_too_large() {
            return Poll::Ready(None);
        }
        // The codec takes all bytes that there are each time it is asked for one frame; a flood of
        // small ones would gather there. While it has a whole one it needs no more, and asks again
        // when it has handed that on, so nobody need wake it.
        if self.inflow.undecoded.load(Ordering::Acquire) > 0 {
            return Poll::Pending;
        }
        if self.inflow.is_full() {
            self.inflow.waker.register(context.waker());
            if self.inflow.is_full() {
                return Poll::Pending;
            }
        }
        // Bytes are fed in by the connection's own task, which asks for what is to be written, and
        // so polls this, right after it: were it woken as well, it would do both again for nothing.
        let mut unwoken = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.inner).poll_next(&mut unwoken) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.inflow.heard.store(true, Ordering::Release);
                if self.fits(&bytes) {
                    return Poll::Ready(Some(Ok(bytes)));
                }
                self.inflow.too_large.store(true, Ordering::Release);
                Poll::Ready(Some(Err(PayloadError::Overflow)))
            }
            // A connection that breaks: what came whole before is carried out as far as it can be.
            Poll::Ready(Some(Err(PayloadError::Incomplete(_)))) => Poll::Ready(None),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASKED: u8 = 0x80;

    fn frame(length: u64) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match length {
            0..126 => bytes.push(MASKED | u8::try_from(length).expect("short")),
            126..=0xffff => {
                bytes.push(MASKED | 0x7e);
                bytes.extend(u16::try_from(length).expect("two bytes").to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | 0x7f);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes
    }

    fn whole(length: u64) -> Vec<u8> {
        let mut bytes = frame(length);
        bytes.resize(bytes.len() + usize::try_from(length).expect("small"), 7);
        bytes
    }

    fn guard() -> Guarded<()> {
        Guarded::new((), Arc::default(), 65_536)
    }

    #[test]
    fn frames_within_the_bound_pass_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 3];
        let all: Vec<u8> = lengths.into_iter().flat_map(whole).collect();
        for size in [1, 2, 3, 7, 1_000, all.len()] {
            let mut guard = guard();
            assert!(all.chunks(size).all(|chunk| guard.fits(chunk)), "chunks of {size}");
            assert_eq!(guard.place, Place::Header(0));
        }
    }

    #[test]
    fn a_frame_is_refused_by_what_it_announces_alone() {
        for length in [65_537, 1 << 40, u64::MAX] {
            let mut guard = guard();
            assert!(guard.fits(&whole(5)));
            assert!(!guard.fits(&frame(length)), "{length}");
        }
    }

    #[test]
    fn a_connection_that_breaks_ends_after_what_came() {
        let came = Ok(Bytes::from_static(&[0x81, 0]));
        let stream = futures_util::stream::iter([came, Err(PayloadError::Incomplete(None))]);
        let inflow = Arc::new(Inflow::default());
        let mut guarded = Guarded::new(stream, Arc::clone(&inflow), 10);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut next = || Pin::new(&mut guarded).poll_next(&mut context);
        assert!(matches!(next(), Poll::Ready(Some(Ok(_)))));
        inflow.decoded();
        assert!(matches!(next(), Poll::Ready(None)), "no fault that would drop what came");
    }

    #[test]
    fn bytes_and_frames_that_wait_are_signs_of_life() {
        let inflow = Arc::new(Inflow::default());
        assert!(!inflow.was_heard());
        let stream = futures_util::stream::iter([Ok(Bytes::from_static(&[0x8a]))]);
        let mut guarded = Guarded::new(stream, Arc::clone(&inflow), 10);
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut guarded).poll_next(&mut context).is_ready());
        assert!(inflow.was_heard());
        assert!(!inflow.was_heard(), "each counts once");
        inflow.arrived();
        assert!(inflow.was_heard() && inflow.was_heard(), "it is our turn");
        inflow.handled();
        assert!(!inflow.was_heard());
    }

    #[test]
    fn bytes_are_held_back_while_the_codec_has_a_whole_frame() {
        let inflow = Arc::new(Inflow::default());
        let (two, half) = (Bytes::from([whole(3), whole(0)].concat()), Bytes::from(frame(3)));
        let rest = Bytes::from_static(&[7; 3]);
        let chunks = [two, half, rest.clone()].map(Ok::<_, PayloadError>);
        let mut guarded = Guarded::new(futures_util::stream::iter(chunks), inflow.clone(), 10);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut next = || Pin::new(&mut guarded).poll_next(&mut context);
        assert!(next().is_ready());
        assert!(next().is_pending(), "two frames");
        inflow.decoded();
        assert!(next().is_pending(), "one frame");
        inflow.decoded();
        assert!(next().is_ready());
        assert!(matches!(next(), Poll::Ready(Some(Ok(bytes))) if bytes == rest), "half a frame");
        assert!(next().is_pending());
    }

    #[test]
    fn the_socket_is_held_back_while_too_many_frames_wait() {
        let inflow = Arc::new(Inflow::default());
        let bytes = || Ok::<_, PayloadError>(Bytes::from_static(&[0x81, 0]));
        let stream = futures_util::stream::iter([bytes(), bytes()]);
        let mut guarded = Guarded::new(stream, Arc::clone(&inflow), 10);
        let mut context = Context::from_waker(std::task::Waker::noop());
        for _ in 0..MAX_WAITING_FRAMES {
            inflow.arrived();
        }
        assert!(Pin::new(&mut guarded).poll_next(&mut context).is_pending());
        inflow.handled();
        assert!(Pin::new(&mut guarded).poll_next(&mut context).is_ready());
    }
}
