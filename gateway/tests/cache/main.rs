//! Kept answers, from the outside: a real gateway, a real origin, real sockets, and a real Redis where answers are shared.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a panic is the verdict"
)]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod contract;
mod freshness;
mod invalidation;
mod never_stored;
mod origin;
mod purge;
mod shared_tier;
mod stale;
mod stampede;
mod validation;
mod vary;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway::app::Given;
use gateway::store::Store;
use http::Method;
use origin::{Origin, Reply, WARM};
use support::client::{self, Answer};
use support::gateway::Gateway;
use support::redis::Server;

/// A gateway in front of `origin` whose route `api` has `cache = { CACHE }`; `more` is further configuration.
fn gateway(origin: &Origin, cache: &str, more: &str) -> Gateway {
    Gateway::from_file(&origin.url(), &file(cache, more))
}

fn file(cache: &str, more: &str) -> String {
    format!(
        "{more}\n[upstreams.default]\nendpoints = [\"UPSTREAM\"]\n\
         [[routes]]\nname = \"api\"\npath = \"/{{*path}}\"\nupstream = \"default\"\nmethods = [\"GET\", \"HEAD\", \"OPTIONS\"]\n\
         cache = {{ {cache} }}\n"
    )
}

async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(gateway, Method::GET, path, headers).await
}

async fn send(gateway: &Gateway, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    client::send(gateway.proxy(), client::request(method, path, headers)).await
}

/// What the gateway says that it did.
fn did(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap_or("nothing")
}

fn is_hit(answer: &Answer) -> bool {
    did(answer).contains("; hit")
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

/// Where replicas meet.
enum World {
    Embedded(Store),
    Redis(Server),
}

impl World {
    fn embedded() -> Self {
        Self::Embedded(Store::memory(10_000))
    }

    async fn redis() -> Self {
        Self::Redis(Server::start().await)
    }

    fn replica(&self, origin: &Origin, cache: &str, more: &str) -> Gateway {
        match self {
            Self::Embedded(store) => {
                let given = Given {
                    embedded: Some(store.clone()),
                    ..Given::default()
                };
                Gateway::from_file_with(&origin.url(), &file(cache, more), &given)
            }
            Self::Redis(server) => {
                let store = format!("[store]\nurl = \"{}\"\ntimeout = \"5s\"\n", server.url());
                gateway(origin, cache, &format!("{store}{more}"))
            }
        }
    }

    /// Replicas that share what they keep: before one has heard what the fleet purged, it does not.
    async fn replicas<const N: usize>(
        &self,
        origin: &Origin,
        cache: &str,
        more: &str,
    ) -> [Gateway; N] {
        let replicas: [Gateway; N] = std::array::from_fn(|_| self.replica(origin, cache, more));
        let next = AtomicUsize::new(0);
        for (one, other) in replicas.iter().zip(replicas.iter().cycle().skip(1)) {
            support::eventually("they share", || async {
                let path = format!("{WARM}{}", next.fetch_add(1, Ordering::Relaxed));
                get(one, &path, &[]).await;
                // Keeping in the store does not hold up the answer.
                let mut shared = false;
                for _ in 0..20 {
                    shared |=
                        is_hit(&get(other, &path, &[("cache-control", "only-if-cached")]).await);
                    shared |= is_hit(&get(other, &path, &[]).await);
                }
                shared
            })
            .await;
        }
        replicas
    }
}

/// One case of a table: what the origin answers, what is asked twice, and whether the second is answered from what was kept.
struct Case {
    id: &'static str,
    reply: Reply,
    first: &'static [(&'static str, &'static str)],
    second: &'static [(&'static str, &'static str)],
    hit: bool,
}

fn case(id: &'static str, hit: bool, reply: Reply) -> Case {
    Case {
        id,
        reply,
        first: &[],
        second: &[],
        hit,
    }
}

impl Case {
    fn asked(
        mut self,
        first: &'static [(&'static str, &'static str)],
        second: &'static [(&'static str, &'static str)],
    ) -> Self {
        (self.first, self.second) = (first, second);
        self
    }
}

/// Asks twice for each case's answer; all that differ from what is expected are told at once.
async fn table(cache: &str, cases: Vec<Case>) {
    let replies: BTreeMap<_, _> = cases
        .iter()
        .map(|case| (format!("/{}", case.id), case.reply.clone()))
        .collect();
    let origin = Origin::start(move |request, _| replies[request.uri.path()].clone()).await;
    let gateway = gateway(&origin, cache, "");
    let mut wrong = Vec::new();
    for case in cases {
        let path = format!("/{}", case.id);
        let before = origin.count();
        let first = get(&gateway, &path, case.first).await;
        let second = get(&gateway, &path, case.second).await;
        let asked = origin.count() - before;
        if (asked == 1) != case.hit
            || first.status != case.reply.status
            || second.body != first.body
        {
            wrong.push(format!(
                "{}: asked {asked} times: {} then {}",
                case.id,
                did(&first),
                did(&second)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A 200 with a body and `Cache-Control`.
fn says(directives: &str) -> Reply {
    Reply::new("body").with("cache-control", directives)
}

/// An HTTP date so many seconds from now.
fn date(offset: i64) -> String {
    let now =
        std::time::UNIX_EPOCH + Duration::from_millis(gateway::telemetry::logs::unix_millis());
    let span = Duration::from_secs(offset.unsigned_abs());
    httpdate::fmt_http_date(if offset < 0 { now - span } else { now + span })
}
