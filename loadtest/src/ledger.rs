//! What the server has promised, on disk before it is counted: the oracle of the crash tests.
//!
//! Separate because three commands share it. A line is written only after the server's answer
//! was read, so the ledger never claims more than the server said; lines are synced in batches by
//! one thread, so the drivers don't wait for the disk one by one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::clock;

/// Lines that may wait for the disk; beyond that the drivers wait.
const WAITING_LINES: usize = 8_192;

/// One thing that the server has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A callback was acknowledged.
    Created(Created),
    /// A callback was offered to an agent.
    Offered(OfferLine),
    /// An agent's accept was acknowledged.
    Accepted(OfferLine),
}

/// An acknowledged callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) at: String,
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) version: u64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state: String,
    /// The booked start of a scheduled one.
    pub(crate) start: Option<String>,
}

/// An offer, or its acknowledged accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OfferLine {
    pub(crate) at: String,
    pub(crate) agent_id: String,
    pub(crate) offer_id: String,
    pub(crate) callback_id: String,
}

impl Created {
    /// Reads the answer to a POST of a callback.
    pub(crate) fn from_answer(body: &[u8]) -> Result<Self> {
        let answer: Answer =
            serde_json::from_slice(body).context("an answer that can't be read")?;
        Ok(Self {
            at: clock::rfc3339(clock::utc()),
            id: answer.id,
            number: answer.number,
            version: answer.version,
            kind: answer.kind,
            state: answer.state,
            start: answer.schedule.and_then(|schedule| schedule.start),
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    number: String,
    version: u64,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    schedule: Option<Schedule>,
}

#[derive(Deserialize)]
struct Schedule {
    start: Option<String>,
}

/// A file that entries are appended to.
#[derive(Debug)]
pub(crate) struct Ledger {
    writer: Writer,
    durable: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

/// The end that drivers write to; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    entries: mpsc::Sender<Entry>,
}

impl Writer {
    /// Hands an entry over; waits where the disk is behind.
    pub(crate) async fn write(&self, entry: Entry) -> Result<()> {
        let sent = self.entries.send(entry).await;
        sent.map_err(|_| anyhow!("the ledger can no longer be written"))
    }
}

impl Ledger {
    /// Opens a ledger to append to; a last line torn by the end of an earlier driver is cut off.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let named = || format!("opening the ledger {}", path.display());
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(named)?;
        let bytes = fs::read(path).with_context(named)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).with_context(named)?;
        }
        let (entries, waiting) = mpsc::channel(WAITING_LINES);
        let durable = Arc::new(AtomicU64::new(0));
        let (counter, path) = (Arc::clone(&durable), path.to_owned());
        let thread = thread::spawn(move || append(file, &path, waiting, &counter));
        Ok(Self { writer: Writer { entries }, durable, thread })
    }

    /// An end to write to.
    pub(crate) fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// Waits until all is on the disk, once every other writer is gone; says how many entries.
    pub(crate) fn close(self) -> Result<u64> {
        drop(self.writer);
        let ended = self.thread.join().map_err(|_| anyhow!("the ledger's thread panicked"))?;
        ended.map(|()| self.durable.load(Ordering::Acquire))
    }
}

/// Reads a ledger; an unfinished last line, of a driver that was killed, is left out.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |last| &text[..last]);
    let lines = whole.lines().enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}, line {}", path.display(), index + 1))
        })
        .collect()
}

fn append(
    mut file: File,
    path: &Path,
    mut waiting: mpsc::Receiver<Entry>,
    durable: &AtomicU64,
) -> Result<()> {
    let mut batch = Vec::new();
    let mut lines = Vec::new();
    while waiting.blocking_recv_many(&mut batch, WAITING_LINES) > 0 {
        for entry in &batch {
            serde_json::to_writer(&mut lines, entry).context("an entry of the ledger")?;
            lines.push(b'\n');
        }
        let named = || format!("writing the ledger {}", path.display());
        file.write_all(&lines).with_context(named)?;
        file.sync_data().with_context(named)?;
        durable.fetch_add(batch.len() as u64, Ordering::Release);
        batch.clear();
        lines.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(number: u64) -> Entry {
        Entry::Created(Created {
            at: "2026-11-24T15:00:00Z".to_owned(),
            id: format!("id-{number}"),
            number: format!("CB{number:07}"),
            version: 1,
            kind: "scheduled".to_owned(),
            state: "open".to_owned(),
            start: Some("2026-11-25T15:00:00Z".to_owned()),
        })
    }

    fn accepted() -> Entry {
        Entry::Accepted(OfferLine {
            at: "2026-11-24T15:00:00Z".to_owned(),
            agent_id: "mara".to_owned(),
            offer_id: "o1".to_owned(),
            callback_id: "id-1".to_owned(),
        })
    }

    #[tokio::test]
    async fn what_was_written_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let entries: Vec<Entry> = (0..1_000).map(created).chain([accepted()]).collect();
        for part in entries.chunks(600) {
            let ledger = Ledger::open(&path).unwrap();
            for entry in part {
                ledger.writer().write(entry.clone()).await.unwrap();
            }
            assert_eq!(ledger.close().unwrap(), part.len() as u64);
        }
        assert_eq!(read(&path).unwrap(), entries);
    }

    #[tokio::test]
    async fn a_torn_last_line_is_left_out_and_cut_before_more_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let line = serde_json::to_string(&created(1)).unwrap();
        fs::write(&path, format!("{line}\n{}", &line[..20])).unwrap();
        assert_eq!(read(&path).unwrap(), [created(1)]);
        let ledger = Ledger::open(&path).unwrap();
        ledger.writer().write(created(2)).await.unwrap();
        ledger.close().unwrap();
        assert_eq!(read(&path).unwrap(), [created(1), created(2)]);
    }

    #[test]
    fn a_damaged_line_within_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        fs::write(&path, "{}\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn the_answer_to_a_booking_has_what_the_ledger_needs() {
        let body =
            br#"{"id":"a","number":"CB0000001","version":3,"type":"scheduled","state":"open",
            "schedule":{"start":"2026-11-25T15:00:00Z","end":"x"},"more":[1]}"#;
        let entry = Created::from_answer(body).unwrap();
        assert_eq!((entry.version, entry.start.as_deref()), (3, Some("2026-11-25T15:00:00Z")));
        assert!(Created::from_answer(b"{\"id\":\"a\"}").is_err());
    }
}
