//! The plain variables.

use crate::example::EXAMPLE;
use crate::{UPSTREAM, load_text, load_variables, problems};

#[test]
fn plain_variables_win_over_a_file_and_over_the_long_form() {
    let variables = [
        ("GATEWAY__UPSTREAMS__DEFAULT__TIMEOUT", "7s"),
        ("PORT", "7000"),
        ("UPSTREAM_URL", "http://10.0.0.7:80, http://10.0.0.8:80"),
        ("UPSTREAM_TIMEOUT", "2.5"),
        ("RATE_LIMIT_CAPACITY", "50"),
        ("RATE_LIMIT_REFILL_RATE", "30"),
        ("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "1"),
        ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "2"),
        ("CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS", "3"),
        ("RETRY_MAX_ATTEMPTS", "4"),
        ("RETRY_INITIAL_DELAY_MS", "5"),
        ("RETRY_BACKOFF_MULTIPLIER", "1.5"),
        ("RETRY_MAX_DELAY_MS", "600"),
        ("REDIS_URL", "redis://10.0.0.9"),
        ("LOG_LEVEL", "error"),
        ("LOG_FORMAT", "json"),
    ];
    let config = load_text(".toml", EXAMPLE, &variables).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:7000".parse().unwrap());
    let upstream = &config.upstreams[0];
    assert_eq!(
        (upstream.endpoints.len(), upstream.timeout.as_millis()),
        (2, 2500)
    );
    assert_eq!(
        (
            upstream.circuit.failures,
            upstream.circuit.reset.to_string()
        ),
        (2, "3s".to_owned())
    );
    assert_eq!(config.limits[0].spec.capacity(), 50);
    assert_eq!(
        config.limits[0].spec.bucket().unwrap().refill(),
        "30/1s".parse().unwrap()
    );
    let retry = &config.proxy.routes[0].retry;
    assert_eq!((retry.attempts, retry.backoff.multiplier), (4, 1.5));
    assert_eq!(
        (
            retry.backoff.initial.as_millis(),
            retry.backoff.longest.as_millis()
        ),
        (5, 600)
    );
    assert_eq!(
        config.store.url.as_ref().unwrap().secret(),
        "redis://10.0.0.9"
    );
    assert_eq!(config.log.level, "error");
}

#[test]
fn half_of_a_refill_keeps_the_other_half() {
    let refill = |variables: &[(&str, &str)]| {
        let variables = [variables, &[UPSTREAM]].concat();
        load_variables(&variables).unwrap().limits[0]
            .spec
            .bucket()
            .unwrap()
            .refill()
    };
    assert_eq!(
        refill(&[("RATE_LIMIT_REFILL_RATE", "20")]),
        "20/1m".parse().unwrap()
    );
    assert_eq!(
        refill(&[("RATE_LIMIT_REFILL_RATE", "0.5")]),
        "1/2m".parse().unwrap()
    );
    assert_eq!(
        refill(&[("RATE_LIMIT_REFILL_INTERVAL_SECONDS", "0.5")]),
        "20/1s".parse().unwrap()
    );
}

#[test]
fn a_plain_variable_that_is_wrong_or_has_no_effect_is_said() {
    let found = problems(load_variables(&[
        ("UPSTREAM_URL", "127.0.0.1:5001"),
        ("UPSTREAM_TIMEOUT", "10s"),
        ("RATE_LIMIT_CAPACITY", "lots"),
        ("RETRY_MAX_ATTEMPTS", "0"),
    ]));
    let all = found.join("\n");
    for part in [
        "UPSTREAM_URL: upstreams.default.endpoints[0]: `127.0.0.1:5001` has no scheme",
        "UPSTREAM_TIMEOUT: upstreams.default.timeout: `10s` is not a number of seconds",
        "RATE_LIMIT_CAPACITY: limits.per-client.capacity: `lots` is not a whole number",
        "RETRY_MAX_ATTEMPTS: routes[0].retry.attempts: `0` is too few",
    ] {
        assert!(all.contains(part), "no `{part}` in\n{all}");
    }
    assert_eq!(found.len(), 4, "{all}");

    let other = "[upstreams.api]\nendpoints = ['http://10.0.0.7']\n[[routes]]\nname='a'\npath='/'\nupstream='api'\n";
    let config = load_text(
        ".toml",
        other,
        &[("UPSTREAM_TIMEOUT", "3"), ("RETRY_MAX_ATTEMPTS", "3")],
    )
    .unwrap();
    let warnings = config.warnings.join("\n");
    assert!(
        warnings.contains("UPSTREAM_TIMEOUT has no effect: there is no upstream `default`"),
        "{warnings}"
    );
    assert!(
        warnings.contains("RETRY_MAX_ATTEMPTS has no effect: there is no route `proxy`"),
        "{warnings}"
    );
}

#[test]
fn an_upstream_url_makes_the_upstream_it_is_for() {
    let other = "[upstreams.api]\nendpoints = ['http://10.0.0.7']\n[[routes]]\nname='a'\npath='/'\nupstream='default'\n";
    let config = load_text(".toml", other, &[UPSTREAM]).unwrap();
    let names: Vec<&str> = config
        .upstreams
        .iter()
        .map(|upstream| upstream.name.as_str())
        .collect();
    assert_eq!(names, ["api", "default"]);
}

#[test]
fn an_empty_plain_variable_is_unset() {
    let config = load_variables(&[("REDIS_URL", ""), ("PORT", " "), UPSTREAM]).unwrap();
    assert!(config.store.url.is_none());
    assert_eq!(config.server.listen.port(), 5000);
}

#[test]
fn a_redis_host_becomes_a_url() {
    let url = |variables: &[(&str, &str)]| {
        let config = load_variables(&[variables, &[UPSTREAM]].concat()).unwrap();
        config.store.url.unwrap().secret().to_owned()
    };
    assert_eq!(url(&[("REDIS_HOST", "db")]), "redis://db:6379");
    assert_eq!(
        url(&[("REDIS_HOST", "db"), ("REDIS_PORT", "6380")]),
        "redis://db:6380"
    );
    assert_eq!(
        url(&[("REDIS_HOST", "::1"), ("REDIS_DB", "3")]),
        "redis://[::1]:6379/3"
    );
    assert_eq!(
        url(&[("REDIS_HOST", "db"), ("REDIS_PASSWORD", "p@ss/w")]),
        "redis://:p%40ss%2Fw@db:6379"
    );
    assert_eq!(
        url(&[("REDIS_HOST", "db"), ("REDIS_PORT", "tcp://10.0.0.1:6379")]),
        "redis://db:6379"
    );
    for bad in [("REDIS_PORT", "70000"), ("REDIS_DB", "first")] {
        let found = problems(load_variables(&[("REDIS_HOST", "db"), bad, UPSTREAM]));
        assert!(
            found[0].contains(bad.1) && found[0].contains("store.url"),
            "{found:?}"
        );
    }
}
