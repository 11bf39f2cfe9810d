//! The engine with its real machines, above a store that a test holds in its hands.

mod collapse;
mod faults;
mod flow;
mod hours;
mod outward;
mod panics;
mod resting;
mod rig;
mod storm;
mod vault;
