//! What every request is answered from: the workspaces, and the bounds that hold for all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::auth::{Credentials, Gate};
use super::events::Streams;
use super::limit::{PhoneRequests, PublicUses};
use super::metrics::Metrics;
use super::pages::PageSettings;
use crate::domain::ids::{QueueId, WorkspaceId};
use crate::domain::policy::{AgentSettings, Choice};
use crate::domain::queue::Queue;
use crate::domain::time::Span;
use crate::engine::figures::SocketCounts;
use crate::engine::handle::Handle;
use crate::engine::places::Places;
use crate::wire::link::Links;
use crate::wire::manage::Signer;
use crate::wire::problem::Problem;
use crate::wire::report::ReportLimits;
use crate::wire::role::Role;
use crate::wire::webhook::UrlCheck;

/// A workspace, as requests reach it.
pub struct WorkspaceAccess {
    /// Whom it lets in.
    pub credentials: Credentials,
    /// Its engine.
    pub handle: Handle,
    /// Templates of links.
    pub links: Links,
    /// What an agent may say when they go away; empty: anything.
    pub presence_reasons: Vec<Choice>,
    /// Sites that may embed the agent's page and use the API.
    pub desk_origins: Vec<String>,
    /// Requests of customers that one phone number may make in a minute; 0 for no limit.
    pub phone_requests_per_minute: u32,
}

/// Bounds that hold for every request.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// How long a request's head may take.
    pub header: Duration,
    /// How long a body may take.
    pub body: Duration,
    /// Connections at once, over all workers.
    pub connections: usize,
    /// Different wrong credentials that an address may send in a minute.
    pub wrong_credentials_per_minute: u32,
    /// Streams of events that one credential may have open.
    pub streams_per_credential: usize,
    /// Requirements of one callback.
    pub max_requirements: usize,
    /// For how long after its end a customer may still read a callback.
    pub manage_read_days: u32,
    /// Of reports.
    pub reports: ReportLimits,
}

/// What the server is built from.
pub struct HttpState {
    /// All workspaces; ids differ.
    pub workspaces: Vec<WorkspaceAccess>,
    /// Bounds.
    pub limits: HttpLimits,
    /// The base of all links, without a slash at its end.
    pub public_url: String,
    /// The site of the server's own pages, as browsers name it.
    pub own_site: String,
    /// `/metrics` answers without a credential.
    pub metrics_open: bool,
    /// Where webhooks may go.
    pub webhook_url: Arc<UrlCheck>,
    /// What the pages are served with.
    pub pages: PageSettings,
}

/// The state as handlers see it.
pub(super) struct Shared {
    pub(super) gate: Arc<Gate>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) limits: HttpLimits,
    pub(super) public_url: String,
    pub(super) own_site: String,
    pub(super) metrics_open: bool,
    pub(super) webhook_url: Arc<UrlCheck>,
    pub(super) metrics: Metrics,
    pub(super) sockets: Arc<SocketCounts>,
    pub(super) public_uses: PublicUses,
    pub(super) phone_requests: Arc<PhoneRequests>,
    /// Streams of events, by whose they are.
    pub(super) streams_of: Arc<Places<[u8; 32]>>,
}

/// A workspace as handlers see it.
pub(super) struct Workspace {
    pub(super) id: WorkspaceId,
    pub(super) handle: Handle,
    pub(super) links: Links,
    pub(super) presence_reasons: Vec<Choice>,
    pub(super) phone_requests_per_minute: u32,
    pub(super) signer: Signer,
    pub(super) desk_origins: BTreeSet<String>,
    pub(super) streams: Streams,
}

impl Shared {
    pub(super) fn new(state: HttpState) -> Self {
        let mut workspaces = Vec::new();
        let mut credentials = Vec::new();
        for access in state.workspaces {
            workspaces.push(Workspace {
                id: access.credentials.workspace.clone(),
                handle: access.handle,
                links: access.links,
                presence_reasons: access.presence_reasons,
                phone_requests_per_minute: access.phone_requests_per_minute,
                signer: Signer::new(&access.credentials.secret),
                desk_origins: access.desk_origins.into_iter().collect(),
                streams: Streams::new(),
            });
            credentials.push(access.credentials);
        }
        Self {
            gate: Arc::new(Gate::new(
                credentials,
                state.own_site.clone(),
                state.limits.wrong_credentials_per_minute,
            )),
            workspaces,
            streams_of: Places::new(state.limits.streams_per_credential),
            limits: state.limits,
            public_url: state.public_url,
            own_site: state.own_site,
            metrics_open: state.metrics_open,
            webhook_url: state.webhook_url,
            metrics: Metrics::new(),
            sockets: Arc::default(),
            public_uses: PublicUses::default(),
            phone_requests: Arc::default(),
        }
    }
}

impl Workspace {
    /// The settings of the agent that the role is, if it is one's.
    pub(super) fn agent_of(&self, role: &Role) -> Option<Arc<AgentSettings>> {
        let Role::Agent(id) = role else { return None };
        self.handle.agent(id).map(|view| Arc::clone(&view.agent.settings))
    }

    /// A queue that must be there: one that a live callback waits in.
    pub(super) fn queue(&self, id: &QueueId) -> Result<Arc<Queue>, Problem> {
        self.handle.queue(id).ok_or_else(Problem::not_found)
    }
}

impl HttpLimits {
    /// For how long after its end a customer may still read a callback.
    pub(super) const fn manage_read(&self) -> Span {
        Span::days(self.manage_read_days)
    }
}
