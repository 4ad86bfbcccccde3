//! The reports of all replicas, as one picture.
//!
//! Guarantees: rates and counts are sums, quantiles those of all observations together; a circuit is shown as the replica knows it
//! that has heard most. Must not: hide that replicas disagree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::audit::Entry;
use super::clients;
use super::latency::Latency;
use super::report::{
    CircuitView, EndpointView, LimitView, Replica, Report, RouteView, StoreView, Traffic,
    Transition, UpstreamView,
};

/// Transitions shown.
const TRANSITIONS: usize = 60;

/// The whole fleet at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fleet {
    /// When, by the clock of the replica that shows it.
    pub at: u64,
    /// The replica that shows it.
    pub shown_by: String,
    /// Whether the others were heard; when not, this is the one replica alone.
    pub whole: bool,
    /// Every replica with its part.
    pub replicas: Vec<Member>,
    /// All traffic.
    pub traffic: Traffic,
    /// The store, as all see it: up when it is for everyone.
    pub store: StoreView,
    /// Routes by name.
    pub routes: Vec<RouteView>,
    /// Upstreams by name.
    pub upstreams: Vec<UpstreamView>,
    /// Circuits by upstream.
    pub circuits: Vec<FleetCircuit>,
    /// Limits by name.
    pub limits: Vec<LimitView>,
    /// What circuits did, the newest first.
    pub transitions: Vec<Transition>,
    /// What operators did, the newest first.
    pub audit: Vec<Entry>,
}

/// One replica among the others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// Who.
    #[serde(flatten)]
    pub replica: Replica,
    /// When it last spoke, by its own clock.
    pub at: u64,
    /// What goes through it.
    pub traffic: Traffic,
    /// How it sees the store.
    pub store: StoreView,
}

/// One circuit, with what each replica lets through.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetCircuit {
    /// As the replica knows it that has heard most.
    #[serde(flatten)]
    pub circuit: CircuitView,
    /// What each replica lets through.
    pub replicas: BTreeMap<String, String>,
}

/// Puts the reports together.
pub(super) fn merge(own: &Report, others: &[Report], whole: bool, audit: Vec<Entry>) -> Fleet {
    let mut fleet = Fleet {
        at: own.at,
        shown_by: own.replica.id.clone(),
        whole,
        audit,
        ..Fleet::default()
    };
    fleet.store.name.clone_from(&own.store.name);
    fleet.store.shared = own.store.shared;
    fleet.store.up = true;
    let others = others.iter().filter(|one| one.replica.id != own.replica.id);
    for report in std::iter::once(own).chain(others) {
        fleet.add(report);
    }
    fleet
        .replicas
        .sort_by(|one, other| one.replica.id.cmp(&other.replica.id));
    fleet.transitions = transitions(&fleet.circuits);
    fleet
}

impl Fleet {
    fn add(&mut self, report: &Report) {
        self.replicas.push(Member {
            replica: report.replica.clone(),
            at: report.at,
            traffic: report.traffic.clone(),
            store: report.store.clone(),
        });
        self.traffic.add(&report.traffic);
        self.store.add(&report.store);
        for route in &report.routes {
            match self.routes.iter_mut().find(|one| one.name == route.name) {
                Some(known) => known.traffic.add(&route.traffic),
                None => self.routes.push(route.clone()),
            }
        }
        for upstream in &report.upstreams {
            match self
                .upstreams
                .iter_mut()
                .find(|one| one.name == upstream.name)
            {
                Some(known) => known.add(upstream),
                None => self.upstreams.push(upstream.clone()),
            }
        }
        for limit in &report.limits {
            match self.limits.iter_mut().find(|one| one.name == limit.name) {
                Some(known) => known.add(limit),
                None => self.limits.push(limit.clone()),
            }
        }
        for circuit in &report.circuits {
            self.add_circuit(&report.replica.id, circuit);
        }
    }

    fn add_circuit(&mut self, replica: &str, circuit: &CircuitView) {
        let found = |one: &FleetCircuit| one.circuit.upstream == circuit.upstream;
        let place = self.circuits.iter().position(found).unwrap_or_else(|| {
            self.circuits.push(FleetCircuit::default());
            self.circuits.len() - 1
        });
        let Some(known) = self.circuits.get_mut(place) else {
            return;
        };
        known
            .replicas
            .insert(replica.to_owned(), circuit.state.clone());
        let rejections = known.circuit.rejections + circuit.rejections;
        let mut all = std::mem::take(&mut known.circuit.transitions);
        for transition in &circuit.transitions {
            if !all.contains(transition) {
                all.push(transition.clone());
            }
        }
        all.sort_by_key(|one| one.at);
        let is_newer = known.circuit.upstream.is_empty() || circuit.epoch > known.circuit.epoch;
        if is_newer {
            known.circuit = circuit.clone();
        }
        known.circuit.rejections = rejections;
        known.circuit.transitions = all;
    }
}

fn transitions(circuits: &[FleetCircuit]) -> Vec<Transition> {
    let all = circuits.iter().flat_map(|one| &one.circuit.transitions);
    let mut all: Vec<_> = all.cloned().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    all.truncate(TRANSITIONS);
    all
}

impl Traffic {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.refusals += other.refusals;
        self.in_flight += other.in_flight;
        self.latency.add(&other.latency);
    }
}

impl UpstreamView {
    fn add(&mut self, other: &Self) {
        for endpoint in &other.endpoints {
            if !self.endpoints.contains(endpoint) {
                self.endpoints.push(endpoint.clone());
            }
        }
        for member in &other.members {
            match self.members.iter_mut().find(|one| one.url == member.url) {
                Some(known) => known.add(member),
                None => self.members.push(member.clone()),
            }
        }
        self.attempts += other.attempts;
        self.failures += other.failures;
        self.latency.add(&other.latency);
    }
}

impl EndpointView {
    fn add(&mut self, other: &Self) {
        if self.state == "healthy" && other.state != "healthy" {
            self.state.clone_from(&other.state);
            self.error.clone_from(&other.error);
            self.since = other.since;
        }
        self.in_flight += other.in_flight;
        self.ejections += other.ejections;
    }
}

impl LimitView {
    fn add(&mut self, other: &Self) {
        self.granted += other.granted;
        self.denied += other.denied;
        self.local += other.local;
        self.asked += other.asked;
        clients::merge(&mut self.clients, &other.clients);
        for (name, count) in &other.totals {
            *self.totals.entry(name.clone()).or_default() += count;
        }
    }
}

impl StoreView {
    fn add(&mut self, other: &Self) {
        self.up &= other.up;
        self.calls += other.calls;
        self.failures += other.failures;
        self.latency.add(&other.latency);
    }
}

/// One moment of the fleet's recent past, for a chart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// When.
    pub at: u64,
    /// Requests per second.
    pub requests: f64,
    /// Errors per second.
    pub errors: f64,
    /// Refusals per second.
    pub refusals: f64,
    /// Median duration in milliseconds.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Median store call in milliseconds.
    pub store_p50: Option<f64>,
    /// Replicas heard of.
    pub replicas: usize,
}

impl From<&Fleet> for Point {
    fn from(fleet: &Fleet) -> Self {
        let Latency { p50, p95, p99, .. } = fleet.traffic.latency;
        Self {
            at: fleet.at,
            requests: fleet.traffic.requests,
            errors: fleet.traffic.errors,
            refusals: fleet.traffic.refusals,
            p50,
            p95,
            p99,
            store_p50: fleet.store.latency.p50,
            replicas: fleet.replicas.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(id: &str, requests: f64, epoch: u64, state: &str) -> Report {
        let mut report = Report::default();
        report.replica.id = id.to_owned();
        report.traffic.requests = requests;
        report.store.up = true;
        report.circuits = vec![CircuitView {
            upstream: "default".to_owned(),
            state: state.to_owned(),
            epoch,
            ..CircuitView::default()
        }];
        report
    }

    #[test]
    fn rates_add_up_and_the_best_informed_tells_of_a_circuit() {
        let own = report("a", 3.0, 4, "closed");
        let others = [report("a", 99.0, 9, "open"), report("b", 4.0, 5, "open")];
        let fleet = merge(&own, &others, true, Vec::new());
        assert!((fleet.traffic.requests - 7.0).abs() < 1e-9);
        assert_eq!(fleet.replicas.len(), 2);
        let circuit = &fleet.circuits[0];
        assert_eq!(
            (circuit.circuit.epoch, circuit.circuit.state.as_str()),
            (5, "open")
        );
        assert_eq!(circuit.replicas["a"], "closed");
        assert_eq!(circuit.replicas["b"], "open");
    }

    #[test]
    fn reports_of_other_versions_can_be_read() {
        let text = r#"{"at":1,"replica":{"id":"x","new":true},"later":{}}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        assert_eq!(report.replica.id, "x");
        assert!(report.routes.is_empty());
    }
}
