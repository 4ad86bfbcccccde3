//! What needs not be said.

use gateway::config::Origin;
use gateway::limiter::settings::OnStoreFailure;
use gateway::policy::circuit::Quorum;

use crate::{UPSTREAM, load_text, load_variables};

#[test]
fn an_upstream_is_all_that_must_be_said() {
    let missing = load_variables(&[]).unwrap_err();
    assert_eq!(missing.all().len(), 1, "{missing}");
    assert_eq!(
        missing.all()[0].origin,
        Origin::Variable("UPSTREAM_URL".into())
    );

    let config = load_variables(&[UPSTREAM]).unwrap();
    assert_eq!(config.server.listen, "0.0.0.0:5000".parse().unwrap());
    assert!(config.server.workers >= 1 && config.server.metrics);
    assert_eq!(config.admin.listen, "127.0.0.1:9900".parse().unwrap());
    assert_eq!(
        format!("{:?}", config.store),
        format!("{:?}", gateway::store::settings::Settings::default())
    );
    assert_eq!(
        (
            config.log.level.as_str(),
            config.log.format,
            config.log.access
        ),
        ("info", None, true)
    );
    assert_eq!(config.proxy.hop, "gateway");
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].starts_with("no store is configured"));

    let [upstream] = config.upstreams.as_slice() else {
        panic!("one upstream")
    };
    assert_eq!(
        (upstream.name.as_str(), upstream.timeout.as_secs()),
        ("default", 10)
    );
    assert_eq!(upstream.endpoints[0].authority, "127.0.0.1:5001");
    assert_eq!(
        (
            upstream.circuit.failures,
            upstream.circuit.probes,
            upstream.circuit.quorum
        ),
        (5, 1, Quorum::Auto)
    );
    let [limit] = config.limits.as_slice() else {
        panic!("one limit")
    };
    assert_eq!(
        (limit.name.as_str(), limit.spec.capacity()),
        ("per-client", 100)
    );
    assert_eq!(
        limit.spec.bucket().unwrap().refill(),
        "10/1m".parse().unwrap()
    );
    assert_eq!(
        (limit.leases, limit.on_store_failure),
        (true, OnStoreFailure::Degrade)
    );
    let [route] = config.proxy.routes.as_slice() else {
        panic!("one route")
    };
    assert_eq!(
        (route.path.as_str(), route.rewrite.as_deref()),
        ("/proxy/{*path}", Some("/{path}"))
    );
    assert_eq!(
        route.retry,
        gateway::proxy::settings::RetrySettings::default()
    );
    assert_eq!(route.limits, ["per-client".into()]);
}

#[test]
fn what_a_file_names_itself_takes_the_place_of_what_is_built_in() {
    let text = r#"
        [upstreams.users]
        endpoints = ["http://10.0.0.7:8080"]
        circuit = { failures = 9 }
        [limits.strict]
        capacity = 5
        refill = "1/s"
        [[routes]]
        name = "users"
        path = "/users/{id}"
        upstream = "users"
    "#;
    let config = load_text(".toml", text, &[]).unwrap();
    let [upstream] = config.upstreams.as_slice() else {
        panic!("one upstream")
    };
    assert_eq!(
        (upstream.name.as_str(), upstream.timeout.as_secs()),
        ("users", 10)
    );
    assert_eq!((upstream.circuit.failures, upstream.circuit.probes), (9, 1));
    let [limit] = config.limits.as_slice() else {
        panic!("one limit")
    };
    assert_eq!(
        (limit.name.as_str(), limit.lease_lifetime.as_millis()),
        ("strict", 50)
    );
    let [route] = config.proxy.routes.as_slice() else {
        panic!("one route")
    };
    assert_eq!(
        (route.rewrite.as_deref(), route.limits.len(), route.cost),
        (None, 0, 1)
    );
}
