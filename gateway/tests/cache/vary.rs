//! Variants of one target: RFC 9111, section 4.1, and what a route's key adds.

use super::*;

fn told(request: &http::request::Parts, name: &str) -> String {
    let value = request
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_variant_is_kept_and_found_by_what_vary_names() {
    let origin = Origin::start(|request, _| {
        Reply::new(told(request, "accept-language"))
            .with("cache-control", "max-age=3600")
            .with("vary", "Accept-Language")
    })
    .await;
    let gateway = gateway(&origin, "", "");
    for _ in 0..3 {
        for language in ["de", "en", "fr"] {
            let answer = get(
                &gateway,
                "/x",
                &[("accept-language", language), ("x", language)],
            )
            .await;
            assert_eq!(text(&answer), language);
        }
        assert_eq!(text(&get(&gateway, "/x", &[]).await), "none");
    }
    assert_eq!(origin.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_vary_changes_nothing_kept_before_is_mistaken() {
    let origin = Origin::start(|request, before| {
        let names = if before == 0 { "x-a" } else { "x-a, x-b" };
        Reply::new(format!("{} {}", told(request, "x-a"), told(request, "x-b")))
            .with("cache-control", "max-age=3600")
            .with("vary", names)
    })
    .await;
    let gateway = gateway(&origin, "", "");
    let ask = async |a: &str, b: &str| {
        text(&get(&gateway, "/x", &[("x-a", a), ("x-b", b)]).await).to_owned()
    };
    assert_eq!(ask("1", "1").await, "1 1");
    assert_eq!(ask("2", "1").await, "2 1");
    assert_eq!(ask("2", "2").await, "2 2");
    assert_eq!(ask("1", "2").await, "1 2");
    assert_eq!(origin.count(), 4);
    assert_eq!(ask("2", "1").await, "2 1");
    assert_eq!(origin.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_bounded() {
    let origin = Origin::start(|request, _| {
        Reply::new(told(request, "x-a"))
            .with("cache-control", "max-age=3600")
            .with("vary", "x-a")
    })
    .await;
    let gateway = gateway(&origin, "variants = 4", "");
    for number in 0..40 {
        get(&gateway, "/x", &[("x-a", &number.to_string())]).await;
    }
    let kept = async |number: i32| {
        let only = ("cache-control", "only-if-cached");
        get(&gateway, "/x", &[("x-a", &number.to_string()), only])
            .await
            .status
            == 200
    };
    let mut found = 0;
    for number in 0..40 {
        found += usize::from(kept(number).await);
    }
    assert!((1..=4).contains(&found), "{found} variants are kept");
    assert!(kept(39).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_routes_key_says_what_tells_answers_apart() {
    let origin = Origin::start(|request, before| {
        Reply::new(format!("{before} {}", told(request, "x-tenant")))
            .with("cache-control", "max-age=3600")
    })
    .await;
    let key = "key = { query = [\"type\", \"period\"], headers = [\"x-tenant\"], host = false }";
    let gateway = gateway(&origin, key, "");
    let ask = async |path: &str, host: &str, tenant: &str| {
        let answer = get(&gateway, path, &[("host", host), ("x-tenant", tenant)]).await;
        text(&answer).to_owned()
    };
    let one = ask("/x?type=a&period=7&nonce=1", "a.test", "t1").await;
    assert_eq!(ask("/x?nonce=2&period=7&type=a", "b.test", "t1").await, one);
    assert_eq!(ask("/x?type=a&period=7", "a.test", "t2").await, "1 t2");
    assert_eq!(ask("/x?type=b&period=7", "a.test", "t1").await, "2 t1");
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_told_apart() {
    let origin = Origin::start(|_, before| {
        Reply::new(before.to_string()).with("cache-control", "max-age=3600")
    })
    .await;
    let gateway = gateway(&origin, "", "");
    for (host, body) in [
        ("a.test", "0"),
        ("b.test", "1"),
        ("A.TEST", "0"),
        ("a.test:80", "0"),
    ] {
        assert_eq!(
            text(&get(&gateway, "/x", &[("host", host)]).await),
            body,
            "{host}"
        );
    }
}
