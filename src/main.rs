//! The command line of Ringback.

fn main() {}
