//! The sockets: accepting, serving, and resetting those a behaviour broke off. Must not: look into a request.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::body::BrokenOff;
use crate::respond::{NoResponse, Responder};

/// Serves until `shutdown`, then closes the listener and every connection before it returns.
pub(crate) async fn accept(
    listener: TcpListener,
    responder: Arc<Responder>,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, Arc::clone(&responder)));
                }
                Err(error) => recover(&error).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// A peer that left before it was accepted is nothing; out of file descriptors, only waiting helps.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, responder: Arc<Responder>) {
    // Without it, a small answer would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| responder.respond(peer, request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = Pin::new(&mut connection).await
        && broken_off(&error)
    {
        // Closed with no time to linger, a socket sends a reset instead of an orderly end.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// Whether the mock itself broke the connection off. hyper hands its causes on only as `dyn Error`.
fn broken_off(error: &hyper::Error) -> bool {
    error.source().is_some_and(|cause| {
        cause.is::<BrokenOff>() || matches!(cause.downcast_ref(), Some(NoResponse::BrokenOff(_)))
    })
}
