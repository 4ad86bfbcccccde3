//! For how long an answer is used: RFC 9111, section 4.2, and what clients say of it, section 5.2.1.

use super::*;

const HOUR: &str = "max-age=3600";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_origin_says_counts() {
    let old = || Reply::new("body").with("date", &date(-100));
    table(
        "",
        vec![
            case("max-age", true, says(HOUR)),
            case("max-age-0", false, says("max-age=0")),
            case("s-maxage", true, says("max-age=0, s-maxage=3600")),
            case("s-maxage-0", false, says("max-age=3600, s-maxage=0")),
            case(
                "expires",
                true,
                Reply::new("body")
                    .with("expires", &date(3600))
                    .with("date", &date(0)),
            ),
            case(
                "expires-past",
                false,
                Reply::new("body")
                    .with("expires", &date(-1))
                    .with("date", &date(0)),
            ),
            case(
                "expires-invalid-date",
                true,
                Reply::new("body")
                    .with("expires", &date(3600))
                    .with("date", "now"),
            ),
            case(
                "expires-garbage",
                false,
                Reply::new("body")
                    .with("expires", "0")
                    .with("date", &date(0)),
            ),
            case(
                "max-age-before-expires",
                true,
                says(HOUR).with("expires", &date(-10)),
            ),
            case(
                "max-age-0-before-expires",
                false,
                says("max-age=0").with("expires", &date(3600)),
            ),
            case(
                "age-less-than-max-age",
                true,
                says(HOUR).with("age", "1800"),
            ),
            case(
                "age-more-than-max-age",
                false,
                says(HOUR).with("age", "7200"),
            ),
            case(
                "date-older-than-max-age",
                false,
                old().with("cache-control", "max-age=60"),
            ),
            case(
                "date-younger-than-max-age",
                true,
                old().with("cache-control", "max-age=200"),
            ),
            case("nothing-said", false, Reply::new("body")),
            case(
                "last-modified-alone",
                false,
                Reply::new("body").with("last-modified", &date(-86_400)),
            ),
            case("quoted", true, says("max-age=\"3600\"")),
            case("case-insensitive", true, says("MAX-AGE=3600")),
            case(
                "unknown-directive",
                true,
                says("foo=\"no-store, bar\", max-age=3600"),
            ),
            case("negative", false, says("max-age=-3600")),
            case("float", false, says("max-age=3600.0")),
            case("conflicting", false, says("max-age=3600, max-age=0")),
            case(
                "two-fields",
                true,
                says("public").with("cache-control", HOUR),
            ),
            case(
                "status-404",
                true,
                Reply {
                    status: 404,
                    ..says(HOUR)
                },
            ),
            case(
                "status-302",
                true,
                Reply {
                    status: 302,
                    ..says(HOUR)
                },
            ),
            case(
                "status-204",
                true,
                Reply {
                    status: 204,
                    ..Reply::default()
                }
                .with("cache-control", HOUR),
            ),
            case(
                "status-299",
                true,
                Reply {
                    status: 299,
                    ..says(HOUR)
                },
            ),
            case(
                "status-503",
                false,
                Reply {
                    status: 503,
                    ..says(HOUR)
                },
            ),
            case(
                "must-revalidate-while-fresh",
                true,
                says("max-age=3600, must-revalidate"),
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_says_counts_if_it_may() {
    let cases = |obeyed: bool| {
        vec![
            case("no-cache", !obeyed, says(HOUR)).asked(&[], &[("cache-control", "no-cache")]),
            case("pragma", !obeyed, says(HOUR)).asked(&[], &[("pragma", "no-cache")]),
            case("request-max-age-0", !obeyed, says(HOUR).with("age", "10"))
                .asked(&[], &[("cache-control", "max-age=0")]),
            case("request-max-age-more", true, says(HOUR).with("age", "10"))
                .asked(&[], &[("cache-control", "max-age=60")]),
            case("min-fresh-more", !obeyed, says("max-age=1500"))
                .asked(&[], &[("cache-control", "min-fresh=2000")]),
            case("min-fresh-less", true, says("max-age=1500"))
                .asked(&[], &[("cache-control", "min-fresh=10")]),
            case("request-no-store", !obeyed, says(HOUR))
                .asked(&[("cache-control", "no-store")], &[]),
        ]
    };
    table("", cases(true)).await;
    table("obey_clients = false", cases(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_says_where_the_origin_says_nothing() {
    table(
        "ttl = \"1h\"",
        vec![
            case("nothing", true, Reply::new("body")),
            case("zero", false, says("max-age=0")),
            case("forbidden", false, says("no-store")),
            case(
                "not-for-errors",
                false,
                Reply {
                    status: 400,
                    ..Reply::new("body")
                },
            ),
            case("cookie", false, Reply::new("body"))
                .asked(&[("cookie", "a=b")], &[("cookie", "a=b")]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_has_an_age_a_name_and_its_own_request_id() {
    let origin =
        Origin::start(|_, _| says("max-age=100").with("age", "30").with("x-own", "1")).await;
    let gateway = gateway(&origin, "", "");
    let first = get(&gateway, "/x", &[("x-request-id", "one")]).await;
    let second = get(&gateway, "/x", &[("x-request-id", "two")]).await;
    assert!(
        did(&first).ends_with("; fwd=miss; stored"),
        "{}",
        did(&first)
    );
    let age: u64 = second.header("age").unwrap().parse().unwrap();
    assert!((30..40).contains(&age), "{age}");
    let ttl = did(&second).rsplit_once("; hit; ttl=").unwrap().1;
    assert_eq!(ttl.parse::<u64>().unwrap(), 100 - age);
    assert_eq!(second.header("x-request-id"), Some("two"));
    assert_eq!(second.header("x-own"), Some("1"));
    assert_eq!(second.header("content-length"), Some("4"));
    assert_eq!(
        gateway
            .metric("gateway_cache_requests_total{route=\"api\",result=\"hit\"}")
            .await,
        1.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_fresh_no_longer_than_it_was_said() {
    let origin = Origin::start(|_, before| Reply::new(before.to_string())).await;
    let gateway = gateway(&origin, "ttl = \"300ms\"", "");
    assert_eq!(text(&get(&gateway, "/x", &[]).await), "0");
    let begun = tokio::time::Instant::now();
    support::eventually("it expires", || async {
        text(&get(&gateway, "/x", &[]).await) == "1"
    })
    .await;
    assert!(
        begun.elapsed() > Duration::from_millis(250),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_kept_is_given_to_who_wants_no_other() {
    let origin = Origin::start(|_, _| says(HOUR)).await;
    let gateway = gateway(&origin, "", "");
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(get(&gateway, "/x", &only).await.status, 504);
    assert_eq!(origin.count(), 0);
    get(&gateway, "/x", &[]).await;
    assert_eq!(get(&gateway, "/x", &only).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_answered_from_a_get_and_parts_from_the_whole() {
    let origin = Origin::start(|_, _| {
        Reply::new("0123456789")
            .with("cache-control", HOUR)
            .with("etag", "\"a\"")
    })
    .await;
    let gateway = gateway(&origin, "", "");
    let part = get(&gateway, "/x", &[("range", "bytes=0-1")]).await;
    assert!(did(&part).contains("fwd=partial"), "{}", did(&part));
    get(&gateway, "/x", &[]).await;
    let head = send(&gateway, Method::HEAD, "/x", &[]).await;
    assert_eq!(
        (head.header("content-length"), head.body.len()),
        (Some("10"), 0)
    );
    for (range, status, body, said) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=20-", 416, "", "bytes */10"),
    ] {
        let part = get(&gateway, "/x", &[("range", range)]).await;
        assert_eq!((part.status, text(&part)), (status, body), "{range}");
        assert_eq!(part.header("content-range"), Some(said));
    }
    let other = get(
        &gateway,
        "/x",
        &[("range", "bytes=2-4"), ("if-range", "\"b\"")],
    )
    .await;
    assert_eq!((other.status, text(&other)), (200, "0123456789"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_cache_is_left_alone() {
    let origin = Origin::start(|_, _| says(HOUR)).await;
    let more = "[[routes]]\nname = \"plain\"\npath = \"/plain\"\nupstream = \"default\"\n";
    let text = format!("{}{more}", file("", ""));
    let gateway = Gateway::from_file(&origin.url(), &text);
    for _ in 0..2 {
        assert_eq!(did(&get(&gateway, "/plain", &[]).await), "nothing");
    }
    assert_eq!(origin.count(), 2);
}
