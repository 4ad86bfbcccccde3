//! What can be read. Must not: change anything.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::input::{self, name};
use super::{Api, Problem};
use crate::admin::answer::{Answer, json, plain};
use crate::admin::orders::Order;
use crate::admin::stream;

/// The API's description, for programs.
const OPENAPI: &str = include_str!("../../../../docs/api/openapi.json");

/// What can be read by one word.
const PARTS: [&str; 13] = [
    "fleet",
    "history",
    "replica",
    "replicas",
    "routes",
    "upstreams",
    "circuits",
    "limits",
    "transitions",
    "audit",
    "config",
    "stream",
    "openapi.json",
];

/// Whether a path can be read.
pub(super) fn knows(steps: &[&str]) -> bool {
    match steps {
        [part] => PARTS.contains(part),
        ["limits", _, "bucket" | "clients"] => true,
        _ => false,
    }
}

impl Api {
    /// None for a path that cannot be read.
    pub(super) async fn read(
        &self,
        steps: &[&str],
        query: Option<&str>,
    ) -> Result<Option<Answer>, Problem> {
        let answer = match steps {
            ["history"] => json(&self.board.past()),
            ["replica"] => json(&self.board.own()),
            ["config"] => json(&self.in_force.get()),
            ["openapi.json"] => plain(StatusCode::OK, "application/json", OPENAPI),
            ["stream"] => self.stream()?,
            ["limits", policy, "clients"] => self.clients(policy).await?,
            ["limits", policy, "bucket"] => self.bucket(policy, query).await?,
            [what] => match self.part(what).await {
                Some(answer) => answer,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    /// The fleet, or a part of it.
    async fn part(&self, what: &str) -> Option<Answer> {
        if !knows(&[what]) {
            return None;
        }
        let fleet = self.board.fleet().await;
        Some(match what {
            "fleet" => json(&*fleet),
            "replicas" => json(&fleet.replicas),
            "routes" => json(&fleet.routes),
            "upstreams" => json(&fleet.upstreams),
            "circuits" => json(&fleet.circuits),
            "limits" => json(&fleet.limits),
            "transitions" => json(&fleet.transitions),
            // Of the fleet too: what was done through the others is heard while somebody asks.
            "audit" => json(&fleet.audit),
            _ => return None,
        })
    }

    fn stream(&self) -> Result<Answer, Problem> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        let place = place.map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many consoles are open",
            )
        })?;
        Ok(stream::events(&self.board, place))
    }

    /// Who is near or over a limit.
    async fn clients(&self, policy: &str) -> Result<Answer, Problem> {
        let policy = name(policy)?;
        let fleet = self.board.fleet().await;
        let limit = fleet.limits.iter().find(|one| one.name == policy);
        let limit =
            limit.ok_or_else(|| Problem::not_found(&format!("there is no limit `{policy}`")))?;
        Ok(json(&json!({
            "policy": limit.name,
            "capacity": limit.capacity,
            "clients": limit.clients,
        })))
    }

    async fn bucket(&self, policy: &str, query: Option<&str>) -> Result<Answer, Problem> {
        let order = Order::Inspect {
            policy: name(policy)?,
            client: input::parameter(query, "client")?,
        };
        let outcome = self.orders.give(order).await;
        outcome.map(|bucket| json(&bucket)).map_err(Problem::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::write;

    #[test]
    fn the_description_lists_whatever_can_be_read_or_ordered() {
        let description: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let listed = description["paths"].as_object().unwrap();
        for word in PARTS.iter().chain(&write::ORDERS) {
            let path = format!("/api/v1/{word}");
            assert!(listed.contains_key(&path), "{path}");
        }
        for path in listed.keys() {
            let steps: Vec<_> = path.split('/').skip(3).collect();
            assert!(knows(&steps) != write::knows(&steps), "{path}");
        }
    }
}
