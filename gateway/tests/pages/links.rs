//! Links lead somewhere, and files that are named are there.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{files, none, pages, root};

/// Names of files that are nobody's here, and why they are named.
const ELSEWHERE: &[(&str, &str)] = &[
    ("gateway.toml", "the reader's own configuration"),
    ("my-values.yaml", "the reader's own values"),
    ("values.yaml", "a chart's, of which there is one"),
    ("deploy/secrets/tls.crt", "made by `prod init`, or given"),
    ("deploy/secrets/tls.key", "the same"),
    ("deploy/secrets/redis_url", "made by `prod init`"),
    ("deploy/secrets/redis_users.acl", "made by `prod init`"),
    ("redis_users.acl", "made by `prod init`"),
    ("users.acl", "a key of a Secret"),
    ("keys.toml", "the reader's own file of keys"),
    ("grpc/doc/PROTOCOL-HTTP2.md", "of the repository of gRPC"),
    ("grpc/doc/http-grpc-status-mapping.md", "the same"),
    ("docker-compose.override.yml", "the reader's own"),
];

/// Ends of names that make a word a file.
const KINDS: &[&str] = &[
    "rs", "toml", "yml", "yaml", "md", "sh", "py", "json", "conf", "acl", "lua", "mjs",
];

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    for page in &pages {
        for (place, target) in page.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() {
                page.name.clone()
            } else {
                beside(&page.name, path)
            };
            if !root().join(&file).exists() {
                wrong.push(format!("{place}: {target}"));
            } else if !anchor.is_empty() {
                let there = pages.iter().find(|other| other.name == file);
                if there.is_none_or(|there| !there.anchors().contains(anchor)) {
                    wrong.push(format!("{place}: {target}: no such heading"));
                }
            }
        }
    }
    none("links that lead nowhere", &wrong);
}

/// `path` as seen from the folder of `page`.
fn beside(page: &str, path: &str) -> String {
    let mut walked = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(path).components() {
        match part {
            Component::ParentDir => {
                walked.pop();
            }
            other => walked.push(other),
        }
    }
    walked.to_string_lossy().into_owned()
}

#[test]
fn every_file_that_is_named_exists() {
    let files = files();
    let mut wrong = Vec::new();
    for page in pages() {
        for (place, code) in page.spans() {
            if looks_like_a_file(&code) && !exists(&files, &page.name, &code) {
                wrong.push(format!("{place}: `{code}`"));
            }
        }
    }
    none("files that do not exist", &wrong);
}

fn looks_like_a_file(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if code.starts_with('/') || code.starts_with('.') || !code.chars().all(plain) {
        return false;
    }
    let kind = code
        .rsplit_once('.')
        .is_some_and(|(name, kind)| !name.is_empty() && KINDS.contains(&kind));
    let first = code.split_once('/').map(|(first, _)| first);
    kind || first.is_some_and(|first| first != "target" && top().contains(first))
}

/// The folders that a path may begin with: the repository's, and the rooms of the gateway.
fn top() -> BTreeSet<String> {
    let folders = |path: PathBuf| {
        let listing = std::fs::read_dir(path).unwrap().flatten();
        listing
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    [root(), root().join("gateway/src")]
        .into_iter()
        .flat_map(folders)
        .collect()
}

fn exists(files: &[String], page: &str, name: &str) -> bool {
    let name = name.trim_end_matches('/');
    let places = [
        name.to_owned(),
        format!("gateway/src/{name}"),
        format!("k8s/{name}"),
        beside(page, name),
    ];
    let bare = !name.contains('/')
        && files
            .iter()
            .any(|file| file.rsplit('/').next() == Some(name));
    ELSEWHERE.iter().any(|(known, _)| *known == name)
        || bare
        || places.iter().any(|place| root().join(place).exists())
}

/// The drawing of the house names rooms and files too, without backticks.
#[test]
fn the_drawing_shows_what_is_there() {
    let files = files();
    let page = pages()
        .into_iter()
        .find(|page| page.name == "docs/ARCHITECTURE.md")
        .unwrap();
    let mut wrong = Vec::new();
    for block in page.blocks() {
        for word in block.lines.iter().flat_map(|line| line.split_whitespace()) {
            let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/');
            if word.contains('/') && looks_like_a_file(word) && !exists(&files, &page.name, word) {
                wrong.push(format!("{}: {word}", block.place));
            }
        }
    }
    none("rooms that do not exist", &wrong);
}
