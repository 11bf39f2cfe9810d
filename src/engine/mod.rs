//! The actors around the domain's machines, the journal, and the ports that adapters implement.
//!
//! A command's way: `handle` (any thread) → `door_actor` → `intake` → an actor, whose `shell` runs
//! its machine's step → `office`, which carries out what the step left: an entry to the `journal`,
//! letters to other actors, and what goes out, which `outputs` holds until the entry is durable.

// A workspace as a whole: its thread, its lives, what its actors share.
mod known;
mod life;
mod office;
mod shared;
pub mod system;

// The way in, from other threads to the machines.
mod answers;
mod ask;
mod door;
mod door_actor;
mod facts;
pub mod handle;
mod intake;
pub mod places;
mod served;

// The actors, and what is around each machine.
mod agent_actor;
mod callback_actor;
mod directory;
mod queue_actor;
mod router_actor;
mod scheduler_actor;
mod shell;

// The ports, the journal, and recovery.
pub mod background;
pub mod entry;
pub mod journal;
mod journal_actor;
pub mod library;
mod merged;
mod overlay;
pub mod ports;
mod projector;
pub mod recovery;
mod shared_log;

// The way out: answers, frames, events, mails and webhooks, and what others may read.
mod boards;
mod dispatcher;
pub mod feed;
pub mod figures;
pub mod health;
mod line_notices;
mod measures;
mod outbox;
mod outputs;
pub mod outward;
mod sessions;

// Decisions about what has no machine of its own.
mod deny_list;
pub mod keys;
pub mod webhooks;

// What goes on in the background.
mod lapse;
mod recall;
mod recheck;

// Clocks, and sets that fit into memory.
pub mod clock;
pub mod contacts;
mod filter;
mod hashes;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod workspace_tests;
