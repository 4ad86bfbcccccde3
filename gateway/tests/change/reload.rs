//! SIGHUP and the API: what changes, what stays, and what a mistake does.

use upstream_mock::{Mock, Settings};

use crate::support::client::{Client, build, get, request, send};
use crate::support::eventually;
use crate::support::process::Process;
use crate::{FAILURES, File, SUCCESSES, gateway, load::Load, metric, reload};
use http::Method;
use http_body_util::{BodyExt as _, Full};

const PROXY: &str = "[[routes]]\nname = \"proxy\"\npath = \"/proxy/{*path}\"\nrewrite = \"/{path}\"\nupstream = \"default\"\n";

async fn mock() -> Mock {
    Mock::start(Settings::default()).await.unwrap()
}

async fn api(gateway: &Process, path: &str) -> serde_json::Value {
    let asked = request(Method::GET, path, &[("host", "localhost")]);
    send(gateway.admin, asked).await.json()
}

#[tokio::test]
async fn a_route_comes_and_goes_while_connections_on_both_sides_stay() {
    let mock = mock().await;
    let file = File::new(&mock.url(), PROXY);
    let gateway = gateway(&file, &[("GATEWAY__SERVER__WORKERS", "1")]).await;
    let mut connection = Client::connect(gateway.proxy).await;
    assert_eq!(connection.get("/proxy/echo").await.status, 200);
    let upstream_side = mock.recorder().last().unwrap().peer;
    assert_eq!(connection.get("/new").await.status, 404);

    file.write(&format!(
        "{PROXY}[[routes]]\nname = \"new\"\npath = \"/new\"\nrespond = {{ status = 201, body = \"new\" }}\n"
    ));
    reload(&gateway, SUCCESSES).await;
    assert_eq!(
        connection.get("/new").await.status,
        201,
        "on the old connection"
    );
    assert_eq!(connection.get("/proxy/echo").await.status, 200);
    assert_eq!(
        mock.recorder().last().unwrap().peer,
        upstream_side,
        "on the old connection to the upstream"
    );

    file.write(PROXY);
    reload(&gateway, SUCCESSES).await;
    assert_eq!(connection.get("/new").await.status, 404);
    assert_eq!(metric(&gateway, FAILURES).await, 0.0);
    assert!(
        metric(
            &gateway,
            "gateway_config_last_reload_success_timestamp_seconds"
        )
        .await
            > 1e9
    );
}

#[tokio::test]
async fn a_file_with_mistakes_changes_nothing_and_log_metric_and_api_say_so() {
    let mock = mock().await;
    let file = File::new(&mock.url(), PROXY);
    let gateway = gateway(&file, &[]).await;
    file.write(&format!("{PROXY}limits = [\"nobody\"]\ntimout = \"1s\"\n"));
    reload(&gateway, FAILURES).await;

    assert_eq!(get(gateway.proxy, "/proxy/echo").await.status, 200);
    assert_eq!(metric(&gateway, SUCCESSES).await, 0.0);
    let line = gateway.event("config_reload_failed").await;
    let said = line["error"].as_str().unwrap();
    assert!(said.contains("nobody") && said.contains("timout"), "{said}");
    let shown = api(&gateway, "/api/v1/config").await;
    assert_eq!(shown["last_reload"]["result"], "failure");
    assert!(
        shown["last_reload"]["error"]
            .as_str()
            .unwrap()
            .contains("timout")
    );
    assert!(!shown["toml"].as_str().unwrap().contains("timout"));

    file.write(PROXY);
    reload(&gateway, SUCCESSES).await;
    let shown = api(&gateway, "/api/v1/config").await;
    assert_eq!(shown["last_reload"]["result"], "success");
}

#[tokio::test]
async fn buckets_survive_and_a_limit_that_changed_counts_by_its_new_rule() {
    let mock = mock().await;
    let limited = |capacity| {
        format!(
            "[limits.few]\ncapacity = {capacity}\nrefill = \"1/1h\"\n{PROXY}limits = [\"few\"]\n"
        )
    };
    let file = File::new(&mock.url(), &limited(3));
    let gateway = gateway(&file, &[]).await;
    let ask = async || get(gateway.proxy, "/proxy/echo").await.status;
    assert_eq!([ask().await, ask().await], [200, 200]);
    file.write(&format!("{}\n[log]\nsample = 0.5\n", limited(3)));
    reload(&gateway, SUCCESSES).await;
    assert_eq!([ask().await, ask().await], [200, 429], "one token was left");
    file.write(&limited(100));
    reload(&gateway, SUCCESSES).await;
    assert_eq!(ask().await, 200, "what the old rule denied");
}

#[tokio::test]
async fn an_open_circuit_stays_open_also_when_its_rule_changes() {
    let mock = mock().await;
    let circuit =
        |failures| format!("circuit = {{ failures = {failures}, reset = \"1h\" }}\n{PROXY}");
    let file = File::new(&mock.url(), &circuit(2));
    let gateway = gateway(&file, &[]).await;
    mock.set_failing(true);
    let ask = async || get(gateway.proxy, "/proxy/echo").await;
    let open = "gateway_circuit_breaker_state{upstream=\"default\"}";
    eventually("the circuit opens", || async {
        ask().await;
        metric(&gateway, open).await == 2.0
    })
    .await;
    mock.set_failing(false);
    for text in [circuit(2), circuit(5)] {
        file.write(&text);
        reload(&gateway, SUCCESSES).await;
        assert_eq!(ask().await.status, 503, "{text}");
        assert_eq!(metric(&gateway, open).await, 2.0);
    }
    let circuits = api(&gateway, "/api/v1/circuits").await;
    assert_eq!(
        circuits[0]["transitions"].as_array().map(Vec::len),
        Some(1),
        "{circuits}"
    );
}

#[tokio::test]
async fn upstreams_come_and_go_with_their_series() {
    let (mock, other) = (mock().await, mock().await);
    let file = File::new(&mock.url(), PROXY);
    let gateway = gateway(&file, &[]).await;
    let address = other.addr();
    let state = "gateway_circuit_breaker_state{upstream=\"other\"}";
    let healthy =
        format!("gateway_upstream_endpoint_healthy{{upstream=\"other\",endpoint=\"{address}\"}}");
    file.write(&format!(
        "{PROXY}[upstreams.other]\nendpoints = [\"{}\"]\n[[routes]]\nname = \"other\"\npath = \"/echo\"\nupstream = \"other\"\n",
        other.url()
    ));
    reload(&gateway, SUCCESSES).await;
    assert_eq!(get(gateway.proxy, "/echo").await.status, 200);
    assert_eq!(other.recorder().count(), 1);
    assert_eq!(metric(&gateway, &healthy).await, 1.0);
    file.write(PROXY);
    reload(&gateway, SUCCESSES).await;
    let exposition = get(gateway.admin, "/metrics").await;
    let text = String::from_utf8(exposition.body.to_vec()).unwrap();
    assert!(!text.contains(state) && !text.contains(&healthy), "{text}");
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_the_rest_applies() {
    let mock = mock().await;
    let file = File::new(&mock.url(), PROXY);
    let gateway = gateway(&file, &[]).await;
    file.write(&format!(
        "{PROXY}[store]\ntimeout = \"77ms\"\n[server]\nhealth = {{ body = \"changed\" }}\n"
    ));
    let reload = build(
        Method::POST,
        "/api/v1/reload",
        &[("host", "localhost"), ("content-type", "application/json")],
        Full::from("{\"reason\":\"a test\"}").boxed(),
    );
    let answer = send(gateway.admin, reload).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["needs_restart"], serde_json::json!(["store"]));
    let told = get(gateway.proxy, "/health").await;
    assert_eq!(&told.body[..], b"changed");
    let shown = api(&gateway, "/api/v1/config").await;
    assert_eq!(shown["needs_restart"], serde_json::json!(["store"]));
}

#[tokio::test]
async fn reloads_in_a_row_under_load_lose_no_request() {
    let mock = mock().await;
    let body = |number: u32| format!("{PROXY}[server]\nhealth = {{ body = \"{number}\" }}\n");
    let file = File::new(&mock.url(), PROXY);
    let gateway = gateway(&file, &[]).await;
    let load = Load::start(gateway.proxy, 6, 3);
    for number in 0..10 {
        file.write(&body(number));
        reload(&gateway, SUCCESSES).await;
        load.more(50).await;
    }
    let failures = load.stop().await;
    assert!(
        failures.is_empty(),
        "{}: {:?}",
        failures.len(),
        failures.first()
    );
}
