//! Who is let in, and what the HTTP server is built from.

use std::io;
use std::net::SocketAddr;

use super::workspaces::Started;
use crate::config::{self, JwtVerifier, Settings};
use crate::http::auth::Credentials;
use crate::http::{BadKeys, Hooks, Http, HttpLimits, HttpState, Verifier, WorkspaceAccess};

/// Why credentials can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BadAccess {
    /// The file of public keys can't be read.
    #[error("workspace.jwt.jwks_file = {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It holds no keys that can be used.
    #[error("workspace.jwt.jwks_file = {path}: {source}")]
    Keys {
        /// The file.
        path: String,
        /// Why.
        source: BadKeys,
    },
}

/// What the HTTP server is built from.
pub(super) fn http_state(
    settings: &Settings,
    started: &[Started],
    address: SocketAddr,
) -> Result<HttpState, BadAccess> {
    let mut workspaces = Vec::new();
    for (workspace, started) in settings.workspaces.iter().zip(started) {
        let jwt = workspace.jwt.as_ref().map(verifier).transpose()?;
        workspaces.push(WorkspaceAccess {
            credentials: Credentials {
                workspace: workspace.id.clone(),
                keys: workspace.keys.clone(),
                jwt,
                secret: *started.handle.secret(),
            },
            handle: started.handle.clone(),
            links: workspace.links.clone(),
            presence_reasons: workspace.presence_reasons.clone(),
            phone_requests_per_minute: workspace.phone_requests_per_minute,
        });
    }
    let limits = &settings.limits;
    let public_url = settings.public_url.clone();
    Ok(HttpState {
        workspaces,
        limits: HttpLimits {
            body_bytes: limits.body_bytes,
            header: limits.header,
            body: limits.body,
            connections: limits.connections,
            max_requirements: limits.max_requirements,
            manage_read_days: limits.manage_read_days,
        },
        public_url: public_url.unwrap_or_else(|| format!("http://{address}")),
        metrics_open: settings.metrics_open,
    })
}

fn verifier(jwt: &config::Jwt) -> Result<Verifier, BadAccess> {
    use secrecy::ExposeSecret;
    let (issuer, audience) = (jwt.issuer.clone(), jwt.audience.clone());
    match &jwt.verifier {
        JwtVerifier::Hs256(secret) => {
            Ok(Verifier::hs256(secret.expose_secret().as_bytes(), issuer, audience))
        }
        JwtVerifier::JwksFile(path) => {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|source| BadAccess::File { path: shown.clone(), source })?;
            Verifier::jwks(&text, issuer, audience)
                .map_err(|source| BadAccess::Keys { path: shown, source })
        }
    }
}

/// What is added to the HTTP server.
pub(super) fn hooks(_settings: &Settings, _http: &Http) -> Hooks {
    Hooks::default()
}
