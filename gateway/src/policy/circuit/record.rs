//! All that is kept of one upstream's circuit, and the only way to change it.
//!
//! Guarantees: [`Record::apply`] answers from one consistent state, and a record it has answered from is one it accepts again at any
//! time, earlier ones too. Must not: grow beyond what its [`CircuitSpec`] bounds.

use super::admission::has_room;
use super::tally::{Sightings, Streak, Window};
use super::{Cause, Change, CircuitSpec, Command, Forced, Hold, ProbeId, State, View};
use crate::policy::units::{Micros, StoreTime};

/// How long an operator's decision is kept when nobody reads it. Whoever reads it renews it.
const HOLD_KEPT: Micros = Micros::from_secs(30 * 86_400);
/// How much longer than it can matter any other record is kept.
const KEPT_LONGER: Micros = Micros::from_secs(60);

/// All that is kept of one upstream's circuit. The default is that of an upstream nobody knows: closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    pub(super) forced: Option<Forced>,
    pub(super) streak: Streak,
    /// Who failed in the streak.
    pub(super) failing: Sightings,
    pub(super) window: Window,
    /// Who failed, or was slow, in the window.
    pub(super) failed: Sightings,
    /// Who had a success lately: it contradicts whoever fails alone. Outlives transitions.
    pub(super) answered: Sightings,
    pub(super) last_probe: u64,
    pub(super) last: Option<Change>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Closed,
    Open {
        until: StoreTime,
    },
    HalfOpen {
        probes: Vec<Probe>,
        successes: u32,
    },
}

/// A probe that is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) id: ProbeId,
    pub(super) expires: StoreTime,
    pub(super) lease: Micros,
}

/// What a command did, beside what the record shows.
#[derive(Default)]
pub(super) struct Done {
    pub(super) probe: Option<ProbeId>,
    pub(super) stale: bool,
    pub(super) moved: bool,
}

impl Done {
    pub(super) const fn stale() -> Self {
        Self {
            probe: None,
            stale: true,
            moved: false,
        }
    }

    pub(super) const fn moved() -> Self {
        Self {
            probe: None,
            stale: false,
            moved: true,
        }
    }
}

impl Record {
    /// Carries out one command at `now`.
    pub fn apply(&mut self, spec: &CircuitSpec, command: &Command, now: StoreTime) -> View {
        self.settle(spec, now);
        let done = match command {
            Command::View => Done::default(),
            Command::Report {
                epoch,
                replica,
                outcomes,
                probe,
            } if self.forced.is_none() && *epoch == self.epoch => {
                self.report(spec, replica, *outcomes, *probe, now)
            }
            Command::Report { .. } => Done::stale(),
            Command::Admit { replica, lease } => self.admit(spec, replica, *lease, now),
            Command::Abandon { probe } => self
                .take_back(*probe)
                .map_or(Done::stale(), |()| Done::default()),
            Command::Force { to, by, reason } => self.force(*to, by, reason, now),
        };
        self.view(spec, &done, now)
    }

    /// Whether failures were being counted when last it was asked.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.streak.len() > 0
    }

    /// How long this record must be kept though nobody reads it.
    #[must_use]
    pub fn kept_for(&self, spec: &CircuitSpec) -> Micros {
        let twice = spec.window.max(spec.reset);
        let mut longest = twice.saturating_add(twice);
        if let Phase::HalfOpen { probes, .. } = &self.phase {
            let lease = probes.iter().map(|probe| probe.lease).max();
            longest = longest.saturating_add(lease.unwrap_or_default());
        }
        if self.forced.is_some() {
            longest = longest.max(HOLD_KEPT);
        }
        longest.saturating_add(KEPT_LONGER)
    }

    /// Forgets what time has made void. No instant may be further ahead than it could have been set now, or a clock that stepped
    /// back would hold the circuit open, or a probe out, for as long as it stepped.
    fn settle(&mut self, spec: &CircuitSpec, now: StoreTime) {
        self.streak.settle(spec.window, now);
        for sightings in [&mut self.failing, &mut self.failed, &mut self.answered] {
            sightings.settle(spec.window, now);
        }
        self.window.settle(spec, now);
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Open { until } => *until = (*until).min(now.after(spec.reset)),
            Phase::HalfOpen { probes, .. } => {
                for probe in probes.iter_mut() {
                    probe.expires = probe.expires.min(now.after(probe.lease));
                }
                probes.retain(|probe| probe.expires > now);
            }
        }
    }

    pub(super) fn state(&self) -> State {
        match (&self.forced, &self.phase) {
            (Some(forced), _) => forced.to.state(),
            (None, Phase::Closed) => State::Closed,
            (None, Phase::HalfOpen { .. }) => State::HalfOpen,
            (None, Phase::Open { .. }) => State::Open,
        }
    }

    fn view(&self, spec: &CircuitSpec, done: &Done, now: StoreTime) -> View {
        View {
            state: self.state(),
            epoch: self.epoch,
            retry_after: self.retry_after(spec, now),
            now,
            failures: self.streak.len(),
            forced: self.forced.clone(),
            probe: done.probe,
            stale: done.stale,
            moved: done.moved,
            last: self.last.clone(),
        }
    }

    fn retry_after(&self, spec: &CircuitSpec, now: StoreTime) -> Micros {
        match (&self.forced, &self.phase) {
            // Nobody knows when; the usual wait is as good a guess as any.
            (Some(forced), _) if forced.to == Hold::Open => spec.reset,
            (None, Phase::Open { until }) => until.since(now),
            (None, Phase::HalfOpen { probes, successes })
                if !has_room(spec, probes, *successes) =>
            {
                let soonest = probes.iter().map(|probe| probe.expires).min();
                soonest.unwrap_or(now).since(now)
            }
            _ => Micros::ZERO,
        }
    }

    /// The transition to `phase`, seen from outside as one to `to`: a new epoch, in which nothing has happened yet.
    pub(super) fn enter(
        &mut self,
        phase: Phase,
        from: State,
        cause: Cause,
        by: &str,
        now: StoreTime,
    ) -> Done {
        self.epoch = (self.epoch + 1).max(now.get());
        self.phase = phase;
        self.streak.clear();
        self.failing.clear();
        self.window.clear();
        self.failed.clear();
        self.last = Some(Change {
            at: now,
            from,
            to: self.state(),
            cause,
            by: by.into(),
        });
        Done::moved()
    }
}
