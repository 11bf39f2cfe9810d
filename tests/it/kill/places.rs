//! The last places of slots, asked for by many at once while the server is killed: none is given
//! twice, none that was acknowledged is lost, and what is counted is what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::customers::client;
use super::dice::Dice;
use super::{Room, Store, check, config};
use crate::redis::now;
use crate::server::Server;

const ROUNDS: u64 = 10;
const CLIENTS: u64 = 200;
/// Slots that a round is about, and the places in each.
const SLOTS: u64 = 12;
const PLACES: usize = 2;

/// The store's servers have slots of half an hour with two places.
fn serve(store: &Store) -> Server {
    let few = "slot_capacity = 2\n  slot_minutes = 30";
    let config = config(Room::Usual).replace("slot_capacity = 0", few);
    Server::start_configured_on(store.folder(), &store.url(), &config)
}

/// What the clients of a round were told: taken, and called off for sure or in doubt.
#[derive(Default)]
struct Told {
    taken: BTreeMap<String, String>,
    called_off: BTreeSet<String>,
}

fn starts(round: u64) -> Vec<String> {
    let first: jiff::Timestamp = crate::server::slot(2).parse().expect("an instant");
    let number = |slot: u64| i64::try_from(round * SLOTS + slot).expect("few");
    let at = |slot| first + jiff::SignedDuration::from_mins(30 * number(slot));
    (0..SLOTS).map(|slot| at(slot).to_string()).collect()
}

/// Asks for places, and gives some back, until the server is gone.
fn asks(url: &str, mut dice: Dice, starts: &[String], told: &Mutex<Told>) {
    let client = client();
    loop {
        let start = dice.pick(starts).expect("there are some").clone();
        let phone = format!("+1415{}", 2_000_000 + dice.next() % 7_000_000);
        let body = json!({
            "queue": "billing", "type": "scheduled", "schedule": {"start": start},
            "customer": {"name": "Ada", "phone": phone},
        });
        let post = |path: &str, body: &Value| {
            let sent = client.post(format!("{url}{path}")).bearer_auth("portal-key").json(body);
            let answer = sent.send().ok()?;
            Some((answer.status().as_u16(), answer.json::<Value>().ok()?))
        };
        let Some((status, made)) = post("/v1/callbacks", &body) else { return };
        match status {
            201 => {
                let id = made["id"].as_str().expect("an id").to_owned();
                told.lock().expect("nobody panics").taken.insert(id.clone(), start);
                if dice.share(&[60, 40]) == 1 {
                    told.lock().expect("nobody panics").called_off.insert(id.clone());
                    if post(&format!("/v1/callbacks/{id}/cancel"), &json!({})).is_none() {
                        return;
                    }
                }
            }
            409 => assert_eq!(made["type"], "/problems/slot-full"),
            503 => {}
            other => panic!("{other}: {made}"),
        }
    }
}

/// Holds what the server has against what was told, and against what it counts.
fn judge(url: &str, round: u64, starts: &[String], told: &Told) {
    let client = client();
    let mut there: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page =
            check::get(&client, url, &format!("/v1/callbacks?state=active&limit=200{cursor}"));
        for row in page["items"].as_array().expect("a list") {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            there.entry(text(&row["schedule"]["start"])).or_default().push(text(&row["id"]));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for (id, start) in told.taken.iter().filter(|(id, _)| !told.called_off.contains(*id)) {
        let kept = there.get(start).is_some_and(|ids| ids.contains(id));
        assert!(kept, "round {round}: {id} at {start} was acknowledged and is gone");
    }
    for start in starts {
        let taken = there.get(start).map_or(0, Vec::len);
        assert!(taken <= PLACES, "round {round}: {taken} at {start}");
        let list = check::get(&client, url, &format!("/v1/queues/billing/slots?from={start}"));
        assert_eq!(list["items"][0]["start"], **start);
        assert_eq!(list["items"][0]["remaining"], PLACES - taken, "round {round}: {start}");
    }
}

fn rounds(test: &str, store: &Store) {
    let dice = Dice::cast(test);
    let mut server = serve(store);
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let (mut dice, starts, told) = (dice.fork(round), starts(round), Mutex::default());
        let enough = usize::try_from(dice.between(1, 20)).expect("few");
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (url, dice, starts, told) = (&server.url, dice.fork(client), &starts, &told);
                scope.spawn(move || asks(url, dice, starts, told));
            }
            let deadline = now() + super::ledger::PATIENCE;
            let is_enough = || told.lock().expect("nobody panics").taken.len() >= enough;
            while !is_enough() && now() < deadline {
                std::thread::yield_now();
            }
            // They ask until there is no server.
            server.kill_now();
            assert!(is_enough(), "nobody gets a place");
        });
        drop(server);
        server = serve(store);
        let told = told.into_inner().expect("nobody panics");
        acknowledged += told.taken.len();
        judge(&server.url, round, &starts, &told);
    }
    eprintln!("{test}: {acknowledged} places were given");
}

#[test]
fn no_place_is_given_twice_or_lost_on_the_embedded_store() {
    rounds("places, embedded", &Store::embedded());
}

#[test]
fn no_place_is_given_twice_or_lost_on_redis() {
    rounds("places, redis", &Store::redis());
}
