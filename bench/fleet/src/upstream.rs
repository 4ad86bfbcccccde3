//! The mock upstream, on a thread of its own so that it does not wait for the load generator.
//!
//! Guarantees: stops when dropped. Must not: record what it is asked unless a scenario counts it: that costs a lock a request.

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use upstream_mock::{Mock, Recorder, Settings};

use crate::error::Failure;
use crate::http::Connection;

/// A running mock.
pub(crate) struct Upstream {
    url: String,
    address: SocketAddr,
    recorder: Recorder,
    control: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    pub(crate) fn start(recording: bool) -> Result<Self, Failure> {
        let (started, starting) = channel();
        let (control, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || serve(recording, &started, stopped));
        let (address, recorder) = starting
            .recv()
            .map_err(|_| Failure::Never("the mock upstream starts"))?;
        Ok(Self {
            url: format!("http://{address}"),
            address,
            recorder,
            control: Some(control),
            thread: Some(thread),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Fails everything from now on, or nothing more.
    pub(crate) async fn set_failing(&self, failing: bool) -> Result<(), Failure> {
        let path = if failing {
            "simulate-failure"
        } else {
            "simulate-recovery"
        };
        let request = format!("POST /{path} HTTP/1.1\r\nhost: bench\r\ncontent-length: 0\r\n\r\n");
        Connection::open(self.address)
            .await?
            .ask(request.as_bytes())
            .await?;
        Ok(())
    }

    /// How many requests arrived; only when recording.
    pub(crate) fn requests(&self) -> u64 {
        self.recorder.count()
    }
}

fn serve(
    recording: bool,
    started: &std::sync::mpsc::Sender<(SocketAddr, Recorder)>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let settings = Settings {
            recording,
            ..Settings::default()
        };
        let Ok(mock) = Mock::start(settings).await else {
            return;
        };
        let _ = started.send((mock.addr(), mock.recorder()));
        let _ = stopped.await;
        mock.stop().await;
    });
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.control.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
