//! Where state is kept: the adapters behind the engine's two storage ports.
//!
//! A store is named by a URL, see [`StoreUrl`]. What makes things durable is the `log`; `tables`
//! follow behind it. Nothing here decides anything about callbacks, and no adapter knows another.

mod directory;
mod durability;
pub mod index;
pub mod keys;
pub mod library;
pub mod log;
mod memory;
mod record;
mod redis_keys;
mod redis_link;
#[cfg(test)]
mod samples;
pub mod tables;
mod url;

pub use self::durability::Durability;
pub use self::memory::{MemoryStore, Trouble};
pub use self::url::{BadStoreUrl, OpenStore, StoreUrl};
