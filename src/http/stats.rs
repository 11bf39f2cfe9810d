//! `GET /v1/stats`: how each queue and agent stands now, and what was measured of them lately.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::call::Call;
use super::reply::Reply;
use crate::domain::agent::AgentView;
use crate::domain::measure::LastHour;
use crate::domain::measure::series::Window;
use crate::domain::queue::Queue;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;
use crate::engine::handle::Windows;
use crate::wire::agent::AgentStatusBody;
use crate::wire::instant::Instant;
use crate::wire::measures::{Measures, Staffed};
use crate::wire::problem::Problem;
use crate::wire::queue::QueueStatsBody;

#[derive(Serialize)]
struct StatsBody<'a> {
    at: Instant,
    queues: Vec<QueueStanding<'a>>,
    agents: Vec<Standing<'a, AgentStatusBody<'a>>>,
}

/// A queue, and how long its line was.
#[derive(Serialize)]
struct QueueStanding<'a> {
    #[serde(flatten)]
    standing: Standing<'a, QueueStatsBody<'a>>,
    waiting_by_minute: ByMinuteBody,
}

/// The most that waited at once in each minute of the last hour, the present one last.
#[derive(Serialize)]
struct ByMinuteBody {
    from: Instant,
    most: Vec<Option<u32>>,
}

/// How one stands, and what was measured of it.
#[derive(Serialize)]
struct Standing<'a, T> {
    #[serde(flatten)]
    now: T,
    time_zone: &'a str,
    windows: WindowsBody,
}

#[derive(Serialize)]
struct WindowsBody {
    last_minute: WindowBody,
    last_15_minutes: WindowBody,
    last_60_minutes: WindowBody,
    day: WindowBody,
}

#[derive(Serialize)]
struct WindowBody {
    from: Instant,
    to: Instant,
    #[serde(flatten)]
    measures: Measures,
}

/// The last minute, 15 and 60 of them, and the day of a zone.
fn windows(zone: &TimeZone, now: Timestamp) -> Windows {
    let (midnight, _) = zone.day_bounds(zone.day_of(now));
    let last = |minutes| Window::last(Span::minutes(minutes), now);
    [last(1), last(15), last(60), Window::since(midnight)]
}

impl WindowsBody {
    fn new(now: Timestamp, windows: Windows, measures: [Measures; 4]) -> Self {
        let [a, b, c, d] = windows.map(|window| (Instant(window.from()), Instant(now)));
        let [minute, quarter, hour, day] = measures;
        let body = |(from, to), measures| WindowBody { from, to, measures };
        Self {
            last_minute: body(a, minute),
            last_15_minutes: body(b, quarter),
            last_60_minutes: body(c, hour),
            day: body(d, day),
        }
    }
}

/// Lines asked for at once: each takes a permit that commands want too.
const LINES_AT_ONCE: usize = 8;

/// The places of the queues that an agent serves among all of them, which are in the order of ids.
fn served(view: &AgentView, queues: &[Arc<Queue>]) -> Vec<usize> {
    let memberships = view.agent.settings.queues.iter();
    let place = |id| queues.binary_search_by(|queue| queue.settings.id.cmp(id)).ok();
    memberships.filter_map(|membership| place(&membership.queue)).collect()
}

/// The zone of an agent's day: that of the first queue, by id, that they serve; else UTC.
fn zone_of(served: &[usize], queues: &[Arc<Queue>]) -> TimeZone {
    let first = served.iter().min();
    first.map_or_else(TimeZone::utc, |place| queues[*place].settings.time_zone.clone())
}

/// `GET /v1/stats`.
pub(super) async fn stats(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let (handle, now) = (&call.workspace().handle, call.now);
    let (queues, agents) = (handle.queues(), handle.agents());
    let lines = queues.iter().map(|queue| handle.queue_stats(queue.settings.id.clone()));
    let lines: Vec<_> = stream::iter(lines).buffered(LINES_AT_ONCE).try_collect().await?;
    let asked =
        |queue: &Arc<Queue>| (queue.settings.id.clone(), windows(&queue.settings.time_zone, now));
    let of_queues: Vec<_> = queues.iter().map(asked).collect();
    let served: Vec<Vec<usize>> = agents.iter().map(|view| served(view, &queues)).collect();
    let zones: Vec<TimeZone> = served.iter().map(|places| zone_of(places, &queues)).collect();
    let of_agents = agents.iter().zip(&zones);
    let of_agents =
        of_agents.map(|(view, zone)| (view.agent.settings.id.clone(), windows(zone, now)));
    let of_agents: Vec<_> = of_agents.collect();
    let looked = handle.looked(now, &of_queues, &of_agents).await?;
    let mut body = StatsBody { at: Instant(now), queues: Vec::new(), agents: Vec::new() };
    let mut staffed = vec![[Staffed::default(); 4]; queues.len()];
    for (places, tallies) in served.iter().zip(&looked.agents) {
        for place in places {
            staffed[*place].iter_mut().zip(tallies).for_each(|(sum, tally)| sum.add(tally));
        }
    }
    for (place, queue) in queues.iter().enumerate() {
        let (tallies, staffed) = (&looked.queues[place], staffed[place]);
        let measures = std::array::from_fn(|at| Measures::of_queue(&tallies[at], staffed[at]));
        let LastHour { from, waiting } = &looked.lines[place];
        body.queues.push(QueueStanding {
            standing: Standing {
                now: QueueStatsBody::new(queue, &lines[place], now),
                time_zone: queue.settings.time_zone.name(),
                windows: WindowsBody::new(now, of_queues[place].1, measures),
            },
            waiting_by_minute: ByMinuteBody { from: Instant(*from), most: waiting.clone() },
        });
    }
    for (place, view) in agents.iter().enumerate() {
        let measures = looked.agents[place].each_ref().map(Measures::of_agent);
        body.agents.push(Standing {
            now: AgentStatusBody::new(view, now),
            time_zone: zones[place].name(),
            windows: WindowsBody::new(now, of_agents[place].1, measures),
        });
    }
    Ok(Reply::ok(&body))
}
