//! The thread of everything that is no request: the admin listener, heartbeats, circuit events, the way back to a lost store, names
//! and health of endpoints.
//!
//! Guarantees: nothing here runs on a data-plane thread; the replica says good-bye when it stops. Must not: answer clients.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot::Receiver;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::common::Common;
use super::issuers;
use super::live::Live;
use super::memory;
use super::operate::{carry_out, hear_orders};
use super::reload::{Reloader, Reloads, Wishes};
use super::report::{Place, reports};
use super::watch::watch as watch_file;
use crate::admin::orders::{self, Orders};
use crate::admin::{Api, Checks, Rooms, serve};
use crate::config::Source;
use crate::policy::units::Micros;
use crate::server::drain::Phase;
use crate::server::{Bound, Tls};
use crate::store::{Store, health};
use crate::telemetry::traces::{self, Finished};
use crate::upstream::Directory;
use crate::{breaker, cache};

/// A replica counts as gone after so many heartbeats that did not come.
const MISSED_HEARTBEATS: u32 = 3;

/// How long a stop waits for the collector to take the last spans.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// What the thread works with.
pub(super) struct Tasks {
    pub(super) live: Live,
    pub(super) admin: Bound,
    pub(super) admin_stopped: Receiver<()>,
    pub(super) place: Place,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) reloader: Reloader,
    pub(super) reloads: Reloads,
    pub(super) wishes: Wishes,
}

/// Starts the thread; it ends when `stop` is told or its sender is gone.
pub(super) fn spawn(
    tasks: Tasks,
    spans: Option<mpsc::Receiver<Finished>>,
    stop: Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("background".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let common = tasks.live.get();
                let exporting = spans.map(|spans| tokio::spawn(export(Arc::clone(&common), spans)));
                match common.store() {
                    Ok(store) => run(&common, store, tasks, stop).await,
                    Err(error) => tracing::error!(event = "background_failed", %error),
                }
                if let Some(exporting) = exporting {
                    let _ = timeout(LAST_SPANS, exporting).await;
                }
            });
        })
}

/// Sends the spans of requests to their collector, as long as there are any.
async fn export(common: Arc<Common>, spans: mpsc::Receiver<Finished>) {
    let Some(settings) = &common.config.traces.export else {
        return;
    };
    let (replica, dropped) = (&common.replica, &common.metrics.process.trace_spans_dropped);
    let sending = traces::export(settings, replica.as_str(), spans, dropped);
    if let Err(error) = sending.await {
        tracing::error!(event = "traces_not_exported", %error);
    }
}

/// `common` is what was in force at the start: what of it never changes. The rest is asked of `tasks.live`.
async fn run(common: &Common, store: Store, tasks: Tasks, stop: Receiver<()>) {
    let Tasks {
        live,
        admin,
        admin_stopped,
        place,
        tls,
        reloader,
        reloads,
        wishes,
    } = tasks;
    let (orders, ordered) = orders::channel();
    let (live, store) = (&live, &store);
    let source = reloader.source.clone();
    let file = source.as_ref().and_then(Source::file);
    tokio::select! {
        () = admin_listener(common, admin, orders, admin_stopped) => {}
        () = reports(live, store, place) => {}
        () = carry_out(live, store, &reloads, ordered) => {}
        () = reloader.carry_out(wishes) => {}
        () = watch_file(live, file, &reloads) => {}
        () = hear_orders(common, store, &reloads) => {}
        () = health::watch(store.clone(), &common.health) => {}
        () = tell_of_the_store(common) => {}
        () = heartbeats(common, store) => {}
        () = live.each(|now| async move { breaker::sync(&now.breaker, store).await }) => {}
        () = tend(live) => {}
        () = live.each(|now| async move { issuers::look_after(&now.config).await }) => {}
        () = kept_answers(live, store) => {}
        () = watchdog() => {}
        () = memory::give_back() => {}
        () = watch_certificates(tls) => {}
        _ = stop => {}
    }
    // Whether or not it is heard: without a good-bye the heartbeat's lifetime ends on its own.
    let _ = store.leave(&common.replica).await;
}

/// Looks after the endpoints of whichever upstreams there are.
async fn tend(live: &Live) {
    let (sender, current) = watch::channel(Arc::clone(&live.get().directory));
    let follow = live.each(|now| {
        sender.send_replace(Arc::clone(&now.directory));
        std::future::pending()
    });
    tokio::join!(Directory::tend(current), follow);
}

/// Until it is `stopped`, which is when another process has the same socket.
async fn admin_listener(common: &Common, admin: Bound, orders: Orders, stopped: Receiver<()>) {
    let drain = common.drain.clone();
    let health = Arc::clone(&common.health);
    let serving = move || vec![("serving", drain.phase() == Phase::Run)];
    let checks = Checks::new(serving, move || vec![("store", health.is_up())]);
    let config = &common.config;
    let board = Arc::clone(&common.board);
    let rooms = Arc::new(Rooms {
        metrics: Arc::clone(&common.metrics),
        checks,
        api: Api::new(&config.admin, board, orders, Arc::clone(&common.in_force)),
    });
    let serving = admin.sockets.into_iter().map(|socket| {
        let rooms = Arc::clone(&rooms);
        async move {
            match tokio::net::TcpListener::from_std(socket) {
                Ok(listener) => serve(listener, rooms).await,
                Err(error) => tracing::error!(event = "admin_failed", %error),
            }
        }
    });
    tokio::select! {
        _ = join_all(serving) => {}
        _ = stopped => {}
    }
    std::future::pending().await
}

/// Hears what the fleet purges, from when it first keeps answers together.
async fn kept_answers(live: &Live, store: &Store) {
    live.each(|now| async move {
        if !now.shares_answers() {
            std::future::pending::<()>().await;
        }
    })
    .await;
    cache::sync(|| Arc::clone(&live.get().cache), store).await;
}

/// Keeps `gateway_store_up` and tells of each loss and return.
async fn tell_of_the_store(common: &Common) {
    let mut changes = common.health.changes();
    common.metrics.store.up.set(1);
    while changes.changed().await.is_ok() {
        let state = *changes.borrow_and_update();
        match state {
            health::State::Up => {
                common.metrics.store.up.set(1);
                tracing::info!(event = "store_up");
            }
            health::State::Down(reason) => {
                common.metrics.store.up.set(0);
                tracing::warn!(event = "store_down", reason = reason.label(), detail = %reason);
            }
        }
    }
}

/// Says that this replica lives, and hears how many do. A count that is not to be had leaves the last one standing.
async fn heartbeats(common: &Common, store: &Store) {
    let every = common.config.store.heartbeat;
    let lifetime = Micros::from(every * MISSED_HEARTBEATS);
    let mut beats = interval(every.max(Duration::from_millis(10)));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if let Ok(fleet) = store.heartbeat(&common.replica, lifetime).await {
            common.limiter.set_live_replicas(u64::from(fleet.live));
            common.metrics.store.replicas.set(i64::from(fleet.live));
        }
    }
}

/// Has certificates read again when their files change.
async fn watch_certificates(tls: Option<Arc<Tls>>) {
    let Some(tls) = tls else {
        return std::future::pending().await;
    };
    let mut looks = interval(tls.reload_interval());
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        tls.check();
    }
}

/// Shows systemd's watchdog that this thread still runs, twice as often as it asks for. Without one, nothing.
async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut signs = interval((limit / 2).max(Duration::from_millis(100)));
    loop {
        signs.tick().await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
}
