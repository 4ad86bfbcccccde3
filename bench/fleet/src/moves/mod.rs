//! A fleet that moves under load: scaled out and in, every replica replaced, one killed, its upstream failing and recovering.
//!
//! One Redis, one load balancer that asks each replica whether it is ready, clients that share connections as browsers do. The load never
//! stops; what it counts is asked at the end.
//!
//! Guarantees: bounded in time; a request counts as lost when it had no answer, or a 5xx one, from any replica it may be sent to. Must not:
//! forgive a loss in an orderly move.

mod balancer;
mod clients;
mod ledger;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::error::Failure;
use crate::gateways::Gateway;
use crate::http::{Connection, get};
use crate::load::Load;
use crate::redis::Redis;
use crate::table::Table;
use crate::upstream::Upstream;
use balancer::Balancer;
use clients::Clients;
use ledger::Ledger;

const SMALL: usize = 3;
const LARGE: usize = 10;
const PATIENCE: Duration = Duration::from_secs(20);

/// Two upstreams: one that every client asks, and one that will fail. A replica that is asked to stop is unready for a second before
/// it closes its listener: longer than the balancer takes to look away.
const CONFIGURATION: &str = r#"
[server]
drain_delay = "1s"
drain_timeout = "10s"
[store]
timeout = "200ms"
[upstreams.default]
endpoints = ["http://127.0.0.1:1"]
[upstreams.sick]
endpoints = ["SICK"]
circuit = { failures = 5, reset = "1s" }
[limits.per-client]
capacity = 200
refill = "40/s"
[[routes]]
name = "proxy"
path = "/proxy/{*path}"
rewrite = "/{path}"
upstream = "default"
limits = ["per-client"]
[[routes]]
name = "free"
path = "/free/{*path}"
rewrite = "/{path}"
upstream = "default"
[[routes]]
name = "sick"
path = "/sick/{*path}"
rewrite = "/{path}"
upstream = "sick"
"#;

/// What the clients' limit admits to each of them.
const CAPACITY: f64 = 200.0;
const PER_SECOND: f64 = 40.0;
/// The default lease lifetime, in seconds.
const TAU: f64 = 0.05;

/// The replicas and what they stand on.
struct Stage<'a> {
    binary: &'a Path,
    redis: Redis,
    upstream: Upstream,
    sick: Upstream,
    directory: TempDir,
    balancer: Balancer,
    replicas: Vec<Gateway>,
}

/// Runs the story; whether every promise was kept.
pub(crate) async fn exercise(plan: &Plan) -> Result<bool, Failure> {
    let mut table = Table::new();
    let mut stage = Stage::set(&plan.gateway).await?;
    for count in [1, SMALL] {
        stage.grow(count).await?;
        throughput(&stage, &mut table).await?;
    }
    let ledger = Arc::new(Ledger::default());
    let clients = Clients::start(&stage.balancer, &ledger);
    ledger.enter("scaled from 3 to 10");
    stage.grow(LARGE).await?;
    settle(&stage).await?;
    ledger.enter("the upstream of another route fails and recovers");
    breaker(&stage, &mut table).await?;
    ledger.enter("each of 10 replicas replaced");
    let well = stage.replace_all().await?;
    ledger.enter("one of 10 killed with SIGKILL");
    stage.kill_one().await?;
    ledger.enter("scaled from 10 to 3");
    let well = stage.shrink(SMALL).await? && well;
    let took = clients.stop().await?;
    table.row(
        "replicas that were asked to stop and ended with success",
        "all 17",
        if well { "all 17" } else { "not all" },
        well,
    );
    ledger.report(&mut table);
    let bound = CAPACITY + PER_SECOND * (took.as_secs_f64() + 2.0 * TAU);
    ledger.limits(&mut table, bound, took);
    stage.grow(LARGE).await?;
    throughput(&stage, &mut table).await?;
    Ok(table.all_kept())
}

impl<'a> Stage<'a> {
    async fn set(binary: &'a Path) -> Result<Self, Failure> {
        let sick = Upstream::start(false)?;
        let directory = TempDir::new().map_err(Failure::system("a directory"))?;
        let text = CONFIGURATION.replace("SICK", sick.url());
        std::fs::write(directory.path().join("gateway.toml"), text)
            .map_err(Failure::system("a configuration"))?;
        Ok(Self {
            binary,
            redis: Redis::start().await?,
            upstream: Upstream::start(false)?,
            sick,
            directory,
            balancer: Balancer::start(),
            replicas: Vec::new(),
        })
    }

    fn start_one(&self) -> Result<Gateway, Failure> {
        let file = self.directory.path().join("gateway.toml");
        let file = file.to_string_lossy();
        let variables = [("GATEWAY_CONFIG", file.as_ref())];
        let gateway = Gateway::start(self.binary, &self.redis, &self.upstream, &variables)?;
        self.balancer.add(gateway.proxy, gateway.admin);
        Ok(gateway)
    }

    /// Starts replicas until there are `count`, all of them ready and known to each other.
    async fn grow(&mut self, count: usize) -> Result<(), Failure> {
        while self.replicas.len() < count {
            let gateway = self.start_one()?;
            self.replicas.push(gateway);
        }
        let line = format!("gateway_replicas {count}");
        for gateway in &self.replicas {
            gateway.exposes(&line).await?;
        }
        Ok(())
    }

    /// Replaces each replica, one after the other: the new one first. Whether all ended well.
    async fn replace_all(&mut self) -> Result<bool, Failure> {
        let mut well = true;
        for place in 0..self.replicas.len() {
            let new = self.start_one()?;
            self.balancer.until_ready(new.proxy).await?;
            let mut old = std::mem::replace(&mut self.replicas[place], new);
            well &= self.retire(&mut old).await?;
        }
        Ok(well)
    }

    async fn kill_one(&mut self) -> Result<(), Failure> {
        let mut victim = self.replicas.remove(0);
        victim.kill()?;
        self.balancer.until_gone(victim.proxy).await?;
        let new = self.start_one()?;
        self.balancer.until_ready(new.proxy).await?;
        self.replicas.push(new);
        Ok(())
    }

    /// Stops replicas until `count` are left, as an autoscaler does: all at once. Whether all ended well.
    async fn shrink(&mut self, count: usize) -> Result<bool, Failure> {
        let mut leaving = self.replicas.split_off(count);
        for gateway in &leaving {
            gateway.ask_to_stop()?;
        }
        let mut well = true;
        for gateway in &mut leaving {
            well &= gateway.ended().await?;
            self.balancer.until_gone(gateway.proxy).await?;
        }
        Ok(well)
    }

    async fn retire(&self, gateway: &mut Gateway) -> Result<bool, Failure> {
        gateway.ask_to_stop()?;
        let well = gateway.ended().await?;
        self.balancer.until_gone(gateway.proxy).await?;
        Ok(well)
    }
}

/// Time for the clients to have met every replica.
async fn settle(stage: &Stage<'_>) -> Result<(), Failure> {
    for gateway in &stage.replicas {
        stage.balancer.until_ready(gateway.proxy).await?;
    }
    sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// The sick upstream fails: all replicas must come to refuse, and to serve again once it has recovered.
async fn breaker(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    stage.sick.set_failing(true).await?;
    let refusing = all_answer(stage, 503).await?;
    stage.sick.set_failing(false).await?;
    let serving = all_answer(stage, 200).await?;
    let mut open = 0;
    for gateway in &stage.replicas {
        let metrics = get(gateway.admin, "/metrics").await?;
        let closed = r#"gateway_circuit_breaker_state{upstream="sick"} 0"#;
        open += usize::from(!metrics.lines().any(|line| line == closed));
    }
    let measured = format!(
        "all refuse {refusing:.1?} after the upstream began to fail, all serve {serving:.1?} after it recovered (reset 1 s); {open} open at the end"
    );
    table.row(
        "the breaker agrees on all 10 replicas",
        "none open at the end",
        &measured,
        open == 0,
    );
    Ok(())
}

/// Asks every replica in turn until all give this answer; how long that took.
async fn all_answer(stage: &Stage<'_>, wanted: u16) -> Result<Duration, Failure> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let mut all = true;
        for gateway in &stage.replicas {
            let mut connection = Connection::open(gateway.proxy).await?;
            let request = b"GET /sick/ok HTTP/1.1\r\nhost: bench\r\n\r\n";
            all &= connection.ask(request).await? == wanted;
        }
        if all {
            return Ok(begun.elapsed());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(Failure::Never("every replica comes to the same answer"))
}

/// As many requests as the fleet answers, without a limit: on as many cores as there are here.
async fn throughput(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let mut connections = Vec::new();
    for place in 0..SMALL * LARGE {
        let gateway = &stage.replicas[place % stage.replicas.len()];
        connections.push(Connection::open(gateway.proxy).await?);
    }
    let load = Load {
        lasts: Duration::from_secs(5),
        pace: None,
        request: |_, _| (0, b"GET /free/ok HTTP/1.1\r\nhost: bench\r\n\r\n"),
    };
    let outcome = load.run(connections).await?;
    let rate = outcome.samples.len() as f64 / outcome.took.as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let replicas = match stage.replicas.len() {
        1 => "one replica".to_owned(),
        count => format!("{count} replicas"),
    };
    let figure =
        format!("requests per second of {replicas}, the load and the upstream on {cores} cores");
    table.note(&figure, &format!("{rate:.0}"));
    Ok(())
}
