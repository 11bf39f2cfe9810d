//! The pages as a browser gets them: headers, versions, and what isn't there.

use crate::server::Server;

/// A file that the page at `path` names, as its address.
fn named(page: &str) -> String {
    let at = page.find("/pages/").expect("a page names its files");
    page[at..].split('"').next().expect("a closing quote").to_owned()
}

#[test]
fn pages_are_asked_for_and_files_are_kept() {
    let server = Server::start();
    for path in ["/", "/agent", "/supervisor", "/callback", "/callback/x"] {
        let answer = server.request("GET", path, "").send().expect("it answers");
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("cache-control"), "no-cache");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let customers = path.starts_with("/callback");
        let sites = if customers { "https://shop.example" } else { "'none'" };
        assert!(policy.ends_with(&format!("frame-ancestors {sites}")), "{policy}");
        let etag = header("etag");
        let file = named(&answer.text().expect("text"));
        let again = server.request("GET", path, "").header("If-None-Match", etag);
        assert_eq!(again.send().expect("it answers").status(), 304);
        let kept = server.request("GET", &file, "").send().expect("it answers");
        assert_eq!(kept.status(), 200, "{file}");
        assert!(kept.headers()["cache-control"].to_str().expect("ASCII").contains("immutable"));
    }
}

#[test]
fn the_element_is_one_script_that_any_site_may_load() {
    let server = Server::start();
    let answer = server.request("GET", "/widget.js", "").send().expect("it answers");
    assert_eq!(answer.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers()["cache-control"], "no-cache");
    let text = answer.text().expect("text");
    let file = text.split('\'').nth(1).expect("an address").trim_start_matches('.');
    let file = server.request("GET", file, "").send().expect("it answers");
    assert_eq!(file.status(), 200, "{text}");
    assert_eq!(file.headers()["access-control-allow-origin"], "*");
    assert!(file.headers()["cache-control"].to_str().expect("ASCII").contains("immutable"));
}

#[test]
fn files_of_another_version_are_not_kept_and_absent_ones_are_problems() {
    let server = Server::start();
    let old = server.request("GET", "/pages/0/shared/view.js", "").send().expect("it answers");
    assert_eq!(old.status(), 200);
    assert_eq!(old.headers()["cache-control"], "no-cache");
    assert_eq!(old.headers()["content-type"], "text/javascript; charset=utf-8");
    for path in ["/pages/0/agent/index.html", "/pages/0/../mod.rs", "/agents", "/pages/0/"] {
        let answer = server.request("GET", path, "").send().expect("it answers");
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let posted = server.request("POST", "/agent", "").send().expect("it answers");
    assert_eq!(posted.status(), 405);
    assert_eq!(posted.headers()["allow"], "GET, HEAD");
}

#[test]
fn the_start_page_hands_out_nothing_outside_the_demo() {
    let server = Server::start();
    let answer = server.request("GET", "/demo.json", "").send().expect("it answers");
    let body: serde_json::Value = answer.json().expect("JSON");
    assert_eq!(body, serde_json::json!({"agents": [], "supervisor": null, "queues": []}));
}
