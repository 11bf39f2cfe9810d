//! Redis in trouble: killed, stopped, emptied, full, or set up so that it would lose data.

use std::time::Duration;

use bytes::Bytes;
use ringback::domain::ids::WorkspaceId;
use ringback::engine::ports::{
    EntryNumber, Log, RangeRead, RowKey, RowWrite, StoreError, Table, TableBatch,
};
use ringback::store::{OpenStore, StoreUrl};

use crate::redis_server::{RedisServer, now};

/// A stalled server is an error within this, and flows again within this after it is back: much
/// longer than the store waits for an answer, so that a busy machine isn't taken for a hang.
const WITHIN: Duration = Duration::from_secs(10);

const TABLE: Table = Table::ordered(0, "t");

async fn open(server: &RedisServer) -> OpenStore {
    let url: StoreUrl = server.url().parse().expect("a URL");
    let workspace = WorkspaceId::parse("acme").expect("a slug");
    url.open(&workspace).await.expect("opening needs no server")
}

async fn taken(server: &RedisServer) -> OpenStore {
    let mut store = open(server).await;
    let state = store.log.take().await.expect("taken");
    store.tables.take(state.epoch).await.expect("taken");
    store
}

fn entry(number: EntryNumber) -> Bytes {
    Bytes::from(format!("entry {number}"))
}

/// Sends one entry until it is acknowledged, as the journal does; says how long it took.
async fn append_until_done(log: &mut Box<dyn Log>, number: EntryNumber) -> Duration {
    let start = now();
    loop {
        match log.append(number, vec![entry(number)]).await {
            Ok(()) => return start.elapsed(),
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("entry {number}: {error}"),
        }
        assert!(start.elapsed() < Duration::from_secs(20), "entry {number} never goes through");
        tokio::task::yield_now().await;
    }
}

async fn assert_has_all(log: &mut Box<dyn Log>, last: EntryNumber) {
    let found = log.read(1, usize::MAX).await.expect("readable");
    assert_eq!(found.len() as u64, last);
    for (number, found) in (1..).zip(found) {
        assert_eq!((found.number, found.bytes), (number, entry(number)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_appends_it_keeps_every_acknowledged_one() {
    let mut server = RedisServer::start();
    let mut store = taken(&server).await;
    let (done, mut progress) = tokio::sync::watch::channel(0);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writer = tokio::spawn(async move {
        let mut number = 0;
        while !*stopped.borrow() {
            number += 1;
            append_until_done(&mut store.log, number).await;
            done.send_replace(number);
        }
        (store, number)
    });
    for _ in 0..4 {
        let next = *progress.borrow() + 50;
        progress.wait_for(|&number| number >= next).await.expect("the writer runs");
        server.kill();
        server.restart();
        let back = now();
        let next = *progress.borrow() + 1;
        progress.wait_for(|&number| number >= next).await.expect("the writer runs");
        assert!(back.elapsed() < WITHIN, "flows again only after {:?}", back.elapsed());
    }
    stop.send_replace(true);
    let (mut store, last) = writer.await.expect("the writer ends");
    assert!(last > 200);
    assert_has_all(&mut store.log, last).await;
}

#[tokio::test]
async fn stopped_it_is_unavailable_in_time_and_goes_on_afterwards() {
    let server = RedisServer::start();
    let mut store = taken(&server).await;
    store.log.append(1, vec![entry(1)]).await.expect("written");
    server.freeze();
    let key = RowKey { table: TABLE, key: Bytes::from_static(b"k") };
    let read =
        RangeRead { table: TABLE, start: Bytes::new(), end: None, reverse: false, limit: 10 };
    for _ in 0..2 {
        let start = now();
        let write = store.log.append(2, vec![entry(2)]).await;
        assert!(matches!(write, Err(StoreError::Unavailable(_))), "{write:?}");
        assert!(start.elapsed() < WITHIN, "{:?}", start.elapsed());
    }
    let start = now();
    let (get, range) = tokio::join!(store.tables.get(vec![key]), store.tables.range(read));
    assert!(matches!(get, Err(StoreError::Unavailable(_))), "{get:?}");
    assert!(matches!(range, Err(StoreError::Unavailable(_))), "{range:?}");
    assert!(start.elapsed() < WITHIN, "{:?}", start.elapsed());
    server.thaw();
    // What timed out was done or is done now, once in either case.
    let took = append_until_done(&mut store.log, 2).await;
    assert!(took < WITHIN, "{took:?}");
    append_until_done(&mut store.log, 3).await;
    assert_has_all(&mut store.log, 3).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_taken_once_it_is() {
    let mut server = RedisServer::start();
    server.kill();
    let mut store = open(&server).await;
    let start = now();
    let refused = store.log.take().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(start.elapsed() < WITHIN, "{:?}", start.elapsed());
    server.restart();
    let back = now();
    while store.log.take().await.is_err() {
        assert!(back.elapsed() < WITHIN, "{:?}", back.elapsed());
    }
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_an_error_like_any_other() {
    let server = RedisServer::start();
    let url: StoreUrl = server.url().replace("redis:", "rediss:").parse().expect("a URL");
    let workspace = WorkspaceId::parse("acme").expect("a slug");
    let mut store = url.open(&workspace).await.expect("opening needs no server");
    let refused = store.log.take().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

/// A server that refuses to talk says why, and is used as soon as it doesn't refuse any more.
#[tokio::test]
async fn a_refused_greeting_is_told_and_not_kept() {
    let server = RedisServer::start();
    let url = server.url().replace("redis://", "redis://ringback:secret@");
    let url: StoreUrl = url.parse().expect("a URL");
    let workspace = WorkspaceId::parse("acme").expect("a slug");
    let mut store = url.open(&workspace).await.expect("opening needs no server");
    let refused = store.log.take().await.expect_err("there is no such user");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert!(!refused.to_string().contains("no answer"), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
    server.command("ACL SETUSER ringback on >secret ~* &* +@all");
    store.log.take().await.expect("now there is");
}

/// An emptied store is never read as one without rows.
async fn assert_reads_nothing(store: &OpenStore) {
    let key = || RowKey { table: TABLE, key: Bytes::from_static(b"k") };
    let all =
        || RangeRead { table: TABLE, start: Bytes::new(), end: None, reverse: false, limit: 10 };
    let start = now();
    loop {
        let (get, range) = tokio::join!(store.tables.get(vec![key()]), store.tables.range(all()));
        let reasons = [get.map(|_| ()), range.map(|_| ())].map(|read| match read {
            Err(StoreError::Unavailable(reason)) => reason,
            other => panic!("{other:?}"),
        });
        if reasons.iter().all(|reason| reason.contains("emptied")) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{reasons:?}");
    }
}

#[tokio::test]
async fn emptied_it_is_noticed_by_the_next_write_and_by_its_instance() {
    let mut server = RedisServer::start();
    let mut store = taken(&server).await;
    let before = store.log.state().await.expect("a state");
    store.log.append(1, vec![entry(1)]).await.expect("written");
    let row = |number| batch(number, number);
    store.tables.apply(row(1)).await.expect("applied");
    server.restart_empty();
    assert_reads_nothing(&store).await;
    let start = now();
    let write = loop {
        match store.log.append(2, vec![entry(2)]).await {
            Err(StoreError::Unavailable(_)) if start.elapsed() < WITHIN => {}
            other => break other,
        }
    };
    assert!(matches!(write, Err(StoreError::Gap { found: 0, first: 2 })), "{write:?}");
    let batch = loop {
        match store.tables.apply(row(2)).await {
            Err(StoreError::Unavailable(_)) if start.elapsed() < WITHIN => {}
            other => break other,
        }
    };
    assert!(matches!(batch, Err(StoreError::Gap { found: 0, first: 2 })), "{batch:?}");
    let after = store.log.state().await.expect("a state");
    assert_ne!(after.instance, before.instance);
    assert_reads_nothing(&store).await;
    assert_eq!((after.epoch, after.first, after.last), (before.epoch, 1, 0));
    assert_eq!(store.tables.take(after.epoch).await.expect("taken"), 0);
    // Written again from memory, by the same holder, under the same epoch.
    store.log.append(1, vec![entry(1), entry(2)]).await.expect("written again");
    store.tables.apply(row(1)).await.expect("applied again");
    assert_has_all(&mut store.log, 2).await;
}

#[tokio::test]
async fn full_it_is_unavailable_for_writes_and_still_read() {
    let server = RedisServer::start_with(&["--maxmemory", "4mb"]);
    let mut store = taken(&server).await;
    // As if the tables had everything.
    server.command("HSET rb:{acme}:head watermark 200");
    let mut refused = None;
    for number in 1..=200 {
        if let Err(error) = store.log.append(number, vec![Bytes::from(vec![1; 100_000])]).await {
            refused = Some((number, error));
            break;
        }
    }
    let (number, error) = refused.expect("4 MB hold no 20 MB");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert_eq!(store.log.read(1, 500).await.expect("readable").len() as u64, number - 1);
    // As full as it is, it can be trimmed, and takes the refused one then.
    store.log.trim(number).await.expect("trims");
    store.log.append(number, vec![entry(number)]).await.expect("there is room");
}

fn batch(from: EntryNumber, to: EntryNumber) -> TableBatch {
    let key = RowKey { table: TABLE, key: Bytes::from_static(b"k") };
    TableBatch { from, to, runs: vec![[RowWrite { key, value: Some(Bytes::new()) }].into()] }
}

#[tokio::test]
async fn the_log_keeps_what_the_tables_lack_whatever_it_is_told() {
    let server = RedisServer::start();
    let mut store = taken(&server).await;
    for number in 1..=6 {
        store.log.append(number, vec![entry(number)]).await.expect("written");
    }
    store.log.trim(7).await.expect("a command");
    assert_eq!(store.log.state().await.expect("a state").first, 1, "the tables have nothing");
    store.tables.apply(batch(1, 4)).await.expect("applied");
    store.log.trim(7).await.expect("a command");
    assert_eq!(store.log.state().await.expect("a state").first, 5);
    store.tables.apply(batch(5, 6)).await.expect("applied");
    store.log.trim(6).await.expect("a command");
    assert_eq!(store.log.state().await.expect("a state").first, 6, "no more than it is told");
    store.log.trim(7).await.expect("a command");
    let state = store.log.state().await.expect("a state");
    assert_eq!((state.first, state.last), (7, 6), "an empty log knows its end");
}

#[tokio::test]
async fn the_tables_dont_pass_the_end_of_the_log() {
    let server = RedisServer::start();
    let mut store = taken(&server).await;
    store.log.append(1, vec![entry(1), entry(2)]).await.expect("written");
    let past = store.tables.apply(batch(1, 3)).await;
    assert!(matches!(past, Err(StoreError::Gap { found: 0, first: 1 })), "{past:?}");
    let key = RowKey { table: TABLE, key: Bytes::from_static(b"k") };
    assert_eq!(store.tables.get(vec![key.clone()]).await.expect("readable"), [None]);
    store.log.append(3, vec![entry(3)]).await.expect("written");
    store.tables.apply(batch(1, 3)).await.expect("now the log has them");
    assert_eq!(store.tables.get(vec![key]).await.expect("readable"), [Some(Bytes::new())]);
}

#[tokio::test]
async fn a_key_of_another_type_lets_no_batch_count_as_written() {
    let server = RedisServer::start();
    let mut store = taken(&server).await;
    store.log.append(1, vec![entry(1)]).await.expect("written");
    let key = RowKey { table: TABLE, key: Bytes::from_static(b"k") };
    for (name, foreign) in [("values", "rb:{acme}:t:t"), ("order", "rb:{acme}:z:t")] {
        server.command(&format!("SET {foreign} x"));
        for attempt in 1..=2 {
            let refused = store.tables.apply(batch(1, 1)).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{name}, {attempt}");
        }
        server.command(&format!("DEL {foreign}"));
    }
    let state = store.log.state().await.expect("a state");
    store.log.trim(2).await.expect("a command");
    assert_eq!((state.first, store.log.state().await.expect("a state").first), (1, 1));
    store.tables.apply(batch(1, 1)).await.expect("nothing is in the way");
    let read =
        RangeRead { table: TABLE, start: Bytes::new(), end: None, reverse: false, limit: 10 };
    assert_eq!(store.tables.range(read).await.expect("readable").len(), 1);
    assert_eq!(store.tables.get(vec![key]).await.expect("readable"), [Some(Bytes::new())]);
}

#[tokio::test]
async fn durability_is_judged_by_what_the_server_says() {
    let durable = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let losing =
        RedisServer::start_with(&["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]);
    let judged = async |server: &RedisServer| {
        let url: StoreUrl = server.url().parse().expect("a URL");
        url.durability().await.expect("reachable")
    };
    let found = judged(&durable).await;
    assert!(found.is_proven(), "{found:?}");
    let found = judged(&losing).await;
    assert_eq!((found.warnings.len(), found.unchecked.len()), (2, 0), "{found:?}");
    let forbidden = RedisServer::start_with(&[
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--rename-command",
        "CONFIG",
        "",
    ]);
    let found = judged(&forbidden).await;
    assert_eq!((found.warnings.len(), found.unchecked.len()), (0, 2), "{found:?}");
}
