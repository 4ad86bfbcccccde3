//! This replica's report, once a second: to the store for the others, and to the board for whoever looks.
//!
//! Guarantees: the others' reports are read each second only while somebody looks. Must not: be needed by a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::common::Common;
use super::endpoints;
use super::live::Live;
use crate::admin::clients::{ClientView, SHOWN};
use crate::admin::meter::Meter;
use crate::admin::report::{
    CircuitView, Forced, LimitView, Replica, Report, RouteView, StoreView, Transition, UpstreamView,
};
use crate::breaker::Snapshot;
use crate::limiter::settings::PolicySettings;
use crate::limiter::{Decision, HotClient, Totals};
use crate::policy::limit::LimitSpec;
use crate::policy::units::{Micros, StoreTime};
use crate::server::drain::Phase;
use crate::store::Store;
use crate::telemetry::logs::{self, Level};
use crate::upstream::Membership;

/// How often a replica says how it fares.
const EVERY: Duration = Duration::from_secs(1);
/// How long what it said stands.
const LIFETIME: Duration = Duration::from_secs(5);
/// How often the others are read while nobody looks: so that the charts are not empty for the first who does.
const UNWATCHED: Duration = Duration::from_secs(5);
/// Circuit transitions told, each.
const TRANSITIONS: usize = 12;
/// Clients told of all limits together: a report has a bound.
const CLIENTS: usize = 200;

/// Where this replica listens, and since when it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) proxy: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) started: Instant,
}

/// Reports for ever.
pub(super) async fn reports(live: &Live, store: &Store, place: Place) {
    let board = Arc::clone(&live.get().board);
    let mut meter = Meter::default();
    let mut others: Option<Vec<Report>> = None;
    let mut read_at: Option<Instant> = None;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = board.asked() => {}
        }
        let common = &*live.get();
        let mut own = report(common, place);
        meter.measure(&common.metrics, &mut own);
        board.sign(&mut own);
        tell(common, store, &own).await;
        let is_due = read_at.is_none_or(|at| at.elapsed() >= UNWATCHED);
        if is_due || board.is_watched() {
            read_at = Some(Instant::now());
            others = read(store).await;
        }
        board.show(own, others.as_deref());
    }
}

/// Tells the others. When nobody hears it, the next second's is as good.
async fn tell(common: &Common, store: &Store, own: &Report) {
    if let Ok(text) = serde_json::to_string(own) {
        let _ = store
            .report(&common.replica, &text, Micros::from(LIFETIME))
            .await;
    }
}

/// The others' reports; none when they cannot be had.
async fn read(store: &Store) -> Option<Vec<Report>> {
    let reports = timeout(EVERY, store.reports()).await.ok()?.ok()?;
    let readable = reports.iter();
    Some(
        readable
            .filter_map(|(_, text)| serde_json::from_str(text).ok())
            .collect(),
    )
}

/// Everything but the rates.
fn report(common: &Common, place: Place) -> Report {
    let config = &common.config;
    let totals = common.limiter.totals();
    let hottest = common.limiter.hottest();
    let told = (CLIENTS / config.limits.len().max(1)).clamp(1, SHOWN);
    let limits = config.limits.iter();
    let circuits = common.breaker.snapshot();
    Report {
        at: logs::unix_millis(),
        replica: replica(common, place),
        store: StoreView {
            name: common.store_name(),
            shared: config.store.url.is_some(),
            up: common.health.is_up(),
            ..StoreView::default()
        },
        routes: config.proxy.routes.iter().map(route).collect(),
        upstreams: common.directory.all().map(|one| upstream(one)).collect(),
        circuits: circuits
            .into_iter()
            .map(|one| circuit(common, one))
            .collect(),
        limits: limits
            .map(|settings| {
                let hot = hottest.get(&settings.name).into_iter().flatten();
                LimitView {
                    clients: hot.take(told).map(client).collect(),
                    ..limit(settings, totals.get(&settings.name))
                }
            })
            .collect(),
        ..Report::default()
    }
}

fn replica(common: &Common, place: Place) -> Replica {
    let phase = match common.drain.phase() {
        Phase::Run => "serving",
        Phase::Leave => "leaving",
        Phase::Drain => "draining",
    };
    Replica {
        id: common.replica.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime: place.started.elapsed().as_secs(),
        proxy: place.proxy.to_string(),
        admin: place.admin.to_string(),
        workers: common.config.server.workers,
        phase: phase.to_owned(),
        fleet: common.limiter.live_replicas(),
        memory: resident_memory().unwrap_or(0),
        log_level: common.level.as_ref().map_or_else(String::new, Level::get),
    }
}

/// In bytes; none where the system does not tell.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn route(settings: &crate::proxy::settings::RouteSettings) -> RouteView {
    RouteView {
        name: settings.name.to_string(),
        path: settings.path.clone(),
        upstream: settings.target.to_string(),
        limits: settings.limits.iter().map(ToString::to_string).collect(),
        cached: settings.cache.is_some(),
        ..RouteView::default()
    }
}

fn upstream(membership: &Membership) -> UpstreamView {
    let settings = membership.settings();
    let members = membership.snapshot().into_iter();
    let configured = settings.endpoints.iter();
    UpstreamView {
        name: settings.name.to_string(),
        endpoints: configured
            .map(|one| format!("{}://{}", one.scheme, one.authority))
            .collect(),
        members: members.map(endpoints::view).collect(),
        timeout: u64::try_from(settings.timeout.as_millis()).unwrap_or(u64::MAX),
        ..UpstreamView::default()
    }
}

fn circuit(common: &Common, snapshot: Snapshot) -> CircuitView {
    let upstream = snapshot.upstream.to_string();
    let settings = common.config.upstreams.iter();
    let mut settings = settings.filter(|one| one.name == snapshot.upstream);
    let last = snapshot.transitions.iter().rev().take(TRANSITIONS).rev();
    let transitions = last.map(|moved| Transition {
        upstream: upstream.clone(),
        scope: moved.scope.label().to_owned(),
        at: moved.at.map(millis),
        from: moved.from.label().to_owned(),
        to: moved.to.label().to_owned(),
        cause: moved.cause.label().to_owned(),
        by: moved.by.to_string(),
        epoch: moved.epoch,
    });
    CircuitView {
        state: snapshot.state.label().to_owned(),
        fleet: snapshot.fleet.label().to_owned(),
        epoch: snapshot.epoch,
        since: snapshot.since.map(millis),
        retry_after: snapshot.retry_after.get() / 1_000,
        failures: snapshot.failures,
        threshold: settings.next().map_or(0, |one| one.circuit.failures),
        rejections: 0.0,
        forced: snapshot.forced.map(|forced| Forced {
            to: forced.to.state().label().to_owned(),
            by: forced.by.to_string(),
            reason: forced.reason.to_string(),
            at: millis(forced.at),
        }),
        transitions: transitions.collect(),
        upstream,
    }
}

const fn millis(at: StoreTime) -> u64 {
    at.get() / 1_000
}

fn limit(settings: &PolicySettings, totals: Option<&Totals>) -> LimitView {
    let totals = totals.cloned().unwrap_or_default();
    let decisions = Decision::ALL.map(|one| (one.label(), totals.decisions(one)));
    let rest = [
        ("by_lease", totals.by_lease),
        ("by_denial_memory", totals.by_denial_memory),
        ("store_calls", totals.store_calls),
        ("store_failures", totals.store_failures),
        ("coalesced", totals.coalesced),
        ("leased", totals.leased),
        ("given_back", totals.given_back),
        ("lost", totals.lost),
    ];
    let all = decisions.into_iter().chain(rest);
    let (refill, window) = match &settings.spec {
        LimitSpec::TokenBucket(spec) => (spec.refill().to_string(), String::new()),
        LimitSpec::Window(spec) => (String::new(), spec.window().to_string()),
        LimitSpec::Concurrency(_) => Default::default(),
    };
    LimitView {
        name: settings.name.to_string(),
        key: settings.key.to_string(),
        algorithm: settings.spec.algorithm().to_owned(),
        capacity: settings.spec.capacity(),
        refill,
        window,
        leases: settings.leases,
        shadow: settings.shadow,
        totals: all.map(|(name, count)| (name.to_owned(), count)).collect(),
        ..LimitView::default()
    }
}

fn client(hot: &HotClient) -> ClientView {
    let standing = &hot.standing;
    ClientView {
        client: hot.client.to_string(),
        remaining: standing.remaining,
        full_after: standing.full_after.get() / 1_000,
        retry_after: standing.retry_after.get().div_ceil(1_000),
        requests: hot.rate,
    }
}
