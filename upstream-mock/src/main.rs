//! The mock upstream as a program: `upstream-mock [--listen ADDR] [--seed N]`.
//!
//! Exits with 0 when told to stop by SIGTERM or SIGINT, 64 for a setting that makes no sense, 69 for an address that
//! cannot be bound. Says where it listens in one line on standard error.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use upstream_mock::{Settings, serve};

/// An upstream that misbehaves on request.
///
/// EXTERNAL_FAIL_RATE (0 to 1) and EXTERNAL_LATENCY_MS apply to every request.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen [default: 0.0.0.0:5001, or that port of PORT]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    #[arg(long, env = "PORT", hide = true, default_value_t = 5001)]
    port: u16,
    /// Makes random failures the same ones on every run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Exit codes of `sysexits.h`.
const BAD_USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;

/// One thread: it is never the bottleneck, and under load it leaves the cores to what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                BAD_USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let settings = match Settings::from_variables(|name| std::env::var(name).ok()) {
        // Nobody could read what was recorded.
        Ok(settings) => Settings {
            seed: arguments.seed,
            recording: false,
            ..settings
        },
        Err(error) => {
            eprintln!("upstream-mock: {error}");
            return BAD_USAGE.into();
        }
    };
    let addr = arguments
        .listen
        .unwrap_or((Ipv4Addr::UNSPECIFIED, arguments.port).into());
    match run(addr, settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upstream-mock: cannot listen on {addr}: {error}");
            UNAVAILABLE.into()
        }
    }
}

async fn run(addr: SocketAddr, settings: Settings) -> io::Result<()> {
    // Before the line that tells others it is up: whoever reads that may already stop it.
    let stop = stop_signal(
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let listener = upstream_mock::listen(addr)?;
    eprintln!(
        "upstream-mock: listening on http://{}",
        listener.local_addr()?
    );
    serve(listener, settings, stop).await;
    Ok(())
}

async fn stop_signal(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
