//! What is run under callgrind: one case, so many times. `bench/instructions` runs each case twice, with different counts, and
//! takes the difference, so that neither start-up nor the end is in the figure.
//!
//!     instructions CASE COUNT

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that fails should stop"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gateway::app::Given;
use gateway::breaker::{Breaker, Outcome};
use gateway::limiter::settings::{KeySettings, LegacyHeaders, OnStoreFailure, PolicySettings};
use gateway::limiter::{By, Limiter, Shared};
use gateway::policy::circuit::{CircuitSpec, Quorum};
use gateway::policy::ids::{ClientId, Room};
use gateway::policy::token_bucket::BucketSpec;
use gateway::policy::units::Micros;
use gateway::store::Store;
use gateway::telemetry::access::{AccessLog, Entry};
use gateway::telemetry::metrics::Metrics;
use gateway::telemetry::settings::{AccessSettings, LogFormat};
use gateway::telemetry::{self, Counter, Gauge, Histogram, enter_shard};
use support::gateway::Gateway;
use support::wire::{Wire, upstream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A request that is let through before those that are counted, so that what happens once is over.
const WARM_UP: usize = 50;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [case, count, ..] if count.parse::<usize>().is_ok() => run(case, count.parse().unwrap()),
        // `cargo bench` and `cargo test` pass flags of their own.
        _ => [
            "forwarded",
            "refused",
            "unlogged",
            "lease",
            "denial",
            "circuit",
            "metrics",
            "record",
            #[cfg(feature = "fuzzing")]
            "route",
            #[cfg(feature = "fuzzing")]
            "identify",
        ]
        .map(|case| run(case, 1))
        .into_iter()
        .collect(),
    }
}

fn run(case: &str, count: usize) {
    match case {
        "forwarded" => path("1000000", b"200", &logged(), count),
        "refused" => path("1", b"429", &logged(), count),
        "unlogged" => path("1000000", b"200", &Given::default(), count),
        "metrics" => metrics(count),
        "record" => record(count),
        #[cfg(feature = "fuzzing")]
        "route" => steps::route(count),
        #[cfg(feature = "fuzzing")]
        "identify" => steps::identify(count),
        "lease" => limit(1_000_000, By::Lease, count),
        "denial" => limit(1, By::DenialMemory, count),
        "circuit" => circuit(count),
        other => panic!("no case {other}"),
    }
}

/// An access log as a program has it: a line of JSON for each request, to standard output.
fn logged() -> Given {
    let settings = telemetry::settings::Settings {
        level: "warn".to_owned(),
        format: Some(LogFormat::Json),
        access: true,
        lines: AccessSettings::default(),
    };
    let dropped = Metrics::new().process.log_lines_dropped.clone();
    let logs = telemetry::logs::init(&settings, dropped).unwrap();
    // Were it dropped, every line would be one that nobody takes any more, and counted as such: twice as dear.
    std::mem::forget(logs.flush);
    Given {
        access: Some((logs.writer, logs.format)),
        ..Given::default()
    }
}

/// A request through a whole gateway: route, client, limit by lease or denial memory, circuit, attempt, record.
fn path(capacity: &str, status: &[u8], given: &Given, count: usize) {
    // Refilled so slowly that a bucket of one token stays empty, however long a slow machine takes.
    let variables = [
        ("RATE_LIMIT_CAPACITY", capacity),
        ("RATE_LIMIT_REFILL_RATE", "1"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "3600"),
    ];
    let gateway = Gateway::with(&format!("http://{}", upstream()), &variables, given);
    let mut wire = Wire::connect(gateway.proxy());
    wire.ask(b"200");
    for _ in 0..WARM_UP {
        wire.ask(status);
    }
    for _ in 0..count {
        wire.ask(status);
    }
}

/// The limiter alone, when it decides from memory.
fn limit(capacity: u64, by: By, count: usize) {
    let settings = PolicySettings {
        name: "l".into(),
        key: KeySettings::Client,
        spec: BucketSpec::new(capacity, "1/1m".parse().unwrap())
            .unwrap()
            .into(),
        leases: true,
        lease_lifetime: Duration::from_secs(10),
        on_store_failure: OnStoreFailure::Degrade,
        shadow: false,
        legacy_headers: LegacyHeaders::None,
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let store = Store::memory(16);
        let shared = Shared::new(Store::memory(16));
        let limiter = Limiter::new(store, vec![settings], shared);
        let policy = limiter.policy(&"l".into()).unwrap();
        let client = ClientId::V4([192, 0, 2, 1].into());
        for _ in 0..WARM_UP {
            limiter.take(&policy, &client, 1).await;
        }
        let mut remembered = 0;
        for _ in 0..count {
            let verdict = black_box(limiter.take(&policy, &client, 1).await);
            remembered += usize::from(verdict.by == by);
        }
        assert!(remembered * 10 >= count * 9, "{remembered} of {count}");
    });
}

/// A closed circuit: leave for a call, and its success.
fn circuit(count: usize) {
    let spec = CircuitSpec {
        failures: 5,
        window: Micros::from_secs(60),
        reset: Micros::from_secs(60),
        probes: 1,
        quorum: Quorum::Auto,
        ratio: None,
        slow: None,
    };
    let hook: gateway::breaker::Hook = Arc::new(|_, _| {});
    let breaker = Breaker::new(
        vec![("up".into(), spec)],
        &"one".into(),
        Duration::from_secs(1),
        &hook,
    );
    let circuit = breaker.circuit(&"up".into()).unwrap();
    let store = Store::memory(16);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..count {
            let permit = black_box(circuit.admit(&store, Duration::from_secs(1)).await).unwrap();
            permit
                .report(&store, Outcome::Success, Duration::from_millis(1))
                .await;
        }
    });
}

/// Every series that a forwarded request touches, held as the request path holds them.
struct Series {
    requests: Arc<Counter>,
    duration: Arc<Histogram>,
    in_flight: Arc<Gauge>,
    upstream_requests: Arc<Counter>,
    upstream_duration: Arc<Histogram>,
}

impl Series {
    fn of(metrics: &Metrics) -> Self {
        enter_shard(0);
        Self {
            requests: metrics.http.requests.with(&["r", "GET", "200"]),
            duration: metrics.http.duration.with(&["r"]),
            in_flight: metrics.http.in_flight.with(&["r"]),
            upstream_requests: metrics.upstreams.requests.with(&["u", "success"]),
            upstream_duration: metrics.upstreams.duration.with(&["u"]),
        }
    }

    /// One request. How long it took.
    fn touch(&self) -> Duration {
        let began = black_box(Instant::now());
        self.in_flight.add(1);
        self.upstream_duration.observe(began.elapsed());
        self.upstream_requests.inc();
        self.requests.inc();
        let elapsed = began.elapsed();
        self.duration.observe(elapsed);
        self.in_flight.add(-1);
        elapsed
    }
}

fn metrics(count: usize) {
    let metrics = Metrics::new();
    let series = Series::of(&metrics);
    for _ in 0..count {
        series.touch();
    }
    black_box(metrics.http.requests.children());
}

/// What is kept of a forwarded request: its series, and its access line.
fn record(count: usize) {
    let metrics = Metrics::new();
    let series = Series::of(&metrics);
    let (writer, format) = logged().access.unwrap();
    let log = AccessLog::new(writer, format, AccessSettings::default());
    let client = ClientId::V4([192, 0, 2, 1].into());
    for _ in 0..count {
        let elapsed = series.touch();
        log.record(black_box(&Entry {
            request_id: b"0af7651916cd43dd8448eb211c80319c",
            client: client.text(&mut Room::default()),
            protocol: "HTTP/1.1",
            method: "GET",
            route: "r",
            trace_id: b"0af7651916cd43dd8448eb211c80319c",
            span_id: b"b7ad6b7169203331",
            path: "/proxy/thing",
            query: None,
            headers: &[],
            status: 200,
            duration: elapsed,
            bytes: 5,
            upstream: Some("u"),
            upstream_duration: Some(elapsed),
            attempts: 1,
            decision: "forwarded",
        }));
    }
}

/// Steps that have no door of their own.
#[cfg(feature = "fuzzing")]
mod steps {
    use std::hint::black_box;

    use gateway::policy::ids::ClientId;
    use gateway::proxy::measuring::{Clients, Routes};
    use http::Request;

    /// Routes of a gateway that has a service to each.
    const ROUTES: usize = 100;

    /// The route of a request, and the path it has there.
    pub(super) fn route(count: usize) {
        let routes = Routes::new(ROUTES).unwrap();
        let request = Request::get("/api/v1/service-57/items/7?page=2").body(());
        let (head, ()) = request.unwrap().into_parts();
        for _ in 0..count {
            assert!(routes.take(black_box(&head)));
        }
    }

    /// The client of a request that came through two proxies, both of them trusted.
    pub(super) fn identify(count: usize) {
        let clients = Clients::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let request = Request::get("/").header("X-Forwarded-For", "203.0.113.9, 10.0.0.7");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let expected = ClientId::V4([203, 0, 113, 9].into());
        for _ in 0..count {
            let client = clients.of(black_box([10, 0, 0, 1].into()), black_box(&head.headers));
            assert_eq!(client, expected);
        }
    }
}
