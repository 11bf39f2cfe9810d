//! The actors around the domain's machines, the journal, and the ports that adapters implement.

mod background;
pub mod clock;
mod door;
pub mod entry;
mod facts;
mod filter;
pub mod handle;
pub mod journal;
pub mod library;
mod merged;
mod overlay;
pub mod ports;
mod projector;
pub mod recovery;
