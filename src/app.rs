//! The composition root: builds from settings, binds, runs, drains.
//!
//! The only place that knows all layers. Decides nothing about callbacks.

use std::io::{self, Write};

use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::signal::unix::{SignalKind, signal};

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
    // Before the address is told: whoever reads it may end the process at once.
    let mut terminated = signal(SignalKind::terminate()).map_err(RunError::Serve)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(RunError::Serve)?;
    let server = HttpServer::new(|| {
        App::new().route("/healthz", web::get().to(|| async { HttpResponse::Ok().finish() }))
    });
    let server = server
        .client_request_timeout(settings.limits.header)
        .max_connections(settings.limits.connections)
        .shutdown_timeout(settings.limits.drain.as_secs())
        .disable_signals()
        .bind(&settings.listen)
        .map_err(|source| RunError::Listen { address: settings.listen.clone(), source })?;
    let address = server.addrs().first().copied();
    let server = server.run();
    // A name may stand for several addresses; whoever waits for this line needs one.
    if let Some(address) = address {
        // One that went away is no fault of ours.
        let _ = writeln!(io::stdout(), "listening on http://{address}");
    }
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        handle.stop(true).await;
    });
    server.await.map_err(RunError::Serve)
}
