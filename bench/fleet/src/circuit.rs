//! How fast a circuit opens everywhere, and how many probes go out when it may close again.
//!
//! The store's deadline is ten times the default, as in `admitted`: a replica that takes the store for lost decides for itself.
//!
//! Guarantees: an opening counts from before the opening failure was sent to the answer in which the last replica refused;
//! probes are counted by the upstream, half-opens by the events that Redis published. Must not: ask a gateway what it believes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::Plan;
use crate::error::Failure;
use crate::gateways::{Fleet, Wanted};
use crate::http::{ANYBODY, Connection};
use crate::table::{Table, percentile};

/// Calls the store did not answer in time: what follows them is another scenario.
const UNANSWERED: &str = r#"gateway_store_operations_total{op="circuit",result="timeout"}"#;
const REPLICAS: usize = 16;
const FAILURES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two questions to one replica.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// What one replica did after the opening failure.
struct Refused {
    connection: Connection,
    after: Duration,
    /// Requests it still let through.
    let_through: u64,
}

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let variables = [
        ("RATE_LIMIT_CAPACITY", "1000000"),
        ("RATE_LIMIT_REFILL_RATE", "1000000"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1"),
        ("GATEWAY__UPSTREAMS__DEFAULT__CIRCUIT__RESET", "100ms"),
        ("GATEWAY__STORE__TIMEOUT", "200ms"),
    ];
    let wanted = Wanted {
        replicas: REPLICAS,
        meets: true,
        recording: true,
        variables: &variables,
    };
    let fleet = Fleet::start(&plan.gateway, &wanted).await?;
    openings(plan, table, &fleet).await?;
    probes(plan, table, &fleet).await
}

async fn openings(plan: &Plan, table: &mut Table, fleet: &Fleet) -> Result<(), Failure> {
    let mut connections = fleet.connections(1).await?;
    let (mut times, mut control, mut let_through) = (Vec::new(), Vec::new(), 0);
    for _ in 0..plan.openings {
        fleet.upstream.set_failing(false).await?;
        all_serve(&mut connections).await?;
        fleet.upstream.set_failing(true).await?;
        let begun = two_see_it_fail(&mut connections).await?;
        let (took, more) = all_refuse(&mut connections, begun).await?;
        times.push(took);
        let_through += more;
        // The same questions again, now that there is nothing to find out: what the asking alone takes here.
        let (took, _) = all_refuse(&mut connections, Instant::now()).await?;
        control.push(took);
    }
    let [p50, p99, longest] = percentiles(&mut times);
    let [asking, asking_p99, _] = percentiles(&mut control);
    let each = let_through as f64 / plan.openings as f64;
    let measured = format!(
        "{p99:.1?} (median {p50:.1?}, longest {longest:.1?}; asking all 16 alone takes {asking:.1?}, p99 {asking_p99:.1?}; \
         {each:.1} requests let through meanwhile)"
    );
    let figure = format!(
        "opening failure to the last of {REPLICAS} replicas refusing, p99 of {} rounds",
        plan.openings
    );
    table.row(
        &figure,
        "≤ 10 ms",
        &measured,
        p99 <= Duration::from_millis(10),
    );
    Ok(())
}

/// Median, p99 and maximum.
fn percentiles(times: &mut [Duration]) -> [Duration; 3] {
    times.sort_unstable();
    [0.5, 0.99, 1.0].map(|part| percentile(times, part))
}

/// Waits until every replica serves.
async fn all_serve(connections: &mut [Connection]) -> Result<(), Failure> {
    let begun = Instant::now();
    for connection in connections {
        while connection.ask(ANYBODY).await? != 200 {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::Never("the circuit closes everywhere"));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}

/// Two replicas see the upstream fail in turn, until the circuit opens; the instant before the opening failure.
async fn two_see_it_fail(connections: &mut [Connection]) -> Result<Instant, Failure> {
    let mut begun = Instant::now();
    for failure in 0..FAILURES {
        begun = Instant::now();
        connections[failure % 2].ask(ANYBODY).await?;
    }
    Ok(begun)
}

/// How long after `begun` all of them refuse, and how many requests were let through meanwhile.
async fn all_refuse(
    connections: &mut Vec<Connection>,
    begun: Instant,
) -> Result<(Duration, u64), Failure> {
    let mut asking = JoinSet::new();
    for (place, connection) in connections.drain(..).enumerate() {
        asking.spawn(async move { Ok::<_, Failure>((place, refusal(connection, begun).await?)) });
    }
    let mut replicas = Vec::new();
    while let Some(ended) = asking.join_next().await {
        replicas.push(ended.map_err(|_| Failure::Never("a replica refuses"))??);
    }
    replicas.sort_by_key(|(place, _)| *place);
    let (mut last, mut let_through) = (Duration::ZERO, 0);
    for (_, refused) in replicas {
        last = last.max(refused.after);
        let_through += refused.let_through;
        connections.push(refused.connection);
    }
    Ok((last, let_through))
}

async fn refusal(mut connection: Connection, begun: Instant) -> Result<Refused, Failure> {
    let mut let_through = 0;
    while connection.ask(ANYBODY).await? != 503 {
        let_through += 1;
        if begun.elapsed() > PATIENCE {
            return Err(Failure::Never("every replica refuses"));
        }
        sleep(ASK_EVERY).await;
    }
    Ok(Refused {
        connection,
        after: begun.elapsed(),
        let_through,
    })
}

/// The upstream fails throughout: each half-open sends a probe, which fails, and the circuit opens again.
async fn probes(plan: &Plan, table: &mut Table, fleet: &Fleet) -> Result<(), Failure> {
    let mut connections = fleet.connections(1).await?;
    fleet.upstream.set_failing(true).await?;
    let mut epochs = fleet.redis.epochs("api-gateway:v1:events").await?;
    let mut half_opens = 0;
    let asked = Arc::new(AtomicU64::new(0));
    let mut asking = JoinSet::new();
    for connection in connections.drain(..) {
        asking.spawn(keep_asking(connection, Arc::clone(&asked)));
    }
    // Each half-open is two transitions: to half-open, and on the probe's failure to open. Count from an open circuit.
    let next = async |epochs: &mut crate::redis::Epochs| {
        let next = timeout(PATIENCE, epochs.next()).await;
        next.ok().flatten().ok_or(Failure::Never("a transition"))
    };
    settled_open(&fleet.upstream).await?;
    let before = fleet.upstream.requests();
    while epochs.try_next().is_some() {}
    while half_opens < plan.half_opens {
        next(&mut epochs).await?;
        next(&mut epochs).await?;
        half_opens += 1;
    }
    let probes = fleet.upstream.requests() - before;
    asking.shutdown().await;
    let requests = asked.load(Ordering::Relaxed);
    let unanswered = fleet.sum(UNANSWERED).await?;
    let measured = format!(
        "{probes} in {half_opens} half-opens ({requests} requests refused or probing; {unanswered} calls of the store unanswered)"
    );
    let figure = format!("probes that reach the upstream per half-open, {REPLICAS} replicas");
    table.row(&figure, "exactly 1", &measured, probes == half_opens);
    Ok(())
}

async fn keep_asking(mut connection: Connection, asked: Arc<AtomicU64>) {
    let mut beats = interval(Duration::from_millis(4));
    loop {
        beats.tick().await;
        if connection.ask(ANYBODY).await.is_err() {
            return;
        }
        asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for a probe: just after it the circuit is open for its whole reset time.
async fn settled_open(upstream: &crate::upstream::Upstream) -> Result<(), Failure> {
    let begun = Instant::now();
    // The first failures open the circuit; the requests after them are probes.
    let mut seen = upstream.requests();
    let mut quiet = 0;
    while quiet < 3 && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(10)).await;
        let now = upstream.requests();
        quiet = if now == seen { quiet + 1 } else { 0 };
        seen = now;
    }
    while upstream.requests() == seen {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::Never("a probe"));
        }
        sleep(Duration::from_millis(1)).await;
    }
    // Time for its failure to be told.
    sleep(Duration::from_millis(40)).await;
    Ok(())
}
