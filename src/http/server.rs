//! The server: routes, bounds of connections, and whatever else is to answer beside them.
//!
//! Building is separate from running: whoever calls `run` awaits, stops and joins the server.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::{Extensions, Server, Service as _, ServiceRequest, ServiceResponse};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};

use super::auth::Gate;
use super::body::InChunks;
use super::pages::{self, Pages};
use super::routes::{mount, unknown};
use super::state::{HttpState, Shared};
use crate::engine::figures::SocketCounts;

/// How long a connection may be idle between two requests.
const KEEP_ALIVE_SECONDS: u64 = 75;

/// Mounts routes.
pub type Mount = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// Does something to a new connection.
pub type OnConnect = Arc<dyn Fn(&dyn Any, &mut Extensions) + Send + Sync>;

/// What the composition root adds: routes of other layers, and what is done to each connection.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Mounts more routes; called once per worker.
    pub mount: Option<Mount>,
    /// Called with each new connection.
    pub on_connect: Option<OnConnect>,
}

/// What is built and not yet listening.
pub struct Http {
    shared: Data<Shared>,
    pages: Data<Pages>,
}

impl Http {
    /// Builds everything that answers need.
    pub fn new(state: HttpState) -> Self {
        let pages = Data::new(Pages::new(&state.pages));
        Self { shared: Data::new(Shared::new(state)), pages }
    }

    /// The credentials, for what lets callers in by other ways.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.shared.gate)
    }

    /// What is counted of the agents' sockets, which `/metrics` shows.
    pub fn sockets(&self) -> Arc<SocketCounts> {
        Arc::clone(&self.shared.sockets)
    }

    /// Answers on `listener`, on so many threads. Signals are the caller's: draining has an order.
    pub fn run(self, listener: TcpListener, hooks: Hooks, workers: usize) -> io::Result<Server> {
        let limits = &self.shared.limits;
        let (header, connections) = (limits.header, limits.connections);
        let (shared, pages) = (self.shared.clone(), self.pages.clone());
        let phone_requests = Arc::clone(&shared.phone_requests);
        actix_web::rt::spawn(async move { phone_requests.forget().await });
        let workers = workers.max(1);
        let more = hooks.mount;
        let on_connect = hooks.on_connect;
        let app = move || {
            let more = more.clone();
            App::new()
                .wrap_fn(|mut request, service| {
                    let chunks = InChunks::of(&mut request);
                    let answer = service.call(request);
                    async move {
                        let answer = without_headers(answer.await?.map_into_boxed_body());
                        Ok(match chunks {
                            Some(chunks) => answer.map_body(|_, body| chunks.held_with(body)),
                            None => answer,
                        })
                    }
                })
                .app_data(shared.clone())
                .app_data(pages.clone())
                .configure(mount)
                .configure(pages::mount)
                .configure(move |config| {
                    if let Some(more) = &more {
                        more(config);
                    }
                })
                .default_service(web::to(unknown))
        };
        let server = HttpServer::new(app)
            .workers(workers)
            .max_connections(connections.div_ceil(workers))
            .client_request_timeout(header)
            .keep_alive(std::time::Duration::from_secs(KEEP_ALIVE_SECONDS))
            .on_connect(move |connection, data| {
                if let Some(on_connect) = &on_connect {
                    on_connect(connection, data);
                }
            })
            .disable_signals()
            .listen(listener)?;
        Ok(server.run())
    }
}

/// Lets go of the headers of a request that is answered. actix-web keeps up to 128 of them for each
/// thread, to use them again, and every header keeps the whole piece that it was read into.
fn without_headers(answer: ServiceResponse) -> ServiceResponse {
    let (request, response) = answer.into_parts();
    let mut request = ServiceRequest::from_request(request);
    // Nobody else holds the request, or this would panic: its handler's future is gone, and none
    // gives it to a task or to a body.
    request.head_mut().headers.clear();
    ServiceResponse::new(request.into_parts().0, response)
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::http::header::{AUTHORIZATION, SERVER};
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_answered_request_keeps_no_headers() {
        let request = TestRequest::get().insert_header((AUTHORIZATION, "Bearer key"));
        let response = HttpResponse::Ok().insert_header((SERVER, "ringback")).finish();
        let answer = without_headers(request.to_srv_response(response));
        assert!(answer.request().headers().is_empty());
        assert_eq!(answer.headers().get(SERVER).unwrap(), "ringback");
    }
}
