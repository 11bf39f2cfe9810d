//! What one replication counts: customers by class, agents' time, how many waited when.
//!
//! Separate from the run so that what is left out (warm-up, and whoever comes after the end) is
//! decided in one place. Times are in seconds, as they are shown.

use super::plan::Micros;

/// Customers of one class who came within the window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ClassTally {
    pub(crate) arrivals: u64,
    /// Got to an agent, on the line or called back.
    pub(crate) served: u64,
    pub(crate) abandoned: u64,
    pub(crate) blocked: u64,
    pub(crate) balked: u64,
    /// Took the offer of a callback.
    pub(crate) callbacks: u64,
    /// Got to an agent at once.
    pub(crate) at_once: u64,
    /// Got to an agent on the line within the service level.
    pub(crate) in_time: u64,
    /// Got to an agent on the line, and how long they waited together.
    pub(crate) answered: u64,
    pub(crate) waits: f64,
    /// Were called back, and how long after they asked, together.
    pub(crate) called_back: u64,
    pub(crate) delays: f64,
    /// Called back with a promise, and within it.
    pub(crate) promised: u64,
    pub(crate) kept: u64,
    /// Time spent on the line by whoever left it, served or not.
    pub(crate) on_the_line: f64,
    /// The number of those on the line, added up over the window.
    pub(crate) line_area: f64,
    /// Answered after a wait, and the squared errors of what the line said when they came: by its
    /// length, and by how long its head had waited.
    pub(crate) foretold: u64,
    pub(crate) squares_by_length: f64,
    pub(crate) squares_by_head: f64,
    /// Answered after a wait that the engine's estimator had said something of: how often, by how
    /// much too long and in squares, and how often within its range.
    pub(crate) estimated: u64,
    pub(crate) estimate_errors: f64,
    pub(crate) estimate_squares: f64,
    pub(crate) estimate_inside: u64,
}

impl ClassTally {
    /// Holds the engine's estimate against how long it took.
    pub(crate) fn score(&mut self, said: f64, waited: f64, inside: bool) {
        self.estimated += 1;
        self.estimate_errors += said - waited;
        self.estimate_squares += (said - waited).powi(2);
        self.estimate_inside += u64::from(inside);
    }

    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.arrivals += other.arrivals;
        self.served += other.served;
        self.abandoned += other.abandoned;
        self.blocked += other.blocked;
        self.balked += other.balked;
        self.callbacks += other.callbacks;
        self.at_once += other.at_once;
        self.in_time += other.in_time;
        self.answered += other.answered;
        self.waits += other.waits;
        self.called_back += other.called_back;
        self.delays += other.delays;
        self.promised += other.promised;
        self.kept += other.kept;
        self.on_the_line += other.on_the_line;
        self.line_area += other.line_area;
        self.foretold += other.foretold;
        self.squares_by_length += other.squares_by_length;
        self.squares_by_head += other.squares_by_head;
        self.estimated += other.estimated;
        self.estimate_errors += other.estimate_errors;
        self.estimate_squares += other.estimate_squares;
        self.estimate_inside += other.estimate_inside;
    }

    /// Holds what the line said against how long it took.
    pub(crate) fn compare(&mut self, (by_length, by_head): (f64, f64), waited: f64) {
        self.foretold += 1;
        self.squares_by_length += (by_length - waited).powi(2);
        self.squares_by_head += (by_head - waited).powi(2);
    }
}

/// One agent within the window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AgentTally {
    pub(crate) served: u64,
    pub(crate) busy: f64,
    pub(crate) there: f64,
}

/// All that a replication found out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Replication {
    pub(crate) classes: Vec<ClassTally>,
    pub(crate) agents: Vec<AgentTally>,
    pub(crate) simulated: f64,
    pub(crate) events: u64,
}

/// From when to when it is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) from: Micros,
    pub(crate) to: Micros,
}

impl Window {
    /// Whether a customer who comes at that moment is counted.
    pub(crate) const fn counts(self, at: Micros) -> bool {
        self.from <= at && at < self.to
    }

    /// How much of a stretch of time lies within, in seconds.
    pub(crate) fn overlap(self, from: Micros, to: Micros) -> f64 {
        seconds((to.min(self.to) - from.max(self.from)).max(0))
    }
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "a century in microseconds is below 2^52")]
pub(crate) fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}
