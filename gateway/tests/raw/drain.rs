//! A gateway that leaves takes no request with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::eventually;
use super::support::gateway::Gateway;
use super::wire::{Pair, Upstream, Wire, status};

const GET: &str = "GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n";
const CLIENTS: usize = 16;

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answered: AtomicUsize,
    told_to_leave: AtomicUsize,
    lost: AtomicUsize,
}

/// One request; whether the connection may be used again, or nothing if the request was lost.
async fn request(stream: &mut TcpStream) -> Option<bool> {
    stream.write_all(GET.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(b"\r\n\r\nok") {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
    Some(!String::from_utf8_lossy(&answer).contains("connection: close"))
}

/// A client that keeps its connection until it is told that an answer is the last.
async fn client(address: SocketAddr, tally: Arc<Tally>) {
    while !tally.stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            tally.lost.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        while !tally.stop.load(Ordering::Relaxed) {
            match request(&mut stream).await {
                None => {
                    tally.lost.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Some(stays) => {
                    tally.answered.fetch_add(1, Ordering::Relaxed);
                    if !stays {
                        tally.told_to_leave.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_no_request() {
    let upstream = Upstream::start(&[]).await;
    let url = format!("http://{}", upstream.address);
    let first = Gateway::start(&url, &[("GATEWAY__SERVER__DRAIN_DELAY", "200ms")]);
    let address = first.proxy();
    let tally = Arc::new(Tally::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(client(address, Arc::clone(&tally))))
        .collect();
    let answered = |count: usize| {
        let tally = Arc::clone(&tally);
        let from = tally.answered.load(Ordering::Relaxed);
        async move {
            eventually("answers", || async {
                tally.answered.load(Ordering::Relaxed) >= from + count
            })
            .await;
        }
    };
    answered(200).await;
    let listen = address.to_string();
    let second = Gateway::start(&url, &[("GATEWAY__SERVER__LISTEN", &listen)]);
    let admin = first.admin();
    tokio::task::spawn_blocking(move || drop(first))
        .await
        .unwrap();
    // It goes on stopping behind that.
    eventually("the first one is gone", || async {
        TcpStream::connect(admin).await.is_err()
    })
    .await;
    answered(200).await;
    tally.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(tally.lost.load(Ordering::Relaxed), 0, "lost requests");
    assert!(tally.told_to_leave.load(Ordering::Relaxed) > 0);
    tokio::task::spawn_blocking(move || drop(second))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_may_still_ask_once_when_the_stop_has_begun() {
    let Pair {
        upstream: _upstream,
        gateway,
    } = Pair::start(&[], &[]).await;
    let mut idle = Wire::connect(&gateway).await;
    let mut silent = Wire::connect(&gateway).await;
    for wire in [&mut idle, &mut silent] {
        wire.send(GET).await;
        wire.until("\r\n\r\nok").await;
    }
    let address = gateway.proxy();
    let stopping = tokio::task::spawn_blocking(move || drop(gateway));
    eventually("the listener closes", || async {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    idle.send(GET).await;
    let last = idle.rest().await;
    assert_eq!(status(&last), 200, "{last}");
    assert!(last.contains("connection: close\r\n"), "{last}");
    assert_eq!(silent.rest().await, "", "closed in the end, without a word");
    tokio::time::timeout(Duration::from_secs(10), stopping)
        .await
        .expect("the stop ends")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_ends_at_the_deadline() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let Pair {
        upstream: _upstream,
        gateway,
    } = Pair::start(&[switch], &[("GATEWAY__SERVER__DRAIN_TIMEOUT", "300ms")]).await;
    let mut wire = Wire::connect(&gateway).await;
    wire.send("GET /proxy/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
        .await;
    wire.until("\r\n\r\n").await;
    let stopping = tokio::task::spawn_blocking(move || drop(gateway));
    assert_eq!(wire.rest().await, "");
    stopping.await.unwrap();
}
