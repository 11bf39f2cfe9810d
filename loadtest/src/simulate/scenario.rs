//! A scenario file as written: every key, its type, its default, and which there are.
//!
//! Separate from `plan`, which makes of it what a run needs: here a key that nobody knows is
//! refused with those that there are, and nothing is looked up.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

/// A whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    #[serde(default = "one")]
    pub(crate) seed: u64,
    /// Independent ones; intervals are over these.
    #[serde(default = "twenty")]
    pub(crate) replications: u32,
    pub(crate) duration_seconds: f64,
    /// Left out of every figure.
    #[serde(default)]
    pub(crate) warmup_seconds: f64,
    /// Arrivals stop at the end, and the run goes on until nobody waits or talks.
    #[serde(default)]
    pub(crate) until_empty: bool,
    #[serde(default = "longest_idle")]
    pub(crate) strategy: String,
    #[serde(default = "twenty")]
    pub(crate) service_level_seconds: u32,
    #[serde(rename = "class")]
    pub(crate) classes: Vec<Class>,
    pub(crate) agents: Vec<Agents>,
    /// Any of a queue's settings, by name.
    #[serde(default)]
    pub(crate) settings: Table,
}

/// Customers who are alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Class {
    pub(crate) id: String,
    /// The class's own name where it isn't said.
    pub(crate) queue: Option<String>,
    #[serde(default = "five")]
    pub(crate) priority: i64,
    #[serde(default)]
    pub(crate) requirements: Vec<Value>,
    pub(crate) arrivals: Arrivals,
    pub(crate) service: Service,
    /// Left out: waits for ever.
    pub(crate) patience: Option<Duration>,
    /// Leaves at once where it would have to wait.
    #[serde(default)]
    pub(crate) balk_share: f64,
    /// Blocked beyond so many who wait in its queue.
    #[serde(default = "no_limit")]
    pub(crate) waiting_places: u64,
    /// Left out: never offered.
    pub(crate) callback: Option<Callback>,
}

/// How customers come.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Arrivals {
    Poisson {
        rate_per_hour: f64,
    },
    Deterministic {
        rate_per_hour: f64,
    },
    Hyperexponential {
        rate_per_hour: f64,
        scv: f64,
    },
    /// Poisson with a rate per period; the day of all periods begins anew at its end.
    Periods {
        period_seconds: f64,
        rates_per_hour: Vec<f64>,
        /// Shape and rate of the one factor that a day's rates share.
        busyness_gamma: Option<[f64; 2]>,
    },
    /// Those of a day of a real call centre.
    Trace {
        file: String,
        date: String,
        types: Option<Vec<String>>,
    },
}

/// How long a conversation takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Service {
    Exponential {
        mean_seconds: f64,
    },
    Lognormal {
        mean_seconds: f64,
        scv: f64,
    },
    Deterministic {
        mean_seconds: f64,
    },
    /// As long as the call of the trace took; the mean of its type where it wasn't served.
    Trace {},
}

/// How long somebody waits before they give up.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Duration {
    Exponential { mean_seconds: f64 },
    Lognormal { mean_seconds: f64, scv: f64 },
    Deterministic { mean_seconds: f64 },
}

/// A callback offered to those who would have to wait.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Callback {
    /// Offered above this estimate of the wait.
    #[serde(default)]
    pub(crate) offer_above_seconds: f64,
    #[serde(default = "all")]
    pub(crate) accept_share: f64,
    /// Left out: no promise.
    pub(crate) promise_window_minutes: Option<u32>,
}

/// Agents who are alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agents {
    pub(crate) id: String,
    pub(crate) count: Option<u32>,
    /// In place of `count`, per period.
    pub(crate) counts: Option<Vec<u32>>,
    /// Of `counts`; that of the arrivals where it isn't said.
    pub(crate) period_seconds: Option<f64>,
    pub(crate) queues: Vec<Value>,
    #[serde(default)]
    pub(crate) skills: Table,
    /// Divides service times.
    #[serde(default = "all")]
    pub(crate) speed: f64,
    /// By class, in place of the class's own.
    #[serde(default)]
    pub(crate) service_mean_seconds: BTreeMap<String, f64>,
}

fn one() -> u64 {
    1
}

fn five() -> i64 {
    5
}

fn twenty() -> u32 {
    20
}

fn all() -> f64 {
    1.0
}

fn no_limit() -> u64 {
    1_000_000
}

fn longest_idle() -> String {
    "longest_idle".to_owned()
}
