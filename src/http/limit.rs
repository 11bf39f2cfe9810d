//! Who asks too often: guesses of credentials and use of keys that stand in pages, by address, and
//! requests for callbacks, by phone number.
//!
//! Counted in whole windows that begin with the first of their requests, in memory, with a bound
//! on how many addresses are remembered: beyond it some are forgotten, so that a flood of addresses
//! costs neither memory nor time.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::domain::key::PublicUse;
use crate::domain::phone::PhoneNumber;
use crate::domain::time::{Span, Timestamp};
use crate::wire::problem::{Kind, Problem};

/// For each different wrong credential that an address may send in a minute, so many in all:
/// whoever guesses sends ever new ones, whoever has lost track of a key sends the same.
const FAILURES_PER_GUESS: u32 = 2;

/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 20_000;

/// Phone numbers that are remembered: a minute's at the rate that the server is built for.
const PHONES_MAX: usize = 120_000;

/// A count of what each key did in its window.
///
/// Of keys there are a minute's many, so each is a hash here, from a random seed: two that share
/// one share a count, which one pair in 2^64 does.
struct Windows {
    length: Span,
    /// Keys that are remembered.
    most_keys: usize,
    state: Mutex<State>,
    /// Something is remembered where nothing was.
    begun: Notify,
    hashes: RandomState,
}

struct State {
    counts: BTreeMap<u64, Window>,
    /// When something was counted last, by both clocks.
    latest: (u32, Instant),
    /// When windows that have ended were dropped last: once a window is often enough.
    swept_at: u32,
}

/// What one key did.
struct Window {
    /// In seconds, as all times here: a number is remembered in 16 bytes, or twice that.
    began: u32,
    count: u32,
}

impl Windows {
    fn new(length: Span, most_keys: usize) -> Self {
        let state = State { counts: BTreeMap::new(), latest: (0, Instant::now()), swept_at: 0 };
        Self {
            length,
            most_keys,
            state: Mutex::new(state),
            begun: Notify::new(),
            hashes: RandomState::default(),
        }
    }

    /// Counts one more, unless that were more than `most`: then says in how many seconds the window
    /// ends. Who is refused isn't counted, so that what is taken back was there before.
    fn count(&self, key: impl Hash, most: u32, now: Timestamp) -> Result<(), u32> {
        let (key, now, length) = (self.hashes.hash_one(key), seconds(now), self.length_seconds());
        let mut state = self.lock();
        let State { counts, latest, swept_at } = &mut *state;
        *latest = (now, Instant::now());
        if counts.is_empty() {
            self.begun.notify_one();
        }
        // A clock that was set back must not keep anybody out for longer than a window.
        let has_ended = |began: u32| now < began || now - began >= length;
        if counts.len() >= self.most_keys && !counts.contains_key(&key) {
            if has_ended(*swept_at) {
                *swept_at = now;
                counts.retain(|_, window| !has_ended(window.began));
            }
            if counts.len() >= self.most_keys {
                counts.pop_first();
            }
        }
        let window = counts.entry(key).or_insert(Window { began: now, count: 0 });
        if has_ended(window.began) {
            *window = Window { began: now, count: 0 };
        }
        if window.count < most {
            window.count += 1;
            return Ok(());
        }
        Err(window.began + length - now)
    }

    /// Takes back one that was counted at `then` and turned out not to count, unless its window is
    /// over.
    fn uncount(&self, key: impl Hash, then: Timestamp) {
        let key = self.hashes.hash_one(key);
        if let Some(window) = self.lock().counts.get_mut(&key)
            && window.began <= seconds(then)
        {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// Forgets windows that have ended, for as long as it is awaited: after a burst they take
    /// megabytes, and nobody may ask again who would have them dropped.
    async fn forget(&self) {
        let length = Duration::from_secs(self.length_seconds().into());
        loop {
            self.begun.notified().await;
            while let Some((latest, at)) = self.latest() {
                sleep_until(at + length).await;
                let mut state = self.lock();
                if state.latest.1 == at {
                    // Nothing came since, so everything has ended, also where the clock went back.
                    state.counts.clear();
                } else {
                    state.counts.retain(|_, window| window.began > latest);
                }
            }
        }
    }

    /// When something was counted last; none if nothing is remembered.
    fn latest(&self) -> Option<(u32, Instant)> {
        let state = self.lock();
        (!state.counts.is_empty()).then_some(state.latest)
    }

    fn length_seconds(&self) -> u32 {
        self.length.whole_seconds().try_into().expect("a window is minutes")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panicking thread left behind is still a count.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970, until 2106.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.since(Timestamp(0)).whole_seconds()).unwrap_or_default()
}

fn refused(seconds: u32) -> Problem {
    let detail = format!("Too many requests of this kind; wait {seconds} s.");
    Problem::new(Kind::RateLimited, detail).retry_after(seconds)
}

/// An address as it is counted: all of an IPv6 network's, since one customer has many.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or_else(
            || IpAddr::V6((u128::from(six) & !u128::from(u64::MAX)).into()),
            IpAddr::V4,
        ),
    }
}

/// Wrong credentials, by address.
pub(super) struct Attempts {
    /// Different ones that an address may send in a minute.
    most: u32,
    failures: Windows,
    guesses: Windows,
    /// Which credentials an address sent, by a digest.
    sent: Windows,
}

impl Attempts {
    /// Of which an address may send `most` different ones in a minute.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            failures: Windows::new(Span::minutes(1), ADDRESSES_MAX),
            guesses: Windows::new(Span::minutes(1), ADDRESSES_MAX),
            sent: Windows::new(Span::minutes(1), ADDRESSES_MAX),
        }
    }

    /// Counts a wrong credential. Right ones are let in whatever else came from their address:
    /// behind a proxy all customers share one.
    pub(super) fn count(
        &self,
        address: Option<IpAddr>,
        credential: &[u8],
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(address) = address.map(network) else { return Ok(()) };
        let in_all = self.most.saturating_mul(FAILURES_PER_GUESS);
        self.failures.count(address, in_all, now).map_err(refused)?;
        let digest: [u8; 32] = Sha256::digest(credential).into();
        if self.sent.count((address, digest), 1, now).is_err() {
            return Ok(());
        }
        self.guesses.count(address, self.most, now).map_err(refused)
    }
}

/// Requests and callbacks with keys that stand in pages, by key and address.
pub(super) struct PublicUses {
    requests: Windows,
    callbacks: Windows,
}

impl Default for PublicUses {
    fn default() -> Self {
        Self {
            requests: Windows::new(Span::minutes(1), ADDRESSES_MAX),
            callbacks: Windows::new(Span::minutes(60), ADDRESSES_MAX),
        }
    }
}

impl PublicUses {
    /// Counts a request.
    pub(super) fn request(
        &self,
        key: [u8; 32],
        address: Option<IpAddr>,
        allowed: &PublicUse,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(address) = address else { return Ok(()) };
        let most = allowed.requests_per_minute;
        self.requests.count((key, network(address)), most, now).map_err(refused)
    }

    /// Counts a request for a callback.
    pub(super) fn callback(
        &self,
        key: [u8; 32],
        address: Option<IpAddr>,
        allowed: &PublicUse,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(address) = address else { return Ok(()) };
        let most = allowed.callbacks_per_hour;
        self.callbacks.count((key, network(address)), most, now).map_err(refused)
    }

    /// Takes back a request for a callback, counted at `then`, of which nothing came.
    pub(super) fn uncount_callback(&self, key: [u8; 32], address: Option<IpAddr>, then: Timestamp) {
        if let Some(address) = address {
            self.callbacks.uncount((key, network(address)), then);
        }
    }
}

/// Requests for callbacks, by workspace and phone number.
pub(super) struct PhoneRequests(Windows);

impl Default for PhoneRequests {
    fn default() -> Self {
        Self(Windows::new(Span::minutes(1), PHONES_MAX))
    }
}

impl PhoneRequests {
    /// Counts a request.
    pub(super) fn count(
        &self,
        workspace: usize,
        phone: PhoneNumber,
        most: u32,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.0.count((workspace, phone), most, now).map_err(refused)
    }

    /// Forgets numbers whose minute is over, for as long as it is awaited.
    pub(super) async fn forget(&self) {
        self.0.forget().await;
    }

    /// Takes back a request, counted at `then`, of which nothing came.
    pub(super) fn uncount(&self, workspace: usize, phone: PhoneNumber, then: Timestamp) {
        self.0.uncount((workspace, phone), then);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_may_guess_so_often_and_again_after_a_minute() {
        let attempts = Attempts::new(30);
        let (begin, here) = (Timestamp(1_000_000), Some(address("192.0.2.1")));
        for guess in 0..30_u32 {
            attempts.count(here, &guess.to_be_bytes(), begin).expect("within the limit");
        }
        let later = begin + Span::seconds(59);
        let refused = attempts.count(here, b"one more", later).expect_err("beyond the limit");
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.retry_after_seconds, Some(1));
        attempts.count(Some(address("192.0.2.2")), b"x", later).expect("another address");
        attempts.count(here, b"x", begin + Span::seconds(60)).expect("a new window");
    }

    #[test]
    fn who_sends_the_same_wrong_key_is_not_guessing_but_is_bounded_too() {
        let attempts = Attempts::new(30);
        let (now, here) = (Timestamp(1_000_000), Some(address("192.0.2.1")));
        for _ in 0..30 * FAILURES_PER_GUESS {
            attempts.count(here, b"an old key", now).expect("no guess");
        }
        assert_eq!(attempts.count(here, b"an old key", now).expect_err("too many").status(), 429);
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out() {
        let windows = Windows::new(Span::minutes(1), 100);
        assert_eq!(windows.count(1, 1, Timestamp(10_000_000)), Ok(()));
        assert_eq!(windows.count(1, 1, Timestamp(10_000_001)), Err(60));
        assert_eq!(windows.count(1, 1, Timestamp(5_000_000)), Ok(()));
    }

    #[test]
    fn a_repetition_does_not_count() {
        let (phones, now) = (PhoneRequests::default(), Timestamp(1_000_000));
        let phone = PhoneNumber::from_e164("+4930123456").expect("a number");
        for _ in 0..100 {
            phones.count(0, phone, 2, now).expect("each was taken back");
            phones.uncount(0, phone, now);
        }
        phones.count(0, phone, 2, now).expect("the first");
        phones.count(0, phone, 2, now).expect("the second");
        assert_eq!(phones.count(0, phone, 2, now).expect_err("the third").status(), 429);
        phones.count(1, phone, 2, now).expect("another workspace");
        // Nor does one that comes while the first is under way, and is refused.
        phones.uncount(0, phone, now);
        phones.count(0, phone, 2, now).expect("in place of what was taken back");
        let next = now + Span::minutes(1);
        phones.count(0, phone, 1, next).expect("a new window");
        phones.uncount(0, phone, now);
        phones.count(0, phone, 1, next).expect_err("what is taken back was of the window before");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_is_forgotten_though_nobody_asks() {
        let windows = Windows::new(Span::minutes(1), 100);
        let half = Duration::from_secs(31);
        let counts = async {
            for begin in [0, 300_000] {
                assert_eq!(windows.count("early", 1, Timestamp(begin)), Ok(()));
                tokio::task::yield_now().await;
                tokio::time::advance(half).await;
                assert_eq!(windows.count("late", 1, Timestamp(begin + 31_000)), Ok(()));
                tokio::time::advance(half).await;
                tokio::task::yield_now().await;
                assert_eq!(windows.lock().counts.len(), 1, "the early one has ended");
                tokio::time::advance(half).await;
                tokio::task::yield_now().await;
                assert_eq!(windows.latest(), None);
            }
        };
        tokio::select! {
            () = windows.forget() => unreachable!("it never ends"),
            () = counts => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_keeps_nothing_in_memory() {
        let windows = Windows::new(Span::minutes(1), 100);
        let counts = async {
            assert_eq!(windows.count("before", 1, Timestamp(1_000_000)), Ok(()));
            tokio::task::yield_now().await;
            assert_eq!(windows.count("after", 1, Timestamp(0)), Ok(()));
            for _ in 0..2 {
                tokio::time::advance(Duration::from_secs(61)).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(windows.latest(), None);
        };
        tokio::select! {
            () = windows.forget() => unreachable!("it never ends"),
            () = counts => {}
        }
    }

    #[test]
    fn addresses_of_one_network_count_together_and_memory_is_bounded() {
        assert_eq!(network(address("2001:db8:1:2::1")), network(address("2001:db8:1:2:ffff::2")));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        let windows = Windows::new(Span::minutes(1), 100);
        for key in 0..110_u8 {
            let now = Timestamp(i64::from(key));
            assert_eq!(windows.count(key, 1, now), Ok(()));
        }
        assert_eq!(windows.lock().counts.len(), 100);
    }
}
