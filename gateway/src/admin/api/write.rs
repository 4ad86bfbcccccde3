//! What can be ordered.
//!
//! Guarantees: an order is JSON and says so, which no form of another page can; each is written down with who, why and what came of
//! it. Must not: carry out anything itself.

use http::{Request, StatusCode};
use hyper::body::Incoming;

use super::input::{self, Words, name};
use super::{Api, Problem};
use crate::admin::answer::{Answer, json};
use crate::admin::audit::Entry;
use crate::admin::orders::{Audience, CircuitOrder, Order, OrderError, Purge, Replicas};
use crate::telemetry::logs;

/// What replicas can be ordered by one word.
pub(super) const ORDERS: [&str; 4] = ["log-level", "drain", "undrain", "reload"];

/// Whether a path takes orders.
pub(super) fn knows(steps: &[&str]) -> bool {
    match steps {
        [order] => ORDERS.contains(order),
        ["limits", _, "reset"]
        | ["circuits", _, "open" | "close" | "reset"]
        | ["cache", "purge"] => true,
        _ => false,
    }
}

impl Api {
    /// None for a path that takes no orders.
    pub(super) async fn write(
        &self,
        steps: &[&str],
        request: Request<Incoming>,
    ) -> Result<Option<Answer>, Problem> {
        if !knows(steps) {
            return Ok(None);
        }
        let words = input::words(request).await?;
        let by = self.signature(words.author.as_deref());
        let (action, target, order) = match steps {
            ["limits", policy, "reset"] => {
                let client = words.required("client", words.client.as_deref())?;
                let target = format!("{policy} {client}");
                let policy = name(policy)?;
                ("limit.reset", target, Order::Refill { policy, client })
            }
            ["circuits", upstream, verb] => circuit(upstream, verb, &by, &words)?,
            ["cache", "purge"] => purge(&words)?,
            ["log-level"] => {
                let level = words.required("level", words.level.as_deref())?;
                let of = self.audience(&words, &by).await?;
                let target = format!("{level} on {}", of.replicas);
                ("log-level", target, Order::LogLevel { level, of })
            }
            ["drain"] => {
                let of = self.audience(&words, &by).await?;
                ("drain", of.replicas.to_string(), Order::Drain { of })
            }
            ["undrain"] => {
                let of = self.audience(&words, &by).await?;
                ("undrain", of.replicas.to_string(), Order::Undrain { of })
            }
            ["reload"] => {
                let of = self.audience(&words, &by).await?;
                ("reload", of.replicas.to_string(), Order::Reload { of })
            }
            _ => return Ok(None),
        };
        let outcome = self.orders.give(order).await;
        self.board.record(Entry {
            at: logs::unix_millis(),
            by,
            action: action.to_owned(),
            target,
            reason: words.reason.unwrap_or_default(),
            result: outcome
                .as_ref()
                .map_or_else(ToString::to_string, |_| "ok".to_owned()),
            ..Entry::default()
        });
        outcome.map(|done| Some(json(&done))).map_err(Problem::from)
    }

    /// Whom an order concerns; replicas that nobody knows of are an error, not silence.
    async fn audience(&self, words: &Words, by: &str) -> Result<Audience, Problem> {
        let replicas = words.replicas()?;
        if let Replicas::These(names) = &replicas {
            let fleet = self.board.fleet().await;
            let is_known =
                |name: &&String| fleet.replicas.iter().any(|one| one.replica.id == **name);
            if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
                return Err(Problem::not_found(&format!(
                    "there is no replica `{unknown}`"
                )));
            }
        }
        Ok(Audience {
            replicas,
            by: by.to_owned(),
            reason: words.reason.clone().unwrap_or_default(),
        })
    }

    /// Who gives an order: how they got in, and the name they give, which nobody has checked.
    fn signature(&self, author: Option<&str>) -> String {
        let way = self.access.label();
        author.map_or_else(|| way.to_owned(), |author| format!("{author} ({way})"))
    }
}

fn circuit(
    upstream: &str,
    verb: &str,
    by: &str,
    words: &Words,
) -> Result<(&'static str, String, Order), Problem> {
    let (action, to) = match verb {
        "open" => ("circuit.open", CircuitOrder::Open),
        "close" => ("circuit.close", CircuitOrder::Closed),
        _ => ("circuit.reset", CircuitOrder::Reset),
    };
    // Who finds a circuit held months later wants to know why. A reset ends that.
    let reason = match to {
        CircuitOrder::Reset => words.reason.clone().unwrap_or_default(),
        _ => words.required("reason", words.reason.as_deref())?,
    };
    let order = Order::Circuit {
        upstream: name(upstream)?,
        to,
        by: by.to_owned(),
        reason,
    };
    Ok((action, upstream.to_owned(), order))
}

/// Exactly one thing to purge, and why.
fn purge(words: &Words) -> Result<(&'static str, String, Order), Problem> {
    words.required("reason", words.reason.as_deref())?;
    let (target, purge) = match (&words.route, &words.tag, &words.url) {
        (Some(route), None, None) => (format!("route {route}"), Purge::Route(name(route)?)),
        (None, Some(tag), None) => (format!("tag {tag}"), Purge::Tag(name(tag)?)),
        (None, None, Some(url)) => (format!("url {url}"), Purge::Url(url.clone())),
        _ => {
            let detail = "the body must say one of `route`, `tag` and `url`";
            return Err(Problem::bad(detail));
        }
    };
    Ok(("cache.purge", target, Order::Purge(purge)))
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let status = match error {
            OrderError::NotFound(_) => StatusCode::NOT_FOUND,
            OrderError::Invalid(_) => StatusCode::BAD_REQUEST,
            OrderError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, &error.to_string())
    }
}
