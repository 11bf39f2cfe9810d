//! The actors around the domain's machines, the journal, and the ports that adapters implement.

pub mod background;
pub mod entry;
pub mod handle;
pub mod journal;
pub mod library;
pub mod merged;
mod overlay;
pub mod ports;
mod projector;
pub mod recovery;

#[cfg(test)]
mod tests;
