//! The composition root: builds from settings, binds, runs, drains.
//!
//! The only place that knows all layers. Decides nothing about callbacks.

use std::io::{self, Write};

use actix_web::{App, HttpResponse, HttpServer, web};

use crate::config::Settings;

/// Why the server ended when it shouldn't have.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Serving failed.
    #[error("serving failed: {0}")]
    Serve(#[source] io::Error),
}

impl RunError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Listen { .. } | Self::Serve(_) => 1,
        }
    }
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let server = HttpServer::new(|| {
        App::new().route("/healthz", web::get().to(|| async { HttpResponse::Ok().finish() }))
    });
    let server = server
        .client_request_timeout(settings.limits.header)
        .max_connections(settings.limits.connections)
        .shutdown_timeout(settings.limits.drain.as_secs())
        .bind(&settings.listen)
        .map_err(|source| RunError::Listen { address: settings.listen.clone(), source })?;
    // A name may stand for several addresses; whoever waits for this line needs one.
    if let Some(address) = server.addrs().first() {
        let _ = writeln!(io::stdout(), "listening on http://{address}");
    }
    server.run().await.map_err(RunError::Serve)
}
