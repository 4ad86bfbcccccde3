//! An origin whose every answer a test writes itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Paths that are always answered for a minute, and not counted.
pub(crate) const WARM: &str = "/warm-";

/// What a test answers with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) delay: Duration,
}

impl Reply {
    /// A 200 with a body.
    pub(crate) fn new(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            ..Self::default()
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

type Script = Arc<dyn Fn(&Parts, usize) -> Reply + Send + Sync>;

/// The origin; every request it saw, and what it answers from now on.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Mutex<Script>,
    seen: Mutex<Vec<Parts>>,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

impl Origin {
    /// An origin that answers as `script` says, which is told the request and how many there were before.
    pub(crate) async fn start(
        script: impl Fn(&Parts, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(Arc::new(script)),
            seen: Mutex::default(),
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let state = Arc::clone(&state);
                        async move { Ok::<_, std::convert::Infallible>(state.answer(request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, state }
    }

    /// Another script from now on.
    pub(crate) fn answer(&self, script: impl Fn(&Parts, usize) -> Reply + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests seen.
    pub(crate) fn count(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// The most requests it was answering at once.
    pub(crate) fn busiest(&self) -> usize {
        self.state.busiest.load(Ordering::Relaxed)
    }

    /// The last request seen.
    pub(crate) fn last(&self) -> Parts {
        self.state.seen.lock().unwrap().last().unwrap().clone()
    }
}

impl State {
    async fn answer(&self, request: http::Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let _ = body.collect().await;
        if parts.uri.path().starts_with(WARM) {
            let reply = Reply::new("warm").with("cache-control", "max-age=60");
            return Self::response(reply);
        }
        let before = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(parts.clone());
            seen.len() - 1
        };
        let script = Arc::clone(&*self.script.lock().unwrap());
        let reply = script(&parts, before);
        let busy = self.busy.fetch_add(1, Ordering::Relaxed) + 1;
        self.busiest.fetch_max(busy, Ordering::Relaxed);
        tokio::time::sleep(reply.delay).await;
        self.busy.fetch_sub(1, Ordering::Relaxed);
        Self::response(reply)
    }

    fn response(reply: Reply) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(reply.body));
        *response.status_mut() = reply.status.try_into().unwrap();
        for (name, value) in reply.headers {
            response.headers_mut().append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(&value).unwrap(),
            );
        }
        response
    }
}
