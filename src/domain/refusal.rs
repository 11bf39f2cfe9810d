//! Why a command isn't carried out. Each refusal leaves everything as it was.

use super::callback::State;
use super::ids::CallbackId;
use super::slots::Nearest;
use super::time::Timestamp;

/// What stood in the way, with what the caller needs to go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or it isn't the caller's.
    #[error("there is no such resource")]
    NotFound,
    /// The caller may see it but not do that.
    #[error("{0}")]
    Forbidden(String),
    /// The version that the caller knows isn't the newest.
    #[error("the resource has changed: its version is {version} now; read it again and repeat")]
    VersionStale {
        /// The newest version.
        version: u64,
    },
    /// The state doesn't allow the action.
    #[error("{action} isn't possible while the callback is {}", state.as_str())]
    IllegalTransition {
        /// The state that it is in.
        state: State,
        /// The action's name.
        action: &'static str,
    },
    /// The offer was answered, expired or revoked before.
    #[error("the offer isn't pending any more")]
    OfferNotPending,
    /// The call has no outcome yet, or wasn't answered.
    #[error("say how the call went first: send its outcome, `answered` before ending it")]
    OutcomeMissing,
    /// No attempt is left.
    #[error("no attempt is left of {max_attempts}; close the callback instead")]
    AttemptsUsedUp {
        /// How many there were.
        max_attempts: u32,
    },
    /// The agent has no session.
    #[error("agent {0} isn't connected; choose another or wait for them")]
    AgentNotConnected(String),
    /// The agent has no room.
    #[error("agent {0} has no room; end other work first, or a supervisor may force it")]
    AtCapacity(String),
    /// A bound on what may be waiting.
    #[error("{0}")]
    LimitReached(String),
    /// A supervisor stopped new requests.
    #[error("the queue takes no requests at the moment")]
    IntakePaused {
        /// When that ends, if known.
        until: Option<Timestamp>,
    },
    /// The same external id stands in another callback.
    #[error("a callback with this external_id exists already")]
    Duplicate {
        /// The one that has it.
        id: CallbackId,
    },
    /// The contact waits for the same already.
    #[error("this contact has a callback waiting there already; move or cancel that one")]
    DuplicateContact {
        /// The one that waits.
        id: CallbackId,
    },
    /// The queue isn't open then.
    #[error("the queue isn't open at that time; choose another, see next_allowed_at")]
    OutsideHours {
        /// The next instant at which it is, if any.
        next_allowed_at: Option<Timestamp>,
    },
    /// The customer isn't to be called then unless they agreed to it.
    #[error(
        "the customer isn't called then unless they agreed (customer_agreed); see next_allowed_at"
    )]
    OutsideContactHours {
        /// The next instant at which they are, while the queue is open; if any.
        next_allowed_at: Option<Timestamp>,
    },
    /// A start that lies in the past.
    #[error("the start lies in the past; choose a later one")]
    StartPast,
    /// The customer's number is on the deny list.
    #[error("the number is on the deny list; take it off the list first, or give another")]
    NumberDenied,
    /// A start within the notice that customers must give.
    #[error("the start is too soon; choose one from soonest_start on")]
    TooSoon {
        /// The soonest that there is.
        soonest: Timestamp,
    },
    /// A start beyond how far ahead customers may book.
    #[error("the start is too far ahead; choose one until latest_start")]
    TooFar {
        /// The latest that there is.
        latest: Timestamp,
    },
    /// Customers book slots, and none starts then.
    #[error("no slot starts at that time; choose one of the queue's slots, see nearest")]
    NotASlot {
        /// Free ones near it.
        nearest: Nearest,
    },
    /// The slot is taken.
    #[error("the slot is full; choose another, see nearest")]
    SlotFull {
        /// Free ones near it.
        nearest: Nearest,
    },
    /// Work is live there.
    #[error("{0}")]
    InUse(String),
    /// Fields that can't be, by JSON pointer.
    #[error("some fields can't be taken; see errors")]
    Invalid(Vec<FieldFault>),
    /// The step panicked; nothing was changed.
    #[error("an internal error; nothing was changed, repeat the request")]
    Internal,
    /// The store can't be written now, or read.
    #[error("the store doesn't answer; repeat later, commands with the same Idempotency-Key")]
    Unavailable,
    /// More is under way than may be.
    #[error("too much is under way at the moment; repeat a little later")]
    Overloaded,
}

/// One field that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldFault {
    /// JSON pointer to it, such as `/customer/phone`.
    pub pointer: String,
    /// What is wrong and what is allowed, in a sentence.
    pub detail: String,
}

impl Refusal {
    /// One invalid field.
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault { pointer: pointer.to_owned(), detail: detail.into() }])
    }
}
