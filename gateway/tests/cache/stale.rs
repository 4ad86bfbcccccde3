//! What is stale and used all the same: RFC 5861, RFC 9111, section 4.2.4.

use super::*;

fn metric(result: &str) -> String {
    format!("gateway_cache_requests_total{{route=\"api\",result=\"{result}\"}}")
}

/// How long an origin takes that nobody should wait for: longer than twenty answers take on a machine that is busy.
const SLOW: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_asked_for_anew_what_is_stale_is_used() {
    let origin = Origin::start(|_, before| {
        let delay = if before == 0 { Duration::ZERO } else { SLOW };
        Reply::new(before.to_string()).after(delay)
    })
    .await;
    let gateway = gateway(
        &origin,
        "ttl = \"200ms\", stale_while_revalidate = \"1h\"",
        "",
    );
    get(&gateway, "/x", &[]).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    // Many at once are all answered, and one asks.
    let begun = tokio::time::Instant::now();
    let all = (0..20).map(|_| get(&gateway, "/x", &[]));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(text(&answer), "0");
    }
    assert!(begun.elapsed() < SLOW, "somebody waited");
    assert_eq!(gateway.metric(&metric("stale")).await, 20.0);
    support::eventually("the new one", || async {
        text(&get(&gateway, "/x", &[]).await) == "1"
    })
    .await;
    assert!(origin.count() <= 3, "{}", origin.count());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_of_an_error_what_is_stale_is_used() {
    let origin =
        Origin::start(|_, _| says("max-age=0, stale-if-error=3600").with("etag", "\"a\"")).await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    for status in [500, 502, 503, 504] {
        origin.answer(move |_, _| Reply::status(status));
        let answer = get(&gateway, "/x", &[]).await;
        assert_eq!((answer.status, text(&answer)), (200, "body"), "{status}");
        assert!(
            did(&answer).contains("detail=STALE_IF_ERROR"),
            "{}",
            did(&answer)
        );
    }
    // A 404 is an answer.
    origin.answer(|_, _| Reply::status(404));
    assert_eq!(get(&gateway, "/x", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_validated_is_not_used_in_place_of_an_error() {
    for forbids in [
        "must-revalidate",
        "proxy-revalidate",
        "s-maxage=0",
        "no-cache",
    ] {
        let said = format!("max-age=0, {forbids}, stale-if-error=3600");
        let origin = Origin::start(move |_, _| says(&said).with("etag", "\"a\"")).await;
        let gateway = gateway(&origin, "stale_if_error = \"1h\"", "");
        get(&gateway, "/x", &[]).await;
        origin.answer(|_, _| Reply::status(503));
        assert_eq!(get(&gateway, "/x", &[]).await.status, 503, "{forbids}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_take_what_is_stale() {
    let origin =
        Origin::start(|_, _| says("max-age=10").with("age", "15").with("etag", "\"a\"")).await;
    let gateway = gateway(&origin, "", "");
    get(&gateway, "/x", &[]).await;
    let any = get(&gateway, "/x", &[("cache-control", "max-stale")]).await;
    assert!(did(&any).contains("; hit; ttl=-5"), "{}", did(&any));
    assert!(is_hit(
        &get(&gateway, "/x", &[("cache-control", "max-stale=60")]).await
    ));
    assert!(!is_hit(
        &get(&gateway, "/x", &[("cache-control", "max-stale=1")]).await
    ));
}

/// The upstream gone, its circuit open: what is kept is the answer, and nobody is asked.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_circuit_open_what_is_kept_still_answers() {
    let origin = Origin::start(|request, _| match request.uri.path() {
        "/fresh" => says("max-age=3600"),
        "/stale" => says("max-age=0, stale-if-error=3600").with("etag", "\"a\""),
        _ => Reply::status(500),
    })
    .await;
    let text = file("", "").replace(
        "[upstreams.default]\n",
        "[upstreams.default]\ncircuit = { failures = 3, reset = \"1h\" }\n",
    );
    let gateway = Gateway::from_file(&origin.url(), &text);
    get(&gateway, "/fresh", &[]).await;
    get(&gateway, "/stale", &[]).await;
    for _ in 0..3 {
        assert_eq!(get(&gateway, "/broken", &[]).await.status, 500);
    }
    support::eventually("the circuit is open", || async {
        get(&gateway, "/broken", &[]).await.status == 503
    })
    .await;
    let asked = origin.count();
    let fresh = get(&gateway, "/fresh", &[]).await;
    assert!(fresh.status == 200 && is_hit(&fresh), "{}", did(&fresh));
    let stale = get(&gateway, "/stale", &[]).await;
    assert_eq!((stale.status, super::text(&stale)), (200, "body"));
    assert!(
        did(&stale).contains("detail=STALE_IF_ERROR"),
        "{}",
        did(&stale)
    );
    assert_eq!(origin.count(), asked);
    assert_eq!(gateway.metric(&metric("stale_error")).await, 1.0);
}
