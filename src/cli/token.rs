//! `ringback token`: signs a JSON Web Token as the workspace's own issuer would.
//!
//! It needs no server: whoever has the configuration has the secret.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{BAD_INPUT, Sources, complain, say, settings};
use crate::config::{Jwt, JwtVerifier, Workspace};
use crate::domain::callback::Channel;
use crate::domain::ids::AgentId;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the bearer may do
    #[arg(long)]
    role: Role,
    /// Who the bearer is; for role agent the agent's id
    #[arg(long)]
    subject: String,
    /// The channel, for role channel
    #[arg(long)]
    channel: Option<String>,
    /// The agent that a supervisor or admin also acts as
    #[arg(long)]
    agent: Option<String>,
    /// How long it is good for
    #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(1..))]
    ttl_seconds: u32,
    /// The workspace; may be left out where there is only one
    #[arg(long)]
    workspace: Option<String>,
    /// Taken as by `apply`, and not asked: signing needs no server
    #[arg(long, hide = true)]
    server: Option<String>,
    /// Taken as by `apply`, and not used: the configuration's secret signs
    #[arg(long, hide = true)]
    token: Option<String>,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Channel,
    Agent,
    Supervisor,
    Admin,
}

/// What a token says.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    role: Role,
    workspace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    iat: u64,
    exp: u64,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Ok(loaded) = settings::load(&arguments.sources) else { return ExitCode::from(BAD_INPUT) };
    let token = find(&loaded.settings.workspaces, arguments.workspace.as_deref())
        .and_then(|workspace| sign(arguments, workspace, get_current_timestamp()));
    match token {
        Ok(token) => {
            say(&token);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            complain(&fault);
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// The workspace of that id, or the only one.
pub(super) fn find<'a>(
    workspaces: &'a [Workspace],
    id: Option<&str>,
) -> Result<&'a Workspace, String> {
    let ids = || {
        let ids: Vec<&str> = workspaces.iter().map(|workspace| workspace.id.as_str()).collect();
        ids.join(", ")
    };
    match (id, workspaces) {
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("--workspace must say which: {}", ids())),
        (Some(id), _) => workspaces
            .iter()
            .find(|workspace| workspace.id.as_str() == id)
            .ok_or_else(|| format!("--workspace {id}: there are: {}", ids())),
    }
}

fn sign(arguments: &Arguments, workspace: &Workspace, now: u64) -> Result<String, String> {
    let Some(Jwt { verifier: JwtVerifier::Hs256(secret), issuer, audience }) = &workspace.jwt
    else {
        return Err(format!(
            "workspace {} has no jwt.hs256_secret to sign with; set it, or use an API key",
            workspace.id
        ));
    };
    check(arguments)?;
    let claims = Claims {
        sub: &arguments.subject,
        role: arguments.role,
        workspace: workspace.id.as_str(),
        channel: arguments.channel.as_deref(),
        agent: arguments.agent.as_deref(),
        aud: audience,
        iss: issuer.as_deref(),
        iat: now,
        exp: now + u64::from(arguments.ttl_seconds),
    };
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|error| error.to_string())
}

/// What must fit the role.
fn check(arguments: &Arguments) -> Result<(), String> {
    let channel = arguments.channel.as_deref();
    match (arguments.role, channel) {
        (Role::Channel, None) => return Err("--channel must name the channel".to_owned()),
        (Role::Channel, Some(name)) if Channel::parse(name).is_none() => {
            let names: Vec<&str> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
            return Err(format!("--channel {name}: must be one of: {}", names.join(", ")));
        }
        (Role::Agent | Role::Supervisor | Role::Admin, Some(_)) => {
            return Err("--channel is for role channel".to_owned());
        }
        _ => {}
    }
    if arguments.agent.is_some() && matches!(arguments.role, Role::Channel | Role::Agent) {
        return Err("--agent is for roles supervisor and admin".to_owned());
    }
    let agent = arguments.agent.as_deref();
    let agent = agent.or((arguments.role == Role::Agent).then_some(arguments.subject.as_str()));
    agent.map_or(Ok(()), |id| AgentId::parse(id).map(drop).map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::Value;

    use super::*;
    use crate::config::{Input, Loaded, load};

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn loaded(jwt: &str) -> Loaded {
        let text = format!("[[workspace]]\nid = \"main\"\n{jwt}[[workspace]]\nid = \"other\"\n");
        let file = Some(("a.toml".to_owned(), text));
        load(&Input { file, ..Input::default() }).expect("a good file")
    }

    fn arguments(role: Role, channel: Option<&str>, agent: Option<&str>) -> Arguments {
        Arguments {
            role,
            subject: "mara".to_owned(),
            channel: channel.map(ToOwned::to_owned),
            agent: agent.map(ToOwned::to_owned),
            ttl_seconds: 60,
            workspace: None,
            server: None,
            token: None,
            sources: Sources { config: None, listen: None, store: None, demo: false },
        }
    }

    #[test]
    fn a_token_says_what_it_was_asked_to_say() {
        let jwt = format!("jwt = {{ hs256_secret = \"{SECRET}\", issuer = \"desk\" }}\n");
        let loaded = loaded(&jwt);
        let workspace = find(&loaded.settings.workspaces, Some("main")).expect("it is there");
        let now = get_current_timestamp();
        let arguments = arguments(Role::Supervisor, None, Some("tom"));
        let token = sign(&arguments, workspace, now).expect("a token");

        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&["ringback"]);
        validation.set_issuer(&["desk"]);
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        let claims = decode::<Value>(&token, &key, &validation).expect("a good token").claims;
        let expected = serde_json::json!({
            "sub": "mara", "role": "supervisor", "workspace": "main", "agent": "tom",
            "aud": "ringback", "iss": "desk", "iat": now, "exp": now + 60,
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn what_does_not_fit_the_role_is_refused() {
        for (role, channel, agent, good) in [
            (Role::Channel, Some("portal"), None, true),
            (Role::Channel, None, None, false),
            (Role::Channel, Some("fax"), None, false),
            (Role::Channel, Some("portal"), Some("tom"), false),
            (Role::Agent, None, None, true),
            (Role::Agent, Some("portal"), None, false),
            (Role::Agent, None, Some("tom"), false),
            (Role::Admin, None, Some("tom"), true),
            (Role::Admin, None, Some("Tom"), false),
        ] {
            let arguments = arguments(role, channel, agent);
            assert_eq!(check(&arguments).is_ok(), good, "{arguments:?}");
        }
    }

    #[test]
    fn a_workspace_is_named_where_there_are_several_and_must_have_a_secret() {
        let loaded = loaded("");
        let workspaces = &loaded.settings.workspaces;
        assert!(find(workspaces, None).is_err_and(|fault| fault.contains("main, other")));
        assert!(find(workspaces, Some("third")).is_err());
        let other = find(workspaces, Some("other")).expect("it is there");
        let arguments = arguments(Role::Agent, None, None);
        assert!(sign(&arguments, other, 0).is_err_and(|fault| fault.contains("hs256_secret")));
    }
}
