//! How long a connection to an upstream is used.

use std::time::Duration;

use crate::gateway;
use crate::server::{Speaks, Upstream};
use crate::support::eventually;

#[tokio::test]
async fn a_connection_carries_as_many_requests_as_it_may() {
    for (speaks, scheme) in [(Speaks::Http1, "http"), (Speaks::Http2, "h2c")] {
        let upstream = Upstream::start(speaks).await;
        let gateway = gateway(&upstream.url(scheme), &[("max_connection_requests", "2")]);
        for _ in 0..6 {
            assert_eq!(gateway.get("/proxy/x").await.status, 200);
        }
        let connections: Vec<_> = upstream.seen().iter().map(|one| one.connection).collect();
        assert_eq!(connections, [0, 0, 1, 1, 2, 2], "{scheme}");
    }
}

#[tokio::test]
async fn a_connection_that_is_never_idle_grows_no_older_than_it_may() {
    for (speaks, scheme) in [(Speaks::Http1, "http"), (Speaks::Http2, "h2c")] {
        let upstream = Upstream::start(speaks).await;
        let keys = [("max_connection_lifetime", "300ms"), ("keepalive", "10m")];
        let gateway = gateway(&upstream.url(scheme), &keys);
        eventually("a third connection", async || {
            assert_eq!(gateway.get("/proxy/x").await.status, 200);
            upstream.connections() >= 3
        })
        .await;
        // So many because they were due, not because none is kept.
        assert!(
            upstream.seen().len() >= 6,
            "{scheme}: {:?}",
            upstream.seen().len()
        );
    }
}

#[tokio::test]
async fn a_connection_with_nothing_to_do_is_closed() {
    for (speaks, scheme) in [(Speaks::Http1, "http"), (Speaks::Http2, "h2c")] {
        let upstream = Upstream::start(speaks).await;
        let gateway = gateway(&upstream.url(scheme), &[("keepalive", "100ms")]);
        assert_eq!(gateway.get("/proxy/x").await.status, 200);
        eventually("another connection", async || {
            // Longer than it may be idle, and than the sweep that looks.
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert_eq!(gateway.get("/proxy/x").await.status, 200);
            upstream.connections() >= 2
        })
        .await;
    }
}
