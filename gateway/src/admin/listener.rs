//! The admin listener: connections, and which of its rooms a request goes to.
//!
//! Guarantees: a bounded number of connections; probes and metrics are answered to anybody. Must not: hold state.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::answer::{Answer, text};
use super::api::Api;
use super::console;
use super::health::{Checks, ready};
use crate::telemetry::metrics::Metrics;

/// Connections served at a time; a scraper that holds more waits in the kernel's queue.
const CONNECTIONS: usize = 128;

/// What the listener answers from.
#[derive(Debug)]
pub struct Rooms {
    /// `/metrics`.
    pub metrics: Arc<Metrics>,
    /// `/readyz`.
    pub checks: Checks,
    /// `/api/v1/…`.
    pub api: Api,
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, rooms: Arc<Rooms>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let rooms = Arc::clone(&rooms);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let rooms = Arc::clone(&rooms);
                async move { Ok::<_, Infallible>(rooms.answer(request).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new());
            // The error is the scraper's: it has gone, or did not speak HTTP.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

impl Rooms {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path().starts_with("/api/") {
            return self.api.answer(request).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allow);
            return answer;
        }
        match request.uri().path() {
            "/metrics" => {
                let mut answer = text(StatusCode::OK, self.metrics.render());
                let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                answer.headers_mut().insert(CONTENT_TYPE, kind);
                answer
            }
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => ready(&self.checks, request.uri().query() == Some("verbose")),
            path => {
                console::file(path).unwrap_or_else(|| text(StatusCode::NOT_FOUND, "not found\n"))
            }
        }
    }
}
