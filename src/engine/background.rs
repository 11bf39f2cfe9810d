//! A thread of its own for what a workspace has done elsewhere: for its journal's writer (and the
//! connections that it uses), for the projector, and one more for what goes out.
//!
//! Separate from the workspace's thread because a log may block on its disk, a driver parses what
//! it receives, and a mail is put together and encrypted; one hand-over each is all that this
//! costs. It must never run anything that decides.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Work that blocks (an fdatasync that hangs) may keep the end of the thread waiting for so long.
const BLOCKED_AT_MOST: Duration = Duration::from_secs(1);

/// A running thread with a runtime of its own.
#[derive(Debug)]
pub struct Background {
    handle: Handle,
    // Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    /// Closed when the thread has ended.
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts it.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (running, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Runs until the sender is dropped.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(BLOCKED_AT_MOST);
            drop(running);
        })?;
        Ok(Self { handle, stop: Some(stop), ended, thread: Some(thread) })
    }

    /// Where tasks are spawned on it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    /// Stops it: tasks that still run are dropped. Close the journal first.
    fn drop(&mut self) {
        self.stop = None;
        // Twice, since the thread itself waits for so long for others.
        if self.ended.recv_timeout(BLOCKED_AT_MOST * 2) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("a workspace's background thread hangs in its work and is left there");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a workspace's background thread panicked");
        }
    }
}
