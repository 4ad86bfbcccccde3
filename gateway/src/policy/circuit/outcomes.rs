//! What outcomes do to a circuit: failures open it, probes close it or open it again.
//!
//! Guarantees: an outcome of another epoch, or of a probe that is no longer out, changes nothing. Must not: let a probe out.

use super::record::{Done, Phase, Record};
use super::tally::Sightings;
use super::{Cause, CircuitSpec, Outcomes, ProbeId, Quorum, State};
use crate::policy::ids::ReplicaId;
use crate::policy::units::StoreTime;

/// Replicas whose last success is remembered: whichever one fails alone, the other of two contradicts it.
const WITNESSES: usize = 2;

impl Record {
    pub(super) fn report(
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
            (Quorum::Replicas(needed), found) => found >= needed.get() as usize,
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

impl Quorum {
    /// How many distinct replicas it is worth remembering.
    const fn most(self) -> usize {
        match self {
            Self::Auto => 2,
            Self::Replicas(needed) => needed.get() as usize,
        }
    }
}
