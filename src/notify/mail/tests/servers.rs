//! A mail server that fails as it is told to, one connection after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The authority that the server's certificate is from.
pub(super) const AUTHORITY: &[u8] = include_bytes!("tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("tls/server.pem");
const KEY: &[u8] = include_bytes!("tls/server.key");

/// What goes wrong in a connection, and at which command; `.` is the end of the mail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// Nothing.
    Never,
    /// It answers this instead.
    Says(&'static str, &'static str),
    /// It doesn't answer.
    Hangs(&'static str),
    /// It ends the connection instead of answering.
    Cuts(&'static str),
}

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Clear,
    StartTls,
    Tls,
}

/// What it was told, over all connections.
#[derive(Debug, Default, Clone)]
pub(super) struct Heard {
    pub(super) commands: Vec<String>,
    pub(super) mails: Vec<Vec<u8>>,
}

pub(super) struct Server {
    pub(super) port: u16,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Takes as many connections as there are faults; more are closed at once.
    pub(super) async fn start(speaks: Speaks, faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let mut faults: VecDeque<Fault> = faults.iter().copied().collect();
        let shared = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Some(fault) = faults.pop_front() {
                let (stream, _) = listener.accept().await.expect("a connection");
                let heard = Arc::clone(&shared);
                tokio::spawn(async move {
                    // How a client goes away is its own business.
                    let _ = connection(stream, speaks, fault, &heard).await;
                });
            }
        });
        Self { port, heard, task }
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().expect("nobody panics with it").clone()
    }
}

async fn connection(
    stream: TcpStream,
    speaks: Speaks,
    fault: Fault,
    heard: &Mutex<Heard>,
) -> std::io::Result<()> {
    match speaks {
        Speaks::Clear => talk(stream, Talk::Plain, fault, heard).await.map(drop),
        Speaks::Tls => {
            let stream = acceptor().accept(stream).await?;
            talk(stream, Talk::Plain, fault, heard).await.map(drop)
        }
        Speaks::StartTls => {
            let asked = talk(stream, Talk::OffersTls, fault, heard).await?;
            let Some(stream) = asked else { return Ok(()) };
            let stream = acceptor().accept(stream).await?;
            talk(stream, Talk::AfterTls, fault, heard).await.map(drop)
        }
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("it is in the tree");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("it is in the tree");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("they are the provider's")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

/// Which part of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    /// All of it.
    Plain,
    /// Up to STARTTLS, which it offers.
    OffersTls,
    /// What follows that, without a greeting.
    AfterTls,
}

/// A conversation; gives the stream back where STARTTLS was asked for.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    part: Talk,
    fault: Fault,
    heard: &Mutex<Heard>,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    let extra = if part == Talk::OffersTls { "250-STARTTLS\r\n" } else { "" };
    let ehlo = format!("250-mail.example\r\n{extra}250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n");
    let greeting = "220 mail.example\r\n";
    if part != Talk::AfterTls && !answer(&mut stream, "greeting", greeting, fault).await? {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        heard.lock().expect("nobody panics with it").commands.push(line.to_owned());
        let verb = line.split(' ').next().unwrap_or_default();
        let usual = match verb {
            "EHLO" => ehlo.as_str(),
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            "STARTTLS" => "220 go on\r\n",
            _ => "250 fine\r\n",
        };
        if !answer(&mut stream, verb, usual, fault).await? {
            return Ok(None);
        }
        if verb == "STARTTLS" {
            return Ok(Some(stream.into_inner()));
        }
        if verb == "DATA" && !matches!(fault, Fault::Says("DATA", _)) {
            let mail = mail(&mut stream).await?;
            heard.lock().expect("nobody panics with it").mails.push(mail);
            if !answer(&mut stream, ".", "250 taken\r\n", fault).await? {
                return Ok(None);
            }
        }
    }
}

/// Answers a command, or does what goes wrong there; false: the conversation is over.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    verb: &str,
    usual: &str,
    fault: Fault,
) -> std::io::Result<bool> {
    let text = match fault {
        Fault::Cuts(at) if at == verb => return Ok(false),
        Fault::Hangs(at) if at == verb => {
            // Until the client goes away.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            return Ok(false);
        }
        Fault::Says(at, text) if at == verb => format!("{text}\r\n"),
        Fault::Never | Fault::Says(..) | Fault::Hangs(_) | Fault::Cuts(_) => usual.to_owned(),
    };
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    Ok(true)
}

/// The mail up to the line with a dot alone, dots that were doubled made single.
async fn mail<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        if line.is_empty() || line == b".\r\n" {
            return Ok(mail);
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
