//! One document from elsewhere, over HTTP/1.1, with TLS where its address says so: what the gateway itself needs to know, beside requests.
//!
//! Guarantees: an answer within the time and the size given, or an error that names what went wrong; certificates are checked against the
//! system's authorities. Must not: be used for a request, follow a redirect, or keep a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A document that is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or it broke.
    #[error("no connection: {0}")]
    Io(#[from] io::Error),
    /// Not HTTP, or it broke off.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// Another status than 200.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// A document larger than allowed, or one that broke off.
    #[error("the document is too large or broke off")]
    Body,
    /// Not in time.
    #[error("no answer in time")]
    Timeout,
    /// An address that is none.
    #[error("the address names no host")]
    Address,
}

/// The document at `url`: at most `size` bytes, within `time`.
///
/// # Errors
/// [`FetchError`] says what went wrong.
pub async fn fetch(url: &Uri, size: usize, time: Duration) -> Result<Bytes, FetchError> {
    let fetched = tokio::time::timeout(time, get(url, size)).await;
    fetched.unwrap_or(Err(FetchError::Timeout))
}

async fn get(url: &Uri, size: usize) -> Result<Bytes, FetchError> {
    let host = url.host().ok_or(FetchError::Address)?;
    let host = host.trim_matches(['[', ']']);
    let secure = url.scheme() == Some(&Scheme::HTTPS);
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    if !secure {
        return exchange(stream, url, size).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Address)?;
    let stream = connector()?.connect(name, stream).await?;
    exchange(stream, url, size).await
}

fn connector() -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn exchange<S>(stream: S, url: &Uri, size: usize) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(question(url)?).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), size).collect().await;
        Ok(body.map_err(|_| FetchError::Body)?.to_bytes())
    };
    tokio::pin!(answer);
    tokio::pin!(connection);
    // The connection is worked on for as long as its one answer takes, and then dropped.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

fn question(url: &Uri) -> Result<Request<Empty<Bytes>>, FetchError> {
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let authority = url.authority().ok_or(FetchError::Address)?;
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = target.parse().map_err(|_| FetchError::Address)?;
    let host = HeaderValue::from_str(authority.as_str());
    let headers = request.headers_mut();
    headers.insert(HOST, host.map_err(|_| FetchError::Address)?);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("api-gateway"));
    Ok(request)
}
