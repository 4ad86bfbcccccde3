//! The PROXY protocol: whose a connection is, when a balancer that is trusted says so, and only then.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::Client;
use super::pki::Authority;
use super::support::{PATIENCE, eventually};
use super::wire::Pair;

const TRUSTED: (&str, &str) = ("GATEWAY__SERVER__PROXY_PROTOCOL", "127.0.0.1/32");
const GET: &str = "GET /proxy/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const LINE: &str = "PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n";
const REFUSED: &str = "gateway_client_connections_ended_total{reason=\"proxy_protocol\"}";

fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
    bytes.extend(addresses);
    bytes
}

async fn exchange(pair: &Pair, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(pair.gateway.proxy()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        let _ = stream.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_client_is_whom_a_trusted_balancer_names() {
    let pair = Pair::start(&[], &[TRUSTED]).await;
    let v4 = binary(1, 0x11, &[198, 51, 100, 7, 192, 0, 2, 1, 1, 2, 3, 4]);
    let whole = [LINE.as_bytes(), GET.as_bytes()].concat();
    let (first, second) = LINE.as_bytes().split_at(20);
    let cases: [(&str, Vec<&[u8]>); 5] = [
        ("203.0.113.9", vec![&whole]),
        ("203.0.113.9", vec![first, second, GET.as_bytes()]),
        ("198.51.100.7", vec![&v4[..5], &v4[5..], GET.as_bytes()]),
        ("127.0.0.1", vec![b"PROXY UNKNOWN\r\n", GET.as_bytes()]),
        (
            "127.0.0.1",
            vec![b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", GET.as_bytes()],
        ),
    ];
    for (number, (client, pieces)) in cases.iter().enumerate() {
        let answer = exchange(&pair, pieces).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{number}: {answer:?}");
        let received = pair.upstream.received();
        let last = received.rsplit("GET ").next().unwrap();
        assert!(
            last.contains(&format!("x-forwarded-for: {client}\r\n")),
            "{number}: {last}"
        );
    }
}

#[tokio::test]
async fn a_trusted_balancer_must_name_the_client_and_nobody_else_may() {
    let pair = Pair::start(
        &[],
        &[TRUSTED, ("GATEWAY__SERVER__HEADER_TIMEOUT", "200ms")],
    )
    .await;
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    for (number, bytes) in [GET, "PROXY TCP4 nobody\r\n", &endless, "PROXY TC"]
        .iter()
        .enumerate()
    {
        assert_eq!(exchange(&pair, &[bytes.as_bytes()]).await, "", "{bytes:?}");
        let expected = f64::from(u32::try_from(number + 1).unwrap());
        assert_eq!(pair.gateway.metric(REFUSED).await, expected, "{bytes:?}");
    }
    assert_eq!(pair.upstream.received(), "");
    let strangers = Pair::start(&[], &[("GATEWAY__SERVER__PROXY_PROTOCOL", "192.0.2.0/24")]).await;
    let answer = exchange(&strangers, &[LINE.as_bytes(), GET.as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        exchange(&strangers, &[GET.as_bytes()])
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn caps_count_the_client_and_not_the_balancer() {
    let cap = ("GATEWAY__SERVER__MAX_CONNECTIONS_PER_ADDRESS", "1");
    let pair = Pair::start(&[], &[TRUSTED, cap]).await;
    let mut held = Vec::new();
    for client in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        let mut stream = TcpStream::connect(pair.gateway.proxy()).await.unwrap();
        let line =
            format!("PROXY TCP4 {client} 192.0.2.1 1 2\r\nGET /health HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        held.push(stream);
    }
    let again = "PROXY TCP4 203.0.113.2 192.0.2.1 1 2\r\n";
    assert_eq!(
        exchange(&pair, &[again.as_bytes(), GET.as_bytes()]).await,
        ""
    );
    held.clear();
    eventually("the place is free", || async {
        !exchange(&pair, &[again.as_bytes(), GET.as_bytes()])
            .await
            .is_empty()
    })
    .await;
}

#[tokio::test]
async fn it_stands_before_tls_and_before_http_2() {
    let authority = Authority::new();
    authority.issue("own", &["api.example"]);
    let listen = ("GATEWAY__SERVER__TLS__LISTEN", "127.0.0.1:0");
    let pair = super::tls::pair(&authority, &["own"], &[TRUSTED, listen]).await;
    let mut clear = TcpStream::connect(pair.gateway.proxy()).await.unwrap();
    clear.write_all(LINE.as_bytes()).await.unwrap();
    let h2 = Client::over(clear).await;
    assert_eq!(h2.get("/proxy/x").await.unwrap().status, 200);
    let mut secure = TcpStream::connect(pair.gateway.tls()).await.unwrap();
    secure.write_all(LINE.as_bytes()).await.unwrap();
    let mut secure = authority
        .client(None)
        .over(secure, "api.example", &["http/1.1"])
        .await
        .unwrap();
    assert!(
        super::tls::ask(&mut secure, "")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let received = pair.upstream.received();
    assert_eq!(
        received.matches("x-forwarded-for: 203.0.113.9\r\n").count(),
        2,
        "{received}"
    );
}
