//! A store that a newer release has written is refused, and left as it is.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ringback::store::keys::LAYOUT;

use crate::redis::RedisServer;
use crate::server::{Server, asap};

/// Starts a server that must not come up: its exit code, and what it logged.
fn refused(folder: &Path, store: &str) -> (Option<i32>, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_ringback"))
        .env_clear()
        .args(["serve", "--listen", "127.0.0.1:0", "--store", store, "--config"])
        .arg(folder.join("ringback.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // One that ends says nothing there; one that came up would go on and on.
    let mut told = String::new();
    let stdout = server.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut told).expect("UTF-8");
    if !told.is_empty() {
        server.kill().expect("it runs");
        server.wait().expect("it is our child");
    }
    assert_eq!(told, "", "it came up");
    let output = server.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[track_caller]
fn is_told((code, log): &(Option<i32>, String), place: &str) {
    assert_eq!(*code, Some(2), "{log}");
    let layouts = format!("has layout {}, and this release knows {LAYOUT}", LAYOUT + 1);
    assert!(log.contains(&layouts) && log.contains(place), "{log}");
}

#[test]
fn an_embedded_store_of_a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let store = format!("embedded:{}", data.display());
    let server = Server::start_on(folder.path(), &store);
    server.callback(&asap("030 123456"));
    server.kill_now();
    drop(server);
    let head = data.join("main/head");
    let ours = fs::read(&head).expect("the head");
    assert_eq!(ours[32..36], LAYOUT.to_le_bytes());
    let mut newer = ours[..32].to_vec();
    newer.extend((LAYOUT + 1).to_le_bytes());
    newer.extend(crc32fast::hash(&newer).to_le_bytes());
    fs::write(&head, &newer).expect("it is written");
    is_told(&refused(folder.path(), &store), &data.join("main").display().to_string());
    assert_eq!(fs::read(&head).expect("the head"), newer, "nothing was changed");

    // One from before the number was kept.
    let mut older = [b"RBHEAD01", &ours[8..32]].concat();
    older.extend(crc32fast::hash(&older).to_le_bytes());
    fs::write(&head, &older).expect("it is written");
    let server = Server::start_on(folder.path(), &store);
    let kept = server.get("/v1/callbacks", "lead-key-1").body;
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(fs::read(&head).expect("the head")[32..36], LAYOUT.to_le_bytes());
}

#[test]
fn a_store_in_redis_of_a_newer_layout_is_refused_and_stays_with_whoever_has_it() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_on(folder.path(), &redis.url());
    server.callback(&asap("030 123456"));
    let fact = |name: &str| redis.ask(&format!("HGET rb:{{main}}:head {name}"));
    assert_eq!(fact("layout"), format!("${}\r\n{LAYOUT}\r\n", LAYOUT.to_string().len()));
    let epoch = fact("epoch");
    redis.command(&format!("HSET rb:{{main}}:head layout {}", LAYOUT + 1));
    is_told(&refused(folder.path(), &redis.url()), "rb:{main}:head");
    assert_eq!(fact("epoch"), epoch, "it wasn't taken");
    server.callback(&asap("030 123457"));
    server.kill_now();
    drop(server);
    // One from before the number was kept.
    redis.command("HDEL rb:{main}:head layout");
    let server = Server::start_on(folder.path(), &redis.url());
    let kept = server.get("/v1/callbacks", "lead-key-1").body;
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(fact("layout"), format!("${}\r\n{LAYOUT}\r\n", LAYOUT.to_string().len()));
}
