//! What can be read. Must not: change anything.

use std::sync::Arc;

use http::StatusCode;

use super::input::{self, name};
use super::{Api, Problem};
use crate::admin::answer::{Answer, json, plain};
use crate::admin::orders::Order;
use crate::admin::stream;

/// The API's description, for programs.
const OPENAPI: &str = include_str!("../../../../docs/api/openapi.json");

/// Whether a path can be read.
pub(super) fn knows(steps: &[&str]) -> bool {
    matches!(
        steps,
        ["fleet"
            | "history"
            | "replica"
            | "replicas"
            | "routes"
            | "upstreams"
            | "circuits"
            | "limits"
            | "transitions"
            | "audit"
            | "config"
            | "stream"
            | "openapi.json"]
            | ["limits", _, "bucket"]
    )
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
            ["audit"] => json(&self.board.audit().last()),
            ["config"] => json(&self.in_force.get()),
            ["openapi.json"] => plain(StatusCode::OK, "application/json", OPENAPI),
            ["stream"] => self.stream()?,
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

    async fn bucket(&self, policy: &str, query: Option<&str>) -> Result<Answer, Problem> {
        let order = Order::Inspect {
            policy: name(policy)?,
            client: input::parameter(query, "client")?,
        };
        let outcome = self.orders.give(order).await;
        outcome.map(|bucket| json(&bucket)).map_err(Problem::from)
    }
}
