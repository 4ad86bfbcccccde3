//! A data-plane thread: accept, serve, tick, drain.
//!
//! Guarantees: connections and everything they touch stay on this thread; at the drain's deadline what is left is dropped.
//! Must not: block.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::LocalOptions;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::caps::Caps;
use super::drain::{Phase, Signal};
use super::settings::Settings;
use super::stage::{Orders, Stage};
use super::tls::Tls;
use crate::proxy::Proxy;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{Counter, enter_shard};

/// How often a worker does what need not be done for each request.
const TICK: Duration = Duration::from_millis(200);
/// How long to let the system recover when it has no file or memory for one more connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// What every worker's door has in common.
#[derive(Clone, Debug)]
pub struct Entrance {
    signal: Signal,
    caps: Arc<Caps>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shed: Arc<Counter>,
    pub(super) tls: Option<Arc<Tls>>,
}

impl Entrance {
    /// A door that closes when `signal` says so, and through which `caps` lets.
    #[must_use]
    pub fn new(
        signal: Signal,
        caps: Arc<Caps>,
        metrics: Arc<Metrics>,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        Self {
            signal,
            caps,
            shed: metrics.entrance.connections_ended.with(&["cap"]),
            metrics,
            tls,
        }
    }
}

/// A socket of one worker, and how it is spoken to there.
#[derive(Debug)]
pub struct Door {
    /// Bound, not yet accepting.
    pub socket: TcpListener,
    /// Whether TLS is spoken.
    pub is_secure: bool,
}

/// A running data-plane thread.
#[derive(Debug)]
pub struct Worker {
    thread: JoinHandle<io::Result<()>>,
}

impl Worker {
    /// Waits until the thread has drained.
    ///
    /// # Errors
    /// What ended it before its time.
    pub fn join(self) -> io::Result<()> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
    }
}

/// Starts worker number `index` behind `doors`. `proxy` is called on the new thread, inside its runtime.
///
/// # Errors
/// When the system refuses a thread.
pub fn spawn<F>(
    index: usize,
    doors: Vec<Door>,
    settings: &Settings,
    entrance: Entrance,
    orders: Orders,
    proxy: F,
) -> io::Result<Worker>
where
    F: FnOnce() -> io::Result<Rc<Proxy>> + Send + 'static,
{
    let settings = settings.clone();
    let thread = std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            enter_shard(index + 1);
            // Not a `LocalSet`, which would be a second scheduler inside the runtime's and be paid for at every wake-up.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())?;
            runtime.block_on(async move {
                let stage = Rc::new(Stage::new(proxy()?, &settings, &entrance));
                run(doors, &stage, entrance, orders).await
            })
        })?;
    Ok(Worker { thread })
}

async fn run(
    doors: Vec<Door>,
    stage: &Rc<Stage>,
    entrance: Entrance,
    orders: Orders,
) -> io::Result<()> {
    let open = Rc::new(Open::default());
    let ticking = tokio::task::spawn_local(tick(Rc::clone(stage)));
    let heeding = tokio::task::spawn_local({
        let (stage, entrance) = (Rc::clone(stage), entrance.clone());
        async move { stage.heed(orders, &entrance).await }
    });
    let accepting = doors
        .into_iter()
        .map(|door| accept(door, stage, &open, &entrance));
    futures_util::future::try_join_all(accepting).await?;
    // One way of serving is enough for the last requests.
    heeding.abort();
    if timeout(stage.drain_timeout(), open.none_left())
        .await
        .is_err()
    {
        tracing::warn!(event = "drain_deadline", connections = open.count.get());
    }
    ticking.abort();
    stage.proxy().close().await;
    Ok(())
}

/// Accepts until the drain begins; then empties the kernel's queue, whose clients believe that they are connected.
async fn accept(
    Door { socket, is_secure }: Door,
    stage: &Rc<Stage>,
    open: &Rc<Open>,
    entrance: &Entrance,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let mut stop = entrance.signal.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.reached(Phase::Drain) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => start(stage, open, entrance, is_secure, stream, address),
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                tracing::error!(event = "accept_failed", %error);
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    let waiting = std::future::poll_fn(|cx| match listener.poll_accept(cx) {
        std::task::Poll::Ready(Ok(accepted)) => std::task::Poll::Ready(Some(accepted)),
        _ => std::task::Poll::Ready(None),
    });
    let mut waiting = Box::pin(waiting);
    while let Some((stream, address)) = waiting.as_mut().await {
        start(stage, open, entrance, is_secure, stream, address);
    }
    Ok(())
}

fn start(
    stage: &Stage,
    open: &Rc<Open>,
    entrance: &Entrance,
    is_secure: bool,
    stream: TcpStream,
    address: SocketAddr,
) {
    let serve = stage.serve();
    // Shed before anything is spent on it.
    let place = match serve.is_relay(address.ip()) {
        true => Caps::enter_unknown(&entrance.caps),
        false => Caps::enter(&entrance.caps, address.ip()),
    };
    let Some(place) = place else {
        entrance.shed.inc();
        return;
    };
    let guard = Open::enter(open);
    let signal = entrance.signal.clone();
    tokio::task::spawn_local(async move {
        let serving = serve.connection(stream, address, is_secure, place, signal);
        serving.await;
        drop(guard);
    });
}

/// Errors of one connection that failed before it was accepted, not of the listener.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

async fn tick(stage: Rc<Stage>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        stage.proxy().tick();
    }
}

/// The connections of this thread.
#[derive(Debug, Default)]
struct Open {
    count: Cell<usize>,
    changed: tokio::sync::Notify,
}

impl Open {
    fn enter(open: &Rc<Self>) -> OpenGuard {
        open.count.set(open.count.get() + 1);
        OpenGuard(Rc::clone(open))
    }

    async fn none_left(&self) {
        while self.count.get() > 0 {
            self.changed.notified().await;
        }
    }
}

struct OpenGuard(Rc<Open>);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.changed.notify_one();
    }
}
