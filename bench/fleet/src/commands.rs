//! What is asked of Redis for each request.
//!
//! Guarantees: counts what the server says it ran, and takes off what the fleet asks when nobody sends anything. Must not: trust the
//! gateways' own metrics for it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::error::Failure;
use crate::gateways::{Fleet, Wanted};
use crate::http::{ANYBODY, request_of};
use crate::load::{Load, Outcome};
use crate::table::Table;

/// A limit nobody reaches.
const AMPLE: [(&str, &str); 3] = [
    ("RATE_LIMIT_CAPACITY", "1000000"),
    ("RATE_LIMIT_REFILL_RATE", "1000000"),
    ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1"),
];

/// One token an hour, and no heartbeat or poll in the time of a measurement: what is sent is for requests.
const SCARCE: [(&str, &str); 4] = [
    ("RATE_LIMIT_CAPACITY", "1"),
    ("RATE_LIMIT_REFILL_RATE", "1"),
    ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "3600"),
    ("GATEWAY__STORE__HEARTBEAT", "1h"),
];

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let wanted = Wanted {
        replicas: 4,
        meets: true,
        recording: false,
        variables: &AMPLE,
    };
    let mut fleet = Fleet::start(&plan.gateway, &wanted).await?;
    let upkeep = idle_rate(&mut fleet).await?;
    table.note(
        "Redis commands a second of 4 idle replicas",
        &format!("{upkeep:.1}"),
    );

    let hot = |_, _| (0, ANYBODY);
    let (per_request, rate) = per_admitted(plan, &mut fleet, upkeep, hot).await?;
    let measured = format!("{per_request:.4} at {rate:.0} requests/s");
    let figure = "Redis commands per admitted request, one hot client, 4 replicas";
    table.row(figure, "≤ 0.02", &measured, per_request <= 0.02);

    let distinct = |connection: usize, n: u32| (n, request_of(((connection as u32) << 18) | n));
    let (per_request, rate) = per_admitted(plan, &mut fleet, upkeep, distinct).await?;
    let measured = format!("{per_request:.4} at {rate:.0} requests/s");
    let figure = "Redis commands per admitted request, every client new, 4 replicas";
    table.row(figure, "≤ 1", &measured, per_request <= 1.0 + 0.001);
    drop(fleet);
    denied(plan, table).await
}

async fn idle_rate(fleet: &mut Fleet) -> Result<f64, Failure> {
    let (before, begun) = (fleet.redis.sent()?, Instant::now());
    sleep(Duration::from_secs(4)).await;
    let commands = fleet.redis.sent()?.0 - before.0;
    Ok(commands as f64 / begun.elapsed().as_secs_f64())
}

/// Commands per admitted request, and requests a second.
async fn per_admitted<F, B>(
    plan: &Plan,
    fleet: &mut Fleet,
    upkeep: f64,
    request: F,
) -> Result<(f64, f64), Failure>
where
    F: Fn(usize, u32) -> (u32, B) + Clone + Send + 'static,
    B: AsRef<[u8]> + Send + 'static,
{
    let before = fleet.redis.sent()?;
    let load = Load {
        lasts: plan.steady,
        pace: None,
        request,
    };
    let outcome = load.run(fleet.connections(8).await?).await?;
    let seconds = outcome.took.as_secs_f64();
    let commands = (fleet.redis.sent()?.0 - before.0) as f64 - upkeep * seconds;
    let admitted = outcome.count(200) as f64;
    Ok((commands / admitted, admitted / seconds))
}

async fn denied(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let wanted = Wanted {
        replicas: 4,
        meets: false,
        recording: false,
        variables: &SCARCE,
    };
    let mut fleet = Fleet::start(&plan.gateway, &wanted).await?;
    let load = |lasts| Load {
        lasts,
        pace: None,
        request: |_, _| (0, ANYBODY),
    };
    // The one token, and the first denial: the one that is remembered.
    let connections = fleet.connections(4).await?;
    load(Duration::from_millis(300)).run(connections).await?;
    let before = fleet.redis.sent()?;
    let connections = fleet.connections(4).await?;
    let outcome: Outcome = load(plan.steady).run(connections).await?;
    let commands = fleet.redis.sent()?.0 - before.0;
    let denied = outcome.count(429);
    let measured = format!("{commands} for {denied}");
    let figure = "Redis commands for denied requests while the denial holds";
    table.row(figure, "0", &measured, commands == 0 && denied > 0);
    Ok(())
}
