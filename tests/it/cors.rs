//! What pages of other sites may read: those of a public key, and those that embed the desk.

use serde_json::{Value, json};

use crate::server::{Answer, Server, asap, patient, send};

const SHOP: &str = "https://shop.example";
const DESK: &str = "https://desk.example";

/// With a desk, a key for pages of this server, and another workspace's shop.
fn server() -> Server {
    let desk = format!("phone_requests_per_minute = 0\ndesk_origins = [\"{DESK}\"]");
    let own = r#"  [[workspace.key]]
  role = "channel"
  channel = "portal"
  public = true
  allowed_origins = ["self"]
  token = "own-page-key"
  [[workspace.queue]]
  id = "sales"
"#;
    let other = r#"id = "other"
  [[workspace.key]]
  role = "channel"
  channel = "chat"
  public = true
  allowed_origins = ["https://other.example"]
  token = "other-public-key"
"#;
    let config = patient()
        .replacen("phone_requests_per_minute = 0", &desk, 1)
        .replacen("  [[workspace.queue]]\n  id = \"sales\"\n", own, 1)
        .replacen("presence_reasons = [\"lunch\"]\n", "", 1)
        .replacen("id = \"other\"\n", other, 1);
    Server::start_configured(&config)
}

/// What a browser asks before a request.
fn before(server: &Server, method: &str, path: &str, origin: &str) -> Answer {
    let request = server.request("OPTIONS", path, "").header("Origin", origin);
    send(request.header("Access-Control-Request-Method", method))
}

/// What it is told that the page may do; none: nothing.
fn let_on(answer: &Answer) -> Option<(&str, &str)> {
    let methods = answer.header("access-control-allow-methods");
    answer.header("access-control-allow-origin").zip(methods)
}

fn asked(server: &Server, path: &str, token: &str, origin: &str) -> Answer {
    send(server.request("GET", path, token).header("Origin", origin))
}

fn readable(answer: &Answer) -> bool {
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("origin")));
    answer.header("access-control-allow-origin").is_some()
}

#[test]
fn a_browser_is_let_on_to_what_a_public_key_may_ask_for() {
    let server = server();
    let queue = "/v1/queues/billing";
    for (method, path, methods) in [
        ("GET", format!("{queue}/availability"), "GET, HEAD"),
        ("GET", format!("{queue}/slots"), "GET, HEAD"),
        ("POST", "/v1/callbacks".to_owned(), "GET, POST, HEAD"),
        ("POST", "/v1/callbacks/x/reschedule".to_owned(), "POST"),
        ("POST", "/v1/callbacks/x/cancel".to_owned(), "POST"),
    ] {
        for origin in [SHOP, "https://other.example", DESK] {
            let told = before(&server, method, &path, origin);
            assert_eq!(told.status, 204, "{path} {}", told.body);
            assert_eq!(let_on(&told), Some((origin, methods)), "{path}");
            let headers = told.header("access-control-allow-headers").expect("headers");
            assert!(headers.contains("authorization") && headers.contains("idempotency-key"));
            assert!(readable(&told));
        }
        for origin in ["https://evil.example", "http://shop.example", "null", "*", ""] {
            let told = before(&server, method, &path, origin);
            told.is_problem(403, "forbidden");
            assert_eq!(told.header("access-control-allow-origin"), None, "{path} {origin}");
        }
    }
}

#[test]
fn other_paths_are_for_the_sites_of_desks_alone() {
    let server = server();
    for path in ["/v1/agents", "/v1/stats", "/v1/events", "/v1/callbacks/x/accept", "/v1/queues"] {
        let told = before(&server, "GET", path, SHOP);
        told.is_problem(403, "forbidden");
        assert_eq!(told.header("access-control-allow-origin"), None, "{path}");
        assert!(let_on(&before(&server, "GET", path, DESK)).is_some(), "{path}");
    }
    // What has nothing to do with the API is let on to for nobody.
    assert_eq!(before(&server, "GET", "/agent", DESK).status, 405);
    let plain = send(server.request("OPTIONS", "/v1/callbacks", "").header("Origin", SHOP));
    plain.is_problem(405, "method-not-allowed");
}

#[test]
fn an_answer_is_read_by_the_sites_of_its_own_key_alone() {
    let server = server();
    let path = "/v1/queues/billing/availability";
    let told = asked(&server, path, "public-key", SHOP);
    assert_eq!(told.status, 200, "{}", told.body);
    assert!(readable(&told));
    assert_eq!(told.header("access-control-allow-origin"), Some(SHOP));
    for exposed in ["location", "retry-after", "etag", "idempotent-replayed"] {
        let all = told.header("access-control-expose-headers").expect("headers");
        assert!(all.split(", ").any(|one| one == exposed), "{exposed}");
    }
    assert_eq!(told.header("access-control-allow-credentials"), None);
    // The other workspace's site was let on, and its page learns nothing by this key.
    for origin in ["https://other.example", DESK, "https://evil.example"] {
        let told = asked(&server, path, "public-key", origin);
        told.is_problem(403, "forbidden");
        assert!(!readable(&told), "{origin}");
    }
    // A secret key doesn't belong into a page.
    let secret = asked(&server, path, "portal-key", SHOP);
    assert_eq!(secret.status, 200);
    assert!(!readable(&secret));
    let desk = asked(&server, "/v1/directory", "mara-key-1", DESK);
    assert_eq!((desk.status, readable(&desk)), (200, true));
    // A page must be able to say that its key isn't valid.
    let unknown = asked(&server, path, "no-such-key", SHOP);
    unknown.is_problem(401, "unauthorized");
    assert!(readable(&unknown));
}

#[test]
fn a_callback_is_followed_from_the_page_that_asked_for_it() {
    let server = server();
    let request = server.request("POST", "/v1/callbacks", "public-key").header("Origin", SHOP);
    let made = send(request.json(&asap("030 123456")));
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(readable(&made));
    let token = made.body["manage_token"].as_str().expect("a token");
    let path = format!("/v1/callbacks/{}", made.body["id"].as_str().expect("an id"));
    for (origin, may) in [(SHOP, true), (DESK, true), ("https://other.example", false)] {
        let told = asked(&server, &path, token, origin);
        assert_eq!((told.status, readable(&told)), (200, may), "{origin}");
    }
    let cancel = server.request("POST", &format!("{path}/cancel"), token).header("Origin", SHOP);
    let canceled = send(cancel.json(&json!({})));
    assert_eq!((canceled.status, readable(&canceled)), (200, true), "{}", canceled.body);
    assert_eq!(canceled.body["state"], "canceled");
}

#[test]
fn the_servers_own_page_uses_the_key_that_names_it() {
    let server = server();
    let keys = send(server.request("GET", "/callback.json", "")).body;
    assert_eq!(keys, json!({"keys": [{"workspace": "main", "key": "own-page-key"}]}));
    let path = "/v1/queues/billing/availability";
    let from = |site: &str| {
        send(server.request("GET", path, "own-page-key").header("Sec-Fetch-Site", site))
    };
    assert_eq!(from("same-origin").status, 200);
    for site in ["cross-site", "same-site", "none"] {
        from(site).is_problem(403, "forbidden");
    }
    server.get(path, "own-page-key").is_problem(403, "forbidden");
    // Another key isn't meant for it.
    let other = server.request("GET", path, "public-key").header("Sec-Fetch-Site", "same-origin");
    send(other).is_problem(403, "forbidden");
    let ask = |origin: &str| {
        let request = server.request("POST", "/v1/callbacks", "own-page-key");
        send(request.header("Origin", origin).json::<Value>(&asap("030 123457")))
    };
    assert_eq!(ask("https://callbacks.example").status, 201);
    ask(SHOP).is_problem(403, "forbidden");
}
