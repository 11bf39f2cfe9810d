//! The actors around the domain's machines, the journal, and the ports that adapters implement.

pub mod entry;
pub mod handle;
pub mod library;
pub mod ports;
