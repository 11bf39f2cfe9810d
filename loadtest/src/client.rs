//! The driver's HTTP/1.1 client: one keep-alive connection, repeated with care.
//!
//! Separate and bare because it shares the machine with the server it measures. It speaks to
//! loopback addresses only, and never repeats a POST without an `Idempotency-Key`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock;

/// The longest that one request may take before its connection is given up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the second loss in a row; it doubles with each more.
const FIRST_BACK_OFF: Duration = Duration::from_millis(20);
/// The longest pause, whatever a back-off or a `Retry-After` says: a driver's run is short.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The pause at a 429 or 503 that doesn't say how long.
const UNSAID_PAUSE: Duration = Duration::from_secs(1);

/// A server on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    authority: String,
    address: SocketAddr,
}

impl Target {
    /// Takes `http://127.0.0.1:8080` and the like; anything not on this machine is refused.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else {
            bail!("{url:?}: only http:// is spoken, as in http://127.0.0.1:8080");
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains([']', '/']) => {
                let port = port.parse::<u16>();
                (host, port.with_context(|| format!("{url:?}: the port is not a number"))?)
            }
            _ => (authority, 80),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let ip = if bare == "localhost" { Ok(IpAddr::from([127, 0, 0, 1])) } else { bare.parse() };
        match ip {
            Ok(ip) if ip.is_loopback() => {
                let address = SocketAddr::new(ip, port);
                Ok(Self { authority: authority.to_owned(), address })
            }
            _ => bail!(
                "{url:?} is refused: load is sent to this machine only \
                 (127.0.0.1, [::1] or localhost, without a path)"
            ),
        }
    }

    /// The address to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Host and port, for the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}", self.authority)
    }
}

/// One request; cheap to clone, so that it can be repeated as it was.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) key: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

impl Call {
    /// A POST that may be repeated, since it carries its key.
    pub(crate) fn post(path: &str, key: &str, body: Bytes) -> Result<Self> {
        let key = HeaderValue::from_str(key).context("an Idempotency-Key must be plain ASCII")?;
        Ok(Self { method: Method::POST, path: path.to_owned(), key: Some(key), body })
    }

    fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), key: None, body: Bytes::new() }
    }

    fn put(path: &str, body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { method: Method::PUT, path: path.to_owned(), key: None, body }
    }
}

/// What came back, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Whether the request took effect.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The problem's own words, for an error message.
    pub(crate) fn detail(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let errors = problem.get("errors").map(|errors| format!(" {errors}")).unwrap_or_default();
        format!("{} {} {}{errors}", self.status, text("type"), text("detail"))
    }
}

/// How often requests had to be repeated, and why.
#[derive(Debug, Default, Clone)]
pub(crate) struct Repeats {
    /// Answers 429 and 503, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Connections lost or never made while a request was to be sent.
    pub(crate) lost: u64,
}

impl Repeats {
    /// Adds another connection's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        for (status, count) in &other.refused {
            *self.refused.entry(*status).or_default() += count;
        }
    }
}

/// One connection, made when first used and made again when lost.
#[derive(Debug)]
pub(crate) struct Client {
    target: Target,
    authorization: HeaderValue,
    host: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
    repeats: Repeats,
}

impl Client {
    /// Prepares a connection; nothing is sent yet.
    pub(crate) fn new(target: &Target, token: &str) -> Result<Self> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .context("the token has characters that no header may carry")?;
        authorization.set_sensitive(true);
        let host = HeaderValue::from_str(target.authority()).context("the host's name")?;
        let target = target.clone();
        Ok(Self { target, authorization, host, sender: None, repeats: Repeats::default() })
    }

    /// What had to be repeated so far.
    pub(crate) fn repeats(&self) -> &Repeats {
        &self.repeats
    }

    /// Sends until there is an answer other than 429 and 503, or `give_up` has come.
    pub(crate) async fn persist(&mut self, call: &Call, give_up: Instant) -> Result<Reply> {
        let mut losses = 0;
        loop {
            let (pause, failure) = match self.send(call).await {
                Ok(reply) if reply.status == 429 || reply.status == 503 => {
                    losses = 0;
                    *self.repeats.refused.entry(reply.status).or_default() += 1;
                    (reply.retry_after.unwrap_or(UNSAID_PAUSE), anyhow::anyhow!(reply.detail()))
                }
                Ok(reply) => return Ok(reply),
                Err(error) => {
                    losses += 1;
                    self.repeats.lost += 1;
                    (back_off(losses), error)
                }
            };
            let next = clock::now() + pause.min(LONGEST_PAUSE);
            if next >= give_up {
                return Err(failure.context(format!("{} {}: given up", call.method, call.path)));
            }
            clock::sleep_until(next).await;
        }
    }

    /// The JSON at `path`; `None` where the server says 404.
    pub(crate) async fn get(&mut self, path: &str, give_up: Instant) -> Result<Option<Value>> {
        let reply = self.persist(&Call::get(path), give_up).await?;
        match reply.status {
            404 => Ok(None),
            _ if reply.is_success() => {
                let body = serde_json::from_slice(&reply.body);
                Ok(Some(body.with_context(|| format!("GET {path}: the body is not JSON"))?))
            }
            _ => bail!("GET {path}: {}", reply.detail()),
        }
    }

    /// The text at `path`, which must be there.
    pub(crate) async fn text(&mut self, path: &str, give_up: Instant) -> Result<String> {
        let reply = self.persist(&Call::get(path), give_up).await?;
        if !reply.is_success() {
            bail!("GET {path}: {}", reply.detail());
        }
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }

    /// An answer that goes on: its body is the caller's to read. Nothing else goes over this
    /// connection any more.
    pub(crate) async fn follow(self, path: &str) -> Result<Incoming> {
        let mut sender = connect(&self.target).await?;
        sender.ready().await.context("the connection was closed")?;
        let request = self.request(&Call::get(path))?;
        let response = sender.send_request(request).await.context("sending")?;
        let status = response.status();
        if !status.is_success() {
            bail!("GET {path}: {status}");
        }
        // The connection's task lives as long as its sender or the body; the body is enough.
        Ok(response.into_body())
    }

    /// Puts settings; anything but a 2xx is an error that carries the server's words.
    pub(crate) async fn put(&mut self, path: &str, body: &Value, give_up: Instant) -> Result<()> {
        let reply = self.persist(&Call::put(path, body), give_up).await?;
        if !reply.is_success() {
            bail!("PUT {path}: {}", reply.detail());
        }
        Ok(())
    }

    async fn send(&mut self, call: &Call) -> Result<Reply> {
        let outcome = timeout(REQUEST_TIMEOUT, self.exchange(call)).await;
        let outcome = outcome.unwrap_or_else(|_| bail!("no answer within 10 s"));
        if outcome.is_err() {
            self.sender = None;
        }
        outcome
    }

    async fn exchange(&mut self, call: &Call) -> Result<Reply> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => connect(&self.target).await?,
        };
        sender.ready().await.context("the connection was closed")?;
        let request = self.request(call)?;
        let response = sender.send_request(request).await.context("sending")?;
        let reply = read(response).await?;
        self.sender = Some(sender);
        Ok(reply)
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path.as_str())
            .header(header::HOST, self.host.clone())
            .header(header::AUTHORIZATION, self.authorization.clone());
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key.clone());
        }
        request.body(Full::new(call.body.clone())).context("building the request")
    }
}

/// Connects a socket that sends small writes at once.
pub(crate) async fn dial(target: &Target) -> Result<TcpStream> {
    let stream = TcpStream::connect(target.address()).await;
    let stream = stream.with_context(|| format!("connecting to {target}"))?;
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    Ok(stream)
}

/// No pause at the first loss, since a keep-alive connection may end at any time; then doubling.
pub(crate) fn back_off(losses: u32) -> Duration {
    match losses {
        0 | 1 => Duration::ZERO,
        _ => FIRST_BACK_OFF.saturating_mul(1 << (losses - 2).min(6)),
    }
}

async fn connect(target: &Target) -> Result<SendRequest<Full<Bytes>>> {
    let stream = dial(target).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // What ends the connection is seen by the sender as well; there is nobody else to tell.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn read(response: Response<Incoming>) -> Result<Reply> {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let body = response.into_body().collect().await.context("reading the answer")?.to_bytes();
    Ok(Reply { status, retry_after, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_taken_in_every_spelling() {
        for (url, address) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://localhost:9", "127.0.0.1:9"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]:80"),
            ("http://127.9.9.9", "127.9.9.9:80"),
        ] {
            assert_eq!(Target::parse(url).unwrap().address(), address.parse().unwrap(), "{url}");
        }
    }

    #[test]
    fn other_machines_are_refused_with_a_reason() {
        for url in [
            "http://10.0.0.1:8080",
            "http://callbacks.example",
            "http://0.0.0.0:8080",
            "http://localhost.example:80",
            "http://127.0.0.1:8080/v1",
            "http://user@127.0.0.1:8080",
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains("this machine only"), "{url}: {error}");
        }
        assert!(Target::parse("https://127.0.0.1").unwrap_err().to_string().contains("http://"));
        assert!(Target::parse("http://127.0.0.1:x").unwrap_err().to_string().contains("port"));
    }

    #[test]
    fn the_pause_after_losses_doubles_and_is_bounded() {
        assert_eq!(back_off(1), Duration::ZERO);
        assert_eq!(back_off(2), Duration::from_millis(20));
        assert_eq!(back_off(3), Duration::from_millis(40));
        assert_eq!(back_off(1_000), Duration::from_millis(1_280));
    }
}
