//! How API keys are stored.

use super::codec::{Broken, Reader, Stored, stored_as, stored_struct};
use crate::domain::callback::Channel;
use crate::domain::ids::AgentId;
use crate::domain::key::{ApiKey, Grant, PublicUse, TokenHash};

stored_as!(TokenHash as [u8; 32], |it: &TokenHash| it.0, |hash| Ok(TokenHash(hash)));
stored_struct!(PublicUse { allowed_origins, requests_per_minute, callbacks_per_hour });
/// What a grant has, role by role: the role's number, then a channel, or an agent.
type Granted = (u8, (Option<(Channel, Option<PublicUse>)>, Option<AgentId>));

stored_as!(
    Grant as Granted,
    |it: &Grant| match it {
        Grant::Channel { channel, public } => (0, (Some((*channel, public.clone())), None)),
        Grant::Agent(agent) => (1, (None, Some(agent.clone()))),
        Grant::Supervisor(agent) => (2, (None, agent.clone())),
        Grant::Admin(agent) => (3, (None, agent.clone())),
    },
    |(role, (channel, agent))| match (role, channel, agent) {
        (0, Some((channel, public)), None) => Ok(Grant::Channel { channel, public }),
        (1, None, Some(agent)) => Ok(Grant::Agent(agent)),
        (2, None, agent) => Ok(Grant::Supervisor(agent)),
        (3, None, agent) => Ok(Grant::Admin(agent)),
        (role, ..) => Err(Broken(format!("{role} is no role of a key"))),
    }
);
stored_struct!(ApiKey { token, grant, version });
