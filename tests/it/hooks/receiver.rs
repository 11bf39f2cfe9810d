//! A receiver of webhooks of a test's own: keeps what it is sent, and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::redis::now;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: Value,
}

impl Hook {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    /// The event's id.
    pub(crate) fn id(&self) -> u64 {
        self.body["id"].as_u64().expect("a number")
    }

    /// The callback that it tells of; nothing, where it is an agent's or a queue's.
    pub(crate) fn callback(&self) -> &str {
        self.body["callback_id"].as_str().unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        self.body["type"].as_str().expect("text")
    }
}

/// What the receiver does with one.
pub(crate) enum Reply {
    Status(u16),
    /// This status, and where to go instead.
    Redirect(u16, String),
    /// Nothing at all.
    Hang,
}

/// Every attempt, with the status that it got; and who is told of the next one.
type Got = (Mutex<Vec<(Hook, u16)>>, Condvar);

/// Receives until the test ends.
pub(crate) struct Receiver {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    got: Arc<Got>,
}

impl Receiver {
    pub(crate) fn start(answer: impl Fn(&Hook) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let receiver = Self { address, connections: Arc::default(), got: Arc::default() };
        let (connections, got) = (Arc::clone(&receiver.connections), Arc::clone(&receiver.got));
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (got, answer) = (Arc::clone(&got), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // The other side ends connections as it likes.
                    let _ = stream.and_then(|stream| serve(&stream, &*answer, &got));
                });
            }
        });
        receiver
    }

    /// Takes everything.
    pub(crate) fn willing() -> Self {
        Self::start(|_| Reply::Status(204))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Every attempt, with the status that it got; 0 for none.
    pub(crate) fn attempts(&self) -> Vec<(Hook, u16)> {
        self.lock().clone()
    }

    /// What was taken, in order.
    pub(crate) fn taken(&self) -> Vec<Hook> {
        let attempts = self.attempts().into_iter();
        attempts.filter(|(_, status)| *status < 300 && *status > 0).map(|(hook, _)| hook).collect()
    }

    /// Waits until what was taken is enough.
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        what: &str,
        mut enough: impl FnMut(&[Hook]) -> bool,
    ) -> Vec<Hook> {
        let deadline = now() + PATIENCE;
        loop {
            let taken = self.taken();
            if enough(&taken) {
                return taken;
            }
            assert!(now() < deadline, "{what}: {:?}", self.told());
            self.wait_a_moment();
        }
    }

    /// Waits until so many attempts were made.
    #[track_caller]
    pub(crate) fn wait_for_attempts(&self, count: usize) {
        let deadline = now() + PATIENCE;
        while self.lock().len() < count {
            assert!(now() < deadline, "{count} attempts: {:?}", self.told());
            self.wait_a_moment();
        }
    }

    fn told(&self) -> Vec<(u64, String, u16)> {
        let all = self.attempts().into_iter();
        all.map(|(hook, status)| (hook.id(), hook.kind().to_owned(), status)).collect()
    }

    /// Until the next attempt, or a little while.
    fn wait_a_moment(&self) {
        let wait = self.got.1.wait_timeout(self.lock(), Duration::from_millis(50));
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Hook, u16)>> {
        self.got.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(
    stream: &TcpStream,
    answer: &(dyn Fn(&Hook) -> Reply + Send + Sync),
    got: &Got,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(hook) = read(&mut reader)? {
        let reply = answer(&hook);
        let status = match &reply {
            Reply::Status(status) | Reply::Redirect(status, _) => *status,
            Reply::Hang => 0,
        };
        got.0.lock().unwrap_or_else(PoisonError::into_inner).push((hook, status));
        got.1.notify_all();
        let text = match reply {
            Reply::Status(status) => format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"),
            Reply::Redirect(status, to) => {
                format!("HTTP/1.1 {status} x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Reply::Hang => {
                // Until the other side has had enough.
                let _ = reader.read(&mut [0])?;
                return Ok(());
            }
        };
        (&mut &*stream).write_all(text.as_bytes())?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Hook>> {
    let mut headers = HeaderMap::new();
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name: HeaderName = name.parse().expect("a name");
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    let length = headers["content-length"].to_str().expect("text").parse().expect("a number");
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    let body = serde_json::from_slice(&bytes).expect("JSON");
    Ok(Some(Hook { headers, bytes, body }))
}
