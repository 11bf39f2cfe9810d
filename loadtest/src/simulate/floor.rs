//! The agents as the simulator sees them: who is there, who talks, and for how long.
//!
//! Separate from the run, which tells it what the machines decided. It keeps the counts by which
//! the run knows that somebody is idle; it never gives anybody work.

use super::plan::{Group, Micros, Plan};
use super::tally::{AgentTally, Window};

/// An agent's place.
#[derive(Debug, Clone, Default)]
struct Seat {
    there: bool,
    there_since: Micros,
    busy_since: Option<Micros>,
}

/// All agents.
#[derive(Debug)]
pub(crate) struct Floor {
    seats: Vec<Seat>,
    /// The group of each agent.
    group_of: Vec<usize>,
    /// Of each group: there and not busy.
    idle: Vec<usize>,
    /// Of each group: there, or still busy.
    staff: Vec<usize>,
    window: Window,
    tallies: Vec<AgentTally>,
}

impl Floor {
    /// Nobody is there yet.
    pub(crate) fn new(plan: &Plan, window: Window) -> Self {
        Self {
            seats: vec![Seat::default(); plan.agents.len()],
            group_of: plan.group_of.clone(),
            idle: vec![0; plan.groups.len()],
            staff: vec![0; plan.groups.len()],
            window,
            tallies: vec![AgentTally::default(); plan.agents.len()],
        }
    }

    /// How many of a group are there and not busy.
    pub(crate) fn idle(&self, group: usize) -> usize {
        self.idle[group]
    }

    /// How many of a group are there, or still busy.
    pub(crate) fn staff(&self, group: usize) -> usize {
        self.staff[group]
    }

    /// The agent has somebody to talk to.
    pub(crate) fn take(&mut self, agent: usize, now: Micros, counts: bool) {
        let seat = &mut self.seats[agent];
        if seat.there {
            self.idle[self.group_of[agent]] -= 1;
        }
        seat.busy_since = Some(now);
        self.tallies[agent].served += u64::from(counts);
    }

    /// The agent is done, wrap-up included.
    pub(crate) fn free(&mut self, agent: usize, now: Micros) {
        let (seat, group) = (&mut self.seats[agent], self.group_of[agent]);
        let Some(since) = seat.busy_since.take() else { return };
        let tally = &mut self.tallies[agent];
        tally.busy += self.window.overlap(since, now);
        if seat.there {
            self.idle[group] += 1;
        } else {
            tally.there += self.window.overlap(seat.there_since, now);
            self.staff[group] -= 1;
        }
    }

    /// Makes the first so many of a group be there; who of them comes, and who goes as soon as
    /// they are done.
    pub(crate) fn shift(&mut self, group: &Group, there: usize, now: Micros) -> Vec<(usize, bool)> {
        let mut changed = Vec::new();
        for place in 0..group.size {
            let agent = group.first + place;
            if self.seats[agent].there != (place < there) {
                self.set_there(agent, place < there, now);
                changed.push((agent, place < there));
            }
        }
        changed
    }

    fn set_there(&mut self, agent: usize, there: bool, now: Micros) {
        let (seat, group) = (&mut self.seats[agent], self.group_of[agent]);
        seat.there = there;
        match (there, seat.busy_since) {
            // They go when they are done, or stay after all.
            (_, Some(_)) => {}
            (true, None) => {
                seat.there_since = now;
                self.idle[group] += 1;
                self.staff[group] += 1;
            }
            (false, None) => {
                self.tallies[agent].there += self.window.overlap(seat.there_since, now);
                self.idle[group] -= 1;
                self.staff[group] -= 1;
            }
        }
    }

    /// What each agent did until now.
    pub(crate) fn finish(mut self, now: Micros) -> Vec<AgentTally> {
        for (seat, tally) in self.seats.iter().zip(&mut self.tallies) {
            if let Some(since) = seat.busy_since {
                tally.busy += self.window.overlap(since, now);
            }
            if seat.there || seat.busy_since.is_some() {
                tally.there += self.window.overlap(seat.there_since, now);
            }
        }
        self.tallies
    }
}
