//! Faults planted to see that the simulation bites.

use ringback::domain::dispatch::{OutboxChange, Task};
use ringback::domain::effect::Change;
use ringback::domain::message::{
    CallbackMessage, Letter, QueueMessage, RouterMessage, SchedulerMessage,
};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// Nothing is wrong.
    Nothing,
    /// Answers and frames leave before their entry is durable.
    OutputsNotHeld,
    /// Offers of agents who are gone are not taken back.
    OffersNotRevoked,
    /// Capacity that is free again isn't told to the router.
    ReleasesLost,
    /// Callbacks are forgotten by the scheduler when they fall asleep.
    SleepersForgotten,
    /// Seats that callbacks give back go on being counted.
    SeatsLost,
    /// Mails and events go out before their entry is durable.
    DispatchesNotHeld,
    /// What a step lets go out isn't written with it.
    DispatchesLost,
    /// Items are written down as done before they are.
    DoneTooSoon,
    /// What was overtaken isn't taken out of the outbox.
    WithdrawalsLost,
    /// How far a webhook has come is written down without what is still on its way.
    OpenEventsLost,
    /// What a contact has is read before it is the request's turn.
    FactsOutOfTurn,
    /// A machine that is made from its record isn't told that its number is denied.
    DenialsForgotten,
}

impl Planted {
    /// Whether a letter gets lost.
    pub(super) fn drops(self, letter: &Letter) -> bool {
        match self {
            Self::Nothing
            | Self::OutputsNotHeld
            | Self::DispatchesNotHeld
            | Self::DispatchesLost
            | Self::DoneTooSoon
            | Self::WithdrawalsLost
            | Self::OpenEventsLost
            | Self::FactsOutOfTurn
            | Self::DenialsForgotten => false,
            Self::OffersNotRevoked => {
                matches!(letter, Letter::Callback(_, CallbackMessage::RevokeOffer { .. }))
            }
            Self::ReleasesLost => matches!(
                letter,
                Letter::Router(RouterMessage::Release { .. } | RouterMessage::Missed { .. })
            ),
            Self::SleepersForgotten => {
                matches!(letter, Letter::Scheduler(SchedulerMessage::Slept { .. }))
            }
            Self::SeatsLost => matches!(letter, Letter::Queue(_, QueueMessage::FreeSeat(_))),
        }
    }

    /// Takes out of a step's changes what gets lost.
    pub(super) fn spoils(self, changes: &mut Vec<Change>) {
        changes.retain(|change| {
            let Change::Outbox(change) = change else { return true };
            let OutboxChange::New(dispatch) = &**change else { return true };
            let withdrawal = dispatch.task == Task::Withdraw;
            let lost = match self {
                Self::WithdrawalsLost => withdrawal,
                Self::DispatchesLost => !withdrawal && dispatch.caused_at.0 % 7 == 0,
                _ => false,
            };
            !lost
        });
    }
}
