//! An upstream that does what the test says, request by request, and counts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What to do with one request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Reads the body, then answers.
    Status(u16),
    /// The same, with a header.
    With(u16, &'static str, &'static str),
    /// Answers without reading the body.
    Early(u16),
    /// Reads the body, then answers after so long.
    Late(u16, Duration),
    /// Reads the body, then answers once released.
    Held,
    /// Never answers.
    Hang,
}

struct State {
    script: Box<dyn Fn(usize) -> Reply + Send + Sync>,
    count: AtomicUsize,
    open: AtomicUsize,
    peak: AtomicUsize,
    gate: Semaphore,
    bodies: Mutex<Vec<Bytes>>,
}

/// A running upstream.
pub(crate) struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
}

impl Upstream {
    /// One that asks `script` what to do with its first, second, ... request.
    pub(crate) async fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            count: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            bodies: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(async move {
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far.
    pub(crate) fn count(&self) -> usize {
        self.state.count.load(Ordering::SeqCst)
    }

    /// Requests without an answer.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// The most that were ever without an answer at once.
    pub(crate) fn peak(&self) -> usize {
        self.state.peak.load(Ordering::SeqCst)
    }

    /// The bodies that were read to their end.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.state.bodies.lock().unwrap().clone()
    }

    /// Lets so many held requests have their answer.
    pub(crate) fn release(&self, count: usize) {
        self.state.gate.add_permits(count);
    }
}

/// Counts a request as open, also one whose client left.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = state.count.fetch_add(1, Ordering::SeqCst);
    let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
    state.peak.fetch_max(open, Ordering::SeqCst);
    let _open = Open(Arc::clone(&state));
    let reply = (state.script)(number);
    if !matches!(reply, Reply::Early(_)) {
        match request.into_body().collect().await {
            Ok(body) => state.bodies.lock().unwrap().push(body.to_bytes()),
            Err(_) => std::future::pending().await,
        }
    }
    let status = match &reply {
        Reply::Status(status) | Reply::With(status, ..) | Reply::Early(status) => *status,
        Reply::Late(status, wait) => {
            tokio::time::sleep(*wait).await;
            *status
        }
        Reply::Held => {
            state.gate.acquire().await.unwrap().forget();
            200
        }
        Reply::Hang => std::future::pending().await,
    };
    let body = format!("answer {number}");
    let mut response = Response::builder().status(status);
    if let Reply::With(_, name, value) = reply {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body.into())).unwrap())
}
