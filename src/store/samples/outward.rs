//! What goes out, and meetings.

use super::Sampler;
use super::callbacks::id;
use crate::domain::dispatch::{
    Dispatch, Estimate, Failure, Item, Mail, MailKind, Meeting, MeetingTask, Provider, Slot, Task,
    Undelivered,
};

impl Sampler {
    /// A meeting.
    pub(in crate::store) fn meeting(&mut self) -> Meeting {
        Meeting {
            provider: self.pick(&[Provider::Zoom, Provider::Jitsi]),
            id: self.text(),
            join_url: self.text(),
            host_url: self.text(),
        }
    }

    /// Something that goes out because of the `count`-th callback.
    pub(in crate::store) fn dispatch(&mut self, count: u64) -> Dispatch {
        let meeting = self.pick(&[MeetingTask::Keep, MeetingTask::Renew]);
        let mail = Task::Mail(self.mail());
        Dispatch {
            callback: id(count),
            caused_at: self.at(),
            not_before: self.at(),
            task: self.pick(&[Task::Meeting(meeting), mail]),
        }
    }

    /// An item that was tried already.
    pub(in crate::store) fn item(&mut self, count: u64) -> Item {
        Item {
            id: self.below(1_000),
            dispatch: self.dispatch(count),
            tries: self.count(),
            first_try: self.maybe(Self::at),
            next_at: self.at(),
            reason: self.maybe(Self::text),
        }
    }

    /// A failure.
    pub(in crate::store) fn failure(&mut self, count: u64) -> Failure {
        let dispatch = Undelivered::Dispatch(self.dispatch(count));
        let webhook = Undelivered::Webhook {
            webhook: self.text(),
            event: self.below(1_000),
            callback: self.maybe(|_| id(count)),
        };
        Failure {
            id: self.below(1_000),
            what: self.pick(&[dispatch, webhook]),
            tries: self.count(),
            first_try: self.at(),
            failed_at: self.at(),
            reason: self.text(),
        }
    }

    fn mail(&mut self) -> Mail {
        Mail {
            kind: self.pick(&MailKind::ALL),
            sequence: self.count(),
            slot: self.maybe(Self::slot),
            previous_slot: self.maybe(Self::slot),
            bookings: self.count(),
            position: self.maybe(Self::count),
            estimate: self
                .maybe(|it| Estimate { low_minutes: it.count(), high_minutes: it.count() }),
            attempts: self.count(),
            next_try: self.maybe(Self::at),
        }
    }

    fn slot(&mut self) -> Slot {
        Slot { start: self.at(), minutes: self.count() }
    }
}
