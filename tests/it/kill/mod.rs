//! `kill -9` under load, of the server and of its store: what was acknowledged is there afterwards,
//! nothing was done twice, and everything goes on.
//!
//! Every test prints its seed; `SEED=… cargo test --test it kill` repeats its choices.

mod check;
mod customers;
mod desk;
mod dice;
mod history;
mod instant;
mod keys;
mod ledger;
mod outage;
mod places;
mod rounds;
mod takeover;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use customers::Customer;
use desk::{Desk, Gone};
use dice::Dice;
use ledger::Ledger;

use crate::redis::{RedisServer, now};
use crate::server::Server;

/// Agents at work. The first ones may have two callbacks at once.
const AGENTS: u64 = 8;
const TWO_HANDED: u64 = 2;
/// Those who ask.
const CUSTOMERS: u64 = 4;
/// A booked callback is queued so long before its start, and not sooner.
const LEAD_SECONDS: u64 = 1;

/// What an agent may hold.
fn capacity(agent: &str) -> i64 {
    let number: u64 = agent.trim_start_matches("agent").parse().expect("agents are numbered");
    if number < TWO_HANDED { 2 } else { 1 }
}

/// How much is kept in memory and in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// As it is by default: a short life never touches the tables.
    Usual,
    /// So little that tables are written and the log is trimmed all the time.
    Little,
}

/// One queue that retries at once, and never loses patience with an agent who was cut off.
fn config(room: Room) -> String {
    let limits = match room {
        Room::Usual => "",
        Room::Little => "overlay_mib = 1\nlog_max_mib = 3",
    };
    let mut text = format!(
        r#"
listen = "127.0.0.1:0"
public_url = "https://callbacks.example"
[limits]
{limits}
[[workspace]]
id = "main"
secret = "the secret that manage links are signed with"
phone_requests_per_minute = 0
  [[workspace.key]]
  role = "supervisor"
  token = "lead-key-1"
  [[workspace.key]]
  role = "channel"
  channel = "portal"
  token = "portal-key"
  [[workspace.queue]]
  id = "billing"
  lead_seconds = {LEAD_SECONDS}
  wrap_up_seconds = 2
  session_grace_seconds = 600
  max_missed_offers = 100
  decline_cooldown_seconds = 1
  expire_after_minutes = 600
  slot_capacity = 0
  contact_hours = {{ from = "00:00", to = "24:00" }}
  retry_delays_minutes = {{ no_answer = 0, busy = 0, voicemail = 0, failed = 0, unknown = 0 }}
"#
    );
    for number in 0..AGENTS {
        let id = format!("agent{number}");
        let units = capacity(&id);
        let agent = format!(
            r#"
  [[workspace.key]]
  role = "agent"
  agent = "{id}"
  token = "{id}-key"
  [[workspace.agent]]
  id = "{id}"
  queues = ["billing"]
  capacity = {{ units = {units} }}
"#
        );
        text.write_str(&agent).expect("a text grows");
    }
    text
}

/// A store that outlives its servers.
enum Store {
    Embedded(tempfile::TempDir),
    Redis(RedisServer, tempfile::TempDir),
}

impl Store {
    fn embedded() -> Self {
        Self::Embedded(tempfile::tempdir().expect("a folder"))
    }

    fn redis() -> Self {
        Self::Redis(RedisServer::start(), tempfile::tempdir().expect("a folder"))
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Embedded(folder) | Self::Redis(_, folder) => folder.path(),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Embedded(folder) => {
                format!("embedded:{}", folder.path().join("data").display())
            }
            Self::Redis(redis, _) => redis.url(),
        }
    }

    fn serve(&self) -> Server {
        self.serve_in(Room::Usual)
    }

    fn serve_in(&self, room: Room) -> Server {
        Server::start_configured_on(self.folder(), &self.url(), &config(room))
    }

    /// Starts a server and kills it so long after, ready or not.
    fn start_and_kill(&self, after: Duration) {
        let file = self.folder().join("short.toml");
        std::fs::write(&file, config(Room::Little)).expect("it is written");
        let begun = now();
        let mut short = Command::new(env!("CARGO_BIN_EXE_ringback"))
            .env_clear()
            .args(["serve", "--store", &self.url(), "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        while begun.elapsed() < after {
            let ended = short.try_wait().expect("it is our child");
            assert_eq!(ended, None, "it ended by itself after {:?}", begun.elapsed());
            std::thread::yield_now();
        }
        short.kill().expect("it runs");
        short.wait().expect("it ends");
    }

    /// Kills the store itself too, where it is a process, and starts it again.
    fn crash(&mut self) {
        match self {
            Self::Embedded(_) => {}
            Self::Redis(redis, _) => {
                redis.kill();
                redis.restart();
            }
        }
    }
}

/// Everybody comes to work; where the log has no room, connecting is refused for a moment.
fn open_desks<'a>(url: &str, ledger: &'a Ledger, dice: &Dice) -> Vec<Desk<'a>> {
    let deadline = now() + ledger::PATIENCE;
    let open = |number: u64| loop {
        let agent = format!("agent{number}");
        match Desk::open(url, &agent, ledger, dice.fork(1_000 + number)) {
            Ok(desk) => return desk,
            Err(why) => assert!(now() < deadline, "{agent} can't connect: {why:?}"),
        }
        ledger.wait_a_moment();
    };
    (0..AGENTS).map(open).collect()
}

/// Whoever works ends when a test panics, which would wait for them for ever otherwise.
struct EndsInPanic<'a>(&'a Ledger);

impl Drop for EndsInPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end_in_panic();
        }
    }
}

/// A full house: customers who ask and agents who work, while `meanwhile` goes on; it ends by
/// closing the ledger, or with the server. Returns how the agents' connections ended.
fn full_house(
    url: &str,
    ledger: &Ledger,
    dice: &Dice,
    desks: Vec<Desk<'_>>,
    most: u64,
    meanwhile: impl FnOnce(),
) -> Vec<Result<(), Gone>> {
    let names: BTreeSet<u64> = (0..CUSTOMERS).map(|number| dice.fork(number).next()).collect();
    std::thread::scope(|scope| {
        let _guard = EndsInPanic(ledger);
        let working: Vec<_> =
            desks.into_iter().map(|desk| scope.spawn(move || desk.work())).collect();
        let asking: Vec<_> = names
            .into_iter()
            .map(|name| Customer { url, ledger, name, dice: dice.fork(name) })
            .map(|customer| scope.spawn(move || customer.run(most)))
            .collect();
        meanwhile();
        for one in asking {
            one.join().expect("it asked");
        }
        working.into_iter().map(|one| one.join().expect("they worked")).collect()
    })
}

/// Agents work until nothing is left but what is booked for much later: all that slept wakes.
fn finish(url: &str, ledger: &Ledger, dice: &Dice) {
    ledger.set_over(false);
    let desks = open_desks(url, ledger, dice);
    let client = customers::client();
    let until = now() + 2 * ledger::PATIENCE;
    std::thread::scope(|scope| {
        let _guard = EndsInPanic(ledger);
        let working: Vec<_> =
            desks.into_iter().map(|desk| scope.spawn(move || desk.work())).collect();
        while let Some(left) = left(&client, url) {
            assert!(now() < until, "still {left}");
            ledger.wait_a_moment();
        }
        ledger.set_over(true);
        for one in working {
            one.join().expect("they worked").expect("nobody was cut off");
        }
    });
    assert_eq!(left(&client, url), None, "looked at while nobody works");
}

/// One of the callbacks that somebody could do something about now.
fn left(client: &reqwest::blocking::Client, url: &str) -> Option<serde_json::Value> {
    let busy = ["queued", "offered", "accepted", "calling", "wrap_up"];
    let busy = busy.map(|state| format!("state={state}&")).concat();
    let due = "state=open&due_before=2036-01-01T00:00:00Z&".to_owned();
    // One may be on its way from one to the other, either way.
    [&busy, &due, &busy].iter().find_map(|filter| {
        let page = check::get(client, url, &format!("/v1/callbacks?{filter}limit=1"));
        page["items"].as_array().expect("a list").first().cloned()
    })
}
