//! The services a mock stands for: analytics, messages, WebSocket, gRPC, events.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

mod support;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use upstream_mock::{Mock, Settings};

use support::{get, post, request, send, soon};

async fn mock() -> Mock {
    Mock::start(Settings::default()).await.unwrap()
}

#[tokio::test]
async fn metrics_go_in_and_a_summary_comes_out() {
    let mock = mock().await;
    let metric = json!({"timestamp": "2024-05-01T10:00:00Z", "value": 7, "type": "cpu"});
    assert_eq!(
        post(mock.addr(), "/api/metrics", metric.to_string()).await,
        (
            StatusCode::CREATED,
            json!({"message": "Metric stored successfully"})
        )
    );
    let (status, fault) = post(mock.addr(), "/api/metrics", r#"{"timestamp":1}"#).await;
    assert_eq!((status.as_u16(), &fault["field"]), (422, &json!("value")));
    assert_eq!(
        get(
            mock.addr(),
            "/api/metrics/summary?metric_type=cpu&period=hour"
        )
        .await,
        (
            StatusCode::OK,
            json!({"type": "cpu", "period": "hour", "count": 1, "average_value": 7.0, "average": 7.0})
        )
    );
}

#[tokio::test]
async fn small_services_answer_until_they_fail() {
    let mock = mock().await;
    for target in ["/api/external-data", "/external", "/downstream", "/users"] {
        assert_eq!(get(mock.addr(), target).await.0, StatusCode::OK, "{target}");
    }
    let (status, echoed) = post(mock.addr(), "/data", r#"{"message":"hello"}"#).await;
    assert_eq!(
        (status.as_u16(), &echoed["message"]),
        (200, &json!("hello"))
    );
    mock.set_failing(true);
    assert_eq!(
        get(mock.addr(), "/external").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn events_are_sent_one_by_one() {
    let mock = mock().await;
    let response = send(
        mock.addr(),
        request(Method::GET, "/events?count=2&ms=1", ""),
    )
    .await
    .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let body = soon(response.into_body().collect())
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(body, "id: 1\ndata: event 1\n\nid: 2\ndata: event 2\n\n");
}

#[tokio::test]
async fn a_websocket_tells_messages_back() {
    let mock = mock().await;
    let url = format!("ws://{}/ws", mock.addr());
    let (mut socket, _) = soon(tokio_tungstenite::connect_async(url)).await.unwrap();
    for message in [Message::text("one"), Message::binary(vec![0, 255])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn grpc_over_http2_tells_messages_back_and_ends_with_a_status() {
    let mock = mock().await;
    let stream = TcpStream::connect(mock.addr()).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let call = || {
        Request::post(format!("{}/echo.Echo/Unary", mock.url()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from_static(b"\0\0\0\0\x02hi")))
            .unwrap()
    };
    let response = soon(sender.send_request(call())).await.unwrap();
    let body = soon(response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes(), b"\0\0\0\0\x02hi"[..]);
    mock.set_failing(true);
    let response = soon(sender.send_request(call())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "14");
}
