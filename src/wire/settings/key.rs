//! What a key allows, as the administrator writes it: the same in configuration files and API.

use serde_json::{Map, Value, json};

use super::fields::{Fault, Fields, name_of};
use super::{COUNTS, web_address, whole};
use crate::domain::callback::Channel;
use crate::domain::ids::AgentId;
use crate::domain::key::{ApiKey, Grant, OWN_SITE, PublicUse, TokenHash};
use crate::wire::json::Json;

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Channel,
    Agent,
    Supervisor,
    Admin,
}

const ROLES: [(&str, Role); 4] = [
    ("channel", Role::Channel),
    ("agent", Role::Agent),
    ("supervisor", Role::Supervisor),
    ("admin", Role::Admin),
];

/// What belongs to a key besides its role and its token.
const OF_A_ROLE: [&str; 5] = ["channel", "agent", "public", "allowed_origins", "public_limits"];

/// Requests per minute and callbacks per hour of a public key, unless said.
const PUBLIC: (u32, u32) = (30, 3);

/// What a request body has of the key that the path names; the body may name it too.
pub fn key(body: &Json<'_>, path: TokenHash) -> Result<Grant, Vec<Fault>> {
    whole(body, |fields| {
        let named = fields.parsed("token_sha256", TokenHash::parse);
        if named.is_some_and(|named| named != path) {
            fields.fault("token_sha256", "must be the one in the path");
        }
        read_grant(fields)
    })
}

/// What a key allows; what doesn't belong to its role is refused as unknown.
pub fn read_grant(fields: &mut Fields<'_>) -> Option<Grant> {
    match fields.required("role").and_then(|item| item.word(&ROLES)) {
        Some(Role::Channel) => channel(fields),
        Some(Role::Agent) => {
            let agent = fields.required("agent").and_then(|item| item.parsed(AgentId::parse));
            agent.map(Grant::Agent)
        }
        Some(Role::Supervisor) => Some(Grant::Supervisor(fields.parsed("agent", AgentId::parse))),
        Some(Role::Admin) => Some(Grant::Admin(fields.parsed("agent", AgentId::parse))),
        None => {
            // Without a role nobody can tell which of these belong here: one fault is enough.
            for key in OF_A_ROLE {
                fields.take(key);
            }
            None
        }
    }
}

fn channel(fields: &mut Fields<'_>) -> Option<Grant> {
    let channels = Channel::ALL.map(|channel| (channel.as_str(), channel));
    let channel = fields.required("channel").and_then(|item| item.word(&channels));
    let public = fields.flag("public", false).then(|| public_use(fields));
    Some(Grant::Channel { channel: channel?, public })
}

fn public_use(fields: &mut Fields<'_>) -> PublicUse {
    let (mut requests_per_minute, mut callbacks_per_hour) = PUBLIC;
    if let Some(item) = fields.take("public_limits") {
        item.table(|fields| {
            requests_per_minute = fields.number("requests_per_minute", PUBLIC.0, COUNTS);
            callbacks_per_hour = fields.number("callbacks_per_hour", PUBLIC.1, COUNTS);
        });
    }
    let listed = fields.required("allowed_origins");
    let site = |text: &str| match text {
        OWN_SITE => Ok(text.to_owned()),
        site => web_address(site, false),
    };
    let sites = listed.and_then(|item| item.some(|item| item.parsed(site)));
    let allowed_origins = sites.unwrap_or_default();
    PublicUse { allowed_origins, requests_per_minute, callbacks_per_hour }
}

/// A key with all that belongs to its role: what a PUT takes again.
pub fn print_key(key: &ApiKey) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("token_sha256".to_owned(), key.token.to_string().into());
    let Some(grant) = &key.grant else { return map };
    let role = match grant {
        Grant::Channel { channel, public } => {
            map.insert("channel".to_owned(), channel.as_str().into());
            map.insert("public".to_owned(), public.is_some().into());
            map.extend(public.iter().flat_map(print_public));
            Role::Channel
        }
        Grant::Agent(agent) => {
            map.insert("agent".to_owned(), agent.as_str().into());
            Role::Agent
        }
        Grant::Supervisor(agent) => {
            map.insert("agent".to_owned(), agent.as_ref().map(AgentId::as_str).into());
            Role::Supervisor
        }
        Grant::Admin(agent) => {
            map.insert("agent".to_owned(), agent.as_ref().map(AgentId::as_str).into());
            Role::Admin
        }
    };
    map.insert("role".to_owned(), name_of(&ROLES, role).into());
    map
}

fn print_public(public: &PublicUse) -> [(String, Value); 2] {
    let limits = json!({
        "requests_per_minute": public.requests_per_minute,
        "callbacks_per_hour": public.callbacks_per_hour,
    });
    [
        ("allowed_origins".to_owned(), public.allowed_origins.clone().into()),
        ("public_limits".to_owned(), limits),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: TokenHash = TokenHash([0xab; 32]);

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        let mara = AgentId::parse("mara").expect("an id");
        let public = PublicUse {
            allowed_origins: vec!["https://www.example".to_owned(), OWN_SITE.to_owned()],
            requests_per_minute: 7,
            callbacks_per_hour: 0,
        };
        for grant in [
            Grant::Channel { channel: Channel::Portal, public: Some(public) },
            Grant::Channel { channel: Channel::Case, public: None },
            Grant::Agent(mara.clone()),
            Grant::Supervisor(None),
            Grant::Supervisor(Some(mara.clone())),
            Grant::Admin(Some(mara)),
        ] {
            let printed = print_key(&ApiKey::configured(HASH, Some(grant.clone())));
            assert_eq!(
                key(&Json::from(&Value::Object(printed.clone())), HASH),
                Ok(grant),
                "{printed:?}"
            );
        }
    }

    #[test]
    fn what_belongs_to_another_role_or_key_is_refused() {
        let pointers = |body: Value| -> Vec<String> {
            let faults = key(&Json::from(&body), HASH).expect_err("it is refused");
            faults.into_iter().map(|fault| fault.pointer).collect()
        };
        for (body, places) in [
            (json!({}), vec!["/role"]),
            (json!({"role": "boss", "agent": "mara"}), vec!["/role"]),
            (json!({"role": "agent"}), vec!["/agent"]),
            (json!({"role": "agent", "agent": "mara", "channel": "chat"}), vec!["/channel"]),
            (json!({"role": "channel", "channel": "fax"}), vec!["/channel"]),
            (
                json!({"role": "channel", "channel": "chat", "allowed_origins": ["https://a"]}),
                vec!["/allowed_origins"],
            ),
            (
                json!({"role": "channel", "channel": "chat", "public": true}),
                vec!["/allowed_origins"],
            ),
            (
                json!({
                    "role": "channel", "channel": "chat", "public": true,
                    "allowed_origins": ["https://a/b"],
                    "public_limits": {"callbacks_per_hour": -1},
                }),
                vec!["/public_limits/callbacks_per_hour", "/allowed_origins/0"],
            ),
            (json!({"role": "admin", "token": "12345678"}), vec!["/token"]),
            (json!({"role": "admin", "token_sha256": "00"}), vec!["/token_sha256"]),
            (json!({"role": "admin", "token_sha256": "00".repeat(32)}), vec!["/token_sha256"]),
        ] {
            assert_eq!(pointers(body.clone()), places, "{body}");
        }
    }
}
