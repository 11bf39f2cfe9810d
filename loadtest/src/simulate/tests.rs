//! Whole scenarios, short and seeded. What is random is compared at 99.9 %, with the seed fixed
//! beforehand, so a right simulator fails none of these but once in many such suites.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::outcome::{Figure, Measure, Outcome};
use super::plan::Plan;
use super::{play, science, show};

fn plan(text: &str) -> Plan {
    Plan::new(&toml::from_str(text).expect("a scenario"), Path::new(".")).expect("a plan")
}

/// Why a scenario is refused.
fn fault(text: &str) -> String {
    match toml::from_str(text) {
        Err(error) => error.to_string(),
        Ok(scenario) => {
            let plan = Plan::new(&scenario, Path::new("."));
            format!("{:#}", plan.map(|plan| plan.name).expect_err("it is refused"))
        }
    }
}

/// A line of customers who come at so many an hour and talk for 200 s, and so many agents.
fn line(rate: u32, agents: u32, of_class: &str, of_file: &str) -> String {
    format!(
        "name = \"line\"\nreplications = 10\nduration_seconds = 50000\nwarmup_seconds = 5000\n\
         {of_file}\n[[class]]\nid = \"c\"\n\
         arrivals = {{ kind = \"poisson\", rate_per_hour = {rate} }}\n\
         service = {{ kind = \"exponential\", mean_seconds = 200 }}\n{of_class}\n\
         [[agents]]\nid = \"s\"\ncount = {agents}\nqueues = [\"c\"]\n"
    )
}

fn near(what: &str, outcome: &Outcome<'_>, measure: Measure, exact: f64) {
    let figure = Figure::ratio(&outcome.pairs(&[0], measure), 0.999);
    let (value, half) = (figure.value.unwrap(), figure.half_width.unwrap());
    assert!((value - exact).abs() <= half, "{what}: {value} ± {half}, not {exact}");
    assert!(half < 0.25 * exact.max(0.1), "{what}: ± {half} says nothing");
}

#[test]
fn the_same_seed_gives_the_same_result_to_the_byte() {
    let text = line(30, 2, "patience = { kind = \"lognormal\", mean_seconds = 300, scv = 2 }", "");
    let printed = |seed| {
        let mut plan = plan(&text);
        (plan.seed, plan.replications) = (seed, 2);
        let mut outcome = play(&plan).unwrap();
        outcome.wall_seconds = 1.0;
        (outcome.json().to_string(), show::report(&outcome).to_text(), show::picture(&outcome))
    };
    assert_eq!(printed(7), printed(7));
    assert_ne!(printed(7).0, printed(8).0);
}

#[test]
fn the_result_has_the_shape_that_is_promised() {
    let plan = plan(&line(30, 2, "", ""));
    let json = play(&plan).unwrap().json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let all = "agents classes events groups name replications seed simulated_seconds wall_seconds";
    assert_eq!(keys(&json).join(" "), all);
    let class = &json["classes"]["c"];
    assert_eq!(
        keys(class).join(" "),
        "abandoned abandoned_share arrivals balked blocked callback_delay_seconds callbacks \
         estimate mean_wait_seconds no_wait_share promises_kept_share served service_level"
    );
    assert_eq!(keys(&class["estimate"]).join(" "), "bias_seconds coverage_80 rmse_seconds");
    assert_eq!(keys(&class["mean_wait_seconds"]).join(" "), "half_width_99 value");
    assert!(class["promises_kept_share"].is_null());
    assert!(class["callback_delay_seconds"]["value"].is_null(), "nobody was called back");
    assert_eq!(keys(&json["agents"]).join(" "), "s-1 s-2");
    assert_eq!(keys(&json["agents"]["s-1"]).join(" "), "served utilisation");
    assert_eq!(keys(&json["groups"]["s"]).join(" "), "utilisation");
    assert_eq!(json["simulated_seconds"], 5e5);
}

/// 10 % of those who come find both agents busy and no place: Erlang's loss formula says 0.2 at
/// an offered load of 1.
#[test]
fn whoever_finds_no_place_is_blocked_and_whoever_will_not_wait_balks() {
    let places = plan(&line(18, 2, "waiting_places = 0", "").replace("= 10", "= 20"));
    let blocked = play(&places).unwrap();
    near("blocked", &blocked, Measure::BlockedShare, 0.2);
    let balking = plan(&line(18, 2, "balk_share = 1.0", "").replace("= 10", "= 20"));
    let balked = play(&balking).unwrap();
    let (arrivals, left) =
        (balked.total(0, |tally| tally.arrivals), balked.total(0, |tally| tally.balked));
    // The same customers come, and the same ones don't get through.
    assert_eq!(arrivals, blocked.total(0, |tally| tally.arrivals));
    assert_eq!(left, blocked.total(0, |tally| tally.blocked));
}

#[test]
fn a_short_line_waits_as_erlang_says() {
    let mut quiet = plan(&line(27, 3, "", ""));
    quiet.replications = 60;
    let outcome = play(&quiet).unwrap();
    // M/M/3 at an offered load of 1.5: 9/38 wait, for 400/3 s on average.
    near("at once", &outcome, Measure::NoWaitShare, 29.0 / 38.0);
    near("mean wait", &outcome, Measure::MeanWait, 600.0 / 19.0);
}

#[test]
fn everybody_is_accounted_for() {
    let class = "patience = { kind = \"exponential\", mean_seconds = 100 }\nbalk_share = 0.1\n\
                 waiting_places = 3\ncallback = { accept_share = 0.5 }";
    let text = line(60, 2, class, "until_empty = true").replace("warmup_seconds = 5000\n", "");
    let plan = plan(&text);
    let outcome = play(&plan).unwrap();
    for one in &outcome.replications {
        let tally = &one.classes[0];
        let known = tally.served + tally.abandoned + tally.blocked + tally.balked;
        assert_eq!(tally.arrivals, known, "{tally:?}");
        assert_eq!(tally.callbacks, tally.called_back, "a callback is never lost");
        assert_eq!(tally.served, tally.answered + tally.called_back);
        // Little's law is exact where the line is empty at both ends.
        assert!((tally.line_area - tally.on_the_line).abs() < 1e-6 * tally.line_area, "{tally:?}");
        let of_agents: u64 = one.agents.iter().map(|agent| agent.served).sum();
        assert_eq!(of_agents, tally.served);
        assert!(tally.blocked > 0 && tally.balked > 0 && tally.abandoned > 0);
    }
}

#[test]
fn live_callers_go_first_until_a_promise_is_about_to_break() {
    let scenario = |settings: &str| {
        let class = "callback = { accept_share = 0.5, promise_window_minutes = 10 }";
        let text = line(33, 2, class, "") + "[settings]\n" + settings;
        let plan = plan(&text);
        let outcome = play(&plan).unwrap();
        let kept = outcome.figure(0, Measure::PromisesKept).value.unwrap();
        (kept, outcome.figure(0, Measure::MeanWait).value.unwrap())
    };
    let (late, waits) = scenario("promise_slack_seconds = 0");
    let (kept, waits_more) = scenario("promise_slack_seconds = 600");
    assert!(kept > late, "{kept} and {late}");
    assert!(waits_more > waits, "the promise is kept at the cost of those on the line");
}

#[test]
fn preference_levels_send_work_to_the_fast_first() {
    let pools = |preference: u32| {
        format!(
            "name = \"v\"\nreplications = 5\nduration_seconds = 50000\n[[class]]\nid = \"c\"\n\
             arrivals = {{ kind = \"poisson\", rate_per_hour = 60 }}\n\
             service = {{ kind = \"exponential\", mean_seconds = 200 }}\n\
             [[agents]]\nid = \"fast\"\ncount = 3\nqueues = [\"c\"]\nspeed = 1.5\n\
             [[agents]]\nid = \"slow\"\ncount = 3\n\
             queues = [{{ queue = \"c\", preference = {preference} }}]\n\
             service_mean_seconds = {{ c = 400 }}\n"
        )
    };
    let utilisation = |preference| {
        let plan = plan(&pools(preference));
        let outcome = play(&plan).unwrap();
        [0, 1].map(|group| outcome.group_utilisation(group).value.unwrap())
    };
    let ([fast, slow], [first, last]) = (utilisation(1), utilisation(2));
    assert!(first > fast && last < slow, "{fast} {slow}, then {first} {last}");
}

#[test]
fn agents_come_and_go_by_the_period_and_finish_their_calls() {
    let text = "name = \"shifts\"\nreplications = 1\nduration_seconds = 7200\nuntil_empty = true\n\
                [[class]]\nid = \"c\"\narrivals = { kind = \"deterministic\", rate_per_hour = 6 }\n\
                service = { kind = \"deterministic\", mean_seconds = 500 }\n\
                [[agents]]\nid = \"s\"\ncounts = [1, 0, 2]\nperiod_seconds = 2500\n\
                queues = [\"c\"]\n";
    let plan = plan(text);
    let outcome = play(&plan).unwrap();
    let one = &outcome.replications[0];
    // They come every 600 s from 600 on, eleven before the end. The first agent is there until
    // 2500, in their fourth call, which they finish at 2900; all others wait until 5000.
    assert_eq!(one.classes[0].arrivals, 11);
    assert_eq!(one.classes[0].served, 11);
    assert_eq!(one.classes[0].at_once, 4 + 2);
    assert!((one.agents[0].there - (2_900.0 + one.simulated - 5_000.0)).abs() < 1e-6, "{one:?}");
}

#[test]
fn a_day_of_a_trace_is_played_as_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "call,date,weekday,type,priority,t_in,t_q,wait,outcome,t_ser,service,agent\n\
                1,1999-01-04,0,PS,0,100,100,0,served,100,60,A\n\
                2,1999-01-04,0,PS,0,110,110,50,served,160,40,A\n\
                3,1999-01-04,0,NE,0,120,120,9,abandoned,-1,0,\n";
    std::fs::write(folder.path().join("day.csv"), rows).unwrap();
    let text = "name = \"t\"\nreplications = 1\nduration_seconds = 3600\nuntil_empty = true\n\
                [[class]]\nid = \"c\"\nservice = { kind = \"trace\" }\n\
                arrivals = { kind = \"trace\", file = \"day.csv\", date = \"1999-01-04\", \
                types = [\"PS\"] }\n[[agents]]\nid = \"a\"\ncount = 1\nqueues = [\"c\"]\n";
    let path = folder.path().join("t.toml");
    std::fs::write(&path, text).unwrap();
    let plan = Plan::read(&path).unwrap();
    let outcome = play(&plan).unwrap();
    let tally = &outcome.replications[0].classes[0];
    assert_eq!((tally.arrivals, tally.served), (2, 2));
    assert!((tally.waits - 50.0).abs() < 1e-9, "{tally:?}");
    let missing = text.replace("\"PS\"", "\"XX\"");
    std::fs::write(&path, missing).unwrap();
    assert!(format!("{:#}", Plan::read(&path).unwrap_err()).contains("there are NE, PS"));
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let good = line(30, 2, "", "");
    let cases = [
        ("name = ", "nam = ", "unknown field `nam`"),
        ("kind = \"poisson\"", "kind = \"poison\"", "expected one of `poisson`"),
        ("rate_per_hour = 30", "rate_per_hour = 0", "rate_per_hour must be more than 0"),
        ("rate_per_hour = 30", "rate = 30", "unknown field `rate`"),
        ("kind = \"exponential\"", "kind = \"lognormal\"", "missing field `scv`"),
        ("mean_seconds = 200", "mean_seconds = -1", "mean_seconds must be more than 0"),
        ("count = 2", "count = 0", "count must be at least 1"),
        ("count = 2", "", "count (or counts, per period) must be given"),
        ("count = 2", "counts = [1, 2]", "period_seconds"),
        ("queues = [\"c\"]", "queues = [\"d\"]", "there is no such queue"),
        ("queues = [\"c\"]", "queues = []", "at least one queue"),
        ("queues = [\"c\"]", "queues = [\"c\"]\nspeed = 0", "speed must be more than 0"),
        ("id = \"c\"", "id = \"c\"\nbalk_share = 2", "balk_share must be from 0 to 1"),
        ("id = \"c\"", "id = \"c\"\npriority = 10", "use 0 to 9"),
        ("id = \"c\"", "id = \"c\"\nrequirements = [{ skill = \"tax\" }]", "no agents serve"),
        ("id = \"c\"", "id = \"C\"", "is not an id"),
        ("replications = 10", "replications = 0", "replications"),
        ("warmup_seconds = 5000", "warmup_seconds = 200000", "less than duration_seconds"),
        ("duration_seconds = 50000", "duration_seconds = 0", "duration_seconds must be"),
        ("replications = 10", "strategy = \"random\"", "must be one of: longest_idle"),
        ("replications = 10", "until_empty = true", "warmup_seconds must be 0"),
    ];
    for (from, to, wanted) in cases {
        assert!(good.contains(from), "{from}");
        let found = fault(&good.replacen(from, to, 1));
        assert!(found.contains(wanted), "{to}: {found}");
    }
    let settings = fault(&(good.clone() + "[settings]\nwrap_up = 3\n"));
    assert!(settings.contains("wrap_up"), "{settings}");
    let twice = good.clone() + "[[agents]]\nid = \"s\"\ncount = 1\nqueues = [\"c\"]\n";
    assert!(fault(&twice).contains("two [[agents]] have the id \"s\""), "{}", fault(&twice));
}

/// What the settings of a queue say is done by the machines themselves.
#[test]
fn the_engines_own_settings_can_be_given() {
    let wrapped = line(20, 2, "", "") + "[settings]\nwrap_up_seconds = 100\n";
    let plain = plan(&line(20, 2, "", ""));
    let wrapped = plan(&wrapped);
    let busy = |plan: &Plan| play(plan).unwrap().group_utilisation(0).value.unwrap();
    let (without, with) = (busy(&plain), busy(&wrapped));
    assert!((with / without - 1.5).abs() < 0.03, "{without} and {with}");
}

/// Exact results, in the short form: scenarios of each kind for a small part of their length,
/// beside their reference; each comparison at 1 - 0.01/n, all of a kind together at 99 %.
#[test]
fn routing_is_as_theory_says() {
    let folder = |path: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let reference = folder("../../shared/data/reference");
    for (only, share) in [
        ("alis", 0.000_6),
        ("burst", 0.02),
        ("callback_5_090_030", 0.002),
        ("erlang_a_5_090_100", 0.002),
        ("erlang_c_10_080", 0.002),
        ("inverted_v_3_15_080", 0.001),
    ] {
        let args = science::Args::short(folder("scenarios"), reference.clone(), only, share);
        let report = science::run(&args).expect("the reference must be at shared/data/reference");
        assert!(report.is_clean(), "{}", report.to_text());
    }
}

/// A verdict that can't fail says nothing: against another system's row it does.
#[test]
fn a_wrong_reference_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let right = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/erlang_c_1_050.toml");
    let text = std::fs::read_to_string(right).unwrap();
    std::fs::write(folder.path().join("erlang_c_1_080.toml"), text).unwrap();
    let reference = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/reference");
    let args = science::Args::short(folder.path().to_owned(), reference, "erlang", 0.002);
    assert!(!science::run(&args).unwrap().is_clean());
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = "name = \"least\"\nduration_seconds = 100\n[[class]]\nid = \"c\"\n\
                arrivals = { kind = \"poisson\", rate_per_hour = 1 }\n\
                service = { kind = \"exponential\", mean_seconds = 1 }\ncallback = {}\n\
                [[agents]]\nid = \"s\"\ncount = 2\nqueues = [\"c\"]\n";
    let plan = plan(text);
    assert_eq!((plan.seed, plan.replications, plan.until_empty), (1, 20, false));
    assert_eq!((plan.warmup, plan.service_level), (0, 20_000_000));
    let class = &plan.classes[0];
    assert_eq!((class.queue.as_str(), class.priority.value()), ("c", 5));
    assert!(class.patience.is_none() && class.requirements.is_empty());
    assert_eq!((class.balk_share, class.waiting_places), (0.0, 1_000_000));
    let option = class.callback.as_ref().unwrap();
    assert_eq!((option.offer_above_seconds, option.accept_share), (0.0, 1.0));
    assert_eq!(option.promise, None);
    assert_eq!(plan.groups[0].pace, [1.0]);
    let agents: Vec<&str> = plan.agents.iter().map(|agent| agent.id.as_str()).collect();
    assert_eq!(agents, ["s-1", "s-2"]);
}

#[test]
fn what_is_asked_of_agents_widens_with_time() {
    let asks = "requirements = [{ skill = \"tax\", min_level = 3, expires_after_seconds = 60 }]";
    let expires = line(6, 2, asks, "");
    let asks = asks.replace(", expires_after_seconds = 60", "");
    let steps = line(6, 2, &asks, "")
        + "skills = { tax = 2 }\n[settings]\n\
                 steps = [{ after_seconds = 60, min_level_delta = -1 }]\n";
    for text in [expires, steps] {
        let plan = plan(&text);
        let outcome = play(&plan).unwrap();
        assert_eq!(outcome.figure(0, Measure::NoWaitShare).value, Some(0.0));
        let wait = outcome.figure(0, Measure::MeanWait).value.unwrap();
        assert!((60.0..70.0).contains(&wait), "{wait}");
    }
}

/// From midnight on; the queue opens at one.
#[test]
fn a_queue_that_opens_later_makes_customers_wait_until_then() {
    let text = "name = \"hours\"\nreplications = 1\nduration_seconds = 7200\nuntil_empty = true\n\
                [[class]]\nid = \"c\"\narrivals = { kind = \"deterministic\", rate_per_hour = 2 }\n\
                service = { kind = \"deterministic\", mean_seconds = 100 }\n\
                [[agents]]\nid = \"s\"\ncount = 2\nqueues = [\"c\"]\n[settings]\n\
                hours = [{ days = [\"thu\"], from = \"01:00\", to = \"24:00\" }]\n";
    let plan = plan(text);
    let outcome = play(&plan).unwrap();
    let tally = &outcome.replications[0].classes[0];
    // At 0:30, at 1:00 and at 1:30; the first two are decided together.
    assert_eq!((tally.arrivals, tally.served), (3, 3));
    assert!((tally.waits - 1_800.0).abs() < 1.0, "{tally:?}");
}

#[test]
fn the_engine_may_end_a_call_that_lasts_too_long() {
    let text = line(6, 2, "", "") + "[settings]\nmax_call_seconds = 300\ncall_grace_seconds = 0\n";
    let plan = plan(&text);
    let outcome = play(&plan).unwrap();
    assert!(outcome.total(0, |tally| tally.served) > 0);
}

/// 30 come in a minute, and one agent takes 100 s for each.
#[test]
fn until_empty_goes_on_until_nobody_waits_or_talks() {
    let text = "name = \"late\"\nreplications = 1\nduration_seconds = 61\nuntil_empty = true\n\
                [[class]]\nid = \"c\"\n\
                arrivals = { kind = \"deterministic\", rate_per_hour = 1800 }\n\
                service = { kind = \"deterministic\", mean_seconds = 100 }\n\
                [[agents]]\nid = \"s\"\ncount = 1\nqueues = [\"c\"]\n";
    let plan = plan(text);
    let outcome = play(&plan).unwrap();
    let one = &outcome.replications[0];
    assert_eq!((one.classes[0].arrivals, one.classes[0].served), (30, 30));
    assert!((one.simulated - 3_002.0).abs() < 1e-6, "{}", one.simulated);
}

#[test]
fn whoever_waits_when_all_agents_have_left_does_not_make_the_run_endless() {
    let text = "name = \"left\"\nreplications = 1\nduration_seconds = 1000\nuntil_empty = true\n\
                [[class]]\nid = \"c\"\n\
                arrivals = { kind = \"deterministic\", rate_per_hour = 18 }\n\
                service = { kind = \"deterministic\", mean_seconds = 100 }\n\
                [[agents]]\nid = \"s\"\ncounts = [1, 0]\nperiod_seconds = 500\n\
                queues = [\"c\"]\n";
    let plan = plan(text);
    let outcome = play(&plan).unwrap();
    let tally = &outcome.replications[0].classes[0];
    assert_eq!((tally.arrivals, tally.served), (4, 2));
}
