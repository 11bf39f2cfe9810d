//! The list of all Redis keys. Nothing else makes one up.
//!
//! Every key of a workspace carries `{workspace}`, its hash tag, so that Redis Cluster keeps them
//! on one node (scripts may touch them together) and spreads workspaces over nodes.
//!
//! `rb:{ws}:head`, a hash of small facts:
//! - `epoch` of the last taking
//! - `instance`: 32 hexadecimal digits, drawn once
//! - `layout` of the store, as the release that took it last has it (`keys::LAYOUT`)
//! - `last`: number of the newest entry in the log
//! - `bytes` ever appended to it
//! - `watermark` of the tables
//!
//! `rb:{ws}:fence`: the epoch again, written by each taking and with each batch of rows. Whoever
//! writes rows watches it, so that a batch isn't carried out after something that it doesn't know
//! of. Nobody reads it.
//!
//! `rb:{ws}:log`, a stream with one item per group; its id is the group's last number and `-0`:
//! - `f`: number of the group's first entry
//! - `c`: the value of `bytes` before it
//! - `g`: the entries, each behind its length
//!
//! `rb:{ws}:t:NAME`, a hash: a table's values by key.
//!
//! `rb:{ws}:z:NAME`, a sorted set: an ordered table's keys, all with score 0, which sorts them as
//! bytes.
//!
//! The head is one key and not five: a server that was emptied, or lost its newest writes in a
//! failover, then has lost them together, and what is left of the log can't contradict it.

use crate::domain::ids::WorkspaceId;
use crate::engine::ports::Table;

/// The keys of one workspace.
#[derive(Debug, Clone)]
pub(super) struct RedisKeys {
    prefix: String,
}

impl RedisKeys {
    pub(super) fn new(workspace: &WorkspaceId) -> Self {
        Self { prefix: format!("rb:{{{workspace}}}:") }
    }

    pub(super) fn head(&self) -> String {
        format!("{}head", self.prefix)
    }

    pub(super) fn fence(&self) -> String {
        format!("{}fence", self.prefix)
    }

    pub(super) fn log(&self) -> String {
        format!("{}log", self.prefix)
    }

    pub(super) fn values(&self, table: Table) -> String {
        format!("{}t:{}", self.prefix, table.name)
    }

    pub(super) fn order(&self, table: Table) -> String {
        format!("{}z:{}", self.prefix, table.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_workspace_share_its_hash_tag() {
        let keys = RedisKeys::new(&WorkspaceId::parse("acme").expect("a slug"));
        let table = Table::ordered(0, "callback");
        assert_eq!(keys.head(), "rb:{acme}:head");
        assert_eq!(keys.fence(), "rb:{acme}:fence");
        assert_eq!(keys.log(), "rb:{acme}:log");
        assert_eq!(keys.values(table), "rb:{acme}:t:callback");
        assert_eq!(keys.order(table), "rb:{acme}:z:callback");
    }
}
