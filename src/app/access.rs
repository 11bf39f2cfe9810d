//! Who is let in, and what the HTTP server is built from.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::demo;
use super::workspaces::Started;
use crate::config::{self, JwtVerifier, Settings};
use crate::domain::ids::WorkspaceId;
use crate::domain::policy::Choice;
use crate::engine::handle::Handle;
use crate::engine::places::Places;
use crate::http::auth::{Credentials, Gate};
use crate::http::{
    BadKeys, Hooks, Http, HttpLimits, HttpState, PageSettings, Verifier, WorkspaceAccess,
};
use crate::notify::webhook::Sender;
use crate::wire::link::Links;
use crate::wire::problem::Problem;
use crate::wire::report::ReportLimits;
use crate::wire::role::Role;
use crate::ws::{self, Admitted, SocketLimits, SocketState};

/// Why credentials can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BadAccess {
    /// The file of public keys can't be read.
    #[error("workspace.jwt.jwks_file = {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no keys that can be used.
    #[error("workspace.jwt.jwks_file = {path}: {source}")]
    Keys {
        /// The file.
        path: String,
        /// What is wrong with them.
        source: BadKeys,
    },
}

/// What checks the tokens of each workspace, in the settings' order; none: no tokens are taken.
/// Read before a store is taken over from a server that runs.
pub(super) fn verifiers(settings: &Settings) -> Result<Vec<Option<Verifier>>, BadAccess> {
    settings.workspaces.iter().map(|one| one.jwt.as_ref().map(verifier).transpose()).collect()
}

/// What the HTTP server is built from.
pub(super) fn http_state(
    settings: &Settings,
    verifiers: Vec<Option<Verifier>>,
    started: &[Started],
    public_url: String,
    webhooks: Arc<Sender>,
) -> HttpState {
    let own_site = site(&public_url);
    let mut workspaces = Vec::new();
    for ((workspace, jwt), started) in settings.workspaces.iter().zip(verifiers).zip(started) {
        workspaces.push(WorkspaceAccess {
            credentials: Credentials {
                workspace: workspace.id.clone(),
                keys: started.handle.keys(),
                jwt,
                secret: *started.handle.secret(),
            },
            handle: started.handle.clone(),
            links: workspace.links.clone(),
            presence_reasons: workspace.presence_reasons.clone(),
            desk_origins: workspace.desk_origins.clone(),
            phone_requests_per_minute: workspace.phone_requests_per_minute,
        });
    }
    let limits = &settings.limits;
    HttpState {
        workspaces,
        limits: HttpLimits {
            body_bytes: limits.body_bytes,
            header: limits.header,
            body: limits.body,
            connections: limits.connections,
            wrong_credentials_per_minute: limits.wrong_credentials_per_minute,
            streams_per_credential: limits.streams_per_credential,
            max_requirements: limits.max_requirements,
            manage_read_days: limits.manage_read_days,
            reports: ReportLimits {
                max_days: limits.report_max_days,
                max_rows: limits.report_max_rows,
            },
        },
        public_url,
        own_site,
        metrics_open: settings.metrics_open,
        webhook_url: Arc::new(move |url: &str| {
            webhooks.check_url(url).map_err(|error| error.to_string())
        }),
        pages: pages(settings),
    }
}

/// What the pages are served with: one set for all workspaces, since whoever opens a page has not
/// said yet whose they are.
fn pages(settings: &Settings) -> PageSettings {
    let mut pages = PageSettings::default();
    for workspace in &settings.workspaces {
        pages.desk_origins.extend(workspace.desk_origins.iter().cloned());
        let clear = workspace.keys.iter().filter_map(|key| key.token.as_ref());
        let clear = clear.map(|token| (workspace.id.clone(), token.expose_secret().to_owned()));
        pages.clear_keys.extend(clear);
    }
    if settings.demo {
        pages.demo = settings.workspaces.first().map(demo::credentials);
    }
    pages
}

fn verifier(jwt: &config::Jwt) -> Result<Verifier, BadAccess> {
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

/// What is added to the HTTP server: the agents' socket, and each connection's bounds.
pub(super) fn hooks(settings: &Settings, http: &Http, started: &[Started]) -> Hooks {
    let limits = SocketLimits {
        buffer_bytes: settings.limits.socket_buffer_bytes,
        heartbeat: settings.limits.heartbeat,
        write: settings.limits.socket_write,
    };
    // Behind a proxy the server is asked for by another name than the one that browsers know.
    let own = settings.public_url.as_deref().map(site);
    let desks = settings.workspaces.iter().zip(started).map(|(workspace, started)| Desk {
        workspace: workspace.id.clone(),
        handle: started.handle.clone(),
        links: workspace.links.clone(),
        presence_reasons: workspace.presence_reasons.clone(),
        origins: workspace.desk_origins.iter().cloned().chain(own.clone()).collect(),
    });
    let gate = Arc::new(SocketGate { gate: http.gate(), desks: desks.collect() });
    let sessions = Places::new(settings.limits.sessions_per_agent);
    let state = SocketState { gate, limits, sessions, counts: http.sockets() };
    Hooks {
        mount: Some(Arc::new(move |config| ws::configure(config, state.clone()))),
        on_connect: Some(Arc::new(move |connection, _data| ws::on_connect(connection, &limits))),
    }
}

/// The site that an address belongs to, as browsers write it into `Origin`.
fn site(url: &str) -> String {
    let mut parts = url.splitn(4, '/');
    let (scheme, host) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("{scheme}//{host}")
}

/// What the socket needs of a workspace.
struct Desk {
    workspace: WorkspaceId,
    handle: Handle,
    links: Links,
    presence_reasons: Vec<Choice>,
    origins: Vec<String>,
}

/// The credentials of http, as the socket asks for them.
struct SocketGate {
    gate: Arc<Gate>,
    desks: Vec<Desk>,
}

impl ws::Gate for SocketGate {
    fn admit(&self, token: &str, address: Option<IpAddr>) -> Result<Admitted, Problem> {
        let Some(first) = self.desks.first() else { return Err(Problem::not_found()) };
        let now = first.handle.now();
        let caller = self.gate.check(token, now);
        let refuse = |error| self.gate.refuse(error, address, token.as_bytes(), now);
        let caller = caller.map_err(refuse)?;
        let agent = match caller.role {
            Role::Agent(agent) | Role::Supervisor(Some(agent)) | Role::Admin(Some(agent)) => agent,
            Role::Customer(_)
            | Role::Channel { .. }
            | Role::Supervisor(None)
            | Role::Admin(None) => {
                let detail = "The socket is for agents; use a credential that names one.";
                return Err(Problem::forbidden(detail));
            }
        };
        let desk = &self.desks[caller.workspace];
        if desk.handle.agent(&agent).is_none() {
            return Err(Problem::forbidden("There is no such agent in this workspace."));
        }
        Ok(Admitted {
            handle: desk.handle.clone(),
            workspace: desk.workspace.clone(),
            agent,
            expires_at: caller.expires_at,
            key: caller.key,
            links: desk.links.clone(),
            presence_reasons: desk.presence_reasons.clone(),
            desk_origins: desk.origins.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_scheme_host_and_port() {
        for (url, wanted) in [
            ("https://callbacks.example", "https://callbacks.example"),
            ("https://callbacks.example/desk/eu", "https://callbacks.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(site(url), wanted);
        }
    }
}
