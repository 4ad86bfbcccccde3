//! The house is as drawn: a module uses only floors below its own, and the rooms keep to what they may name.
//!
//! Reads the sources under `gateway/src` as text. Comments and strings are left aside, so words may be mentioned
//! there. The tests at the end hold the checker itself against made-up sources: it can fail.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failed test may panic"
)]

#[path = "layering/source.rs"]
mod source;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use source::{NamedPath, paths};

/// The floors from the ground up, with the rooms on each. A new room belongs here and in `docs/ARCHITECTURE.md`.
const FLOORS: [(&str, &[&str]); 7] = [
    ("0", &["policy", "telemetry"]),
    ("1a", &["store", "upstream"]),
    ("1b", &["limiter", "breaker", "cache"]),
    ("2", &["proxy"]),
    ("3", &["server", "admin"]),
    ("4", &["config"]),
    (TOP, &["app", "main", "fuzzing"]),
];

/// The floor that sees all.
const TOP: &str = "5";

/// The most lines of a file, its unit tests apart.
const LONGEST_FILE: usize = 400;

/// What some rooms must not name: the rooms, a test of a path, and why.
type Ban = (&'static [&'static str], fn(&[&str]) -> bool, &'static str);

const BANS: [Ban; 4] = [
    (&["policy"], is_clock, "policies take `now` as an argument"),
    (
        &["policy"],
        is_io,
        "policies decide, they do no I/O and wait for nothing",
    ),
    (
        &["policy", "proxy", "server", "admin"],
        is_redis,
        "Redis is known to the store alone",
    ),
    (
        &["limiter", "breaker", "store"],
        is_http,
        "HTTP is spoken by the proxy and above",
    ),
];

fn is_clock(path: &[&str]) -> bool {
    path.iter()
        .any(|segment| matches!(*segment, "Instant" | "SystemTime"))
}

fn is_io(path: &[&str]) -> bool {
    match path {
        ["std", "net", what, ..] => {
            what.starts_with("Tcp") || what.starts_with("Udp") || *what == "*"
        }
        ["std", "fs", ..] => true,
        _ => path
            .iter()
            .any(|segment| matches!(*segment, "tokio" | "async" | "await")),
    }
}

fn is_redis(path: &[&str]) -> bool {
    path.iter()
        .any(|segment| segment.to_ascii_lowercase().contains("redis"))
}

fn is_http(path: &[&str]) -> bool {
    matches!(path, ["http" | "hyper", ..]) || path.contains(&"StatusCode")
}

/// Where a source breaks the rules of the house, and how.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "src/{}:{}: {}",
            self.file.display(),
            self.line,
            self.what
        )
    }
}

/// Checks one Rust source; `file` is its path below `src`.
fn check_rust(file: &Path, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |line: usize, what: String| {
        found.push(Violation {
            file: file.to_owned(),
            line,
            what,
        })
    };
    if !text.starts_with("//!") {
        report(
            1,
            "opens without a `//!` that says what it guarantees".to_owned(),
        );
    }
    let length = length_without_tests(text);
    if length > LONGEST_FILE {
        report(
            LONGEST_FILE + 1,
            format!("has {length} lines without its tests, {LONGEST_FILE} are allowed"),
        );
    }
    let module = module_of(file);
    let room = module.first().map_or("lib", String::as_str);
    if room == "lib" {
        return found;
    }
    let Some(floor) = floor_of(room) else {
        report(
            1,
            format!("`{room}` stands on no floor: give it one in tests/layering.rs"),
        );
        return found;
    };
    for path in paths(text) {
        let segments = from_the_root(&path, module.len());
        if let ["crate", target, ..] = segments[..]
            && let Some(what) = climbs(room, floor, target)
        {
            report(path.line, what);
        }
        for (rooms, is_banned, why) in BANS {
            if rooms.contains(&room) && is_banned(&segments) {
                report(
                    path.line,
                    format!("`{}` in `{room}`: {why}", segments.join("::")),
                );
            }
        }
    }
    // A line that names one room twice breaks one rule once.
    found.dedup();
    found
}

/// Checks one Lua script: it opens with a comment that tells its KEYS and its ARGV.
fn check_lua(file: &Path, text: &str) -> Vec<Violation> {
    let opening: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("--"))
        .collect();
    let missing = ["KEYS", "ARGV"]
        .into_iter()
        .filter(|word| !opening.iter().any(|line| line.contains(word)));
    let report = |word| Violation {
        file: file.to_owned(),
        line: 1,
        what: format!("its opening comment does not tell its {word}"),
    };
    missing.map(report).collect()
}

/// The modules a file stands for: `proxy/mod.rs` is `[proxy]`, `main.rs` is `[main]`, `lib.rs` the root itself.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let mut module: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

/// The path with `super::super::…` that leads out of the room rewritten to `crate::…`.
fn from_the_root(path: &NamedPath, module_depth: usize) -> Vec<&str> {
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let written = segments.iter().skip_while(|segment| **segment == "self");
    let supers = written.take_while(|segment| **segment == "super").count();
    if supers == 0 || supers < module_depth + path.inline_depth {
        return segments;
    }
    let rest = segments
        .into_iter()
        .filter(|segment| !matches!(*segment, "self" | "super"));
    std::iter::once("crate").chain(rest).collect()
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, rooms)| rooms.contains(&room))
}

/// Why `target` is out of reach from `room`, if it is.
fn climbs(room: &str, floor: usize, target: &str) -> Option<String> {
    let (name, _) = FLOORS[floor];
    if room == target || name == TOP {
        return None;
    }
    match floor_of(target) {
        None => Some(format!(
            "`crate::{target}` stands on no floor: give it one in tests/layering.rs"
        )),
        Some(below) if below < floor => None,
        Some(other) if other == floor => Some(format!(
            "`{room}` uses `{target}`, beside it on floor {name}"
        )),
        Some(above) => {
            let (above, _) = FLOORS[above];
            Some(format!(
                "`{room}` on floor {name} uses `{target}` on floor {above}"
            ))
        }
    }
}

/// How many lines come before a `#[cfg(test)] mod tests {…}` that ends the file.
fn length_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let starts_tests = |at: &usize| {
        lines[*at] == "#[cfg(test)]"
            && lines
                .get(at + 1)
                .is_some_and(|next| next.starts_with("mod tests {"))
    };
    match (0..lines.len()).find(starts_tests) {
        // At the left margin, the first closing brace is the module's.
        Some(start)
            if lines[start..].iter().position(|line| *line == "}")
                == Some(lines.len() - start - 1) =>
        {
            start
        }
        _ => lines.len(),
    }
}

/// The files below `folder` with this extension, as paths below `root`.
fn files(root: &Path, folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(root, &path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(
                path.strip_prefix(root)
                    .expect("a path below the root")
                    .to_owned(),
            );
        }
    }
    found.sort();
    found
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn assert_clean(files: &[PathBuf], check: fn(&Path, &str) -> Vec<Violation>) {
    let found = files.iter().flat_map(|file| {
        let text = fs::read_to_string(sources().join(file)).expect("a readable source");
        check(file, &text)
    });
    let list: Vec<String> = found.map(|violation| violation.to_string()).collect();
    assert!(
        list.is_empty(),
        "the house is not as drawn:\n{}\n",
        list.join("\n")
    );
}

#[test]
fn the_house_is_as_drawn() {
    let files = files(&sources(), &sources(), "rs");
    assert!(
        files.contains(&PathBuf::from("lib.rs")) && files.len() > 10,
        "found only {files:?}"
    );
    assert_clean(&files, check_rust);
}

#[test]
fn scripts_open_with_their_contract() {
    let scripts = files(&sources(), &sources(), "lua");
    let expected = sources().join("store/redis").exists();
    assert_eq!(!scripts.is_empty(), expected, "found {scripts:?}");
    assert_clean(&scripts, check_lua);
}

// === The checker itself ===

/// What the checker says about a made-up source, without its place.
fn said(file: &str, code: &str) -> Vec<String> {
    let violations = check_rust(Path::new(file), &format!("//! Made up.\n{code}"));
    violations
        .into_iter()
        .map(|violation| violation.what)
        .collect()
}

#[track_caller]
fn assert_refused(file: &str, code: &str, why: &str) {
    let said = said(file, code);
    assert!(
        said.len() == 1 && said[0].contains(why),
        "{file}: {code}\n{said:?}"
    );
}

#[track_caller]
fn assert_allowed(file: &str, code: &str) {
    assert_eq!(said(file, code), Vec::<String>::new(), "{file}: {code}");
}

#[test]
fn downward_and_within_the_room_is_allowed() {
    assert_allowed(
        "limiter/lease.rs",
        "use crate::store::Store;\nuse crate::policy::{ids, units::Micros};",
    );
    assert_allowed(
        "limiter/lease.rs",
        "use crate::limiter::key; use super::key; use super::super::store;",
    );
    assert_allowed("proxy/mod.rs", "use super::store::Store;");
    assert_allowed("app/mod.rs", "use crate::{config, server, admin, app::x};");
    assert_allowed(
        "main.rs",
        "fn main() { gateway::app::run(); crate::config::load(); }",
    );
    assert_allowed("lib.rs", "pub mod policy; pub use crate::config::Settings;");
    assert_allowed(
        "policy/units.rs",
        "pub(crate) struct X; use std::{fmt, net::IpAddr, time::Duration};",
    );
}

#[test]
fn upward_is_refused_however_it_is_written() {
    let why = "`store` on floor 1a uses `proxy` on floor 2";
    for code in [
        "use crate::proxy::Context;",
        "use crate::{policy::units, proxy::{Context, route}};",
        "use crate::{\n    policy::{units, ids::{self, Name as Other}},\n    proxy,\n};",
        "fn f() { crate::proxy::handle() }",
        "fn f(_: &'static crate::proxy::Context) {}",
        "use super::super::proxy::Context;",
        "use super::{keys, super::proxy};",
        "mod tests { use super::super::super::proxy; }",
        "macro_rules! m { () => { $crate::proxy::handle() } }",
    ] {
        assert_refused("store/memory.rs", code, why);
    }
}

#[test]
fn inline_modules_end_where_they_end() {
    assert_allowed(
        "store/memory.rs",
        "mod tests { fn f() { if x { y } } use super::super::keys; }",
    );
    let code = "mod inner { fn f() {} }\nuse super::super::proxy;";
    assert_refused("store/memory.rs", code, "uses `proxy`");
}

#[test]
fn sideways_is_refused() {
    assert_refused(
        "limiter/mod.rs",
        "use crate::breaker::Permit;",
        "beside it on floor 1b",
    );
    assert_refused(
        "upstream/client.rs",
        "use crate::store::Store;",
        "beside it on floor 1a",
    );
    assert_refused(
        "server/listener.rs",
        "use super::super::admin;",
        "beside it on floor 3",
    );
}

#[test]
fn rooms_without_a_floor_are_refused() {
    assert_refused("utils/mod.rs", "", "`utils` stands on no floor");
    assert_refused(
        "proxy/mod.rs",
        "use crate::utils::clamp;",
        "`crate::utils` stands on no floor",
    );
    assert_refused(
        "proxy/mod.rs",
        "use crate::*;",
        "`crate::*` stands on no floor",
    );
}

#[test]
fn policies_name_no_clock_and_do_no_io() {
    for code in [
        "use tokio::sync::Mutex;",
        "use std::time::{Duration, Instant};",
        "fn f() { std::time::SystemTime::now(); }",
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "use std::net::{IpAddr, TcpStream};",
        "async fn f() {}",
        "use redis::Script;",
        "use deadpool_redis::Pool;",
    ] {
        assert_refused("policy/circuit.rs", code, "in `policy`");
    }
    assert_allowed("store/memory.rs", "use std::fs; use tokio::time::Instant;");
}

#[test]
fn redis_stays_in_the_store() {
    for file in ["proxy/limit.rs", "server/workers.rs", "admin/api.rs"] {
        assert_refused(file, "use redis::Client;", "known to the store alone");
        assert_refused(
            file,
            "fn f(s: Store) { matches!(s, Store::Redis(_)); }",
            "known to the store alone",
        );
    }
    assert_allowed("store/redis/mod.rs", "use redis::Client;");
    assert_allowed("config/store.rs", "let redis_url = 1;");
}

#[test]
fn http_stays_above_shared_state() {
    for file in ["limiter/mod.rs", "breaker/mod.rs", "store/mod.rs"] {
        assert_refused(
            file,
            "use http::StatusCode;",
            "spoken by the proxy and above",
        );
        assert_refused(
            file,
            "fn f(status: StatusCode) {}",
            "spoken by the proxy and above",
        );
        assert_refused(
            file,
            "use hyper::body::Body;",
            "spoken by the proxy and above",
        );
    }
    assert_allowed("proxy/mod.rs", "use http::StatusCode;");
    assert_allowed("upstream/client.rs", "use hyper::client::conn::http1;");
}

#[test]
fn comments_and_strings_may_name_anything() {
    for code in [
        "// use tokio::time::Instant;",
        "/// Like `std::time::Instant`, but [`crate::proxy`] hands it in.",
        "/* use redis; /* nested */ use tokio; */",
        "const A: &str = \"use tokio; \\\" redis\";",
        "const B: &str = r#\"use \"redis\" and tokio\"#;",
        "const C: &[u8] = br\"redis\"; const D: char = '\"'; const E: char = '\\''; // redis",
        "fn f<'a>(x: &'a str) -> &'a str { x } // 'tokio'",
    ] {
        assert_allowed("policy/units.rs", code);
    }
    assert_refused(
        "policy/units.rs",
        "const A: char = '\"'; use tokio::time; const B: char = '\"';",
        "in `policy`",
    );
    assert_refused(
        "policy/units.rs",
        "const A: &str = r\"\\\"; use tokio::time;",
        "in `policy`",
    );
}

#[test]
fn a_place_is_told_by_its_line() {
    let text = "//! Made up.\n/* one\ntwo */\nuse crate::{\n    policy,\n    server,\n};\n";
    let found = check_rust(Path::new("proxy/mod.rs"), text);
    assert_eq!(
        found[0].to_string(),
        "src/proxy/mod.rs:6: `proxy` on floor 2 uses `server` on floor 3"
    );
}

#[test]
fn files_open_with_what_they_guarantee() {
    assert!(check_rust(Path::new("proxy/mod.rs"), "//! Yes.\n").is_empty());
    for text in [
        "",
        "// No.\n",
        "\n//! Late.\n",
        "use std::fmt;\n//! Later.\n",
    ] {
        assert_eq!(
            check_rust(Path::new("proxy/mod.rs"), text).len(),
            1,
            "{text:?}"
        );
    }
}

#[test]
fn files_stay_short_without_their_tests() {
    let lines = |count| "const A: u8 = 1;\n".repeat(count);
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\n{}}}\n",
        "    const A: u8 = 1;\n".repeat(LONGEST_FILE)
    );
    assert_allowed("proxy/mod.rs", &lines(LONGEST_FILE - 1));
    assert_refused("proxy/mod.rs", &lines(LONGEST_FILE), "has 401 lines");
    assert_allowed(
        "proxy/mod.rs",
        &format!("{}{tests}", lines(LONGEST_FILE - 1)),
    );
    // Code after the tests counts, and so do they then: tests belong at the end.
    assert_refused(
        "proxy/mod.rs",
        &format!("{tests}\nfn f() {{\n}}\n"),
        "lines without its tests",
    );
}

#[test]
fn scripts_tell_their_keys_and_arguments() {
    let refused = |text| check_lua(Path::new("store/redis/take.lua"), text).len();
    assert_eq!(
        refused("-- Takes.\n-- KEYS[1] the bucket\n-- ARGV[1] how many\nreturn 1\n"),
        0
    );
    assert_eq!(refused("-- KEYS[1] the bucket\nreturn ARGV[1]\n"), 1);
    assert_eq!(refused("local key = KEYS[1]\n-- KEYS, ARGV\n"), 2);
}
