//! Targets of `make` and metrics that are named exist, and the doors in CONTRIBUTING are the Makefile's.

use std::collections::BTreeSet;

use super::{files, none, pages, root};

/// The targets that the Makefile describes.
fn targets() -> BTreeSet<String> {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    makefile
        .lines()
        .filter(|line| line.contains(":.*## ") || line.contains(" ## ") || line.contains(": ## "))
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target.to_owned())
        .filter(|target| {
            target
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
        .collect()
}

/// Every target of the Makefile, described or not.
fn phony() -> BTreeSet<String> {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let phony = makefile
        .lines()
        .find_map(|line| line.strip_prefix(".PHONY: "))
        .unwrap();
    phony.split(' ').map(str::to_owned).collect()
}

#[test]
fn every_target_of_make_says_what_it_does() {
    assert_eq!(phony(), targets(), ".PHONY, and the targets with a `##`");
}

#[test]
fn every_target_that_is_named_exists() {
    let targets = targets();
    let mut wrong = Vec::new();
    for page in pages() {
        for (place, code) in page.spans() {
            let target = code
                .strip_prefix("make ")
                .and_then(|rest| rest.split(' ').next());
            if target.is_some_and(|target| !targets.contains(target)) {
                wrong.push(format!("{place}: `{code}`"));
            }
        }
    }
    none("targets that do not exist", &wrong);
}

#[test]
fn the_doors_are_those_of_the_makefile() {
    let contributing = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let doors: BTreeSet<String> = contributing
        .lines()
        .filter_map(|line| line.strip_prefix("| `make ")?.split('`').next())
        .map(|door| door.split(' ').next().unwrap().to_owned())
        .collect();
    let mut targets = targets();
    targets.remove("help");
    assert_eq!(
        doors, targets,
        "the doors in CONTRIBUTING.md, and the Makefile"
    );
}

/// Every name of a metric in the code.
fn metrics() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files() {
        if file.starts_with("gateway/src/") && file.ends_with(".rs") {
            let text = std::fs::read_to_string(root().join(file)).unwrap();
            found.extend(named(&text).into_iter().map(|(name, _)| name));
        }
    }
    found
}

/// Words that begin with `gateway_`, and what follows each.
fn named(text: &str) -> Vec<(String, Option<char>)> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("gateway_") {
        let start = from + at;
        let rest = &text[start..];
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let inside = text[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if !inside {
            found.push((rest[..end].to_owned(), rest[end..].chars().next()));
        }
        from = start + end;
    }
    found
}

#[test]
fn every_metric_that_is_named_exists() {
    let metrics = metrics();
    let generator = root().join("deploy/grafana/generator/metrics.py");
    let planned = std::fs::read_to_string(generator).unwrap();
    let planned = planned.split("PLANNED").nth(1).unwrap_or_default();
    let planned = planned.split('}').next().unwrap_or_default();
    let mut wrong = Vec::new();
    for page in pages() {
        for (place, code) in page.spans() {
            for (name, next) in named(&code) {
                let series = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end))
                    .unwrap_or(&name);
                let prefix = name.ends_with('_') || matches!(next, Some('*' | '…'));
                let known = metrics.contains(&name)
                    || metrics.contains(series)
                    || planned.contains(&format!("\"{name}\""));
                if !known && !prefix {
                    wrong.push(format!("{place}: `{name}`"));
                }
            }
        }
    }
    none("metrics that do not exist", &wrong);
}
