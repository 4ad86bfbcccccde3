//! Files that are refused, and how it is said.

use std::collections::BTreeSet;
use std::path::Path;

use gateway::config::load;
use proptest::prelude::*;

use crate::{UPSTREAM, load_text, load_variables, problems, source};

/// Each fixture says in its own comments which problems it has, with the line and the key of each: exactly these.
#[test]
fn every_bad_file_is_refused_for_all_its_reasons() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let directive = |name: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines.map(|line| line.trim().to_owned()).collect()
        };
        let variables = directive("# set: ");
        let variables: Vec<_> = variables
            .iter()
            .filter_map(|line| line.split_once('='))
            .collect();
        let found = problems(load(&source(Some(path.clone()), &variables)));
        let mut missing: BTreeSet<String> = found.iter().cloned().collect();
        let expected = directive("# expect: ");
        assert!(!expected.is_empty(), "{} expects nothing", path.display());
        for expected in expected {
            let start = match expected.strip_prefix("builtin: ") {
                Some(rest) => rest.to_owned(),
                None => format!("{}:{expected}", path.display()),
            };
            let met = found.iter().find(|problem| problem.starts_with(&start));
            let met = met.unwrap_or_else(|| panic!("no `{start}` in\n{}", found.join("\n")));
            missing.remove(met);
        }
        assert!(
            missing.is_empty(),
            "{} does not expect {missing:#?}",
            path.display()
        );
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} fixtures were found");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let found = problems(load(&source(Some("/nowhere/gateway.toml".into()), &[])));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("`/nowhere/gateway.toml` cannot be read: "),
        "{found:?}"
    );
    let found = problems(load_variables(&[
        ("GATEWAY_CONFIG", "/nowhere/other.yaml"),
        UPSTREAM,
    ]));
    assert!(found[0].contains("/nowhere/other.yaml"), "{found:?}");
}

#[test]
fn errors_of_file_and_environment_are_found_in_one_run() {
    let found = problems(load_text(
        ".toml",
        "[server]\nworkers = -1\n[log]\nlevel = \"loud\"\n",
        &[("GATEWAY__STORE__TIMEOUT", "fast"), ("PORT", "70000")],
    ));
    let all = found.join("\n");
    for part in [
        ":2: server.workers: ",
        ":4: log.level: `loud` is not a level",
        "GATEWAY__STORE__TIMEOUT: store.timeout: `fast` is not a duration",
        "PORT: server.listen: `70000` is not a port",
        "UPSTREAM_URL: upstreams.default.endpoints: where requests go is not set",
    ] {
        assert!(all.contains(part), "no `{part}` in\n{all}");
    }
    assert_eq!(found.len(), 5, "{all}");
}

#[test]
fn a_hopeless_file_is_refused_in_bounded_time_and_without_noise() {
    let text = "[[routes]]\nname = 1\npath = 2\nupstream = 3\n".repeat(1_000);
    let found = problems(load_text(".toml", &text, &[UPSTREAM]));
    assert!(
        (100..1_000).contains(&found.len()),
        "{} problems",
        found.len()
    );
    assert!(
        found
            .iter()
            .all(|problem| problem.contains("expected a text in quotes"))
    );
}

proptest! {
    /// Whatever stands in a file or a variable, the answer is a configuration or a list of problems.
    #[test]
    fn nothing_written_makes_it_panic(
        text in r#"([a-z]{1,8}|server|routes|upstreams|limits|[ \n\[\]{}:=,."'#&*!|>%@?-]|[0-9]{1,20}|\PC){0,60}"#,
        variable in prop::sample::select(&VARIABLES[..]),
    ) {
        for extension in [".toml", ".yaml"] {
            let _ = load_text(extension, &text, &[UPSTREAM]);
        }
        let _ = load_variables(&[UPSTREAM, (variable, &text)]);
    }
}

const VARIABLES: [&str; 14] = [
    "PORT",
    "UPSTREAM_URL",
    "UPSTREAM_TIMEOUT",
    "RATE_LIMIT_REFILL_RATE",
    "RATE_LIMIT_REFILL_INTERVAL_SECONDS",
    "RETRY_BACKOFF_MULTIPLIER",
    "REDIS_URL",
    "REDIS_HOST",
    "LOG_LEVEL",
    "GATEWAY__ROUTES",
    "GATEWAY__ROUTES__0__PATH",
    "GATEWAY__ROUTES__0__REWRITE",
    "GATEWAY__SERVER__LISTEN",
    "GATEWAY__UPSTREAMS__DEFAULT__CIRCUIT",
];
