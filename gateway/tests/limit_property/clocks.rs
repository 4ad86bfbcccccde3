//! Gateways whose clocks are hours apart: only Redis's clock counts.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use upstream_mock::{Mock, Settings};

use crate::support::client::Client;
use crate::support::process::Process;
use crate::support::redis::Server;

/// The bucket holds 50 and gets ten a second, which a slow machine empties too: the rest can only come from the refill.
const TOGETHER: u32 = 80;
/// To be served at each gateway after it first refused: one whose clock counted would go on refusing, or never begin.
const AFTERWARDS: u32 = 3;
/// For what takes three seconds where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Debian, Fedora and Alpine put the library that lies to a process about the time.
fn libfaketime() -> PathBuf {
    let places = [
        "/usr/lib/x86_64-linux-gnu/faketime",
        "/usr/lib/aarch64-linux-gnu/faketime",
        "/usr/lib64/faketime",
        "/usr/lib/faketime",
    ];
    let files = places.map(|place| PathBuf::from(place).join("libfaketime.so.1"));
    let found = files.into_iter().find(|file| file.exists());
    found.expect("libfaketime: scripts/install-test-deps.sh installs it")
}

async fn under(offset: &str, mock: &Mock, redis: &Server) -> Process {
    let library = libfaketime();
    let variables = [
        ("REDIS_URL", redis.url()),
        // A busy machine is late; what a gateway does on its own then is another test's matter.
        ("GATEWAY__STORE__TIMEOUT", "5s".to_owned()),
        ("RATE_LIMIT_CAPACITY", "50".to_owned()),
        ("RATE_LIMIT_REFILL_RATE", "10".to_owned()),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1".to_owned()),
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", offset.to_owned()),
        // As with real clocks that are wrong, time passes as everywhere.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Process::start(&mock.url(), &variables).await
}

/// The day and hour at which a process believes it started, from its log.
async fn believed_hour(process: &Process) -> String {
    let started = process.event("started").await;
    started["timestamp"].as_str().expect("a timestamp")[..13].to_owned()
}

#[tokio::test]
async fn clocks_hours_apart_change_nothing_in_what_is_admitted() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let mut gateways = Vec::new();
    let mut hours = Vec::new();
    for offset in ["+0", "+7h", "-30h"] {
        let gateway = under(offset, &mock, &redis).await;
        hours.push(believed_hour(&gateway).await);
        gateways.push(gateway);
    }
    hours.sort_unstable();
    hours.dedup();
    assert_eq!(
        hours.len(),
        3,
        "the clocks are wrong, or this shows nothing"
    );
    let begun = Instant::now();
    let all = Cell::new(0);
    let hammering = gateways
        .iter()
        .map(|gateway| hammer(gateway, &all, begun + PATIENCE));
    let each = join_all(hammering).await;
    let bound = 50.0 + 10.0 * (begun.elapsed().as_secs_f64() + 0.1);
    let admitted = f64::from(all.get());
    assert!(admitted <= bound, "{each:?}: {admitted} of at most {bound}");
}

/// Asks one gateway until it has refused and served again, and all of them together have served enough to be held to the bound,
/// however long a busy machine takes. Tells how many it served.
async fn hammer(gateway: &Process, all: &Cell<u32>, deadline: Instant) -> u32 {
    let mut client = Client::connect(gateway.proxy).await;
    let (mut served, mut first) = (0, None);
    while first.is_none_or(|first| served < first + AFTERWARDS) || all.get() < TOGETHER {
        assert!(
            Instant::now() < deadline,
            "{} served {served}, {first:?} of them before it refused; all served {}",
            gateway.proxy,
            all.get()
        );
        match client.get("/proxy/ok").await.status {
            200 => {
                served += 1;
                all.set(all.get() + 1);
            }
            429 => {
                first.get_or_insert(served);
                sleep(Duration::from_millis(1)).await;
            }
            other => panic!("{other}"),
        }
    }
    served
}
