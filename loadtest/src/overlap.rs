//! Finds callbacks that two agents had at the same time, from what the agents themselves saw.
//!
//! Separate and pure because this is the driver's judgement of the engine's first promise. It
//! never cries wolf: where the end of a hold isn't known exactly, callers give its earliest
//! possible end.

use std::sync::Arc;

/// Frames to different sockets carry the instants at which they were made out; one that frees a
/// callback may so be dated a little after the one that gives it to the next agent. A callback
/// really given to two people overlaps by a call's length.
const SLACK_MILLIS: i64 = 20;

/// An agent's time with an offer or an assignment, by the server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) callback_id: Arc<str>,
    pub(crate) agent_id: Arc<str>,
    /// Milliseconds since 1970.
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Every pair of holds of one callback by different agents that overlap, as sentences.
pub(crate) fn overlaps(mut holds: Vec<Hold>) -> Vec<String> {
    holds.sort_by(|a, b| {
        (&a.callback_id, a.from, a.to, &a.agent_id).cmp(&(
            &b.callback_id,
            b.from,
            b.to,
            &b.agent_id,
        ))
    });
    let mut found = Vec::new();
    for (index, first) in holds.iter().enumerate() {
        let later = holds[index + 1..].iter();
        let until = first.to - SLACK_MILLIS;
        let together = later
            .take_while(|second| second.callback_id == first.callback_id && second.from < until);
        for second in together.filter(|second| second.agent_id != first.agent_id) {
            let shared = first.to.min(second.to) - second.from;
            if shared > SLACK_MILLIS {
                found.push(format!(
                    "{} was with {} and {} at once for {shared} ms",
                    first.callback_id, first.agent_id, second.agent_id
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(callback: &str, agent: &str, from: i64, to: i64) -> Hold {
        Hold { callback_id: callback.into(), agent_id: agent.into(), from, to }
    }

    #[test]
    fn one_after_the_other_is_no_overlap() {
        let holds = vec![
            hold("c1", "mara", 0, 1_000),
            hold("c1", "timo", 1_000, 2_000),
            hold("c1", "mara", 2_000, 3_000),
            hold("c2", "timo", 0, 1_000),
        ];
        assert!(overlaps(holds).is_empty());
    }

    #[test]
    fn two_agents_at_once_are_found_whatever_the_order_of_arrival() {
        let (a, b) = (hold("c1", "mara", 0, 1_000), hold("c1", "timo", 500, 800));
        for holds in [vec![a.clone(), b.clone()], vec![b, a]] {
            let found = overlaps(holds);
            assert_eq!(found, ["c1 was with mara and timo at once for 300 ms"]);
        }
    }

    #[test]
    fn a_long_hold_is_compared_beyond_its_neighbour() {
        let holds = vec![
            hold("c1", "mara", 0, 9_000),
            hold("c1", "mara", 100, 200),
            hold("c1", "timo", 5_000, 6_000),
        ];
        assert_eq!(overlaps(holds).len(), 1);
    }

    #[test]
    fn the_same_agent_may_have_it_twice_and_frames_may_cross_by_a_moment() {
        let holds = vec![hold("c1", "mara", 0, 1_000), hold("c1", "mara", 500, 800)];
        assert!(overlaps(holds).is_empty());
        let at = |from| vec![hold("c1", "mara", 0, 1_000), hold("c1", "timo", from, 5_000)];
        assert!(overlaps(at(1_000 - SLACK_MILLIS)).is_empty());
        assert_eq!(overlaps(at(1_000 - SLACK_MILLIS - 1)).len(), 1);
    }
}
