//! The tables in Redis: a hash of values per table, and a sorted set of keys per ordered one.
//!
//! A batch is one script, a range is one script, a point read is one transaction: whoever reads
//! sees a batch whole or not at all. Row keys are bytes and go as they are; members of a sorted
//! set with equal scores sort as bytes, which is the order that the port promises.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::holds_nothing;
use crate::engine::ports::{
    EntryNumber, Epoch, PortFuture, RangeRead, RowKey, RowWrite, StoreError, Table, TableBatch,
    Tables,
};
use crate::store::redis_keys::RedisKeys;
use crate::store::redis_link::{ANSWER_WITHIN, BULK_WITHIN, RedisLink, RedisScript};

/// The tables of one workspace on a Redis server.
pub(in crate::store) struct RedisTables {
    link: RedisLink,
    keys: RedisKeys,
    /// The epoch taken; 0 before.
    epoch: AtomicU64,
    /// The store's instance when it was first taken. A server that was emptied has another one or
    /// none, and what it lacks must not be read as "there is no such row".
    instance: OnceLock<String>,
    take: RedisScript,
    apply: RedisScript,
    range: RedisScript,
}

type Rows = Vec<(Bytes, Bytes)>;

/// One table's part of a batch, by what is to be done.
#[derive(Default)]
struct Part<'a> {
    /// Keys with values, in turn.
    set: Vec<&'a Bytes>,
    /// Keys of an ordered table whose value is empty: they need no field in the hash.
    empty: Vec<&'a Bytes>,
    delete: Vec<&'a Bytes>,
}

impl RedisTables {
    pub(in crate::store) fn new(link: RedisLink, keys: RedisKeys) -> Self {
        Self {
            link,
            keys,
            epoch: AtomicU64::new(0),
            instance: OnceLock::new(),
            take: RedisScript::new(include_str!("redis/take.lua")),
            apply: RedisScript::new(include_str!("redis/apply.lua")),
            range: RedisScript::new(include_str!("redis/range.lua")),
        }
    }

    /// Reads what both writing scripts answer: a verdict, the epoch found and the watermark.
    fn verdict(
        &self,
        answer: &[String],
        ours: Epoch,
        first: EntryNumber,
    ) -> Result<EntryNumber, StoreError> {
        let parsed = match answer {
            [verdict, epoch, watermark] => {
                Some(verdict.as_str()).zip(epoch.parse().ok()).zip(watermark.parse().ok())
            }
            _ => None,
        };
        match parsed {
            Some((("done", _), watermark)) => Ok(watermark),
            Some((("fenced", found), _)) => Err(StoreError::Fenced { found, ours }),
            Some((("gap", _), found)) => Err(StoreError::Gap { found, first }),
            _ => Err(StoreError::Damaged {
                place: self.keys.head(),
                what: "a verdict, an epoch and a watermark were expected".to_owned(),
            }),
        }
    }

    async fn take_epoch(&self, epoch: Epoch) -> Result<EntryNumber, StoreError> {
        let argument = epoch.to_string();
        let keys = [self.keys.head()];
        let (answer, instance): (Vec<String>, String) =
            self.link.run(ANSWER_WITHIN, &self.take, &keys, &[argument.as_bytes()]).await?;
        let watermark = self.verdict(&answer, epoch, 0)?;
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
        let first = batch.from;
        let numbers = [ours, batch.from, batch.to].map(|number| number.to_string());
        let mut keys = vec![self.keys.head()];
        let mut counts = Vec::new();
        let parts = sorted(&batch.rows);
        for (table, part) in &parts {
            // An unordered table's second key stands unused: pairs are simpler than a list of
            // which table has one.
            keys.extend([self.keys.values(*table), self.keys.order(*table)]);
            let ordered = usize::from(table.ordered);
            let lengths = [ordered, part.set.len() / 2, part.empty.len(), part.delete.len()];
            counts.push(lengths.map(|length| length.to_string()));
        }
        let mut arguments: Vec<&[u8]> = numbers.iter().map(String::as_bytes).collect();
        for ((_, part), counts) in parts.iter().zip(&counts) {
            arguments.extend(counts.iter().map(String::as_bytes));
            for rows in [&part.set, &part.empty, &part.delete] {
                arguments.extend(rows.iter().map(|bytes| &bytes[..]));
            }
        }
        let answer: Vec<String> =
            self.link.run(BULK_WITHIN, &self.apply, &keys, &arguments).await?;
        self.verdict(&answer, ours, first).map(|_| ())
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
            commands.cmd("HMGET").arg(self.keys.values(table));
            for &at in places {
                commands.arg(&keys[at].key[..]);
            }
            if table.ordered {
                // A key without a value in the hash may still be there, with an empty one.
                commands.cmd("ZMSCORE").arg(self.keys.order(table));
                for &at in places {
                    commands.arg(&keys[at].key[..]);
                }
            }
        }
        let answers: Vec<Vec<Option<Bytes>>> = self.link.transact(ANSWER_WITHIN, &commands).await?;
        let mut answers = answers.into_iter();
        let instance = answers.next().and_then(|facts| facts.into_iter().next().flatten());
        self.is_ours(&String::from_utf8_lossy(&instance.unwrap_or_default()))?;
        for (table, places) in &by_table {
            let found = answers.next().unwrap_or_default();
            let scores = table.ordered.then(|| answers.next().unwrap_or_default());
            for (nth, &at) in places.iter().enumerate() {
                let value = found.get(nth).cloned().flatten();
                let there =
                    scores.as_ref().is_some_and(|scores| matches!(scores.get(nth), Some(Some(_))));
                values[at] = value.or_else(|| there.then(Bytes::new));
            }
        }
        Ok(values)
    }

    async fn read_range(&self, read: RangeRead) -> Result<Rows, StoreError> {
        if holds_nothing(&read) {
            return Ok(Vec::new());
        }
        let keys = [self.keys.head(), self.keys.order(read.table), self.keys.values(read.table)];
        let start = [b"[", &read.start[..]].concat();
        let end = read.end.map_or_else(|| b"+".to_vec(), |end| [b"(", &end[..]].concat());
        let limit = i64::try_from(read.limit).unwrap_or(i64::MAX).to_string();
        let way: &[u8] = if read.reverse { b"backwards" } else { b"forwards" };
        let arguments = [&start[..], &end, way, limit.as_bytes()];
        let (instance, found, values): (String, Vec<Bytes>, Vec<Option<Bytes>>) =
            self.link.run(ANSWER_WITHIN, &self.range, &keys, &arguments).await?;
        self.is_ours(&instance)?;
        let values = values.into_iter().map(Option::unwrap_or_default);
        Ok(found.into_iter().zip(values).collect())
    }
}

/// Rows by table and by what is to be done with them.
fn sorted(rows: &[RowWrite]) -> BTreeMap<Table, Part<'_>> {
    let mut parts: BTreeMap<Table, Part<'_>> = BTreeMap::new();
    for RowWrite { key: RowKey { table, key }, value } in rows {
        let part = parts.entry(*table).or_default();
        match value {
            None => part.delete.push(key),
            Some(value) if value.is_empty() && table.ordered => part.empty.push(key),
            Some(value) => part.set.extend([key, value]),
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
}
