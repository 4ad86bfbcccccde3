//! Opening a connection to an endpoint. Must not: keep one.

use std::io;
use std::rc::Rc;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::attempt::AttemptError;
use super::endpoint::Endpoint;
use super::pool::Sender;

/// Connects, within the endpoint's connect timeout, and leaves the connection's work to a task of this thread.
pub(super) async fn connect(endpoint: &Rc<Endpoint>) -> Result<Sender, AttemptError> {
    let open = open(endpoint);
    let stream = tokio::time::timeout(endpoint.connect_timeout(), open)
        .await
        .map_err(|_| AttemptError::ConnectTimeout)?
        .map_err(AttemptError::Connect)?;
    let (sender, connection) = http1::Builder::new()
        .writev(false)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(AttemptError::Broken)?;
    // Its errors reach the request through the sender; the task itself has nobody to tell.
    tokio::task::spawn_local(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

async fn open(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = match endpoint.address() {
        Some(address) => TcpStream::connect(address).await?,
        None => {
            let authority = endpoint.authority();
            let host = authority.host().trim_matches(['[', ']']);
            TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}
