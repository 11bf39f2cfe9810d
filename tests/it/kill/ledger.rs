//! What the server has acknowledged and shown, as its clients remember it. It lives in the test's
//! own memory, so no kill of the server touches it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// How long anything may take that is waited for.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Before something that was refused is tried again.
pub(super) const MOMENT: Duration = Duration::from_millis(30);

/// All that was promised in a test.
#[derive(Default)]
pub(super) struct Ledger {
    books: Mutex<Books>,
    /// Something was written down, or work is over.
    news: Condvar,
}

/// What it holds.
#[derive(Debug, Default, Clone)]
pub(super) struct Books {
    /// By callback's id.
    pub(super) promises: BTreeMap<String, Promise>,
    /// By idempotency key.
    pub(super) requests: BTreeMap<String, Request>,
    /// Writes acknowledged: HTTP requests and frames.
    pub(super) acknowledged: u64,
    /// Requests refused because the store couldn't be written.
    pub(super) refused: u64,
    /// Attempts so far, and those of them whose answers aren't written down yet.
    attempts: u64,
    under_way: BTreeSet<u64>,
    /// Nobody begins anything new.
    over: bool,
}

/// What was acknowledged and shown of one callback.
#[derive(Debug, Default, Clone)]
pub(super) struct Promise {
    pub(super) number: Option<String>,
    /// The newest that anybody was shown.
    pub(super) version: u64,
    pub(super) canceled: bool,
    /// Booked starts as they were acknowledged, each at its version.
    pub(super) starts: Vec<(u64, Value)>,
    pub(super) offers: Vec<Offer>,
    /// Agents' frames that were acknowledged.
    pub(super) acts: Vec<Act>,
}

/// An offer that an agent was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) id: String,
    pub(super) agent: String,
}

/// A frame that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) agent: String,
    /// The frame's type, and what it said of the call.
    pub(super) what: String,
    pub(super) offer: Option<String>,
}

/// One that is under way.
pub(super) struct Attempt<'a> {
    ledger: &'a Ledger,
    number: u64,
}

/// A POST under an idempotency key.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) credential: &'static str,
    pub(super) body: Value,
    /// None: it was sent, and nobody knows what became of it.
    pub(super) answer: Option<(u16, Value)>,
}

impl Ledger {
    /// It as it is now.
    pub(super) fn books(&self) -> Books {
        self.books.lock().expect("nobody panicked").clone()
    }

    fn write(&self, change: impl FnOnce(&mut Books)) {
        change(&mut self.books.lock().expect("nobody panicked"));
        self.news.notify_all();
    }

    /// Waits until it says so; panics when it doesn't for long.
    pub(super) fn wait_until(&self, what: &str, says: impl Fn(&Books) -> bool) {
        let books = self.books.lock().expect("nobody panicked");
        let waited = self.news.wait_timeout_while(books, PATIENCE, |books| !says(books));
        let ended = waited.expect("nobody panicked").1;
        assert!(!ended.timed_out(), "{what}: never");
    }

    /// Waits until work is over, but not for long: before something is tried again.
    pub(super) fn wait_a_moment(&self) {
        let books = self.books.lock().expect("nobody panicked");
        let waited = self.news.wait_timeout_while(books, MOMENT, |books| !books.over);
        drop(waited.expect("nobody panicked"));
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.books.lock().expect("nobody panicked").acknowledged
    }

    pub(super) fn is_over(&self) -> bool {
        self.books.lock().expect("nobody panicked").over
    }

    pub(super) fn set_over(&self, over: bool) {
        self.write(|books| books.over = over);
    }

    /// Nobody goes on; also after a panic of whoever wrote in it, where one more would end all
    /// tests.
    pub(super) fn end_in_panic(&self) {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.news.notify_all();
    }

    /// Something is about to be asked, which is under way until what is returned is dropped: once
    /// it is written down what came of it.
    pub(super) fn attempt(&self) -> Attempt<'_> {
        let mut number = 0;
        self.write(|books| {
            books.attempts += 1;
            number = books.attempts;
            books.under_way.insert(number);
        });
        Attempt { ledger: self, number }
    }

    /// Waits until what was asked before now is answered. What is acknowledged afterwards was asked
    /// later: an answer that was sent before may be read long after.
    pub(super) fn until_answered(&self) {
        let earlier = self.books().attempts;
        self.wait_until("what was asked is answered", |books| {
            books.under_way.first().is_none_or(|&first| first > earlier)
        });
    }

    /// A request is about to be sent.
    pub(super) fn sends(&self, key: &str, request: Request) {
        self.write(|books| {
            books.requests.insert(key.to_owned(), request);
        });
    }

    /// It was refused for want of a store, and will be sent again.
    pub(super) fn is_refused(&self) {
        self.write(|books| books.refused += 1);
    }

    /// Its answer came.
    pub(super) fn answered(&self, key: &str, status: u16, body: &Value) {
        let done = status < 300;
        self.write(|books| {
            let request = books.requests.get_mut(key).expect("it was sent");
            request.answer = Some((status, body.clone()));
            let cancels = request.path.ends_with("/cancel");
            if done {
                let promise = books.shown(body);
                promise.canceled |= cancels;
                let version = body["version"].as_u64().expect("a version");
                promise.starts.push((version, body["schedule"]["start"].clone()));
                books.acknowledged += 1;
            }
        });
    }

    /// An agent was shown a callback.
    pub(super) fn shown(&self, callback: &Value) {
        self.write(|books| {
            books.shown(callback);
        });
    }

    /// An agent was shown an offer.
    pub(super) fn offered(&self, agent: &str, offer: &Value, callback: &Value) {
        let id = text(offer);
        let offer = Offer { id, agent: agent.to_owned() };
        self.write(|books| {
            let offers = &mut books.shown(callback).offers;
            if !offers.contains(&offer) {
                offers.push(offer);
            }
        });
    }

    /// An agent's frame was acknowledged.
    pub(super) fn acted(&self, callback: &str, act: Act) {
        self.write(|books| {
            books.promises.entry(callback.to_owned()).or_default().acts.push(act);
            books.acknowledged += 1;
        });
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        // After a panic elsewhere nobody looks at it any more.
        if let Ok(mut books) = self.ledger.books.lock() {
            books.under_way.remove(&self.number);
        }
        self.ledger.news.notify_all();
    }
}

impl Books {
    fn shown(&mut self, callback: &Value) -> &mut Promise {
        let promise = self.promises.entry(text(&callback["id"])).or_default();
        let version = callback["version"].as_u64().expect("a version");
        promise.version = promise.version.max(version);
        promise.number.get_or_insert_with(|| text(&callback["number"]));
        promise
    }
}

/// A text of an answer.
#[track_caller]
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
