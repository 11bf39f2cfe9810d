//! Processes that a run starts and that end with it, whatever becomes of the run.
//!
//! Separate because servers, peers and stores are all started alike. Nothing here outlives its
//! value: a panic and Ctrl-C drop it as well.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::clock;

/// How long a process may take until it listens.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at whether it does.
const LOOK: Duration = Duration::from_millis(20);

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `command`; what it complains of goes to a file in `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Result<Self> {
        let name = Path::new(command.get_program()).file_name().map(OsStr::to_string_lossy);
        let name = name.unwrap_or_default().into_owned();
        let log = folder.join(format!("{name}.log"));
        let complaints = File::options().create(true).append(true).open(&log);
        let complaints = complaints.with_context(|| format!("opening {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints);
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self { child, name, log, output })
    }

    /// The next line that it prints, which it must.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let output = self.output.as_mut().context("its output is read already")?;
        let read = output.read_line(&mut line).with_context(|| format!("reading {}", self.name))?;
        if read == 0 {
            bail!("{} ended: {}", self.name, self.complaint());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits for its end, which must be a good one, and gives all that it printed.
    pub(crate) async fn output(mut self) -> Result<String> {
        let mut output = self.output.take().context("its output is read already")?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        let text = reading.await.context("the reader panicked")??;
        let status = self.child.wait().with_context(|| format!("waiting for {}", self.name))?;
        if !status.success() {
            bail!("{} ended with {status}: {}", self.name, self.complaint());
        }
        Ok(text)
    }

    /// Waits until it listens at `address`, or has ended.
    pub(crate) async fn listening(&mut self, address: SocketAddr) -> Result<()> {
        // What it prints from here on is not looked at, and must not fill a pipe.
        if let Some(mut output) = self.output.take() {
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        }
        let give_up = clock::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait().context("asking for its state")? {
                bail!("{} ended with {status}: {}", self.name, self.complaint());
            }
            if clock::now() >= give_up {
                bail!("{} doesn't listen: {}", self.name, self.complaint());
            }
            clock::sleep_until(clock::now() + LOOK).await;
        }
        Ok(())
    }

    /// The memory that it holds, in bytes; 0 where the system doesn't tell.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.bytes("VmRSS:")
    }

    /// The same without what is a file's, such as its own code, which the system takes and gives.
    pub(crate) fn anonymous_bytes(&self) -> u64 {
        self.bytes("RssAnon:")
    }

    fn bytes(&self, kind: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(kind));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1_024
    }

    /// `kill -9`, and waits for its end.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself; either way nothing remains.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The last that it complained of.
    fn complaint(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().next_back().unwrap_or("no reason given").to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr().context("looking for a free port")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_ends_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo ready; sleep 600";
        let mut process =
            Process::start(Command::new("sh").args(["-c", script]), folder.path()).unwrap();
        assert_eq!(process.line().unwrap(), "ready");
        assert!(process.resident_bytes() > process.anonymous_bytes());
        assert!(process.anonymous_bytes() > 0);
        let id = process.child.id();
        drop(process);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn one_that_fails_is_told_with_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo no disk >&2; exit 1";
        let mut process =
            Process::start(Command::new("sh").args(["-c", script]), folder.path()).unwrap();
        let error = process.line().unwrap_err().to_string();
        assert!(error.contains("no disk"), "{error}");
    }
}
