//! The tables in Redis: a hash of values per table, and a sorted set of keys per ordered one.
//!
//! A batch is one transaction, a range is one script, a point read is one transaction: whoever
//! reads sees a batch whole or not at all. A batch isn't a script, because Lua copies each of its
//! hundreds of arguments twice, which took a quarter of the time; only its watermark is set by
//! one, which first looks whether all rows could be written.
//!
//! Row keys are bytes and go as they are; members of a sorted set with equal scores sort as bytes,
//! which is the order that the port promises.

use std::collections::BTreeMap;
use std::iter;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use redis::Pipeline;

use super::{holds_nothing, is_due};
use crate::engine::ports::{
    EntryNumber, Epoch, Holds, PortFuture, RangeRead, RowKey, RowWrite, StoreError, Table,
    TableBatch, Tables,
};
use crate::store::redis_keys::RedisKeys;
use crate::store::redis_link::{ANSWER_WITHIN, BULK_WITHIN, RedisLink, RedisScript};

/// The tables of one workspace on a Redis server.
pub(in crate::store) struct RedisTables {
    /// For reads, and for taking.
    link: RedisLink,
    /// For batches alone.
    writer: RedisLink,
    keys: RedisKeys,
    /// The epoch taken; 0 before.
    epoch: AtomicU64,
    /// The store's instance when it was first taken. A server that was emptied has another one or
    /// none, and what it lacks must not be read as "there is no such row".
    instance: OnceLock<String>,
    take: RedisScript,
    range: RedisScript,
}

type Rows = Vec<(Bytes, Bytes)>;

/// One table's part of a batch, by what is to be done.
#[derive(Default)]
struct Part<'a> {
    set: Vec<(&'a [u8], &'a [u8])>,
    delete: Vec<&'a [u8]>,
}

/// What the head says, as far as a batch depends on it.
type Facts = (Option<Epoch>, Option<EntryNumber>, Option<EntryNumber>);

impl RedisTables {
    /// Two links to the same server: nothing may come between a look and its transaction.
    pub(in crate::store) fn new(link: RedisLink, writer: RedisLink, keys: RedisKeys) -> Self {
        Self {
            link,
            writer,
            keys,
            epoch: AtomicU64::new(0),
            instance: OnceLock::new(),
            take: RedisScript::new(include_str!("redis/take.lua")),
            range: RedisScript::new(include_str!("redis/range.lua")),
        }
    }

    async fn take_epoch(&self, epoch: Epoch) -> Result<EntryNumber, StoreError> {
        let argument = epoch.to_string();
        let keys = [self.keys.head(), self.keys.fence()];
        let ((verdict, found, watermark), instance): ((String, Epoch, EntryNumber), String) =
            self.link.run(ANSWER_WITHIN, &self.take, &keys, &[argument.as_bytes()]).await?;
        if verdict != "done" {
            return Err(StoreError::Fenced { found, ours: epoch });
        }
        self.epoch.store(epoch, Ordering::Relaxed);
        self.instance.get_or_init(|| instance);
        Ok(watermark)
    }

    /// Whether what was read is of the store that was taken. Whoever writes finds out what became
    /// of it; whoever reads can only say that it can't be said.
    fn is_ours(&self, instance: &str) -> Result<(), StoreError> {
        if self.instance.get().is_none_or(|ours| ours == instance) {
            return Ok(());
        }
        Err(StoreError::Unavailable("Redis: it was emptied or replaced".to_owned()))
    }

    async fn apply_batch(&self, batch: TableBatch) -> Result<(), StoreError> {
        let ours = self.epoch.load(Ordering::Relaxed);
        if ours == 0 {
            return Err(StoreError::Fenced { found: 0, ours });
        }
        let mut look = redis::cmd("HMGET");
        look.arg(self.keys.head()).arg(&["epoch", "watermark", "last"]);
        let fence = self.keys.fence();
        let commands = self.commands(ours, &batch);
        let mut verdict = Ok(false);
        let is_due = |facts: Facts| {
            verdict = check(facts, ours, &batch);
            matches!(verdict, Ok(true))
        };
        let looked = (fence.as_str(), &look);
        let done = self.writer.transact_watched(BULK_WITHIN, looked, &commands, is_due).await?;
        verdict?;
        if done {
            return Ok(());
        }
        Err(StoreError::Unavailable("Redis: something else was written meanwhile".to_owned()))
    }

    /// A batch and its watermark as one transaction.
    fn commands(&self, ours: Epoch, batch: &TableBatch) -> Pipeline {
        let mut commands = redis::pipe();
        commands.atomic();
        let (mut hashes, mut sorted_sets) = (Vec::new(), Vec::new());
        for (table, part) in sorted(&batch.rows()) {
            let (values, order) = (self.keys.values(table), self.keys.order(table));
            let has_values = table.holds != Holds::Keys;
            if has_values && !part.set.is_empty() {
                commands.cmd("HSET").arg(&values).arg(&part.set).ignore();
            }
            if table.is_ordered() && !part.set.is_empty() {
                let command = commands.cmd("ZADD").arg(&order);
                for (key, _) in &part.set {
                    command.arg(0).arg(*key);
                }
                command.ignore();
            }
            for (command, key, is_meant) in
                [("HDEL", &values, has_values), ("ZREM", &order, table.is_ordered())]
            {
                if is_meant && !part.delete.is_empty() {
                    commands.cmd(command).arg(key).arg(&part.delete).ignore();
                }
            }
            hashes.extend(has_values.then_some(values));
            sorted_sets.extend(table.is_ordered().then_some(order));
        }
        // Whoever looked before is too late, be it this process on a connection that broke since.
        commands.cmd("SET").arg(self.keys.fence()).arg(ours).ignore();
        // By its text: in a transaction nothing can be done about a digest that isn't known.
        let keys = 1 + hashes.len() + sorted_sets.len();
        commands.cmd("EVAL").arg(include_str!("redis/arrive.lua")).arg(keys);
        commands.arg(self.keys.head()).arg(&hashes).arg(&sorted_sets);
        commands.arg(batch.to).arg(hashes.len()).ignore();
        commands
    }

    async fn get_values(&self, keys: Vec<RowKey>) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut by_table: BTreeMap<Table, Vec<usize>> = BTreeMap::new();
        for (at, key) in keys.iter().enumerate() {
            by_table.entry(key.table).or_default().push(at);
        }
        let mut values = vec![None; keys.len()];
        if keys.is_empty() {
            return Ok(values);
        }
        let mut commands = redis::pipe();
        commands.atomic().cmd("HMGET").arg(self.keys.head()).arg("instance");
        for (&table, places) in &by_table {
            if table.holds == Holds::Keys {
                commands.cmd("ZMSCORE").arg(self.keys.order(table));
            } else {
                commands.cmd("HMGET").arg(self.keys.values(table));
            }
            for &at in places {
                commands.arg(&keys[at].key[..]);
            }
        }
        let answers: Vec<Vec<Option<Bytes>>> = self.link.transact(ANSWER_WITHIN, &commands).await?;
        let mut answers = answers.into_iter();
        let instance = answers.next().and_then(|facts| facts.into_iter().next().flatten());
        self.is_ours(&String::from_utf8_lossy(&instance.unwrap_or_default()))?;
        for (table, places) in &by_table {
            let found = answers.next().unwrap_or_default();
            for (&at, found) in places.iter().zip(found) {
                // Of a key in an index its score is found, which says nothing more.
                let is_key = table.holds == Holds::Keys;
                values[at] = if is_key { found.map(|_score| Bytes::new()) } else { found };
            }
        }
        Ok(values)
    }

    async fn read_range(&self, read: RangeRead) -> Result<Rows, StoreError> {
        if holds_nothing(&read) {
            return Ok(Vec::new());
        }
        let mut keys = vec![self.keys.head(), self.keys.order(read.table)];
        if read.table.holds != Holds::Keys {
            keys.push(self.keys.values(read.table));
        }
        let start = [b"[", &read.start[..]].concat();
        let end = read.end.map_or_else(|| b"+".to_vec(), |end| [b"(", &end[..]].concat());
        let limit = i64::try_from(read.limit).unwrap_or(i64::MAX).to_string();
        let way: &[u8] = if read.reverse { b"backwards" } else { b"forwards" };
        let arguments = [&start[..], &end, way, limit.as_bytes()];
        let (instance, found, values): (String, Vec<Bytes>, Vec<Option<Bytes>>) =
            self.link.run(ANSWER_WITHIN, &self.range, &keys, &arguments).await?;
        self.is_ours(&instance)?;
        let values = values.into_iter().map(Option::unwrap_or_default);
        Ok(found.into_iter().zip(values.chain(iter::repeat(Bytes::new()))).collect())
    }
}

/// Whether a batch is to be written, by what the head says.
fn check(facts: Facts, ours: Epoch, batch: &TableBatch) -> Result<bool, StoreError> {
    let (epoch, watermark, last) = facts;
    let (epoch, watermark) = (epoch.unwrap_or_default(), watermark.unwrap_or_default());
    if epoch > ours {
        return Err(StoreError::Fenced { found: epoch, ours });
    }
    let gap = StoreError::Gap { found: watermark, first: batch.from };
    // A lower epoch: the server lost our taking, and perhaps rows. It must be taken again first.
    if epoch < ours {
        return Err(gap);
    }
    // Past the log's end: the server lost entries that were acknowledged. They are written again
    // first, so that the tables never show what the log doesn't have.
    let is_due = is_due(watermark, batch.from, batch.to)?;
    if is_due && batch.to > last.unwrap_or_default() { Err(gap) } else { Ok(is_due) }
}

/// Rows by table and by what is to be done with them.
fn sorted<'a>(rows: &[&'a RowWrite]) -> BTreeMap<Table, Part<'a>> {
    let mut parts: BTreeMap<Table, Part<'a>> = BTreeMap::new();
    for RowWrite { key: RowKey { table, key }, value } in rows {
        let part = parts.entry(*table).or_default();
        match value {
            None => part.delete.push(key),
            Some(value) => {
                debug_assert!(
                    table.holds != Holds::Keys || value.is_empty(),
                    "{} is an index, and has no values",
                    table.name
                );
                part.set.push((key, value));
            }
        }
    }
    parts
}

impl Tables for RedisTables {
    fn take(&self, epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>> {
        Box::pin(self.take_epoch(epoch))
    }

    fn apply(&self, batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(self.apply_batch(batch))
    }

    /// A batch is as durable as `appendfsync` makes it, like a group of the log in the same server.
    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(self.get_values(keys))
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Rows, StoreError>> {
        Box::pin(self.read_range(read))
    }

    fn may_lose(&self) -> bool {
        true
    }
}
