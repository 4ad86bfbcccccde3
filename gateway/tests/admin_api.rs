//! What operators read and order, over the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "admin_api/described.rs"]
mod described;
#[path = "admin_api/everywhere.rs"]
mod everywhere;
mod support;

use std::net::SocketAddr;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use support::client::{Answer, RequestBody, build, send};
use support::eventually;
use support::gateway::Gateway;
use support::process::Process;
use support::redis::Server;
use upstream_mock::{Mock, Settings};

const TOKEN: &str = "correct-horse-battery-staple";

/// A busy machine may keep Redis waiting for its turn; these tests are about something else.
const PATIENT: (&str, &str) = ("GATEWAY__STORE__TIMEOUT", "2s");

async fn get(address: SocketAddr, path: &str) -> Answer {
    let request = support::client::request(Method::GET, path, &[("host", "localhost")]);
    send(address, request).await
}

fn order(path: &str, headers: &[(&str, &str)], body: &Value) -> Request<RequestBody> {
    let mut all = vec![("host", "localhost"), ("content-type", "application/json")];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend(headers);
    build(
        Method::POST,
        path,
        &all,
        Full::new(body.to_string().into()).boxed(),
    )
}

async fn post(address: SocketAddr, path: &str, body: &Value) -> Answer {
    send(address, order(path, &[], body)).await
}

#[tokio::test]
async fn everything_the_description_lists_is_there() {
    let gateway = Gateway::start("http://127.0.0.1:9", &[]);
    let description = get(gateway.admin(), "/api/v1/openapi.json").await.json();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 15);
    for (path, methods) in paths {
        let path = path
            .replace("{policy}", "per-client")
            .replace("{upstream}", "default");
        if path.ends_with("/stream") {
            continue;
        }
        if methods.get("get").is_some() {
            let query = if path.ends_with("/bucket") {
                "?client=192.0.2.1"
            } else {
                ""
            };
            let answer = get(gateway.admin(), &format!("{path}{query}")).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert_eq!(
                post(gateway.admin(), &path, &json!({})).await.status,
                405,
                "{path}"
            );
        } else {
            assert_eq!(get(gateway.admin(), &path).await.status, 405, "{path}");
            // An unknown key is refused before anything is done.
            let answer = post(gateway.admin(), &path, &json!({ "surprise": 1 })).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
        }
    }
    assert_eq!(get(gateway.admin(), "/api/v1/nothing").await.status, 404);
    assert_eq!(get(gateway.admin(), "/api/v2/fleet").await.status, 404);
    let config = get(gateway.admin(), "/api/v1/config").await.json();
    assert!(
        config["toml"].as_str().unwrap().contains("[admin]"),
        "{config}"
    );
}

#[tokio::test]
async fn traffic_shows_within_seconds() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let gateway = Gateway::start(&mock.url(), &[]);
    eventually("requests per second are shown", || async {
        for _ in 0..5 {
            gateway.get("/proxy/ok").await;
        }
        let fleet = get(gateway.admin(), "/api/v1/fleet").await.json();
        let routes = &fleet["routes"][0];
        fleet["traffic"]["requests"].as_f64().unwrap() > 0.0
            && routes["requests"].as_f64().unwrap() > 0.0
            && fleet["upstreams"][0]["attempts"].as_f64().unwrap() > 0.0
            && fleet["limits"][0]["granted"].as_f64().unwrap() > 0.0
            && fleet["traffic"]["latency"]["p95"].is_number()
    })
    .await;
    assert!(
        !get(gateway.admin(), "/api/v1/history")
            .await
            .json()
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_circuit_held_through_one_replica_refuses_on_the_other_and_both_know_who_did_it() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let url = redis.url();
    let more = [("REDIS_URL", url.as_str()), PATIENT];
    let (a, b) = (
        Gateway::start(&mock.url(), &more),
        Gateway::start(&mock.url(), &more),
    );
    eventually("each sees both", || async {
        let fleet = get(a.admin(), "/api/v1/fleet").await.json();
        let other = get(b.admin(), "/api/v1/fleet").await.json();
        [fleet, other]
            .iter()
            .all(|one| one["replicas"].as_array().unwrap().len() == 2)
    })
    .await;
    assert_eq!(b.get("/proxy/ok").await.status, 200);
    let path = "/api/v1/circuits/default/open";
    let without_reason = post(a.admin(), path, &json!({ "author": "mara" })).await;
    assert_eq!(without_reason.status, 400);
    let said = json!({ "author": "mara", "reason": "deploying the upstream" });
    let held = post(a.admin(), path, &said).await;
    assert_eq!((held.status, &held.json()["state"]), (200, &json!("open")));
    let started = tokio::time::Instant::now();
    eventually("the other refuses", || async {
        b.get("/proxy/ok").await.status == 503
    })
    .await;
    assert!(
        started.elapsed() < std::time::Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    for gateway in [&a, &b] {
        eventually("the audit shows it", || async {
            // Being looked at is what makes a replica read the others each second.
            let fleet = get(gateway.admin(), "/api/v1/fleet").await.json();
            fleet["audit"].as_array().unwrap().iter().any(|entry| {
                entry["by"] == "mara (loopback)"
                    && entry["action"] == "circuit.open"
                    && entry["reason"] == "deploying the upstream"
                    && entry["result"] == "ok"
            }) && fleet["circuits"][0]["forced"]["by"] == "mara (loopback)"
        })
        .await;
    }
    assert_eq!(
        post(b.admin(), "/api/v1/circuits/default/reset", &json!({}))
            .await
            .status,
        200
    );
    eventually("the first serves again", || async {
        a.get("/proxy/ok").await.status == 200
    })
    .await;
    let unknown = post(b.admin(), "/api/v1/circuits/nobody/reset", &json!({})).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_bucket_filled_through_one_replica_is_full_on_the_other_within_a_second() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let redis = Server::start().await;
    let url = redis.url();
    let more = [
        ("REDIS_URL", url.as_str()),
        PATIENT,
        ("RATE_LIMIT_CAPACITY", "3"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "36000"),
    ];
    let (a, b) = (
        Gateway::start(&mock.url(), &more),
        Gateway::start(&mock.url(), &more),
    );
    eventually("the tokens are spent", || async {
        b.get("/proxy/ok").await.status == 429
    })
    .await;
    let look = "/api/v1/limits/per-client/bucket?client=127.0.0.1";
    assert_eq!(get(a.admin(), look).await.json()["remaining"], 0);
    // By now the other remembers the denial, and would not ask the store again for an hour.
    assert_eq!(b.get("/proxy/ok").await.status, 429);
    let reset = post(
        a.admin(),
        "/api/v1/limits/per-client/reset",
        &json!({ "client": "127.0.0.1" }),
    )
    .await;
    assert_eq!(reset.status, 200, "{reset:?}");
    let started = tokio::time::Instant::now();
    eventually("the other grants", || async {
        b.get("/proxy/ok").await.status == 200
    })
    .await;
    assert!(
        started.elapsed() < std::time::Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        get(a.admin(), "/api/v1/limits/nobody/bucket?client=x")
            .await
            .status,
        404
    );
    assert_eq!(
        get(a.admin(), "/api/v1/limits/per-client/bucket")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn orders_are_json_from_here_and_small() {
    let gateway = Gateway::start("http://127.0.0.1:9", &[]);
    let path = "/api/v1/circuits/default/reset";
    for (headers, status) in [
        (vec![("content-type", "text/plain")], 415),
        (
            vec![("content-type", "application/x-www-form-urlencoded")],
            415,
        ),
        (vec![("origin", "http://evil.test")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("host", "evil.test")], 403),
        (vec![("origin", "http://localhost")], 200),
    ] {
        let answer = send(gateway.admin(), order(path, &headers, &json!({}))).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    let long = json!({ "reason": "x".repeat(5_000) });
    assert_eq!(post(gateway.admin(), path, &long).await.status, 413);
    for reason in [
        "x".repeat(201),
        "two\nlines".to_owned(),
        "\u{1b}[31m".to_owned(),
    ] {
        assert_eq!(
            post(gateway.admin(), path, &json!({ "reason": reason }))
                .await
                .status,
            400
        );
    }
    assert_eq!(post(gateway.admin(), path, &json!([])).await.status, 400);
}

#[tokio::test]
async fn reachable_from_elsewhere_it_wants_the_token() {
    let everywhere = ("GATEWAY__ADMIN__LISTEN", "0.0.0.0:0");
    let shut = Gateway::start("http://127.0.0.1:9", &[everywhere]);
    let address = |gateway: &Gateway| SocketAddr::from(([127, 0, 0, 1], gateway.admin().port()));
    assert_eq!(get(address(&shut), "/api/v1/fleet").await.status, 403);
    for open in ["/livez", "/readyz", "/metrics", "/"] {
        assert_eq!(get(address(&shut), open).await.status, 200, "{open}");
    }
    let gateway = Gateway::start(
        "http://127.0.0.1:9",
        &[everywhere, ("GATEWAY__ADMIN__TOKEN", TOKEN)],
    );
    let refused = get(address(&gateway), "/api/v1/fleet").await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"admin\"")
    );
    let bearer = format!("Bearer {TOKEN}");
    let shown =
        support::client::request(Method::GET, "/api/v1/config", &[("authorization", &bearer)]);
    let answer = send(address(&gateway), shown).await;
    assert_eq!(answer.status, 200);
    assert!(!String::from_utf8_lossy(&answer.body).contains(TOKEN));
}

#[tokio::test]
async fn the_console_is_one_page_that_loads_only_itself() {
    let gateway = Gateway::start("http://127.0.0.1:9", &[]);
    let page = get(gateway.admin(), "/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    for (attribute, kind) in [("src=\"", "text/javascript"), ("href=\"", "")] {
        for reference in text
            .split(attribute)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            if reference.starts_with('#') {
                continue;
            }
            let file = get(gateway.admin(), reference).await;
            assert_eq!(file.status, 200, "{reference}");
            assert!(
                reference.ends_with(".svg")
                    || file.header("content-type").unwrap().starts_with(kind)
            );
        }
    }
    for inline in [
        "style=\"",
        " onclick=",
        "<style",
        "<script>",
        "http://",
        "https://",
    ] {
        assert!(!text.contains(inline), "{inline}");
    }
}

#[tokio::test]
async fn a_process_changes_its_log_level_leaves_rotation_and_shows_itself_in_a_terminal() {
    let process = Process::start("http://127.0.0.1:9", &[]).await;
    let path = "/api/v1/log-level";
    let wrong = post(
        process.admin,
        path,
        &json!({ "level": "warn,gateway=loud" }),
    )
    .await;
    assert_eq!(wrong.status, 400);
    let right = post(process.admin, path, &json!({ "level": "debug" })).await;
    assert_eq!(right.json(), json!({ "level": "debug" }));
    process.event("audit").await;
    let url = format!("http://{}", process.admin);
    let mut top = tokio::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
    let output = top
        .args(["top", "--once", "--url", &url])
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for word in ["1 replica,", "REPLICA", "default", "per-client"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
    assert_eq!(
        support::client::get(process.admin, "/readyz").await.status,
        200
    );
    assert_eq!(
        post(
            process.admin,
            "/api/v1/drain",
            &json!({ "reason": "maintenance" })
        )
        .await
        .status,
        200
    );
    assert_eq!(
        support::client::get(process.admin, "/readyz").await.status,
        503
    );
    assert_eq!(
        support::client::get(process.proxy, "/health").await.status,
        200
    );
}
