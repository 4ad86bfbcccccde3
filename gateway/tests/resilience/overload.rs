//! More to do than can be done: counts, not times.

use std::time::Duration;

use futures_util::future::join_all;

use crate::gateway;
use crate::support::client::{Client, post};
use crate::support::eventually;
use crate::support::process::Process;
use crate::upstream::{Reply, Upstream};

const IN_FLIGHT: &str = r#"gateway_upstream_requests_in_flight{upstream="api"}"#;
const QUEUED: &str = r#"gateway_upstream_requests_queued{upstream="api"}"#;
const LIMIT: &str = r#"gateway_upstream_concurrency_limit{upstream="api"}"#;

fn refusals(upstream: &str, reason: &str) -> String {
    format!(r#"gateway_overload_refusals_total{{upstream="{upstream}",reason="{reason}"}}"#)
}

fn is(value: f64, count: u32) -> bool {
    (value - f64::from(count)).abs() < 0.5
}

#[tokio::test]
async fn ten_times_too_much_leaves_what_was_let_in_alone() {
    let upstream = Upstream::start(|_| Reply::Held).await;
    let limit = r#"concurrency = { max = 4, queue = 4, queue_timeout = "1h" }"#;
    let gateway = gateway(&upstream.url(), limit, "");
    let full = refusals("api", "queue_full");
    assert!(is(gateway.metric(LIMIT).await, 4));
    let everybody = join_all((0..80).map(|_| gateway.get("/x")));
    let (answers, ()) = tokio::join!(everybody, async {
        eventually("72 are refused", || async {
            is(gateway.metric(&full).await, 72)
        })
        .await;
        assert!(is(gateway.metric(IN_FLIGHT).await, 4));
        assert!(is(gateway.metric(QUEUED).await, 4));
        upstream.release(8);
    });
    let (served, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|one| one.status == 200);
    assert_eq!((served.len(), refused.len()), (8, 72));
    assert_eq!((upstream.count(), upstream.peak()), (8, 4));
    for refused in refused {
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (503, Some("1"))
        );
        let said = refused.header("proxy-status").unwrap();
        assert!(said.ends_with(";error=connection_limit_reached"), "{said}");
    }
    eventually("all places are free", || async {
        is(gateway.metric(IN_FLIGHT).await, 0)
    })
    .await;
    assert!(is(gateway.metric(QUEUED).await, 0));
}

#[tokio::test]
async fn nobody_waits_longer_than_the_queue_allows() {
    let upstream = Upstream::start(|_| Reply::Held).await;
    let limit = r#"concurrency = { max = 1, queue_timeout = "50ms" }"#;
    let gateway = gateway(&upstream.url(), limit, "");
    let (first, second) = tokio::join!(gateway.get("/x"), async {
        eventually("one is there", || async { upstream.open() == 1 }).await;
        let second = gateway.get("/x").await;
        upstream.release(1);
        second
    });
    assert_eq!(
        (first.status, second.status, upstream.count()),
        (200, 503, 1)
    );
    assert!(is(
        gateway.metric(&refusals("api", "queue_timeout")).await,
        1
    ));
}

#[tokio::test]
async fn a_place_is_free_when_its_client_leaves() {
    let upstream = Upstream::start(|number| match number {
        0 => Reply::Hang,
        _ => Reply::Status(200),
    })
    .await;
    let gateway = gateway(&upstream.url(), "concurrency = { max = 1, queue = 0 }", "");
    let leaving = gateway.get("/x");
    tokio::select! {
        _ = leaving => panic!("an answer from nowhere"),
        () = eventually("it is there", || async { upstream.open() == 1 }) => {}
    }
    eventually("the place is free", || async {
        gateway.get("/x").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn the_process_takes_so_many_and_its_own_answers_beside() {
    let upstream = Upstream::start(|_| Reply::Held).await;
    let gateway = gateway(&upstream.url(), "", "[server]\nmax_requests = 2");
    let (answers, third) = tokio::join!(join_all((0..2).map(|_| gateway.get("/x"))), async {
        eventually("two are there", || async { upstream.open() == 2 }).await;
        let third = gateway.get("/x").await;
        assert_eq!(gateway.get("/health").await.status, 200);
        upstream.release(2);
        third
    });
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(
        (third.status, third.header("retry-after")),
        (503, Some("1"))
    );
    assert!(is(
        gateway.metric(&refusals("api", "max_requests")).await,
        1
    ));
    upstream.release(1);
    eventually("places are free", || async {
        gateway.get("/x").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_hedge_needs_a_place_of_its_own() {
    let upstream = Upstream::start(|_| Reply::Late(200, Duration::from_millis(200))).await;
    let hedged = r#"hedge = { after = "20ms" }"#;
    let gateway = gateway(&upstream.url(), "concurrency = { max = 1 }", hedged);
    assert_eq!(gateway.get("/x").await.status, 200);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn what_waits_and_what_is_refused_takes_no_memory_for_its_body() {
    const BODY: usize = 1 << 20;
    let upstream = Upstream::start(|_| Reply::Held).await;
    let limit = r#"{ max = 8, queue = 8, queue_timeout = "1h" }"#;
    let key = "GATEWAY__UPSTREAMS__DEFAULT__CONCURRENCY";
    let process = Process::start(&upstream.url(), &[(key, limit)]).await;
    let one = || async {
        let mut client = Client::connect(process.proxy).await;
        // A client that is refused may see its connection end before it has read the answer.
        let _ = client.try_send(post("/proxy/x", vec![7; BODY])).await;
    };
    let counted = |sample: String| async move {
        let page = crate::support::client::get(process.admin, "/metrics").await;
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    };
    let before = process.peak_memory();
    tokio::join!(join_all((0..160).map(|_| one())), async {
        let full = refusals("default", "queue_full");
        eventually("144 are refused", || async {
            is(counted(full.clone()).await, 144)
        })
        .await;
        upstream.release(16);
    });
    let grown = process.peak_memory() - before;
    assert_eq!(upstream.peak(), 8);
    assert!(grown < 160 * BODY as u64 / 4, "{} KiB more", grown >> 10);
}
