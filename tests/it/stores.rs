//! One walk through every route on each store: answers as described, lists as a plain model has
//! them, and after a `kill -9` everything as it was.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::keys::sha256;
use crate::lists::check_lists;
use crate::redis::RedisServer;
use crate::schema::Api;
use crate::server::{Answer, LATER, Server, asap, booked, send, slot};

/// A server, and what it says of itself; every answer is held against that.
pub(crate) struct Walk {
    pub(crate) server: Server,
    api: Api,
    walked: RefCell<BTreeSet<(String, String)>>,
}

impl Walk {
    fn begin(server: Server) -> Self {
        let api = Api(server.get("/openapi.json", "").body);
        assert_eq!(api.faults(), [""; 0]);
        Self { server, api, walked: RefCell::default() }
    }

    /// The server was started again.
    fn go_on(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// Asks and holds the answer against the description; `route` has `{id}` where `id` goes.
    #[track_caller]
    pub(crate) fn ask(
        &self,
        (method, route): (&str, &str),
        id: &str,
        credential: &str,
        body: Option<(&str, &Value)>,
    ) -> Answer {
        let (template, query) = route.split_once('?').unwrap_or((route, ""));
        let names = ["{id}", "{phone}", "{token_sha256}", "{report}", "{name}"];
        let path = names.iter().fold(route.to_owned(), |path, name| path.replace(name, id));
        let request = self.server.request(method, &path, credential);
        let answer = send(match body {
            Some(("", body)) => request.json(body),
            Some((key, body)) => request.header("Idempotency-Key", key).json(body),
            None => request,
        });
        let faults = self.api.differs(method, template, answer.status, &answer.body);
        assert_eq!(faults, [""; 0], "{method} {path}?{query}: {}", answer.body);
        if answer.status < 300 {
            self.walked.borrow_mut().insert((method.to_lowercase(), template.to_owned()));
        }
        answer
    }

    #[track_caller]
    pub(crate) fn get(&self, route: &str, id: &str, credential: &str) -> Value {
        let answer = self.ask(("GET", route), id, credential, None);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    #[track_caller]
    fn act(&self, action: &str, id: &str, credential: &str, body: &Value) -> Value {
        let route = format!("/v1/callbacks/{{id}}/{action}");
        let answer = self.ask(("POST", &route), id, credential, Some(("", body)));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    #[track_caller]
    fn put(&self, route: &str, id: &str, credential: &str, body: &Value) -> Answer {
        self.ask(("PUT", route), id, credential, Some(("", body)))
    }

    #[track_caller]
    fn create(&self, credential: &str, body: &Value) -> Value {
        let made = self.ask(("POST", "/v1/callbacks"), "", credential, Some(("", body)));
        assert_eq!(made.status, 201, "{}", made.body);
        made.body
    }

    /// Described routes that weren't walked.
    fn missed(&self) -> Vec<String> {
        // Pages and files have no shape of their own; what goes on and on has its own tests.
        let other = |path: &str| {
            ["/docs", "/metrics", "/openapi.json", "/v1/events"]
                .iter()
                .any(|one| path.starts_with(one))
                || path.ends_with("/socket")
                // Nothing is given up here; tests of the outbox see to that.
                || path == "/v1/outbox/failures/{id}/retry"
        };
        let walked = self.walked.borrow();
        let paths = self.api.0["paths"].as_object().expect("paths");
        let routes = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.keys().map(move |method| (method.clone(), path.clone()))
        });
        let missed = routes.filter(|route| !walked.contains(route) && !other(&route.1));
        missed.map(|(method, path)| format!("{method} {path}")).collect()
    }
}

pub(crate) fn id_of(callback: &Value) -> &str {
    callback["id"].as_str().expect("an id")
}

/// Queues and agents: made, shown, listed, replaced, removed.
fn set_up(walk: &Walk) {
    let (queue, agent) = ("/v1/queues/{id}", "/v1/agents/{id}");
    let support = json!({
        "name": "Support", "labels": {"de": "Hilfe"}, "time_zone": "Europe/Berlin",
        "hours": [{"days": ["mon", "sun"], "from": "00:00", "to": "24:00"}],
        "exceptions": [{"date": "2026-12-25", "closed": true}],
        "contact_hours": {"from": "00:00", "to": "24:00"}, "default_region": "AT",
        "allowed_regions": ["AT", "DE"], "media": ["voice", "video"],
        "requirements": [{"skill": "french", "min_level": 2}], "strategy": "round_robin",
        "reasons": [{"id": "invoice", "labels": {"en": "Invoice"}}],
        "dispositions": [{"id": "sold", "resolved": true}],
        "decline_reasons": [{"id": "rude", "reassignable": false}],
        "retry_delays_minutes": {"busy": 1}, "slot_capacity": {"voice": 2, "video": 1},
    });
    assert_eq!(walk.put(queue, "support", "admin-key", &support).status, 201);
    let shown = walk.get(queue, "support", "lead-key-1");
    assert_eq!(walk.put(queue, "support", "admin-key", &shown).status, 200);
    assert_eq!(walk.get(queue, "support", "lead-key-1"), shown);
    walk.get("/v1/queues", "", "lead-key-1");
    let kim = json!({
        "name": "Kim", "queues": ["billing", {"queue": "support", "preference": 2}],
        "skills": {"french": 4, "refunds": {"level": 2, "preference": 3}},
        "capacity": {"units": 3, "voice": 2, "video": 1},
    });
    assert_eq!(walk.put(agent, "kim", "admin-key", &kim).status, 201);
    let shown = walk.get(agent, "kim", "lead-key-1");
    assert_eq!(walk.put(agent, "kim", "admin-key", &shown).status, 200);
    assert_eq!(walk.get(agent, "kim", "lead-key-1"), shown);
    walk.get("/v1/agents", "", "lead-key-1");
    let webhook = "/v1/webhooks/{id}";
    let hooks = json!({"url": "https://hooks.example", "types": ["queue.*"], "channels": ["chat"]});
    for id in ["crm", "old"] {
        assert_eq!(walk.put(webhook, id, "admin-key", &hooks).status, 201);
    }
    let shown = walk.get(webhook, "crm", "admin-key");
    assert_eq!(walk.put(webhook, "crm", "admin-key", &shown).status, 200);
    walk.get("/v1/webhooks", "", "admin-key");
    assert_eq!(walk.ask(("DELETE", webhook), "old", "admin-key", None).status, 204);
    keys(walk);
    for (route, id) in [(queue, "support"), (agent, "kim")] {
        // A queue that an agent serves goes, and the agent stays.
        assert_eq!(walk.ask(("DELETE", route), id, "admin-key", None).status, 204);
        walk.ask(("GET", route), id, "admin-key", None).is_problem(404, "not-found");
    }
}

/// Keys: made, changed, revoked, one of the configuration's too.
fn keys(walk: &Walk) {
    let route = "/v1/keys/{token_sha256}";
    let (new, configured) = (sha256("desk-key-1"), sha256("public-key"));
    let desk = json!({"role": "supervisor", "agent": "mara"});
    assert_eq!(walk.put(route, &new, "admin-key", &desk).status, 201);
    let shown = walk.get(route, &new, "admin-key");
    assert_eq!(walk.put(route, &new, "admin-key", &shown).status, 200);
    assert_eq!(walk.get(route, &new, "admin-key"), shown);
    assert_eq!(walk.ask(("DELETE", route), &configured, "admin-key", None).status, 204);
    walk.ask(("GET", route), &configured, "admin-key", None).is_problem(404, "not-found");
}

/// Callbacks that differ in everything that a list can be asked for.
fn fill(walk: &Walk) {
    // The same contacts ask again and again.
    for queue in ["billing", "sales"] {
        let mut settings = walk.get("/v1/queues/{id}", queue, "lead-key-1");
        settings["duplicate_policy"] = json!("allow");
        assert_eq!(walk.put("/v1/queues/{id}", queue, "admin-key", &settings).status, 200);
    }
    for number in 0..18_u32 {
        let pick = |every: u32| number.is_multiple_of(every);
        let mut body = if pick(2) {
            asap(&format!("+49301234{:02}", number / 4))
        } else {
            booked(&format!("+49301234{:02}", number / 4), &slot(i64::from(number) + 1))
        };
        body["customer"]["name"] = json!(["Ada", "ADELE", "Örsted", "Zoë"][number as usize % 4]);
        if pick(3) {
            body["queue"] = json!("sales");
        }
        if !pick(2) && pick(3) {
            body["medium"] = json!("video");
        }
        if pick(2) || pick(3) {
            body["customer"]["email"] = json!(format!("ada.{}@example.com", number % 5));
        }
        if pick(4) {
            body["customer"]["id"] = json!(format!("CON{}", number % 3));
        }
        body["origin"] = json!({"case_id": format!("CS{}", number % 7)});
        if pick(5) {
            body["origin"]["interaction_ref"] = json!(format!("IMS{}", number % 2));
        }
        if pick(6) {
            body["external_id"] = json!(format!("X{number}"));
        }
        let credential = ["portal-key", "chat-key-1", "mara-key-1", "tom-key-1"];
        walk.create(credential[number as usize % credential.len()], &body);
    }
}

/// What is told before a customer chooses, numbers that aren't called, who was served elsewhere.
fn customers(walk: &Walk) {
    walk.get("/v1/queues/{id}/availability", "billing", "portal-key");
    let (denied, phone) = ("/v1/deny_list/{phone}", "%2B4930999904");
    let reason = json!({"reason": "Asked us to"});
    assert_eq!(walk.put(denied, phone, "lead-key-1", &reason).status, 201);
    assert_eq!(walk.get(denied, phone, "lead-key-1")["phone"], "+4930999904");
    assert_eq!(
        walk.get("/v1/deny_list", "", "lead-key-1")["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(walk.ask(("DELETE", denied), phone, "lead-key-1", None).status, 204);
    let waiting = walk.create("portal-key", &asap("+4930999905"));
    let served = ("POST", "/v1/customers/served_elsewhere");
    let body = json!({"phone": "+4930999905"});
    let served = walk.ask(served, "", "portal-key", Some(("", &body)));
    assert_eq!(served.body["closed"], json!([waiting["id"]]), "{}", served.body);
    walk.get("/v1/outbox/failures", "", "admin-key");
}

/// Every action on a callback, each by whoever may.
fn handle(walk: &Walk) {
    let (agent, supervisor) = ("mara-key-1", "lead-key-1");
    let mut session = walk.server.session(agent);
    let presence = |presence: &str| {
        let body = json!({"presence": presence, "reason": "because"});
        walk.put("/v1/agents/{id}/presence", "mara", agent, &body)
    };
    // An agent who has no room gets no offer, and can still be given something.
    let load = |units: u32| {
        walk.put("/v1/agents/{id}/external_load", "mara", "portal-key", &json!({"units": units}))
    };
    assert_eq!(load(1).body["external_units"], 1);
    assert_eq!(presence("available").status, 200);
    let made = walk.create("portal-key", &booked("+4930999901", &slot(2)));
    let id = id_of(&made);
    walk.act("reschedule", id, "portal-key", &json!({"start": slot(3)}));
    let patch = json!({"priority": 9, "customer": {"name": "Ada K."}, "description": "More"});
    let patched = walk.ask(("PATCH", "/v1/callbacks/{id}"), id, supervisor, Some(("", &patch)));
    assert_eq!(patched.body["description"], "More", "{}", patched.body);
    assert_eq!(
        walk.act("assign", id, supervisor, &json!({"agent_id": "mara", "force": true}))["state"],
        "accepted"
    );
    walk.act("call", id, agent, &json!({}));
    walk.act("outcome", id, agent, &json!({"outcome": "no_answer", "notes": "Silence"}));
    walk.act("extend_wrap_up", id, agent, &json!({"seconds": 60}));
    walk.get("/v1/queues/{id}/slots", "billing", "portal-key");
    assert_eq!(walk.act("retry", id, agent, &json!({"mine": true}))["state"], "open");
    assert_eq!(walk.act("requeue", id, supervisor, &json!({}))["state"], "queued");
    assert_eq!(walk.get("/v1/callbacks/{id}/routing", id, supervisor)["state"], "queued");

    // With room again it is offered, declined, offered elsewhere never, claimed at last.
    assert_eq!(load(0).body["external_units"], 0);
    let offered = session.wait_for("callback.offered");
    let other = offered["callback"]["id"].as_str().expect("an id").to_owned();
    let offer = json!({"offer_id": offered["offer_id"]});
    let mut declined = offer.clone();
    declined["reason"] = json!("tired");
    assert_eq!(walk.act("decline", &other, agent, &declined)["state"], "queued");
    let offered = session.wait_for("callback.offered");
    let taken = offered["callback"]["id"].as_str().expect("an id").to_owned();
    assert_ne!(taken, other, "it was declined a moment ago");
    let offer = json!({"offer_id": offered["offer_id"]});
    assert_eq!(walk.act("accept", &taken, agent, &offer)["assigned_agent"], "mara");
    walk.act("call", &taken, agent, &json!({}));
    walk.act("outcome", &taken, agent, &json!({"outcome": "answered"}));
    walk.act("end_call", &taken, agent, &json!({"notes": "Done"}));
    assert_eq!(presence("away").body["reason"], "because");
    let closed = walk.act("close", &taken, agent, &json!({"disposition": "settled"}));
    assert_eq!(closed["closed_reason"], "reached");
    walk.get("/v1/callbacks/{id}/history", &taken, supervisor);

    let canceled = walk.create("portal-key", &asap("+4930999902"));
    let link = canceled["manage_token"].as_str().expect("a token");
    let gone = walk.act("cancel", id_of(&canceled), link, &json!({"reason": "solved"}));
    assert_eq!(gone["canceled_by"], "customer");
}

/// What supervisors and operators look at.
fn look(walk: &Walk) {
    for route in ["/v1/agent_status", "/v1/directory", "/v1/stats"] {
        walk.get(route, "", "lead-key-1");
    }
    walk.get("/v1/agents/{id}/status", "mara", "lead-key-1");
    let (from, to) = (&slot(-1)[..10], &slot(2)[..10]);
    for report in ["callbacks", "queues", "agents"] {
        let route = format!("/v1/reports/{{report}}?from={from}&to={to}&by=hour");
        walk.get(&route, report, "lead-key-1");
    }
    for route in ["/healthz", "/readyz", "/problems"] {
        walk.get(route, "", "");
    }
    walk.get("/problems/{name}", "invalid", "");
    let pause = json!({"intake": true, "reason": "flood", "until": LATER});
    for action in ["pause", "resume"] {
        let route = format!("/v1/queues/{{id}}/{action}");
        let answer = walk.ask(("POST", &route), "billing", "lead-key-1", Some((action, &pause)));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

/// Everything that a supervisor can see and that stands still.
fn all_that_is_kept(walk: &Walk) -> Vec<Value> {
    let mut kept =
        vec![walk.get("/v1/queues", "", "lead-key-1"), walk.get("/v1/agents", "", "lead-key-1")];
    let mut webhook = walk.get("/v1/webhooks/{id}", "crm", "admin-key");
    // Its age and the like stand still for nobody.
    webhook["status"].take();
    kept.push(webhook);
    kept.push(walk.get("/v1/keys", "", "admin-key"));
    walk.get("/v1/queues", "", "desk-key-1");
    let list = walk.get("/v1/callbacks?limit=200", "", "lead-key-1");
    for row in list["items"].as_array().expect("a list") {
        for part in ["", "/history"] {
            kept.push(walk.get(&format!("/v1/callbacks/{{id}}{part}"), id_of(row), "lead-key-1"));
        }
    }
    kept
}

/// `again` starts the server anew on the same store; none where nothing is kept.
fn walk(server: Server, again: Option<&dyn Fn() -> Server>) {
    let walk = Walk::begin(server);
    set_up(&walk);
    fill(&walk);
    let keyed = |walk: &Walk| {
        let body = asap("+4930999903");
        walk.ask(("POST", "/v1/callbacks"), "", "portal-key", Some(("once", &body)))
    };
    let first = keyed(&walk);
    customers(&walk);
    handle(&walk);
    check_lists(&walk);
    look(&walk);
    let mut walk = walk;
    let before = all_that_is_kept(&walk);
    if let Some(again) = again {
        walk.server.kill_now();
        walk = walk.go_on(again());
        assert_eq!(all_that_is_kept(&walk), before, "it is as it was");
        check_lists(&walk);
    }
    let replayed = keyed(&walk);
    assert_eq!((replayed.status, &replayed.body), (201, &first.body));
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(walk.missed(), [""; 0]);
}

fn walk_twice(folder: &Path, store: &str) {
    let start = || Server::start_on(folder, store);
    walk(start(), Some(&start));
}

#[test]
fn every_route_on_memory() {
    walk(Server::start(), None);
}

#[test]
fn every_route_on_the_embedded_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    walk_twice(folder.path(), &store);
}

#[test]
fn every_route_on_redis() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    walk_twice(folder.path(), &redis.url());
}
