//! What a credential allows: the roles that http and ws check before they ask the engine.
//!
//! Here because both need it; how a credential is verified is http's alone.

use crate::domain::agent::PresenceBy;
use crate::domain::callback::Channel;
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::message::Who;
use crate::domain::slots::Bound;

/// The bearer of a credential, within one workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A customer, by manage token: that callback alone.
    Customer(CallbackId),
    /// A named intake channel.
    Channel {
        /// The one that its callbacks come from.
        channel: Channel,
        /// The key may stand in a page, and so is anybody's.
        public: bool,
    },
    /// An agent.
    Agent(AgentId),
    /// A supervisor, who may also act as the agent named.
    Supervisor(Option<AgentId>),
    /// An administrator, who may do what a supervisor may.
    Admin(Option<AgentId>),
}

impl Role {
    /// The word on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Channel { .. } => "channel",
            Self::Agent(_) => "agent",
            Self::Supervisor(_) => "supervisor",
            Self::Admin(_) => "admin",
        }
    }

    /// Whether a supervisor's rights apply.
    pub const fn supervises(&self) -> bool {
        matches!(self, Self::Supervisor(_) | Self::Admin(_))
    }

    /// Whether agents' fields are shown.
    pub const fn is_inside(&self) -> bool {
        matches!(self, Self::Agent(_) | Self::Supervisor(_) | Self::Admin(_))
    }

    /// The agent that the bearer is, or may act as.
    pub const fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(agent) | Self::Supervisor(Some(agent)) | Self::Admin(Some(agent)) => {
                Some(agent)
            }
            Self::Customer(_)
            | Self::Channel { .. }
            | Self::Supervisor(None)
            | Self::Admin(None) => None,
        }
    }

    /// In whose name the bearer's commands come.
    pub fn who(&self) -> Who {
        match self {
            Self::Customer(_) => Who::Customer,
            Self::Channel { .. } => Who::Channel,
            Self::Agent(agent) => Who::Agent(agent.clone()),
            Self::Supervisor(agent) | Self::Admin(agent) => Who::Supervisor(agent.clone()),
        }
    }

    /// Whether the rules of slots bind the bearer.
    pub const fn bound(&self) -> Bound {
        if self.is_inside() { Bound::ToHours } else { Bound::ToSlots }
    }

    /// Who sets the presence of `agent`, if the bearer may.
    pub fn presence_by(&self, agent: &AgentId) -> Option<PresenceBy> {
        if self.agent() == Some(agent) {
            return Some(PresenceBy::Agent);
        }
        self.supervises().then_some(PresenceBy::Supervisor)
    }
}
