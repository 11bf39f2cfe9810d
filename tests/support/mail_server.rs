//! A real mail server of a test's own: aiosmtpd on a free port, which keeps what it takes as files
//! in a folder. The server ends with the value, whatever became of the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to come up, or a mail to come.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at its folder.
const LOOK: Duration = Duration::from_millis(10);

/// A server, running or killed.
pub(crate) struct MailServer {
    place: TempDir,
    port: u16,
    child: Option<Child>,
}

impl MailServer {
    /// Starts one, with nothing in it.
    pub(crate) fn start() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let mut server = Self { place, port: free_port(), child: None };
        // Another process may take the port between finding it free and using it.
        for _ in 0..5 {
            if server.try_run() {
                return server;
            }
            server.port = free_port();
        }
        panic!("aiosmtpd doesn't start; is it installed? (.ci/install aiosmtpd)");
    }

    /// Its address, as `[mail] server` takes it.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// All mails that it has taken, as they came, in no order.
    pub(crate) fn mails(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.place.path().join("box/new")) else {
            return Vec::new();
        };
        let read = |path: &Path| fs::read(path).expect("a whole mail: it was renamed into place");
        entries.map(|entry| read(&entry.expect("an entry").path())).collect()
    }

    /// All mails, once there are so many.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Vec<u8>> {
        self.wait_until(|server| server.mails().len() >= count);
        self.mails()
    }

    /// Waits for what its folder shows.
    pub(crate) fn wait_until(&self, done: impl Fn(&Self) -> bool) {
        let deadline = now() + PATIENCE;
        while !done(self) {
            assert!(now() < deadline, "only {} mails came", self.mails().len());
            // The folder tells nobody when something comes.
            std::thread::park_timeout(LOOK);
        }
    }

    /// Answers each mail so from now on, without taking it; none: takes them.
    pub(crate) fn answer(&self, with: Option<&str>) {
        let place = self.place.path().join("answer");
        match with {
            Some(text) => fs::write(place, text).expect("it can be written"),
            None => fs::remove_file(place).expect("it was there"),
        }
    }

    /// How many mails it was handed, taken or not.
    pub(crate) fn asked(&self) -> usize {
        let asked = fs::read_to_string(self.place.path().join("asked"));
        asked.map_or(0, |asked| asked.lines().count())
    }

    /// Ends it at once, as a crash would; what it has taken stays.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Starts it again after [`Self::kill`], on the same port and folder.
    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        assert!(self.try_run(), "aiosmtpd doesn't come back");
    }

    /// Starts the process and waits until it greets; false when it ended instead.
    fn try_run(&mut self) -> bool {
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin/python");
        let mut child = Command::new(python)
            .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["-m", "aiosmtpd", "--nosetuid", "--smtputf8"])
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--class", "moody.Moody"])
            .arg(self.place.path().join("box"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("aiosmtpd is installed (.ci/install aiosmtpd)");
        let deadline = now() + PATIENCE;
        while now() < deadline {
            if child.try_wait().expect("its state").is_some() {
                return false;
            }
            if greets(self.port) {
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

impl Drop for MailServer {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's deadline, not the engine's time")]
fn now() -> Instant {
    Instant::now()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Whether a mail server on this port says that it is ready.
fn greets(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.starts_with("220"))
    };
    ask().unwrap_or(false)
}
