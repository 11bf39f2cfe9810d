//! A result for people: tables on the terminal, the same as CSV, and a picture.
//!
//! Separate from the figures themselves, which are in `outcome`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::outcome::{Figure, Measure, Outcome, count};
use super::plot::{Panel, Series, svg};
use super::tally::ClassTally;
use crate::report::{Report, Table};

const CLASS_COLUMNS: [&str; 17] = [
    "class",
    "arrivals",
    "served",
    "abandoned",
    "blocked",
    "balked",
    "callbacks",
    "mean_wait_seconds",
    "mean_wait_half_width_99",
    "no_wait_share",
    "no_wait_half_width_99",
    "abandoned_share",
    "abandoned_half_width_99",
    "service_level",
    "service_level_half_width_99",
    "callback_delay_seconds",
    "promises_kept_share",
];

/// Everything on one screen.
pub(crate) fn report(outcome: &Outcome<'_>) -> Report {
    let mut report = Report::new("simulate");
    let plan = outcome.plan;
    report.fact("scenario", plan.name.clone());
    report.fact("seed", plan.seed);
    report.fact("replications", outcome.replications.len());
    report.fact("simulated days", rounded(outcome.simulated_seconds() / 86_400.0, 1));
    report.fact("events", outcome.events());
    report.fact("seconds taken", rounded(outcome.wall_seconds, 2));
    report.fact("events per second", rounded(count(outcome.events()) / outcome.wall_seconds, 0));
    let asked = |class| outcome.total(class, |tally| tally.arrivals);
    let customers: u64 = (0..plan.classes.len()).map(asked).sum();
    report.fact("customers per second", rounded(count(customers) / outcome.wall_seconds, 0));
    report.table(Table {
        name: "classes",
        columns: vec![
            "class",
            "arrivals",
            "served",
            "abandoned",
            "blocked",
            "balked",
            "callbacks",
            "mean wait, s",
            "no wait",
            "abandoned",
            "service level",
            "callback delay, s",
            "promises kept",
        ],
        rows: (0..plan.classes.len()).map(|class| class_row(outcome, class)).collect(),
    });
    let groups = plan.groups.iter().enumerate().map(|(number, group)| {
        let utilisation = outcome.group_utilisation(number);
        vec![json!(group.id), json!(group.size), shown(utilisation, 4)]
    });
    report.table(Table {
        name: "groups",
        columns: vec!["agents", "number", "utilisation"],
        rows: groups.collect(),
    });
    report
}

fn class_row(outcome: &Outcome<'_>, class: usize) -> Vec<Value> {
    let mut row = vec![json!(outcome.plan.classes[class].id)];
    row.extend(counts().map(|count| json!(outcome.total(class, count))));
    for (measure, decimals) in [
        (Measure::MeanWait, 2),
        (Measure::NoWaitShare, 4),
        (Measure::AbandonedShare, 4),
        (Measure::ServiceLevel, 4),
        (Measure::CallbackDelay, 1),
        (Measure::PromisesKept, 4),
    ] {
        row.push(shown(outcome.figure(class, measure), decimals));
    }
    row
}

fn counts() -> [fn(&ClassTally) -> u64; 6] {
    [
        |tally| tally.arrivals,
        |tally| tally.served,
        |tally| tally.abandoned,
        |tally| tally.blocked,
        |tally| tally.balked,
        |tally| tally.callbacks,
    ]
}

/// `12.3 ± 0.4`.
pub(crate) fn shown(figure: Figure, decimals: usize) -> Value {
    match (figure.value, figure.half_width) {
        (None, _) => Value::Null,
        (Some(value), None) => json!(format!("{value:.decimals$}")),
        (Some(value), Some(half)) => json!(format!("{value:.decimals$} ± {half:.decimals$}")),
    }
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// Writes `classes.csv`, `groups.csv` and `agents.csv` into a folder, which is made.
pub(crate) fn csv(outcome: &Outcome<'_>, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    let plan = outcome.plan;
    let mut classes = CLASS_COLUMNS.join(",") + "\n";
    for (number, class) in plan.classes.iter().enumerate() {
        let mut cells = vec![class.id.clone()];
        cells.extend(counts().map(|count| outcome.total(number, count).to_string()));
        for measure in [
            Measure::MeanWait,
            Measure::NoWaitShare,
            Measure::AbandonedShare,
            Measure::ServiceLevel,
        ] {
            let figure = outcome.figure(number, measure);
            cells.extend([cell(figure.value), cell(figure.half_width)]);
        }
        cells.push(cell(outcome.figure(number, Measure::CallbackDelay).value));
        cells.push(cell(outcome.figure(number, Measure::PromisesKept).value));
        let _ = writeln!(classes, "{}", cells.join(","));
    }
    write("classes.csv", classes)?;
    let mut groups = "group,agents,utilisation,utilisation_half_width_99\n".to_owned();
    for (number, group) in plan.groups.iter().enumerate() {
        let figure = outcome.group_utilisation(number);
        let (value, half) = (cell(figure.value), cell(figure.half_width));
        let _ = writeln!(groups, "{},{},{value},{half}", group.id, group.size);
    }
    write("groups.csv", groups)?;
    let mut agents = "agent,utilisation,utilisation_half_width_99,served\n".to_owned();
    for (number, agent) in plan.agents.iter().enumerate() {
        let figure = outcome.agent_utilisation(number);
        let (value, half) = (cell(figure.value), cell(figure.half_width));
        let _ = writeln!(agents, "{},{value},{half},{}", agent.id, outcome.served(number));
    }
    write("agents.csv", agents)
}

fn cell(value: Option<f64>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The classes' waits and shares, and how busy the agents were.
pub(crate) fn picture(outcome: &Outcome<'_>) -> String {
    let plan = outcome.plan;
    let classes: Vec<String> = plan.classes.iter().map(|class| class.id.clone()).collect();
    let series = |name: &str, measure| {
        let figures = (0..plan.classes.len()).map(|class| outcome.figure(class, measure));
        let bars = figures.map(|figure| (figure.value, figure.half_width)).collect();
        Series { name: name.to_owned(), bars }
    };
    let groups = (0..plan.groups.len()).map(|group| outcome.group_utilisation(group));
    let panels = [
        Panel {
            title: "Waits (lines: 99 % intervals)".to_owned(),
            x_label: "class".to_owned(),
            y_label: "mean wait, seconds".to_owned(),
            categories: classes.clone(),
            series: vec![
                series("on the line", Measure::MeanWait),
                series("until called back", Measure::CallbackDelay),
            ],
        },
        Panel {
            title: "What became of them".to_owned(),
            x_label: "class".to_owned(),
            y_label: "share of all who came".to_owned(),
            categories: classes,
            series: vec![
                series("answered at once", Measure::NoWaitShare),
                series("service level", Measure::ServiceLevel),
                series("gave up", Measure::AbandonedShare),
            ],
        },
        Panel {
            title: "Agents".to_owned(),
            x_label: "group".to_owned(),
            y_label: "utilisation".to_owned(),
            categories: plan.groups.iter().map(|group| group.id.clone()).collect(),
            series: vec![Series {
                name: "utilisation".to_owned(),
                bars: groups.map(|figure| (figure.value, figure.half_width)).collect(),
            }],
        },
    ];
    svg(&plan.name, &panels)
}
