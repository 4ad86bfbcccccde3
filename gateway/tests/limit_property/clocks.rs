//! Gateways whose clocks are hours apart: only Redis's clock counts.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use upstream_mock::{Mock, Settings};

use crate::support::client::Client;
use crate::support::process::Process;
use crate::support::redis::Server;

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
        ("RATE_LIMIT_CAPACITY", "100".to_owned()),
        ("RATE_LIMIT_REFILL_RATE", "50".to_owned()),
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
    let hammering = gateways.iter().map(|gateway| async {
        let mut client = Client::connect(gateway.proxy).await;
        let mut admitted = 0_u64;
        while begun.elapsed() < Duration::from_secs(3) {
            match client.get("/proxy/ok").await.status {
                200 => admitted += 1,
                429 => sleep(Duration::from_millis(1)).await,
                other => panic!("{other}"),
            }
        }
        admitted
    });
    let admitted: u64 = join_all(hammering).await.iter().sum();
    let seconds = begun.elapsed().as_secs_f64();
    let bound = 100.0 + 50.0 * (seconds + 0.1);
    assert!(admitted as f64 <= bound, "{admitted} of at most {bound}");
    assert!(admitted as f64 >= 0.8 * bound, "{admitted} of {bound}");
}
