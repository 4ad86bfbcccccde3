//! How much a fleet admits of a limit that everybody exceeds.
//!
//! The store's deadline is ten times the default: many processes share few cores here, and a late answer is another scenario.
//!
//! Guarantees: counts the answers that clients got; the bound is reckoned over the time from the first request to the last answer.
//! Must not: look at what the gateways believe they admitted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Plan;
use crate::error::Failure;
use crate::gateways::{Fleet, Wanted};
use crate::http::{ANYBODY, request_of};
use crate::load::{Load, Outcome};
use crate::table::Table;

const DEGRADED: &str =
    r#"gateway_rate_limit_decisions_total{policy="per-client",decision="degraded_granted"}"#;
/// The default lease lifetime.
const TAU: f64 = 0.05;
const CLIENTS: u32 = 1_000;

struct Limit {
    capacity: u32,
    per_second: u32,
}

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    for replicas in [4, 16] {
        one_client(plan, table, replicas).await?;
    }
    for replicas in [4, 16] {
        many_clients(plan, table, replicas).await?;
    }
    Ok(())
}

impl Limit {
    async fn fleet(&self, plan: &Plan, replicas: usize) -> Result<Fleet, Failure> {
        let (capacity, rate) = (self.capacity.to_string(), self.per_second.to_string());
        let wanted = Wanted {
            replicas,
            meets: true,
            recording: false,
            variables: &[
                ("RATE_LIMIT_CAPACITY", &capacity),
                ("RATE_LIMIT_REFILL_RATE", &rate),
                ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1"),
                ("GATEWAY__STORE__TIMEOUT", "200ms"),
            ],
        };
        Fleet::start(&plan.gateway, &wanted).await
    }

    /// C + r·t.
    fn ideal(&self, took: Duration) -> f64 {
        f64::from(self.capacity) + f64::from(self.per_second) * took.as_secs_f64()
    }

    /// C + r·(t + 2τ).
    fn bound(&self, took: Duration) -> f64 {
        self.ideal(took) + f64::from(self.per_second) * 2.0 * TAU
    }
}

/// Requests a second that all connections together send: far more than the limit, far less than would starve the machine.
fn pace(connections: usize, per_second: usize) -> Duration {
    Duration::from_secs(connections as u64) / per_second as u32
}

async fn one_client(plan: &Plan, table: &mut Table, replicas: usize) -> Result<(), Failure> {
    let limit = Limit {
        capacity: 1_000,
        per_second: 100,
    };
    let fleet = limit.fleet(plan, replicas).await?;
    let connections = fleet.connections(2).await?;
    let load = Load {
        lasts: plan.admitted,
        pace: Some(pace(connections.len(), 4_000)),
        request: |_, _| (0, ANYBODY),
    };
    let outcome = load.run(connections).await?;
    let admitted = outcome.count(200) as f64;
    let (ideal, bound) = (limit.ideal(outcome.took), limit.bound(outcome.took));
    let share = admitted / ideal;
    let degraded = fleet.sum(DEGRADED).await?;
    let measured = format!(
        "{share:.4} ({admitted:.0} of {ideal:.0}; bound {bound:.0}; without the store {degraded})"
    );
    let seconds = plan.admitted.as_secs();
    let figure =
        format!("admitted ÷ (C + r·t), C = 1,000, r = 100/s, {seconds} s, {replicas} replicas");
    let kept = (0.98..=1.0).contains(&share) && admitted <= bound;
    table.row(&figure, "0.98 to 1.00", &measured, kept);
    Ok(())
}

async fn many_clients(plan: &Plan, table: &mut Table, replicas: usize) -> Result<(), Failure> {
    let limit = Limit {
        capacity: 20,
        per_second: 2,
    };
    let fleet = limit.fleet(plan, replicas).await?;
    let connections = fleet.connections(2).await?;
    let count = connections.len() as u32;
    let load = Load {
        lasts: plan.admitted,
        pace: Some(pace(connections.len(), 6_000)),
        // Every connection goes round all clients, each from its own place.
        request: move |connection, n| {
            let client = (n + connection as u32 * CLIENTS / count) % CLIENTS;
            (client, request_of(client))
        },
    };
    let outcome = load.run(connections).await?;
    let bound = limit.bound(outcome.took);
    let (total, worst) = by_client(&outcome);
    let ideal = limit.ideal(outcome.took) * f64::from(CLIENTS);
    let share = total as f64 / ideal;
    let degraded = fleet.sum(DEGRADED).await?;
    let measured = format!(
        "{share:.4} ({total} of {ideal:.0}; most for one client {worst}, bound {bound:.1}; without the store {degraded})"
    );
    let seconds = plan.admitted.as_secs();
    let figure = format!(
        "the same for 1,000 clients, C = 20, r = 2/s each, {seconds} s, {replicas} replicas"
    );
    let kept = (0.98..=1.0).contains(&share) && worst as f64 <= bound;
    table.row(&figure, "0.98 to 1.00", &measured, kept);
    Ok(())
}

/// How many requests were admitted, and the most for one client.
fn by_client(outcome: &Outcome) -> (u64, u64) {
    let mut admitted = BTreeMap::<u32, u64>::new();
    for sample in outcome.samples.iter().filter(|one| one.status == 200) {
        *admitted.entry(sample.kind).or_default() += 1;
    }
    let worst = admitted.values().copied().max().unwrap_or_default();
    (admitted.values().sum(), worst)
}
