//! A client that says exactly what it is told to, on a connection of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub type RequestBody = BoxBody<Bytes, std::convert::Infallible>;

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the body").to_bytes();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }
}

/// A connection.
pub struct Client(SendRequest<RequestBody>);

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connecting");
        stream.set_nodelay(true).expect("nodelay");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("handshake");
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Self(sender)
    }

    pub async fn try_send(
        &mut self,
        request: Request<RequestBody>,
    ) -> hyper::Result<Response<Incoming>> {
        self.0.ready().await?;
        self.0.send_request(request).await
    }

    pub async fn send(&mut self, request: Request<RequestBody>) -> Response<Incoming> {
        self.try_send(request).await.expect("a response")
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        Answer::read(self.send(request(Method::GET, path, &[])).await).await
    }
}

/// A request without a body; a Host is added when none is given.
pub fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<RequestBody> {
    build(method, path, headers, Empty::new().boxed())
}

/// A request with a body.
pub fn post(path: &str, body: impl Into<Bytes>) -> Request<RequestBody> {
    build(Method::POST, path, &[], Full::new(body.into()).boxed())
}

pub fn build(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: RequestBody,
) -> Request<RequestBody> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request = request.header("host", "gateway.test");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a request")
}

/// One request on a new connection.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    Client::connect(address).await.get(path).await
}

pub async fn send(address: SocketAddr, request: Request<RequestBody>) -> Answer {
    Answer::read(Client::connect(address).await.send(request).await).await
}
