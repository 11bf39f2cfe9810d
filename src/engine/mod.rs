//! The actors around the domain's machines, the journal, and the ports that adapters implement.

mod agent_actor;
mod answers;
mod ask;
pub mod background;
mod boards;
mod callback_actor;
pub mod clock;
pub mod contacts;
mod directory;
mod dispatcher;
mod door;
mod door_actor;
pub mod entry;
mod facts;
pub mod feed;
pub mod figures;
mod filter;
pub mod handle;
mod hashes;
pub mod health;
mod intake;
pub mod journal;
mod journal_actor;
pub mod keys;
mod known;
mod lapse;
pub mod library;
mod life;
mod line_notices;
mod measures;
mod merged;
mod office;
mod outbox;
mod outputs;
pub mod outward;
mod overlay;
pub mod places;
pub mod ports;
mod projector;
mod queue_actor;
mod recall;
mod recheck;
pub mod recovery;
mod router_actor;
mod scheduler_actor;
mod served;
mod sessions;
mod shared;
mod shared_log;
mod shell;
pub mod system;
pub mod webhooks;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod workspace_tests;
