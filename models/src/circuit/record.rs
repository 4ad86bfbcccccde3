//! The shared side of the circuit: what the store keeps, and how a command moves it.
//!
//! What makes a closed circuit open (failures in a row, shares, quorum) is left open here: any reported failure may. So what holds
//! here holds for every trigger. Must not: be told anything that the gateway's script is not.

use super::{Flaw, Rules};

/// What lets calls pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// All pass.
    #[default]
    Closed,
    /// None passes.
    Open,
    /// Probes pass.
    HalfOpen,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Report {
    /// The epoch in which it was let through.
    pub epoch: u8,
    /// The probe it was, or 0.
    pub probe: u8,
    /// How it went.
    pub succeeded: bool,
    /// Nothing has moved since it was let through: known to the model alone.
    pub fresh: bool,
}

/// A probe that is out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Probe {
    /// Never used twice; 0: there is none.
    pub id: u8,
    /// Ticks until it counts as lost.
    pub left: u8,
}

/// What a replica is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View {
    /// The phase.
    pub phase: Phase,
    /// The epoch.
    pub epoch: u8,
    /// Ticks until asking for a probe may help.
    pub wait: u8,
}

/// The record. One that is lost reads as the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// The phase.
    pub phase: Phase,
    /// Ticks until an open circuit grants a probe.
    pub until: u8,
    /// Grows with every transition.
    pub epoch: u8,
    /// Probes that are out.
    pub probes: [Probe; 2],
    /// Probes that succeeded in this epoch.
    pub successes: u8,
    /// Held by an operator.
    pub forced: bool,
}

/// What a command did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// There was a transition.
    pub moved: bool,
    /// Something counted, with a transition or without.
    pub counted: bool,
    /// The probe that was granted, or 0.
    pub probe: u8,
}

impl Record {
    /// What it looks like.
    #[must_use]
    pub fn view(&self) -> View {
        let soonest = self.probes.iter().filter(|probe| probe.id != 0);
        let wait = match self.phase {
            Phase::Closed => 0,
            Phase::Open => self.until,
            Phase::HalfOpen => soonest.map(|probe| probe.left).min().unwrap_or(0),
        };
        View {
            phase: self.phase,
            epoch: self.epoch,
            wait,
        }
    }

    /// Takes a report; `opens` decides whether a failure is the one too many. `next` is an epoch that was never used.
    pub fn report(&mut self, rules: &Rules, report: Report, opens: bool, next: u8) -> Done {
        let stale = report.epoch != self.epoch && rules.flaw != Some(Flaw::NoEpochs);
        if self.forced || stale {
            return Done::default();
        }
        match self.phase {
            Phase::Closed if report.probe == 0 && !report.succeeded => {
                if opens {
                    self.open(rules, next);
                }
                Done {
                    moved: opens,
                    counted: true,
                    probe: 0,
                }
            }
            Phase::HalfOpen if report.probe != 0 => self.judge(rules, report, next),
            _ => Done::default(),
        }
    }

    fn judge(&mut self, rules: &Rules, report: Report, next: u8) -> Done {
        let held = self
            .probes
            .iter_mut()
            .find(|probe| probe.id == report.probe);
        let Some(held) = held else {
            return Done::default();
        };
        *held = Probe::default();
        let moved = if !report.succeeded {
            self.open(rules, next);
            true
        } else {
            self.successes += 1;
            let enough = self.successes >= rules.probes;
            if enough {
                self.enter(Phase::Closed, next);
            }
            enough
        };
        Done {
            moved,
            counted: true,
            probe: 0,
        }
    }

    /// Grants a probe, if one may go. `next` and the number after it were never used.
    pub fn admit(&mut self, rules: &Rules, next: u8) -> Done {
        if self.forced || self.phase == Phase::Closed {
            return Done::default();
        }
        let moved = self.phase == Phase::Open && self.until == 0;
        if moved {
            self.enter(Phase::HalfOpen, next);
        }
        let out = self.probes.iter().filter(|probe| probe.id != 0).count() as u8;
        let most = rules.probes + u8::from(rules.flaw == Some(Flaw::OneProbeTooMany));
        let has_room = self.phase == Phase::HalfOpen && out + self.successes < most;
        let mut probe = 0;
        if let Some(free) = self.probes.iter_mut().find(|probe| probe.id == 0)
            && has_room
        {
            probe = next + 1;
            *free = Probe {
                id: probe,
                left: rules.lease,
            };
        }
        Done {
            moved,
            counted: true,
            probe,
        }
    }

    /// Holds the circuit open, or lets it go: then it is closed.
    pub fn force(&mut self, hold: bool, next: u8) {
        self.enter(if hold { Phase::Open } else { Phase::Closed }, next);
        self.forced = hold;
    }

    /// A tick of the store's clock.
    pub fn tick(&mut self, rules: &Rules) {
        self.until = self.until.saturating_sub(1);
        if rules.flaw == Some(Flaw::ProbesNeverExpire) {
            return;
        }
        for probe in &mut self.probes {
            probe.left = probe.left.saturating_sub(1);
            if probe.left == 0 {
                *probe = Probe::default();
            }
        }
    }

    fn open(&mut self, rules: &Rules, next: u8) {
        self.enter(Phase::Open, next);
        self.until = rules.reset;
    }

    fn enter(&mut self, phase: Phase, next: u8) {
        *self = Self {
            phase,
            epoch: next,
            ..Self::default()
        };
    }
}
