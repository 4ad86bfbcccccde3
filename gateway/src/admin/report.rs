//! What one replica says of itself: plain data, as JSON towards the store, the console and everyone else.
//!
//! Guarantees: a report of an earlier or later version can be read: what is unknown is passed over, what is missing is empty. Times
//! are milliseconds since 1970 on the clock of whoever says so. Must not: hold a secret or a request's content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::audit::Entry;
use super::clients::ClientView;
use super::latency::Latency;

/// One replica at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// When, by the replica's clock.
    pub at: u64,
    /// Who.
    pub replica: Replica,
    /// How it sees the store.
    pub store: StoreView,
    /// All its traffic.
    pub traffic: Traffic,
    /// Its routes.
    pub routes: Vec<RouteView>,
    /// Its upstreams.
    pub upstreams: Vec<UpstreamView>,
    /// Its view of each circuit.
    pub circuits: Vec<CircuitView>,
    /// Its limits.
    pub limits: Vec<LimitView>,
    /// What operators did through it, the newest last.
    pub audit: Vec<Entry>,
}

/// Who a replica is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Replica {
    /// Its name in the fleet.
    pub id: String,
    /// The version it runs.
    pub version: String,
    /// For how long, in seconds.
    pub uptime: u64,
    /// Where clients connect.
    pub proxy: String,
    /// Where operators connect.
    pub admin: String,
    /// Data-plane threads.
    pub workers: usize,
    /// `serving`, `leaving` or `draining`.
    pub phase: String,
    /// How many replicas it knows of, itself included.
    pub fleet: u64,
    /// Resident memory in bytes.
    pub memory: u64,
    /// The level or filter its log is written by; empty where it is another's.
    pub log_level: String,
}

/// Requests, per second.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// All.
    pub requests: f64,
    /// Answered 5xx, refusals by a circuit apart.
    pub errors: f64,
    /// Refused by a limit or a circuit.
    pub refusals: f64,
    /// Whose answer is not complete: a count, not a rate.
    pub in_flight: i64,
    /// Durations over the last seconds.
    pub latency: Latency,
}

/// One route.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteView {
    /// Its name.
    pub name: String,
    /// Its pattern.
    pub path: String,
    /// The upstreams it leads to; `(respond)` or `(redirect)` for what the gateway answers itself.
    pub upstream: String,
    /// The limits its requests pass.
    pub limits: Vec<String>,
    /// Whether answers are kept.
    pub cached: bool,
    /// What goes through it.
    #[serde(flatten)]
    pub traffic: Traffic,
}

/// One upstream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamView {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub endpoints: Vec<String>,
    /// Every address with how it fares; where names stand for several, those.
    pub members: Vec<EndpointView>,
    /// The longest an attempt may take, in milliseconds.
    pub timeout: u64,
    /// Attempts per second.
    pub attempts: f64,
    /// Attempts that failed, per second.
    pub failures: f64,
    /// Time to the response head over the last seconds.
    pub latency: Latency,
}

/// One endpoint. Of the fleet: the worst any replica sees, and the sums of what they count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointView {
    /// Scheme, host and port.
    pub url: String,
    /// Its share beside the others'.
    pub weight: u32,
    /// `healthy`, `unhealthy` (active checks fail) or `ejected` (its requests kept failing).
    pub state: String,
    /// Since when, in milliseconds since 1970 by the replica's clock; none since the start.
    pub since: Option<u64>,
    /// What went wrong last.
    pub error: String,
    /// Attempts whose answer is not complete.
    pub in_flight: i64,
    /// How often it was ejected.
    pub ejections: u64,
}

/// One circuit, as a replica sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CircuitView {
    /// Whose.
    pub upstream: String,
    /// What the replica lets through: `closed`, `half_open` or `open`.
    pub state: String,
    /// What the fleet's circuit is, as last heard.
    pub fleet: String,
    /// Grows with each transition of the fleet's circuit.
    pub epoch: u64,
    /// When it last moved, on the store's clock; none if it never did.
    pub since: Option<u64>,
    /// Milliseconds until a probe.
    pub retry_after: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Failures in a row that open it.
    pub threshold: u32,
    /// Requests refused per second.
    pub rejections: f64,
    /// An operator's decision, if one holds.
    pub forced: Option<Forced>,
    /// The last transitions, the newest last.
    pub transitions: Vec<Transition>,
}

/// An operator's decision about a circuit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Forced {
    /// `open` or `closed`.
    pub to: String,
    /// Whose decision.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, on the store's clock.
    pub at: u64,
}

/// A circuit moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transition {
    /// Whose circuit.
    pub upstream: String,
    /// `fleet` or `replica`.
    pub scope: String,
    /// When, on the store's clock; none if the replica had not heard from the store yet.
    pub at: Option<u64>,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Why.
    pub cause: String,
    /// The replica or operator that did it.
    pub by: String,
    /// The fleet's epoch afterwards.
    pub epoch: u64,
}

/// One limit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitView {
    /// Its name.
    pub name: String,
    /// Whom it counts: `client` or `global`.
    pub key: String,
    /// How it counts.
    pub algorithm: String,
    /// The most that is granted: tokens in a bucket, tokens in a window, requests in flight.
    pub capacity: u64,
    /// Of a token bucket: tokens added per duration.
    pub refill: String,
    /// Of a window: how long it is.
    pub window: String,
    /// Whether tokens may be held ahead.
    pub leases: bool,
    /// Whether it counts without refusing.
    pub shadow: bool,
    /// Granted per second.
    pub granted: f64,
    /// Denied per second.
    pub denied: f64,
    /// Decided without asking the store, per second.
    pub local: f64,
    /// Asked of the store, per second.
    pub asked: f64,
    /// Clients that are refused or have least left, the hottest first.
    pub clients: Vec<ClientView>,
    /// Since the start: decisions by their name in the metrics, and what became of tokens and calls.
    pub totals: BTreeMap<String, u64>,
}

/// The store, as a replica sees it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreView {
    /// Its address without a password, or `embedded`.
    pub name: String,
    /// Whether other processes may share it.
    pub shared: bool,
    /// Whether it answers.
    pub up: bool,
    /// Calls per second.
    pub calls: f64,
    /// Calls per second that got no answer.
    pub failures: f64,
    /// How long calls took over the last seconds.
    pub latency: Latency,
}
