//! TLS towards clients: which certificate, which version, which protocol; and new certificates without a restart.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::client::{Client, request};
use super::pki::{Authority, shown};
use super::support::gateway::Gateway;
use super::support::{PATIENCE, eventually};
use super::wire::{Pair, Upstream};

const HOST: &str = "api.example";

/// An upstream and a gateway with these certificates before it.
pub(crate) async fn pair(authority: &Authority, names: &[&str], more: &[(&str, &str)]) -> Pair {
    let upstream = Upstream::start(&[]).await;
    let own = authority.variables(names);
    let own = own
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let all: Vec<_> = own.chain(more.iter().copied()).collect();
    let gateway = Gateway::start(&format!("http://{}", upstream.address), &all);
    Pair { upstream, gateway }
}

/// One request by HTTP/1.1; the whole answer.
pub(crate) async fn ask(stream: &mut TlsStream<TcpStream>, headers: &str) -> String {
    let asked = format!("GET /proxy/x HTTP/1.1\r\nhost: {HOST}\r\n{headers}\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while !all.ends_with(b"\r\n\r\nok") {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap();
        let count = read.unwrap_or_default();
        if count == 0 {
            break;
        }
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn the_certificate_is_the_one_for_the_host_asked_for() {
    let authority = Authority::new();
    let first = authority.issue("first", &["first.example", "127.0.0.1"]);
    let own = authority.issue("own", &["api.example"]);
    let wild = authority.issue("wild", &["*.example.org"]);
    let pair = pair(&authority, &["first", "own", "wild"], &[]).await;
    let client = authority.client(None);
    for (host, expected) in [
        ("first.example", &first),
        ("api.example", &own),
        ("API.example", &own),
        ("a.example.org", &wild),
        // No name is sent for an address.
        ("127.0.0.1", &first),
    ] {
        let stream = client.call(pair.gateway.proxy(), host, &[]).await.unwrap();
        assert_eq!(&shown(&stream), expected, "{host}");
    }
    for unknown in ["other.example", "a.b.example.org", "example.org"] {
        let refused = client.call(pair.gateway.proxy(), unknown, &[]).await;
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("not valid for name"),
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_on_and_the_upstream_is_told_of_tls() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let pair = pair(&authority, &["own"], &[]).await;
    let client = authority.client(None);
    let address = pair.gateway.proxy();
    for protocols in [&[][..], &["http/1.1"], &["http/1.1", "unknown"]] {
        let mut stream = client.call(address, HOST, protocols).await.unwrap();
        let answer = ask(
            &mut stream,
            "client-cert: :bWU=:\r\nclient-cert-chain: :bWU=:\r\n",
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let stream = client
        .call(address, HOST, &["h2", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let h2 = Client::over(stream).await;
    let forged = request(Method::GET, "/proxy/x", &[("client-cert", ":bWU=:")]);
    assert_eq!(h2.send(forged, &[], None).await.unwrap().status, 200);
    let received = pair.upstream.received();
    assert_eq!(received.matches("x-forwarded-proto: https\r\n").count(), 4);
    assert!(!received.contains("client-cert"), "{received}");
    assert!(client.call(address, HOST, &["unknown"]).await.is_err());
}

#[tokio::test]
async fn http_2_is_not_offered_where_it_is_switched_off() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let pair = pair(
        &authority,
        &["own"],
        &[("GATEWAY__SERVER__TLS__HTTP2", "false")],
    )
    .await;
    let client = authority.client(None);
    let call = client.call(pair.gateway.proxy(), HOST, &["h2", "http/1.1"]);
    let mut stream = call.await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(ask(&mut stream, "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn no_version_older_than_allowed_is_spoken() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let (v12, v13) = (&rustls::version::TLS12, &rustls::version::TLS13);
    for (least, version, is_spoken) in [
        ("1.2", v12, true),
        ("1.2", v13, true),
        ("1.3", v12, false),
        ("1.3", v13, true),
    ] {
        let more = [("GATEWAY__SERVER__TLS__MIN_VERSION", least)];
        let pair = pair(&authority, &["own"], &more).await;
        let client = authority.client_speaking(version);
        let outcome = client.call(pair.gateway.proxy(), HOST, &[]).await;
        assert_eq!(
            outcome.is_ok(),
            is_spoken,
            "{version:?} where {least} is the least"
        );
    }
}

#[tokio::test]
async fn a_listener_of_its_own_leaves_the_other_in_clear() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let more = [("GATEWAY__SERVER__TLS__LISTEN", "127.0.0.1:0")];
    let pair = pair(&authority, &["own"], &more).await;
    assert_eq!(pair.gateway.get("/proxy/x").await.status, 200);
    let client = authority.client(None);
    let secure = pair.gateway.tls();
    assert_ne!(secure, pair.gateway.proxy());
    let mut stream = client.call(secure, HOST, &[]).await.unwrap();
    assert!(ask(&mut stream, "").await.starts_with("HTTP/1.1 200"));
    let received = pair.upstream.received();
    assert!(
        received.contains("x-forwarded-proto: http\r\n"),
        "{received}"
    );
    assert!(
        received.contains("x-forwarded-proto: https\r\n"),
        "{received}"
    );
}

#[tokio::test]
async fn a_handshake_has_a_deadline_and_counts_as_a_connection() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let more = [
        ("GATEWAY__SERVER__TLS__HANDSHAKE_TIMEOUT", "200ms"),
        ("GATEWAY__SERVER__MAX_CONNECTIONS", "1"),
    ];
    let pair = pair(&authority, &["own"], &more).await;
    let address = pair.gateway.proxy();
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(&[22, 3, 1]).await.unwrap();
    let client = authority.client(None);
    eventually("the silent one has a place", || async {
        client.call(address, HOST, &[]).await.is_err()
    })
    .await;
    let mut byte = [0];
    let ended = timeout(PATIENCE, silent.read(&mut byte)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    eventually("the place is free", || async {
        client.call(address, HOST, &[]).await.is_ok()
    })
    .await;
    let late = "gateway_tls_handshakes_total{result=\"timeout\"}";
    assert_eq!(pair.gateway.metric(late).await, 1.0);
}

#[tokio::test]
async fn http_in_clear_on_a_tls_port_reaches_nobody() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let pair = pair(&authority, &["own"], &[]).await;
    let mut stream = TcpStream::connect(pair.gateway.proxy()).await.unwrap();
    stream
        .write_all(b"GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(!answer.starts_with(b"HTTP/"));
    assert_eq!(pair.upstream.received(), "");
    let failed = "gateway_tls_handshakes_total{result=\"failure\"}";
    assert_eq!(pair.gateway.metric(failed).await, 1.0);
}

#[tokio::test]
async fn new_certificates_are_used_without_a_restart_and_bad_ones_never() {
    let authority = Authority::new();
    let old = authority.issue("own", &[HOST]);
    let more = [("GATEWAY__SERVER__TLS__RELOAD_INTERVAL", "20ms")];
    let pair = pair(&authority, &["own"], &more).await;
    let address = pair.gateway.proxy();
    let client = authority.client(None);
    let mut before = client.call(address, HOST, &[]).await.unwrap();
    assert_eq!(shown(&before), old);

    std::fs::write(authority.file("own.pem"), "no certificate").unwrap();
    let failures = "gateway_tls_reloads_total{result=\"failure\"}";
    eventually("it is said", || async {
        pair.gateway.metric(failures).await > 0.0
    })
    .await;
    let stream = client.call(address, HOST, &[]).await.unwrap();
    assert_eq!(shown(&stream), old);

    let new = authority.issue("own", &[HOST]);
    eventually("the new one is shown", || async {
        shown(&client.call(address, HOST, &[]).await.unwrap()) == new
    })
    .await;
    assert!(
        pair.gateway
            .metric("gateway_tls_reloads_total{result=\"success\"}")
            .await
            >= 1.0
    );
    // Who was there before stays.
    assert!(ask(&mut before, "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn it_is_exposed_when_certificates_end() {
    let authority = Authority::new();
    let der = authority.issue("own", &[HOST]);
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    let end = certificate.validity().not_after.timestamp();
    let pair = pair(&authority, &["own"], &[]).await;
    let sample = "gateway_tls_certificate_expiry_timestamp_seconds{name=\"api.example\"}";
    assert_eq!(pair.gateway.metric(sample).await, end as f64);
}

#[tokio::test]
async fn a_stop_ends_tls_in_order() {
    let authority = Authority::new();
    authority.issue("own", &[HOST]);
    let Pair { upstream, gateway } = pair(&authority, &["own"], &[]).await;
    let client = authority.client(None);
    let mut http1 = client.call(gateway.proxy(), HOST, &[]).await.unwrap();
    assert!(ask(&mut http1, "").await.starts_with("HTTP/1.1 200"));
    let http2 = client.call(gateway.proxy(), HOST, &["h2"]).await.unwrap();
    let http2 = Client::over(http2).await;
    assert_eq!(http2.get("/proxy/x").await.unwrap().status, 200);
    drop(gateway);
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, http1.read_to_end(&mut rest))
        .await
        .unwrap();
    // Without `close_notify` this would be an error: the end could be anybody's.
    assert_eq!(ended.unwrap(), 0);
    // It may still have something to say when the gateway has gone.
    let _ = timeout(PATIENCE, http2.connection).await.unwrap();
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn curl_speaks_both_versions() {
    let authority = Authority::new();
    authority.issue("own", &["localhost", "127.0.0.1"]);
    let pair = pair(&authority, &["own"], &[]).await;
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let url = format!("https://127.0.0.1:{}/proxy/x", pair.gateway.proxy().port());
        let mut curl = tokio::process::Command::new("curl");
        curl.args([
            "-sS",
            "--max-time",
            "20",
            flag,
            "--cacert",
            &authority.file("ca.pem"),
        ])
        .args(["-w", " %{http_version} %{http_code}", &url]);
        let output = curl.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("ok {version} 200"), "{output:?}");
    }
}
