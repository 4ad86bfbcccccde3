//! Limits of every algorithm, as clients see them: the headers are the decision that was enforced.

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;

use super::support::client::{Answer, Client, request, send};
use super::support::{eventually, gateway::Gateway};
use super::{gateway, statuses};

const LIMITS: &str = r#"
[limits.bucket]
capacity = 2
refill = "2/10m"
[limits.fixed]
algorithm = "fixed_window"
limit = 2
window = "300d"
legacy_headers = true
[limits.sliding]
algorithm = "sliding_window"
limit = 2
window = "300d"
legacy_headers = "epoch"
[limits.log]
algorithm = "sliding_log"
limit = 2
window = "1h"
[limits.slots]
algorithm = "concurrency"
limit = 2
legacy_headers = true
"#;

/// A route for each of the limits.
fn routes() -> String {
    let route = |name| {
        format!(
            "[[routes]]\nname = \"{name}\"\npath = \"/{name}/{{*path}}\"\nrewrite = \"/{{path}}\"\n\
             upstream = \"default\"\nlimits = [\"{name}\"]\n"
        )
    };
    let all = ["bucket", "fixed", "sliding", "log", "slots"].map(route);
    format!("{LIMITS}{}", all.concat())
}

async fn get(gateway: &Gateway, path: &str) -> Answer {
    send(gateway.proxy(), request(Method::GET, path, &[])).await
}

fn number(answer: &Answer, header: &str) -> u64 {
    let value = answer.header(header);
    let value = value.unwrap_or_else(|| panic!("no {header} in {:?}", answer.headers));
    value.parse().unwrap()
}

/// `t` of a `RateLimit` that begins as expected.
fn span(answer: &Answer, start: &str) -> u64 {
    let value = answer.header("ratelimit").unwrap();
    let rest = value.strip_prefix(start);
    let rest = rest.unwrap_or_else(|| panic!("{value} does not begin with {start}"));
    rest.parse().unwrap()
}

#[tokio::test]
async fn each_answer_tells_the_limit_and_what_is_left_of_it() {
    let (_mock, gateway) = gateway(&routes()).await;
    let windows = [
        ("bucket", 600, 600),
        ("fixed", 300 * 86_400, 300 * 86_400),
        ("sliding", 300 * 86_400, 2 * 300 * 86_400),
        ("log", 3_600, 3_600),
    ];
    for (name, window, longest) in windows {
        let path = format!("/{name}/ok");
        let policy = format!("\"{name}\";q=2;w={window}");
        for (status, left) in [(200, 1), (200, 0), (429, 0), (429, 0)] {
            let answer = get(&gateway, &path).await;
            assert_eq!(answer.status, status, "{name}");
            assert_eq!(answer.header("ratelimit-policy"), Some(policy.as_str()));
            let span = span(&answer, &format!("\"{name}\";r={left};t="));
            assert!((1..=longest).contains(&span), "{name}: {span}");
            if status == 429 {
                assert_eq!(number(&answer, "retry-after"), span, "{name}");
                assert_eq!(answer.json()["violated-policies"][0], name);
            } else {
                assert_eq!(answer.header("retry-after"), None);
            }
        }
    }
}

#[tokio::test]
async fn older_headers_are_told_by_those_who_are_asked_to() {
    let (_mock, gateway) = gateway(&routes()).await;
    let plain = get(&gateway, "/bucket/ok").await;
    assert_eq!(plain.header("x-ratelimit-limit"), None);

    let first = get(&gateway, "/fixed/ok").await;
    assert_eq!(number(&first, "x-ratelimit-limit"), 2);
    assert_eq!(number(&first, "x-ratelimit-remaining"), 1);
    let reset = number(&first, "x-ratelimit-reset");
    assert_eq!(reset, span(&first, "\"fixed\";r=1;t="), "seconds to wait");

    get(&gateway, "/sliding/ok").await;
    get(&gateway, "/sliding/ok").await;
    let denied = get(&gateway, "/sliding/ok").await;
    assert_eq!(number(&denied, "x-ratelimit-remaining"), 0);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let reset = number(&denied, "x-ratelimit-reset") - number(&denied, "retry-after");
    assert!((now - 60..=now + 1).contains(&reset), "seconds since 1970");
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_last_byte_or_until_its_client_leaves() {
    let (mock, gateway) = gateway(&routes()).await;
    let policy = "\"slots\";q=2;qu=\"concurrent-requests\"";
    let mut streaming = Client::connect(gateway.proxy()).await;
    let head = streaming
        .send(request(Method::GET, "/slots/stream?chunks=3&ms=300", &[]))
        .await;
    assert_eq!(head.headers()["ratelimit-policy"], policy);
    assert_eq!(
        head.headers()["ratelimit"],
        "\"slots\";r=1",
        "nobody knows for how long"
    );
    assert_eq!(head.headers()["x-ratelimit-remaining"], "1");
    assert!(!head.headers().contains_key("x-ratelimit-reset"));
    let address = gateway.proxy();
    let hanging = tokio::spawn(async move {
        let hang = request(Method::GET, "/slots/hang", &[]);
        Client::connect(address)
            .await
            .try_send(hang)
            .await
            .map(drop)
    });
    mock.recorder()
        .wait_until(|all| all.count_path("/hang") == 1)
        .await;
    let refused = get(&gateway, "/slots/ok").await;
    assert_eq!((refused.status, number(&refused, "retry-after")), (429, 1));
    assert_eq!(refused.header("ratelimit"), Some("\"slots\";r=0"));
    let body = head.into_body().collect().await.unwrap().to_bytes();
    assert_ne!(body, Bytes::new());
    eventually("the last byte lets the slot go", || async {
        get(&gateway, "/slots/ok").await.status == 200
    })
    .await;
    hanging.abort();
    eventually("and so does the client that left", || async {
        let both = tokio::join!(
            get(&gateway, "/slots/slow?ms=100"),
            get(&gateway, "/slots/slow?ms=100")
        );
        (both.0.status, both.1.status) == (200, 200)
    })
    .await;
}

#[tokio::test]
async fn a_request_that_one_limit_refuses_is_not_in_flight_for_another() {
    let (_mock, gateway) = gateway(
        r#"
        [limits.slots]
        algorithm = "concurrency"
        limit = 1
        [limits.log]
        algorithm = "sliding_log"
        limit = 2
        window = "1h"
        [[routes]]
        name = "a"
        path = "/a"
        rewrite = "/ok"
        upstream = "default"
        limits = ["slots", "log"]
        "#,
    )
    .await;
    let (one, two) = ("192.0.2.1", "192.0.2.2");
    let mut statuses_of_one = Vec::new();
    // The slot of each is free again shortly after its last byte.
    while statuses_of_one
        .iter()
        .filter(|status| **status == 200)
        .count()
        < 2
    {
        statuses_of_one.extend(statuses(&gateway, &[one]).await);
    }
    eventually("the log refuses, whatever the slots say", || async {
        let refused = super::from(&gateway, one).await;
        refused.status == 429 && refused.json()["violated-policies"][0] == "log"
    })
    .await;
    assert_eq!(statuses(&gateway, &[two]).await, [200]);
}
