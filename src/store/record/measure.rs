//! How tallies are stored.

use super::codec::{Broken, Reader, Stored, stored_struct};
use super::{Record, damaged};
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::measure::{
    AgentTally, Calls, Intake, Line, Measured, Offers, Share, Tally, TimeIn, Waits, Work,
};
use crate::domain::time::Timestamp;
use crate::engine::ports::{RowKey, StoreError};

stored_struct!(Share { met, of });
stored_struct!(Offers { made, accepted, declined, missed, revoked });
stored_struct!(Calls { reached, handled, handling });
stored_struct!(Waits { count, sum, longest, steps });
stored_struct!(Intake { created, queued, asap_requests, callback_offers });
stored_struct!(Work {
    closed,
    attempts,
    waits,
    service_level,
    on_time,
    promises_kept,
    promises_broken,
    offers,
    calls,
});
stored_struct!(TimeIn { presence, reason, span });
stored_struct!(AgentTally { offers, calls, presence, held, available });
stored_struct!(Line { minutes });

/// Appends the row of a tally; whose it is and of when stands in the key.
pub(crate) fn put_tally(measured: &Measured, out: &mut Vec<u8>) {
    match &measured.tally {
        Tally::Intake(_, intake) => intake.write(out),
        Tally::Work(_, work) => work.write(out),
        Tally::Agent(_, tally) => tally.write(out),
        Tally::Line(_, line) => line.write(out),
    }
}

/// The tally of a row, whose key says quarter, kind and id.
pub(crate) fn measured_of(
    key: &RowKey,
    (quarter, kind, id): (Timestamp, u8, String),
    value: &[u8],
) -> Result<Measured, StoreError> {
    let queue = || QueueId::parse(&id).map_err(|error| damaged(key, error.to_string()));
    let tally = match kind {
        0 => Tally::Intake(queue()?, Record::from_row(key, value)?),
        1 => Tally::Work(queue()?, Record::from_row(key, value)?),
        2 => {
            let agent = AgentId::parse(&id).map_err(|error| damaged(key, error.to_string()))?;
            Tally::Agent(agent, Record::from_row(key, value)?)
        }
        3 => Tally::Line(queue()?, Record::from_row(key, value)?),
        other => return Err(damaged(key, format!("{other} is no kind of tally"))),
    };
    Ok(Measured { quarter, tally })
}
