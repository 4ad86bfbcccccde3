//! Opening a connection to an endpoint.
//!
//! Guarantees: a connection, its TLS included, is there within the endpoint's connect timeout; requests that need an HTTP/2
//! connection at the same time open one, not one each, and share its failure too. Must not: keep an HTTP/1.1 connection.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::attempt::AttemptError;
use super::endpoint::Endpoint;
use super::line::Line;
use super::link::Link;
use super::multiplexed::{self, Trunk};
use super::socket::Socket;
use super::tls::{Offer, is_certificate_error};

/// Whose turn it is to open a connection that others will share.
#[derive(Debug, Default)]
pub(super) struct Turns {
    lock: Mutex<()>,
    failures: Cell<u64>,
    last: RefCell<Option<AttemptError>>,
    /// Given the choice, the endpoint chose HTTP/1.1: there is nothing to share.
    prefers_http1: Cell<bool>,
}

/// A connection that was just opened.
enum Opened {
    Http1(Box<Line>),
    Http2(Rc<Trunk>),
}

/// A place on a new connection, or on one that somebody else has opened meanwhile.
pub(super) async fn connect(endpoint: &Endpoint, offer: Offer) -> Result<Link, AttemptError> {
    let turns = endpoint.turns();
    let alone = offer == Offer::Http1 || (offer == Offer::Either && turns.prefers_http1.get());
    if alone {
        return open(endpoint, offer)
            .await
            .map(|opened| place(endpoint, opened));
    }
    let seen = turns.failures.get();
    let _turn = turns.lock.lock().await;
    if let Some(stream) = endpoint.pool().stream() {
        return Ok(Link::Http2(stream));
    }
    if turns.failures.get() != seen
        && let Some(error) = &*turns.last.borrow()
    {
        return Err(error.echo());
    }
    match open(endpoint, offer).await {
        Ok(opened) => {
            let is_http1 = matches!(opened, Opened::Http1(_));
            turns.prefers_http1.set(is_http1);
            Ok(place(endpoint, opened))
        }
        Err(error) => {
            turns.failures.set(turns.failures.get() + 1);
            turns.last.replace(Some(error.echo()));
            Err(error)
        }
    }
}

fn place(endpoint: &Endpoint, opened: Opened) -> Link {
    match opened {
        Opened::Http1(line) => Link::Http1(line),
        Opened::Http2(trunk) => {
            let stream = trunk.stream();
            endpoint.pool().share(trunk);
            Link::Http2(stream)
        }
    }
}

async fn open(endpoint: &Endpoint, offer: Offer) -> Result<Opened, AttemptError> {
    match timeout(endpoint.connect_timeout(), begin(endpoint, offer)).await {
        Ok(opened) => opened,
        Err(_) => Err(AttemptError::ConnectTimeout),
    }
}

async fn begin(endpoint: &Endpoint, offer: Offer) -> Result<Opened, AttemptError> {
    let stream = dial(endpoint).await.map_err(AttemptError::Connect)?;
    let Some(tls) = endpoint.tls() else {
        return speak(endpoint, Socket::Plain(stream), offer == Offer::Http2).await;
    };
    let host = endpoint.authority().host();
    match tls.connect(host, offer, stream).await {
        Ok((stream, is_h2)) => speak(endpoint, Socket::Tls(Box::new(stream)), is_h2).await,
        Err(error) => {
            tracing::warn!(event = "upstream_tls_failed", endpoint = %endpoint.authority(), %error);
            Err(if is_certificate_error(&error) {
                AttemptError::Certificate(error)
            } else {
                AttemptError::Tls(error)
            })
        }
    }
}

async fn speak(endpoint: &Endpoint, socket: Socket, is_h2: bool) -> Result<Opened, AttemptError> {
    let born = endpoint.pool().birth();
    if is_h2 {
        let trunk = multiplexed::handshake(socket, born).await;
        let trunk = trunk.map_err(|error| AttemptError::Broken(error.into()));
        return trunk.map(Opened::Http2);
    }
    Ok(Opened::Http1(Box::new(Line::new(socket, born))))
}

async fn dial(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = match endpoint.address() {
        Some(address) => TcpStream::connect(address).await?,
        None => {
            let authority = endpoint.authority();
            let host = authority.host().trim_matches(['[', ']']);
            let port = authority.port_u16().unwrap_or(endpoint.default_port());
            TcpStream::connect((host, port)).await?
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}
