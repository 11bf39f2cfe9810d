//! The command line as a user meets it: exit codes, and what goes to which stream.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn ringback() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    ringback().args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A server that is ready, and where; it ends with the test.
struct Serving {
    child: Child,
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Serving {
    fn start(command: &mut Command) -> Self {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = lines.next().expect("a line").expect("UTF-8");
        let url = line.strip_prefix("listening on ").expect("the address").to_owned();
        Self { child, url, lines }
    }

    /// Ends it by a signal: its code, what else it printed, and what it logged.
    fn end(mut self, signal: &str) -> (Option<i32>, usize, String) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(killed.success());
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut log).expect("UTF-8");
        let more = self.lines.by_ref().count();
        (self.child.wait().expect("it ends").code(), more, log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already, unless the test failed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const WORKSPACE: &str = r#"
[[workspace]]
id = "main"
  [workspace.jwt]
  hs256_secret = "a secret of at least thirty-two bytes"
  [[workspace.key]]
  role = "admin"
  token = "admin-key"
"#;

/// A file with the text, in a folder that goes with the test.
fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("it is written");
    path.to_str().expect("UTF-8").to_owned()
}

/// As `sha256sum` prints it.
fn sha256(token: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(token).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}

#[test]
fn a_bad_configuration_is_exit_2_and_a_line_for_each_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.toml");
    fs::write(&path, "listen = \"x\"\n[limits]\nbody_kib = 0\nbody = 1\n").expect("it is written");
    let name = path.to_str().expect("UTF-8");
    for command in [&["config", "check"][..], &["serve"], &[]] {
        let output = run(&[command, &["--config", name]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let faults = text(&output.stderr);
        assert_eq!(faults.lines().count(), 3, "{faults}");
        for line in faults.lines() {
            assert!(line.starts_with(&format!("{name}: ")), "{line}");
        }
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn a_configuration_to_be_checked_is_named_with_or_without_its_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = file(folder.path(), "good.toml", WORKSPACE);
    let bad = file(folder.path(), "bad.toml", "body = 1\n");
    for (line, code) in [
        (&["config", "check", &good][..], 0),
        (&["config", "check", "--config", &good], 0),
        (&["config", "check", &bad], 2),
        (&["config", "check", &good, "--demo"], 2),
        (&["config", "check", &good, &good], 2),
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(code), "{line:?} {}", text(&output.stderr));
    }
    let faults = text(&run(&["config", "check", &bad]).stderr);
    assert!(faults.starts_with(&format!("{bad}: ")), "{faults}");
    // The variable names the file too, and the command line wins over it.
    let output = ringback().env("RINGBACK_CONFIG", &bad).args(["config", "check", &good]).output();
    assert_eq!(output.expect("it runs").status.code(), Some(0));
    let output = ringback().env("RINGBACK_CONFIG", &bad).args(["config", "check"]).output();
    assert_eq!(output.expect("it runs").status.code(), Some(2));
}

#[test]
fn clients_that_send_nonsense_or_leave_are_no_errors_of_the_log() {
    use std::io::Write;
    use std::net::TcpStream;
    let folder = tempfile::tempdir().expect("a folder");
    let agent = "[[workspace.agent]]\nid = \"mara\"\nqueues = []\n\
                 [[workspace.key]]\nrole = \"agent\"\nagent = \"mara\"\ntoken = \"mara-key\"";
    let config = file(folder.path(), "config.toml", &format!("{WORKSPACE}{agent}"));
    let line = ["serve", "--config", &config, "--listen", "127.0.0.1:0", "--store", "memory:"];
    let serving = Serving::start(ringback().env("RINGBACK_LIMITS__HEADER_SECONDS", "1").args(line));
    let address = serving.url.strip_prefix("http://").expect("the address").to_owned();
    let answered = |sent: &[u8]| {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        stream.write_all(sent).expect("it is taken");
        let mut answer = Vec::new();
        // A connection that is reset after its answer has still been answered.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    };
    assert!(answered(b"nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert!(answered(b"GET / HTTP/1.1\r\nHost: a\r\nX").starts_with("HTTP/1.1 408 "));
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert!(answered(long.as_bytes()).starts_with("HTTP/1.1 431 "));
    // A ping in pieces, which WebSocket doesn't allow.
    let socket = b"GET /v1/agent/socket HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer mara-key\r\n\
        Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ringback.v1\r\n\r\n\
        \x09\x81\0\0\0\0x";
    assert!(answered(socket).starts_with("HTTP/1.1 101 "));
    let body = b"POST /v1/callbacks HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{";
    let mut stream = TcpStream::connect(&address).expect("it listens");
    stream.write_all(body).expect("it is taken");
    drop(stream);
    let (code, _, told) = serving.end("-TERM");
    assert_eq!(code, Some(0));
    assert!(!told.contains("ERROR"), "{told}");
}

#[test]
fn a_bad_template_of_a_mail_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("de")).expect("it is made");
    let template = folder.path().join("de/sorry.txt");
    fs::write(template, "Leider\n\n{{ nobody }}\n").expect("it is written");
    let path = folder.path().join("mail.toml");
    let texts = folder.path().display();
    let mail = format!(
        "[mail]\nserver = \"smtp://localhost\"\nfrom = \"a@example.com\"\ntemplates = \"{texts}\"\n"
    );
    fs::write(&path, mail).expect("it is written");
    for command in [&["config", "check"][..], &["serve"]] {
        let output = run(&[command, &["--config", path.to_str().expect("UTF-8")]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let faults = text(&output.stderr);
        assert!(faults.starts_with("mail.templates: de/sorry: undefined value"), "{faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
}

#[test]
fn keys_that_cant_be_read_are_told_before_the_store_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("keys.json"), "{\"keys\": 7}").expect("it is written");
    let store = format!("embedded:{}", at("data").display());
    let jwt = format!("[workspace.jwt]\njwks_file = \"{}\"\n", at("keys.json").display());
    let listen = "listen = \"127.0.0.1:0\"\n";
    let text_of = format!("{listen}store = \"{store}\"\n[[workspace]]\nid = \"main\"\n{jwt}");
    fs::write(at("jwt.toml"), text_of).expect("it is written");
    for command in [&["config", "check"][..], &["serve"]] {
        let config = at("jwt.toml");
        let output = run(&[command, &["--config", config.to_str().expect("UTF-8")]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let faults = text(&output.stderr);
        assert!(faults.contains("workspace.jwt.jwks_file"), "{faults}");
        assert!(!at("data").exists(), "{command:?}");
    }
}

#[test]
fn the_printed_defaults_are_a_good_file() {
    let output = run(&["config", "default"]);
    assert_eq!(output.status.code(), Some(0));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("default.toml");
    fs::write(&path, &output.stdout).expect("it is written");
    let output = run(&["config", "check", "--config", path.to_str().expect("UTF-8")]);
    let told = text(&output.stderr);
    assert_eq!((output.status.code(), told.lines().count()), (Some(0), 1), "{told}");
    assert!(told.contains("nobody gets in"), "who starts it so is told what is missing: {told}");
}

#[test]
fn a_variable_of_the_environment_is_checked_like_a_file() {
    let mut command = ringback();
    command.args(["config", "check"]).env("RINGBACK_LIMITS__BODY_KIB", "many");
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "environment RINGBACK_LIMITS__BODY_KIB: limits.body_kib = \"many\": must be an integer \
         from 1 to 65536\n"
    );
}

#[test]
fn what_can_not_be_done_is_exit_2() {
    for arguments in [
        &["export"][..],
        &["import"],
        &["token", "--role", "agent", "--subject", "mara"],
        &["token", "--demo", "--role", "agent", "--subject", "Mara"],
        &["serve", "--config", "there-is-no-such-file.toml"],
        &["unknown"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn serving_says_where_on_one_line_and_ends_with_0_on_sigterm() {
    for signal in ["-TERM", "-INT"] {
        let mut command = ringback();
        let server =
            Serving::start(command.args(["--listen", "127.0.0.1:0", "--store", "memory:"]));
        let port = server.url.strip_prefix("http://127.0.0.1:").expect("the address");
        assert_ne!(port.parse::<u16>().expect("a port"), 0);
        let (code, more, _log) = server.end(signal);
        assert_eq!((code, more), (Some(0), 0), "{signal}: one line, and then the end");
    }
}

#[test]
fn a_signal_ends_a_start_that_waits_for_its_store() {
    // A store that takes connections, and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let store = format!("redis://{}", mute.local_addr().expect("its address"));
    let folder = tempfile::tempdir().expect("a folder");
    let config = file(folder.path(), "good.toml", WORKSPACE);
    let command = ["serve", "--config", &config, "--store", &store, "--listen", "127.0.0.1:0"];
    let mut child = ringback().args(command).spawn().expect("it starts");
    let _asked = mute.accept().expect("it asks its store");
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "not for its store's silence");
}

#[test]
fn flags_win_over_environment_over_file() {
    let folder = tempfile::tempdir().expect("a folder");
    // An address of a network that there isn't: whoever takes it fails.
    let nowhere = "192.0.2.1:1";
    let config = format!("listen = \"{nowhere}\"\nstore = \"memory:\"\n");
    let config = file(folder.path(), "a.toml", &config);
    let mut command = ringback();
    command.args(["serve", "--config", &config]);
    assert_eq!(command.output().expect("it runs").status.code(), Some(1), "the file's is taken");
    let server = Serving::start(command.env("RINGBACK_LISTEN", "127.0.0.1:0"));
    assert_eq!(server.end("-TERM").0, Some(0));
    command.env("RINGBACK_LISTEN", nowhere).args(["--listen", "127.0.0.1:0"]);
    assert_eq!(Serving::start(&mut command).end("-TERM").0, Some(0));
    let mut command = ringback();
    command.env("RINGBACK_CONFIG", &config).env("RINGBACK_LISTEN", "127.0.0.1:0");
    assert_eq!(Serving::start(&mut command).end("-TERM").0, Some(0), "the file by its variable");
}

#[test]
fn keys_in_the_clear_are_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = file(folder.path(), "a.toml", WORKSPACE);
    let checked = run(&["config", "check", "--config", &config]);
    assert_eq!(checked.status.code(), Some(0));
    assert!(text(&checked.stderr).starts_with("warning: 1 key(s)"), "{checked:?}");
    let mut command = ringback();
    command.args(["--config", &config, "--listen", "127.0.0.1:0", "--store", "memory:"]);
    let (code, _, log) = Serving::start(&mut command).end("-TERM");
    assert_eq!(code, Some(0));
    assert!(log.contains("token_sha256") && !log.contains("admin-key"), "{log}");
}

#[test]
fn applying_a_file_twice_changes_nothing_the_second_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = file(folder.path(), "a.toml", WORKSPACE);
    let mut command = ringback();
    command.args(["--config", &config, "--listen", "127.0.0.1:0", "--store", "memory:"]);
    let server = Serving::start(&mut command);
    let apply = |queue: &str, token: &str| {
        let queue = format!("[[workspace.queue]]\nid = \"billing\"\n{queue}\n");
        let agent = "[[workspace.agent]]\nid = \"mara\"\nqueues = [\"billing\"]\n";
        let file = file(folder.path(), "b.toml", &format!("{WORKSPACE}{queue}{agent}"));
        let output = run(&["apply", &file, "--server", &server.url, "--token", token]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, told, notes) = apply("", "admin-key");
    let key = format!("/v1/keys/{}: unchanged\n", sha256("admin-key"));
    let made = format!("/v1/queues/billing: made\n/v1/agents/mara: made\n{key}");
    assert_eq!((code, told, notes), (Some(0), made, String::new()));
    let unchanged = format!("/v1/queues/billing: unchanged\n/v1/agents/mara: unchanged\n{key}");
    assert_eq!(apply("", "admin-key").1, unchanged);
    let hours = "hours = [{ days = [\"mon\"], from = \"08:00\", to = \"18:00\" }]\nname = \"B\"";
    assert_eq!(
        apply(hours, "admin-key").1,
        format!("/v1/queues/billing: replaced (hours, name)\n/v1/agents/mara: unchanged\n{key}")
    );
    assert_eq!(apply(hours, "admin-key").1, unchanged);

    let (code, told, fault) = apply("", "another-key");
    assert_eq!((code, &*told), (Some(1), ""));
    assert!(fault.starts_with("/v1/queues/billing: 401 "), "{fault}");
    let (code, _, fault) = apply("lead_seconds = -1", "admin-key");
    assert_eq!((code, fault.lines().count()), (Some(2), 1), "{fault}");

    // A token that was signed here is taken there.
    let signed = ["token", "--role", "admin", "--subject", "root", "--config", &config];
    let signed = run(&signed);
    assert_eq!(signed.status.code(), Some(0), "{signed:?}");
    assert_eq!(apply(hours, text(&signed.stdout).trim()).0, Some(0));
    assert_eq!(server.end("-TERM").0, Some(0));
    let file = folder.path().join("b.toml");
    let file = file.to_str().expect("UTF-8");
    let gone = run(&["apply", file, "--server", "http://127.0.0.1:1", "--token", "admin-key"]);
    assert_eq!(gone.status.code(), Some(1), "there is no server");
}

#[test]
fn keys_are_made_changed_and_revoked_in_a_running_server_and_stay_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = file(folder.path(), "a.toml", WORKSPACE);
    let store = format!("embedded:{}", folder.path().join("data").display());
    let start = || {
        let mut command = ringback();
        command.args(["--config", &config, "--listen", "127.0.0.1:0", "--store", &store]);
        Serving::start(&mut command)
    };
    let apply = |server: &Serving, keys: &str, token: &str| {
        let file = file(folder.path(), "b.toml", &format!("[[workspace]]\nid = \"main\"\n{keys}"));
        let output = run(&["apply", &file, "--server", &server.url, "--token", token]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told = text(&output.stdout).replace("/v1/keys/", "");
        (told.trim_end().to_owned(), text(&output.stderr))
    };
    let status = |server: &Serving, path: &str, token: &str| {
        let asked = reqwest::blocking::Client::new().get(format!("{}{path}", server.url));
        asked.bearer_auth(token).send().expect("it answers").status().as_u16()
    };
    let key = |token: &str, rest: &str| {
        format!("[[workspace.key]]\ntoken_sha256 = \"{}\"\n{rest}\n", sha256(token))
    };
    let (admin, lead) = (sha256("admin-key"), sha256("lead-key-1"));
    let server = start();
    assert_eq!(status(&server, "/v1/queues", "lead-key-1"), 401);
    let (told, notes) = apply(&server, &key("lead-key-1", "role = \"supervisor\""), "admin-key");
    assert_eq!(told, format!("{lead}: made"));
    assert!(notes.starts_with(&format!("/v1/keys/{admin}: the file doesn't name it")), "{notes}");
    assert_eq!(status(&server, "/v1/queues", "lead-key-1"), 200);
    assert_eq!(status(&server, "/v1/keys", "lead-key-1"), 403);
    let raised = key("lead-key-1", "role = \"admin\"\nagent = \"mara\"");
    let (told, _) = apply(&server, &raised, "admin-key");
    assert_eq!(told, format!("{lead}: replaced (agent, role)"));
    assert_eq!(apply(&server, &raised, "admin-key").0, format!("{lead}: unchanged"));
    assert_eq!(status(&server, "/v1/keys", "lead-key-1"), 200);
    // The configuration's own too, and for good.
    let revoked = format!("{raised}{}", key("admin-key", "role = \"admin\"\nrevoked = true"));
    let (told, notes) = apply(&server, &revoked, "lead-key-1");
    assert_eq!((told, notes), (format!("{lead}: unchanged\n{admin}: revoked"), String::new()));
    assert_eq!(server.end("-KILL").0, None);

    let server = start();
    assert_eq!(status(&server, "/v1/queues", "admin-key"), 401);
    assert_eq!(status(&server, "/v1/keys", "lead-key-1"), 200);
    let again = format!("{lead}: unchanged\n{admin}: unchanged");
    assert_eq!(apply(&server, &revoked, "lead-key-1").0, again);
    let back = key("admin-key", "role = \"admin\"");
    assert_eq!(apply(&server, &back, "lead-key-1").0, format!("{admin}: made"));
    assert_eq!(status(&server, "/v1/queues", "admin-key"), 200);
    assert_eq!(server.end("-TERM").0, Some(0));

    // What the configuration revokes is revoked whatever the store says.
    file(folder.path(), "a.toml", &WORKSPACE.replace("admin-key\"", "admin-key\"\nrevoked = true"));
    let server = start();
    assert_eq!(status(&server, "/v1/queues", "admin-key"), 401);
    assert_eq!(status(&server, "/v1/queues", "lead-key-1"), 200);
    assert_eq!(server.end("-TERM").0, Some(0));
}

#[test]
fn the_demo_serves_a_call_centre_with_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = reqwest::blocking::Client::new();
    let deadline = now() + Duration::from_mins(1);
    // Twice: the second time it goes on with what the first has left.
    for _ in 0..2 {
        let mut command = ringback();
        command.current_dir(folder.path());
        let server = Serving::start(command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]));
        let connected = || {
            let asked = client.get(format!("{}/v1/agent_status", server.url));
            let answer = asked.bearer_auth("demo-admin-key").send().expect("it answers");
            let body: serde_json::Value = answer.json().expect("JSON");
            let agents = body["items"].as_array().expect("a list").iter();
            agents.filter(|agent| agent["connected"] == true).count()
        };
        while connected() < 12 {
            assert!(now() < deadline, "twelve agents come to work");
        }
        let (code, guide, _) = server.end("-TERM");
        assert_eq!((code, guide), (Some(0), 8), "pages, description, a credential of each kind");
    }
    assert!(folder.path().join("data/demo").is_dir(), "kept as in earnest");
}

/// The clock of the tests' deadlines.
#[expect(clippy::disallowed_methods, reason = "a test's deadline, not the engine's time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_reference_products_defaults_are_a_configuration_that_checks() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/parity.toml");
    let checked = run(&["config", "check", "--config", file]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let written = fs::read_to_string(file).expect("it is there");
    for setting in [
        "max_attempts = 5",
        "expire_after_minutes = 60",
        "retry_extends_expiry = false",
        "lead_seconds = 60",
    ] {
        assert!(written.contains(setting), "{setting}");
    }
}
