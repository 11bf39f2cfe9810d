//! The connection to Redis: time-outs, reconnecting, scripts, and what its errors mean to us.
//!
//! Separate from log and tables because both need the same answer to "Redis is silent": an error
//! within a known time, never a hang. It must never send anything again by itself: whether that is
//! safe is known by the caller alone.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError};
use redis::{Script, ServerErrorKind};

use crate::engine::ports::StoreError;

/// Within this, Redis answers or counts as unavailable; under the journal's `store_stall_ms` 800,
/// so that a stall has its reason in the log by the time that the doors close.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(700);

/// The same for what carries megabytes and that nobody waits for at a door: batches of rows, and
/// reading the log back at start.
pub(super) const BULK_WITHIN: Duration = Duration::from_secs(3);

/// A connection is made, greeted and authenticated within this.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// Pauses between attempts to connect: short, because writes are to flow within a second of
/// Redis's return, and one connection attempt costs next to nothing.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LONGEST: Duration = Duration::from_millis(200);

/// Attempts made in the background after a connection broke. When they are used up, the next
/// command starts as many again.
const RETRIES: usize = 20;

/// A connection whose peer doesn't acknowledge for this long is closed by the kernel: a server
/// that lost power sends no reset, and the old connection would swallow commands for ever.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_FOR: Duration = Duration::from_secs(5);

/// A script and the digest that Redis knows it by.
pub(super) struct RedisScript {
    code: &'static str,
    digest: String,
}

impl RedisScript {
    pub(super) fn new(code: &'static str) -> Self {
        Self { code, digest: Script::new(code).get_hash().to_owned() }
    }
}

/// A connection that comes back by itself; clones share it.
#[derive(Clone)]
pub(super) struct RedisLink {
    manager: ConnectionManager,
}

impl RedisLink {
    /// Whether a URL can be read, and if not why, in words without the URL.
    pub(super) fn check_url(url: &str) -> Result<(), String> {
        let info = url.into_connection_info().map_err(|error| describe(&error))?;
        match info.addr() {
            redis::ConnectionAddr::Tcp(host, _) | redis::ConnectionAddr::TcpTls { host, .. } => {
                if host.is_empty() {
                    Err("it names no host".to_owned())
                } else {
                    Ok(())
                }
            }
            _ => Err("it names no host".to_owned()),
        }
    }

    /// Makes the link; connecting is left to the first command. Needs a tokio runtime.
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        // The process-wide choice of cryptography for TLS; the first one to choose wins, and all
        // of this program chooses the same, so a second call changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        {
            tcp = tcp.set_user_timeout(UNACKNOWLEDGED_FOR);
        }
        let info = url.into_connection_info().map_err(unavailable)?.set_tcp_settings(tcp);
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(BULK_WITHIN))
            .set_min_delay(RETRY_FIRST)
            .set_max_delay(RETRY_LONGEST)
            .set_number_of_retries(RETRIES);
        let client = Client::open(info).map_err(unavailable)?;
        let manager =
            ConnectionManager::new_lazy_with_config(client, config).map_err(unavailable)?;
        Ok(Self { manager })
    }

    /// Sends one command.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        within: Duration,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        match tokio::time::timeout(within, command.query_async(&mut manager)).await {
            Ok(answer) => answer.map_err(unavailable),
            Err(_) => Err(silent(within)),
        }
    }

    /// Sends several commands as one transaction.
    pub(super) async fn transact<T: FromRedisValue>(
        &self,
        within: Duration,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        match tokio::time::timeout(within, commands.query_async(&mut manager)).await {
            Ok(answer) => answer.map_err(unavailable),
            Err(_) => Err(silent(within)),
        }
    }

    /// Runs a script by its digest, and with its text when Redis doesn't know it (any more).
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        within: Duration,
        script: &RedisScript,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        let both = async {
            let by_digest = call("EVALSHA", &script.digest, keys, arguments);
            match by_digest.query_async(&mut manager).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    call("EVAL", script.code, keys, arguments).query_async(&mut manager).await
                }
                answer => answer,
            }
        };
        match tokio::time::timeout(within, both).await {
            Ok(answer) => answer.map_err(unavailable),
            Err(_) => Err(silent(within)),
        }
    }
}

fn call(command: &str, script: &str, keys: &[String], arguments: &[&[u8]]) -> Cmd {
    let mut call = redis::cmd(command);
    call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    call
}

fn silent(within: Duration) -> StoreError {
    StoreError::Unavailable(format!("no answer from Redis in {} ms", within.as_millis()))
}

/// What the server or the network said, without addresses or arguments.
fn describe(error: &RedisError) -> String {
    error.to_string()
}

/// Whatever Redis says no with (loading, full, read-only replica, disk trouble, no permission, no
/// connection), it is the same to the engine: not written as far as we know, send it again.
#[expect(clippy::needless_pass_by_value, reason = "given to map_err as it is")]
fn unavailable(error: RedisError) -> StoreError {
    StoreError::Unavailable(format!("Redis: {}", describe(&error)))
}
