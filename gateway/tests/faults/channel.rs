//! The channel on which replicas hear of transitions: cut, or never there. The poll is the net under it.

use std::time::Duration;

use tokio::time::Instant;
use upstream_mock::{Mock, Settings};

use super::load::gateways;
use crate::support::client::get;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::redis::Server;

/// A poll each second, and a busy machine.
const FOUND_WITHIN: Duration = Duration::from_secs(5);

/// A quorum of one, so that what one replica does decides for the other.
fn variables() -> [(&'static str, String); 2] {
    [
        (
            "GATEWAY__UPSTREAMS__DEFAULT__CIRCUIT__QUORUM",
            "1".to_owned(),
        ),
        (
            "GATEWAY__UPSTREAMS__DEFAULT__CIRCUIT__RESET",
            "1h".to_owned(),
        ),
    ]
}

/// Opens the circuit through the first replica, and waits until the second refuses, having sent nothing itself.
async fn opens_everywhere(mock: &Mock, replicas: &[Process]) -> Duration {
    mock.set_failing(true);
    for _ in 0..5 {
        assert_eq!(get(replicas[0].proxy, "/proxy/ok").await.status, 500);
    }
    let opened = Instant::now();
    assert_eq!(get(replicas[0].proxy, "/proxy/ok").await.status, 503);
    replicas[1].event("circuit_opened").await;
    let took = opened.elapsed();
    assert_eq!(get(replicas[1].proxy, "/proxy/ok").await.status, 503);
    assert_eq!(mock.recorder().count(), 5, "the second sent nothing");
    took
}

#[tokio::test]
async fn never_there() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start_with(&["--rename-command", "SUBSCRIBE", ""]).await;
    let replicas = gateways(2, &mock.url(), &redis.url(), &variables()).await;
    let took = opens_everywhere(&mock, &replicas).await;
    assert!(took < FOUND_WITHIN, "{took:?}");
}

/// Two replicas, each with an ear for circuits and one for operators' orders.
const LISTENING: u32 = 4;

#[tokio::test]
async fn cut_just_before_the_transition() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let replicas = gateways(2, &mock.url(), &redis.url(), &variables()).await;
    let listening = async || {
        let said: Vec<String> = redis
            .run(&["PUBSUB", "NUMSUB", "api-gateway:v1:events"])
            .await
            .unwrap();
        said[1] == LISTENING.to_string()
    };
    eventually("both listen", &listening).await;
    let cut: u32 = redis
        .run(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    assert_eq!(cut, LISTENING);
    let took = opens_everywhere(&mock, &replicas).await;
    assert!(took < FOUND_WITHIN, "{took:?}");
    eventually("both listen again", &listening).await;
}
