//! Who may go through a circuit that is not closed: probes, and whom an operator lets.
//!
//! Guarantees: no more probes are out, or were and succeeded, than are needed to close it. Must not: judge an outcome.

use std::sync::Arc;

use super::record::{Done, Phase, Probe, Record};
use super::{Cause, CircuitSpec, Forced, Hold, ProbeId, State};
use crate::policy::ids::ReplicaId;
use crate::policy::units::{Micros, StoreTime};

impl Record {
    pub(super) fn admit(
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
    pub(super) fn take_back(&mut self, probe: ProbeId) -> Option<()> {
        let Phase::HalfOpen { probes, .. } = &mut self.phase else {
            return None;
        };
        let place = probes.iter().position(|held| held.id == probe)?;
        probes.remove(place);
        Some(())
    }

    pub(super) fn force(
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
pub(super) fn has_room(spec: &CircuitSpec, probes: &[Probe], successes: u32) -> bool {
    probes.len() + (successes as usize) < spec.probes.max(1) as usize
}
