//! The URL that names a store, and opening one workspace of it.
//!
//! Separate from the adapters because it is the only place that knows all of them. It must never
//! show a password: a URL with credentials is printed without them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::directory::{self, Directory};
use super::durability::{self, Durability};
use super::log::{EmbeddedLog, LogOptions, RedisLog};
use super::memory::MemoryStore;
use super::redis_keys::RedisKeys;
use super::redis_link::RedisLink;
use super::tables::{EmbeddedTables, RedisTables};
use crate::domain::ids::WorkspaceId;
use crate::engine::ports::{Log, StoreError, Tables};

/// What is allowed, said by every parse error.
const ALLOWED: &str = "use memory:, embedded:PATH, redis://HOST:PORT/DB or rediss://HOST:PORT/DB";

/// Why a text names no store. The text itself isn't repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStoreUrl {
    /// It begins with none of the known schemes.
    #[error("a store's URL begins with a scheme that is known here; {ALLOWED}")]
    UnknownScheme,
    /// `memory:` takes nothing behind it.
    #[error("memory: takes nothing behind the colon; {ALLOWED}")]
    MemoryWithPath,
    /// `embedded:` without a directory.
    #[error("embedded: needs a directory, for example embedded:./data; {ALLOWED}")]
    NoPath,
    /// The Redis URL can't be read.
    #[error("not a URL of a Redis server ({0}); {ALLOWED}")]
    Redis(String),
}

/// Which store, and where.
#[derive(Clone)]
pub enum StoreUrl {
    /// In this process's memory: gone when it ends. For tests and trials.
    Memory,
    /// Files in a directory, made when it isn't there.
    Embedded(PathBuf),
    /// A Redis server, with TLS when the scheme is `rediss`.
    Redis(SecretString),
}

/// One workspace's log and tables.
pub struct OpenStore {
    /// What makes things durable.
    pub log: Box<dyn Log>,
    /// Rows by key and range, behind the log.
    pub tables: Arc<dyn Tables>,
}

impl FromStr for StoreUrl {
    type Err = BadStoreUrl;

    fn from_str(text: &str) -> Result<Self, BadStoreUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(BadStoreUrl::UnknownScheme)?;
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "memory" => Err(BadStoreUrl::MemoryWithPath),
            "embedded" if rest.is_empty() => Err(BadStoreUrl::NoPath),
            "embedded" => Ok(Self::Embedded(PathBuf::from(rest))),
            "redis" | "rediss" => {
                RedisLink::check_url(text).map_err(BadStoreUrl::Redis)?;
                Ok(Self::Redis(SecretString::from(text)))
            }
            _ => Err(BadStoreUrl::UnknownScheme),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => out.write_str("memory:"),
            Self::Embedded(path) => write!(out, "embedded:{}", path.display()),
            Self::Redis(url) => out.write_str(&without_credentials(url.expose_secret())),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Everything between the scheme and the last `@` of the authority is left out, and the query too.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", ""));
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

impl StoreUrl {
    /// Opens the log and the tables of `workspace`; neither is taken yet.
    ///
    /// An embedded store is locked from here on, until both are dropped. Redis is not connected
    /// to before the first command, so that a start finds the same errors as a reconnect.
    pub async fn open(&self, workspace: &WorkspaceId) -> Result<OpenStore, StoreError> {
        match self {
            Self::Memory => Ok(MemoryStore::new().open()),
            Self::Embedded(path) => {
                let path = path.join(workspace.as_str());
                directory::blocking(move || {
                    let directory = Arc::new(Directory::open(&path)?);
                    let log = EmbeddedLog::open(Arc::clone(&directory), LogOptions::default())?;
                    let tables = EmbeddedTables::open(directory)?;
                    Ok(OpenStore { log: Box::new(log), tables: Arc::new(tables) })
                })
                .await
            }
            Self::Redis(url) => {
                let keys = RedisKeys::new(workspace);
                // A connection for each, so that a group never queues behind a batch of rows, and
                // nothing comes between the two parts of a batch.
                let log = RedisLog::new(RedisLink::open(url.expose_secret())?, keys.clone());
                let link = || RedisLink::open(url.expose_secret());
                let tables = RedisTables::new(link()?, link()?, keys);
                Ok(OpenStore { log: Box::new(log), tables: Arc::new(tables) })
            }
        }
    }

    /// What the store would lose, and what to set so that it doesn't.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        match self {
            Self::Memory => Ok(durability::of_memory()),
            Self::Embedded(_) => Ok(Durability::default()),
            Self::Redis(url) => durability::of_redis(&RedisLink::open(url.expose_secret())?).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_schemes_are_taken() {
        for good in [
            "memory:",
            "embedded:./data",
            "embedded:/var/lib/ringback",
            "redis://127.0.0.1",
            "redis://127.0.0.1:6380/2",
            "rediss://cache.example.com:6379/0",
        ] {
            let url: StoreUrl = good.parse().unwrap_or_else(|error| panic!("{good}: {error}"));
            assert_eq!(url.to_string(), good);
        }
    }

    #[test]
    fn a_wrong_url_is_told_what_is_allowed() {
        for bad in ["", "data", "memory:x", "embedded:", "mysql://x", "redis:", "redis://"] {
            let error = bad.parse::<StoreUrl>().expect_err(bad).to_string();
            assert!(error.contains(ALLOWED), "{bad}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: StoreUrl = "redis://ann:p%40ss@db.example.com:6379/1".parse().expect("a URL");
        assert_eq!(format!("{url} {url:?}").matches("redis://db.example.com:6379/1").count(), 2);
        let error = "redis://ann:secret@:x/".parse::<StoreUrl>().expect_err("no port");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn an_embedded_workspace_is_opened_by_one_at_a_time() {
        let place = tempfile::tempdir().expect("a directory");
        let url: StoreUrl = format!("embedded:{}", place.path().display()).parse().expect("a URL");
        let (one, two) = (WorkspaceId::parse("one"), WorkspaceId::parse("two"));
        let (one, two) = (one.expect("a slug"), two.expect("a slug"));
        let held = url.open(&one).await.expect("the first");
        assert!(matches!(url.open(&one).await, Err(StoreError::Locked(_))));
        url.open(&two).await.expect("another workspace is free");
        drop(held);
        url.open(&one).await.expect("free again");
    }
}
