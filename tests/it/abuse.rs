//! Hostile requests: each is refused with a problem, soon, and the server goes on.

use serde_json::{Value, json};

use crate::server::{Server, asap, send};

fn create(server: &Server, content_type: &str, body: impl Into<Vec<u8>>) -> crate::server::Answer {
    let request = server.request("POST", "/v1/callbacks", "portal-key");
    send(request.header("Content-Type", content_type).body(body.into()))
}

#[test]
fn what_is_not_json_is_malformed_and_what_does_not_fit_is_invalid() {
    let server = Server::start();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for text in [
        "",
        " ",
        "{",
        "nonsense",
        "{\"a\": 1}{",
        "\u{feff}{}",
        "{'queue': 1}",
        "{\"queue\": \"a\nb\"}",
    ] {
        create(&server, "application/json", text).is_problem(400, "malformed");
    }
    create(&server, "application/json", b"{\"queue\": \"\xff\"}".to_vec())
        .is_problem(400, "malformed");
    for text in ["null", "[]", "1", "\"x\"", "{}", "{\"queue\": null}", &nested(32)] {
        create(&server, "application/json", text).is_problem(422, "invalid");
    }
    // JSON by its grammar, and yet nothing that anybody could mean.
    for text in [
        "{\"queue\": \"\\ud800\"}",
        "{\"queue\": \"billing\", \"queue\": \"sales\"}",
        "{\"size\": 1e999}",
        &nested(33),
        &nested(30_000),
    ] {
        let refused = create(&server, "application/json", text);
        assert_eq!(refused.pointers(), [""], "{text}");
    }
}

#[test]
fn types_and_sizes_are_looked_at_before_the_json() {
    let server = Server::start();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""] {
        create(&server, content_type, "{").is_problem(415, "unsupported-media-type");
    }
    let packed = server.request("POST", "/v1/callbacks", "portal-key");
    let packed =
        packed.header("Content-Type", "application/json").header("Content-Encoding", "gzip");
    send(packed.body("x")).is_problem(415, "unsupported-media-type");
    let filled = |size: usize| {
        let mut body = asap("030 123456");
        let empty = body.to_string().len();
        body["description"] = json!("");
        let with = body.to_string().len();
        body["description"] = json!("x".repeat(size - with));
        assert!(with > empty);
        body.to_string()
    };
    let exact = create(&server, "application/json", filled(64 * 1_024));
    assert_eq!(exact.pointers(), ["/description"], "64 KiB are read");
    create(&server, "application/json", filled(64 * 1_024 + 1)).is_problem(413, "too-large");
    create(&server, "text/plain", "x".repeat(100_000)).is_problem(415, "unsupported-media-type");
    // Chunks add up too.
    let mut chunked = b"POST /v1/callbacks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer portal-key\
        \r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..9 {
        chunked.extend(format!("{:x}\r\n{}\r\n", 8_192, " ".repeat(8_192)).bytes());
    }
    let answer = server.raw(&chunked);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[test]
fn texts_come_back_as_they_came() {
    let server = Server::start();
    let hostile = "<script>alert(1)</script>\u{0}\u{202e}\u{2028}\"'\\\r\n{{7*7}}${x}";
    let line: String = hostile.chars().filter(|c| !c.is_control()).collect();
    let mut body = asap("030 123456");
    body["description"] = json!(hostile);
    for field in ["short_description", "reason"] {
        body[field] = json!(line);
    }
    body["customer"]["name"] = json!(line);
    body["context"] = json!({"attributes": {hostile: hostile}});
    let made = server.callback(&body);
    let shown =
        server.get(&format!("/v1/callbacks/{}", made["id"].as_str().expect("id")), "lead-key-1");
    for place in ["/customer/name", "/short_description", "/reason", "/description", "/context"] {
        assert_eq!(shown.body.pointer(place), body.pointer(place), "{place}");
    }
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn what_stands_on_one_line_has_no_control_characters() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("id"));
    for bad in ["a\u{0}b", "Ada\r\nBcc: eve@example.com", "a\tb", "\u{7f}a", "a\u{85}b"] {
        for place in ["/customer/name", "/short_description", "/reason", "/external_id"] {
            let mut body = asap("030 123457");
            for field in ["short_description", "reason", "external_id"] {
                body[field] = json!("good");
            }
            *body.pointer_mut(place).expect("it is there") = json!(bad);
            assert_eq!(server.post("/v1/callbacks", "portal-key", &body).pointers(), [place]);
        }
        let fields = json!({"customer": {"name": bad}, "short_description": bad, "reason": bad});
        let mut refused = server.patch(&path, "lead-key-1", &fields).pointers().join(" ");
        refused.insert(0, ' ');
        for place in [" /customer/name", " /short_description", " /reason"] {
            assert!(refused.contains(place), "{refused}");
        }
        let reason = json!({"reason": bad});
        let cancel = server.post(&format!("{path}/cancel"), "portal-key", &reason);
        assert_eq!(cancel.pointers(), ["/reason"]);
        let away = json!({"presence": "away", "reason": bad});
        let away = server.put("/v1/agents/mara/presence", "mara-key-1", &away);
        assert_eq!(away.pointers(), ["/reason"]);
        let denied = server.put("/v1/deny_list/%2B4930123456", "lead-key-1", &reason);
        assert_eq!(denied.pointers(), ["/reason"]);
    }
}

#[test]
fn numbers_that_cost_are_refused() {
    let server = Server::start();
    for phone in ["112", "110", "+49 900 1234567", "+49 180 5012345", "+870 773 111 632"] {
        let refused = server.post("/v1/callbacks", "portal-key", &asap(phone));
        let problem = refused.is_problem(422, "phone-refused");
        assert_eq!(problem["errors"][0]["pointer"], "/customer/phone");
    }
}

#[test]
fn one_number_is_asked_for_five_times_a_minute() {
    let server = Server::start();
    let ask = |key: &str, credential: &str| {
        let request = server.request("POST", "/v1/callbacks", credential);
        send(request.header("Idempotency-Key", key).json(&asap("030 123456")))
    };
    let mut seen = Vec::new();
    for number in 0..100 {
        seen.push(ask(&format!("k{number}"), "portal-key").status);
    }
    assert!(seen[..5].iter().all(|status| [200, 201].contains(status)), "{seen:?}");
    assert!(seen[5..].iter().all(|status| *status == 429), "{seen:?}");
    let refused = ask("k100", "chat-key-1");
    refused.is_problem(429, "rate-limited");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(ask("k0", "portal-key").status, seen[0], "a repetition is answered");
    assert_eq!(ask("k101", "lead-key-1").status, 201, "what is booked inside doesn't count");
}

#[test]
fn a_header_that_can_be_meant_once_is_refused_where_it_stands_twice() {
    let server = Server::start();
    let post = || server.request("POST", "/v1/callbacks", "portal-key");
    let body = asap("+4930123456").to_string();
    let json = ("Content-Type", "application/json");
    let two_types = post().header(json.0, json.1).header(json.0, "text/plain").body(body.clone());
    let two_credentials = post().header("Authorization", "Bearer admin-key").body(body);
    for (name, request) in
        [("content-type", two_types), ("authorization", two_credentials.header(json.0, json.1))]
    {
        let refused = send(request);
        let problem = refused.is_problem(400, "malformed");
        assert!(problem["detail"].as_str().is_some_and(|told| told.contains(name)), "{problem}");
    }
    let open = server.request("GET", "/healthz", "").header(json.0, json.1).header(json.0, "x/y");
    assert_eq!(send(open).status, 200, "where nobody asks what stands there it is as good");
}

#[test]
fn unknown_paths_and_methods_are_problems_too() {
    let server = Server::start();
    for path in [
        "/v1",
        "/v1/callbacks/",
        "//v1/callbacks",
        "/v1/callbacks/x/y/z",
        "/v1/slots",
        "/v1/webhooks/x",
        "/v1/callbacks/%00/cancel/x",
    ] {
        server.get(path, "admin-key").is_problem(404, "not-found");
    }
    for id in ["x", "%00", "..%2f..%2fetc", "01936B5E3C5A7CC08000000000000001", "%ff"] {
        server.get(&format!("/v1/callbacks/{id}"), "admin-key").is_problem(404, "not-found");
    }
    let wrong = server.request("DELETE", "/v1/callbacks", "admin-key");
    let wrong = send(wrong);
    wrong.is_problem(405, "method-not-allowed");
    assert_eq!(wrong.header("allow"), Some("GET, POST, HEAD"));
    for method in ["TRACE", "OPTIONS", "PROPFIND"] {
        send(server.request(method, "/v1/queues/billing", ""))
            .is_problem(405, "method-not-allowed");
    }
}

#[test]
fn a_body_that_trickles_is_given_up() {
    let server = Server::start();
    // The server of these tests waits for bodies for two seconds; this client for fifteen.
    let answer = server.raw(
        b"POST /v1/callbacks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer portal-key\r\n\
          Content-Type: application/json\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{",
    );
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("/problems/too-slow"), "{answer}");
    assert_eq!(server.get("/healthz", "").status, 200);
}

#[test]
fn a_body_in_chunks_that_never_ends_doesnt_keep_the_connection() {
    let server = Server::start();
    for (head, status) in [
        ("POST /v1/callbacks", "401"),
        ("POST /v1/nothing", "404"),
        ("GET /agent", "200"),
        ("POST /v1/callbacks HTTP/1.1\r\nAuthorization: Bearer portal-key", "415"),
    ] {
        let head = if head.contains("HTTP") { head.to_owned() } else { format!("{head} HTTP/1.1") };
        let rest = "\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n";
        // It reads until the server ends the connection.
        let answer = server.raw(format!("{head}{rest}").as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
    }
}

#[test]
fn requests_that_could_be_read_twice_are_not_taken() {
    let server = Server::start();
    let head = "POST /v1/callbacks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer portal-key\r\n\
                Content-Type: application/json\r\nConnection: close\r\n";
    for smuggled in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: -2\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    ] {
        let answer = server.raw(format!("{head}{smuggled}").as_bytes());
        let refused = answer.starts_with("HTTP/1.1 4") || answer.is_empty();
        assert!(refused, "{smuggled:?}: {answer}");
    }
}

#[test]
fn no_answer_shows_what_is_inside() {
    let server = Server::start();
    let mut seen = Vec::new();
    for path in ["/v1/callbacks/x", "/nothing", "/v1/queues?limit=x", "/v1/callbacks?q=%ff"] {
        seen.push(server.get(path, "admin-key").body.to_string());
    }
    seen.push(create(&server, "application/json", "{").body.to_string());
    let odd: Value = json!({"queue": {"$ne": 1}, "type": ["asap"], "customer": "x"});
    seen.push(server.post("/v1/callbacks", "portal-key", &odd).body.to_string());
    for text in seen {
        for inside in ["panicked", "src/", ".rs", "actix", "serde", "<html", "RUST_BACKTRACE"] {
            assert!(!text.contains(inside), "{text}");
        }
    }
}
