//! An upstream that can do so much and no more: so many requests at a time, each for so long; the others wait their turn, for ever.
//!
//! Guarantees: never more at a time than it was told; runs on a thread of its own until it is dropped. Must not: turn anybody away: what
//! that leads to is what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use crate::error::Failure;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The running upstream.
pub(crate) struct Narrow {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Narrow {
    /// Starts one that does `width` requests at a time, each for `each`.
    pub(crate) fn start(width: usize, each: Duration) -> Result<Self, Failure> {
        let (started, starting) = channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || serve(width, each, &started, stopped));
        let address = starting
            .recv()
            .map_err(|_| Failure::Never("the narrow upstream starts"))?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    width: usize,
    each: Duration,
    started: &Sender<SocketAddr>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let Ok(listener) = upstream_mock::listen(([127, 0, 0, 1], 0).into()) else {
            return;
        };
        let Ok(address) = listener.local_addr() else {
            return;
        };
        let _ = started.send(address);
        let turns = Arc::new(Semaphore::new(width));
        let accepting = async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&turns), each));
            }
        };
        tokio::select! {
            () = accepting => {}
            _ = stopped => {}
        }
    });
}

/// Answers what comes on one connection; its clients send no bodies.
async fn converse(mut stream: TcpStream, turns: Arc<Semaphore>, each: Duration) {
    let _ = stream.set_nodelay(true);
    let mut head = Vec::with_capacity(4096);
    loop {
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => return,
            Ok(_) if !head.ends_with(b"\r\n\r\n") => continue,
            Ok(_) => head.clear(),
        }
        let turn = turns.acquire().await;
        sleep(each).await;
        drop(turn);
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
