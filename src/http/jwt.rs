//! Signed tokens (RFC 7519): which are believed, and what they say.
//!
//! The algorithm is decided by the key and never by the token: a token that names another one, or
//! none, is refused before its signature is looked at. Time comes in as an argument.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::auth::AuthError;
use crate::domain::callback::Channel;
use crate::domain::ids::AgentId;
use crate::domain::time::Timestamp;
use crate::wire::role::Role;

/// Keys whose signatures are believed, and what their tokens must say.
pub struct Verifier {
    keys: Vec<Key>,
    issuer: Option<String>,
    audience: String,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// Why a set of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// Not a set of keys.
    #[error("not a JSON Web Key Set: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A key that isn't one.
    #[error("key {kid:?} can't be used: {source}")]
    Key {
        /// Its `kid`.
        kid: Option<String>,
        /// What is wrong with it.
        source: jsonwebtoken::errors::Error,
    },
    /// Nothing to believe.
    #[error("no key in it signs with RS, PS, ES or EdDSA")]
    Empty,
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    role: String,
    workspace: String,
    channel: Option<String>,
    agent: Option<String>,
    exp: f64,
    nbf: Option<f64>,
}

/// What a token grants, once its signature is believed.
#[derive(Debug, PartialEq)]
pub struct Grant {
    /// Whom it names.
    pub subject: String,
    /// What it allows.
    pub role: Role,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Verifier {
    /// Believes what is signed with a shared secret.
    pub fn hs256(secret: &[u8], issuer: Option<String>, audience: String) -> Self {
        let key = DecodingKey::from_secret(secret);
        let key = Key { id: None, algorithms: vec![Algorithm::HS256], decoding: key };
        Self { keys: vec![key], issuer, audience }
    }

    /// Believes what is signed with one of the issuer's public keys; those for other uses are
    /// passed over, and so are shared secrets, which don't belong into such a file.
    pub fn jwks(text: &str, issuer: Option<String>, audience: String) -> Result<Self, BadKeys> {
        let set: JwkSet = serde_json::from_str(text)?;
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let algorithms = algorithms(jwk);
            if algorithms.is_empty() {
                continue;
            }
            let id = jwk.common.key_id.clone();
            let key = DecodingKey::from_jwk(jwk)
                .map_err(|source| BadKeys::Key { kid: id.clone(), source })?;
            keys.push(Key { id, algorithms, decoding: key });
        }
        if keys.is_empty() { Err(BadKeys::Empty) } else { Ok(Self { keys, issuer, audience }) }
    }

    /// Believes a token of `workspace`, or says why not.
    pub fn verify(&self, token: &str, workspace: &str, now: Timestamp) -> Result<Grant, AuthError> {
        let header = decode_header(token).map_err(|_| AuthError::Bad)?;
        // Extensions that must be understood (RFC 7515, 4.1.11): we understand none.
        if header.crit.is_some() {
            return Err(AuthError::Bad);
        }
        let key = self.key(header.kid.as_deref(), header.alg).ok_or(AuthError::Bad)?;
        let mut validation = Validation::new(header.alg);
        validation.algorithms.clone_from(&key.algorithms);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.set_required_spec_claims(&["exp", "aud", "sub", "iss"]);
        }
        // Held against our own clock below, without the minute of grace that is usual there.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &key.decoding, &validation);
        let claims = claims.map_err(|_| AuthError::Bad)?.claims;
        if claims.workspace != workspace || claims.sub.is_empty() {
            return Err(AuthError::Bad);
        }
        let expires_at = instant(claims.exp).ok_or(AuthError::Bad)?;
        if expires_at <= now {
            return Err(AuthError::Expired);
        }
        let begins_at = claims.nbf.map(|at| instant(at).ok_or(AuthError::Bad)).transpose()?;
        if begins_at.is_some_and(|at| at > now) {
            return Err(AuthError::Bad);
        }
        let role = role(&claims).ok_or(AuthError::Bad)?;
        Ok(Grant { subject: claims.sub, role, expires_at })
    }

    fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        match id {
            // A shared secret has no name of its own, whatever the token calls it.
            Some(id) => fitting.find(|key| key.id.as_deref().is_none_or(|own| own == id)),
            None => fitting.next(),
        }
    }
}

/// The workspace that a token says it is for. Nothing is believed yet: it only says which keys to
/// hold it against.
pub(super) fn claimed_workspace(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        workspace: String,
    }
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claimed>(token).ok()?;
    Some(claims.workspace)
}

fn role(claims: &Claims) -> Option<Role> {
    let agent = |text: &String| AgentId::parse(text).ok();
    let named = match &claims.agent {
        Some(text) => Some(agent(text)?),
        None => None,
    };
    match claims.role.as_str() {
        "channel" => {
            let channel = Channel::parse(claims.channel.as_deref()?)?;
            Some(Role::Channel { channel, public: false })
        }
        "agent" => agent(&claims.sub).map(Role::Agent),
        "supervisor" => Some(Role::Supervisor(named)),
        "admin" => Some(Role::Admin(named)),
        _ => None,
    }
}

/// Seconds since 1970, which may have a fraction (RFC 7519, 2).
fn instant(seconds: f64) -> Option<Timestamp> {
    const LATEST: f64 = 253_402_300_799.0;
    let fits = (0.0..=LATEST).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    fits.then_some(Timestamp((seconds * 1_000.0) as i64))
}

/// The algorithms that a public key may sign with: the one that it names, else those of its kind.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    let of_kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            vec![Algorithm::ES256]
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
            vec![Algorithm::ES384]
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        _ => Vec::new(),
    };
    let Some(named) = jwk.common.key_algorithm else { return of_kind };
    of_kind.into_iter().filter(|algorithm| key_algorithm(*algorithm) == Some(named)).collect()
}

const fn key_algorithm(algorithm: Algorithm) -> Option<KeyAlgorithm> {
    Some(match algorithm {
        Algorithm::RS256 => KeyAlgorithm::RS256,
        Algorithm::RS384 => KeyAlgorithm::RS384,
        Algorithm::RS512 => KeyAlgorithm::RS512,
        Algorithm::PS256 => KeyAlgorithm::PS256,
        Algorithm::PS384 => KeyAlgorithm::PS384,
        Algorithm::PS512 => KeyAlgorithm::PS512,
        Algorithm::ES256 => KeyAlgorithm::ES256,
        Algorithm::ES384 => KeyAlgorithm::ES384,
        Algorithm::EdDSA => KeyAlgorithm::EdDSA,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
