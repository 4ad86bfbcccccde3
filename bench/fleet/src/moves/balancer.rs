//! A load balancer's view of the replicas: those that say they are ready.
//!
//! Guarantees: a replica is offered from the first time it was ready until it says that it is not, or does not answer. Must not: know what
//! the story does with a replica: it finds out by asking, as a Kubernetes readiness probe does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::error::Failure;
use crate::http::Connection;

const ASK_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
struct Member {
    proxy: SocketAddr,
    admin: SocketAddr,
    ready: bool,
    /// It has been ready, and is no more: it will not come back.
    gone: bool,
}

type Members = Arc<Mutex<Vec<Member>>>;

/// Who is ready.
pub(super) struct Balancer {
    members: Members,
    asking: JoinHandle<()>,
}

/// A client's way to ask for a replica.
#[derive(Clone)]
pub(super) struct Choice(Members);

impl Balancer {
    pub(super) fn start() -> Self {
        let members = Members::default();
        Self {
            asking: tokio::spawn(keep_asking(Arc::clone(&members))),
            members,
        }
    }

    pub(super) fn add(&self, proxy: SocketAddr, admin: SocketAddr) {
        lock(&self.members).push(Member {
            proxy,
            admin,
            ready: false,
            gone: false,
        });
    }

    pub(super) fn choice(&self) -> Choice {
        Choice(Arc::clone(&self.members))
    }

    pub(super) async fn until_ready(&self, proxy: SocketAddr) -> Result<(), Failure> {
        let is_ready = |member: &Member| member.proxy == proxy && member.ready;
        self.until(
            |members| members.iter().any(is_ready),
            "a new replica is ready",
        )
        .await
    }

    pub(super) async fn until_gone(&self, proxy: SocketAddr) -> Result<(), Failure> {
        let is_here = |member: &Member| member.proxy == proxy;
        self.until(
            |members| !members.iter().any(is_here),
            "a replica that has ended is found out",
        )
        .await
    }

    async fn until(
        &self,
        condition: impl Fn(&[Member]) -> bool,
        what: &'static str,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if condition(&lock(&self.members)) {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(Failure::Never(what))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

impl Choice {
    /// The ready replica whose turn it is.
    pub(super) fn pick(&self, turn: usize) -> Option<SocketAddr> {
        let members = lock(&self.0);
        let ready: Vec<_> = members.iter().filter(|member| member.ready).collect();
        Some(ready.get(turn.checked_rem(ready.len())?)?.proxy)
    }
}

fn lock(members: &Members) -> MutexGuard<'_, Vec<Member>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keep_asking(members: Members) {
    loop {
        let known = lock(&members).clone();
        for Member { proxy, admin, .. } in known {
            let ready = is_ready(admin).await;
            for member in lock(&members).iter_mut().filter(|one| one.proxy == proxy) {
                member.gone = member.ready && !ready;
                member.ready = ready;
            }
        }
        lock(&members).retain(|member| !member.gone);
        sleep(ASK_EVERY).await;
    }
}

async fn is_ready(admin: SocketAddr) -> bool {
    let asked = async {
        let mut connection = Connection::open(admin).await?;
        connection
            .ask(b"GET /readyz HTTP/1.1\r\nhost: balancer\r\n\r\n")
            .await
    };
    matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(200)))
}
