//! A small HTTP/1.1 server for tests, which can also hang, drip, cut off and talk nonsense.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a client asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Names in small letters.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does then.
pub(super) enum Reply {
    /// An answer: status, further headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// No answer at all.
    Hang,
    /// These bytes, and then nothing.
    Start(Vec<u8>),
    /// These bytes, and then one more of the last kind every ten milliseconds.
    Drip(Vec<u8>),
    /// These bytes, and then the same 64 KiB for as long as the client takes them.
    Flood(Vec<u8>),
    /// The connection is closed.
    Cut,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer(status, Vec::new(), body.to_string())
    }
}

/// A running server; ends with its test.
pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl TestServer {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (connections, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::default()));
        let (count, list) = (Arc::clone(&connections), Arc::clone(&asked));
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&list)));
            }
        });
        Self { address, connections, asked, task }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panicked here").clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&Asked) -> Reply>,
    list: Arc<Mutex<Vec<Asked>>>,
) {
    while let Some(asked) = read(&mut stream).await {
        let reply = answer(&asked);
        list.lock().expect("no test panicked here").push(asked);
        if write(&mut stream, reply).await.is_err() {
            return;
        }
    }
}

/// The next request; none where the client is gone.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(Some(0), |(_, length)| length.parse::<usize>().ok())?;
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked { method, target, headers, body })
}

async fn write(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut lines = vec![format!("HTTP/1.1 {status} x")];
            lines.extend(headers.into_iter().map(|(name, value)| format!("{name}: {value}")));
            if status != 204 {
                lines.push(format!("content-length: {}", body.len()));
            }
            let text = lines.join("\r\n") + "\r\n";
            stream.write_all(format!("{text}\r\n{body}").as_bytes()).await
        }
        Reply::Hang => std::future::pending().await,
        Reply::Start(bytes) => {
            stream.write_all(&bytes).await?;
            std::future::pending().await
        }
        Reply::Drip(bytes) => {
            stream.write_all(&bytes).await?;
            let last = bytes.last().copied().unwrap_or(b'x');
            let mut pace = tokio::time::interval(Duration::from_millis(10));
            loop {
                pace.tick().await;
                stream.write_all(&[last]).await?;
            }
        }
        Reply::Flood(bytes) => {
            stream.write_all(&bytes).await?;
            let much = vec![b'x'; 65_536];
            loop {
                stream.write_all(&much).await?;
            }
        }
        Reply::Cut => Err(std::io::ErrorKind::ConnectionReset.into()),
    }
}
