//! An upstream that speaks whatever a test wants, and tells what it saw.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Handler = Arc<dyn Fn(Seen, Request<Incoming>) -> Answering + Send + Sync>;

/// What the upstream saw of a request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The number of its connection.
    pub(crate) connection: usize,
    pub(crate) version: Version,
    pub(crate) authority: Option<String>,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

/// What it saw of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) name: Option<String>,
    pub(crate) resumed: bool,
}

/// An upstream; its tasks end with the test.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    greetings: Arc<Mutex<Vec<Greeting>>>,
}

/// What is spoken on a connection.
#[derive(Clone)]
pub(crate) enum Speaks {
    Http1,
    Http2,
    Tls(Arc<rustls::ServerConfig>),
}

impl Upstream {
    /// One that answers everything with 200 and `hello`.
    pub(crate) async fn start(speaks: Speaks) -> Self {
        Self::answering(speaks, |_, _| async { whole("hello") }).await
    }

    pub(crate) async fn answering<F, A>(speaks: Speaks, handler: F) -> Self
    where
        F: Fn(Seen, Request<Incoming>) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |seen, request| Box::pin(handler(seen, request)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            greetings: Arc::default(),
        };
        let this = upstream.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (this, speaks) = (this.clone(), speaks.clone());
                tokio::spawn(this.connection(connection, stream, speaks, Arc::clone(&handler)));
            }
        });
        upstream
    }

    async fn connection(
        self,
        connection: usize,
        stream: TcpStream,
        speaks: Speaks,
        handler: Handler,
    ) {
        let greet = |greeting| self.greetings.lock().unwrap().push(greeting);
        let seen = Arc::clone(&self.seen);
        match speaks {
            Speaks::Http1 => {
                greet(Greeting::default());
                serve(stream, false, connection, seen, handler).await;
            }
            Speaks::Http2 => {
                greet(Greeting::default());
                serve(stream, true, connection, seen, handler).await;
            }
            Speaks::Tls(config) => {
                let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else {
                    return;
                };
                let session = stream.get_ref().1;
                let is_h2 = session.alpn_protocol() == Some(b"h2");
                greet(Greeting {
                    name: session.server_name().map(str::to_owned),
                    resumed: session.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
                });
                serve(stream, is_h2, connection, seen, handler).await;
            }
        }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn greetings(&self) -> Vec<Greeting> {
        self.greetings.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.greetings.lock().unwrap().len()
    }
}

async fn serve<T>(
    stream: T,
    is_h2: bool,
    connection: usize,
    all: Arc<Mutex<Vec<Seen>>>,
    handler: Handler,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Seen {
            connection,
            version: request.version(),
            authority: request.uri().authority().map(ToString::to_string),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
        };
        all.lock().unwrap().push(seen.clone());
        let answer = handler(seen, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let stream = TokioIo::new(stream);
    if is_h2 {
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = connection.serve_connection(stream, service).await;
    } else {
        let connection = hyper::server::conn::http1::Builder::new();
        let connection = connection.serve_connection(stream, service);
        let _ = connection.with_upgrades().await;
    }
}

/// 200 and a body.
pub(crate) fn whole(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()).boxed())
}

/// A body that a test sends frame by frame.
pub(crate) struct Frames(mpsc::UnboundedReceiver<Frame<Bytes>>);

/// 200, and what sends its body.
pub(crate) fn streamed() -> (mpsc::UnboundedSender<Frame<Bytes>>, Answer) {
    let (send, receive) = mpsc::unbounded_channel();
    (send, Response::new(Frames(receive).boxed()))
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
