//! The admin listener's answers. Must not: hold state.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::telemetry::metrics::Metrics;

/// Connections served at a time; a scraper that holds more waits in the kernel's queue.
const CONNECTIONS: usize = 64;

/// One named condition and whether it holds.
pub type Check = (&'static str, bool);

/// What readiness depends on, and what is only worth knowing; asked at each request.
#[derive(Clone)]
pub struct Checks {
    required: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
    noted: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
}

impl Checks {
    /// `required` decides; `noted` is only shown.
    pub fn new(
        required: impl Fn() -> Vec<Check> + Send + Sync + 'static,
        noted: impl Fn() -> Vec<Check> + Send + Sync + 'static,
    ) -> Self {
        Self {
            required: Arc::new(required),
            noted: Arc::new(noted),
        }
    }
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Checks")
            .field(&(self.required)())
            .field(&(self.noted)())
            .finish()
    }
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, checks: Checks) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (metrics, checks) = (Arc::clone(&metrics), checks.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &metrics, &checks);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new());
            // The error is the scraper's: it has gone, or did not speak HTTP.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    metrics: &Metrics,
    checks: &Checks,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.render());
            let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(checks, request.uri().query() == Some("verbose")),
        "/" => text(StatusCode::OK, "/metrics\n/livez\n/readyz\n"),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// In the form of the Kubernetes API server's own endpoints: a line a check, then the sum.
fn ready(checks: &Checks, verbose: bool) -> Response<Full<Bytes>> {
    let required = (checks.required)();
    let ready = required.iter().all(|(_, holds)| *holds);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if ready && !verbose {
        return text(status, "ok\n");
    }
    let mut body = String::new();
    for (name, holds) in required {
        body.push_str(if holds { "[+]" } else { "[-]" });
        body.push_str(name);
        body.push_str(if holds { " ok\n" } else { " failed\n" });
    }
    for (name, holds) in (checks.noted)() {
        body.push_str(if holds { "[+]" } else { "[-]" });
        body.push_str(name);
        body.push_str(if holds {
            " ok\n"
        } else {
            " failed: excluded\n"
        });
    }
    body.push_str(if ready {
        "readyz check passed\n"
    } else {
        "readyz check failed\n"
    });
    text(status, body)
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
