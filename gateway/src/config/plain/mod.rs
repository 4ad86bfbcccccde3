//! The plain variables of `PORT`'s kind: the few settings that most deployments change, under short names.
//!
//! They win over everything else. An empty variable counts as unset, because composed environments often pass one on.
//!
//! Guarantees: a variable that is not what it should be, or that has nothing to act on, is said. Must not: change more
//! than the key it stands for.

mod number;
mod otel;
mod redis;

use serde_json::Value;

use super::environment::replace_alternative;
use super::path::KeyPath;
use super::problem::{Origin, Report};
use super::source::Source;
use super::tree::Tree;
use number::{decimal, whole};

/// Variables on their way into the tree.
struct Plain<'a> {
    source: &'a Source,
    tree: &'a mut Tree,
    report: &'a mut Report,
}

/// Lays the plain variables over `tree`.
pub(super) fn overlay(tree: &mut Tree, source: &Source, report: &mut Report) {
    let mut plain = Plain {
        source,
        tree,
        report,
    };
    plain.port();
    redis::overlay(&mut plain);
    let log = KeyPath::default().key("log");
    plain.put("LOG_LEVEL", &log.key("level"), |text| Ok(text.into()));
    plain.put("LOG_FORMAT", &log.key("format"), |text| Ok(text.into()));
    otel::overlay(&mut plain);
    plain.upstream();
    plain.limit();
    plain.retry();
}

impl Plain<'_> {
    /// The value of a variable that is set and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.source
            .variable(name)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// Puts what `read` makes of the variable `name` at `path`.
    fn put(
        &mut self,
        name: &str,
        path: &KeyPath,
        read: impl FnOnce(&str) -> Result<Value, String>,
    ) {
        let Some(text) = self.get(name) else {
            return;
        };
        let origin = Origin::Variable(name.into());
        match read(text) {
            Ok(value) => {
                replace_alternative(self.tree, path);
                self.tree.set(path, value, origin);
            }
            Err(message) => self.report.problem_from(origin, path, &message),
        }
    }

    /// Like [`Self::put`], below an entry that must exist already: otherwise the variable would have no effect.
    fn put_in(
        &mut self,
        name: &str,
        entry: Option<&KeyPath>,
        missing: &str,
        key: &[&str],
        read: impl FnOnce(&str) -> Result<Value, String>,
    ) {
        match entry {
            Some(entry) => {
                let path = key.iter().fold(entry.clone(), |path, key| path.key(key));
                self.put(name, &path, read);
            }
            None if self.get(name).is_some() => {
                self.report
                    .warning(&format!("{name} has no effect: there is no {missing}"));
            }
            None => {}
        }
    }

    /// `PORT` changes the port and keeps the address.
    fn port(&mut self) {
        let listen = KeyPath::default().key("server").key("listen");
        let host = self
            .tree
            .text(&listen)
            .and_then(|text| text.rsplit_once(':'));
        let host = host.map_or("0.0.0.0", |(host, _)| host).to_owned();
        self.put("PORT", &listen, |text| match text.parse::<u16>() {
            Ok(port) => Ok(format!("{host}:{port}").into()),
            Err(_) => Err(format!(
                "`{text}` is not a port: write a number from 1 to 65535, or 0 for any free one"
            )),
        });
    }

    fn upstream(&mut self) {
        let upstream = KeyPath::default().key("upstreams").key("default");
        self.put("UPSTREAM_URL", &upstream.key("endpoints"), |text| {
            let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
            Ok(Value::Array(urls.map(Value::from).collect()))
        });
        let entry = self.tree.get(&upstream).is_some().then_some(upstream);
        for (name, key) in [
            ("UPSTREAM_TIMEOUT", &["timeout"][..]),
            (
                "CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS",
                &["circuit", "reset"],
            ),
        ] {
            self.put_in(
                name,
                entry.as_ref(),
                "upstream `default`",
                key,
                number::seconds,
            );
        }
        let name = "CIRCUIT_BREAKER_FAILURE_THRESHOLD";
        self.put_in(
            name,
            entry.as_ref(),
            "upstream `default`",
            &["circuit", "failures"],
            whole,
        );
    }

    fn limit(&mut self) {
        let limit = KeyPath::default().key("limits").key("per-client");
        let entry = self.tree.get(&limit).is_some().then_some(limit);
        let missing = "limit `per-client`";
        self.put_in(
            "RATE_LIMIT_CAPACITY",
            entry.as_ref(),
            missing,
            &["capacity"],
            whole,
        );
        // The two halves of one key: each changes its own and keeps the other.
        for name in [
            "RATE_LIMIT_REFILL_RATE",
            "RATE_LIMIT_REFILL_INTERVAL_SECONDS",
        ] {
            let refill = entry
                .as_ref()
                .and_then(|entry| self.tree.text(&entry.key("refill")));
            let (tokens, per) = refill
                .and_then(|text| text.split_once('/'))
                .unwrap_or(("10", "1m"));
            let (tokens, per) = (tokens.to_owned(), per.to_owned());
            self.put_in(
                name,
                entry.as_ref(),
                missing,
                &["refill"],
                |text| match name {
                    "RATE_LIMIT_REFILL_RATE" => number::refill(text, &per),
                    _ => number::seconds(text).map(|span| {
                        let span = span.as_str().unwrap_or_default();
                        format!("{tokens}/{span}").into()
                    }),
                },
            );
        }
    }

    fn retry(&mut self) {
        let routes = KeyPath::default().key("routes");
        let listed = self.tree.get(&routes).and_then(Value::as_array);
        let position = listed.and_then(|routes| {
            routes
                .iter()
                .position(|route| route.get("name").is_some_and(|name| name == "proxy"))
        });
        let entry = position.map(|index| routes.index(index).key("retry"));
        let missing = "route `proxy`";
        self.put_in(
            "RETRY_MAX_ATTEMPTS",
            entry.as_ref(),
            missing,
            &["attempts"],
            whole,
        );
        self.put_in(
            "RETRY_BACKOFF_MULTIPLIER",
            entry.as_ref(),
            missing,
            &["multiplier"],
            decimal,
        );
        for (name, key) in [
            ("RETRY_INITIAL_DELAY_MS", "initial_delay"),
            ("RETRY_MAX_DELAY_MS", "max_delay"),
        ] {
            self.put_in(name, entry.as_ref(), missing, &[key], number::milliseconds);
        }
    }
}
