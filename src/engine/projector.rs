//! The projector: brings the tables up behind the log, in large batches of rows as they are last.
//!
//! Separate from the writer because nobody waits for it: it lets some seconds pass, so that a
//! callback which changes state eight times is written once. It follows durable entries only, in
//! order, and lets them go from the log when the tables have had them for a while, and from the
//! overlay then, too, or at once where the tables lose nothing. It must never write a row of an
//! entry that isn't durable, nor drop one that the tables don't have.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::journal::{End, Errand, Failure, Lost, Pauses, Shared};
use super::library::Codec;
use super::overlay::{Filling, Run};
use super::ports::{EntryNumber, Epoch, LogEntry, StoreError, TableBatch, Tables};

/// Durable entries wait so long for their rows to be rewritten, unless the overlay fills up.
pub(super) const PROJECT_EVERY: Duration = Duration::from_secs(5);

/// Entries stay in the log for at least so long after the tables had them, and in the overlay if
/// there is room and the tables may lose something: a store that fails over to a replica without
/// its last batches is brought up again from there, and readers notice nothing.
const KEEP_FOR: Duration = Duration::from_secs(5);

/// So often the tables are settled once nothing is left to let go: the first time they write out
/// what they gathered in memory, the next time they can forget it.
const LAST_SETTLES: u32 = 2;

/// So many times as long as a batch took the projector rests after it, where nobody waits.
const RESTS: u32 = 4;

/// But never longer.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Entries read from the log at once.
pub(super) const READ_ENTRIES: usize = 1_024;

/// What one run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The tables have every entry that they were to have.
    Done,
    /// They were moved: to this watermark, which is lower where they had lost batches.
    Moved(EntryNumber),
}

/// How far the tables are brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// To every entry that is durable.
    AllIsThere,
    /// The same, with rests in between: nobody waits for it, and whoever wants a processor
    /// meanwhile would wait for as long as all of it takes.
    AllIsThereWithRests,
    /// Until the overlay has some room again. Under load some batches go now and then: all that
    /// waits would keep Redis for the time of hundreds of commands, and one at a time would find
    /// nothing of the tables in the processor's cache. Embedded tables take up to a quarter of the
    /// overlay's bound as one batch.
    ThereIsRoom,
}

/// The task behind the tables.
pub(super) struct Projector {
    tables: Arc<dyn Tables>,
    codec: Arc<dyn Codec>,
    shared: Arc<Shared>,
    epoch: Epoch,
    watermark: EntryNumber,
    /// Durable when the tables were last brought up. They may stand behind it: a run's last
    /// entries weren't durable then.
    seen: EntryNumber,
    errands: mpsc::Sender<Errand>,
    /// What the log is told to keep from next, and since when that is known.
    keep_next: (EntryNumber, Instant),
    /// What the log was told to keep from.
    kept_from: EntryNumber,
    /// How often the tables were settled since with nothing left to let go.
    last_settles: u32,
}

impl Projector {
    pub(super) fn new(
        tables: Arc<dyn Tables>,
        codec: Arc<dyn Codec>,
        shared: Arc<Shared>,
        epoch: Epoch,
        errands: mpsc::Sender<Errand>,
    ) -> Self {
        let watermark = shared.watermark();
        let keep_next = (watermark + 1, Instant::now());
        let (seen, kept_from, last_settles) = (watermark, 0, 0);
        Self {
            tables,
            codec,
            shared,
            epoch,
            watermark,
            seen,
            errands,
            keep_next,
            kept_from,
            last_settles,
        }
    }

    /// Runs until the writer has ended and everything durable is in the tables, or until the
    /// journal can't go on.
    pub(super) async fn run(mut self, mut durability: watch::Receiver<EntryNumber>) {
        loop {
            let until = self.wait(&mut durability).await;
            let is_closed = durability.has_changed().is_err();
            let target = *durability.borrow_and_update();
            match self.catch_up(target, until, &mut durability).await {
                Ok(Progress::Done) => self.seen = target,
                // What is left waits as if it had come just now.
                Ok(Progress::Moved(to)) => self.seen = to,
                Err(end) => self.shared.tell_end(end.into()),
            }
            if self.shared.has_ended() {
                return;
            }
            if is_closed && self.watermark == *durability.borrow() {
                if let Err(error) = self.tables.settle().await {
                    tracing::warn!(%error, "the next start reads the log's end again");
                }
                return;
            }
        }
    }

    /// Waits until there is something to do and a reason to do it now.
    async fn wait(&self, durability: &mut watch::Receiver<EntryNumber>) -> Until {
        tokio::select! {
            changed = durability.wait_for(|durable| *durable > self.seen) => drop(changed),
            () = self.shared.hurried() => {}
            // An idle workspace lets go of its last entries too.
            () = sleep_until(self.keep_next.1 + KEEP_FOR), if !self.is_at_rest() => {
                return Until::AllIsThereWithRests;
            }
        }
        if !self.is_urgent() && durability.has_changed().is_ok() {
            tokio::select! {
                () = sleep(PROJECT_EVERY) => return Until::AllIsThereWithRests,
                () = self.shared.hurried() => {}
            }
        }
        let is_closed = durability.has_changed().is_err();
        if is_closed || self.is_needed() { Until::AllIsThere } else { Until::ThereIsRoom }
    }

    /// Whether everything is let go that can be.
    fn is_at_rest(&self) -> bool {
        self.kept_from > self.watermark && self.last_settles >= LAST_SETTLES
    }

    fn is_urgent(&self) -> bool {
        self.is_needed() || self.shared.overlay.is_quarter_full()
    }

    /// The tables are to have everything at once.
    fn is_needed(&self) -> bool {
        self.shared.has_ended() || self.shared.is_in_doubt() || self.shared.log_is_full()
    }

    async fn catch_up(
        &mut self,
        target: EntryNumber,
        until: Until,
        durability: &mut watch::Receiver<EntryNumber>,
    ) -> Result<Progress, End> {
        let mut pauses = Pauses::new();
        while !self.shared.has_ended() {
            let has_room = until == Until::ThereIsRoom && self.shared.overlay.has_room_again();
            if has_room && !self.is_needed() {
                return Ok(Progress::Moved(self.watermark));
            }
            let begun = Instant::now();
            match self.step(target, until).await {
                Ok(Progress::Moved(to)) => {
                    pauses = Pauses::new();
                    if until == Until::AllIsThereWithRests && to < target {
                        self.rest(begun.elapsed() * RESTS, durability).await;
                    }
                }
                Ok(Progress::Done) => return Ok(Progress::Done),
                Err(Failure::End(end)) => return Err(end),
                Err(Failure::Again(error)) => {
                    if self.shared.counts.tables_failed() {
                        tracing::error!(%error, alarm = true, "the tables can't be written");
                    } else {
                        tracing::debug!(%error, "the tables could not be written");
                    }
                    pauses.wait().await;
                }
            }
        }
        Ok(Progress::Done)
    }

    /// Rests until it is over, until the tables are to follow at once, or until the writer ends.
    async fn rest(&self, rest: Duration, durability: &mut watch::Receiver<EntryNumber>) {
        if self.is_urgent() {
            return;
        }
        let over = sleep(rest.min(LONGEST_REST));
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = self.shared.hurried() => return,
                changed = durability.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn step(&mut self, target: EntryNumber, until: Until) -> Result<Progress, Failure> {
        let progress = match until {
            // One run at a time: whoever wants a processor meanwhile waits for no more.
            Until::AllIsThereWithRests => self.advance(target, 1).await?,
            Until::AllIsThere | Until::ThereIsRoom => self.run_once(target).await?,
        };
        if self.is_trim_due() {
            self.trim(target).await?;
        }
        Ok(progress)
    }

    /// Writes one batch of entries up to `target`, all of them durable, and drops them from the
    /// overlay; or, where there is a doubt, finds out where the tables stand, and goes there.
    pub(super) async fn run_once(&mut self, target: EntryNumber) -> Result<Progress, Failure> {
        self.advance(target, self.tables.batch_rows()).await
    }

    /// The same, by at most so many rows, or one run.
    async fn advance(&mut self, target: EntryNumber, rows: usize) -> Result<Progress, Failure> {
        if self.shared.is_in_doubt() {
            let progress = self.look_again(target).await?;
            // Not before: what was lost must not be trimmed from the log meanwhile.
            self.shared.settle_doubt();
            self.tell_complete(target);
            return Ok(progress);
        }
        let runs = self.shared.overlay.next_runs(target, rows);
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
            return Ok(Progress::Done);
        };
        let (from, to) = (first.from, last.to);
        let runs = runs.iter().map(|run| Arc::clone(&run.rows)).collect();
        let batch = TableBatch { from, to, runs };
        match self.tables.apply(batch).await {
            Ok(()) => {
                self.tell_written();
                self.arrive(to);
                Ok(Progress::Moved(to))
            }
            // They don't stand where they were left, or don't know our epoch. The writer looks
            // first whether this is the same store at all.
            Err(error @ StoreError::Gap { .. }) => {
                self.ask_writer().await;
                self.shared.doubt_tables();
                Err(Failure::Again(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the alarm where there is nothing to write: they were away, and lack nothing.
    fn tell_complete(&self, target: EntryNumber) {
        if self.watermark == target {
            self.tell_written();
        }
    }

    /// Ends the alarm, if there was one.
    fn tell_written(&self) {
        if self.shared.counts.tables_written() {
            tracing::info!("the tables are written again");
        }
    }

    /// The tables have every entry up to `to`.
    fn arrive(&mut self, to: EntryNumber) {
        self.watermark = to;
        self.shared.set_watermark(to);
        if self.shared.overlay.is_crowded() || !self.tables.may_lose() {
            self.shared.overlay.drop_to(to);
        }
        self.shared.made_room();
    }

    /// Asks the tables where they stand, after the store didn't answer or lost something.
    async fn look_again(&mut self, target: EntryNumber) -> Result<Progress, Failure> {
        let found = self.tables.take(self.epoch).await?;
        self.go_to(found, target).await
    }

    /// The tables stand at `found`, wherever they were left.
    async fn go_to(
        &mut self,
        found: EntryNumber,
        target: EntryNumber,
    ) -> Result<Progress, Failure> {
        if found > target {
            return Err(Lost::TablesAhead { found, durable: target }.into());
        }
        if found >= self.watermark {
            // Where they were left, or further: a batch was written, and its answer lost.
            self.arrive(found);
        } else {
            tracing::warn!(found, watermark = self.watermark, "the tables lost batches");
            // The overlay still has the last of them, as a rule all.
            let there = self.shared.overlay.first();
            let runs = self.read_again(found + 1, there).await?;
            self.shared.overlay.put_back(runs);
            self.arrive(found);
        }
        Ok(Progress::Moved(found))
    }

    /// Entries from number `from` to before `end`, from the log.
    async fn read_again(&self, from: EntryNumber, end: EntryNumber) -> Result<Vec<Run>, Failure> {
        let behind = Lost::TablesBehind { found: from - 1, watermark: self.watermark };
        let mut runs = Vec::new();
        let mut filling = Filling::default();
        let mut bytes = 0;
        let mut next = from;
        while next < end {
            let first = next;
            for entry in self.read(first).await? {
                if next == end {
                    break;
                }
                if entry.number != next {
                    return Err(behind.into());
                }
                bytes += entry.bytes.len();
                filling.add(next, self.codec.unpack(&entry.bytes)?);
                if filling.is_full() {
                    runs.extend(filling.seal());
                }
                next += 1;
            }
            // Nothing more in the log, or more than memory should hold: recovery does it in parts,
            // because nobody reads meanwhile.
            if next == first || bytes > self.shared.overlay.bound() {
                return Err(behind.into());
            }
        }
        runs.extend(filling.seal());
        Ok(runs)
    }

    async fn read(&self, from: EntryNumber) -> Result<Vec<LogEntry>, Failure> {
        let (reply, answer) = oneshot::channel();
        let errand = Errand::Read { from, limit: READ_ENTRIES, reply };
        let sent = self.errands.send(errand).await;
        let answer = if sent.is_ok() { answer.await.ok() } else { None };
        answer.unwrap_or_else(|| Err(writer_has_ended())).map_err(Failure::from)
    }

    /// Lets the writer look whether the store is the same still; if not, the writer tells the end.
    /// One that has ended can't: the journal ends too, or it is a start's.
    async fn ask_writer(&self) {
        let (reply, answer) = oneshot::channel();
        if self.errands.send(Errand::Look(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    fn is_trim_due(&self) -> bool {
        self.keep_next.1.elapsed() >= KEEP_FOR || self.shared.log_is_full()
    }

    /// Lets go what the tables have had for a while: from the overlay and from the log. They are
    /// asked first: what they lost without anybody noticing is still needed.
    async fn trim(&mut self, target: EntryNumber) -> Result<(), Failure> {
        self.look_again(target).await?;
        self.tables.settle().await?;
        self.tell_complete(target);
        if self.shared.log_is_full() {
            // The bound comes before the caution: writes wait for this.
            self.keep_next.0 = self.watermark + 1;
        }
        let keep_from = self.keep_next.0.min(self.watermark + 1);
        self.keep_next = (self.watermark + 1, Instant::now());
        self.kept_from = keep_from;
        let all_is_let_go = keep_from > self.watermark;
        self.last_settles = if all_is_let_go { self.last_settles + 1 } else { 0 };
        self.shared.overlay.drop_to(keep_from - 1);
        // A writer that has ended trims no more; the next start's projector does.
        let _ = self.errands.send(Errand::Trim(keep_from)).await;
        Ok(())
    }
}

fn writer_has_ended() -> StoreError {
    StoreError::Unavailable("the writer has ended".to_owned())
}
