//! A plain HTTP/1.1 client for the tests: a connection per request, nothing pooled, nothing retried.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Far more than anything here takes: a test that hangs says so instead.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("took far too long")
}

/// Sends a request and returns the response once its head is there.
pub(crate) async fn send<B>(
    addr: SocketAddr,
    request: Request<B>,
) -> hyper::Result<Response<Incoming>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    soon(sender.send_request(request)).await
}

pub(crate) fn request(
    method: Method,
    target: &str,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(target)
        .header("host", "mock.test")
        .body(Full::new(body.into()))
        .unwrap()
}

/// Sends a request without a body and reads the JSON it is answered with.
pub(crate) async fn ask(addr: SocketAddr, method: Method, target: &str) -> (StatusCode, Value) {
    let response = send(addr, request(method, target, "")).await.unwrap();
    (response.status(), json(response).await)
}

pub(crate) async fn get(addr: SocketAddr, target: &str) -> (StatusCode, Value) {
    ask(addr, Method::GET, target).await
}

pub(crate) async fn post(
    addr: SocketAddr,
    target: &str,
    body: impl Into<Bytes>,
) -> (StatusCode, Value) {
    let response = send(addr, request(Method::POST, target, body))
        .await
        .unwrap();
    (response.status(), json(response).await)
}

pub(crate) async fn json(response: Response<Incoming>) -> Value {
    let body = soon(response.into_body().collect())
        .await
        .unwrap()
        .to_bytes();
    serde_json::from_slice(&body).unwrap()
}
