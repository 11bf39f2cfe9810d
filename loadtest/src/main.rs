//! Load drivers for Ringback.

fn main() {}
