//! A day's plan, and what is made of its end.

use std::fs;
use std::sync::Mutex as StdMutex;

use clap::Parser;
use tokio::net::TcpStream;

use super::*;
use crate::bank::Service;
use crate::stub::{self, Asked as Heard, Seat};

fn row(
    call: u32,
    kind: &str,
    priority: u8,
    asked_at: Option<u32>,
    service: Option<Service>,
) -> Row {
    let (date, kind) = ("1999-01-04".to_owned(), kind.to_owned());
    Row { call, date, kind, priority, asked_at, waited: None, service }
}

fn by(agent: &str, at: u32, seconds: u32) -> Service {
    Service { at, seconds, agent: Some(agent.to_owned()) }
}

fn rows() -> Vec<Row> {
    vec![
        row(1, "PS", 2, Some(1_000), Some(by("A01", 1_100, 60))),
        row(2, "PS", 0, Some(2_000), None),
        row(3, "NE", 0, None, None),
        row(4, "PS", 0, Some(900), Some(by("A02", 900, 100))),
        row(5, "PS", 0, Some(9_000), Some(by("A01", 9_000, 200))),
    ]
}

#[test]
fn who_asked_for_an_agent_asks_for_a_callback_in_order() {
    let day = Day::new(&rows(), "run", 0, 86_400).unwrap();
    let ids: Vec<&str> = day.requests.iter().map(|asked| asked.external_id.as_str()).collect();
    assert_eq!(ids, ["run-4", "run-1", "run-2", "run-5"]);
    assert_eq!(day.requests[1].priority, 6);
    // Who hung up gets the mean service of the type: (60 + 100 + 200) / 3.
    assert!((day.requests[2].talk_seconds - 120.0).abs() < 1e-9);
    assert_eq!(day.means.keys().collect::<Vec<_>>(), ["ps"]);
    assert_eq!(day.agents["a01"], bank::Presence { from: 1_100, to: 9_200 });
    assert_eq!((day.from, day.to), (900, 9_200));
}

#[test]
fn a_part_of_the_day_has_its_own_requests_and_shifts() {
    let day = Day::new(&rows(), "run", 950, 3_000).unwrap();
    assert_eq!(day.requests.len(), 2);
    assert_eq!(day.agents["a01"], bank::Presence { from: 1_100, to: 3_000 });
    assert_eq!(day.agents["a02"], bank::Presence { from: 950, to: 1_000 });
    let error = Day::new(&rows(), "run", 20_000, 30_000).unwrap_err().to_string();
    assert!(error.contains("nobody asked"), "{error}");
}

#[test]
fn times_of_day_end_at_midnight() {
    assert_eq!(time_of_day("09:30"), Ok(34_200));
    assert_eq!(time_of_day("24:00"), Ok(86_400));
    for wrong in ["24:01", "9", "09:60", "x:00", "99999999999:00"] {
        assert!(time_of_day(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_bank_s_head_start_shrinks_with_the_speed_but_stays() {
    assert_eq!(head_start_seconds(1.0), 90);
    assert_eq!(head_start_seconds(60.0), 2);
    assert_eq!(head_start_seconds(10_000.0), 1);
}

#[test]
fn waits_are_shown_in_the_day_s_own_seconds() {
    let body = br#"{"id":"c1","number":"CB0000001","version":2,"type":"asap","state":"queued"}"#;
    let created = Created::from_answer(body).unwrap();
    let acknowledged = clock::now();
    let asked = vec![Asked { queue: "ps".to_owned(), created: created.clone(), acknowledged }];
    let found = vec![Some(json!({"version": 9, "state": "closed_complete"}))];
    let called = BTreeMap::from([(Arc::from("c1"), acknowledged + Duration::from_millis(500))]);
    let table = per_queue(60.0, &asked, &found, &called);
    let row = &table.rows[0];
    assert_eq!(row[..4], [json!("ps"), json!(1), json!(1), json!(0)]);
    assert!((row[6].as_f64().unwrap() - 30.0).abs() < 0.1, "{row:?}");
    assert!(is_kept(&created, found[0].as_ref()));
    assert!(!is_kept(&created, Some(&json!({"version": 1}))));
    assert!(!is_kept(&created, None));
}

const MORNING: &str = "call,date,weekday,type,priority,t_in,t_q,wait,outcome,t_ser,service,agent
1,1999-01-04,0,PS,0,30000,30000,0,served,30000,20,A01
2,1999-01-04,0,PS,2,30001,30001,0,served,30001,30,A02
3,1999-01-04,0,NE,0,30005,30010,20,abandoned,-1,0,
4,1999-01-04,0,PS,0,30006,-1,0,vru_abandon,-1,0,
5,1999-01-04,0,NE,0,30020,30030,5,served,30040,10,A01
6,1999-01-04,0,PS,0,30021,30031,5,served,30041,159,A02
7,1999-01-04,0,PS,0,30021,30031,5,served,30180,20,A01
";

/// A server with no rules but one: who is free gets what waits, from one line for all.
struct Mini {
    states: StdMutex<BTreeMap<String, (String, &'static str)>>,
    settings: StdMutex<BTreeMap<String, Value>>,
    line: mpsc::UnboundedSender<String>,
    waiting: Mutex<mpsc::UnboundedReceiver<String>>,
    /// How many agents each callback is given to.
    copies: usize,
    /// A callback that it forgets.
    forgets: Option<&'static str>,
}

impl Mini {
    fn answer(&self, heard: &Heard) -> (u16, Option<u32>, String) {
        let body: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
        if heard.method == "PUT" {
            self.settings.lock().unwrap().insert(heard.path.clone(), body);
            return (201, None, "{}".to_owned());
        }
        let mut states = self.states.lock().unwrap();
        if heard.method == "POST" {
            let id = format!("c{}", states.len() + 1);
            let external_id = body["external_id"].as_str().unwrap().to_owned();
            states.insert(id.clone(), (external_id, "queued"));
            for _ in 0..self.copies {
                self.line.send(id.clone()).unwrap();
            }
            return (201, None, Self::callback(&id, "queued", "").to_string());
        }
        let id = heard.path.strip_prefix("/v1/callbacks/").unwrap_or_default();
        match states.get(id).filter(|_| self.forgets != Some(id)) {
            Some((_, state)) => (200, None, Self::callback(id, state, "").to_string()),
            None => (404, None, "{}".to_owned()),
        }
    }

    fn callback(id: &str, state: &str, external_id: &str) -> Value {
        json!({"id": id, "number": id, "version": 1, "type": "asap", "state": state,
               "external_id": external_id})
    }

    async fn sit(&self, stream: TcpStream) {
        let mut seat = Seat::accept(stream).await;
        seat.welcome("offline", json!([])).await;
        let (mut free, mut present) = (false, false);
        loop {
            tokio::select! {
                frame = seat.next() => {
                    let Some(frame) = frame else { return };
                    seat.say(json!({"type": "ack", "id": frame["id"]})).await;
                    match frame["type"].as_str().unwrap() {
                        "presence" => {
                            present = frame["presence"] == "available";
                            free = present;
                        }
                        "end_call" => {
                            let id = frame["callback_id"].as_str().unwrap();
                            let mut states = self.states.lock().unwrap();
                            states.get_mut(id).unwrap().1 = "closed_complete";
                            free = present;
                        }
                        _ => {}
                    }
                }
                Some(id) = async { self.waiting.lock().await.recv().await }, if free => {
                    free = false;
                    let external_id = self.states.lock().unwrap()[&id].0.clone();
                    let callback = Self::callback(&id, "offered", &external_id);
                    let offer_id = format!("{id}-{external_id}");
                    seat.say(json!({"type": "callback.offered", "offer_id": offer_id,
                                    "callback": callback}))
                        .await;
                }
            }
        }
    }
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// Plays the morning, 200 seconds of it in one, against a server with one fault or none.
async fn play(copies: usize, forgets: Option<&'static str>) -> (Report, Arc<Mini>) {
    let (line, waiting) = mpsc::unbounded_channel();
    let mini = Arc::new(Mini {
        states: StdMutex::default(),
        settings: StdMutex::default(),
        line,
        waiting: Mutex::new(waiting),
        copies,
        forgets,
    });
    let (asked, seated) = (Arc::clone(&mini), Arc::clone(&mini));
    let answer = move |heard: Heard| Some(asked.answer(&heard));
    let sit = move |stream: TcpStream| {
        let mini = Arc::clone(&seated);
        async move { mini.sit(stream).await }
    };
    let server = stub::serve_both(answer, sit).await.to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("month.csv");
    fs::write(&path, MORNING).unwrap();
    let file = path.to_str().unwrap();
    let line = ["replay", file, "--date", "busiest", "--speed", "200", "--server", &server];
    let keys = ["--admin-token", "a", "--channel-token", "c", "--jwt-secret", "s"];
    let args = Line::try_parse_from(line.iter().chain(&keys)).unwrap().args;
    (run(args).await.unwrap(), mini)
}

#[tokio::test]
async fn a_morning_is_played_to_its_end() {
    let (report, mini) = play(1, None).await;
    assert!(report.is_clean(), "{}", report.to_text());
    let json = report.to_json();
    assert_eq!(json["facts"]["requests"], 6);
    assert_eq!(json["facts"]["acknowledged"], 6);
    assert_eq!(json["facts"]["agents"], 2);
    assert_eq!(json["facts"]["finished"], 6);
    let queues: Vec<(&Value, &Value, &Value, &Value)> = json["queues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["queue"], &row["asked"], &row["called"], &row["still open"]))
        .collect();
    assert_eq!(queues[0], (&json!("ne"), &json!(2), &json!(2), &json!(0)));
    assert_eq!(queues[1], (&json!("ps"), &json!(4), &json!(4), &json!(0)));
    let settings = mini.settings.lock().unwrap();
    assert_eq!(settings["/v1/queues/ps"]["wrap_up_mode"], "none");
    assert_eq!(settings["/v1/agents/bank-a01"]["queues"], json!(["ne", "ps"]));
}

#[tokio::test]
async fn a_server_that_forgets_a_callback_fails_the_replay() {
    let (report, _) = play(1, Some("c3")).await;
    assert_eq!(report.to_json()["verdicts"]["lost"], 1);
    assert!(!report.is_clean());
}

#[tokio::test]
async fn a_server_that_gives_a_callback_to_two_agents_fails_the_replay() {
    let (report, _) = play(2, None).await;
    let twice = report.to_json()["verdicts"]["assigned twice"].as_u64().unwrap();
    assert!(twice >= 1, "{}", report.to_text());
}
