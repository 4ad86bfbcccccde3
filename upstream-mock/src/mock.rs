//! A mock in this process. Guarantees: listens once `start` has returned, stops when dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connection::accept;
use crate::recorder::Recorder;
use crate::respond::Responder;
use crate::settings::Settings;

/// So many connections may wait to be accepted: a burst of requests on a busy machine is not to be cut off by the mock's own queue.
const BACKLOG: u32 = 4_096;

/// A listener at this address for [`serve`].
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// A running mock. Dropped, it closes its listener and its connections as soon as the runtime gets to it.
#[must_use = "a dropped mock stops"]
pub struct Mock {
    addr: SocketAddr,
    responder: Arc<Responder>,
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Mock {
    /// Starts a mock on a free port of 127.0.0.1, as a task of the current runtime.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        Self::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings).await
    }

    /// Starts a mock on this address, as a task of the current runtime.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(addr: SocketAddr, settings: Settings) -> io::Result<Self> {
        let listener = listen(addr)?;
        let addr = listener.local_addr()?;
        let responder = Arc::new(Responder::new(settings));
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            // An error means the `Mock` was dropped, which stops it just as well.
            let _ = stopped.await;
        };
        let task = tokio::spawn(accept(listener, Arc::clone(&responder), shutdown));
        Ok(Self {
            addr,
            responder,
            task,
            stop: Some(stop),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens, as `http://address:port` without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What it was asked; stays readable after the mock is gone.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.responder.recorder().clone()
    }

    /// Fails everything from now on, or nothing more: the two switches, without a request.
    pub fn set_failing(&self, failing: bool) {
        self.responder.set_failing(failing);
    }

    /// Stops it and returns once its port is free and its connections are closed.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on a listener that the caller bound until `shutdown`, then closes every connection and returns.
pub async fn serve(listener: TcpListener, settings: Settings, shutdown: impl Future<Output = ()>) {
    accept(listener, Arc::new(Responder::new(settings)), shutdown).await;
}
