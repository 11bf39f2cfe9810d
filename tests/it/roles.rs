//! Who may see and do what: every route with every kind of credential.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::keys::sha256;
use crate::server::{Answer, LATER, SIGNING, Server, asap, booked, send};

fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SIGNING)).expect("a token")
}

fn claims(role: &str, subject: &str, exp: i64) -> Value {
    json!({"sub": subject, "role": role, "workspace": "main", "aud": "ringback", "exp": exp})
}

const NEVER: i64 = 4_000_000_000;

#[test]
fn nothing_answers_without_a_good_credential() {
    let server = Server::start();
    let api: Value = server.get("/openapi.json", "").body;
    let expired = token(&claims("admin", "root", 1_000_000_000));
    let unsigned = format!("{}.", &expired[..expired.rfind('.').expect("a dot")]);
    let elsewhere = json!({"sub": "root", "role": "admin", "workspace": "other",
                           "aud": "ringback", "exp": NEVER});
    let bad = ["", "wrong-key", &expired, &unsigned, &token(&elsewhere)];
    let mut tried = 0;
    for (path, methods) in api["paths"].as_object().expect("an object") {
        let path = path.replace("{id}", "01936b5e-3c5a-7cc0-8000-000000000001");
        let path = path.replace("{phone}", "%2B493012345678");
        for (method, described) in methods.as_object().expect("an object") {
            let open = described.get("security").is_some();
            if open || path.ends_with("/socket") {
                continue;
            }
            let credential = bad[tried % bad.len()];
            tried += 1;
            let request = server.request(&method.to_uppercase(), &path, credential);
            // 401 comes first: neither type nor JSON is looked at.
            let answer = send(request.body("{").header("Content-Type", "text/plain"));
            // Whoever guesses too often is told to wait, which is no way in either.
            if answer.status == 429 {
                answer.is_problem(429, "rate-limited");
                assert!(answer.header("retry-after").is_some());
            } else {
                answer.is_problem(401, "unauthorized");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            }
        }
    }
    assert!(tried >= 30, "only {tried} routes");
    assert_eq!(server.get("/v1/queues", "admin-key").status, 200, "who has a key gets in");
}

/// What a role that may ask gets, or one that may not.
fn expected(status: u16, may: bool) -> bool {
    if may { ![401, 403, 404, 405].contains(&status) } else { status == 403 }
}

/// A request with nothing in its body, where it has one.
fn ask(server: &Server, method: &str, path: &str, credential: &str) -> Answer {
    let request = server.request(&method.to_uppercase(), path, credential);
    let body = ["post", "put", "patch"].contains(&method);
    send(if body { request.json(&json!({})) } else { request })
}

/// A described path with something in its places.
fn filled_in(path: &str, id: &str) -> String {
    let path = path.replace("{id}", id).replace("{phone}", "%2B493012345678");
    path.replace("{token_sha256}", &sha256("a-key-by-the-way")).replace("{report}", id)
}

/// What a route is tried on.
fn subject<'a>(method: &str, path: &str, callback: &'a str) -> &'a str {
    match path.split('/').nth(2) {
        Some("queues") => "billing",
        // Made and removed by the way, so not those who ask.
        Some("agents") if method == "put" && path.ends_with("{id}") => "kim",
        Some("agents") if method == "delete" => "tom",
        Some("agents") => "mara",
        Some("webhooks") if method == "delete" => "old",
        Some("webhooks") => "crm",
        Some("reports") => "queues",
        _ => callback,
    }
}

/// What goes on and on, and what there must be a failure for.
fn has_tests_of_its_own(path: &str) -> bool {
    path.ends_with("/socket") || path == "/v1/events" || path.starts_with("/v1/outbox/failures/")
}

#[test]
fn each_route_is_for_the_roles_that_it_is_described_for() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let foreign = server.callback(&asap("030 123457"));
    let link = made["manage_token"].as_str().expect("a token");
    let acting = |role: &str| {
        let mut claims = claims(role, "someone", NEVER);
        claims["agent"] = json!("mara");
        token(&claims)
    };
    let (supervisor, admin) = (acting("supervisor"), acting("admin"));
    let credentials = [
        ("customer", link),
        ("channel", "portal-key"),
        ("agent", "mara-key-1"),
        ("supervisor", &supervisor),
        ("admin", &admin),
    ];
    for webhook in ["crm", "old"] {
        let body = json!({"url": "https://hooks.example", "active": false});
        let made = server.put(&format!("/v1/webhooks/{webhook}"), "admin-key", &body);
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let api = server.get("/openapi.json", "").body;
    let mut tried = 0;
    for (path, methods) in api["paths"].as_object().expect("an object") {
        for (method, described) in methods.as_object().expect("an object") {
            let roles = described["x-roles"].as_array().expect("a list");
            if roles.is_empty() || has_tests_of_its_own(path) {
                continue;
            }
            let id = subject(method, path, made["id"].as_str().expect("an id"));
            let at = |id: &str| filled_in(path, id);
            for (role, credential) in credentials {
                // Agents may change what they booked or hold, channels must name what they look
                // for: both have tests of their own.
                let else_where = (method == "patch" && role == "agent")
                    || (path == "/v1/callbacks" && method == "get" && role == "channel");
                if else_where {
                    continue;
                }
                tried += 1;
                // The one before may have removed it.
                if path.ends_with("{phone}") {
                    server.put(&at(id), "lead-key-1", &json!({}));
                } else if path.ends_with("{token_sha256}") {
                    server.put(&at(id), "admin-key", &json!({"role": "supervisor"}));
                }
                let ask = |path: &str| ask(&server, method, path, credential);
                let answer = ask(&at(id));
                let may = roles.contains(&json!(role));
                assert!(expected(answer.status, may), "{role}: {method} {path}: {}", answer.body);
                if role == "customer" && path.starts_with("/v1/callbacks/") {
                    let other = ask(&at(foreign["id"].as_str().expect("an id")));
                    other.is_problem(404, "not-found");
                }
            }
        }
    }
    assert!(tried > 150, "only {tried}");
}

#[test]
fn another_workspace_sees_nothing() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let id = made["id"].as_str().expect("an id");
    for action in ["", "/history", "/routing"] {
        let path = format!("/v1/callbacks/{id}{action}");
        server.get(&path, "other-admin").is_problem(404, "not-found");
    }
    let cancel = format!("/v1/callbacks/{id}/cancel");
    server.post(&cancel, "other-admin", &json!({})).is_problem(404, "not-found");
    let list = server.get("/v1/callbacks", "other-admin").body;
    assert_eq!(list["items"], json!([]));
    server.get("/v1/agents/mara", "other-admin").is_problem(404, "not-found");
    server.get("/v1/queues/sales", "other-admin").is_problem(404, "not-found");
    assert_eq!(server.get(&format!("/v1/callbacks/{id}"), "lead-key-1").body["state"], "queued");
}

#[test]
fn each_role_sees_its_own() {
    let server = Server::start();
    let billing = server.callback(&asap("030 123456"));
    let mut sales = asap("+4930123457");
    sales["queue"] = json!("sales");
    let sales = server.callback(&sales);
    let path = |made: &Value| format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    let status = |made: &Value, credential: &str| server.get(&path(made), credential).status;
    for credential in ["admin-key", "lead-key-1", "portal-key"] {
        assert_eq!((status(&billing, credential), status(&sales, credential)), (200, 200));
    }
    assert_eq!((status(&billing, "mara-key-1"), status(&sales, "mara-key-1")), (200, 404));
    assert_eq!((status(&billing, "tom-key-1"), status(&sales, "tom-key-1")), (404, 200));
    assert_eq!(status(&billing, "chat-key-1"), 404);
    let customer = billing["manage_token"].as_str().expect("a token");
    assert_eq!((status(&billing, customer), status(&sales, customer)), (200, 404));

    let ids = |query: &str, credential: &str| {
        let list = server.get(&format!("/v1/callbacks?{query}"), credential);
        assert_eq!(list.status, 200, "{}", list.body);
        let items = list.body["items"].as_array().expect("a list");
        items.iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids("", "mara-key-1"), [billing["id"].clone()]);
    assert_eq!(ids("", "tom-key-1"), [sales["id"].clone()]);
    assert_eq!(ids("queue=sales", "mara-key-1"), [] as [Value; 0]);
    assert_eq!(ids("phone=%2B4930123456", "portal-key"), [billing["id"].clone()]);
    assert_eq!(ids("phone=%2B4930123456", "chat-key-1"), [] as [Value; 0]);
    // What an agent booked stays theirs to see, whatever its queue.
    let mut booking = booked("+4930123458", LATER);
    booking["queue"] = json!("sales");
    let mine = server.post("/v1/callbacks", "mara-key-1", &booking).body;
    assert_eq!(status(&mine, "mara-key-1"), 200);
    assert_eq!(ids("", "mara-key-1").len(), 2);
    for refused in ["", "state=active", "queue=billing"] {
        let list = server.get(&format!("/v1/callbacks?{refused}"), "portal-key");
        list.is_problem(403, "forbidden");
    }
    server.get("/v1/callbacks", customer).is_problem(403, "forbidden");
}

#[test]
fn a_signed_token_is_as_good_as_a_key() {
    let server = Server::start();
    server.callback(&asap("030 123456"));
    let mara = token(&claims("agent", "mara", NEVER));
    let list = server.get("/v1/callbacks", &mara).body;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    server.get("/v1/queues", &mara).is_problem(403, "forbidden");
    assert_eq!(server.get("/v1/queues", &token(&claims("admin", "root", NEVER))).status, 200);
    let channel = json!({"sub": "bot", "role": "channel", "channel": "chat", "workspace": "main",
                         "aud": "ringback", "exp": NEVER});
    let made = server.post("/v1/callbacks", &token(&channel), &asap("030 123457"));
    assert_eq!(made.body["origin"]["channel"], "chat");
}

#[test]
fn a_role_may_do_what_is_its_own() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let id = made["id"].as_str().expect("an id");
    let customer = made["manage_token"].as_str().expect("a token").to_owned();
    let path = |action: &str| format!("/v1/callbacks/{id}/{action}");
    for action in ["accept", "decline", "call", "outcome", "end_call", "extend_wrap_up", "retry"] {
        for credential in ["portal-key", &customer, "lead-key-1"] {
            let answer = server.post(&path(action), credential, &json!({}));
            answer.is_problem(403, "forbidden");
        }
    }
    for action in ["requeue", "close", "assign"] {
        for credential in ["portal-key", &customer] {
            server.post(&path(action), credential, &json!({})).is_problem(403, "forbidden");
        }
    }
    for action in ["history", "routing"] {
        for credential in ["portal-key", &customer] {
            server.get(&path(action), credential).is_problem(403, "forbidden");
        }
        assert_eq!(server.get(&path(action), "mara-key-1").status, 200);
    }
    server.post("/v1/callbacks", &customer, &asap("030 1")).is_problem(403, "forbidden");
    for path in ["/v1/queues", "/v1/agents", "/v1/stats", "/v1/agent_status"] {
        for credential in ["portal-key", "mara-key-1", &customer] {
            server.get(path, credential).is_problem(403, "forbidden");
        }
        assert_eq!(server.get(path, "lead-key-1").status, 200);
    }
    assert_eq!(server.get("/v1/directory", "mara-key-1").status, 200);
    server.get("/v1/directory", "portal-key").is_problem(403, "forbidden");
    server.put("/v1/queues/billing", "lead-key-1", &json!({})).is_problem(403, "forbidden");
    server.delete("/v1/queues/billing", "lead-key-1").is_problem(403, "forbidden");
    server.delete("/v1/queues/nowhere", "lead-key-1").is_problem(404, "not-found");
}

#[test]
fn a_public_key_asks_for_callbacks_from_its_pages_and_nothing_else() {
    let server = Server::start();
    let ask = |origin: Option<&str>, body: &Value| {
        let mut request = server.request("POST", "/v1/callbacks", "public-key");
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        send(request.json(body))
    };
    let shop = Some("https://shop.example");
    ask(None, &asap("030 123456")).is_problem(403, "forbidden");
    ask(Some("https://evil.example"), &asap("030 123456")).is_problem(403, "forbidden");
    let made = ask(shop, &asap("030 123456"));
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().expect("an id");
    let mut urgent = asap("030 123457");
    urgent["priority"] = json!(9);
    assert_eq!(ask(shop, &urgent).pointers(), ["/priority"]);
    ask(shop, &asap("+14155550123")).is_problem(422, "phone-refused");
    server.get(&format!("/v1/callbacks/{id}"), "public-key").is_problem(403, "forbidden");
    server.get("/v1/callbacks?phone=%2B4930123456", "public-key").is_problem(403, "forbidden");
    // Three callbacks an hour from one address.
    for number in 0..2 {
        assert_eq!(ask(shop, &asap(&format!("030 12346{number}"))).status, 201);
    }
    let fourth = ask(shop, &asap("030 123463"));
    fourth.is_problem(429, "rate-limited");
    assert!(fourth.header("retry-after").is_some());
}
