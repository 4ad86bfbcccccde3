//! Limits of every algorithm, and what each takes of the defaults.

use gateway::limiter::settings::LegacyHeaders;
use gateway::policy::limit::LimitSpec;
use gateway::policy::units::Micros;

use crate::{UPSTREAM, load_text, load_variables, settings};

const ALL: &str = r#"
    [limits.bucket]
    capacity = 5
    refill = "1/s"
    [limits.fixed]
    algorithm = "fixed_window"
    limit = 5
    window = "1m"
    legacy_headers = true
    [limits.sliding]
    algorithm = "sliding_window"
    limit = 6
    window = "1h"
    legacy_headers = "epoch"
    [limits.log]
    algorithm = "sliding_log"
    limit = 7
    window = "1d"
    leases = false
    [limits.slots]
    algorithm = "concurrency"
    limit = 8
"#;

#[test]
fn each_algorithm_takes_of_the_defaults_what_it_has() {
    let config = load_text(".toml", ALL, &[UPSTREAM]);
    // The built-in route names the built-in limit.
    let problems = config.expect_err("no `per-client`").to_string();
    assert!(
        problems.contains("there is no limit `per-client`"),
        "{problems}"
    );
    let text = format!("{ALL}\n[limits.per-client]\ncapacity = 1\nrefill = \"1/s\"\n");
    let config = load_text(".toml", &text, &[UPSTREAM]).unwrap();
    let of = |name: &str| {
        let found = config.limits.iter().find(|one| one.name.as_str() == name);
        found.unwrap()
    };
    let said = ["bucket", "fixed", "sliding", "log", "slots"].map(|name| {
        let limit = of(name);
        let spec = &limit.spec;
        let window = spec.window().map(Micros::ceil_secs);
        (
            spec.algorithm(),
            spec.capacity(),
            window,
            limit.leases,
            limit.legacy_headers,
        )
    });
    assert_eq!(
        said,
        [
            ("token_bucket", 5, Some(5), true, LegacyHeaders::None),
            ("fixed_window", 5, Some(60), false, LegacyHeaders::Delta),
            (
                "sliding_window",
                6,
                Some(3_600),
                false,
                LegacyHeaders::Epoch
            ),
            ("sliding_log", 7, Some(86_400), false, LegacyHeaders::None),
            ("concurrency", 8, None, false, LegacyHeaders::None),
        ]
    );
    let LimitSpec::Concurrency(slots) = of("slots").spec else {
        panic!("slots")
    };
    assert_eq!(slots.lease(), Micros::from_secs(60));
    let again = load_text(".toml", config.effective(), &[]).unwrap();
    assert_eq!(
        settings(&config),
        settings(&again),
        "{}",
        config.effective()
    );
}

#[test]
fn the_built_in_limit_may_count_otherwise() {
    let variables = [
        UPSTREAM,
        ("GATEWAY__LIMITS__PER_CLIENT__ALGORITHM", "fixed_window"),
        ("GATEWAY__LIMITS__PER_CLIENT__LIMIT", "7"),
        ("GATEWAY__LIMITS__PER_CLIENT__WINDOW", "1m"),
    ];
    let config = load_variables(&variables).unwrap();
    assert_eq!(config.limits[0].spec.algorithm(), "fixed_window");
    let refused = load_variables(&[&variables[..], &[("RATE_LIMIT_CAPACITY", "5")]].concat());
    let problems = refused.expect_err("a bucket's variable").to_string();
    assert!(
        problems.contains("RATE_LIMIT_CAPACITY: limits.per-client.capacity: this does not belong"),
        "{problems}"
    );
}

/// A plan has its limit's key: where that is wrong, it is said once, and what is wrong with the plan is said beside it.
#[test]
fn what_is_wrong_with_a_limit_is_not_said_of_its_plans() {
    let text = r#"
        [limits.per-client]
        capacity = 1
        refill = "1/s"
        key = "clint"
        on_store_failure = "alow"
        plans.pro = { capacity = 0 }
    "#;
    let problems = load_text(".toml", text, &[UPSTREAM]).unwrap_err();
    let problems = problems.to_string();
    for key in [
        "per-client.key",
        "per-client.on_store_failure",
        "plans.pro.capacity",
    ] {
        assert_eq!(problems.matches(key).count(), 1, "{key} in {problems}");
    }
    assert!(!problems.contains("lost its default"), "{problems}");
}
