//! The configuration as a whole: the defaults, the documented keys, and what is refused.

use secrecy::ExposeSecret;

use super::*;
use crate::domain::callback::Channel;
use crate::domain::ids::QueueId;

fn with(file: &str) -> Result<Loaded, ConfigError> {
    let file = Some(("my.toml".to_owned(), file.to_owned()));
    load(&Input { file, ..Input::default() })
}

fn lines(file: &str) -> Vec<String> {
    with(file).err().map(|error| error.lines).unwrap_or_default()
}

#[test]
fn the_defaults_are_a_good_configuration() {
    let loaded = load(&Input::default()).expect("the built-in file");
    let [closed] = &loaded.warnings[..] else { panic!("one warning: {:?}", loaded.warnings) };
    assert!(closed.starts_with("workspace main has no key and no JWT"), "{closed}");
    let settings = loaded.settings;
    assert_eq!(settings.listen, "127.0.0.1:8080");
    assert!(matches!(settings.store, StoreUrl::Embedded(path) if path.ends_with("data")));
    assert_eq!(settings.limits.body_bytes, 64 << 10);
    assert_eq!(settings.limits.overlay_bytes, 256 << 20);
    assert_eq!(settings.limits.log_max_bytes, 1 << 30);
    assert_eq!(settings.limits.store_stall, Duration::from_millis(800));
    assert_eq!(settings.limits.heartbeat, Duration::from_secs(10));
    let [workspace] = &settings.workspaces[..] else { panic!("one workspace") };
    assert_eq!(workspace.id.as_str(), "main");
    assert!(workspace.keys.is_empty() && workspace.queues.is_empty());
}

/// The keys that `config/default.toml` documents in comments, from its line `header` on.
fn documented(header: &str) -> String {
    let rest = DEFAULTS.split_once(&format!("#   {header}\n")).expect("it is documented").1;
    let end = rest.find("\n#   [[").unwrap_or(rest.len());
    let keys = rest[..end].lines().filter_map(|line| line.strip_prefix("#   "));
    keys.filter(|line| !line.contains('…')).fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_documented_defaults_of_queues_and_agents_are_those_that_hold() {
    let queue = documented("[[workspace.queue]]");
    let agent = documented("[[workspace.agent]]");
    let file = format!(
        "[[workspace]]\nid = \"main\"\n[[workspace.queue]]\n{queue}[[workspace.agent]]\n{agent}"
    );
    let loaded = with(&file).expect("what is documented is taken");
    let workspace = &loaded.settings.workspaces[0];
    let id = QueueId::parse("billing").expect("a slug");
    assert_eq!(workspace.queues, [QueueSettings::new(id)]);
    assert_eq!(workspace.agents[0].capacity, crate::domain::policy::Capacity::default());

    let printed = crate::wire::settings::print_queue(&workspace.queues[0]);
    for key in printed.keys() {
        assert!(DEFAULTS.contains(&format!("\n#   {key} = ")), "{key} is not documented");
    }
}

#[test]
fn every_fault_is_a_line_with_file_key_value_and_what_is_allowed() {
    let file = r#"
        listen = "8080"
        colour = "red"
        public_url = "callbacks.example"
        [limits]
        body_kib = 0
        body_second = 3
        overlay_mib = 2048
        [[workspace]]
        id = "main"
        secret = "short"
        links = { call = "javascript:alert(1)" }
        [[workspace.queue]]
        id = "billing"
        offer_timeout_seconds = 4
        [[workspace.queue]]
        id = "billing"
        [[workspace.agent]]
        id = "mara"
        queues = ["sales"]
    "#;
    assert_eq!(
        lines(file),
        [
            "my.toml: listen = \"8080\": must be ADDRESS:PORT, such as 127.0.0.1:8080 or \
             [::]:8080; port 0 takes a free one",
            "my.toml: public_url = \"callbacks.example\": must be https://HOST[:PORT][/PATH] (or \
             http://), without query or fragment",
            "my.toml: limits.body_kib = 0: must be an integer from 1 to 65536",
            "my.toml: limits.overlay_mib = 2048: must not be more than log_max_mib",
            "my.toml: limits.body_second = 3: unknown key; did you mean `body_seconds`?",
            "my.toml: workspace[0].secret = (hidden): must have at least 32 bytes",
            "my.toml: workspace[0].links.call = \"javascript:alert(1)\": must begin with one of \
             https://, http://, tel:, sip:, sips:, callto:, mailto:",
            "my.toml: workspace[0].queue[0].offer_timeout_seconds = 4: must be an integer from 5 \
             to 600",
            "my.toml: workspace[0].queue[1].id = \"billing\": is taken by another queue",
            "my.toml: workspace[0].agent[0].queues[0] = \"sales\": there is no such queue",
            "my.toml: colour = \"red\": unknown key; known: limits, listen, mail, meetings, \
             metrics_open, public_url, store, tzdb, webhooks, workspace",
        ]
    );
}

#[test]
fn what_has_no_id_has_its_other_faults_told_too() {
    let file = r#"
        [[workspace]]
        id = "main"
        [[workspace.queue]]
        name = "Billing"
        requirements = [{ skill = "French" }]
        lead_seconds = -1
        [[workspace.agent]]
        name = "Mara"
        capacity = { units = -1 }
    "#;
    let found: Vec<String> =
        lines(file).iter().map(|line| line.split(": ").nth(1).unwrap_or_default().into()).collect();
    assert_eq!(
        found,
        [
            "workspace[0].queue[0].id",
            "workspace[0].queue[0].requirements[0].skill = \"French\"",
            "workspace[0].queue[0].lead_seconds = -1",
            "workspace[0].agent[0].id",
            "workspace[0].agent[0].capacity.units = -1",
        ]
    );
}

#[test]
fn keys_are_kept_as_hashes_and_held_to_their_role() {
    let file = r#"
        [[workspace]]
        id = "main"
        [[workspace.key]]
        role = "channel"
        channel = "portal"
        public = true
        allowed_origins = ["https://www.example", "self"]
        token = "portal-key"
        [[workspace.key]]
        role = "supervisor"
        agent = "mara"
        token_sha256 = "a10f27d41b38d85a02e9e2b8b8e10a0d1bb1c5d06e0a4d2dbd8a4ebc8ee23d02"
    "#;
    let loaded = with(file).expect("good keys");
    assert_eq!(loaded.warnings.len(), 0, "what stands in pages may stand in the clear");
    let secret = with(&file.replace("public = true", "").replace("allowed_origins", "# "));
    assert_eq!(secret.expect("a good key").warnings.len(), 1, "a token in the clear");
    let keys = &loaded.settings.workspaces[0].keys;
    let Grant::Channel { channel: Channel::Portal, public: Some(public) } = &keys[0].grant else {
        panic!("{:?}", keys[0].grant)
    };
    assert_eq!((public.requests_per_minute, public.callbacks_per_hour), (30, 3));
    assert_eq!(keys[0].token.as_ref().map(ExposeSecret::expose_secret), Some("portal-key"));
    assert_eq!(keys[0].token_sha256.0[..4], [0xb0, 0x6d, 0xae, 0x28]);
    assert!(matches!(&keys[1].grant, Grant::Supervisor(Some(agent)) if agent.as_str() == "mara"));

    for (key, expected) in [
        ("role = \"boss\"\ntoken = \"12345678\"", "role = \"boss\": must be one of"),
        ("role = \"admin\"", "needs either token or token_sha256"),
        ("role = \"admin\"\ntoken = \"\"", "token = (hidden): must be 1 to 200"),
        ("role = \"agent\"\ntoken = \"12345678\"", "agent: is missing"),
        ("role = \"agent\"\nagent = \"a\"\nchannel = \"chat\"\ntoken = \"12345678\"", "channel"),
        ("role = \"channel\"\nchannel = \"fax\"\ntoken = \"12345678\"", "must be one of"),
        (
            "role = \"channel\"\nchannel = \"chat\"\npublic = true\ntoken = \"12345678\"",
            "allowed_origins: is missing",
        ),
    ] {
        let found = lines(&format!("[[workspace]]\nid = \"a\"\n[[workspace.key]]\n{key}"));
        assert!(matches!(&found[..], [line] if line.contains(expected)), "{key}: {found:?}");
    }
}

#[test]
fn a_token_that_two_keys_share_is_refused() {
    let key = "[[workspace.key]]\nrole = \"admin\"\ntoken = \"12345678\"\n";
    let found = lines(&format!("[[workspace]]\nid = \"a\"\n{key}[[workspace]]\nid = \"b\"\n{key}"));
    assert_eq!(found, ["my.toml: workspace[1].key[0].token = (hidden): is another key's too"]);
}

#[test]
fn stores_addresses_and_sites_are_told_apart() {
    for good in ["memory:", "embedded:a/b", "redis://h:6379/0", "rediss://:secret@h"] {
        assert_eq!(lines(&format!("store = \"{good}\"")), [""; 0], "{good}");
    }
    for bad in ["", "memory", "embedded:", "redis://", "redis:h", "file:///x", "redis://a b"] {
        assert_eq!(lines(&format!("store = \"{bad}\"")).len(), 1, "{bad}");
    }
    for good in ["0.0.0.0:0", "[::1]:80", "localhost:65535", "a-b.example:1"] {
        assert_eq!(lines(&format!("listen = \"{good}\"")), [""; 0], "{good}");
    }
    for bad in ["", ":80", "localhost", "a b:1", "h:65536", "http://h:1"] {
        assert_eq!(lines(&format!("listen = \"{bad}\"")).len(), 1, "{bad}");
    }
    for good in ["https://a.example", "http://localhost:8080", "https://[::1]:1", "http://1.2.3.4"]
    {
        let file = format!("[[workspace]]\nid = \"a\"\ndesk_origins = [\"{good}\"]");
        assert_eq!(lines(&file), [""; 0], "{good}");
    }
    for bad in
        ["*", "https://a.example/", "https://A.example", "https://a/b", "https://u@a", "ws://a"]
    {
        let file = format!("[[workspace]]\nid = \"a\"\ndesk_origins = [\"{bad}\"]");
        assert_eq!(lines(&file).len(), 1, "{bad}");
    }
    let settings = with("public_url = \"https://a.example/base/\"").expect("a base").settings;
    assert_eq!(settings.public_url.as_deref(), Some("https://a.example/base"));
}

#[test]
fn no_secret_is_printed_by_debug() {
    let file = r#"
        store = "redis://:hidden-word@h"
        [[workspace]]
        id = "a"
        secret = "hidden-word hidden-word hidden-word"
        [[workspace.key]]
        role = "admin"
        token = "hidden-word"
        [workspace.jwt]
        hs256_secret = "hidden-word hidden-word hidden-word"
    "#;
    let loaded = with(file).expect("good settings");
    assert!(!format!("{loaded:?}").contains("hidden-word"));
}

#[test]
fn calls_outward_have_bounds_that_fit_together() {
    let settings = with("").expect("the defaults").settings;
    let of = |connect, answer| (Duration::from_secs(connect), Duration::from_secs(answer));
    let webhooks = settings.webhooks;
    let (connect, answer) = of(5, 20);
    let expected = Webhooks {
        allow_inner: false,
        connect,
        answer,
        give_up_after: Duration::from_hours(24),
        concurrency: 8,
        concurrency_in_all: 256,
        max_waiting: 1_000,
    };
    assert_eq!(webhooks, expected);
    let OutwardCalls { connect, answer } = settings.meetings;
    assert_eq!((connect, answer), of(5, 20));
    assert_eq!(
        lines("[webhooks]\nallow_inner = 1\nconnect_seconds = 21\n[meetings]\nanswer_seconds = 0"),
        [
            "my.toml: webhooks.allow_inner = 1: must be true or false",
            "my.toml: webhooks.connect_seconds = 21: must not be more than answer_seconds",
            "my.toml: meetings.answer_seconds = 0: must be an integer from 1 to 300",
            "config/default.toml: meetings.connect_seconds = 5: must not be more than \
             answer_seconds",
        ]
    );
}

#[test]
fn meetings_are_held_to_their_provider_and_keep_their_secrets() {
    let file = |keys: &str| format!("[[workspace]]\nid = \"a\"\n[workspace.meetings]\n{keys}");
    let zoom = "provider = \"zoom\"\naccount_id = \"x\"\nclient_id = \"y\"\n\
                client_secret = \"hidden-word\"\nhost_user = \"u@example.com\"\n";
    let jitsi = "provider = \"jitsi\"\ndomain = \"meet.example:8443\"\napp_id = \"x\"\n\
                 app_secret = \"hidden-word\"\n";
    let read = |keys: &str| {
        let loaded = with(&file(keys)).expect("good settings");
        assert!(!format!("{loaded:?}").contains("hidden-word"));
        loaded.settings.workspaces.into_iter().find_map(|workspace| workspace.meetings)
    };
    let Some(Meetings::Zoom(account)) = read(zoom) else { panic!("Zoom") };
    assert_eq!(account.api_url, "https://api.zoom.us/v2");
    assert_eq!(account.token_url, "https://zoom.us/oauth/token");
    assert_eq!(account.client_secret.expose_secret(), "hidden-word");
    let Some(Meetings::Jitsi(server)) = read(jitsi) else { panic!("Jitsi") };
    assert_eq!((server.audience, server.subject), ("jitsi".into(), server.domain));

    for (keys, expected) in [
        ("app_id = \"x\"", "meetings.provider: is missing"),
        ("provider = \"teams\"\napp_id = \"x\"", "must be one of: zoom, jitsi"),
        (
            &format!("{zoom}domain = \"meet.example\""),
            "meetings.domain = \"meet.example\": unknown",
        ),
        (&zoom.replace("hidden-word", "hidden word"), "client_secret = (hidden): must be 1 to 500"),
        (&format!("{zoom}api_url = \"api.zoom.us\""), "api_url = \"api.zoom.us\": must be https"),
        (&jitsi.replace("meet.", "https://meet."), "must be a host in small letters"),
        (&jitsi.replace("app_secret", "secret"), "app_secret: is missing"),
    ] {
        let found = lines(&file(keys));
        assert!(found.iter().any(|line| line.contains(expected)), "{keys}: {found:?}");
        assert!(!found.iter().any(|line| line.contains("hidden-word")), "{found:?}");
    }
}
