//! Configurations that pages show are accepted, and no block is of a kind that nothing checks.

use std::path::Path;

use gateway::config::{Source, load, schema};

use super::markdown::Block;
use super::{none, pages, root};

/// What blocks may be, and what holds them.
const LANGUAGES: &[(&str, &str)] = &[
    ("toml", "loaded here"),
    ("yaml", "loaded here where it is ours"),
    ("console", "run by `commands`"),
    ("text", "what a program prints, or a drawing"),
    ("nginx", "another program's, to compare with"),
    ("ini", "a drop-in for systemd"),
    ("sh", "variables; their names are held by `keys`"),
];

/// First words of configurations of other programs.
const FOREIGN: &[&str] = &["http", "services", "spring", "resilience4j"];

#[test]
fn every_block_is_of_a_kind_that_is_checked() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            if !LANGUAGES.iter().any(|(name, _)| *name == block.language) {
                wrong.push(format!("{}: ```{}", block.place, block.language));
            }
        }
        for place in page.indented() {
            wrong.push(format!("{place}: indented; say in a fence what it is"));
        }
    }
    none("blocks that nothing checks", &wrong);
}

#[test]
fn every_configuration_that_is_shown_loads() {
    let mut wrong = Vec::new();
    let mut loaded = 0;
    for block in pages().iter().flat_map(super::markdown::Page::blocks) {
        let ending = match block.language.as_str() {
            "toml" => ".toml",
            "yaml" if ours(&block) => ".yaml",
            _ => continue,
        };
        loaded += 1;
        if let Err(problems) = try_to_load(&block, ending) {
            wrong.push(format!("{}: {problems}", block.place));
        }
    }
    assert!(loaded > 5, "the pages show configurations");
    none("configurations that are refused", &wrong);
}

/// A block in YAML is ours when its sections are; whatever else must be known to be somebody else's.
fn ours(block: &Block) -> bool {
    let schema = schema();
    let sections = block.lines.iter().filter_map(|line| {
        let (name, _) = line.split_once(':')?;
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            .then_some(name)
    });
    let mut ours = true;
    for section in sections {
        let known = schema["properties"].get(section).is_some();
        assert!(
            known || FOREIGN.contains(&section),
            "{}: whose section is {section:?}?",
            block.place
        );
        ours &= known && !FOREIGN.contains(&section);
    }
    ours
}

/// Loads a block as a file; the files it names under `/etc` are made for it.
fn try_to_load(block: &Block, ending: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let text = with_files(&block.lines.join("\n"), dir.path());
    let file = dir.path().join(format!("gateway{ending}"));
    std::fs::write(&file, text).unwrap();
    let upstream = (
        "UPSTREAM_URL".to_owned(),
        "http://127.0.0.1:5001".to_owned(),
    );
    load(&Source::new(Some(file), [upstream]))
        .map(drop)
        .map_err(|problems| problems.to_string())
}

/// Puts a file of `dir` with something of its kind in it in the place of each `"/etc/…"`.
fn with_files(text: &str, dir: &Path) -> String {
    let mut text = text.to_owned();
    let mut names = Vec::new();
    while let Some(start) = text.find("\"/etc/") {
        let end = start + 1 + text[start + 1..].find('"').unwrap();
        let name = text[start + 1..end].to_owned();
        let number = names.iter().position(|known| *known == name);
        let number = number.unwrap_or(names.len());
        let own = dir.join(format!("{number}-{}", name.rsplit('/').next().unwrap()));
        if number == names.len() {
            std::fs::write(&own, content(&name, dir)).unwrap();
            names.push(name);
        }
        text.replace_range(start + 1..end, &own.to_string_lossy());
    }
    text
}

/// A certificate and its key share a name; a public key and a list are one, and anything else is empty.
fn content(name: &str, dir: &Path) -> String {
    let Some((stem, kind)) = name
        .rsplit('/')
        .next()
        .and_then(|file| file.rsplit_once('.'))
    else {
        return String::new();
    };
    if stem.ends_with(".pub") {
        let key = root().join("gateway/tests/fixtures/identity/ed.pub.pem");
        return std::fs::read_to_string(key).unwrap();
    }
    if kind == "crl" {
        return nothing_revoked();
    }
    let pair = [
        dir.join(format!("{stem}.pair.cert")),
        dir.join(format!("{stem}.pair.key")),
    ];
    if !pair[0].exists() {
        let made = rcgen::generate_simple_self_signed([format!("{stem}.example")]).unwrap();
        std::fs::write(&pair[0], made.cert.pem()).unwrap();
        std::fs::write(&pair[1], made.signing_key.serialize_pem()).unwrap();
    }
    match kind {
        "pem" | "crt" => std::fs::read_to_string(&pair[0]).unwrap(),
        "key" => std::fs::read_to_string(&pair[1]).unwrap(),
        _ => String::new(),
    }
}

/// A list of what an authority has taken back: nothing.
fn nothing_revoked() -> String {
    let then = rcgen::date_time_ymd(2024, 1, 1);
    let list = rcgen::CertificateRevocationListParams {
        this_update: then,
        next_update: rcgen::date_time_ymd(2034, 1, 1),
        crl_number: rcgen::SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(rcgen::CertificateParams::default(), key);
    list.signed_by(&issuer).unwrap().pem().unwrap()
}
