//! Setting up queues and agents, pausing, presence, and what a supervisor sees.

use serde_json::{Value, json};

use crate::redis::now;
use crate::server::{Server, asap, send};
use crate::socket::wait_until;

#[test]
fn a_queue_is_made_replaced_and_removed() {
    let server = Server::start();
    let body = json!({"name": "Support", "time_zone": "Europe/Berlin", "lead_seconds": 90});
    let made = server.put("/v1/queues/support", "admin-key", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("location"), Some("/v1/queues/support"));
    assert_eq!((&made.body["lead_seconds"], &made.body["max_attempts"]), (&json!(90), &json!(5)));
    let shown = server.get("/v1/queues/support", "lead-key-1");
    let mut put = made.body.clone();
    let conflicts = put.as_object_mut().and_then(|put| put.remove("conflicts"));
    assert_eq!(conflicts, Some(json!({"count": 0, "first": []})));
    assert_eq!(shown.body, put);
    // What a GET gave is taken back as it is.
    let again = server.put("/v1/queues/support", "admin-key", &shown.body);
    assert_eq!((again.status, again.version()), (200, made.version() + 1));
    let bad = json!({"lead_seconds": -1, "time_zone": "PST", "surprise": 1});
    let mut pointers = server.put("/v1/queues/support", "admin-key", &bad).pointers().join(" ");
    pointers.insert(0, ' ');
    for place in [" /lead_seconds", " /time_zone", " /surprise"] {
        assert!(pointers.contains(place), "{pointers}");
    }
    let unknown = server.put("/v1/queues/support", "admin-key", &json!({"time_zone": "PST"}));
    assert_eq!(unknown.is_problem(422, "unknown-zone")["hint"], "America/Los_Angeles");
    assert_eq!(unknown.body["errors"][0]["pointer"], "/time_zone");
    let no_text = server.put("/v1/queues/support", "admin-key", &json!({"time_zone": 1}));
    assert_eq!(no_text.is_problem(422, "invalid")["errors"][0]["pointer"], "/time_zone");
    let stale = server.request("PUT", "/v1/queues/support", "admin-key");
    let stale = stale.header("If-Match", made.tag());
    send(stale.json(&body)).is_problem(412, "version-stale");
    let only_new =
        server.request("PUT", "/v1/queues/support", "admin-key").header("If-None-Match", "*");
    send(only_new.json(&body)).is_problem(412, "version-stale");
    assert_eq!(server.put("/v1/queues/Bad%20Id", "admin-key", &body).pointers(), ["/id"]);
    let gone = server.delete("/v1/queues/support", "admin-key");
    assert_eq!((gone.status, &gone.body), (204, &json!(null)));
    server.get("/v1/queues/support", "admin-key").is_problem(404, "not-found");
    server.callback(&asap("030 123456"));
    server.delete("/v1/queues/billing", "admin-key").is_problem(409, "in-use");

    let page = server.get("/v1/queues?limit=1", "lead-key-1").body;
    assert_eq!(page["items"][0]["id"], "billing");
    let next = page["next_cursor"].as_str().expect("there is more");
    let page = server.get(&format!("/v1/queues?limit=1&cursor={next}"), "lead-key-1").body;
    assert_eq!((&page["items"][0]["id"], &page["next_cursor"]), (&json!("sales"), &json!(null)));
}

#[test]
fn steps_that_widen_are_taken_in_order_and_refused_with_their_place() {
    let server = Server::start();
    let put =
        |steps: Value| server.put("/v1/queues/support", "admin-key", &json!({ "steps": steps }));
    let made = put(json!([{"after_seconds": 90, "drop_optional": true},
                          {"after_seconds": 30, "min_level_delta": -1}]));
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = json!([
        {"after_seconds": 30, "min_level_delta": -1, "drop_optional": false},
        {"after_seconds": 90, "min_level_delta": 0, "drop_optional": true},
    ]);
    assert_eq!(made.body["steps"], shown);
    let bad = put(json!([{"after_seconds": 1, "min_level_delta": 5}, {"surprise": 1}]));
    let mut pointers = bad.pointers();
    pointers.sort_unstable();
    let wanted = ["/steps/0/min_level_delta", "/steps/1/after_seconds", "/steps/1/surprise"];
    assert_eq!(pointers, wanted);
}

#[test]
fn every_setting_is_taken_in_its_range_and_comes_back() {
    let server = Server::start();
    let api = server.get("/openapi.json", "").body;
    let settings = api["components"]["schemas"]["Queue"]["properties"].as_object();
    let put = |body: &Value| server.put("/v1/queues/support", "admin-key", body);
    let mut counts = 0;
    for (name, schema) in settings.expect("an object") {
        let is_count = schema["type"] == "integer" || schema["type"][0] == "integer";
        if !is_count {
            continue;
        }
        counts += 1;
        let (least, most) = (&schema["minimum"], &schema["maximum"]);
        for good in [least, most] {
            // The one rule between two settings: wrap-up may be no longer than its bound.
            let mut body = json!({"wrap_up_seconds": 0, "max_wrap_up_seconds": 31_536_000});
            body[name] = good.clone();
            assert!(put(&body).status < 300, "{name} {good}");
            let shown = server.get("/v1/queues/support", "lead-key-1").body;
            assert_eq!(&shown[name], good, "{name}");
        }
        let (least, most) = (least.as_i64().expect("small"), most.as_i64().expect("small"));
        for bad in [json!(least - 1), json!(most + 1), json!("7"), json!(1.5)] {
            let pointer = format!("/{name}");
            assert_eq!(put(&json!({name: bad})).pointers(), [pointer], "{bad}");
        }
    }
    assert!(counts >= 29, "only {counts}");
    let longer = json!({"wrap_up_seconds": 61, "max_wrap_up_seconds": 60});
    assert_eq!(put(&longer).pointers(), ["/wrap_up_seconds"], "held against each other too");
    // A PUT replaces: what isn't named has its default again.
    put(&json!({"lead_seconds": 7, "auto_accept": true, "media": ["video"]}));
    let shown = put(&json!({})).body;
    let defaults = [("lead_seconds", json!(60)), ("auto_accept", json!(false))];
    for (name, default) in defaults.into_iter().chain([("media", json!(["voice"]))]) {
        assert_eq!(shown[name], default, "{name}");
    }
}

#[test]
fn an_agent_is_made_replaced_and_removed() {
    let server = Server::start();
    let body = json!({
        "name": "Kim", "queues": ["billing", {"queue": "sales", "preference": 2}],
        "skills": {"french": 4}, "capacity": {"units": 2, "voice": 1},
    });
    let made = server.put("/v1/agents/kim", "admin-key", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["queues"], body["queues"]);
    assert_eq!(server.get("/v1/agents/kim", "lead-key-1").body, made.body);
    let again = server.put("/v1/agents/kim", "admin-key", &made.body);
    assert_eq!(again.status, 200);
    let unknown = json!({"queues": ["nowhere"]});
    assert_eq!(server.put("/v1/agents/kim", "admin-key", &unknown).pointers(), ["/queues/0"]);
    let list = server.get("/v1/agents", "lead-key-1").body;
    let ids: Vec<_> =
        list["items"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["kim", "mara", "tom"]);
    assert_eq!(server.delete("/v1/agents/kim", "admin-key").status, 204);
    server.get("/v1/agents/kim", "lead-key-1").is_problem(404, "not-found");
}

#[test]
fn an_agents_settings_have_a_version_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let tag = |server: &Server| server.get("/v1/agents/mara", "lead-key-1").tag();
    let put = |server: &Server, tag: &str, name: &str| {
        let request = server.request("PUT", "/v1/agents/mara", "admin-key");
        send(request.header("If-Match", tag).json(&json!({"name": name, "queues": ["billing"]})))
    };
    let before = tag(&server);
    let status = || server.get("/v1/agents/mara/status", "lead-key-1");
    let was = status().header("etag").expect("a version").to_owned();
    for presence in ["available", "away"] {
        let body = json!({ "presence": presence });
        assert_eq!(server.put("/v1/agents/mara/presence", "mara-key-1", &body).status, 200);
    }
    assert_ne!(status().header("etag"), Some(&*was), "the status has changed");
    assert_eq!(tag(&server), before, "the settings have not");
    let second = put(&server, &before, "Mara V.");
    assert_eq!(second.status, 200);
    assert_ne!(second.tag(), before);
    put(&server, &before, "M. Vogt").is_problem(412, "version-stale");
    server.kill_now();
    drop(server);
    let server = Server::start_on(folder.path(), &store);
    assert_eq!(tag(&server), second.tag());
    let delete = |tag: &str| {
        send(server.request("DELETE", "/v1/agents/mara", "admin-key").header("If-Match", tag))
    };
    delete(&before).is_problem(412, "version-stale");
    assert_eq!(delete(&second.tag()).status, 204);
}

#[test]
fn an_agent_of_a_queue_that_was_removed_can_be_put_back_as_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    server.put("/v1/queues/support", "admin-key", &json!({}));
    let body = json!({"name": "Kim", "queues": ["billing", "support"]});
    assert_eq!(server.put("/v1/agents/kim", "admin-key", &body).status, 201);
    assert_eq!(server.delete("/v1/queues/support", "admin-key").status, 204);
    let put_back = |server: &Server| {
        let shown = server.get("/v1/agents/kim", "lead-key-1").body;
        assert_eq!(shown["queues"], body["queues"]);
        let put = server.put("/v1/agents/kim", "admin-key", &shown);
        assert_eq!((put.status, &put.body), (200, &shown));
    };
    put_back(&server);
    server.kill_now();
    drop(server);
    let server = Server::start_on(folder.path(), &store);
    put_back(&server);
    let other = server.put("/v1/agents/tom", "admin-key", &body);
    assert_eq!(other.pointers(), ["/queues/1"], "nobody else gets it");
    let less = json!({"name": "Kim", "queues": ["billing"]});
    assert_eq!(server.put("/v1/agents/kim", "admin-key", &less).status, 200);
    assert_eq!(server.put("/v1/agents/kim", "admin-key", &body).pointers(), ["/queues/1"]);
}

#[test]
fn a_paused_queue_takes_no_new_requests_and_keeps_what_it_has() {
    let server = Server::start();
    server.callback(&asap("030 123457"));
    let pause = |body| server.post("/v1/queues/billing/pause", "lead-key-1", &body);
    let until = "2037-01-01T00:00:00Z";
    let paused = pause(json!({"intake": true, "until": until, "reason": "flood"}));
    assert_eq!(paused.status, 200, "{}", paused.body);
    assert_eq!(paused.body["status"]["intake_paused"]["reason"], "flood");
    assert_eq!(paused.body["status"]["offers_paused"], json!(null));
    let refused = server.post("/v1/callbacks", "portal-key", &asap("030 123456"));
    assert_eq!(refused.is_problem(409, "intake-paused")["until"], until);
    let refused = server.post("/v1/callbacks", "lead-key-1", &asap("030 123458"));
    refused.is_problem(409, "intake-paused");
    assert_eq!(pause(json!({"intake": false})).pointers(), [""]);
    assert_eq!(pause(json!({"until": "2020-01-01T00:00:00Z"})).pointers(), ["/until"]);
    let stats = server.get("/v1/stats", "lead-key-1").body;
    assert_eq!(
        (&stats["queues"][0]["id"], &stats["queues"][0]["intake_paused"]),
        (&json!("billing"), &json!(true))
    );
    assert_eq!(stats["queues"][0]["waiting"], 1);

    let resume = || {
        let request = server.request("POST", "/v1/queues/billing/resume", "lead-key-1");
        send(request.header("Idempotency-Key", "r"))
    };
    let (first, again) = (resume(), resume());
    assert_eq!(first.body["status"]["intake_paused"], json!(null));
    assert_eq!(
        (first.body, again.header("idempotent-replayed")),
        (again.body.clone(), Some("true"))
    );
    server.callback(&asap("030 123456"));
    server.post("/v1/queues/nowhere/pause", "lead-key-1", &json!({})).is_problem(404, "not-found");
    server.post("/v1/queues/billing/pause", "mara-key-1", &json!({})).is_problem(403, "forbidden");
}

#[test]
fn presence_is_the_agents_own_and_a_supervisors() {
    let server = Server::start();
    let set = |agent: &str, credential: &str, presence: &str| {
        let body = json!({"presence": presence, "reason": "lunch"});
        server.put(&format!("/v1/agents/{agent}/presence"), credential, &body)
    };
    let away = set("mara", "mara-key-1", "away");
    assert_eq!(away.status, 200, "{}", away.body);
    assert_eq!((&away.body["presence"], &away.body["reason"]), (&json!("away"), &json!("lunch")));
    assert_eq!(
        (&away.body["connected"], &away.body["engagement"]),
        (&json!(false), &json!("idle"))
    );
    assert_eq!(set("mara", "lead-key-1", "offline").body["presence"], "offline");
    set("tom", "mara-key-1", "away").is_problem(403, "forbidden");
    set("mara", "portal-key", "away").is_problem(403, "forbidden");
    set("nobody", "lead-key-1", "away").is_problem(404, "not-found");
    assert_eq!(set("mara", "mara-key-1", "busy").pointers(), ["/presence"]);
    let status = server.get("/v1/agents/mara/status", "lead-key-1").body;
    assert_eq!((&status["presence"], &status["held_units"]), (&json!("offline"), &json!(0)));
    let all = server.get("/v1/agent_status", "lead-key-1").body;
    assert_eq!(all["items"][0], status);
}

#[test]
fn a_reason_for_presence_is_one_of_the_workspaces_where_it_lists_any() {
    let server = Server::start();
    assert_eq!(server.put("/v1/agents/zoe", "other-admin", &json!({})).status, 201);
    let set = |reason: &str| {
        let body = json!({"presence": "away", "reason": reason});
        server.put("/v1/agents/zoe/presence", "other-admin", &body)
    };
    assert_eq!(set("dinner").pointers(), ["/reason"]);
    assert_eq!(set("lunch").body["reason"], "lunch");
    let stale = server.request("PUT", "/v1/agents/zoe/presence", "other-admin");
    let stale = send(stale.header("If-Match", "\"1\"").json(&json!({"presence": "offline"})));
    stale.is_problem(412, "version-stale");
}

#[test]
fn what_stands_behind_the_question_mark_is_known_or_refused() {
    let server = Server::start();
    for path in ["/v1/stats", "/v1/agent_status", "/v1/directory", "/v1/queues/billing"] {
        assert_eq!(server.get(&format!("{path}?"), "lead-key-1").status, 200, "{path}");
        let refused = server.get(&format!("{path}?foo=1"), "lead-key-1");
        assert_eq!(refused.pointers(), ["/foo"], "{path}");
    }
    server.get("/v1/queues/none?foo=1", "lead-key-1").is_problem(404, "not-found");
    server.get("/v1/stats?foo=1", "portal-key").is_problem(403, "forbidden");
}

#[test]
fn a_pause_ends_by_itself_when_it_was_said_until_when() {
    let server = Server::start();
    let at = server.get("/v1/stats", "lead-key-1").body["at"].clone();
    let at: jiff::Timestamp = at.as_str().expect("an instant").parse().expect("RFC 3339");
    // Far enough ahead for three requests on a busy machine.
    let soon = at + jiff::SignedDuration::from_secs(6);
    let pause = json!({"intake": true, "until": soon.to_string()});
    let paused = server.post("/v1/queues/billing/pause", "lead-key-1", &pause);
    assert!(paused.body["status"]["intake_paused"]["until"].is_string(), "{}", paused.body);
    let refused = server.post("/v1/callbacks", "portal-key", &asap("030 123456"));
    refused.is_problem(409, "intake-paused");
    let status = || server.get("/v1/queues/billing", "lead-key-1").body["status"].clone();
    wait_until("the pause is over", || status()["intake_paused"] == json!(null));
    server.callback(&asap("030 123457"));
}

#[test]
fn figures_can_be_kept_for_supervisors() {
    let server = Server::start_with(&[("RINGBACK_METRICS_OPEN", "false")]);
    server.get("/metrics", "").is_problem(401, "unauthorized");
    server.get("/metrics", "mara-key-1").is_problem(403, "forbidden");
    let figures = server.request("GET", "/metrics", "lead-key-1").send().expect("it answers");
    assert_eq!(figures.status(), 200);
    let text = figures.text().expect("UTF-8");
    assert!(text.contains("ringback_ready{workspace=\"main\"} 1") && text.ends_with("# EOF\n"));
}

#[test]
fn a_customers_link_ends_some_days_after_their_callback() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__MANAGE_READ_DAYS", "0")]);
    let made = server.callback(&asap("030 123456"));
    let link = made["manage_token"].as_str().expect("a token");
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    assert_eq!(server.get(&path, link).status, 200);
    assert_eq!(server.post(&format!("{path}/cancel"), link, &json!({})).status, 200);
    let deadline = now() + std::time::Duration::from_secs(15);
    while server.get(&path, link).status == 200 {
        assert!(now() < deadline, "no days are none");
    }
    server.get(&path, link).is_problem(404, "not-found");
    assert_eq!(server.get(&path, "portal-key").body["state"], "canceled", "others still see it");
}

#[test]
fn work_elsewhere_takes_units_for_four_hours_at_most() {
    let server = Server::start();
    let load =
        |credential: &str, body| server.put("/v1/agents/mara/external_load", credential, &body);
    let told = load("portal-key", json!({"units": 1}));
    let own = json!({"id": "mara", "external_units": 1});
    assert_eq!((told.status, &told.body), (200, &own), "a channel sees no more than it told");
    let whole = load("lead-key-1", json!({"units": 1})).body;
    assert_eq!(whole["presence"], "offline", "{whole}");
    let directory = server.get("/v1/directory", "tom-key-1").body;
    assert_eq!(directory["agents"][0]["id"], "mara");
    assert_eq!(directory["agents"][0]["free_units"], 0);
    assert_eq!(directory["queues"][0], json!({"id": "billing", "name": "billing", "open": true}));
    assert_eq!(load("mara-key-1", json!({"units": 0})).body["external_units"], 0);
    load("tom-key-1", json!({"units": 1})).is_problem(403, "forbidden");
    load("public-key", json!({"units": 1})).is_problem(403, "forbidden");
    let far = json!({"units": 1, "until": "2037-01-01T00:00:00Z"});
    assert_eq!(load("lead-key-1", far).pointers(), ["/until"]);
    assert_eq!(load("lead-key-1", json!({})).pointers(), ["/units"]);
}

#[test]
fn whoever_runs_it_sees_how_it_stands() {
    let server = Server::start();
    assert_eq!(server.get("/healthz", "").body, json!({"status": "ok"}));
    let ready = server.get("/readyz", "");
    assert_eq!((ready.status, &ready.body["workspaces"]["main"]), (200, &json!("ready")));
    let api = server.get("/openapi.json", "");
    assert_eq!(api.body["openapi"], "3.1.0");
    let problems = server.get("/problems", "").body;
    let problems = problems["items"].as_array().expect("a list");
    assert!(problems.len() > 30);
    for problem in problems {
        let at = problem["type"].as_str().expect("text");
        assert_eq!(server.get(at, "").body, *problem, "a problem's type leads to what it is");
    }
    server.get("/problems/none", "").is_problem(404, "not-found");
    let page = server.request("GET", "/docs", "").send().expect("it answers");
    assert!(page.headers()["content-security-policy"].to_str().expect("text").contains("'self'"));
    for asset in ["/docs/docs.js", "/docs/docs.css"] {
        assert_eq!(server.request("GET", asset, "").send().expect("it answers").status(), 200);
    }
    let head = server.request("HEAD", "/healthz", "").send().expect("it answers");
    assert_eq!((head.status().as_u16(), head.text().expect("UTF-8").len()), (200, 0));
}
