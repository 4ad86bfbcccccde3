//! `fleet`: measures what several gateway processes that share one Redis promise together, and prints it beside what was asked.
//!
//! Guarantees: everything it starts listens on loopback, ends with it, and is the real thing: release binaries, a Redis server, real
//! sockets. Every scenario is bounded in time. Must not: fail because a figure is bad: it prints what it saw; only `--moves`, whose
//! promises are counts, ends with an error when one of them is missed.

mod admitted;
mod circuit;
mod commands;
mod error;
mod gateways;
mod http;
mod load;
mod moves;
mod narrow;
mod outage;
mod overload;
mod redis;
mod table;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use error::Failure;
use table::Table;

/// Several gateway processes, one Redis: what they admit, what they ask of Redis, how fast a circuit opens everywhere.
#[derive(Parser)]
struct Arguments {
    /// The gateway's binary
    #[arg(long, default_value = "target/release/gateway")]
    gateway: PathBuf,
    /// Short runs: 10 s and few rounds
    #[arg(long)]
    quick: bool,
    /// Only the scenarios whose name contains this: commands, admitted, circuit, outage, overload
    #[arg(long, default_value = "")]
    only: String,
    /// Instead: scale the fleet out and in under load, replace every replica, kill one, and fail if a promise is missed
    #[arg(long)]
    moves: bool,
}

/// How long and how often.
struct Plan {
    gateway: PathBuf,
    steady: Duration,
    admitted: Duration,
    openings: usize,
    half_opens: u64,
}

impl Plan {
    fn new(arguments: Arguments) -> Self {
        let gateway = arguments.gateway;
        let (steady, admitted, openings, half_opens) = if arguments.quick {
            (5, 10, 20, 100)
        } else {
            (10, 60, 200, 1_000)
        };
        Self {
            gateway,
            steady: Duration::from_secs(steady),
            admitted: Duration::from_secs(admitted),
            openings,
            half_opens,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (only, moves) = (arguments.only.clone(), arguments.moves);
    let plan = Plan::new(arguments);
    let ran = match moves {
        true => moves::exercise(&plan).await,
        false => run(&plan, &only).await.map(|()| true),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("fleet: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(plan: &Plan, only: &str) -> Result<(), Failure> {
    let mut table = Table::new();
    if "commands".contains(only) {
        commands::measure(plan, &mut table).await?;
    }
    if "admitted".contains(only) {
        admitted::measure(plan, &mut table).await?;
    }
    if "circuit".contains(only) {
        circuit::measure(plan, &mut table).await?;
    }
    if "outage".contains(only) {
        outage::measure(plan, &mut table).await?;
    }
    if "overload".contains(only) {
        overload::measure(plan, &mut table).await?;
    }
    Ok(())
}
