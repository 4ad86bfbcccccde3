//! The sockets: accepting, serving, and resetting those a behaviour broke off. Must not: look into a request.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::body::BrokenOff;
use crate::respond::{NoResponse, Responder};
use crate::websocket;

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
    if speaks_http2(&stream).await {
        let service = service_fn(move |request| {
            let responder = Arc::clone(&responder);
            async move { responder.respond(peer, request).await }
        });
        // What a behaviour breaks off is a stream here, which hyper resets.
        let _ = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
        return;
    }
    let switched = AtomicBool::new(false);
    let service = service_fn(|request| async {
        let response = responder.respond(peer, request).await?;
        switched.store(
            response.status() == StatusCode::SWITCHING_PROTOCOLS,
            Ordering::Release,
        );
        Ok::<_, NoResponse>(response)
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    match Pin::new(&mut connection).await {
        Ok(()) if switched.load(Ordering::Acquire) => {
            let parts = connection.into_parts();
            websocket::echo(parts.io.into_inner(), parts.read_buf).await;
        }
        Err(error) if broken_off(&error) => {
            // Closed with no time to linger, a socket sends a reset instead of an orderly end.
            let _ = connection.into_parts().io.into_inner().set_zero_linger();
        }
        _ => {}
    }
}

/// Whether the client begins with HTTP/2's preface (RFC 9113, section 3.4), of which no method is a beginning.
async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut start = [0; 3];
    loop {
        match stream.peek(&mut start).await {
            Ok(3) => return start == *b"PRI",
            Ok(read) if read > 0 && b"PRI".starts_with(start.get(..read).unwrap_or_default()) => {
                // The rest of a preface follows at once: whoever sends it in bytes waits for nobody.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            _ => return false,
        }
    }
}

/// Whether the mock itself broke the connection off. hyper hands its causes on only as `dyn Error`.
fn broken_off(error: &hyper::Error) -> bool {
    error.source().is_some_and(|cause| {
        cause.is::<BrokenOff>() || matches!(cause.downcast_ref(), Some(NoResponse::BrokenOff(_)))
    })
}
