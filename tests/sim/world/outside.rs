//! What isn't the engine's, and lasts over its crashes: customers' mailboxes, the meetings that a
//! provider has, and what a webhook's receiver was sent.

use std::collections::{BTreeMap, BTreeSet};

use ringback::domain::dispatch::{Mail, MailKind};
use ringback::domain::ids::CallbackId;
use ringback::domain::time::Timestamp;
use ringback::domain::webhook::Stream;

use super::records::{PLACES, Records};

/// A mail, told from others: whose, of what kind, about which version.
pub(crate) type Mailed = (CallbackId, MailKind, u32);

/// The world.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// Mails that arrived.
    mails: BTreeSet<Mailed>,
    /// The meeting of each callback that has one, by its start.
    pub(super) meetings: BTreeMap<CallbackId, Timestamp>,
    /// Events that the receiver was sent.
    events: BTreeSet<u64>,
    /// The newest of each stream.
    last: BTreeMap<Stream, u64>,
}

impl Outside {
    /// A mail arrives.
    pub(super) fn mail(&mut self, callback: CallbackId, mail: &Mail) {
        self.mails.insert((callback, mail.kind, mail.sequence));
    }

    pub(crate) fn has_mail(&self, mail: &Mailed) -> bool {
        self.mails.contains(mail)
    }

    /// An event arrives; says what is wrong with it.
    pub(super) fn event(&mut self, event: u64, stream: &Stream) -> Option<String> {
        let last = self.last.entry(stream.clone()).or_default();
        let late = self.events.insert(event) && event < *last;
        *last = event.max(*last);
        late.then(|| format!("event {event} arrived after a later one of {stream:?}"))
    }

    pub(super) fn has_event(&self, event: u64) -> bool {
        self.events.contains(&event)
    }

    /// What was told of, and isn't in the store after a crash.
    pub(super) fn lies(&self, durable: usize, records: &Records) -> Vec<String> {
        let version = |id| records.callbacks.get(id).map_or(0, |callback| callback.version);
        let false_mails = self.mails.iter().filter(|(id, _, told)| version(id) < u64::from(*told));
        let mut found: Vec<String> =
            false_mails.map(|mail| format!("{mail:?} tells of what was lost")).collect();
        let newest = self.events.last().copied().unwrap_or(0);
        if newest / PLACES > durable as u64 {
            found.push(format!("event {newest} was sent, and lost"));
        }
        found
    }
}
