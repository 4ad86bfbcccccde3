//! An HTTP/1.1 connection to an upstream, driven by whoever waits for what comes over it.
//!
//! Guarantees: a request, its connection and its answer are one task, so that between them nothing is woken, queued or scheduled;
//! a connection that nobody waits for costs nothing until it is taken or swept. Must not: box or copy anything for each request.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::hints::{Ears, Listener};
use super::link::Failed;
use super::timer::Timer;
use super::upload::RequestBody;

/// What reads and writes until the connection ends.
enum Connection {
    Here(Pin<Box<dyn Future<Output = hyper::Result<()>>>>),
    /// In a task of its own.
    Elsewhere,
    Ended,
}

/// So often the connection is driven in one turn if it asks for it; then others have theirs.
const ROUNDS: usize = 4;

/// A connection that takes one request at a time.
pub(super) struct Line {
    sender: SendRequest<RequestBody>,
    drive: Drive,
    timer: Timer,
    ears: Arc<Ears>,
    pub(super) born: Instant,
    pub(super) served: u32,
}

impl Line {
    pub(super) fn new(
        sender: SendRequest<RequestBody>,
        connection: impl Future<Output = hyper::Result<()>> + 'static,
        ears: Arc<Ears>,
        born: Instant,
    ) -> Self {
        Self {
            sender,
            ears,
            drive: Drive::new(Connection::Here(Box::pin(connection))),
            timer: Timer::default(),
            born,
            served: 0,
        }
    }

    /// Whether it has ended, as far as anybody has looked.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.drive.connection, Connection::Ended) || self.sender.is_closed()
    }

    /// Has nobody woken by it any more: its exchange is complete, and whoever waited for that has something else to do.
    pub(super) fn rest(&self) {
        self.drive.bell.hush();
    }

    /// Looks whether it has ended; it is idle.
    pub(super) fn look(&mut self) {
        self.drive.look();
    }

    /// Sends `request` and waits for the response head, at most until `until`.
    pub(super) async fn exchange(
        &mut self,
        request: Box<Request<RequestBody>>,
        until: Instant,
        listener: Option<&Listener>,
    ) -> Result<Response<Incoming>, Failed> {
        let Self {
            sender,
            drive,
            timer,
            ears,
            ..
        } = self;
        if !sender.is_ready() {
            let ready = poll_fn(|cx| match drive.until(cx, |own| sender.poll_ready(own)) {
                Poll::Ready(ready) => Poll::Ready(Some(ready)),
                Poll::Pending => timer.poll(cx, until).map(|()| None),
            });
            match ready.await {
                Some(Ok(())) => {}
                Some(Err(_)) => return Err(Failed::Unsent(request)),
                None => return Err(Failed::Late),
            }
        }
        ears.listen(listener);
        let mut answer = pin!(sender.try_send_request(*request));
        let answered = poll_fn(
            |cx| match drive.until(cx, |own| answer.as_mut().poll(own)) {
                Poll::Ready(answered) => Poll::Ready(Some(answered)),
                Poll::Pending => timer.poll(cx, until).map(|()| None),
            },
        );
        match answered.await.ok_or(Failed::Late)? {
            Ok(response) => {
                self.served = self.served.saturating_add(1);
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    drive.let_go();
                }
                Ok(response)
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Failed::Unsent(Box::new(request)),
                None => Failed::Broken(error.into_error()),
            }),
        }
    }

    /// Lets the connection go on by itself: it has more to do than what its answer is waited for.
    pub(super) fn let_go(&mut self) {
        self.drive.let_go();
    }

    /// Drives the connection until `ready` is, which depends on nothing else.
    pub(super) fn poll_until<R>(
        &mut self,
        cx: &mut Context<'_>,
        ready: impl FnMut(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.drive.until(cx, ready)
    }
}

/// The connection, and who is woken by it.
struct Drive {
    connection: Connection,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Drive {
    fn new(connection: Connection) -> Self {
        let bell = Arc::new(Bell::default());
        Self {
            connection,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }
    }

    fn until<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut ready: impl FnMut(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        if !matches!(self.connection, Connection::Here(_)) {
            return ready(cx);
        }
        // Nothing but the connection makes it ready, and the connection is driven here: nobody need be woken.
        let mut nobody = Context::from_waker(Waker::noop());
        self.bell.task.register(cx.waker());
        for _ in 0..ROUNDS {
            self.bell.hush();
            // First of all: it says what it wants of the connection, and may have it already.
            if let Poll::Ready(done) = ready(&mut nobody) {
                self.bell.listen();
                return Poll::Ready(done);
            }
            self.bell.hush();
            self.advance();
            let has_rung = self.bell.listen();
            if let Poll::Ready(done) = ready(&mut nobody) {
                return Poll::Ready(done);
            }
            if !has_rung {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn advance(&mut self) {
        if let Connection::Here(connection) = &mut self.connection {
            let mut own = Context::from_waker(&self.waker);
            // How it ended reaches the request through its answer.
            if connection.as_mut().poll(&mut own).is_ready() {
                self.connection = Connection::Ended;
            }
        }
    }

    fn look(&mut self) {
        self.bell.task.take();
        self.advance();
    }

    fn let_go(&mut self) {
        match std::mem::replace(&mut self.connection, Connection::Elsewhere) {
            Connection::Here(connection) => {
                tokio::task::spawn_local(connection);
            }
            other => self.connection = other,
        }
    }
}

const LISTENING: u8 = 0;
const HUSHED: u8 = 1;
const RUNG: u8 = 2;

/// Wakes the task that waits, unless it is just driving the connection: then it only needs to know.
#[derive(Default)]
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Bell {
    fn hush(&self) {
        self.state.store(HUSHED, Ordering::Release);
    }

    /// Whether it has rung since it was hushed.
    fn listen(&self) -> bool {
        self.state.swap(LISTENING, Ordering::AcqRel) == RUNG
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .state
            .compare_exchange(HUSHED, RUNG, Ordering::AcqRel, Ordering::Acquire);
        if noted == Err(LISTENING) {
            self.task.wake();
        }
    }
}
