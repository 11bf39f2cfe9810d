//! Serves the web pages: which policy, how long browsers may keep them, and smaller if they like.
//!
//! The files stand in `pages`; here they get headers. What a page can be tricked into is bounded by
//! its policy: scripts and styles from here only, none inline, texts never become markup, and only
//! the sites of the settings may show it in a frame.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::reply::Reply;
use super::state::Shared;
use crate::domain::ids::WorkspaceId;
use crate::pages::{self, FILES, VERSION};
use crate::wire::problem::{Kind, Problem};

/// Stands in every page's policy, before what depends on the settings.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors ";

/// Where a customer asks for a callback: of which queue, is the page's own to read.
const ASK: &str = "/callback";

/// The address of a customer's page; what the token is good for is the API's to say.
const MANAGE: &str = "/callback/{token}";

/// The script that a site embeds; it only leads to the element's own, which has a version.
const WIDGET: &str = "/widget.js";

/// The element for other sites' pages.
const ELEMENT: &str = "callback/element.js";

/// For files whose address carries the version.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// For pages, and files asked for by another version's address: asked for anew, sent if changed.
const REVALIDATE: &str = "no-cache";

/// Who may show the pages in a frame, and what the start page may hand out.
#[derive(Debug, Clone, Default)]
pub struct PageSettings {
    /// Sites that may embed the agent's page.
    pub desk_origins: Vec<String>,
    /// Tokens that the configuration has in the clear, by workspace. The server's own page for
    /// customers uses those that are good for it.
    pub clear_keys: Vec<(WorkspaceId, String)>,
    /// What the demo lets everybody know; none outside of it.
    pub demo: Option<Demo>,
}

/// The demo's credentials for its pages.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Agents' names and credentials.
    pub agents: Vec<(String, String)>,
    /// A supervisor's credential.
    pub supervisor: Option<String>,
    /// Queues' ids and names, of which customers may ask for a callback.
    pub queues: Vec<(String, String)>,
}

/// A file as it is sent.
struct Served {
    media_type: &'static str,
    plain: Vec<u8>,
    gzip: Vec<u8>,
    etag: String,
    policy: Option<HeaderValue>,
}

/// All pages and files.
pub(super) struct Pages {
    version: String,
    whole: BTreeMap<&'static str, Served>,
    /// The customer's page, and the sites that may show it, as it was asked for last.
    for_customers: Mutex<(BTreeSet<String>, Arc<Served>)>,
    files: BTreeMap<&'static str, Served>,
    widget: Served,
    demo: String,
    clear_keys: Vec<(WorkspaceId, String)>,
}

impl Pages {
    /// Prepares everything once.
    pub(super) fn new(settings: &PageSettings) -> Self {
        let mut digest = Sha256::new();
        for file in FILES {
            digest.update(file.name);
            digest.update(file.text);
        }
        let version = hex(&digest.finalize()[..8]);
        let page = |name: &str, ancestors: &str| Served::page(name, &version, ancestors);
        let desks = ancestors(settings.desk_origins.iter());
        let whole = BTreeMap::from([
            ("/", page("start", "'none'")),
            ("/agent", page("agent", &desks)),
            ("/supervisor", page("supervisor", "'none'")),
        ]);
        let files =
            FILES.iter().map(|file| (file.name, Served::new(file.media_type, file.slim(), None)));
        let files = files.collect();
        let widget = format!("import './pages/{version}/{ELEMENT}';\n");
        let widget = Served::new("text/javascript; charset=utf-8", widget, None);
        let nobody = (BTreeSet::new(), Arc::new(page("callback", "'none'")));
        Self {
            for_customers: Mutex::new(nobody),
            version,
            whole,
            files,
            widget,
            demo: demo(settings.demo.as_ref()),
            clear_keys: settings.clear_keys.clone(),
        }
    }

    /// The customer's page, that these sites may show.
    fn for_customers(&self, sites: BTreeSet<String>) -> Arc<Served> {
        let mut kept = self.for_customers.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != sites {
            let page = Served::page("callback", &self.version, &ancestors(sites.iter()));
            *kept = (sites, Arc::new(page));
        }
        Arc::clone(&kept.1)
    }
}

impl Served {
    fn page(name: &str, version: &str, ancestors: &str) -> Self {
        let text = pages::page(name).replace(VERSION, version);
        let policy = format!("{POLICY}{ancestors}");
        let policy = HeaderValue::from_str(&policy).expect("origins are visible ASCII");
        Self::new("text/html; charset=utf-8", text, Some(policy))
    }

    fn new(media_type: &'static str, text: String, policy: Option<HeaderValue>) -> Self {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes()).expect("memory takes all");
        let gzip = gzip.finish().expect("memory takes all");
        let mut tagged = Sha256::new();
        tagged.update(&text);
        tagged.update(policy.as_ref().map_or(&[][..], HeaderValue::as_bytes));
        let etag = hex(&tagged.finalize()[..12]);
        Self { media_type, plain: text.into_bytes(), gzip, etag, policy }
    }

    /// The answer to a request with these headers.
    fn answer(&self, asked: &HeaderMap, cache: &'static str) -> HttpResponse {
        let zipped = takes_gzip(asked);
        // Two representations of one resource have two tags.
        let etag = format!("\"{}{}\"", self.etag, if zipped { "-gz" } else { "" });
        let known = header(asked, &IF_NONE_MATCH)
            .is_some_and(|tags| tags.split(',').any(|tag| matches(tag.trim(), &etag)));
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((CACHE_CONTROL, cache));
        response.insert_header((ETAG, etag));
        response.insert_header((VARY, "accept-encoding"));
        response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        // A customer's page has a token in its address, which no other site may learn.
        response.insert_header((REFERRER_POLICY, "no-referrer"));
        if let Some(policy) = &self.policy {
            response.insert_header((CONTENT_SECURITY_POLICY, policy.clone()));
        }
        if known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, self.media_type));
        if zipped {
            response.insert_header((CONTENT_ENCODING, "gzip"));
        }
        response.body(if zipped { self.gzip.clone() } else { self.plain.clone() })
    }
}

/// Puts the pages in their places.
pub(super) fn mount(config: &mut ServiceConfig) {
    let get = |path: &str| web::resource(path).default_service(web::to(only_get));
    for path in ["/", "/agent", "/supervisor"] {
        let to = move |pages, request| async move { page(path, &pages, &request) };
        config.service(get(path).route(web::get().to(to)).route(web::head().to(to)));
    }
    for path in [ASK, MANAGE] {
        let customers = get(path).route(web::get().to(for_customers));
        config.service(customers.route(web::head().to(for_customers)));
    }
    config.service(get(WIDGET).route(web::get().to(widget)).route(web::head().to(widget)));
    let files = get("/pages/{version}/{name:.*}");
    config.service(files.route(web::get().to(file)).route(web::head().to(file)));
    config.service(get("/demo.json").route(web::get().to(demo_keys)));
    config.service(get("/callback.json").route(web::get().to(customers_keys)));
}

fn page(path: &str, pages: &Data<Pages>, request: &HttpRequest) -> HttpResponse {
    pages.whole[path].answer(request.headers(), REVALIDATE)
}

/// The one script that other sites name.
async fn widget(pages: Data<Pages>, request: HttpRequest) -> HttpResponse {
    for_any_site(pages.widget.answer(request.headers(), REVALIDATE))
}

/// Modules are loaded by pages of other sites only if these are let in; there is no secret in them.
fn for_any_site(mut response: HttpResponse) -> HttpResponse {
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

async fn for_customers(
    pages: Data<Pages>,
    shared: Data<Shared>,
    request: HttpRequest,
) -> HttpResponse {
    pages.for_customers(shared.gate.shops()).answer(request.headers(), REVALIDATE)
}

async fn file(
    pages: Data<Pages>,
    place: web::Path<(String, String)>,
    request: HttpRequest,
) -> HttpResponse {
    let (version, name) = place.into_inner();
    let Some(file) = pages.files.get(name.as_str()) else {
        return Reply::from(Problem::not_found()).into_response();
    };
    // A page from before an upgrade still finds its files, as they are now.
    let cache = if version == pages.version { FOR_EVER } else { REVALIDATE };
    for_any_site(file.answer(request.headers(), cache))
}

/// What the start page hands out; nothing outside the demo.
async fn demo_keys(pages: Data<Pages>) -> HttpResponse {
    Reply::text("application/json", pages.demo.clone()).into_response()
}

/// What the page uses on which customers ask for a callback.
async fn customers_keys(pages: Data<Pages>, shared: Data<Shared>) -> HttpResponse {
    let good = pages.clear_keys.iter().filter(|(_, token)| shared.gate.is_own(token));
    Reply::text("application/json", own_keys(good)).into_response()
}

async fn only_get(request: HttpRequest) -> HttpResponse {
    let detail = format!("{} isn't possible here; use GET, HEAD.", request.method());
    let problem = Problem::new(Kind::MethodNotAllowed, detail);
    Reply::from(problem).allow("GET, HEAD").into_response()
}

fn demo(demo: Option<&Demo>) -> String {
    let pairs = |pairs: &[(String, String)], first: &str, second: &str| -> Vec<_> {
        let pairs = pairs.iter();
        pairs.map(|(one, other)| serde_json::json!({first: one, second: other})).collect()
    };
    let agents = demo.map(|demo| pairs(&demo.agents, "name", "token")).unwrap_or_default();
    let queues = demo.map(|demo| pairs(&demo.queues, "id", "name")).unwrap_or_default();
    let supervisor = demo.and_then(|demo| demo.supervisor.as_deref());
    serde_json::json!({"agents": agents, "supervisor": supervisor, "queues": queues}).to_string()
}

fn own_keys<'a>(keys: impl Iterator<Item = &'a (WorkspaceId, String)>) -> String {
    let keys = keys.map(|(id, key)| serde_json::json!({"workspace": id.as_str(), "key": key}));
    serde_json::json!({"keys": keys.collect::<Vec<_>>()}).to_string()
}

/// The sources of `frame-ancestors`; none at all where there are no sites.
fn ancestors<'a>(sites: impl Iterator<Item = &'a String>) -> String {
    let sites: BTreeSet<&str> = sites.map(String::as_str).collect();
    let sites: Vec<&str> = sites.into_iter().collect();
    if sites.is_empty() { "'none'".to_owned() } else { sites.join(" ") }
}

/// Whether a client takes gzip: named, and not with a weight of nothing.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let Some(accepted) = header(asked, &ACCEPT_ENCODING) else { return false };
    accepted.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|text| text.parse().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight: f32| weight > 0.0)
    })
}

/// Whether a tag of `If-None-Match` is this one; comparing is weak there.
fn matches(tag: &str, etag: &str) -> bool {
    tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String can't fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        let desk_origins = vec!["https://desk.example".to_owned(), "https://a.example".to_owned()];
        Pages::new(&PageSettings { desk_origins, ..PageSettings::default() })
    }

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("ASCII"));
        headers
    }

    fn told<'a>(response: &'a HttpResponse, name: &HeaderName) -> &'a str {
        header(response.headers(), name).unwrap_or_default()
    }

    #[test]
    fn only_the_settings_sites_may_frame_the_agents_page() {
        let pages = pages();
        let policy = |path: &str| {
            let answer = pages.whole[path].answer(&HeaderMap::new(), REVALIDATE);
            told(&answer, &CONTENT_SECURITY_POLICY).to_owned()
        };
        assert!(policy("/").ends_with("frame-ancestors 'none'"));
        let desks = "frame-ancestors https://a.example https://desk.example";
        assert!(policy("/agent").ends_with(desks));
        assert!(!policy("/agent").contains("unsafe"));
    }

    #[test]
    fn only_the_keys_sites_as_they_are_now_may_frame_the_customers_page() {
        let pages = pages();
        let policy = |sites: &[&str]| {
            let sites = sites.iter().map(|site| (*site).to_owned()).collect();
            let answer = pages.for_customers(sites).answer(&HeaderMap::new(), REVALIDATE);
            told(&answer, &CONTENT_SECURITY_POLICY).to_owned()
        };
        assert!(policy(&[]).ends_with("frame-ancestors 'none'"));
        let shop = policy(&["https://shop.example"]);
        assert!(shop.ends_with("frame-ancestors https://shop.example"), "{shop}");
        assert!(policy(&[]).ends_with("frame-ancestors 'none'"));
    }

    #[test]
    fn a_file_is_sent_once_and_smaller_where_that_is_taken() {
        let file = &pages().files["shared/view.js"];
        let plain = file.answer(&HeaderMap::new(), FOR_EVER);
        assert_eq!(told(&plain, &CONTENT_ENCODING), "");
        let zipped = file.answer(&asked(ACCEPT_ENCODING, "br, gzip;q=0.5"), FOR_EVER);
        assert_eq!(told(&zipped, &CONTENT_ENCODING), "gzip");
        assert_ne!(told(&plain, &ETAG), told(&zipped, &ETAG));
        assert!(file.gzip.len() < file.plain.len() / 2);
        for tags in [told(&plain, &ETAG), "*", &format!("\"a\", W/{}", told(&plain, &ETAG))] {
            assert_eq!(
                file.answer(&asked(IF_NONE_MATCH, tags), REVALIDATE).status(),
                304,
                "{tags}"
            );
        }
        assert_eq!(file.answer(&asked(IF_NONE_MATCH, "\"a\""), REVALIDATE).status(), 200);
        for refused in ["br", "gzip;q=0", "x-gzip"] {
            assert!(!takes_gzip(&asked(ACCEPT_ENCODING, refused)), "{refused}");
        }
    }

    #[test]
    fn pages_name_the_version_of_their_files() {
        let pages = pages();
        let customers = pages.for_customers(BTreeSet::new());
        for page in pages.whole.values().chain([&*customers]) {
            let text = std::str::from_utf8(&page.plain).expect("text");
            assert!(text.contains(&format!("/pages/{}/", pages.version)) && !text.contains('{'));
        }
    }

    #[test]
    fn nothing_is_handed_out_outside_the_demo() {
        assert_eq!(pages().demo, r#"{"agents":[],"queues":[],"supervisor":null}"#);
    }
}
