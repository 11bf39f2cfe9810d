//! The actors around the domain's machines, the journal, and the ports that adapters implement.

pub mod ports;
