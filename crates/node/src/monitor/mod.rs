//! The monitoring endpoint of a validator: HTTP/1.1 on an address of its own, for scrapers, load
//! balancers and people.
//!
//! | Path | Answer |
//! |---|---|
//! | `/metrics` | Prometheus text exposition 0.0.4 |
//! | `/health` | 200 `ok` while progress is made; otherwise 503 and one line with the reason |
//! | `/status` | JSON: the state of the node and its committee |
//!
//! It only reads: the status that the event loop publishes, the counters of the network, and the
//! committed blocks. Its clients are not authenticated, so it belongs on the loopback interface or
//! a private network. One connection is one request, and is over within [`CONNECTION_TIME`],
//! however slow its other end.

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

/// The number of connections served at a time. Further ones wait until one of these is over.
const CONNECTIONS: usize = 32;
/// The time within which the head of a request must arrive.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// The time that a connection may last, its answer included.
const CONNECTION_TIME: Duration = Duration::from_secs(15);
/// The pause after a failed accept. Most likely there are no file descriptors left, which does not
/// pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// The most bytes that are read ahead on a connection, which bounds the head of a request.
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
    /// If the address cannot be bound.
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

    /// Returns the address that the endpoint is bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the socket and all connections.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Accepts connections and serves them. They end with this task.
async fn accept(listener: TcpListener, sources: Arc<Sources>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();

    // A permit comes before the connection, so further connections wait in the system's queue.
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
                tracing::warn!(%error, "cannot accept a connection to the monitoring endpoint");
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
        "/health" => health,
        "/status" => |view| respond(StatusCode::OK, JSON, status::render(view)),
        _ => {
            let paths = "not found: the paths are /metrics, /health and /status\n";
            return respond(StatusCode::NOT_FOUND, TEXT, paths);
        }
    };

    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return method_not_allowed();
    }

    // Until the replica has recovered, there is nothing to show on any page.
    match sources.view() {
        Some(view) => page(&view),
        None => unavailable(&status::Unhealthy::Starting),
    }
}

fn health(view: &View) -> Response<Full<Bytes>> {
    match status::health(view) {
        Ok(()) => respond(StatusCode::OK, TEXT, "ok\n"),
        Err(reason) => unavailable(&reason),
    }
}

fn method_not_allowed() -> Response<Full<Bytes>> {
    let mut refusal = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
    refusal
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refusal
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
