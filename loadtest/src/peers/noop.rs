//! `loadtest noop`: HTTP and WebSocket set up as the server sets them up, with nothing behind.
//!
//! It parses the same body into typed fields, answers 201 and keeps nothing; what it reaches is
//! the limit for whatever stores. Its WebSocket sends back what it gets.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use actix::{Actor, StreamHandler};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_web_actors::ws::{self, Message, ProtocolError, WebsocketContext};
use anyhow::{Context, Result};
use serde::Deserialize;

use crate::child::Process;
use crate::client::Target;
use crate::report;

/// As the server's own; see its `http::server`.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const HEADER_TIME: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 20_000;

/// The body that `flood` sends.
#[derive(Deserialize)]
struct Request {
    customer: Customer,
    queue: String,
    medium: String,
    #[serde(rename = "type")]
    kind: String,
    schedule: Option<Schedule>,
    short_description: String,
    description: String,
    context: Context_,
    priority: u8,
}

#[derive(Deserialize)]
struct Customer {
    id: String,
    phone: String,
    name: String,
    kind: String,
    account: String,
    email: String,
    time_zone: String,
    locale: String,
}

#[derive(Deserialize)]
struct Schedule {
    start: String,
}

#[derive(Deserialize)]
struct Context_ {
    articles: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    title: String,
    url: String,
}

impl Request {
    /// Looks at every field, so that none is left out as unused.
    fn length(&self) -> usize {
        let customer = &self.customer;
        let texts = [
            &customer.id,
            &customer.phone,
            &customer.name,
            &customer.kind,
            &customer.account,
            &customer.email,
            &customer.time_zone,
            &customer.locale,
            &self.queue,
            &self.medium,
            &self.kind,
            &self.short_description,
            &self.description,
        ];
        let articles = self.context.articles.iter().map(|one| one.title.len() + one.url.len());
        let start = self.schedule.as_ref().map_or(0, |schedule| schedule.start.len());
        let texts = texts.into_iter().map(String::len);
        texts.chain(articles).sum::<usize>() + start + usize::from(self.priority)
    }
}

async fn create(request: web::Json<Request>) -> HttpResponse {
    HttpResponse::Created().insert_header(("x-length", request.length())).finish()
}

struct Echo;

impl Actor for Echo {
    type Context = WebsocketContext<Self>;
}

impl StreamHandler<Result<Message, ProtocolError>> for Echo {
    fn handle(&mut self, message: Result<Message, ProtocolError>, context: &mut Self::Context) {
        match message {
            Ok(Message::Text(text)) => context.text(text),
            Ok(Message::Ping(bytes)) => context.pong(&bytes),
            Ok(Message::Close(_)) | Err(_) => context.close(None),
            Ok(Message::Binary(_) | Message::Pong(_) | Message::Continuation(_) | Message::Nop) => {
            }
        }
    }
}

async fn echo(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, actix_web::Error> {
    ws::start(Echo, &request, body)
}

/// Answers until the process is ended.
pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("a port to listen on")?;
    let address = listener.local_addr().context("a port to listen on")?;
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    actix_web::rt::System::new().block_on(async move {
        let app = || {
            App::new()
                .route("/v1/callbacks", web::post().to(create))
                .route("/v1/agent/socket", web::get().to(echo))
        };
        let server = HttpServer::new(app)
            .workers(workers)
            .max_connections(CONNECTIONS.div_ceil(workers))
            .client_request_timeout(HEADER_TIME)
            .keep_alive(KEEP_ALIVE)
            .listen(listener)?
            .run();
        report::print_line(&format!("listening on http://{address}"))?;
        server.await.context("serving")
    })
}

/// The no-op server as a process of its own.
#[derive(Debug)]
pub(crate) struct Noop {
    _process: Process,
    target: Target,
}

impl Noop {
    /// Starts it.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("where this program is")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let mut process = Process::start(Command::new(program).arg("noop"), folder)?;
        let line = process.line()?;
        let url = line.strip_prefix("listening on ").with_context(|| format!("said {line:?}"))?;
        Ok(Self { _process: process, target: Target::parse(url)? })
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
}
