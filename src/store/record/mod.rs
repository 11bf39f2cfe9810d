//! Records: a version, then the fields.
//!
//! Each kind of record has a layout of its own with a number, which stands in front. A layout is
//! written out field by field and tag by tag in `values`, so no domain type says how it is stored,
//! and a field added there doesn't compile until it is named here: which makes another layout, with
//! the next number, beside which the old one is still read. Damaged bytes are told with table and
//! key, and never panic.

mod codec;
mod key;
mod measure;
mod older;
mod outward;
#[cfg(test)]
mod tests;
mod values;
mod webhook;

use std::sync::Arc;

#[cfg(test)]
use bytes::Bytes;

pub(crate) use self::codec::{Broken, Reader, Stored, put_varint};
pub(crate) use self::measure::{measured_of, put_tally};
use crate::domain::agent::Agent;
use crate::domain::callback::{Callback, Interaction, Request};
use crate::domain::denied::Denied;
use crate::domain::dispatch::{Failure, Item};
use crate::domain::event::Event;
use crate::domain::key::ApiKey;
use crate::domain::measure::{AgentTally, Intake, Line, Work};
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Progress, Webhook};
use crate::engine::entry::{Kept, KeptAnswer};
use crate::engine::ports::{RowKey, StoreError};

/// A value that is a row's whole value.
pub(crate) trait Record: Stored {
    /// The layout's number; raised with each change of any field.
    const VERSION: u8;

    /// What reading alone doesn't show: whether the fields fit one another.
    fn check(&self) -> Result<(), Broken> {
        Ok(())
    }

    /// Reads the fields in a layout, be it that of an earlier release.
    fn take_layout(layout: u8, from: &mut Reader<'_>) -> Result<Self, Broken> {
        if layout == Self::VERSION {
            return Self::take(from);
        }
        let ours = Self::VERSION;
        Err(Broken(format!("layout {layout}; this release knows {ours}")))
    }

    /// Appends the row's value.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::VERSION);
        self.put(out);
    }

    /// The row's value, by itself.
    #[cfg(test)]
    fn to_row(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }

    /// The record of a row.
    fn from_row(key: &RowKey, value: &[u8]) -> Result<Self, StoreError> {
        let read = || {
            let mut reader = Reader(value);
            let layout = reader.byte()?;
            let record = Self::take_layout(layout, &mut reader)?;
            record.check()?;
            if reader.0.is_empty() {
                Ok(record)
            } else {
                Err(Broken(format!("{} bytes too many", reader.0.len())))
            }
        };
        read().map_err(|broken| damaged(key, broken.0))
    }
}

/// A row that can't be what was written.
pub(crate) fn damaged(key: &RowKey, what: String) -> StoreError {
    StoreError::Damaged { place: format!("{}/{}", key.table.name, hex(&key.key)), what }
}

/// An event's row; its id is the key.
#[derive(Debug, PartialEq)]
pub(crate) struct EventRecord {
    /// When it happened, by the wall clock.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) event: Event,
}

impl EventRecord {
    /// Appends an event's row, of which the event isn't a part.
    pub(crate) fn put_parts(at: Timestamp, event: &Event, out: &mut Vec<u8>) {
        out.push(Self::VERSION);
        at.put(out);
        event.put(out);
    }
}

impl Record for Arc<Callback> {
    const VERSION: u8 = 1;

    fn check(&self) -> Result<(), Broken> {
        check_callback(self)
    }
}

/// Records in their first layout, with nothing to check beyond their fields.
macro_rules! first_layout {
    ($($record:ty),+ $(,)?) => {
        $(impl Record for $record {
            const VERSION: u8 = 1;
        })+
    };
}

first_layout!(
    Arc<Request>,
    Box<Interaction>,
    Arc<Queue>,
    Arc<ApiKey>,
    Arc<Webhook>,
    Arc<Progress>,
    Box<Item>,
    Box<Failure>,
    EventRecord,
    Intake,
    Box<Work>,
    Box<AgentTally>,
    Line,
);

/// Records in their second layout; the first is still read.
macro_rules! second_layout {
    ($($record:ty, $first:expr);+ $(;)?) => {
        $(impl Record for $record {
            const VERSION: u8 = 2;

            fn take_layout(layout: u8, from: &mut Reader<'_>) -> Result<Self, Broken> {
                match layout {
                    1 => $first(from),
                    2 => Self::take(from),
                    _ => Err(Broken(format!("layout {layout}; this release knows 1 and 2"))),
                }
            }
        })+
    };
}

second_layout! {
    Arc<Agent>, older::agent_1;
    Arc<Denied>, older::denied_1;
}

impl Record for Kept {
    const VERSION: u8 = 1;

    fn check(&self) -> Result<(), Broken> {
        match &self.answer {
            KeptAnswer::Callback { callback, .. } => check_callback(callback),
            KeptAnswer::Queue(_) | KeptAnswer::Failure(_) | KeptAnswer::Served { .. } => Ok(()),
        }
    }
}

fn check_callback(callback: &Callback) -> Result<(), Broken> {
    let counted = callback.interactions >= u32::from(callback.interaction().is_some());
    counted.then_some(()).ok_or_else(|| Broken("an interaction that isn't counted".to_owned()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}
