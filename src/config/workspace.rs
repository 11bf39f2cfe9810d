//! Reads workspaces: their keys and tokens, and the queues and agents that they start with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::outward::meetings;
use super::{Jwt, JwtVerifier, Key, Workspace};
use crate::domain::ids::{QueueId, WorkspaceId};
use crate::domain::key::{Grant, TokenHash};
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::wire::settings::fields::{Fields, Item};
use crate::wire::settings::{COUNTS, read_agent, read_choice, read_grant, read_queue, web_address};

/// The fewest bytes of a secret that signs: as many as its hash has.
const SECRET_MIN: usize = 32;

/// What is gathered over all workspaces: what works but shouldn't go into production.
#[derive(Default)]
pub(super) struct Warnings {
    /// How many keys' tokens stand in the clear that don't stand in pages too.
    tokens_in_clear: usize,
    /// Hashes of all tokens, so that none is given twice.
    tokens: BTreeSet<TokenHash>,
    /// Workspaces that nobody gets into by the configuration.
    closed: Vec<WorkspaceId>,
}

impl Warnings {
    /// The warnings, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let count = self.tokens_in_clear;
        let clear = (count > 0).then(|| {
            format!("{count} key(s) have a `token` in the clear; for production use `token_sha256`")
        });
        let closed = self.closed.iter().map(|id| {
            format!(
                "workspace {id} has no key and no JWT: nobody gets in but with keys that its store \
                 has; add a [[workspace.key]] with role = \"admin\""
            )
        });
        clear.into_iter().chain(closed).collect()
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
    let id = id?;
    if keys.is_empty() && jwt.is_none() {
        warnings.closed.push(id.clone());
    }
    Some(Workspace {
        id,
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

/// A key; what doesn't belong to its role is refused as unknown.
fn key(fields: &mut Fields<'_>, warnings: &mut Warnings) -> Option<Key> {
    let grant = read_grant(fields);
    let revoked = fields.flag("revoked", false);
    let (token_sha256, token) = token(fields, warnings)?;
    let public = matches!(grant, Some(Grant::Channel { public: Some(_), .. }));
    warnings.tokens_in_clear += usize::from(token.is_some() && !public);
    Some(Key { token_sha256, token, grant: grant?, revoked })
}

/// The hash that shows a token, and the token where it is in the clear.
fn token(
    fields: &mut Fields<'_>,
    warnings: &mut Warnings,
) -> Option<(TokenHash, Option<SecretString>)> {
    let clear = fields.parsed("token", clear_token);
    let hash = fields.parsed("token_sha256", TokenHash::parse);
    if fields.count_of(&["token", "token_sha256"]) != 1 {
        fields.fault("", "needs either token or token_sha256");
    }
    let named = if clear.is_some() { "token" } else { "token_sha256" };
    let hash =
        hash.or_else(|| clear.as_ref().map(|token| TokenHash(Sha256::digest(token).into())))?;
    if !warnings.tokens.insert(hash) {
        fields.fault(named, "is another key's too");
    }
    Some((hash, clear.map(SecretString::from)))
}

fn clear_token(text: &str) -> Result<String, &'static str> {
    let fits = (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("must be 1 to 200 ASCII characters, no blanks") }
}
