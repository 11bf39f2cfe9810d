//! Agents against a stub socket that offers, cuts off, and answers wrongly.

use clap::Parser;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::ledger::{self, Entry};
use crate::stub::Seat;

const AT: &str = "2026-11-24T15:00:00Z";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

async fn sit(listener: &TcpListener) -> Seat {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // The driver first looks whether anybody is there, and says nothing on that connection.
        if stream.peek(&mut [0]).await.unwrap() > 0 {
            return Seat::accept(stream).await;
        }
    }
}

fn callback(id: &str, state: &str, answered: bool) -> Value {
    let answered_at = answered.then_some(AT);
    json!({"id": id, "state": state, "version": 3, "queue": "billing", "external_id": null,
           "interactions": [{"answered_at": answered_at, "outcome": null}]})
}

fn offered(offer_id: &str, id: &str) -> Value {
    json!({"type": "callback.offered", "offer_id": offer_id, "expires_at": AT,
           "callback": callback(id, "offered", false)})
}

/// Runs one agent for two seconds against a server's script; all times are as short as they go.
async fn one_agent<F>(
    script: impl FnOnce(TcpListener) -> F,
    more: &[&str],
) -> (Report, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let stub = tokio::spawn(script(listener));
    let fixed = ["agents", "--server", &server, "--jwt-secret", "sesame", "--seconds", "2"];
    let quick = ["--ring", "0", "--talk", "0", "--wrap", "0", "--answer-share", "1"];
    let line = fixed.iter().chain(&quick).chain(more);
    let report = run(Line::try_parse_from(line).unwrap().args).await.unwrap();
    (report, stub)
}

#[tokio::test]
async fn an_agent_takes_an_offer_calls_ends_and_closes_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let script = |listener: TcpListener| async move {
        let mut seat = sit(&listener).await;
        seat.welcome("offline", json!([])).await;
        let presence = seat.ack("presence").await;
        assert_eq!(presence["presence"], "available");
        seat.say(json!({"type": "agent.presence_changed", "presence": "available"})).await;
        seat.say(offered("o1", "c1")).await;
        let accept = seat.ack("accept").await;
        assert_eq!(accept["offer_id"], "o1");
        seat.say(json!({"type": "callback.assigned", "by": "accept",
                        "callback": callback("c1", "accepted", false)}))
            .await;
        assert_eq!(seat.ack("call").await["callback_id"], "c1");
        // The echo of the agent's own call must not make it act twice.
        seat.say(json!({"type": "callback.updated", "callback": callback("c1", "calling", false)}))
            .await;
        assert_eq!(seat.ack("outcome").await["outcome"], "answered");
        seat.ack("end_call").await;
        assert_eq!(seat.ack("close").await["callback_id"], "c1");
        seat.goodbye().await;
    };
    let (report, stub) = one_agent(script, &["--ledger", path.to_str().unwrap()]).await;
    stub.await.unwrap();
    assert!(report.is_clean(), "{}", report.to_text());
    let json = report.to_json();
    for (name, count) in [("offers", 1), ("accepted", 1), ("finished", 1), ("reconnects", 0)] {
        assert_eq!(json["facts"][name], count, "{name}");
    }
    assert_eq!(json["facts"]["outcome answered"], 1);
    assert_eq!(json["times"]["accept"]["count"], 1);
    assert_eq!(json["times"]["all frames"]["count"], 7);
    let entries = ledger::read(&path).unwrap();
    let [Entry::Offered(offer), Entry::Accepted(accept)] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!((offer.offer_id.as_str(), offer.callback_id.as_str()), ("o1", "c1"));
    assert_eq!((accept.agent_id.as_str(), accept.callback_id.as_str()), ("demo-1", "c1"));
}

#[tokio::test]
async fn after_a_loss_an_agent_goes_on_from_the_state_that_welcome_tells() {
    let script = |listener: TcpListener| async move {
        let mut seat = sit(&listener).await;
        seat.welcome("offline", json!([])).await;
        seat.ack("presence").await;
        seat.say(offered("o1", "c1")).await;
        seat.hear("accept").await;
        drop(seat);
        let mut seat = sit(&listener).await;
        let held = json!([callback("c1", "calling", true), callback("c2", "wrap_up", false)]);
        seat.welcome("available", held).await;
        // The plan is by time; both are due at once, in the order in which they were told.
        assert_eq!(seat.ack("end_call").await["callback_id"], "c1");
        assert_eq!(seat.ack("close").await["callback_id"], "c2");
        assert_eq!(seat.ack("close").await["callback_id"], "c1");
        seat.goodbye().await;
    };
    let (report, stub) = one_agent(script, &[]).await;
    stub.await.unwrap();
    let json = report.to_json();
    assert!(report.is_clean(), "{}", report.to_text());
    assert_eq!((&json["facts"]["reconnects"], &json["facts"]["resumed"]), (&json!(1), &json!(2)));
    // The accept was never acknowledged, so it isn't counted.
    assert_eq!(json["facts"]["accepted"], 0);
}

#[tokio::test]
async fn refusals_are_counted_and_the_server_s_state_is_taken_over() {
    let script = |listener: TcpListener| async move {
        let mut seat = sit(&listener).await;
        seat.welcome("available", json!([])).await;
        let refuse = |frame: &Value, problem: &str, state: &str| {
            let kind = format!("/problems/{problem}");
            json!({"type": "error", "id": frame["id"], "problem": {"type": kind, "state": state}})
        };
        seat.say(offered("o1", "c1")).await;
        let frame = seat.hear("accept").await;
        seat.say(refuse(&frame, "offer-not-pending", "queued")).await;
        seat.say(offered("o2", "c2")).await;
        seat.ack("accept").await;
        let frame = seat.hear("call").await;
        seat.say(refuse(&frame, "illegal-transition", "wrap_up")).await;
        assert_eq!(seat.ack("close").await["callback_id"], "c2");
        seat.say(offered("o3", "c3")).await;
        seat.ack("accept").await;
        seat.hear("call").await;
        seat.say(json!({"type": "callback.unassigned", "callback_id": "c3"})).await;
        seat.say(json!({"type": "ack", "id": "4"})).await;
        seat.goodbye().await;
    };
    let (report, stub) = one_agent(script, &[]).await;
    let json = report.to_json();
    assert_eq!(json["facts"]["problem offer-not-pending"], 1);
    assert_eq!(json["facts"]["problem illegal-transition"], 1);
    assert_eq!(json["facts"]["accepted"], 2);
    assert_eq!(json["facts"]["taken away"], 1);
    // The last ack named a frame that wasn't next.
    assert_eq!(json["verdicts"]["contract broken"], 1, "{json}");
    stub.abort();
}

#[tokio::test]
async fn a_credential_that_is_refused_ends_the_agent_at_once() {
    let target = crate::stub::serve(|_| Some((401, None, "{}".to_owned()))).await.to_string();
    let line = ["agents", "--server", &target, "--token", "wrong", "--seconds", "60"];
    let report = run(Line::try_parse_from(line).unwrap().args).await.unwrap();
    assert_eq!(report.to_json()["verdicts"]["agents refused"], 1);
}

#[test]
fn drawn_times_have_their_mean_and_repeat_from_the_seed() {
    let line = ["agents", "--server", "http://127.0.0.1", "--token", "t"];
    let args = Line::try_parse_from(line).unwrap().args;
    let mut drawn = Drawn::new(&args, 7);
    let mut again = Drawn::new(&args, 7);
    let mut sum = 0.0;
    for _ in 0..10_000 {
        let time = drawn.time(5.0);
        assert_eq!(time, again.time(5.0));
        sum += time.as_secs_f64();
    }
    assert!((sum / 10_000.0 - 5.0).abs() < 0.25, "{sum}");
    assert_ne!(Drawn::new(&args, 8).time(5.0), Drawn::new(&args, 7).time(5.0));
}

#[test]
fn a_credential_is_needed_and_only_one_kind() {
    let line = ["agents", "--server", "http://127.0.0.1"];
    assert!(Line::try_parse_from(line).is_err());
    let line = ["agents", "--server", "http://127.0.0.1", "--token", "t", "--jwt-secret", "s"];
    assert!(Line::try_parse_from(line).is_err());
}
