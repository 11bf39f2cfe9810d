//! Records: a version, then the fields.

mod codec;
mod values;

use std::sync::Arc;

use bytes::Bytes;

use self::codec::Reader;
pub(crate) use self::codec::Stored;
use crate::domain::agent::Agent;
use crate::domain::callback::{Callback, Interaction, Request};
use crate::domain::queue::Queue;
use crate::engine::entry::Kept;
use crate::engine::library::StoredEvent;
use crate::engine::ports::{RowKey, StoreError};

/// A value that is a row's whole value.
pub(crate) trait Record: Stored {
    /// The layout's number; raised with each change of any field.
    const VERSION: u8;

    /// The row's value.
    fn to_row(&self) -> Bytes {
        let mut out = Vec::with_capacity(512);
        out.push(Self::VERSION);
        self.put(&mut out);
        out.into()
    }

    /// The record of a row.
    fn from_row(key: &RowKey, value: &[u8]) -> Result<Self, StoreError> {
        let damaged = |what: String| StoreError::Damaged {
            place: format!("{}/{}", key.table.name, hex(&key.key)),
            what,
        };
        let mut reader = Reader(value);
        let version = reader.byte().map_err(|error| damaged(error.to_string()))?;
        if version != Self::VERSION {
            return Err(damaged(format!(
                "layout {version} is not known to this release, which writes {}",
                Self::VERSION
            )));
        }
        let record = Self::take(&mut reader).map_err(|error| damaged(error.to_string()))?;
        if reader.0.is_empty() {
            Ok(record)
        } else {
            Err(damaged(format!("{} bytes too many", reader.0.len())))
        }
    }
}

impl Record for Arc<Callback> {
    const VERSION: u8 = 1;
}

impl Record for Arc<Request> {
    const VERSION: u8 = 1;
}

impl Record for Box<Interaction> {
    const VERSION: u8 = 1;
}

impl Record for Arc<Agent> {
    const VERSION: u8 = 1;
}

impl Record for Arc<Queue> {
    const VERSION: u8 = 1;
}

impl Record for StoredEvent {
    const VERSION: u8 = 1;
}

impl Record for Kept {
    const VERSION: u8 = 1;
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}
