//! The monitoring endpoint of a validator: HTTP/1.1 on an address of its own, for scrapers, load
//! balancers and people.
//!
//! | Path | Answer |
//! |---|---|
//! | `/metrics` | Prometheus text exposition 0.0.4 |
//! | `/health` | 200 `ok` while progress is made, else 503 and one line saying what is missing |
//! | `/status` | JSON: where the node and its committee stand |
//!
//! It only reads: what the loop tells of itself, what the network counts, and the committed blocks.
//! Nobody proves who they are, so it belongs on the loopback interface or a private network. One
//! connection is one request, and is over within [`CONNECTION_TIME`], however slow its other end.

mod metrics;
mod status;
mod tally;
mod view;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) use view::Sources;

use view::View;

/// Connections served at a time; further ones wait until one of these is over.
const CONNECTIONS: usize = 32;
/// How long the head of a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a connection may last, its answer included.
const CONNECTION_TIME: Duration = Duration::from_secs(15);
/// Pause after a failed accept: out of file descriptors, most likely, which does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// Most bytes read ahead of a connection, which bounds the head of a request.
const READ_BYTES: usize = 16 * 1024;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A running endpoint. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Monitor {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Monitor {
    /// Binds the address and serves it on the current tokio runtime. Port 0 takes any free port.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub(crate) async fn start(address: SocketAddr, sources: Sources) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "monitoring");
        let sources = Arc::new(sources);
        let mut tasks = JoinSet::new();
        tasks.spawn(tally::keep(
            sources.events.subscribe(),
            Arc::clone(&sources.tally),
        ));
        tasks.spawn(accept(listener, sources));
        Ok(Self { address, tasks })
    }

    /// The address it is bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the socket and all connections.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Its connections end with it.
async fn accept(listener: TcpListener, sources: Arc<Sources>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let sources = Arc::clone(&sources);
                connections.spawn(async move {
                    serve(stream, &sources).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to the monitoring endpoint");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, sources: &Sources) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request, sources)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .keep_alive(false)
        .max_buf_size(READ_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a request for monitoring failed"),
        Err(_) => tracing::debug!("a request for monitoring took too long"),
    }
}

type Page = fn(&View) -> Response<Full<Bytes>>;

fn answer(request: &Request<Incoming>, sources: &Sources) -> Response<Full<Bytes>> {
    let page: Page = match request.uri().path() {
        "/metrics" => |view| respond(StatusCode::OK, EXPOSITION, metrics::render(view)),
        "/health" => |view| match status::health(view) {
            Ok(()) => respond(StatusCode::OK, TEXT, "ok\n"),
            Err(reason) => unavailable(&reason),
        },
        "/status" => |view| respond(StatusCode::OK, JSON, status::render(view)),
        _ => {
            let paths = "there are /metrics, /health and /status\n";
            return respond(StatusCode::NOT_FOUND, TEXT, paths);
        }
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match sources.view() {
        Some(view) => page(&view),
        None => unavailable(&status::Unhealthy::Starting),
    }
}

fn unavailable(reason: &status::Unhealthy) -> Response<Full<Bytes>> {
    respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n"))
}

fn respond(code: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
