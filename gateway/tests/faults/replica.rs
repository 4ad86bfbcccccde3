//! A replica killed with tokens or with the circuit's probe in hand: SIGKILL, so that it says good-bye to nobody.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;
use upstream_mock::{Mock, Settings};

use super::load::{Limit, Load, gateways};
use crate::support::client::{Client, get, request};
use crate::support::eventually;
use crate::support::redis::Server;

/// Fast enough that leases are large.
const LIMIT: Limit = Limit {
    capacity: 400,
    per_second: 400,
};

#[tokio::test]
async fn killed_with_leases() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let mut replicas = gateways(3, &mock.url(), &redis.url(), &LIMIT.variables()).await;
    let load = Load::on(&replicas);
    load.admits(200).await;
    replicas.pop().unwrap().signal("KILL");
    // The others go on, and get what the limit allows.
    load.admits(600).await;
    let seen = load.stop().await;
    seen.assert_no_error();
    assert_eq!(seen.broken, 1, "the client of the one that was killed");
    let bound = LIMIT.bound(seen.took);
    assert!(seen.admitted() as f64 <= bound, "{seen:?}: {bound}");
}

#[tokio::test]
async fn killed_with_the_probe() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let variables = [
        (
            "GATEWAY__UPSTREAMS__DEFAULT__CIRCUIT__RESET",
            "200ms".to_owned(),
        ),
        // A probe is held for this long and a second more.
        ("UPSTREAM_TIMEOUT", "2".to_owned()),
    ];
    let mut replicas = gateways(2, &mock.url(), &redis.url(), &variables).await;
    mock.set_failing(true);
    let [holder, other] = [replicas[0].proxy, replicas[1].proxy];
    eventually("the circuit opens for both", || async {
        let (one, two) = tokio::join!(get(holder, "/proxy/ok"), get(other, "/proxy/ok"));
        (one.status, two.status) == (503, 503)
    })
    .await;
    mock.set_failing(false);
    // The holder's probe is a request that the upstream never answers.
    let before = mock.recorder().count();
    eventually("a probe is on its way", || async {
        tokio::spawn(async move {
            let mut client = Client::connect(holder).await;
            let hang = request(Method::GET, "/proxy/hang", &[]);
            // Refused, or cut off by the death of its gateway.
            let _ = client.try_send(hang).await;
        });
        mock.recorder().count() > before
    })
    .await;
    replicas.remove(0).signal("KILL");
    let killed = Instant::now();
    let refused = get(other, "/proxy/ok").await;
    assert_eq!(refused.status, 503, "the probe is still the dead one's");
    eventually("the probe is reclaimed, and closes the circuit", || async {
        get(other, "/proxy/ok").await.status == 200
    })
    .await;
    assert!(
        killed.elapsed() < Duration::from_secs(6),
        "{:?}",
        killed.elapsed()
    );
    assert_eq!(
        mock.recorder().count(),
        before + 2,
        "two probes, and no more"
    );
}
