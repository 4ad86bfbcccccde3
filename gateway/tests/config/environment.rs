//! Files in either form, and any key from the environment.

use std::num::NonZeroU32;

use gateway::policy::circuit::Quorum;

use crate::example::{EXAMPLE, EXAMPLE_YAML};
use crate::{UPSTREAM, load_text, load_variables, problems, settings};

#[test]
fn yaml_says_the_same_as_toml() {
    let toml = load_text(".toml", EXAMPLE, &[]).unwrap();
    for extension in [".yaml", ".yml"] {
        let yaml = load_text(extension, EXAMPLE_YAML, &[]).unwrap();
        assert_eq!(settings(&toml), settings(&yaml));
    }
}

#[test]
fn any_key_can_come_from_the_environment() {
    let variables = [
        ("GATEWAY__ADMIN__LISTEN", "127.0.0.1:9911"),
        ("GATEWAY__SERVER__NAME", "5"),
        ("GATEWAY__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
        ("GATEWAY__server__Drain_Timeout", "5s"),
        ("GATEWAY__UPSTREAMS__DEFAULT__TIMEOUT", "5s"),
        ("GATEWAY__UPSTREAMS__DEFAULT__CIRCUIT__QUORUM", "3"),
        (
            "GATEWAY__UPSTREAMS__OTHER_API__ENDPOINTS",
            r#"["http://10.0.0.7:80"]"#,
        ),
        ("GATEWAY__LIMITS__PER_CLIENT__CAPACITY", "7"),
        ("GATEWAY__ROUTES__PROXY__RETRY", "{ attempts = 4 }"),
        ("GATEWAY__ROUTES__0__LIMITS__0", "per-client"),
        ("GATEWAY__ROUTES__1__NAME", "other"),
        ("GATEWAY__ROUTES__1__PATH", "/other"),
        ("GATEWAY__ROUTES__OTHER__UPSTREAM", "other-api"),
        UPSTREAM,
    ];
    let config = load_variables(&variables).unwrap();
    assert_eq!(config.admin.listen.port(), 9911);
    assert_eq!(
        (
            config.proxy.hop.as_str(),
            config.server.drain_timeout.as_secs()
        ),
        ("5", 5)
    );
    assert_eq!(config.proxy.identity.trusted_proxies.len(), 2);
    assert_eq!(
        (
            config.upstreams[0].timeout.as_secs(),
            config.upstreams[0].circuit.quorum
        ),
        (5, Quorum::Replicas(NonZeroU32::new(3).unwrap()))
    );
    assert_eq!(config.upstreams[1].name.as_str(), "other-api");
    assert_eq!(config.limits[0].spec.capacity(), 7);
    assert_eq!(config.proxy.routes[0].retry.attempts, 4);
    assert_eq!(config.proxy.routes[1].target.to_string(), "other-api");
}

#[test]
fn a_variable_that_addresses_nothing_is_a_problem() {
    let found = problems(load_variables(&[
        ("GATEWAY__SERVER__LISTEM", "x"),
        ("GATEWAY__LIMITS", "5"),
        ("GATEWAY__LOG__LEVEL__DEEP", "x"),
        ("GATEWAY__ROUTES__7__NAME", "x"),
        ("GATEWAY__ROUTES__PROXI__NAME", "x"),
        ("GATEWAY__STORE____URL", "x"),
        UPSTREAM,
    ]));
    let all = found.join("\n");
    for part in [
        "GATEWAY__SERVER__LISTEM: server.listem: unknown key: did you mean `listen`?",
        "GATEWAY__LIMITS: limits: this is the integer `5`, expected a table",
        "GATEWAY__LOG__LEVEL__DEEP: log.level: this is a value and has no key `DEEP`",
        "GATEWAY__ROUTES__7__NAME: routes: there is no element 7: the next free one is 1",
        "GATEWAY__ROUTES__PROXI__NAME: routes: nothing here is named `proxi`: did you mean `proxy`?",
        "GATEWAY__STORE____URL: store: a segment between `__` is empty",
    ] {
        assert!(all.contains(part), "no `{part}` in\n{all}");
    }
    assert_eq!(found.len(), 6, "{all}");
}
