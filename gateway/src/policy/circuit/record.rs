//! All that is kept of one upstream's circuit, and the only way to change it.
//!
//! Guarantees: [`Record::apply`] answers from one consistent state, and a record it has answered from is one it accepts again at any
//! time, earlier ones too. Must not: grow beyond what its [`CircuitSpec`] bounds.

use std::sync::Arc;

use super::tally::{Sightings, Streak, Window};
use super::{
    Cause, Change, CircuitSpec, Command, Forced, Hold, Outcomes, ProbeId, Quorum, State, View,
};
use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};

/// How long an operator's decision is kept when nobody reads it. Whoever reads it renews it.
const HOLD_KEPT: Micros = Micros::from_secs(30 * 86_400);
/// How much longer than it can matter any other record is kept.
const KEPT_LONGER: Micros = Micros::from_secs(60);
/// Replicas whose last success is remembered: whichever one fails alone, the other of two contradicts it.
const WITNESSES: usize = 2;

/// All that is kept of one upstream's circuit. The default is that of an upstream nobody knows: closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    epoch: u64,
    phase: Phase,
    forced: Option<Forced>,
    streak: Streak,
    /// Who failed in the streak.
    failing: Sightings,
    window: Window,
    /// Who failed, or was slow, in the window.
    failed: Sightings,
    /// Who had a success lately: it contradicts whoever fails alone. Outlives transitions.
    answered: Sightings,
    last_probe: u64,
    last: Option<Change>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Phase {
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
struct Probe {
    id: ProbeId,
    expires: StoreTime,
    lease: Micros,
}

/// What a command did, beside what the record shows.
#[derive(Default)]
struct Done {
    probe: Option<ProbeId>,
    stale: bool,
    moved: bool,
}

impl Done {
    const fn stale() -> Self {
        Self {
            probe: None,
            stale: true,
            moved: false,
        }
    }

    const fn moved() -> Self {
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

    fn state(&self) -> State {
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
    fn enter(&mut self, phase: Phase, from: State, cause: Cause, by: &str, now: StoreTime) -> Done {
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

// === Outcomes ===

impl Record {
    fn report(
        &mut self,
        spec: &CircuitSpec,
        replica: &ReplicaId,
        outcomes: Outcomes,
        probe: Option<ProbeId>,
        now: StoreTime,
    ) -> Done {
        match (&self.phase, probe) {
            (Phase::Closed, None) => self.count(spec, replica, outcomes, now),
            (Phase::HalfOpen { .. }, Some(probe)) => {
                self.judge(spec, replica, outcomes, probe, now)
            }
            _ => Done::stale(),
        }
    }

    /// Counts calls that were let through a closed circuit, and opens it when that is enough.
    fn count(
        &mut self,
        spec: &CircuitSpec,
        replica: &ReplicaId,
        outcomes: Outcomes,
        now: StoreTime,
    ) -> Done {
        if outcomes.successes > 0 {
            self.streak.clear();
            self.failing.clear();
            self.answered.note(replica, now, WITNESSES);
        }
        if outcomes.failures > 0 {
            self.streak
                .add(outcomes.failures, now, spec.failures.max(1));
            self.failing.note(replica, now, spec.quorum.most());
        }
        if spec.ratio.is_some() || spec.slow.is_some() {
            self.window.add(outcomes, spec, now);
            if outcomes.failures > 0 || outcomes.slow > 0 {
                self.failed.note(replica, now, spec.quorum.most());
            }
        }
        match self.trigger(spec) {
            Some(cause) => self.open(spec, cause, replica, now),
            None => Done::default(),
        }
    }

    fn trigger(&self, spec: &CircuitSpec) -> Option<Cause> {
        if self.streak.len() >= spec.failures.max(1) && self.is_quorum(spec, &self.failing) {
            return Some(Cause::Failures);
        }
        if !self.is_quorum(spec, &self.failed) {
            return None;
        }
        let sums = self.window.sums();
        let exceeds = |part: u64, threshold: f64, minimum: u32| {
            sums.calls >= u64::from(minimum.max(1))
                && part > 0
                && part as f64 >= threshold * sums.calls as f64
        };
        match (&spec.ratio, &spec.slow) {
            (Some(ratio), _) if exceeds(sums.failures, ratio.threshold, ratio.minimum) => {
                Some(Cause::Ratio)
            }
            (_, Some(slow)) if exceeds(sums.slow, slow.threshold, slow.minimum) => {
                Some(Cause::Slow)
            }
            _ => None,
        }
    }

    /// Whether enough distinct replicas accuse the upstream.
    fn is_quorum(&self, spec: &CircuitSpec, accusers: &Sightings) -> bool {
        match (spec.quorum, accusers.len()) {
            (_, 0) => false,
            (Quorum::Auto, 1) => !self.answered.any_beside(accusers),
            (Quorum::Auto, _) => true,
            (Quorum::Replicas(needed), found) => found >= needed as usize,
        }
    }

    /// Judges by a probe.
    fn judge(
        &mut self,
        spec: &CircuitSpec,
        replica: &ReplicaId,
        outcomes: Outcomes,
        probe: ProbeId,
        now: StoreTime,
    ) -> Done {
        if self.take_back(probe).is_none() {
            return Done::stale();
        }
        if outcomes.failures > 0 || (spec.slow.is_some() && outcomes.slow > 0) {
            return self.open(spec, Cause::ProbeFailed, replica, now);
        }
        if outcomes.successes == 0 {
            return Done::default();
        }
        self.answered.note(replica, now, WITNESSES);
        let Phase::HalfOpen { successes, .. } = &mut self.phase else {
            return Done::stale();
        };
        *successes += 1;
        if *successes < spec.probes.max(1) {
            return Done::default();
        }
        let by = replica.as_str();
        self.enter(
            Phase::Closed,
            State::HalfOpen,
            Cause::ProbesSucceeded,
            by,
            now,
        )
    }

    fn open(
        &mut self,
        spec: &CircuitSpec,
        cause: Cause,
        replica: &ReplicaId,
        now: StoreTime,
    ) -> Done {
        let until = now.after(spec.reset);
        let from = self.state();
        self.enter(Phase::Open { until }, from, cause, replica.as_str(), now)
    }
}

// === Probes and operators ===

impl Record {
    fn admit(
        &mut self,
        spec: &CircuitSpec,
        replica: &ReplicaId,
        lease: Micros,
        now: StoreTime,
    ) -> Done {
        if self.forced.is_some() {
            return Done::default();
        }
        let mut done = Done::default();
        if matches!(self.phase, Phase::Open { until } if until <= now) {
            let half_open = Phase::HalfOpen {
                probes: Vec::new(),
                successes: 0,
            };
            done = self.enter(
                half_open,
                State::Open,
                Cause::ResetElapsed,
                replica.as_str(),
                now,
            );
        }
        if let Phase::HalfOpen { probes, successes } = &mut self.phase
            && has_room(spec, probes, *successes)
        {
            self.last_probe = (self.last_probe + 1).max(now.get());
            done.probe = ProbeId::new(self.last_probe);
            probes.extend(done.probe.map(|id| Probe {
                id,
                expires: now.after(lease),
                lease,
            }));
        }
        done
    }

    /// Ends a probe's lease; none if it has none.
    fn take_back(&mut self, probe: ProbeId) -> Option<()> {
        let Phase::HalfOpen { probes, .. } = &mut self.phase else {
            return None;
        };
        let place = probes.iter().position(|held| held.id == probe)?;
        probes.remove(place);
        Some(())
    }

    fn force(
        &mut self,
        to: Option<Hold>,
        by: &Arc<str>,
        reason: &Arc<str>,
        now: StoreTime,
    ) -> Done {
        let from = self.state();
        self.forced = to.map(|to| Forced {
            to,
            by: Arc::clone(by),
            reason: Arc::clone(reason),
            at: now,
        });
        let cause = if to.is_some() {
            Cause::Forced
        } else {
            Cause::Reset
        };
        self.enter(Phase::Closed, from, cause, by, now)
    }
}

/// Whether another probe may go out: with those that are and those that succeeded it would be no more than are needed.
fn has_room(spec: &CircuitSpec, probes: &[Probe], successes: u32) -> bool {
    probes.len() + (successes as usize) < spec.probes.max(1) as usize
}

impl Quorum {
    /// How many distinct replicas it is worth remembering.
    const fn most(self) -> usize {
        match self {
            Self::Auto | Self::Replicas(0) => 2,
            Self::Replicas(needed) => needed as usize,
        }
    }
}
