//! Stands in for the server in tests: answers HTTP from a closure, on a free port.
//!
//! Only as much of a server as a client can tell the difference of; it knows nothing of
//! callbacks.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::client::Target;

/// A request as the closure sees it.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Bytes,
}

/// What the closure answers: a status, a `Retry-After` and a body. `None` cuts the connection.
pub(crate) type Answer = Option<(u16, Option<u32>, String)>;

/// Serves until the test's runtime ends; says where.
pub(crate) async fn serve(answer: impl Fn(Asked) -> Answer + Send + Sync + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move { respond(request, answer.as_ref()).await }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    target
}

async fn respond(
    request: Request<Incoming>,
    answer: &(impl Fn(Asked) -> Answer + Send + Sync),
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let header =
        |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (key, method) = (header("idempotency-key"), request.method().to_string());
    let path = request.uri().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let Some((status, retry_after, text)) = answer(Asked { method, path, key, body }) else {
        return Err(std::io::Error::other("cut"));
    };
    let mut response = Response::builder().status(status);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}
