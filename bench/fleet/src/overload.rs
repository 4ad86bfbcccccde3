//! Ten times what an upstream can do, and more than a gateway can: what those who are let in wait, and what it takes of memory.
//!
//! Guarantees: requests are sent in open loop, each timed from when it was due; the same load without a bound stands beside it. Must not:
//! time refusals together with answers.

use std::path::Path;
use std::time::Duration;

use crate::Plan;
use crate::error::Failure;
use crate::gateways::{Fleet, Wanted};
use crate::http::ANYBODY;
use crate::load::{Load, Outcome};
use crate::narrow::Narrow;
use crate::table::{Table, percentile};

/// What the upstream does at a time, and for how long: 200 requests a second.
const WIDTH: usize = 4;
const EACH: Duration = Duration::from_millis(20);
const CAPACITY: u32 = 200;
/// Twice over, those before and those who wait for a turn, and what a busy machine adds.
const BOUND: Duration = Duration::from_millis(150);
/// What memory may grow by: a few buffers for each connection.
const MEMORY_MIB: f64 = 16.0;
const CONNECTIONS: u32 = 200;

/// As many places as the upstream has, and as many who wait.
const BOUNDED: &str = r#"{ max = 4, queue = 4, queue_timeout = "100ms" }"#;
/// Far too many places, and the gateway finds out.
const ADAPTIVE: &str =
    r#"{ max = 200, queue = 4, queue_timeout = "100ms", adaptive = { min = 2 } }"#;

/// How a gateway is bound.
struct Bound<'a> {
    name: &'a str,
    variable: Option<(&'a str, &'a str)>,
    /// For how long it may find out before it is judged.
    settles: Duration,
}

/// What was seen under load.
struct Seen {
    outcome: Outcome,
    /// How much the most memory it ever took has grown by.
    grown_mib: f64,
}

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let concurrency = "GATEWAY__UPSTREAMS__DEFAULT__CONCURRENCY";
    let bounded = Bound {
        name: "`max = 4, queue = 4`",
        variable: Some((concurrency, BOUNDED)),
        settles: Duration::ZERO,
    };
    let half = narrow(plan, &bounded, CAPACITY / 2, plan.steady).await?;
    told(table, "half of what the upstream can do", &half);
    let tenfold = narrow(plan, &bounded, CAPACITY * 10, plan.steady).await?;
    judge(table, &bounded, &tenfold);
    let adaptive = Bound {
        name: "`adaptive` from 200 places, after 3 s",
        variable: Some((concurrency, ADAPTIVE)),
        settles: Duration::from_secs(3),
    };
    let lasts = plan.steady + adaptive.settles;
    let found = narrow(plan, &adaptive, CAPACITY * 10, lasts).await?;
    judge(table, &adaptive, &found);
    let unbound = Bound {
        name: "no bound",
        variable: None,
        settles: Duration::ZERO,
    };
    // So short because what was sent in a second takes ten to be answered.
    let endless = narrow(plan, &unbound, CAPACITY * 10, Duration::from_secs(2)).await?;
    let figure = format!("the same for 2 s, {}", unbound.name);
    told(table, &figure, &endless);
    gateway_itself(plan, table).await
}

/// A gateway before the narrow upstream, at `rate` requests a second.
async fn narrow(
    plan: &Plan,
    bound: &Bound<'_>,
    rate: u32,
    lasts: Duration,
) -> Result<Seen, Failure> {
    let upstream = Narrow::start(WIDTH, EACH)?;
    let url = upstream.url();
    let mut variables = vec![
        ("UPSTREAM_URL", url.as_str()),
        // Waiting is to be seen, not cut short, nor taken for a failure.
        ("UPSTREAM_TIMEOUT", "60"),
    ];
    variables.extend(bound.variable);
    let load = |lasts| Load {
        lasts,
        pace: Some(Duration::from_secs(CONNECTIONS.into()) / rate),
        request: |_, _| (0, ANYBODY),
    };
    let connections = CONNECTIONS as usize;
    let mut seen = observe(&plan.gateway, &variables, connections, lasts, load).await?;
    let samples = &mut seen.outcome.samples;
    if let Some(first) = samples.iter().map(|one| one.due).min() {
        samples.retain(|one| one.due >= first + bound.settles);
    }
    Ok(seen)
}

/// More than the gateway itself can do: every connection asks again as soon as it is answered.
async fn gateway_itself(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let variables = [("GATEWAY__SERVER__MAX_REQUESTS", "64")];
    let load = |lasts| Load {
        lasts,
        pace: None,
        request: |_, _| (0, ANYBODY),
    };
    for connections in [64, 640] {
        let seen = observe(&plan.gateway, &variables, connections, plan.steady, load).await?;
        let figure = format!("`max_requests = 64`, as fast as {connections} connections can");
        told(table, &figure, &seen);
    }
    Ok(())
}

async fn observe<F>(
    binary: &Path,
    more: &[(&str, &str)],
    connections: usize,
    lasts: Duration,
    load: impl Fn(Duration) -> Load<F>,
) -> Result<Seen, Failure>
where
    F: Fn(usize, u32) -> (u32, &'static [u8]) + Clone + Send + 'static,
{
    let mut variables = vec![
        ("RATE_LIMIT_CAPACITY", "1000000"),
        ("RATE_LIMIT_REFILL_RATE", "1000000"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1"),
    ];
    variables.extend(more);
    let wanted = Wanted {
        replicas: 1,
        meets: true,
        recording: false,
        variables: &variables,
    };
    let fleet = Fleet::start(binary, &wanted).await?;
    let open = fleet.connections(connections).await?;
    let before = fleet.gateways[0].peak_memory()?;
    let outcome = load(lasts).run(open).await?;
    let grown = fleet.gateways[0].peak_memory()?.saturating_sub(before);
    Ok(Seen {
        outcome,
        grown_mib: grown as f64 / 1024.0,
    })
}

fn judge(table: &mut Table, bound: &Bound<'_>, seen: &Seen) {
    let admitted = times(&seen.outcome, 200);
    let kept = percentile(&admitted, 0.99) <= BOUND && seen.grown_mib <= MEMORY_MIB;
    let figure = format!("10 × what the upstream can do, {}", bound.name);
    let asked = format!("p99 of those let in ≤ {BOUND:.0?}, memory +{MEMORY_MIB} MiB at most");
    let is_all = seen.outcome.count(200) + seen.outcome.count(503);
    let kept = kept && is_all == seen.outcome.samples.len() as u64;
    table.row(&figure, &asked, &words(seen), kept);
}

fn told(table: &mut Table, figure: &str, seen: &Seen) {
    table.note(figure, &words(seen));
}

fn words(seen: &Seen) -> String {
    let outcome = &seen.outcome;
    let (admitted, refused) = (times(outcome, 200), times(outcome, 503));
    let rate = admitted.len() as f64 / span(outcome).as_secs_f64();
    format!(
        "{} sent; {rate:.0}/s let in: median {:.1?}, p99 {:.1?}, longest {:.1?}; {} refused: median {:.1?}, p99 {:.1?}; memory +{:.1} MiB",
        outcome.samples.len(),
        percentile(&admitted, 0.5),
        percentile(&admitted, 0.99),
        percentile(&admitted, 1.0),
        refused.len(),
        percentile(&refused, 0.5),
        percentile(&refused, 0.99),
        seen.grown_mib,
    )
}

/// From when the first was due until the last was answered.
fn span(outcome: &Outcome) -> Duration {
    let first = outcome.samples.iter().map(|one| one.due).min();
    let last = outcome.samples.iter().map(|one| one.due + one.took).max();
    let span = first.zip(last).map(|(first, last)| last - first);
    span.unwrap_or(Duration::from_nanos(1))
}

/// How long answers of this status took, sorted.
fn times(outcome: &Outcome, status: u16) -> Vec<Duration> {
    let of = outcome.samples.iter().filter(|one| one.status == status);
    let mut times: Vec<_> = of.map(|one| one.took).collect();
    times.sort_unstable();
    times
}
