//! Credentials that the driver makes or reads: JWTs for simulated agents.
//!
//! Separate because two commands need it. It never writes a token anywhere but into a request.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use crate::clock;

/// How long past the run a minted token is still good, so that a late start doesn't end a session.
const SPARE_SECONDS: u64 = 3_600;

/// How agents' tokens are signed: as the server's `[workspace.jwt]` says.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Signing {
    /// The workspace's `jwt.hs256_secret`; each agent's token is made from it
    #[arg(long)]
    pub(crate) jwt_secret: Option<String>,
    /// The audience that the workspace's tokens carry
    #[arg(long, default_value = "ringback")]
    pub(crate) jwt_audience: String,
    /// The issuer that the workspace's tokens carry; none unless given
    #[arg(long)]
    pub(crate) jwt_issuer: Option<String>,
    /// The workspace that the tokens are for
    #[arg(long, default_value = "main")]
    pub(crate) workspace: String,
}

/// One agent and the credential it connects with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentToken {
    pub(crate) agent_id: String,
    pub(crate) token: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    role: &'a str,
    workspace: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    exp: u64,
}

impl Signing {
    /// Signs a token for an agent, good for `seconds` and an hour more.
    pub(crate) fn mint(&self, agent_id: &str, seconds: u64) -> Result<AgentToken> {
        let Some(secret) = &self.jwt_secret else {
            bail!("--jwt-secret is needed to make agents' tokens");
        };
        let now = u64::try_from(clock::utc().timestamp()).context("the clock is before 1970")?;
        let claims = Claims {
            sub: agent_id,
            role: "agent",
            workspace: &self.workspace,
            aud: &self.jwt_audience,
            iss: self.jwt_issuer.as_deref(),
            exp: now + seconds + SPARE_SECONDS,
        };
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .context("signing an agent's token")?;
        Ok(AgentToken { agent_id: agent_id.to_owned(), token })
    }
}

/// Reads a file of `{"agent_id", "token"}` lines.
pub(crate) fn read(path: &Path) -> Result<Vec<AgentToken>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}, line {}", path.display(), index + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::Value;

    use super::*;

    fn signing(secret: Option<&str>) -> Signing {
        Signing {
            jwt_secret: secret.map(str::to_owned),
            jwt_audience: "ringback".to_owned(),
            jwt_issuer: None,
            workspace: "main".to_owned(),
        }
    }

    #[test]
    fn a_minted_token_verifies_with_the_secret_and_names_the_agent() {
        let minted = signing(Some("sesame")).mint("demo-7", 60).unwrap();
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&["ringback"]);
        let read = |secret: &[u8]| {
            decode::<Value>(&minted.token, &DecodingKey::from_secret(secret), &rules)
        };
        let claims = read(b"sesame").unwrap().claims;
        assert_eq!(claims["sub"], "demo-7");
        assert_eq!(claims["role"], "agent");
        assert_eq!(claims["workspace"], "main");
        assert!(read(b"open").is_err());
    }

    #[test]
    fn without_a_secret_the_error_names_the_flag() {
        let error = signing(None).mint("demo-7", 60).unwrap_err().to_string();
        assert!(error.contains("--jwt-secret"), "{error}");
    }

    #[test]
    fn a_bad_line_of_the_token_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.jsonl");
        fs::write(&path, "{\"agent_id\":\"a\",\"token\":\"t\"}\n\n{\"agent_id\":\"b\"}\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
        fs::write(&path, "{\"agent_id\":\"a\",\"token\":\"t\"}\n").unwrap();
        assert_eq!(read(&path).unwrap()[0].agent_id, "a");
    }
}
