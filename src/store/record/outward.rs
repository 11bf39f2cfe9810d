//! How what goes out is stored: the outbox's items, its failures, a callback's meeting.

use super::codec::{Broken, Reader, Stored, stored_enum, stored_struct};
use crate::domain::dispatch::{
    Dispatch, Estimate, Failure, Item, Mail, MailKind, Meeting, MeetingTask, Provider, Slot, Task,
    Undelivered,
};

stored_enum!(MailKind {
    0 => Confirmation, 1 => Change, 2 => Cancellation, 3 => Reminder, 4 => TriedToReach,
    5 => Sorry,
});
stored_enum!(MeetingTask { 0 => Keep, 1 => Renew });
stored_enum!(Provider { 0 => Zoom, 1 => Jitsi });
stored_struct!(Slot { start, minutes });
stored_struct!(Estimate { low_minutes, high_minutes });
stored_struct!(Mail {
    kind,
    sequence,
    slot,
    previous_slot,
    bookings,
    position,
    estimate,
    attempts,
    next_try,
});
stored_struct!(Dispatch { callback, caused_at, not_before, task });
stored_struct!(Item { id, dispatch, tries, first_try, next_at, reason });
stored_struct!(Failure { id, what, tries, first_try, failed_at, reason });
stored_struct!(Meeting { provider, id, join_url, host_url });

impl Stored for Task {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Mail(mail) => {
                out.push(0);
                mail.put(out);
            }
            Self::Meeting(task) => {
                out.push(1);
                task.put(out);
            }
            Self::Withdraw => out.push(2),
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        match from.byte()? {
            0 => Ok(Self::Mail(Stored::take(from)?)),
            1 => Ok(Self::Meeting(Stored::take(from)?)),
            2 => Ok(Self::Withdraw),
            other => Err(Broken(format!("{other} is no task"))),
        }
    }
}

impl Stored for Undelivered {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Dispatch(dispatch) => {
                out.push(0);
                dispatch.put(out);
            }
            Self::Webhook { webhook, event, callback } => {
                out.push(1);
                webhook.put(out);
                event.put(out);
                callback.put(out);
            }
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        match from.byte()? {
            0 => Ok(Self::Dispatch(Stored::take(from)?)),
            1 => {
                let webhook = Stored::take(from)?;
                let (event, callback) = (Stored::take(from)?, Stored::take(from)?);
                Ok(Self::Webhook { webhook, event, callback })
            }
            other => Err(Broken(format!("{other} is nothing that is delivered"))),
        }
    }
}
