//! A step that panics while something is booked, moved or called off: all of it is done or none of
//! it, what was promised to go out goes with it, and whoever repeats the command gets it done once.

use std::sync::Arc;

use super::outward::{Carriers, book};
use super::rig::{Rig, START, asap, keyed, limits, queue_id};
use super::vault::Vault;
use crate::domain::agent::{Presence, PresenceBy};
use crate::domain::callback::{Booking, Callback};
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::message::{Action, Who, Wish};
use crate::domain::phone::Email;
use crate::domain::policy::{Medium, PerMedium, QueueSettings};
use crate::domain::refusal::Refusal;
use crate::domain::slots::Bookings;
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;
use crate::engine::clock::ManualTime;
use crate::engine::entry::Keyed;
use crate::engine::handle::{Acted, Answered, CommandError};

const TOMORROW: Timestamp = Timestamp(START.0 + 86_400_000);
const LATER: Timestamp = Timestamp(START.0 + 2 * 86_400_000);

/// The most that may be outstanding.
const MOST: usize = 3;

/// What a customer does who has something booked for tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Book,
    Move,
    MoveToAsap,
    Cancel,
}

impl Deed {
    const ALL: [Self; 4] = [Self::Book, Self::Move, Self::MoveToAsap, Self::Cancel];

    /// What goes out because of it, by the number of things.
    const fn goes_out(self) -> usize {
        match self {
            // A confirmation and a reminder; the old reminder's withdrawal, and a change or a
            // cancellation.
            Self::Book | Self::MoveToAsap | Self::Cancel => 2,
            // The old reminder's withdrawal, a change and a reminder.
            Self::Move => 3,
        }
    }

    async fn do_it(
        self,
        rig: &Rig,
        own: CallbackId,
        key: Option<Keyed>,
    ) -> Result<Answered<Acted>, CommandError> {
        let booking = || Booking::at(LATER, TimeZone::utc());
        let action = match self {
            Self::Book => {
                let wish = Wish { who: Who::Channel, ..asap().booked(booking()) };
                let mut request = (*wish.request).clone();
                request.customer.email = Email::parse("grace@example.com").ok();
                let wish = Wish { request: Arc::new(request), ..wish };
                return rig.handle.create(wish, key).await;
            }
            Self::Move => Action::Reschedule { booking: Some(booking()) },
            Self::MoveToAsap => Action::Reschedule { booking: None },
            Self::Cancel => Action::Cancel { reason: None },
        };
        rig.handle.act(own, Who::Customer, action, None, key).await
    }
}

#[tokio::test]
async fn what_panics_halfway_is_done_whole_or_not_at_all() {
    let mut panics = [0, 0];
    for deed in Deed::ALL {
        for (kind, count) in ["queue", "callback"].into_iter().zip(&mut panics) {
            for spares in 0..3 {
                *count += check(deed, kind, spares).await;
            }
        }
    }
    // Each deed has one step of either kind at least, and a move has two.
    assert!(panics.iter().all(|count| *count >= 5), "{panics:?}");
}

/// Returns how many panics there were.
async fn check(deed: Deed, kind: &'static str, spares: usize) -> u64 {
    let what = format!("{deed:?} with a panic in the {kind} after {spares} good steps");
    let carriers = Carriers::held();
    let time = ManualTime::starting_at(START);
    let rig = Rig::sending(Vault::new(), time, limits(), carriers.outward()).await;
    let most = u32::try_from(MOST).expect("small");
    let max_outstanding = PerMedium::both(most);
    let media = Medium::ALL.to_vec();
    let queue = QueueSettings { media, max_outstanding, ..QueueSettings::new(queue_id()) };
    rig.handle.put_queue(queue, None).await.expect("replaced");
    let own = book(&rig, Medium::Voice, TOMORROW).await;
    let (before, items) = (rig.vault.callbacks(), rig.vault.items());

    rig.handle.poison_after(kind, spares);
    let key = Some(keyed(1, 1));
    let first = deed.do_it(&rig, own, key).await;
    settle(&rig).await;
    rig.handle.antidote();
    let panics = rig.handle.health().panics;
    let done = match first {
        Ok(answered) => {
            assert!(!answered.replayed, "{what}");
            true
        }
        Err(CommandError::Refused(Refusal::Internal)) => {
            assert_eq!((&rig.vault.callbacks(), rig.vault.items()), (&before, items), "{what}");
            assert_eq!(panics, 1, "{what}");
            false
        }
        Err(other) => panic!("{what}: {other}"),
    };
    assert_seats(&rig, &what).await;

    let again = deed.do_it(&rig, own, key).await.expect("its actor is back");
    assert_eq!(again.replayed, done, "{what}");
    settle(&rig).await;
    assert_eq!(rig.vault.items(), items + deed.goes_out(), "{what}");
    assert_eq!(rig.vault.callbacks().len(), 1 + usize::from(deed == Deed::Book), "{what}");
    assert_seats(&rig, &what).await;
    assert_eq!(rig.handle.health().set_aside, 0, "{what}");

    let active = rig.vault.callbacks().iter().filter(|one| !one.state().is_final()).count();
    for _ in active..MOST {
        rig.create(asap()).await.expect("there is room");
    }
    let refused = rig.create(asap()).await.err();
    assert!(matches!(refused, Some(Refusal::LimitReached(_))), "{what}: {refused:?}");
    panics
}

/// A few ways to the workspace's thread and back: letters that an answer doesn't wait for arrive.
async fn settle(rig: &Rig) {
    let omar = AgentId::parse("omar").expect("a slug");
    for _ in 0..3 {
        let (by, presence) = (PresenceBy::Supervisor, Presence::Away);
        rig.handle.set_presence(omar.clone(), by, presence, None).await.expect("known");
    }
}

/// What the queue counts is what the records say.
async fn assert_seats(rig: &Rig, what: &str) {
    let (medium, end) = (Medium::Voice, Timestamp(LATER.0 + 86_400_000));
    let booked = rig.handle.booked(queue_id(), medium, START, end).await.expect("told");
    let counted = booked.book(START).bookings.clone();
    let mut recorded = Bookings::default();
    let callbacks = rig.vault.callbacks();
    callbacks.iter().filter_map(|one| Callback::seat(one)).for_each(|seat| recorded.take(seat));
    assert_eq!(counted, recorded.part(medium, START, end), "{what}");
}
