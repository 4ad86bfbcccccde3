//! `/ws`: a WebSocket (RFC 6455) that tells every message back. Must not: be reached by any other path.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{Response, StatusCode, request};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::body::Body;

/// The 101 that a request for a WebSocket is answered with.
pub(crate) fn switch(head: &request::Parts) -> Option<Response<Body>> {
    let wanted = head.headers.get(UPGRADE)?.as_bytes();
    if head.uri.path() != "/ws" || !wanted.eq_ignore_ascii_case(b"websocket") {
        return None;
    }
    let accept = derive_accept_key(head.headers.get(SEC_WEBSOCKET_KEY)?.as_bytes());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().ok()?);
    if let Some(protocol) = head.headers.get(SEC_WEBSOCKET_PROTOCOL) {
        let first = protocol.to_str().ok()?.split(',').next()?.trim();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, first.parse().ok()?);
    }
    Some(response)
}

/// Tells messages back until the client closes or breaks off. `read` was read of them already.
pub(crate) async fn echo(stream: TcpStream, read: Bytes) {
    let mut socket =
        WebSocketStream::from_partially_read(stream, read.to_vec(), Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        // Pings are answered and a close is confirmed by the library.
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
