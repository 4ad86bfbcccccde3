//! Tests that a page calls to witness for a rule exist, where it says.

use super::{files, none, pages, root};

/// Pages whose rules name their tests by path.
const PAGES: [&str; 3] = [
    "docs/conformance.md",
    "docs/conformance-cache.md",
    "docs/guarantees.md",
];

/// A file of code, and the modules that lead to it.
struct Source {
    modules: Vec<String>,
    text: String,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for file in files() {
        let Some(path) = ["gateway/src/", "gateway/tests/", "models/src/"]
            .iter()
            .find_map(|folder| file.strip_prefix(folder))
            .and_then(|path| path.strip_suffix(".rs"))
        else {
            continue;
        };
        let mut modules: Vec<_> = path.split('/').map(str::to_owned).collect();
        modules.retain(|one| one != "mod" && one != "main");
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        found.push(Source { modules, text });
    }
    found
}

impl Source {
    /// Whether `path` leads here, maybe to the tests at this file's end.
    fn is_at(&self, path: &[&str]) -> bool {
        let inline = path.split_last().filter(|(last, _)| **last == "tests");
        self.modules.ends_with(&owned(path))
            || inline.is_some_and(|(_, path)| {
                self.text.contains("mod tests {") && self.modules.ends_with(&owned(path))
            })
    }

    /// Whether `path` is a folder that leads here.
    fn is_below(&self, path: &[&str]) -> bool {
        self.modules
            .windows(path.len())
            .any(|part| part == owned(path))
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|&one| one.to_owned()).collect()
}

/// `module::test`, `module::module` or `module::*`.
fn is_path(code: &str) -> bool {
    code.contains("::")
        && code.split("::").all(|part| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_*".contains(c))
        })
}

#[test]
fn every_test_that_is_named_exists() {
    let sources = sources();
    let mut named = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        if !PAGES.contains(&page.name.as_str()) {
            continue;
        }
        for (place, code) in page.spans() {
            if !is_path(&code) {
                continue;
            }
            named += 1;
            let path: Vec<_> = code.split("::").collect();
            let (last, module) = path.split_last().unwrap();
            let function = format!("fn {last}(");
            let is_there = |one: &Source| match *last {
                "*" => one.is_at(module) || one.is_below(module),
                _ => {
                    (one.is_at(module) && one.text.contains(&function))
                        || one.is_at(&path)
                        || one.is_below(&path)
                }
            };
            if !sources.iter().any(is_there) {
                wrong.push(format!("{place}: `{code}`"));
            }
        }
    }
    assert!(
        named > 100,
        "{named} names: the pages are written otherwise"
    );
    none("tests that do not exist", &wrong);
}
