//! `gateway demo`: a mock upstream and gateways that share one embedded store, in one process, with nothing installed.
//!
//! Guarantees: binds to loopback only; every command the banner prints does what it says. Must not: read the environment.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::run::{CANNOT_START, say};
use super::signals::wait_for_stop;
use super::{App, EMBEDDED_BUCKETS, Given, StartError};
use crate::config::{self, Source};
use crate::store::Store;
use crate::telemetry::logs;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::{AccessSettings, LogFormat, Settings as LogSettings};

const CAPACITY: u32 = 5;
const REFILL_SECONDS: u32 = 2;
const FAILURES: u32 = 3;
const RESET_SECONDS: u32 = 5;
/// Where the mock and the gateways listen when these are free; else anywhere.
const MOCK_PORT: u16 = 5001;
const FIRST_PORT: u16 = 5010;

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Config(#[from] config::Problems),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the mock upstream: {0}")]
    Mock(#[from] io::Error),
    #[error(transparent)]
    Log(#[from] logs::LogError),
}

/// Runs until it is interrupted.
#[must_use]
pub fn demo(replicas: usize) -> ExitCode {
    match start(replicas.max(1)) {
        Ok(running) => {
            say(&banner(&running));
            wait_for_stop();
            running.stop();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(CANNOT_START)
        }
    }
}

struct Running {
    gateways: Vec<App>,
    mock: Mock,
    flush: logs::Flush,
}

impl Running {
    fn stop(self) {
        self.gateways.into_iter().for_each(App::stop);
        self.mock.stop();
        drop(self.flush);
    }
}

fn start(replicas: usize) -> Result<Running, DemoError> {
    let settings = LogSettings {
        level: "warn".to_owned(),
        format: Some(LogFormat::Text),
        access: false,
        lines: AccessSettings::default(),
    };
    let logs = logs::init(&settings, Metrics::new().process.log_lines_dropped.clone())?;
    let mock = Mock::start()?;
    let store = Store::memory(EMBEDDED_BUCKETS);
    let gateways = (0..replicas)
        .map(|index| gateway(index, mock.address, &store))
        .collect::<Result<_, _>>()?;
    Ok(Running {
        gateways,
        mock,
        flush: logs.flush,
    })
}

fn gateway(index: usize, mock: SocketAddr, store: &Store) -> Result<App, DemoError> {
    let wanted = FIRST_PORT.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
    let settings = |listen: SocketAddr| {
        [
            ("UPSTREAM_URL", format!("http://{mock}")),
            ("RATE_LIMIT_CAPACITY", CAPACITY.to_string()),
            ("RATE_LIMIT_REFILL_RATE", "1".to_owned()),
            (
                "RATE_LIMIT_REFILL_INTERVAL_SECONDS",
                REFILL_SECONDS.to_string(),
            ),
            ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", FAILURES.to_string()),
            (
                "CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS",
                RESET_SECONDS.to_string(),
            ),
            ("GATEWAY__SERVER__LISTEN", listen.to_string()),
            ("GATEWAY__SERVER__WORKERS", "1".to_owned()),
            ("GATEWAY__ADMIN__LISTEN", loopback(0).to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    };
    let given = Given {
        embedded: Some(store.clone()),
        ..Given::default()
    };
    let listen = if is_free(wanted) {
        loopback(wanted)
    } else {
        loopback(0)
    };
    let config = config::load(&Source::new(None, settings(listen)))?;
    Ok(App::start(config, &given)?)
}

/// Whether nobody listens there: `SO_REUSEPORT` alone would let two demos share a port.
fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(loopback(port)).is_ok()
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The mock upstream on a thread of its own.
struct Mock {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Mock {
    fn start() -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(loopback(MOCK_PORT))
            .or_else(|_| std::net::TcpListener::bind(loopback(0)))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("mock".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let Ok(listener) = TcpListener::from_std(socket) else {
                        return;
                    };
                    let stopped = async {
                        let _ = stopped.await;
                    };
                    upstream_mock::serve(listener, upstream_mock::Settings::default(), stopped)
                        .await;
                });
            })?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

fn banner(running: &Running) -> String {
    let mock = running.mock.address;
    let mut text = format!("\nmock upstream   http://{mock}\n");
    for (index, app) in running.gateways.iter().enumerate() {
        let (proxy, admin) = (app.proxy_address(), app.admin_address());
        text.push_str(&format!(
            "gateway {:<7} http://{proxy}    admin http://{admin}\n",
            index + 1
        ));
    }
    let first = running.gateways.first().map_or(mock, App::proxy_address);
    let last = running.gateways.last().map_or(mock, App::proxy_address);
    let status = "-s -o /dev/null -w '%{http_code}\\n'";
    text.push_str(&format!(
        "
They share one store: {CAPACITY} tokens per client, one more every {REFILL_SECONDS} s; the circuit opens after {FAILURES} failures for {RESET_SECONDS} s.

Spend the tokens on one gateway, and another refuses (429, with Retry-After):
  for i in 1 2 3 4 5; do curl {status} http://{first}/proxy/ok; done
  curl -i http://{last}/proxy/ok

Wait for tokens, break the upstream, fail {FAILURES} times through one gateway, and another does not even ask (503):
  sleep 10; curl -s -X POST http://{mock}/simulate-failure
  for i in 1 2 3; do curl {status} http://{first}/proxy/ok; done
  curl -i http://{last}/proxy/ok

Mend it; after {RESET_SECONDS} s one probe closes the circuit everywhere (200):
  curl -s -X POST http://{mock}/simulate-recovery; sleep {RESET_SECONDS}
  curl {status} http://{last}/proxy/ok; curl {status} http://{first}/proxy/ok

Ctrl-C stops everything.
"
    ));
    text
}
