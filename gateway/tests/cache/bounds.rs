//! Nothing grows without bound, and what cannot be kept is passed on whole.

use super::*;

const SMALL: &str = "[cache]\nmemory = \"64KiB\"\nmax_object = \"16KiB\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_what_is_pushed_out_is_counted() {
    let origin = Origin::start(|_, _| Reply::new(vec![b'x'; 4_000])).await;
    let gateway = gateway(&origin, "ttl = \"1h\"", SMALL);
    for number in 0..100 {
        get(&gateway, &format!("/{number}"), &[]).await;
    }
    let bytes = gateway.metric("gateway_cache_bytes").await;
    assert!(bytes > 0.0 && bytes <= 65_536.0, "{bytes}");
    assert!(gateway.metric("gateway_cache_entries").await <= 16.0);
    assert!(gateway.metric("gateway_cache_evictions_total").await >= 80.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_passed_on_and_not_kept() {
    let origin = Origin::start(|request, _| {
        let length: usize = request.uri.path()[1..].parse().unwrap();
        Reply::new(vec![b'x'; length])
    })
    .await;
    let gateway = gateway(&origin, "ttl = \"1h\"", SMALL);
    for (length, hit) in [(10_000, true), (17_000, false), (3_000_000, false)] {
        for turn in 0..2 {
            let answer = get(&gateway, &format!("/{length}"), &[]).await;
            assert_eq!(answer.body.len(), length);
            assert_eq!(
                is_hit(&answer),
                hit && turn == 1,
                "{length}: {}",
                did(&answer)
            );
        }
    }
}

/// No length is declared: that it is too large shows on the way.
#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_too_large_is_passed_on_whole() {
    let mock = upstream_mock::Mock::start(upstream_mock::Settings::default())
        .await
        .unwrap();
    let gateway = Gateway::from_file(&mock.url(), &file("ttl = \"1h\"", SMALL));
    for turn in 0..2 {
        let answer = get(&gateway, "/stream?chunks=4000&ms=0", &[]).await;
        assert!(answer.body.len() > 40_000 && answer.body.ends_with(b"chunk 4000\n"));
        assert!(!is_hit(&answer), "{turn}");
    }
    let small = "/stream?chunks=3&ms=0";
    let first = get(&gateway, small, &[]).await;
    support::eventually("it is kept", || async {
        is_hit(&get(&gateway, small, &[]).await)
    })
    .await;
    assert_eq!(get(&gateway, small, &[]).await.body, first.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_is_not_kept() {
    let mock = upstream_mock::Mock::start(upstream_mock::Settings::default())
        .await
        .unwrap();
    let gateway = Gateway::from_file(&mock.url(), &file("ttl = \"1h\"", ""));
    for asked in 1..=2 {
        let mut client = client::Client::connect(gateway.proxy()).await;
        let answer = client
            .send(client::request(Method::GET, "/cut?bytes=2048", &[]))
            .await;
        let body = http_body_util::BodyExt::collect(answer.into_body()).await;
        assert!(body.is_err(), "a broken answer read as a whole one");
        assert_eq!(mock.recorder().count(), asked);
    }
}
