//! Measures as they stand in stats and reports: flat members, the same names in JSON and CSV.
//!
//! What each is stands in docs/reports.md. Null where nothing was measured.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::domain::agent::Presence;
use crate::domain::callback::{CallbackType, Channel, ClosedReason, FinalState};
use crate::domain::measure::{AgentTally, Calls, Offers, QueueTally, Share, TimeIn, Waits};
use crate::domain::policy::Medium;
use crate::domain::time::Span;

/// Members in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures(Vec<(&'static str, Value)>);

/// Agents' time, as occupancy is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Staffed {
    /// Units held, times how long.
    pub held: Span,
    /// Units there were, times how long.
    pub available: Span,
}

impl Staffed {
    /// One more agent.
    pub fn add(&mut self, tally: &AgentTally) {
        self.held += tally.held;
        self.available += tally.available;
    }
}

impl Measures {
    /// A queue's, or a workspace's, with its agents' time.
    pub fn of_queue(tally: &QueueTally, staffed: Staffed) -> Self {
        let mut all = Self::default();
        all.intake(tally);
        all.closed(tally);
        all.waits(&tally.work.waits);
        let work = &tally.work;
        all.share(["service_level", "service_level_met", "service_level_of"], work.service_level);
        all.share(["on_time", "on_time_met", "on_time_of"], work.on_time);
        all.put("promises_kept", work.promises_kept);
        all.put("promises_broken", work.promises_broken);
        all.calls(&work.calls);
        all.offers(&work.offers);
        let intake = &tally.intake;
        all.put("asap_requests", intake.asap_requests);
        all.put("callback_offers", intake.callback_offers);
        all.put("take_rate", ratio(intake.asap_requests, intake.callback_offers));
        all.occupancy(staffed);
        all
    }

    /// An agent's.
    pub fn of_agent(tally: &AgentTally) -> Self {
        let mut all = Self::default();
        all.offers(&tally.offers);
        all.calls(&tally.calls);
        let mut staffed = Staffed::default();
        staffed.add(tally);
        all.occupancy(staffed);
        all.put("available_seconds", seconds(tally.time_in(Presence::Available)));
        all.put("away_seconds", seconds(tally.time_in(Presence::Away)));
        let presence = tally.presence.iter().map(|TimeIn { presence, reason, span }| {
            json!({"presence": presence.as_str(), "reason": reason, "seconds": seconds(*span)})
        });
        all.put("presence", presence.collect::<Vec<_>>());
        all
    }

    /// Names and values, in order.
    pub fn members(&self) -> &[(&'static str, Value)] {
        &self.0
    }

    /// Puts one more at the end.
    pub fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    /// Puts others behind.
    pub fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    fn share(&mut self, [name, met, of]: [&'static str; 3], share: Share) {
        self.put(name, ratio(share.met, share.of));
        self.put(met, share.met);
        self.put(of, share.of);
    }

    fn intake(&mut self, tally: &QueueTally) {
        let intake = &tally.intake;
        self.put("created", intake.created_where(|_, _, _| true));
        let of_kind = |kind| intake.created_where(|_, one, _| one == kind);
        self.put("created_asap", of_kind(CallbackType::Asap));
        self.put("created_scheduled", of_kind(CallbackType::Scheduled));
        let by = |medium| intake.created_where(|_, _, one| one == medium);
        self.put("created_voice", by(Medium::Voice));
        self.put("created_video", by(Medium::Video));
        let mut channels = Map::new();
        for channel in Channel::ALL {
            let count = intake.created_where(|one, _, _| one == channel);
            if count > 0 {
                channels.insert(channel.as_str().to_owned(), count.into());
            }
        }
        self.put("created_by_channel", channels);
        self.put("queued", intake.queued);
    }

    fn closed(&mut self, tally: &QueueTally) {
        let work = &tally.work;
        let expired = work.closed_for(ClosedReason::Expired);
        self.put("closed", work.closed.values().sum::<u64>());
        self.put("completed", work.closed_as(FinalState::ClosedComplete));
        self.put("canceled", work.closed_as(FinalState::Canceled));
        self.put("expired", expired);
        self.put("unreached", work.closed_as(FinalState::ClosedAbandoned) - expired);
        let reasons = work.closed.iter();
        let reasons = reasons.map(|(reason, count)| (reason.as_str().to_owned(), (*count).into()));
        self.put("closed_by_reason", reasons.collect::<Map<_, _>>());
        self.put("attempts_mean", ratio(work.attempts.met, work.attempts.of));
    }

    fn waits(&mut self, waits: &Waits) {
        self.put("first_called", waits.count);
        self.put("wait_mean_seconds", mean(waits.sum, waits.count));
        self.put("wait_p50_seconds", waits.percentile(50).map(seconds));
        self.put("wait_p90_seconds", waits.percentile(90).map(seconds));
        self.put("wait_max_seconds", (waits.count > 0).then(|| seconds(waits.longest)));
    }

    fn calls(&mut self, calls: &Calls) {
        self.put("called", calls.reached.of);
        self.put("answered", calls.reached.met);
        self.put("reach_rate", ratio(calls.reached.met, calls.reached.of));
        self.put("handled", calls.handled);
        self.put("handling_mean_seconds", mean(calls.handling, calls.handled));
    }

    fn offers(&mut self, offers: &Offers) {
        self.put("agent_offers", offers.made);
        self.put("accepted", offers.accepted);
        self.put("declined", offers.declined);
        self.put("missed", offers.missed);
        self.put("revoked", offers.revoked);
    }

    fn occupancy(&mut self, staffed: Staffed) {
        let (held, available) = (staffed.held.0.max(0), staffed.available.0.max(0));
        self.put("occupancy", ratio(held.unsigned_abs(), available.unsigned_abs()));
        self.put("held_unit_seconds", seconds(staffed.held));
        self.put("available_unit_seconds", seconds(staffed.available));
    }
}

impl Serialize for Measures {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// One count over another, to four decimals; none where nothing was counted.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn ratio(met: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| super::queue::share(met as f64 / of as f64))
}

/// The mean of so many, in seconds.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn mean(sum: Span, count: u64) -> Option<f64> {
    (count > 0).then(|| (sum.0 as f64 / count as f64).round() / 1_000.0)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ms")]
fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_is_no_number() {
        let queue = Measures::of_queue(&QueueTally::default(), Staffed::default());
        let agent = Measures::of_agent(&AgentTally::default());
        let rates = [
            "attempts_mean",
            "wait_mean_seconds",
            "wait_p50_seconds",
            "wait_p90_seconds",
            "wait_max_seconds",
            "service_level",
            "on_time",
            "reach_rate",
            "handling_mean_seconds",
            "occupancy",
            "take_rate",
        ];
        for (name, value) in queue.members().iter().chain(agent.members()) {
            assert_eq!(value.is_null(), rates.contains(name), "{name}: {value}");
        }
    }
}
