//! API keys: the hash of a token, and what whoever shows the token may do.
//!
//! The token itself is never kept: whoever reads the store or the list of keys can't use one. Must
//! never be matched against anything but a whole hash.

use std::fmt;

use super::callback::Channel;
use super::ids::AgentId;

/// SHA-256 of a token: what a key is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// Why a text isn't a hash; says what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 hexadecimal digits: `printf %s TOKEN | sha256sum`")]
pub struct BadTokenHash;

impl TokenHash {
    /// Takes 64 hexadecimal digits, small or large.
    pub fn parse(text: &str) -> Result<Self, BadTokenHash> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadTokenHash);
        }
        for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| BadTokenHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// What a key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// To ask for callbacks, in the name of a channel.
    Channel {
        /// The one that its callbacks come from.
        channel: Channel,
        /// It may stand in a page: what it is held to then.
        public: Option<PublicUse>,
    },
    /// To be this agent.
    Agent(AgentId),
    /// To supervise, and to act as this agent if one is named.
    Supervisor(Option<AgentId>),
    /// To set up, supervise, and act as this agent if one is named.
    Admin(Option<AgentId>),
}

/// Stands among a public key's sites for this server's own.
pub const OWN_SITE: &str = "self";

/// What a key that stands in a page is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUse {
    /// The pages' sites; [`OWN_SITE`] among them is the server's.
    pub allowed_origins: Vec<String>,
    /// Requests per address.
    pub requests_per_minute: u32,
    /// Callbacks per address.
    pub callbacks_per_hour: u32,
}

impl PublicUse {
    /// Whether pages of this site may hold the key.
    pub fn allows(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|site| site == origin)
    }

    /// The same with the server's own site by its name.
    #[must_use]
    pub fn on(&self, own_site: &str) -> Self {
        let named = |site: &String| if site == OWN_SITE { own_site } else { site }.to_owned();
        Self { allowed_origins: self.allowed_origins.iter().map(named).collect(), ..self.clone() }
    }
}

/// A key of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is known by.
    pub token: TokenHash,
    /// What it allows; none: revoked, and kept so that the configuration's isn't taken instead.
    pub grant: Option<Grant>,
    /// Counts its changes, above those of any key of that hash before; 1 for one that is as the
    /// configuration has it.
    pub version: u64,
}

impl ApiKey {
    /// A key as the configuration has it.
    pub const fn configured(token: TokenHash, grant: Option<Grant>) -> Self {
        Self { token, grant, version: 1 }
    }

    /// What it is held to, if it may stand in a page.
    pub const fn public(&self) -> Option<&PublicUse> {
        match &self.grant {
            Some(Grant::Channel { public, .. }) => public.as_ref(),
            Some(Grant::Agent(_) | Grant::Supervisor(_) | Grant::Admin(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        let text = "a10f27d41b38d85a02e9e2b8b8e10a0d1bb1c5d06e0a4d2dbd8a4ebc8ee23d02";
        let hash = TokenHash::parse(text).expect("a hash");
        assert_eq!(hash.to_string(), text);
        assert_eq!(TokenHash::parse(&text.to_uppercase()), Ok(hash));
        for bad in ["", &text[1..], &text.replace('a', "g"), &format!("{text}0"), "é"] {
            assert_eq!(TokenHash::parse(bad), Err(BadTokenHash), "{bad}");
        }
    }
}
