//! All stores against their conformance suites, and against the trouble that each can have.

#[path = "support/redis.rs"]
mod redis_server;
#[path = "stores/redis_trouble.rs"]
mod redis_trouble;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis_server::RedisServer;
use ringback::domain::ids::WorkspaceId;
use ringback::engine::ports::{Log, PortFuture, StoreError, Tables};
use ringback::store::log::conformance::{self as log_suite, LogStorage, SecondOpening};
use ringback::store::tables::conformance::{self as tables_suite, TablesStorage};
use ringback::store::{MemoryStore, OpenStore, StoreUrl};
use tempfile::TempDir;

/// A storage of any kind, as both suites want it.
enum Storage {
    Memory(MemoryStore),
    Embedded { url: StoreUrl, place: TempDir },
    Redis(StoreUrl, WorkspaceId),
}

impl Storage {
    fn memory() -> Self {
        Self::Memory(MemoryStore::new())
    }

    fn embedded() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let url = format!("embedded:{}", place.path().display());
        Self::Embedded { url: url.parse().expect("a URL"), place }
    }

    /// A workspace of its own on a server that others use too, with a fact in its head: the log
    /// is trimmed behind the tables' watermark, and tables don't pass the log's end, but each suite
    /// has one of the two only.
    fn redis(server: &RedisServer, fact: &str) -> Self {
        static WORKSPACES: AtomicU64 = AtomicU64::new(0);
        let name = format!("ws-{}", WORKSPACES.fetch_add(1, Ordering::Relaxed));
        let workspace = WorkspaceId::parse(&name).expect("a slug");
        server.command(&format!("HSET rb:{{{workspace}}}:head {fact} 1000000"));
        Self::Redis(server.url().parse().expect("a URL"), workspace)
    }

    async fn open_both(&self) -> Result<OpenStore, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.open()),
            Self::Embedded { url, .. } => {
                url.open(&WorkspaceId::parse("ws").expect("a slug")).await
            }
            Self::Redis(url, workspace) => url.open(workspace).await,
        }
    }
}

impl LogStorage for Storage {
    fn open(&self) -> PortFuture<'_, Result<Box<dyn Log>, StoreError>> {
        Box::pin(async { self.open_both().await.map(|store| store.log) })
    }

    fn second(&self) -> SecondOpening {
        match self {
            Self::Memory(_) | Self::Redis(..) => SecondOpening::Fences,
            Self::Embedded { .. } => SecondOpening::Refused,
        }
    }
}

impl TablesStorage for Storage {
    fn open(&self) -> PortFuture<'_, Result<Arc<dyn Tables>, StoreError>> {
        Box::pin(async { self.open_both().await.map(|store| store.tables) })
    }

    fn second_fences(&self) -> bool {
        !matches!(self, Self::Embedded { .. })
    }
}

#[tokio::test]
async fn the_log_in_memory_keeps_its_promises() {
    log_suite::check(Storage::memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_tables_in_memory_keep_their_promises() {
    tables_suite::check(Storage::memory).await;
}

#[tokio::test]
async fn the_embedded_log_keeps_its_promises() {
    log_suite::check(Storage::embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_embedded_tables_keep_their_promises() {
    tables_suite::check(Storage::embedded).await;
}

/// All that is below a folder, byte for byte.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    all
}

/// They are asked while something is wrong, such as a full disk, and fjall takes nothing more after
/// a write that failed.
#[tokio::test]
async fn embedded_tables_that_are_asked_where_they_stand_write_nothing() {
    let storage = Storage::embedded();
    let Storage::Embedded { place, .. } = &storage else { unreachable!("it is") };
    let tables = TablesStorage::open(&storage).await.expect("the storage opens");
    assert_eq!(tables.take(1).await.expect("taken"), 0);
    let before = files(place.path());
    assert_eq!(tables.take(1).await.expect("taken"), 0);
    assert!(files(place.path()) == before, "a file is another");
    assert_eq!(tables.take(2).await.expect("taken"), 0);
    assert!(files(place.path()) != before, "a new epoch is written");
}

#[tokio::test]
async fn the_log_in_redis_keeps_its_promises() {
    let server = RedisServer::start();
    log_suite::check(|| Storage::redis(&server, "watermark")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_tables_in_redis_keep_their_promises() {
    let server = RedisServer::start();
    tables_suite::check(|| Storage::redis(&server, "last")).await;
}
