//! One endpoint as the whole process knows it: where it is and how it is.
//!
//! Guarantees: what a request reads or writes here is one atomic that hardly ever changes; everything else is behind a lock that only
//! changes of state take. Must not: decide a change; that is [`super::membership`]'s part.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::{EndpointSettings, Rule, Settings};
use crate::policy::balance::{self, Ring};
use crate::policy::units::Micros;
use crate::telemetry::{Gauge, logs};

/// One endpoint of an upstream.
#[derive(Debug)]
pub struct Member {
    /// Tells it from every other of its upstream, also from one of the same address before or after.
    pub(super) id: u64,
    pub(super) settings: EndpointSettings,
    /// Where its name led; none for an address written as one, and for a name that has not been resolved.
    pub(super) address: Option<SocketAddr>,
    label: Box<str>,
    pub(super) key: u64,
    /// Failures in a row, as its requests saw them.
    failures: AtomicU32,
    retired: AtomicBool,
    ejections: AtomicU64,
    pub(super) in_flight: Gauge,
    state: Mutex<State>,
}

/// The endpoints at one moment.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) list: Box<[Arc<Member>]>,
    pub(super) ring: Option<Ring>,
}

/// What changes only now and then.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// What active checks say.
    pub(super) unhealthy: bool,
    /// Until when it is left out; moments are counted from the start of the process.
    pub(super) ejected_until: Option<Micros>,
    /// How often in a row, and when the last time ended.
    pub(super) times: u32,
    pub(super) returned: Micros,
    /// Since when it takes part: slow start begins here. None for what was there from the start.
    pub(super) ramps_from: Option<Micros>,
    /// Unix milliseconds of the last change.
    since: u64,
    /// What went wrong last.
    error: Box<str>,
}

/// How an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes requests.
    Healthy,
    /// Active checks fail.
    Unhealthy,
    /// It failed too often and is left out for a while.
    Ejected,
}

impl Standing {
    /// Its name in the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
        }
    }
}

/// An endpoint at one moment.
#[derive(Clone, Debug)]
pub struct MemberSnapshot {
    /// Scheme, host and port.
    pub url: String,
    /// Its share beside the others'.
    pub weight: u32,
    /// How it is.
    pub standing: Standing,
    /// Unix milliseconds of the last change; 0 if there was none.
    pub since: u64,
    /// What went wrong last; empty if nothing did.
    pub error: String,
    /// Attempts whose answer is not complete, as of the workers' last tick.
    pub in_flight: i64,
    /// How often it was left out.
    pub ejections: u64,
}

impl State {
    pub(super) const fn standing(&self) -> Standing {
        match (self.unhealthy, self.ejected_until) {
            (true, _) => Standing::Unhealthy,
            (false, Some(_)) => Standing::Ejected,
            (false, None) => Standing::Healthy,
        }
    }

    pub(super) fn note(&mut self, error: &str) {
        self.error = error.into();
    }

    pub(super) fn moved(&mut self) {
        self.since = logs::unix_millis();
    }
}

impl Members {
    pub(super) fn new(list: Vec<Arc<Member>>, settings: &Settings) -> Self {
        let hashes = matches!(settings.balance.rule, Rule::Hash { .. });
        let heaviest = settings.endpoints.iter().map(|one| one.weight).max();
        let keys = || list.iter().map(|one| (one.key, one.settings.weight));
        let ring = hashes.then(|| Ring::new(&keys().collect::<Vec<_>>(), heaviest.unwrap_or(1)));
        Self {
            list: list.into(),
            ring,
        }
    }
}

impl Member {
    pub(super) fn new(
        id: u64,
        settings: &EndpointSettings,
        address: Option<SocketAddr>,
        ramps_from: Option<Micros>,
    ) -> Self {
        let label = address.map_or_else(|| settings.authority.to_string(), |one| one.to_string());
        Self {
            id,
            settings: settings.clone(),
            address,
            key: balance::hash(label.as_bytes()),
            label: label.into(),
            failures: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            ejections: AtomicU64::new(0),
            in_flight: Gauge::default(),
            state: Mutex::new(State {
                ramps_from,
                ..State::default()
            }),
        }
    }

    /// Host and port as dialled: its name in metrics and logs.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How it is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.state().standing()
    }

    /// How often it was left out.
    #[must_use]
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// Attempts whose answer is not complete, as of the workers' last tick.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    pub(super) fn snapshot(&self) -> MemberSnapshot {
        let state = self.state().clone();
        MemberSnapshot {
            url: format!("{}://{}", self.settings.scheme, self.label),
            weight: self.settings.weight,
            standing: state.standing(),
            since: state.since,
            error: state.error.into(),
            in_flight: self.in_flight(),
            ejections: self.ejections(),
        }
    }

    /// A request went well. One load where there is nothing to forget.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A request failed; how many have in a row.
    pub(super) fn failed(&self) -> u32 {
        self.failures
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }

    pub(super) fn ejected(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether requests may go to it.
    pub(super) fn is_usable(&self) -> bool {
        self.standing() == Standing::Healthy
    }

    /// When its slow start began, if it had one.
    pub(super) fn ramp_start(&self) -> Option<Micros> {
        self.state().ramps_from
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Whether it has left its upstream.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
