//! The gateway as a process: its exit codes, its signals, its memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

mod support;

use std::process::Command;

use http::Method;
use http_body_util::{BodyExt, StreamBody};
use support::client::{Client, build, request};
use support::process::Process;
use upstream_mock::{Mock, Settings};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_bad_configuration_ends_with_64_and_names_what_is_wrong() {
    let variables = [
        ("UPSTREAM_URL", "127.0.0.1:8080"),
        ("GATEWAY__SERVER__WORKER", "2"),
    ];
    for arguments in [&[][..], &["run"], &["check"]] {
        let (code, _, said) = run(arguments, &variables);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains("UPSTREAM_URL"), "{said}");
        assert!(said.contains("workers"), "a near name is suggested: {said}");
    }
    assert_eq!(run(&["--no-such-flag"], &[]).0, Some(64));
    let (code, _, said) = run(&[], &[]);
    assert_eq!(code, Some(64));
    assert!(said.contains("UPSTREAM_URL"), "{said}");
}

#[test]
fn check_prints_the_effective_configuration_and_schema_the_schema() {
    let variables = [
        ("UPSTREAM_URL", "http://127.0.0.1:8080"),
        ("REDIS_URL", "redis://user:hunter2@127.0.0.1:6379"),
    ];
    let (code, out, _) = run(&["check"], &variables);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("http://127.0.0.1:8080") && !out.contains("hunter2"),
        "{out}"
    );
    let (code, out, _) = run(&["schema"], &[]);
    assert_eq!(code, Some(0));
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(schema["properties"]["upstreams"].is_object());
}

#[test]
fn a_port_in_use_ends_with_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [
        ("UPSTREAM_URL", "http://127.0.0.1:8080"),
        ("GATEWAY__SERVER__LISTEN", address.as_str()),
        ("GATEWAY__ADMIN__LISTEN", "127.0.0.1:0"),
    ];
    let (code, _, said) = run(&[], &variables);
    assert_eq!(code, Some(69), "{said}");
    assert!(
        said.contains(&address) && said.contains("server.listen"),
        "{said}"
    );
}

#[tokio::test]
async fn a_second_gateway_on_the_same_addresses_ends_with_69() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let first = Process::start(&mock.url(), &[]).await;
    let (proxy, admin) = (first.proxy.to_string(), first.admin.to_string());
    let url = mock.url();
    let variables = [
        ("UPSTREAM_URL", url.as_str()),
        ("GATEWAY__SERVER__LISTEN", proxy.as_str()),
        ("GATEWAY__ADMIN__LISTEN", admin.as_str()),
    ];
    let (code, _, said) = run(&[], &variables);
    assert_eq!(code, Some(69), "{said}");
    assert!(
        said.contains(&admin) && said.contains("admin.listen"),
        "{said}"
    );
}

#[tokio::test]
async fn health_tells_whether_the_gateway_here_is_ready() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[]).await;
    let (url, admin) = (mock.url(), gateway.admin.to_string());
    let variables = [
        ("UPSTREAM_URL", url.as_str()),
        ("GATEWAY__ADMIN__LISTEN", admin.as_str()),
    ];
    let (code, out, _) = run(&["health"], &variables);
    assert_eq!((code, out.as_str()), (Some(0), "ok\n"));
    gateway.signal("TERM");
    assert_eq!(gateway.exit().await, Some(0));
    assert_eq!(run(&["health"], &variables).0, Some(1));
}

#[tokio::test]
async fn a_term_signal_lets_every_request_in_flight_finish() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[("GATEWAY__SERVER__WORKERS", "2")]).await;
    let clients = (0..20).map(|_| {
        let address = gateway.proxy;
        tokio::spawn(async move {
            Client::connect(address)
                .await
                .get("/proxy/slow?ms=400")
                .await
                .status
        })
    });
    let clients: Vec<_> = clients.collect();
    mock.recorder().wait_for(20).await;
    gateway.signal("TERM");
    gateway.event("draining").await;
    for client in clients {
        assert_eq!(client.await.unwrap(), 200);
    }
    assert_eq!(gateway.exit().await, Some(0));
}

#[tokio::test]
async fn connections_that_are_idle_hold_little_memory() {
    const IDLE: u64 = 400;
    let mock = Mock::start(Settings::default()).await.unwrap();
    let plenty = [("RATE_LIMIT_CAPACITY", "1000000")];
    let gateway = Process::start(&mock.url(), &plenty).await;
    let warm = Client::connect(gateway.proxy).await;
    drop(warm);
    let mut clients = Vec::new();
    let before = gateway.own_memory();
    for _ in 0..IDLE {
        let mut client = Client::connect(gateway.proxy).await;
        let answer = client.send(request(Method::GET, "/proxy/hello", &[])).await;
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        clients.push(client);
    }
    let each = || gateway.own_memory().saturating_sub(before) / IDLE;
    support::eventually("small connections", || async { each() < 8 * 1024 }).await;
    for client in &mut clients {
        let answer = client.send(request(Method::GET, "/proxy/hello", &[])).await;
        assert_eq!(answer.status(), 200, "and they go on");
    }
}

#[tokio::test]
async fn a_gibibyte_streams_through_in_both_directions_in_little_memory() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Process::start(&mock.url(), &[("UPSTREAM_TIMEOUT", "120")]).await;
    let mut client = Client::connect(gateway.proxy).await;
    let path = format!("/proxy/bytes/{GIB}");
    let mut body = client
        .send(request(Method::GET, &path, &[]))
        .await
        .into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame
            .unwrap()
            .data_ref()
            .map_or(0, |data| data.len() as u64);
    }
    assert_eq!(received, GIB);
    let chunk = bytes::Bytes::from(vec![7_u8; 64 * 1024]);
    let chunks = GIB / chunk.len() as u64;
    let stream = futures_util::stream::iter(
        (0..chunks).map(move |_| Ok(http_body::Frame::data(chunk.clone()))),
    );
    let sent = build(
        Method::POST,
        "/proxy/sink",
        &[],
        StreamBody::new(stream).boxed(),
    );
    assert_eq!(client.send(sent).await.status(), 200);
    assert_eq!(mock.recorder().last().unwrap().body_length, GIB);
    let peak = gateway.peak_memory();
    assert!(peak < 64 * MIB, "{} MiB", peak / MIB);
}
