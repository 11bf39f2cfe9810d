//! Credentials: whose they are, and what they allow.
//!
//! Knows neither requests nor sockets, so that the agent's socket is let in by the same rules.
//! Must never print a token, and never say which part of a wrong one was right.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::jwt::{self, Verifier};
use super::limit::Attempts;
use crate::domain::ids::{AgentId, WorkspaceId};
use crate::domain::key::{ApiKey, Grant, PublicUse, TokenHash};
use crate::domain::time::Timestamp;
use crate::engine::keys::KeyRing;
use crate::wire::manage;
use crate::wire::problem::{Kind, Problem};
use crate::wire::role::Role;

/// The longest credential that is read, in bytes.
const TOKEN_MAX: usize = 8_192;

/// One workspace's credentials.
pub struct Credentials {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// API keys that are good.
    pub keys: Arc<KeyRing>,
    /// Whose signed tokens are believed; none: nobody's.
    pub jwt: Option<Verifier>,
    /// What manage tokens are signed with.
    pub secret: [u8; 32],
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Which workspace, counted as in [`Gate::new`].
    pub workspace: usize,
    /// What is allowed.
    pub role: Role,
    /// A digest that is this credential's alone, the same for all tokens of one subject.
    pub identity: [u8; 32],
    /// When the credential ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The key that it is, as it was when it was shown; none for other credentials.
    pub key: Option<Arc<ApiKey>>,
    /// What a key that stands in a page is held to.
    pub public: Option<PublicUse>,
}

/// Why a credential isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is none.
    #[error("Send a credential: Authorization: Bearer <API key or token>.")]
    Missing,
    /// It is nobody's.
    #[error("The credential isn't valid; check the key, or get a new token.")]
    Bad,
    /// It was good once.
    #[error("The token has expired; get a new one.")]
    Expired,
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        Self::new(Kind::Unauthorized, error.to_string())
    }
}

/// All workspaces' credentials.
pub struct Gate {
    workspaces: Vec<Credentials>,
    /// The site of the server's own pages.
    own_site: String,
    attempts: Attempts,
}

impl Gate {
    /// Lets in who has one of these; an address may send `most_wrong` different others in a minute.
    pub fn new(workspaces: Vec<Credentials>, own_site: String, most_wrong: u32) -> Self {
        Self { workspaces, own_site, attempts: Attempts::new(most_wrong) }
    }

    /// Whose the credential in an `Authorization` header is.
    pub fn authorize(&self, header: Option<&[u8]>, now: Timestamp) -> Result<Caller, AuthError> {
        let header = std::str::from_utf8(header.ok_or(AuthError::Missing)?);
        let (scheme, token) =
            header.ok().and_then(|text| text.split_once(' ')).ok_or(AuthError::Bad)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AuthError::Missing);
        }
        self.check(token.trim(), now)
    }

    /// What whoever sent a wrong credential is told. Each counts, where the address is known:
    /// whoever guesses too often is told to wait.
    pub fn refuse(
        &self,
        error: AuthError,
        address: Option<IpAddr>,
        credential: &[u8],
        now: Timestamp,
    ) -> Problem {
        self.attempts.count(address, credential, now).err().unwrap_or_else(|| error.into())
    }

    /// Whose a credential is.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Caller, AuthError> {
        if token.is_empty() || token.len() > TOKEN_MAX {
            return Err(AuthError::Bad);
        }
        if let Some(caller) = self.key(token) {
            return Ok(caller);
        }
        if token.contains('.') {
            return self.signed(token, now);
        }
        self.manage(token).ok_or(AuthError::Bad)
    }

    fn key(&self, token: &str) -> Option<Caller> {
        let hash = TokenHash(Sha256::digest(token).into());
        let mut all = self.workspaces.iter().enumerate();
        let (workspace, key) =
            all.find_map(|(at, one)| one.keys.one(&hash).map(|key| (at, key)))?;
        let (role, public) = match key.grant.as_ref()? {
            Grant::Channel { channel, public } => {
                let role = Role::Channel { channel: *channel, public: public.is_some() };
                (role, public.as_ref().map(|public| public.on(&self.own_site)))
            }
            Grant::Agent(agent) => (Role::Agent(agent.clone()), None),
            Grant::Supervisor(agent) => (Role::Supervisor(agent.clone()), None),
            Grant::Admin(agent) => (Role::Admin(agent.clone()), None),
        };
        let identity = self.identity(workspace, "key", &hash.0);
        Some(Caller { workspace, role, identity, expires_at: None, key: Some(key), public })
    }

    /// Whether the server's own pages may use it as a public key.
    pub fn is_own(&self, token: &str) -> bool {
        let public = self.key(token).and_then(|caller| caller.public);
        public.is_some_and(|public| public.allows(&self.own_site))
    }

    /// Whether another workspace than this lets in whoever shows a token of this hash.
    pub fn is_known_elsewhere(&self, token: &TokenHash, workspace: usize) -> bool {
        let all = self.workspaces.iter().enumerate();
        all.into_iter().any(|(at, one)| at != workspace && one.keys.one(token).is_some())
    }

    /// The sites whose pages may ask for callbacks, of all workspaces.
    pub fn shops(&self) -> BTreeSet<String> {
        let keys = self.workspaces.iter().flat_map(|one| one.keys.all());
        let sites = keys.filter_map(|key| Some(key.public()?.on(&self.own_site).allowed_origins));
        sites.flatten().collect()
    }

    /// Whether that site's pages may ask for callbacks of this workspace.
    pub fn is_shop(&self, workspace: usize, site: &str) -> bool {
        let is_it = |public: &PublicUse| public.on(&self.own_site).allows(site);
        self.workspaces[workspace].keys.any(|key| key.public().is_some_and(is_it))
    }

    fn signed(&self, token: &str, now: Timestamp) -> Result<Caller, AuthError> {
        let claimed = jwt::claimed_workspace(token).ok_or(AuthError::Bad)?;
        let mut all = self.workspaces.iter().enumerate();
        let (workspace, credentials) =
            all.find(|(_, one)| one.workspace.as_str() == claimed).ok_or(AuthError::Bad)?;
        let verifier = credentials.jwt.as_ref().ok_or(AuthError::Bad)?;
        let grant = verifier.verify(token, &claimed, now)?;
        // What it stands for counts too: one issuer may sign all channels with the same subject.
        let stands_for = match &grant.role {
            Role::Channel { channel, .. } => channel.as_str(),
            Role::Supervisor(agent) | Role::Admin(agent) => {
                agent.as_ref().map_or("", AgentId::as_str)
            }
            Role::Customer(_) | Role::Agent(_) => "",
        };
        let name = [grant.role.as_str(), ":", stands_for, ":", &grant.subject].concat();
        Ok(Caller {
            workspace,
            identity: self.identity(workspace, "jwt", name.as_bytes()),
            role: grant.role,
            expires_at: Some(grant.expires_at),
            key: None,
            public: None,
        })
    }

    fn manage(&self, token: &str) -> Option<Caller> {
        if !manage::is_token(token) {
            return None;
        }
        let mut all = self.workspaces.iter().enumerate();
        let (workspace, id) =
            all.find_map(|(at, one)| manage::verify(&one.secret, token).map(|id| (at, id)))?;
        Some(Caller {
            workspace,
            role: Role::Customer(id),
            identity: self.identity(workspace, "manage", &id.to_bytes()),
            expires_at: None,
            key: None,
            public: None,
        })
    }

    fn identity(&self, workspace: usize, kind: &str, name: &[u8]) -> [u8; 32] {
        let workspace = self.workspaces[workspace].workspace.as_str();
        let mut digest = Sha256::new();
        for part in [workspace.as_bytes(), kind.as_bytes(), name] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests;
