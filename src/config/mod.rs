//! The server's settings: read from flags, environment and file over the defaults, checked whole.
//!
//! `load` is the one way to a [`Settings`], so that whoever holds one holds a good one. Nothing
//! here opens, binds or starts anything. The shapes of queues and agents are `wire::settings`,
//! since the API takes the same.

mod mail;
mod outward;
mod read;
#[cfg(test)]
mod tests;
mod tree;
mod workspace;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::ids::WorkspaceId;
use crate::domain::key::{ApiKey, Grant, TokenHash};
use crate::domain::policy::{AgentSettings, Choice, QueueSettings};

pub use mail::{Encryption, Login, Mail, MailServer};
pub use read::load;
pub use tree::{DEFAULTS, PREFIX};

/// Where the settings come from, lowest first; the defaults are always below.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The file's name and text.
    pub file: Option<(String, String)>,
    /// Variables; those whose names don't begin with [`PREFIX`] are passed over.
    pub environment: Vec<(String, String)>,
    /// Flags: as typed, the key that they set, and their value.
    pub flags: Vec<(String, &'static str, String)>,
}

/// What is wrong with a configuration: all of it, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Source, key, value and what is allowed.
    pub lines: Vec<String>,
}

impl ConfigError {
    /// With a single fault.
    pub fn one(line: String) -> Self {
        Self { lines: vec![line] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// A good configuration, and what to think of about it.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What works but shouldn't go into production, a line each.
    pub warnings: Vec<String>,
}

/// Everything that the server is told at its start.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen: `ADDRESS:PORT`; port 0 takes any that is free.
    pub listen: String,
    /// Where everything is kept.
    pub store: StoreUrl,
    /// The base of all links, without a slash at its end; none: the address listened on.
    pub public_url: Option<String>,
    /// `/metrics` answers without a credential.
    pub metrics_open: bool,
    /// Bounds of everything that grows.
    pub limits: Limits,
    /// Where mails go out; none: customers get no mail.
    pub mail: Option<Mail>,
    /// How webhooks are sent.
    pub webhooks: Webhooks,
    /// How those who make meetings are called.
    pub meetings: OutwardCalls,
    /// Play customers and agents against it.
    pub demo: bool,
    /// At least one; ids differ.
    pub workspaces: Vec<Workspace>,
}

/// Where everything is kept.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// `memory:`: nowhere; gone with the process.
    Memory,
    /// `embedded:PATH`: in this folder.
    Embedded(PathBuf),
    /// `redis://…` or `rediss://…`, which may hold a password.
    Redis(SecretString),
}

/// Bounds of everything that grows, and of every wait; what each is for stands in
/// `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "config/default.toml documents each; here it would be said twice")]
pub struct Limits {
    pub body_bytes: usize,
    pub header: Duration,
    pub body: Duration,
    pub connections: usize,
    pub wrong_credentials_per_minute: u32,
    pub streams_per_credential: usize,
    pub sessions_per_agent: usize,
    pub socket_buffer_bytes: usize,
    pub socket_write: Duration,
    pub heartbeat: Duration,
    pub max_commands_in_flight: usize,
    pub admission_wait: Duration,
    pub store_stall: Duration,
    pub resend: Duration,
    pub overlay_bytes: usize,
    pub log_max_bytes: u64,
    pub window_items: usize,
    pub window: Duration,
    pub mails_at_once: usize,
    pub meetings_at_once: usize,
    pub max_keys: usize,
    pub max_denied_numbers: usize,
    pub max_panics: u32,
    pub max_requirements: usize,
    pub max_signatures: usize,
    pub retain_days: u32,
    pub report_days: u32,
    pub report_max_days: u32,
    pub report_max_rows: usize,
    pub manage_read_days: u32,
    pub drain: Duration,
    pub require_durable: bool,
}

/// How webhooks are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhooks {
    /// They may go to inner addresses, and unencrypted: for tests and labs.
    pub allow_inner: bool,
    /// The most that connecting may take, the search for the address included.
    pub connect: Duration,
    /// The most that all of it may take.
    pub answer: Duration,
    /// For how long an event is tried before it is given up.
    pub give_up_after: Duration,
    /// Deliveries under way at once to one receiver.
    pub concurrency: usize,
    /// Deliveries under way at once in all.
    pub concurrency_in_all: usize,
    /// Events of one webhook that were read and are still to be delivered.
    pub max_waiting: usize,
}

/// How long another server may take when we call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutwardCalls {
    /// The most that connecting may take, the search for the address included.
    pub connect: Duration,
    /// The most that all of a call may take.
    pub answer: Duration,
}

/// Who makes the meetings of video callbacks.
#[derive(Debug)]
pub enum Meetings {
    /// Zoom, over its API.
    Zoom(ZoomAccount),
    /// A Jitsi server that believes our tokens.
    Jitsi(JitsiServer),
}

/// A server-to-server OAuth app of a Zoom account.
#[derive(Debug)]
pub struct ZoomAccount {
    /// The account's id.
    pub account_id: String,
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// Whose meetings they are: an id or a mail address.
    pub host_user: String,
    /// The base of its API.
    pub api_url: String,
    /// Where tokens come from.
    pub token_url: String,
}

/// A Jitsi server with token authentication.
#[derive(Debug)]
pub struct JitsiServer {
    /// Its host, with a port where it has its own.
    pub domain: String,
    /// Who we are to it (`iss`).
    pub app_id: String,
    /// What tokens are signed with.
    pub app_secret: SecretString,
    /// Whom tokens are for (`aud`).
    pub audience: String,
    /// Which domain of the server's they are good in (`sub`).
    pub subject: String,
}

/// One routing domain.
#[derive(Debug)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// What manage links are signed with; none: made and kept at the first start.
    pub secret: Option<SecretString>,
    /// Sites that may embed the agent's page and use API and socket.
    pub desk_origins: Vec<String>,
    /// Templates of the links on the agent's page, by name.
    pub links: BTreeMap<String, String>,
    /// What an agent may say when they go away; empty: anything.
    pub presence_reasons: Vec<Choice>,
    /// Requests that one phone number may make in a minute; 0 for no limit.
    pub phone_requests_per_minute: u32,
    /// Whose signed tokens are taken; none: nobody's.
    pub jwt: Option<Jwt>,
    /// Who makes the meetings of video callbacks; none: nobody.
    pub meetings: Option<Meetings>,
    /// API keys.
    pub keys: Vec<Key>,
    /// Made at start where the store doesn't have them.
    pub queues: Vec<QueueSettings>,
    /// Made at start where the store doesn't have them.
    pub agents: Vec<AgentSettings>,
}

/// Whose JSON Web Tokens are taken.
#[derive(Debug)]
pub struct Jwt {
    /// What they are signed with.
    pub verifier: JwtVerifier,
    /// `iss` that they must have; none: any.
    pub issuer: Option<String>,
    /// `aud` that they must have.
    pub audience: String,
}

/// What signatures of tokens are checked with.
#[derive(Debug)]
pub enum JwtVerifier {
    /// A secret shared with the issuer.
    Hs256(SecretString),
    /// The issuer's public keys, in this file.
    JwksFile(PathBuf),
}

/// An API key: what shows it, and what it allows.
#[derive(Debug, Clone)]
pub struct Key {
    /// SHA-256 of the token.
    pub token_sha256: TokenHash,
    /// The token itself, where the file has it in the clear.
    pub token: Option<SecretString>,
    /// What it allows.
    pub grant: Grant,
    /// Nobody is let in with it, whatever was said while the server ran.
    pub revoked: bool,
}

impl Key {
    /// As a workspace keeps it.
    pub fn configured(&self) -> ApiKey {
        ApiKey::configured(self.token_sha256, (!self.revoked).then(|| self.grant.clone()))
    }
}
