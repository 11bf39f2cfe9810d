//! Names of things, as newtypes that can't be mixed up.
//!
//! Ids that the administrator chooses (queues, agents) are short slugs; all others are `UUIDv7`
//! values that come in as arguments, because the domain makes no random numbers.

use std::fmt;

use uuid::Uuid;

use super::slug::Slug;
pub use super::slug::{BadSlug, SLUG_MAX};

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Slug);

        impl $name {
            /// Takes `[a-z0-9][a-z0-9_-]{0,62}` and nothing else.
            pub fn parse(text: &str) -> Result<Self, BadSlug> {
                Slug::parse(text).map(Self)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

slug!(
    /// One routing domain: its queues, agents and callbacks.
    WorkspaceId
);
slug!(
    /// Where callbacks wait.
    QueueId
);
slug!(
    /// A person who calls customers.
    AgentId
);
slug!(
    /// Something that an agent can do at a level and a callback may ask for.
    SkillName
);
slug!(
    /// Somewhere that events are sent to.
    WebhookId
);

macro_rules! unique {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        // As a `u128` it would stand at a multiple of 16 bytes. Many are kept in pairs with a time,
        // which would take 32 bytes then instead of 24.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(Rust, packed(8))]
        pub struct $name(pub u128);

        impl $name {
            /// Takes the hyphenated form that [`fmt::Display`] prints; none for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                (text.len() == 36).then(|| Self(id.as_u128()))
            }

            /// The value as the 16 bytes that sort as the id does.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Uuid::from_u128(self.0), out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }
    };
}

unique!(
    /// A customer's request to be called; sorts by when it was made.
    CallbackId
);
unique!(
    /// One attempt at a callback.
    InteractionId
);
unique!(
    /// One interaction put to one agent for a limited time.
    OfferId
);
unique!(
    /// One WebSocket connection of an agent.
    SessionId
);

/// A step's own source of ids: one fresh `UUIDv7`, from which at most one id of each kind is made.
///
/// The two differ in their last bit, so a step that opens an interaction and makes an offer has
/// two different ids without any randomness of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh(pub u128);

impl Fresh {
    /// The id of the interaction that this step creates.
    pub fn interaction(self) -> InteractionId {
        InteractionId(self.0 & !1)
    }

    /// The id of the offer that this step makes.
    pub fn offer(self) -> OfferId {
        OfferId(self.0 | 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_take_the_documented_alphabet_only() {
        for good in ["a", "0", "billing", "a-b_c9", &"x".repeat(63)] {
            assert_eq!(QueueId::parse(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "_a", "A", "ä", "a b", "a/b", &"x".repeat(64)] {
            assert!(QueueId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn unique_ids_print_and_parse_the_hyphenated_form_only() {
        let text = "01936b5e-3c5a-7cc0-8000-000000000001";
        let id = CallbackId::parse(text).expect("a v7 id");
        assert_eq!(id.to_string(), text);
        assert_eq!(CallbackId::parse("01936b5e3c5a7cc08000000000000001"), None);
        assert_eq!(CallbackId::parse("{01936b5e-3c5a-7cc0-8000-000000000001}"), None);
    }

    #[test]
    fn a_step_has_two_different_ids() {
        let fresh = Fresh(7);
        assert_ne!({ fresh.interaction().0 }, { fresh.offer().0 });
    }
}
