//! Reads workspaces: their keys and tokens, and the queues and agents that they start with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::outward::meetings;
use super::read::web_address;
use super::{Grant, Jwt, JwtVerifier, Key, OWN_SITE, PublicUse, Workspace};
use crate::domain::callback::Channel;
use crate::domain::ids::{AgentId, QueueId, WorkspaceId};
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::wire::settings::fields::{Fields, Item};
use crate::wire::settings::{COUNTS, read_agent, read_choice, read_queue};

/// The fewest bytes of a secret that signs: as many as its hash has.
const SECRET_MIN: usize = 32;

/// What is gathered over all workspaces: what works but shouldn't go into production.
#[derive(Default)]
pub(super) struct Warnings {
    /// How many keys' tokens stand in the clear that don't stand in pages too.
    tokens_in_clear: usize,
    /// Hashes of all tokens, so that none is given twice.
    tokens: BTreeSet<[u8; 32]>,
}

impl Warnings {
    /// The warnings, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let count = self.tokens_in_clear;
        let clear = (count > 0).then(|| {
            format!("{count} key(s) have a `token` in the clear; for production use `token_sha256`")
        });
        clear.into_iter().collect()
    }
}

/// All workspaces; faults are noted where they are.
pub(super) fn workspaces(
    item: Item<'_>,
    max_requirements: usize,
    warnings: &mut Warnings,
) -> Option<Vec<Workspace>> {
    let mut ids = BTreeSet::new();
    item.list(|item| {
        item.table(|fields| {
            let workspace = workspace(fields, max_requirements, warnings)?;
            if !ids.insert(workspace.id.clone()) {
                fields.fault("id", "is taken by another workspace");
            }
            Some(workspace)
        })
        .flatten()
    })
}

fn workspace(
    fields: &mut Fields<'_>,
    max_requirements: usize,
    warnings: &mut Warnings,
) -> Option<Workspace> {
    let id = fields.required("id").and_then(|item| item.parsed(WorkspaceId::parse));
    let secret = fields.parsed("secret", secret);
    let desk_origins = fields.list("desk_origins", |item| item.parsed(site));
    let links = fields.take("links").and_then(links).unwrap_or_default();
    let presence_reasons = fields.list("presence_reasons", read_choice);
    let phone_requests_per_minute = fields.number("phone_requests_per_minute", 5, COUNTS);
    let jwt = fields.take("jwt").and_then(|item| item.table(jwt)).flatten();
    let meetings = fields.take("meetings").and_then(|item| item.table(meetings)).flatten();
    let keys = fields.list("key", |item| item.table(|fields| key(fields, warnings)).flatten());
    let queues = queues(fields, max_requirements);
    let known: BTreeSet<QueueId> = queues.iter().map(|queue| queue.id.clone()).collect();
    let agents = agents(fields, &known);
    Some(Workspace {
        id: id?,
        secret,
        desk_origins,
        links,
        presence_reasons,
        phone_requests_per_minute,
        jwt,
        meetings,
        keys,
        queues,
        agents,
    })
}

fn queues(fields: &mut Fields<'_>, max_requirements: usize) -> Vec<QueueSettings> {
    let mut ids = BTreeSet::new();
    fields.list("queue", |item| {
        item.table(|fields| {
            let queue = read_queue(fields, None, max_requirements)?;
            if !ids.insert(queue.id.clone()) {
                fields.fault("id", "is taken by another queue");
            }
            Some(queue)
        })
        .flatten()
    })
}

fn agents(fields: &mut Fields<'_>, known: &BTreeSet<QueueId>) -> Vec<AgentSettings> {
    let mut ids = BTreeSet::new();
    fields.list("agent", |item| {
        item.table(|fields| {
            let agent = read_agent(fields, None, &|queue| known.contains(queue))?;
            if !ids.insert(agent.id.clone()) {
                fields.fault("id", "is taken by another agent");
            }
            Some(agent)
        })
        .flatten()
    })
}

fn site(text: &str) -> Result<String, &'static str> {
    web_address(text, false)
}

fn public_site(text: &str) -> Result<String, &'static str> {
    if text == OWN_SITE { Ok(text.to_owned()) } else { site(text) }
}

fn secret(text: &str) -> Result<SecretString, String> {
    if text.len() < SECRET_MIN {
        return Err(format!("must have at least {SECRET_MIN} bytes"));
    }
    Ok(text.into())
}

/// Templates of links; a page puts them into `href`, so only schemes that run nothing are taken.
fn links(item: Item<'_>) -> Option<BTreeMap<String, String>> {
    const SCHEMES: [&str; 7] =
        ["https://", "http://", "tel:", "sip:", "sips:", "callto:", "mailto:"];
    let link = |text: &str| {
        let scheme = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        let plain = text.len() <= 2_000 && !text.contains(|c: char| c.is_control() || c == ' ');
        let text = text.to_owned();
        if scheme && plain { Ok(text) } else { Err(SCHEMES.join(", ")) }
    };
    let entries = item.entries(|name, item| {
        let link =
            item.parsed(|text| link(text).map_err(|all| format!("must begin with one of {all}")))?;
        Some((name.to_owned(), link))
    });
    entries.map(|entries| entries.into_iter().collect())
}

fn jwt(fields: &mut Fields<'_>) -> Option<Jwt> {
    let hs256 = fields.parsed("hs256_secret", secret).map(JwtVerifier::Hs256);
    let jwks = fields.parsed("jwks_file", jwks_file).map(JwtVerifier::JwksFile);
    let issuer = fields.text("issuer");
    let audience = fields.text("audience").unwrap_or_else(|| "ringback".to_owned());
    if fields.count_of(&["hs256_secret", "jwks_file"]) != 1 {
        fields.fault("", "needs either hs256_secret or jwks_file");
    }
    Some(Jwt { verifier: hs256.or(jwks)?, issuer, audience })
}

fn jwks_file(text: &str) -> Result<PathBuf, &'static str> {
    if Path::new(text).is_file() { Ok(PathBuf::from(text)) } else { Err("is not a file") }
}

#[derive(Clone, Copy)]
enum Role {
    Channel,
    Agent,
    Supervisor,
    Admin,
}

/// A key; what doesn't belong to its role is refused as unknown.
fn key(fields: &mut Fields<'_>, warnings: &mut Warnings) -> Option<Key> {
    const ROLES: [(&str, Role); 4] = [
        ("channel", Role::Channel),
        ("agent", Role::Agent),
        ("supervisor", Role::Supervisor),
        ("admin", Role::Admin),
    ];
    let role = fields.required("role").and_then(|item| item.word(&ROLES));
    let grant = match role {
        Some(Role::Channel) => channel_grant(fields),
        Some(Role::Agent) => {
            let agent = fields.required("agent").and_then(|item| item.parsed(AgentId::parse));
            agent.map(Grant::Agent)
        }
        Some(Role::Supervisor) => Some(Grant::Supervisor(fields.parsed("agent", AgentId::parse))),
        Some(Role::Admin) => Some(Grant::Admin(fields.parsed("agent", AgentId::parse))),
        None => {
            // Without a role nobody can tell which of these belong here: one fault is enough.
            for key in ["channel", "agent", "public", "allowed_origins", "public_limits"] {
                fields.take(key);
            }
            None
        }
    };
    let (token_sha256, token) = token(fields, warnings)?;
    let public = matches!(grant, Some(Grant::Channel { public: Some(_), .. }));
    warnings.tokens_in_clear += usize::from(token.is_some() && !public);
    Some(Key { token_sha256, token, grant: grant? })
}

fn channel_grant(fields: &mut Fields<'_>) -> Option<Grant> {
    let name = |text: &str| {
        Channel::parse(text).ok_or_else(|| {
            let names: Vec<&str> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
            format!("must be one of: {}", names.join(", "))
        })
    };
    let channel = fields.required("channel").and_then(|item| item.parsed(name));
    let public = fields.flag("public", false).then(|| public_use(fields));
    Some(Grant::Channel { channel: channel?, public })
}

fn public_use(fields: &mut Fields<'_>) -> PublicUse {
    let mut requests_per_minute = 30;
    let mut callbacks_per_hour = 3;
    if let Some(item) = fields.take("public_limits") {
        item.table(|fields| {
            requests_per_minute = fields.number("requests_per_minute", 30, COUNTS);
            callbacks_per_hour = fields.number("callbacks_per_hour", 3, COUNTS);
        });
    }
    let listed = fields.required("allowed_origins");
    let allowed_origins =
        listed.and_then(|item| item.some(|item| item.parsed(public_site))).unwrap_or_default();
    PublicUse { allowed_origins, requests_per_minute, callbacks_per_hour }
}

/// The hash that shows a token, and the token where it is in the clear.
fn token(
    fields: &mut Fields<'_>,
    warnings: &mut Warnings,
) -> Option<([u8; 32], Option<SecretString>)> {
    let clear = fields.parsed("token", clear_token);
    let hash = fields.parsed("token_sha256", hex_hash);
    if fields.count_of(&["token", "token_sha256"]) != 1 {
        fields.fault("", "needs either token or token_sha256");
    }
    let named = if clear.is_some() { "token" } else { "token_sha256" };
    let hash = hash.or_else(|| clear.as_ref().map(|token| Sha256::digest(token).into()))?;
    if !warnings.tokens.insert(hash) {
        fields.fault(named, "is another key's too");
    }
    Some((hash, clear.map(SecretString::from)))
}

fn clear_token(text: &str) -> Result<String, &'static str> {
    let fits = (8..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("must be 8 to 200 ASCII characters, no blanks") }
}

fn hex_hash(text: &str) -> Result<[u8; 32], &'static str> {
    const ALLOWED: &str = "must be 64 hexadecimal digits: `printf %s TOKEN | sha256sum`";
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ALLOWED);
    }
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| ALLOWED)?;
    }
    Ok(hash)
}
