//! Fifty callbacks and fifty agents at once: how many find one another.
//!
//! Each agent has two of six skills, each callback asks for one. Separate from scenarios, whose
//! customers come one by one; the office that decides is the same.

use std::path::Path;

use anyhow::{Context, Result};
use ringback::domain::agent::Presence;
use ringback::domain::callback::Booking;
use ringback::domain::message::{Who, Wish};
use ringback::domain::time::Span;
use ringback::domain::zone::TimeZone;
use serde_json::json;

use super::dice::Dice;
use super::office::{Office, START, Told};
use super::people;
use super::plan::Plan;

const CROWD: usize = 50;
const SKILLS: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s6"];
/// When what falls due together starts: an hour after agents have come.
const START_AFTER: Span = Span::seconds(3_600);

/// How they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Each is asked for at once, and decided before the next.
    OneByOne,
    /// Booked for the same time.
    Together,
}

/// How many of the callbacks of a round are offered to somebody.
pub(crate) fn filled(round: u64, manner: Manner) -> Result<u64> {
    let mut dice = Dice::new([round, 0, 0, 0]);
    let plan = plan(&mut dice)?;
    let mut office = Office::new(&plan.queues, &plan.agents)?;
    for agent in 0..plan.agents.len() {
        office.set_presence(agent, Presence::Available);
    }
    office.settle()?;
    for _ in 0..CROWD {
        let class = &plan.classes[dice.below(SKILLS.len())];
        let wish = people::wish(class);
        office.request(match manner {
            Manner::OneByOne => wish,
            Manner::Together => booked(wish),
        });
        office.settle()?;
    }
    let mut now = START;
    while let Some(at) = office.alarm().filter(|at| *at <= START + START_AFTER) {
        now = now.max(at);
        office.advance(now);
        office.ring();
        office.settle()?;
    }
    let mut told = Vec::new();
    office.hear(&mut told);
    Ok(told.iter().filter(|one| matches!(one, Told::Offered { .. })).count() as u64)
}

fn booked(wish: Wish) -> Wish {
    let booking = Booking::at(START + START_AFTER, TimeZone::utc());
    Wish { who: Who::Supervisor(None), ..wish.booked(booking) }
}

/// The agents of a round, and a class of callbacks for each skill.
fn plan(dice: &mut Dice) -> Result<Plan> {
    let classes = SKILLS.map(|skill| {
        json!({
            "id": skill, "queue": "q", "requirements": [{ "skill": skill }],
            "arrivals": { "kind": "poisson", "rate_per_hour": 1.0 },
            "service": { "kind": "exponential", "mean_seconds": 1.0 },
        })
    });
    let agents = (0..CROWD).map(|number| {
        let first = dice.below(SKILLS.len());
        let second = (first + 1 + dice.below(SKILLS.len() - 1)) % SKILLS.len();
        let skills = json!({ SKILLS[first]: 1, SKILLS[second]: 1 });
        json!({ "id": format!("a{number}"), "count": 1, "queues": ["q"], "skills": skills })
    });
    // Somebody who never comes has every skill, so that each class is one that can be served.
    let stand_in = SKILLS.iter().map(|skill| ((*skill).to_owned(), json!(1)));
    let stand_in: serde_json::Map<_, _> = stand_in.collect();
    let nobody = json!({ "id": "nobody", "count": 1, "queues": ["q"], "skills": stand_in });
    let scenario = json!({
        "name": "burst", "duration_seconds": 1.0, "class": classes,
        "agents": agents.chain([nobody]).collect::<Vec<_>>(),
    });
    let scenario = serde_json::from_value(scenario).context("a burst's scenario")?;
    let mut plan = Plan::new(&scenario, Path::new("."))?;
    plan.agents.truncate(CROWD);
    Ok(plan)
}
