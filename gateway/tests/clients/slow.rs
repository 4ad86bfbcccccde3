//! Clients that are slow on purpose, beside ordinary ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use upstream_mock::{Settings, serve};

use crate::measure;
use crate::support::client::Client;
use crate::support::process::Process;
use crate::support::{PATIENCE, eventually};

/// The gateway's patience, of each kind, in seconds.
const DEADLINE: &str = "6s";
/// Ordinary clients, and what each asks for in a round.
const CLIENTS: usize = 8;
const REQUESTS: usize = 150;

#[derive(Clone, Copy, Debug)]
enum Slow {
    Head,
    Body,
    Reader,
}

impl Slow {
    /// A client that is slow in its way until it is cut off. What it was told; nothing when nobody cut it off.
    async fn suffer(self, gateway: SocketAddr, begun: Arc<AtomicU64>) -> Option<Vec<u8>> {
        let socket = TcpSocket::new_v4().unwrap();
        if matches!(self, Self::Reader) {
            socket.set_recv_buffer_size(4_096).unwrap();
        }
        let mut stream = socket.connect(gateway).await.unwrap();
        let (begin, drop): (&[u8], &[u8]) = match self {
            Self::Head => (b"GET /proxy/ok HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n"),
            Self::Body => (
                b"POST /proxy/sink HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
                b"x",
            ),
            Self::Reader => (
                b"GET /proxy/bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"",
            ),
        };
        stream.write_all(begin).await.unwrap();
        begun.fetch_add(1, Relaxed);
        match self {
            Self::Reader => Self::read_nothing(stream).await,
            _ => timeout(PATIENCE, Self::trickle(stream, drop)).await.ok(),
        }
    }

    async fn trickle(stream: TcpStream, drop: &[u8]) -> Vec<u8> {
        let (mut read, mut write) = stream.into_split();
        let mut said = Vec::new();
        let answer = read.read_to_end(&mut said);
        let dripping = async {
            while write.write_all(drop).await.is_ok() {
                sleep(Duration::from_millis(200)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = answer => {}
            () = dripping => {}
        }
        said
    }

    /// Reads nothing until the other side has let go of the connection, then what had arrived.
    async fn read_nothing(mut stream: TcpStream) -> Option<Vec<u8>> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(500)).await;
            // A keep-alive probe would tell; a write to a connection that was let go does too.
            if stream.write_all(b"\r\n").await.is_err() {
                return Some(Vec::new());
            }
        }
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(1), stream.read_to_end(&mut rest)).await;
        None
    }
}

/// The URL of an upstream with a thread of its own, and little of the memory that the system has for all connections: both as if it had
/// a machine of its own, so that what is measured is the gateway's. It ends with the process.
fn upstream() -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_send_buffer_size(64 * 1024).unwrap();
            socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
            let listener = socket.listen(4_096).unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let settings = Settings {
                recording: false,
                ..Settings::default()
            };
            serve(listener, settings, std::future::pending()).await;
        });
    });
    format!("http://{}", told.recv().unwrap())
}

/// Ordinary requests, all of which must succeed: the 99th percentile of how long they took.
async fn ordinary(gateway: SocketAddr) -> Duration {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            let mut client = Client::connect(gateway).await;
            let mut took = Vec::with_capacity(REQUESTS);
            for _ in 0..REQUESTS {
                let begun = Instant::now();
                assert_eq!(client.get("/proxy/ok").await.status, 200);
                took.push(begun.elapsed());
            }
            took
        });
    }
    let mut took: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    assert_eq!(took.len(), CLIENTS * REQUESTS);
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_and_cost_the_others_nothing() {
    let count = measure(150, 1_000);
    let upstream = upstream();
    let patience = [
        ("GATEWAY__SERVER__HEADER_TIMEOUT", DEADLINE),
        ("GATEWAY__SERVER__BODY_TIMEOUT", DEADLINE),
        ("GATEWAY__SERVER__KEEPALIVE_TIMEOUT", DEADLINE),
        ("GATEWAY__SERVER__MAX_CONNECTIONS_PER_ADDRESS", "10000"),
    ];
    let gateway = Process::start(&upstream, &patience).await;
    let proxy = gateway.proxy;
    ordinary(proxy).await;
    let alone = ordinary(proxy).await;
    let mut slow = JoinSet::new();
    let begun = Arc::<AtomicU64>::default();
    for number in 0..count {
        let kind = match number % 3 {
            0 => Slow::Reader,
            1 => Slow::Body,
            _ => Slow::Head,
        };
        let begun = Arc::clone(&begun);
        slow.spawn(async move { (kind, kind.suffer(proxy, begun).await) });
    }
    let all = || async { begun.load(Relaxed) == count };
    eventually("all slow clients have begun", all).await;
    // So many connections at once are work, whoever opens them.
    let arriving = ordinary(proxy).await;
    let beside = ordinary(proxy).await;
    let mut ended = 0;
    while let Some(one) = slow.join_next().await {
        let (kind, told) = one.unwrap();
        let told = told.unwrap_or_else(|| panic!("a slow {kind:?} was never cut off"));
        let told = String::from_utf8_lossy(&told).into_owned();
        let is_told = told.starts_with("HTTP/1.1 408 ");
        assert!(
            is_told || matches!(kind, Slow::Reader),
            "{kind:?}: {told:?}"
        );
        ended += 1;
    }
    assert_eq!(ended, count);
    let after = ordinary(proxy).await;
    println!(
        "p99 of ordinary requests: {alone:?} alone, {arriving:?} while {count} slow clients arrive, {beside:?} beside them, \
         {after:?} after them"
    );
}
