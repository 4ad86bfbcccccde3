//! Every step the world of the circuit protocol can take.
//!
//! Guarantees: once all is well, time stands still while something is overdue; until then everything may take for ever. Must not:
//! leave out a step because it seems unlikely.

use stateright::{Model, Property};

use super::record::{Phase, Record};
use super::state::{Call, Command, Exchange, Replica, World};
use super::steps::send;
use super::{Flaw, NEVER_STILL, NEVER_STUCK, NO_STALE_EPOCH, ONE_PROBE, Rules};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A tick passes.
    Tick,
    /// A replica lets a call through its closed view.
    Begin(usize),
    /// A call ends, well or not.
    End(usize, bool),
    /// A replica asks for a probe.
    Ask(usize),
    /// A replica looks.
    Look(usize),
    /// The store carries out a command; a failure that it reports is one too many, or not.
    Execute(usize, bool),
    /// A replica has its answer.
    Receive(usize),
    /// A command or its answer is lost.
    Lose(usize),
    /// An event reaches a replica.
    Notice(usize),
    /// A replica crashes and starts anew.
    Crash(usize),
    /// The store loses the record.
    Restart,
    /// An operator holds the circuit open, or lets go.
    Force(bool),
    /// The upstream recovers for good, and from now on everything else works.
    Recover,
}

/// The circuit protocol under some rules.
#[derive(Clone, Debug)]
pub struct Circuit {
    pub(super) rules: Rules,
}

impl Circuit {
    /// The protocol under these rules.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self { rules }
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.rules.flaw == Some(flaw)
    }

    fn replicas<'a>(&self, world: &'a World) -> &'a [Replica] {
        &world.replicas[..self.rules.replicas]
    }

    // === What may happen ===

    fn may_ask(&self, replica: &Replica) -> bool {
        replica.view.phase != Phase::Closed
            && replica.exchange == Exchange::None
            && !replica.call.running
    }

    fn is_overdue(&self, replica: &Replica) -> bool {
        let idle = replica.exchange == Exchange::None;
        (!idle && replica.waiting >= self.rules.exchange)
            || replica.event.is_some()
            || (replica.call.running && replica.call.age >= self.rules.call)
            || (self.may_ask(replica) && replica.view.wait == 0)
            || (idle && replica.looked >= self.rules.poll)
            || replica.call.running && replica.call.probe == 0 && !replica.call.doomed
    }

    fn offer(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let replica = &world.replicas[index];
        let idle = replica.exchange == Exchange::None;
        let well = world.well.is_some();
        if !replica.call.running && replica.view.phase == Phase::Closed && !well {
            actions.push(Action::Begin(index));
        }
        if replica.call.running && idle {
            actions.push(Action::End(index, true));
            if !well || replica.call.doomed {
                actions.push(Action::End(index, false));
            }
        }
        if self.may_ask(replica) && (!well || replica.view.wait == 0) {
            actions.push(Action::Ask(index));
        }
        if idle && (!well || replica.looked >= self.rules.poll) {
            actions.push(Action::Look(index));
        }
        match replica.exchange {
            Exchange::None => {}
            Exchange::Sent {
                command: Command::Report(report),
                ..
            } if report.probe == 0 => {
                actions.extend([Action::Execute(index, true), Action::Execute(index, false)]);
            }
            Exchange::Sent { .. } => actions.push(Action::Execute(index, true)),
            Exchange::Answered { .. } => actions.push(Action::Receive(index)),
        }
        if replica.event.is_some() {
            actions.push(Action::Notice(index));
        }
        if !well && !idle {
            actions.push(Action::Lose(index));
        }
        if !well && *replica != Replica::default() {
            actions.push(Action::Crash(index));
        }
    }

    fn has_recovered(world: &World) -> bool {
        world.record.phase == Phase::Closed
            && world
                .replicas
                .iter()
                .all(|replica| replica.view.phase == Phase::Closed)
    }
}

impl Model for Circuit {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let well = world.well.is_some();
        if !well || !self.replicas(world).iter().any(|one| self.is_overdue(one)) {
            actions.push(Action::Tick);
        }
        for index in 0..self.rules.replicas {
            // Equal replicas have equal futures.
            if index == 0 || world.replicas[index - 1] != world.replicas[index] {
                self.offer(world, index, actions);
            }
        }
        if !well {
            if world.losses < self.rules.losses {
                actions.push(Action::Restart);
            }
            if self.rules.operator {
                actions.push(Action::Force(!world.record.forced));
            }
            if self.rules.recovers && !world.record.forced {
                actions.push(Action::Recover);
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = *world;
        match action {
            Action::Tick => self.tick(&mut next),
            Action::Begin(index) => {
                let epoch = next.replicas[index].view.epoch;
                next.replicas[index].call = Call {
                    running: true,
                    epoch,
                    fresh: epoch == world.record.epoch,
                    ..Call::default()
                };
            }
            Action::End(index, succeeded) => self.end(&mut next, index, succeeded),
            Action::Ask(index) => send(&mut next.replicas[index], Command::Admit),
            Action::Look(index) => {
                next.replicas[index].looked = 0;
                send(&mut next.replicas[index], Command::Look);
            }
            Action::Execute(index, opens) => self.execute(&mut next, index, opens),
            Action::Receive(index) => self.receive(&mut next, index),
            Action::Lose(index) => next.replicas[index].exchange = Exchange::None,
            Action::Notice(index) => {
                if let Some((view, asked)) = next.replicas[index].event.take() {
                    self.learn(&mut next.replicas[index], view, asked);
                }
            }
            Action::Crash(index) => next.replicas[index] = Replica::default(),
            Action::Restart => {
                next.record = Record::default();
                next.losses += 1;
                next.outdate();
            }
            Action::Force(hold) => {
                let number = self.next_number(&next);
                next.record.force(hold, number);
                self.moved(&mut next);
            }
            Action::Recover => Self::recover(&mut next),
        }
        let keeps_numbers = self.has(Flaw::CountedEpochs);
        next.normalise(self.rules.replicas, keeps_numbers);
        (next != *world).then_some(next)
    }

    fn within_boundary(&self, world: &World) -> bool {
        let numbers = !self.has(Flaw::CountedEpochs) || world.next_number() < 12;
        numbers
            && world
                .well
                .is_none_or(|ticks| ticks <= self.rules.recovery + 1)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            // A lost record, or an operator who restarts the circuit, does not know of probes that are still out.
            Property::always(ONE_PROBE, |model: &Self, world: &World| {
                let knows = model.rules.losses == 0 && !model.rules.operator;
                world.live_probes(knows) <= usize::from(model.rules.probes)
            }),
            Property::always(NO_STALE_EPOCH, |model: &Self, world: &World| {
                !(world.stale_counted || model.rules.even_unmoved && world.unmoved_counted)
            }),
            Property::always(NEVER_STUCK, |model: &Self, world: &World| {
                world.well.is_none_or(|ticks| ticks <= model.rules.recovery)
                    || Self::has_recovered(world)
            }),
            Property::always(NEVER_STILL, |model: &Self, world: &World| {
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                !actions.is_empty()
            }),
        ]
    }
}
