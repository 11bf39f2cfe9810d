//! A real Redis server of a test's own: on a free port, in a directory that goes with it.
//!
//! Every write is synchronised (`appendfsync always`), so that killing it loses nothing that it
//! acknowledged. The server ends with the value, whatever became of the test.

#![allow(dead_code, reason = "each test binary that shares this uses a part of it")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server, running or killed.
pub(crate) struct RedisServer {
    place: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a durable server.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a server with these settings.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self { place, port: free_port(), settings, child: None };
        // Another process may take the port between finding it free and using it.
        for _ in 0..5 {
            if server.try_run() {
                return server;
            }
            server.port = free_port();
        }
        panic!("redis-server doesn't start; is it installed? (apt-get install redis-server)");
    }

    /// The URL of database 0.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Starts it again after [`Self::kill`], on the same port and files.
    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        assert!(self.try_run(), "redis-server doesn't come back");
    }

    /// Starts it again with all its data gone.
    pub(crate) fn restart_empty(&mut self) {
        self.kill();
        for entry in fs::read_dir(self.place.path()).expect("the directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                fs::remove_dir_all(path).expect("removed");
            } else {
                fs::remove_file(path).expect("removed");
            }
        }
        self.restart();
    }

    /// Stops it without ending it: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Sends one command of plain words, which must succeed.
    pub(crate) fn command(&self, words: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(format!("{words}\r\n").as_bytes()).expect("it reads");
        let mut answer = [0; 1];
        stream.read_exact(&mut answer).expect("it answers");
        assert_ne!(answer[0], b'-', "{words} is refused");
    }

    /// What it answers to a command of plain words, as it is on the wire; a short one.
    pub(crate) fn ask(&self, words: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(format!("{words}\r\n").as_bytes()).expect("it reads");
        stream.shutdown(std::net::Shutdown::Write).expect("it can be ended");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in UTF-8");
        answer
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let done = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
        assert!(done.expect("kill runs").success());
    }

    /// Starts the process and waits until it answers; false when it ended instead.
    fn try_run(&mut self) -> bool {
        let mut child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .arg("--dir")
            .arg(self.place.path())
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed (apt-get install redis-server)");
        let deadline = now() + PATIENCE;
        while now() < deadline {
            if child.try_wait().expect("its state").is_some() {
                return false;
            }
            if answers(self.port) {
                self.child = Some(child);
                return true;
            }
            std::thread::yield_now();
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The clock of the tests' deadlines.
#[expect(clippy::disallowed_methods, reason = "a test's deadline, not the engine's time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Whether a server on this port says that it is ready.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ask().unwrap_or(false)
}
