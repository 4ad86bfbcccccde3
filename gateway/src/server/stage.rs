//! What a worker serves with, and how that is exchanged while connections go on.
//!
//! Guarantees: an exchange has two steps: every worker makes the new, and only when all have is it put in place; a request is served
//! to its end by the proxy it began with; a connection stays open and finds the new one at its next request. Must not: know why
//! anything is exchanged.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::connection::Serve;
use super::settings::Settings;
use super::worker::Entrance;
use crate::proxy::Proxy;

/// Exchanges that may wait for a worker; they come one at a time.
const WAITING: usize = 1;

/// Makes a proxy from the one before it, on the worker's thread.
pub type Build = Box<dyn FnOnce(&Rc<Proxy>) -> io::Result<Rc<Proxy>> + Send>;
/// Takes back what making it did to the one before.
pub type Undo = Box<dyn FnOnce(&Rc<Proxy>) + Send>;

/// What a worker is to serve with from now on.
pub struct Change {
    /// How connections that come are served.
    pub settings: Settings,
    /// What serves requests.
    pub build: Build,
    /// What is done when it comes to nothing, here or on another worker.
    pub undo: Undo,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Order {
    change: Change,
    made: oneshot::Sender<io::Result<()>>,
    go: oneshot::Receiver<()>,
    done: oneshot::Sender<()>,
}

/// A way to one worker.
#[derive(Clone, Debug)]
pub struct Hand(mpsc::Sender<Order>);

/// The worker's end of it.
#[derive(Debug)]
pub struct Orders(mpsc::Receiver<Order>);

/// A change that a worker has made and not yet put in place. Dropped, it comes to nothing.
#[derive(Debug)]
pub struct Staged {
    go: oneshot::Sender<()>,
    done: oneshot::Receiver<()>,
}

/// A way to a worker that is yet to be started.
#[must_use]
pub fn hand() -> (Hand, Orders) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Hand(sender), Orders(receiver))
}

impl Hand {
    /// Has the worker make `change`, and waits until it has.
    ///
    /// # Errors
    /// What it could not make, or that it has ended.
    pub async fn stage(&self, change: Change) -> io::Result<Staged> {
        let gone = || io::Error::other("a worker has ended");
        let (made, answer) = oneshot::channel();
        let (go, may_go) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let order = Order {
            change,
            made,
            go: may_go,
            done,
        };
        self.0.send(order).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())??;
        Ok(Staged { go, done: is_done })
    }
}

impl Staged {
    /// Puts it in place, and waits until it is.
    pub async fn commit(self) {
        // A worker that ends meanwhile has nothing to serve any more.
        if self.go.send(()).is_ok() {
            let _ = self.done.await;
        }
    }
}

/// The proxy that serves the next request of every connection.
#[derive(Debug)]
pub(super) struct Current(RefCell<Rc<Proxy>>);

impl Current {
    /// Asked once for each request, which keeps what it gets until it is answered.
    pub(super) fn get(&self) -> Rc<Proxy> {
        Rc::clone(&self.0.borrow())
    }
}

/// What one worker serves with.
#[derive(Debug)]
pub(super) struct Stage {
    current: Rc<Current>,
    serve: RefCell<Rc<Serve>>,
    drain_timeout: Cell<Duration>,
}

impl Stage {
    pub(super) fn new(proxy: Rc<Proxy>, settings: &Settings, entrance: &Entrance) -> Self {
        let current = Rc::new(Current(RefCell::new(proxy)));
        let serve = Serve::new(Rc::clone(&current), settings, entrance);
        Self {
            current,
            serve: RefCell::new(Rc::new(serve)),
            drain_timeout: Cell::new(settings.drain_timeout),
        }
    }

    /// How the next connection is served.
    pub(super) fn serve(&self) -> Rc<Serve> {
        Rc::clone(&self.serve.borrow())
    }

    /// What serves the next request.
    pub(super) fn proxy(&self) -> Rc<Proxy> {
        self.current.get()
    }

    pub(super) fn drain_timeout(&self) -> Duration {
        self.drain_timeout.get()
    }

    /// Carries out changes for as long as any may come.
    pub(super) async fn heed(&self, mut orders: Orders, entrance: &Entrance) {
        while let Some(order) = orders.0.recv().await {
            let Order {
                change,
                made,
                go,
                done,
            } = order;
            let before = self.proxy();
            let proxy = match (change.build)(&before) {
                Ok(proxy) => proxy,
                Err(error) => {
                    (change.undo)(&before);
                    // Whoever ordered it has gone: then nobody needs to know.
                    let _ = made.send(Err(error));
                    continue;
                }
            };
            if made.send(Ok(())).is_err() || go.await.is_err() {
                (change.undo)(&before);
                continue;
            }
            self.exchange(proxy, &change.settings, entrance);
            let _ = done.send(());
        }
    }

    fn exchange(&self, proxy: Rc<Proxy>, settings: &Settings, entrance: &Entrance) {
        let before = self.current.0.replace(proxy);
        // What it has recorded; requests it still serves record themselves.
        before.tick();
        let serve = Serve::new(Rc::clone(&self.current), settings, entrance);
        self.serve.replace(Rc::new(serve));
        self.drain_timeout.set(settings.drain_timeout);
    }
}
