//! What one webhook has still to send: which event next, and what becomes of one that failed.
//!
//! Pure: time, dice and outcomes come in as arguments. Events of one callback (or agent, or queue)
//! are sent one after the other, and one that fails holds up those behind it and nobody else's.
//! When nothing arrives any more, whoever's it is, all are held up and one is tried now and then,
//! so that a receiver that is down costs one connection and its events wait unread.

use std::collections::{BTreeMap, BTreeSet};

use super::{GivenUp, OpenEvent, Progress, Stream};
use crate::domain::back_off::Schedule;
use crate::domain::dispatch::Outcome;
use crate::domain::time::{Span, Timestamp};

/// Events read at once.
pub const READ_AT_ONCE: usize = 256;

/// When attempts for so many different callbacks failed with no success in between, the receiver
/// itself is what fails.
const FAILING_STREAMS: usize = 5;

/// The waits between two attempts at a receiver that fails, doubling from the first to the last.
const PROBES: (Span, Span) = (Span::seconds(5), Span::minutes(5));

/// What bounds it.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events read and not yet settled.
    pub waiting: usize,
    /// Attempts under way at once.
    pub concurrency: usize,
    /// When what failed is tried again.
    pub schedule: Schedule,
}

/// What becomes of an event after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Delivered.
    Done,
    /// It is tried again.
    Held,
    /// It isn't.
    GivenUp(GivenUp),
    /// The receiver wants nothing any more.
    Refused(String),
}

/// How one webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookStanding {
    /// Events read and not yet settled.
    pub waiting: usize,
    /// For how long the oldest of them has been.
    pub oldest: Span,
    /// Nothing arrives there: it is only tried now and then.
    pub failing: bool,
}

/// What one webhook has still to send.
#[derive(Debug)]
pub struct Outgoing {
    /// Without `open`, which is below.
    head: Progress,
    open: BTreeMap<u64, OpenEvent>,
    streams: BTreeMap<Stream, BTreeSet<u64>>,
    under_way: BTreeSet<u64>,
    /// Whose attempts failed since the last success.
    failed_streams: BTreeSet<Stream>,
    /// Attempts that failed while the receiver as a whole did.
    probes: u32,
    /// Nothing is sent before: the receiver fails, or asked for it.
    quiet_until: Timestamp,
    bounds: Bounds,
    unsaved: bool,
}

impl Outgoing {
    /// Goes on from where it was written down.
    pub fn new(mut progress: Progress, bounds: Bounds) -> Self {
        let open = std::mem::take(&mut progress.open);
        let mut streams: BTreeMap<Stream, BTreeSet<u64>> = BTreeMap::new();
        for one in &open {
            streams.entry(one.stream.clone()).or_default().insert(one.event);
        }
        Self {
            head: progress,
            open: open.into_iter().map(|one| (one.event, one)).collect(),
            streams,
            under_way: BTreeSet::new(),
            failed_streams: BTreeSet::new(),
            probes: 0,
            quiet_until: Timestamp(i64::MIN),
            bounds,
            unsaved: false,
        }
    }

    /// Every event up to this one was read.
    pub fn read_to(&self) -> u64 {
        self.head.read_to
    }

    /// How many events to read now: none while there is enough to do, or no room.
    pub fn room(&self, now: Timestamp) -> usize {
        let ready = self.heads(now).take(self.bounds.concurrency).count();
        if self.is_failing() || ready == self.bounds.concurrency {
            return 0;
        }
        self.bounds.waiting.saturating_sub(self.open.len()).min(READ_AT_ONCE)
    }

    /// An event was read; `stream` where it is wanted.
    pub fn read(&mut self, event: u64, stream: Option<Stream>, now: Timestamp) {
        assert!(event > self.head.read_to, "events are read in order, each once");
        self.head.read_to = event;
        self.unsaved = true;
        if let Some(stream) = stream {
            self.streams.entry(stream.clone()).or_default().insert(event);
            let one = OpenEvent { event, stream, failed: 0, since: now, next_at: now };
            self.open.insert(event, one);
        }
    }

    /// An event that was given up is to be sent again.
    pub fn read_again(&mut self, event: u64, stream: Stream, now: Timestamp) {
        self.unsaved = true;
        self.streams.entry(stream.clone()).or_default().insert(event);
        let one = OpenEvent { event, stream, failed: 0, since: now, next_at: now };
        self.open.entry(event).or_insert(one);
    }

    /// The next event to be sent now; an attempt at it is under way from here on.
    pub fn start(&mut self, now: Timestamp) -> Option<u64> {
        let most = if self.is_failing() { 1 } else { self.bounds.concurrency };
        if self.under_way.len() >= most || now < self.quiet_until {
            return None;
        }
        let probing = self.is_failing();
        let first = if probing { Timestamp::NEVER } else { now };
        let event = self.heads(first).min()?;
        self.under_way.insert(event);
        Some(event)
    }

    /// Events that may be sent: the first of each stream, where it is due and not under way.
    fn heads(&self, now: Timestamp) -> impl Iterator<Item = u64> {
        self.streams.values().filter_map(move |events| {
            let first = *events.first()?;
            let due = self.open.get(&first).is_some_and(|one| one.next_at <= now);
            // Few are under way; one that is may have been passed by an older one that is sent
            // again.
            let busy = || self.under_way.iter().any(|event| events.contains(event));
            (due && !busy()).then_some(first)
        })
    }

    /// When [`Self::start`] may have another one, if nothing else happens.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let most = if self.is_failing() { 1 } else { self.bounds.concurrency };
        if self.under_way.len() >= most {
            return None;
        }
        let waiting = self.heads(Timestamp::NEVER);
        let next = waiting.filter_map(|event| Some(self.open.get(&event)?.next_at)).min()?;
        let next = if self.is_failing() { self.quiet_until } else { next };
        Some(next.max(self.quiet_until))
    }

    /// An attempt is over.
    pub fn settle(&mut self, event: u64, outcome: Outcome, now: Timestamp, dice: u64) -> Settled {
        self.under_way.remove(&event);
        self.unsaved = true;
        match outcome {
            Outcome::Delivered(()) => {
                self.remove(event);
                self.head.delivered_at = Some(now);
                self.arrives(now);
                Settled::Done
            }
            Outcome::Later { reason, retry_after } => {
                self.head.failed = Some((now, reason.clone()));
                self.fail(event, reason, retry_after, now, dice)
            }
            Outcome::GivenUp { reason } => {
                self.head.failed = Some((now, reason.clone()));
                Settled::Refused(reason)
            }
        }
    }

    /// An attempt couldn't be made, for a reason of our own.
    pub fn postpone(&mut self, event: u64, until: Timestamp) {
        self.under_way.remove(&event);
        if let Some(one) = self.open.get_mut(&event) {
            one.next_at = until;
        }
    }

    /// An event isn't there any more.
    pub fn drop_event(&mut self, event: u64) {
        self.under_way.remove(&event);
        self.unsaved = true;
        self.remove(event);
    }

    fn fail(
        &mut self,
        event: u64,
        reason: String,
        retry_after: Option<Span>,
        now: Timestamp,
        dice: u64,
    ) -> Settled {
        let schedule = self.bounds.schedule;
        if let Some(asked) = retry_after {
            let asked = asked.min(schedule.give_up_after());
            self.quiet_until = self.quiet_until.max(now + asked);
        }
        let Some(one) = self.open.get_mut(&event) else { return Settled::Held };
        one.failed = one.failed.saturating_add(1);
        let wait = schedule.wait(one.failed, now.since(one.since), retry_after, dice);
        self.failed_streams.insert(one.stream.clone());
        if let Some(wait) = wait {
            one.next_at = now + wait;
        }
        if self.is_failing() {
            let (first, last) = PROBES;
            let wait = Span(first.0 << self.probes.min(16)).min(last);
            self.probes += 1;
            self.quiet_until = self.quiet_until.max(now + schedule.scaled(wait));
        }
        match wait {
            Some(_) => Settled::Held,
            None => match self.remove(event) {
                Some(event) => Settled::GivenUp(GivenUp { event, at: now, reason }),
                None => Settled::Held,
            },
        }
    }

    /// Something arrived: what was held up because nothing did is due.
    fn arrives(&mut self, now: Timestamp) {
        if self.is_failing() {
            self.quiet_until = now;
            for one in self.open.values_mut() {
                one.next_at = one.next_at.min(now);
            }
        }
        self.probes = 0;
        self.failed_streams.clear();
    }

    fn remove(&mut self, event: u64) -> Option<OpenEvent> {
        let one = self.open.remove(&event)?;
        if let Some(events) = self.streams.get_mut(&one.stream) {
            events.remove(&event);
            if events.is_empty() {
                self.streams.remove(&one.stream);
            }
        }
        Some(one)
    }

    /// Nothing arrives, whoever's it is.
    pub fn is_failing(&self) -> bool {
        self.failed_streams.len() >= FAILING_STREAMS
    }

    /// How it stands.
    pub fn standing(&self, now: Timestamp) -> WebhookStanding {
        let oldest = self.open.values().map(|one| one.since).min();
        WebhookStanding {
            waiting: self.open.len(),
            oldest: oldest.map_or(Span::ZERO, |since| now.since(since).max(Span::ZERO)),
            failing: self.is_failing(),
        }
    }

    /// Whether it has come further since it was written down.
    pub fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    /// How far it has come, to be written down.
    pub fn take_unsaved(&mut self) -> Progress {
        self.unsaved = false;
        Progress { open: self.open.values().cloned().collect(), ..self.head.clone() }
    }

    /// It couldn't be written down.
    pub fn not_saved(&mut self) {
        self.unsaved = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::back_off::WEBHOOKS;
    use crate::domain::ids::{CallbackId, WebhookId};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn after(seconds: u32) -> Timestamp {
        NOW + Span::seconds(seconds)
    }

    fn stream(callback: u128) -> Stream {
        Stream::Callback(CallbackId(callback))
    }

    fn bounds() -> Bounds {
        Bounds { waiting: 20, concurrency: 3, schedule: WEBHOOKS }
    }

    fn outgoing() -> Outgoing {
        let id = WebhookId::parse("crm").expect("a slug");
        Outgoing::new(Progress::beginning(id, 100), bounds())
    }

    /// Events of these callbacks, from id 101 on.
    fn with(callbacks: &[u128]) -> Outgoing {
        let mut out = outgoing();
        for (event, callback) in (101..).zip(callbacks) {
            out.read(event, Some(stream(*callback)), NOW);
        }
        out
    }

    fn started(out: &mut Outgoing, now: Timestamp) -> Vec<u64> {
        std::iter::from_fn(|| out.start(now)).collect()
    }

    fn delivered(out: &mut Outgoing, event: u64, now: Timestamp) {
        assert_eq!(out.settle(event, Outcome::Delivered(()), now, 0), Settled::Done);
    }

    fn failed(out: &mut Outgoing, event: u64, now: Timestamp) -> Settled {
        out.settle(event, Outcome::later("answered 500"), now, 0)
    }

    #[test]
    fn events_of_one_callback_go_one_after_the_other_and_others_beside_them() {
        let mut out = with(&[1, 1, 2, 1, 3, 4]);
        assert_eq!(started(&mut out, NOW), [101, 103, 105], "three at once, none of one callback");
        delivered(&mut out, 103, NOW);
        assert_eq!(started(&mut out, NOW), [106]);
        delivered(&mut out, 101, NOW);
        assert_eq!(started(&mut out, NOW), [102]);
        delivered(&mut out, 102, NOW);
        assert_eq!(started(&mut out, NOW), [104]);
    }

    #[test]
    fn one_that_fails_holds_up_its_callback_and_nobody_else() {
        let mut out = with(&[1, 1, 2]);
        assert_eq!(started(&mut out, NOW), [101, 103]);
        assert_eq!(failed(&mut out, 101, NOW), Settled::Held);
        delivered(&mut out, 103, NOW);
        out.read(104, Some(stream(2)), NOW);
        assert_eq!(started(&mut out, NOW), [104]);
        delivered(&mut out, 104, NOW);
        assert_eq!(out.wakes_at(), Some(after(5)));
        assert_eq!(started(&mut out, after(4)), [0; 0]);
        assert_eq!(started(&mut out, after(5)), [101]);
        delivered(&mut out, 101, after(5));
        assert_eq!(started(&mut out, after(5)), [102]);
        assert_eq!(out.wakes_at(), None);
    }

    #[test]
    fn what_is_not_wanted_is_passed_over() {
        let mut out = outgoing();
        out.read(105, None, NOW);
        assert_eq!((out.read_to(), out.start(NOW), out.is_unsaved()), (105, None, true));
        assert_eq!(out.take_unsaved().read_to, 105);
        assert!(!out.is_unsaved());
    }

    #[test]
    fn a_callback_is_given_up_a_day_after_its_first_failure_and_those_behind_it_are_tried() {
        let mut out = with(&[1, 1]);
        let mut now = NOW;
        let mut attempts = 0;
        let GivenUp { event, at, reason } = loop {
            assert_eq!(out.start(now), Some(101));
            attempts += 1;
            match failed(&mut out, 101, now) {
                Settled::Held => now = out.wakes_at().expect("it is tried again"),
                Settled::GivenUp(given_up) => break given_up,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((attempts, at, event.failed), (8, NOW + Span::days(1), 8));
        assert_eq!(reason, "answered 500");
        assert_eq!(out.start(now), Some(102), "it has had its day too, but no attempt yet");
        assert!(matches!(failed(&mut out, 102, now), Settled::GivenUp(..)));
        assert!(out.take_unsaved().open.is_empty());
    }

    #[test]
    fn a_receiver_that_is_down_is_tried_now_and_then_and_then_gets_all() {
        let mut out = with(&[1, 2, 3, 4, 5, 6, 7]);
        let mut tried = 0;
        while !out.is_failing() {
            let event = out.start(NOW).expect("each is tried once");
            failed(&mut out, event, NOW);
            tried += 1;
        }
        assert_eq!((tried, out.room(NOW)), (5, 0));
        for (wait, at) in [(5, 5), (10, 15), (20, 35), (40, 75), (80, 155), (160, 315), (300, 615)]
        {
            assert_eq!(out.wakes_at(), Some(after(at)), "{wait}");
            assert_eq!(out.start(after(at - 1)), None);
            assert_eq!(out.start(after(at)), Some(101), "the oldest");
            assert_eq!(out.start(after(at)), None, "one at once");
            assert_eq!(failed(&mut out, 101, after(at)), Settled::Held);
        }
        let back = out.wakes_at().expect("it is tried again");
        assert_eq!(out.start(back), Some(101));
        delivered(&mut out, 101, back);
        assert!(!out.is_failing());
        assert_eq!(started(&mut out, back), [102, 103, 104], "whatever their own waits were");
    }

    #[test]
    fn a_receiver_that_asks_for_quiet_gets_it() {
        let mut out = with(&[1, 2]);
        assert_eq!(out.start(NOW), Some(101));
        let asked = Some(Span::seconds(90));
        let later = Outcome::Later { reason: "answered 429".to_owned(), retry_after: asked };
        assert_eq!(out.settle(101, later, NOW, 0), Settled::Held);
        assert_eq!((out.start(after(89)), out.wakes_at()), (None, Some(after(90))));
        assert_eq!(started(&mut out, after(90)), [101, 102]);
    }

    #[test]
    fn it_goes_on_from_where_it_was_written_down() {
        let mut out = with(&[1, 1, 2, 3]);
        assert_eq!(started(&mut out, NOW), [101, 103, 104]);
        failed(&mut out, 101, NOW);
        delivered(&mut out, 103, NOW);
        let saved = out.take_unsaved();
        let open: Vec<u64> = saved.open.iter().map(|one| one.event).collect();
        assert_eq!((saved.read_to, open), (104, vec![101, 102, 104]), "104 may have arrived");
        let mut again = Outgoing::new(saved, bounds());
        assert_eq!(started(&mut again, NOW), [104]);
        assert_eq!(started(&mut again, after(5)), [101]);
    }

    #[test]
    fn what_was_given_up_can_be_sent_again() {
        let mut out = with(&[1, 2]);
        assert_eq!(started(&mut out, NOW), [101, 102]);
        out.read_again(50, stream(1), NOW);
        out.read_again(101, stream(1), NOW);
        assert_eq!(out.start(NOW), None, "101 is under way");
        assert_eq!(out.take_unsaved().open.len(), 3);
        delivered(&mut out, 101, NOW);
        assert_eq!(out.start(NOW), Some(50));
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let mut out = outgoing();
        assert_eq!(out.room(NOW), 20);
        for event in 101..=118 {
            out.read(event, Some(stream(1)), NOW);
        }
        assert_eq!(out.room(NOW), 2);
        out.read(119, Some(stream(2)), NOW);
        out.read(120, Some(stream(3)), NOW);
        assert_eq!(out.room(NOW), 0);
    }

    #[test]
    fn what_the_receiver_refuses_for_good_is_told() {
        let mut out = with(&[1]);
        assert_eq!(out.start(NOW), Some(101));
        let gone = out.settle(101, Outcome::given_up("answered 410"), NOW, 0);
        assert_eq!(gone, Settled::Refused("answered 410".to_owned()));
    }
}
