//! The log in Redis: a stream with one item per group, written by a script.
//!
//! One item per group and not per entry: Redis then writes one item and one line of its own log
//! for it, whatever the group's size. An item's id is its group's last number, so that reading
//! from a number finds the group that contains it, and trimming below one drops whole groups.
//!
//! Safe to send again by construction, because a command that timed out has usually been executed:
//! the script compares epoch and last number before it writes anything.

use bytes::{Bytes, BytesMut};

use super::{group, lacking};
use crate::engine::ports::{EntryNumber, Epoch, Log, LogEntry, LogState, PortFuture, StoreError};
use crate::store::directory::draw_instance;
use crate::store::keys::LAYOUT;
use crate::store::redis_keys::RedisKeys;
use crate::store::redis_link::{ANSWER_WITHIN, BULK_WITHIN, RedisLink, RedisScript};

/// Groups asked for at once when the log is read back. The journal ends a group at 1 MiB, so an
/// answer stays within a few megabytes, which a slow network carries within the time for it.
const GROUPS_AT_ONCE: usize = 4;

/// The log of one workspace on a Redis server.
pub(in crate::store) struct RedisLog {
    link: RedisLink,
    keys: RedisKeys,
    /// The epoch taken; 0 before.
    epoch: Epoch,
    scripts: Scripts,
}

struct Scripts {
    look: RedisScript,
    append: RedisScript,
    trim: RedisScript,
}

/// An item of the stream: its id, then names and values of its fields in turn.
type Item = (String, Vec<Bytes>);

impl RedisLog {
    pub(in crate::store) fn new(link: RedisLink, keys: RedisKeys) -> Self {
        let scripts = Scripts {
            look: RedisScript::new(include_str!("redis/look.lua")),
            append: RedisScript::new(include_str!("redis/append.lua")),
            trim: RedisScript::new(include_str!("redis/trim.lua")),
        };
        Self { link, keys, epoch: 0, scripts }
    }

    /// Runs a script that gets our epoch as its first argument.
    async fn run(
        &self,
        script: &RedisScript,
        arguments: &[&[u8]],
    ) -> Result<Vec<String>, StoreError> {
        let epoch = self.epoch.to_string();
        let mut all = vec![epoch.as_bytes()];
        all.extend(arguments);
        let keys = [self.keys.head(), self.keys.log(), self.keys.fence()];
        self.link.run(ANSWER_WITHIN, script, &keys, &all).await
    }

    /// Every script answers with the epoch found first: a higher one means that we are fenced.
    fn not_fenced(&self, found: Epoch) -> Result<(), StoreError> {
        if found > self.epoch {
            return Err(StoreError::Fenced { found, ours: self.epoch });
        }
        Ok(())
    }

    /// Says what is there; `raise` takes the workspace, unless a newer release did; otherwise our
    /// epoch is put back where a server that lost it has a lower one.
    async fn look(&self, raise: &str) -> Result<LogState, StoreError> {
        let candidate = format!("{:032x}", draw_instance()?);
        let layout = LAYOUT.to_string();
        let arguments = [raise.as_bytes(), candidate.as_bytes(), layout.as_bytes()];
        let answer = self.run(&self.scripts.look, &arguments).await?;
        let [epoch, instance, first, last, layout] = answer.as_slice() else {
            return Err(self.damaged("five facts about the log were expected"));
        };
        let found = u32::try_from(self.number(Some(layout))?).unwrap_or(u32::MAX);
        if raise == "raise" && found > LAYOUT {
            return Err(StoreError::Newer { place: self.keys.head(), found, ours: LAYOUT });
        }
        Ok(LogState {
            epoch: self.number(Some(epoch))?,
            first: self.number(Some(first))?,
            last: self.number(Some(last))?,
            instance: u128::from_str_radix(instance, 16)
                .map_err(|_| self.damaged("the instance is not a hexadecimal number"))?,
        })
    }

    fn must_hold(&self) -> Result<(), StoreError> {
        if self.epoch == 0 { Err(StoreError::Fenced { found: 0, ours: 0 }) } else { Ok(()) }
    }

    fn number(&self, text: Option<&String>) -> Result<u64, StoreError> {
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.damaged("a number was expected"))
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged { place: self.keys.head(), what: what.to_owned() }
    }

    async fn append_group(
        &self,
        first: EntryNumber,
        mut entries: Vec<Bytes>,
    ) -> Result<(), StoreError> {
        let mut first = first;
        loop {
            let mut encoded = BytesMut::with_capacity(group::encoded_length(&entries)? as usize);
            group::encode(&entries, &mut encoded);
            let last = first + entries.len() as u64 - 1;
            let (from, to) = (first.to_string(), last.to_string());
            let arguments = [from.as_bytes(), to.as_bytes(), &encoded];
            let answer = self.run(&self.scripts.append, &arguments).await?;
            self.not_fenced(self.number(answer.first())?)?;
            let verdict = answer.get(1).map(String::as_str);
            let found = self.number(answer.get(2))?;
            match verdict {
                Some("done") => return Ok(()),
                Some("gap") => return Err(StoreError::Gap { found, first }),
                // A longer group than the one sent before: its head is there. Only its tail is
                // sent, and `found` grows with each turn, so this ends.
                Some("overlap") => match lacking(found, first, entries)? {
                    Some((next, rest)) => (first, entries) = (next, rest),
                    None => return Ok(()),
                },
                _ => return Err(self.damaged("a verdict about the group was expected")),
            }
        }
    }

    async fn read_entries(
        &self,
        from: EntryNumber,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        let mut found = Vec::new();
        let mut next = from;
        while found.len() < limit {
            let mut command = redis::cmd("XRANGE");
            command.arg(self.keys.log()).arg(format!("{next}-0")).arg("+");
            command.arg("COUNT").arg(GROUPS_AT_ONCE.min(limit - found.len()));
            let items: Vec<Item> = self.link.send(BULK_WITHIN, &command).await?;
            if items.is_empty() {
                break;
            }
            for item in items {
                let (first, entries) = self.group_of(&item)?;
                next = first + entries.len() as u64;
                let numbered = (first..).zip(entries).filter(|&(number, _)| number >= from);
                for (number, bytes) in numbered.take(limit - found.len()) {
                    found.push(LogEntry { number, bytes });
                }
            }
        }
        Ok(found)
    }

    /// Takes an item apart, and checks that its numbers agree with its id.
    fn group_of(&self, item: &Item) -> Result<(EntryNumber, Vec<Bytes>), StoreError> {
        let (id, fields) = item;
        let parse = || {
            let [_, first, _, _, _, encoded] = fields.as_slice() else { return None };
            let first: EntryNumber = std::str::from_utf8(first).ok()?.parse().ok()?;
            let entries = group::decode(encoded)?;
            let last: EntryNumber = id.strip_suffix("-0")?.parse().ok()?;
            (first.checked_add(entries.len() as u64)? == last + 1).then_some((first, entries))
        };
        parse().ok_or_else(|| StoreError::Damaged {
            place: format!("{} item {id}", self.keys.log()),
            what: "not a group as it was written".to_owned(),
        })
    }
}

impl Log for RedisLog {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async {
            let state = self.look("raise").await?;
            self.epoch = state.epoch;
            Ok(state)
        })
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async {
            self.must_hold()?;
            let state = self.look("keep").await?;
            self.not_fenced(state.epoch)?;
            Ok(state)
        })
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.must_hold()?;
            if entries.is_empty() { Ok(()) } else { self.append_group(first, entries).await }
        })
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        Box::pin(self.read_entries(from, limit))
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.must_hold()?;
            let keep_from = keep_from.to_string();
            let answer = self.run(&self.scripts.trim, &[keep_from.as_bytes()]).await?;
            self.not_fenced(self.number(answer.first())?)
        })
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        Box::pin(async {
            // What was ever appended, less what stood before the oldest item that is left.
            let mut commands = redis::pipe();
            commands.atomic().cmd("HGET").arg(self.keys.head()).arg("bytes");
            commands.cmd("XRANGE").arg(self.keys.log()).arg("-").arg("+").arg("COUNT").arg(1);
            let (total, oldest): (Option<u64>, Vec<Item>) =
                self.link.transact(ANSWER_WITHIN, &commands).await?;
            let Some((_, fields)) = oldest.first() else { return Ok(0) };
            let before = fields.get(3).and_then(|value| std::str::from_utf8(value).ok());
            let before = self.number(before.map(str::to_owned).as_ref())?;
            Ok(total.unwrap_or(0).saturating_sub(before))
        })
    }

    fn may_lose(&self) -> bool {
        true
    }
}
