//! What requests notice when Redis hangs: it is stopped by SIGSTOP, under load, so that connections stay open and nothing answers.
//!
//! Guarantees: a request's time counts from when it was due; the time before the outage is the control, on the same machine in the
//! same run. Must not: leave out the requests that were under way when it began.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::error::Failure;
use crate::gateways::{Fleet, Wanted};
use crate::http::{ANYBODY, request_of};
use crate::load::{Load, Sample};
use crate::table::{Table, percentile};

/// How much longer than before a request may take.
const MARGIN: Duration = Duration::from_millis(25);
const REQUESTS_PER_SECOND: u32 = 2_000;

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let wanted = Wanted {
        replicas: 4,
        meets: true,
        recording: false,
        variables: &[
            ("RATE_LIMIT_CAPACITY", "1000000"),
            ("RATE_LIMIT_REFILL_RATE", "1000000"),
            ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1"),
        ],
    };
    let fleet = Fleet::start(&plan.gateway, &wanted).await?;
    let connections = fleet.connections(8).await?;
    let load = Load {
        lasts: plan.steady * 3,
        pace: Some(Duration::from_secs(connections.len() as u64) / REQUESTS_PER_SECOND),
        // Every other connection is the one hot client, the rest are a client each.
        request: |connection, _| match connection % 2 {
            0 => (0, ANYBODY.to_vec()),
            _ => (1, request_of(connection as u32)),
        },
    };
    let outage = async {
        sleep(plan.steady).await;
        fleet.redis.freeze()?;
        let begun = Instant::now();
        sleep(plan.steady).await;
        fleet.redis.thaw()?;
        Ok::<_, Failure>(begun)
    };
    let (outcome, begun) = tokio::join!(load.run(connections), outage);
    let (outcome, begun) = (outcome?, begun?);
    report(table, &outcome.samples, begun, outcome.errors());
    Ok(())
}

fn report(table: &mut Table, samples: &[Sample], begun: Instant, errors: u64) {
    let (mut before, mut since) = (Vec::new(), Vec::new());
    for sample in samples {
        // Under way when it began counts as during it.
        if sample.due + sample.took < begun {
            before.push(sample.took);
        } else {
            since.push(sample.took);
        }
    }
    before.sort_unstable();
    since.sort_unstable();
    let usual = percentile(&before, 0.5);
    let slow = |times: &[Duration]| {
        let slow = times.iter().filter(|took| **took > usual + MARGIN).count();
        (slow, 100.0 * slow as f64 / times.len().max(1) as f64)
    };
    let ((_, control), (count, share)) = (slow(&before), slow(&since));
    let slowest = samples
        .iter()
        .filter(|one| one.due + one.took >= begun && one.took > usual + MARGIN);
    let late = slowest.map(|one| one.due.saturating_duration_since(begun));
    let (first, last) = late.fold((Duration::MAX, Duration::ZERO), |(first, last), at| {
        (first.min(at), last.max(at))
    });
    let first = first.min(last);
    let longest = since.last().copied().unwrap_or_default();
    let measured = format!(
        "{share:.3} % ({count} of {}; before: {control:.3} %); usual {usual:.1?}, longest {longest:.1?}; due {first:.1?} to {last:.1?} after the hang began",
        since.len()
    );
    let figure = "requests more than 25 ms slower once Redis hangs, 4 replicas";
    table.row(figure, "≤ 0.1 %", &measured, share <= 0.1);
    let measured = format!("{errors} of {}", samples.len());
    table.row("of these answered 5xx", "0", &measured, errors == 0);
}
