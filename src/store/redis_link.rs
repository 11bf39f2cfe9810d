//! The connection to Redis: time-outs, reconnecting, scripts, and what its errors mean to us.
//!
//! Separate from log and tables because both need the same answer to "Redis is silent": an error
//! within a known time, never a hang. It must never send anything again by itself: whether that is
//! safe is known by the caller alone.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo};
use redis::{Pipeline, RedisError, RedisResult, Script, ServerErrorKind};
use tokio::sync::Mutex;

use crate::engine::ports::StoreError;

/// Within this, Redis answers or counts as unavailable; under the journal's `store_stall_ms` 800,
/// so that a stall has its reason in the log by the time that the doors close.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(700);

/// The same for what carries megabytes and that nobody waits for at a door: batches of rows, and
/// reading the log back at start.
pub(super) const BULK_WITHIN: Duration = Duration::from_secs(3);

/// A connection is made, greeted and authenticated within this.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

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

/// A connection that is made again by the first command after it broke.
///
/// Not redis's `ConnectionManager`: that one keeps a refused greeting (a wrong password, too many
/// clients) as its answer for ever, and hides the reason of a failed attempt behind its retries.
pub(super) struct RedisLink {
    client: Client,
    config: AsyncConnectionConfig,
    /// Host and port, which errors name.
    address: String,
    current: Mutex<Current>,
}

/// The connection in use, and how many there were: a command that fails on an old one must not
/// throw away the new one.
#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    made: u64,
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

    /// Makes the link; connecting is left to the first command.
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        // The process-wide choice of cryptography for TLS; the first one to choose wins, and all
        // of this program chooses the same, so a second call changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        {
            tcp = tcp.set_user_timeout(UNACKNOWLEDGED_FOR);
        }
        let unread = |error| unavailable("Redis", &error);
        let info = url.into_connection_info().map_err(unread)?.set_tcp_settings(tcp);
        let address = info.addr().to_string();
        // Answers are waited for here, each with a limit of its own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None);
        let client = Client::open(info).map_err(unread)?;
        Ok(Self { client, config, address, current: Mutex::default() })
    }

    /// Sends one command.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        within: Duration,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        self.limited(within, async {
            let (mut connection, which) = self.connection().await?;
            self.checked(which, command.query_async(&mut connection).await).await
        })
        .await
    }

    /// Sends several commands as one transaction.
    pub(super) async fn transact<T: FromRedisValue>(
        &self,
        within: Duration,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        self.limited(within, async {
            let (mut connection, which) = self.connection().await?;
            self.checked(which, commands.query_async(&mut connection).await).await
        })
        .await
    }

    /// Sends `look`, and then, where its answer says so, several commands as one transaction that
    /// is carried out only if `fence` wasn't changed since the look. Answers whether it was, and
    /// as if it was where nothing is to be carried out.
    ///
    /// The link must have no other user: whose transaction comes between ends the watch.
    pub(super) async fn transact_watched<L: FromRedisValue>(
        &self,
        within: Duration,
        (fence, look): (&str, &Cmd),
        commands: &Pipeline,
        is_to_be: impl FnOnce(L) -> bool,
    ) -> Result<bool, StoreError> {
        self.limited(within, async {
            let (mut connection, which) = self.connection().await?;
            let mut watch = redis::pipe();
            // What was watched and not followed by a transaction is watched still.
            watch.cmd("UNWATCH").ignore().cmd("WATCH").arg(fence).ignore();
            watch.add_command(look.clone());
            let (found,) = self.checked(which, watch.query_async(&mut connection).await).await?;
            if !is_to_be(found) {
                return Ok(true);
            }
            let done = commands.query_async::<Option<()>>(&mut connection).await;
            Ok(self.checked(which, done).await?.is_some())
        })
        .await
    }

    /// Runs a script by its digest, and with its text when Redis doesn't know it (any more).
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        within: Duration,
        script: &RedisScript,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, StoreError> {
        self.limited(within, async {
            let (mut connection, which) = self.connection().await?;
            let by_digest = call("EVALSHA", &script.digest, keys, arguments);
            let answer = match by_digest.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    call("EVAL", script.code, keys, arguments).query_async(&mut connection).await
                }
                answer => answer,
            };
            self.checked(which, answer).await
        })
        .await
    }

    /// The connection in use, made when there is none, and which one it is.
    ///
    /// Commands that come while it is being made wait for it under their own limits, and the next
    /// of them tries when the attempt fails.
    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((connection.clone(), current.made));
        }
        let made = self.client.get_multiplexed_async_connection_with_config(&self.config).await?;
        current.connection = Some(made.clone());
        current.made += 1;
        Ok((made, current.made))
    }

    async fn limited<T>(
        &self,
        within: Duration,
        work: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        let whose = || format!("Redis at {}", self.address);
        let Ok(answer) = tokio::time::timeout(within, work).await else {
            let within = within.as_millis();
            let told = format!("no answer from {} in {within} ms", whose());
            return Err(StoreError::Unavailable(told));
        };
        answer.map_err(|error| unavailable(&whose(), &error))
    }

    /// Passes an answer on; one that says that the connection is of no more use takes it away.
    /// That includes a server that turned into a replica: its name may lead elsewhere by now.
    async fn checked<T>(&self, which: u64, answer: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &answer
            && (error.is_io_error() || error.is_unrecoverable_error() || is_of_a_replica(error))
        {
            let mut current = self.current.lock().await;
            if current.made == which {
                current.connection = None;
            }
        }
        answer
    }
}

/// Whether it may be what a server says that turned into a replica: of a transaction it refuses
/// what writes, or all of it.
fn is_of_a_replica(error: &RedisError) -> bool {
    use ErrorKind::{Server, UnexpectedReturnType};
    let refused = [ServerErrorKind::ReadOnly, ServerErrorKind::ExecAbort].map(Server);
    refused.contains(&error.kind()) || error.kind() == UnexpectedReturnType
}

fn call(command: &str, script: &str, keys: &[String], arguments: &[&[u8]]) -> Cmd {
    let mut call = redis::cmd(command);
    call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    call
}

/// What the server or the network said, without addresses or arguments.
fn describe(error: &RedisError) -> String {
    error.to_string()
}

/// Whatever Redis says no with (loading, full, read-only replica, disk trouble, no permission, no
/// connection), it is the same to the engine: not written as far as we know, send it again.
fn unavailable(whose: &str, error: &RedisError) -> StoreError {
    StoreError::Unavailable(format!("{whose}: {}", describe(error)))
}
