//! Interim answers of an upstream, 103 Early Hints above all (RFC 8297), on their way to the client.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::gateway;
use crate::support::PATIENCE;

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\
                     connection: x-hop\r\nx-hop: 1\r\ncontent-length: 3\r\n\r\n";
const PASSED: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
const FINAL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// Says `interim` to each request, and the final answer when it is let.
async fn upstream(interim: &'static str) -> (String, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gate = Arc::new(Semaphore::new(0));
    let let_go = Arc::clone(&gate);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let gate = Arc::clone(&let_go);
            tokio::spawn(async move {
                while head(&mut stream).await.is_some() {
                    stream.write_all(interim.as_bytes()).await.unwrap();
                    gate.acquire().await.unwrap().forget();
                    stream.write_all(FINAL.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, gate)
}

/// The next head, byte by byte so that nothing behind it is taken.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// The same, for what must come.
async fn told(stream: &mut TcpStream) -> String {
    let head = timeout(PATIENCE, head(stream)).await;
    head.expect("a head in time").expect("a whole head")
}

async fn answer(stream: &mut TcpStream) {
    let head = told(stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut body = [0; 5];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"hello");
}

async fn ask(address: std::net::SocketAddr, requests: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream
}

const GET: &str = "GET /proxy/page HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn hints_are_there_before_the_answer() {
    let (url, gate) = upstream(HINTS).await;
    let gateway = gateway(&url, &[]);
    let mut client = ask(gateway.proxy(), GET).await;
    for _ in 0..3 {
        // The answer does not exist yet.
        assert_eq!(told(&mut client).await, PASSED);
        gate.add_permits(1);
        answer(&mut client).await;
        client.write_all(GET.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn hints_belong_to_their_own_answer_however_requests_come() {
    let (url, gate) = upstream(HINTS).await;
    gate.add_permits(50);
    let gateway = gateway(&url, &[]);
    let mut client = ask(gateway.proxy(), &GET.repeat(50)).await;
    for _ in 0..50 {
        assert_eq!(told(&mut client).await, PASSED);
        answer(&mut client).await;
    }
}

#[tokio::test]
async fn several_pass_in_order_and_100_is_the_gateways_own() {
    let several = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                   HTTP/1.1 103 Early Hints\r\nlink: <b>\r\nlink: <c>\r\n\r\n";
    let (url, gate) = upstream(several).await;
    let gateway = gateway(&url, &[]);
    let mut client = ask(gateway.proxy(), GET).await;
    assert_eq!(told(&mut client).await, "HTTP/1.1 102 Processing\r\n\r\n");
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: <b>\r\nlink: <c>\r\n\r\n";
    assert_eq!(told(&mut client).await, hints);
    gate.add_permits(1);
    answer(&mut client).await;
}

#[tokio::test]
async fn a_body_that_was_asked_for_and_hints_do_not_get_into_each_others_way() {
    let (url, gate) = upstream(HINTS).await;
    let gateway = gateway(&url, &[]);
    let post =
        "POST /proxy/page HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    let mut client = ask(gateway.proxy(), post).await;
    let mut heads = vec![told(&mut client).await, told(&mut client).await];
    heads.sort_unstable();
    assert_eq!(heads, ["HTTP/1.1 100 Continue\r\n\r\n", PASSED]);
    client.write_all(b"hi").await.unwrap();
    gate.add_permits(1);
    answer(&mut client).await;
}

#[tokio::test]
async fn who_does_not_expect_them_gets_none() {
    let (url, gate) = upstream(HINTS).await;
    gate.add_permits(2);
    // RFC 9110, section 15.2: HTTP/1.0 knows no interim answers.
    let on = gateway(&url, &[]);
    let old = "GET /proxy/page HTTP/1.0\r\n\r\n";
    let mut client = ask(on.proxy(), old).await;
    let head = told(&mut client).await;
    assert!(head.contains(" 200 OK"), "{head}");
    let off = gateway(&url, &[("informational", "false")]);
    let mut client = ask(off.proxy(), GET).await;
    answer(&mut client).await;
}

#[tokio::test]
async fn a_head_that_is_never_finished_is_no_hint() {
    let (url, gate) = upstream("HTTP/1.1 103 Early Hints\r\nlink: <d>\r\n").await;
    let gateway = gateway(&url, &[]);
    let mut client = ask(gateway.proxy(), GET).await;
    // What follows completes no head: the final answer is a field that is none.
    gate.add_permits(1);
    let head = told(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
}
