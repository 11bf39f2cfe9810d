//! What was removed and is made anew has no version that the old one had, so that a tag of the old
//! one doesn't change the new one.

use serde_json::{Value, json};

use crate::keys::sha256;
use crate::server::{Answer, Server, send};

/// What has versions and can be removed: where it is, and what a PUT of it says.
fn things() -> [(String, Value); 5] {
    [
        ("/v1/queues/support".to_owned(), json!({"name": "Support"})),
        ("/v1/agents/kim".to_owned(), json!({"name": "Kim"})),
        ("/v1/webhooks/crm".to_owned(), json!({"url": "https://hooks.example/ringback"})),
        ("/v1/deny_list/%2B4930123456".to_owned(), json!({})),
        (format!("/v1/keys/{}", sha256("desk-key-1")), json!({"role": "supervisor"})),
    ]
}

/// Puts and removes it by turns; returns the tags that it had, the newest last.
fn tags(server: &Server, path: &str, body: &Value) -> Vec<String> {
    let mut tags = Vec::new();
    for _ in 0..3 {
        for expected in [201, 200, 200] {
            let put = server.put(path, "admin-key", body);
            assert_eq!(put.status, expected, "{path}: {}", put.body);
            tags.push(put.tag());
        }
        assert_eq!(server.delete(path, "admin-key").status, 204, "{path}");
    }
    let made = server.put(path, "admin-key", body);
    assert_eq!(made.status, 201, "{path}: {}", made.body);
    tags.push(made.tag());
    tags
}

fn put_for(server: &Server, path: &str, tag: &str, body: &Value) -> Answer {
    send(server.request("PUT", path, "admin-key").header("If-Match", tag).json(body))
}

#[test]
fn what_is_made_anew_has_no_version_of_the_one_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let had: Vec<Vec<String>> =
        things().iter().map(|(path, body)| tags(&server, path, body)).collect();
    for ((path, body), had) in things().iter().zip(&had) {
        let (newest, old) = had.split_last().expect("there are some");
        assert!(!old.contains(newest), "{path}: {newest} of {old:?}");
        for tag in old {
            put_for(&server, path, tag, body).is_problem(412, "version-stale");
        }
        assert_eq!(server.delete(path, "admin-key").status, 204, "{path}");
    }
    server.kill_now();
    drop(server);
    let server = Server::start_on(folder.path(), &store);
    for ((path, body), had) in things().iter().zip(&had) {
        let made = server.put(path, "admin-key", body);
        assert_eq!(made.status, 201, "{path}: {}", made.body);
        assert!(!had.contains(&made.tag()), "{path}: {} of {had:?}", made.tag());
    }
}
