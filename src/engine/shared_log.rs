//! One log for the inner lives of a workspace, one after the other.
//!
//! A journal owns its log, and a workspace that starts again as a whole needs it once more. Each
//! life gets a share; the newest life's taking makes all earlier shares useless, so that a writer
//! that hasn't noticed its end yet can't write beside the new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::ports::{EntryNumber, Log, LogEntry, LogState, PortFuture, StoreError};

/// The log, from which shares are given out.
pub(crate) struct SharedLog {
    log: Arc<Mutex<Box<dyn Log>>>,
    newest: Arc<AtomicU64>,
    may_lose: bool,
}

/// A life's share.
struct Share {
    log: Arc<Mutex<Box<dyn Log>>>,
    newest: Arc<AtomicU64>,
    life: u64,
    may_lose: bool,
}

impl SharedLog {
    /// Keeps a log for several lives.
    pub(crate) fn new(log: Box<dyn Log>) -> Self {
        let may_lose = log.may_lose();
        Self { log: Arc::new(Mutex::new(log)), newest: Arc::default(), may_lose }
    }

    /// The log for one more life; ends all earlier shares.
    pub(crate) fn share(&self) -> Box<dyn Log> {
        let life = self.newest.fetch_add(1, Ordering::SeqCst) + 1;
        let (log, newest) = (Arc::clone(&self.log), Arc::clone(&self.newest));
        Box::new(Share { log, newest, life, may_lose: self.may_lose })
    }
}

impl Share {
    /// The log, if this life is the newest. Looked at under the lock: a later life that takes the
    /// log waits for what is under way.
    async fn log(&self) -> Result<tokio::sync::MutexGuard<'_, Box<dyn Log>>, StoreError> {
        let log = self.log.lock().await;
        let found = self.newest.load(Ordering::SeqCst);
        if found == self.life {
            Ok(log)
        } else {
            Err(StoreError::Fenced { found, ours: self.life })
        }
    }
}

impl Log for Share {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async { self.log().await?.take().await })
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async { self.log().await?.state().await })
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.log().await?.append(first, entries).await })
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        Box::pin(async move { self.log().await?.read(from, limit).await })
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.log().await?.trim(keep_from).await })
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { self.log().await?.size_bytes().await })
    }

    fn may_lose(&self) -> bool {
        self.may_lose
    }
}
