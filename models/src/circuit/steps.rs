//! What the store and the replicas of the circuit protocol do.
//!
//! Guarantees: a replica knows only what its messages told it. Must not: choose; every choice is an [`Action`](super::Action).

use super::Flaw;
use super::model::Circuit;
use super::record::{Done, Report, View};
use super::state::{Call, Command, Exchange, Replica, World};

impl Circuit {
    // === The store ===

    pub(super) fn next_number(&self, world: &World) -> u8 {
        match self.rules.flaw {
            Some(Flaw::CountedEpochs) => world.record.epoch + 1,
            _ => world.next_number(),
        }
    }

    pub(super) fn execute(&self, world: &mut World, index: usize, opens: bool) {
        let Exchange::Sent { command, asked } = world.replicas[index].exchange else {
            return;
        };
        let next = self.next_number(world);
        let done = match command {
            Command::Look => Done::default(),
            Command::Admit => world.record.admit(&self.rules, next),
            Command::Report(report) => self.report(world, report, opens, next),
        };
        let replica = &mut world.replicas[index];
        replica.exchange = Exchange::Answered {
            view: world.record.view(),
            asked,
            probe: done.probe,
            left: if done.probe == 0 { 0 } else { self.rules.lease },
            admits: command == Command::Admit,
        };
        if done.moved {
            self.moved(world);
        }
    }

    fn report(&self, world: &mut World, report: Report, opens: bool, next: u8) -> Done {
        let done = world.record.report(&self.rules, report, opens, next);
        let stale = done.counted && !report.fresh;
        let unmoved = report.epoch == 0 && world.losses > 0;
        world.stale_counted |= stale && !unmoved;
        world.unmoved_counted |= stale && unmoved;
        done
    }

    /// A transition: every replica is told.
    pub(super) fn moved(&self, world: &mut World) {
        world.outdate();
        if !self.rules.events {
            return;
        }
        let view = world.record.view();
        for replica in &mut world.replicas[..self.rules.replicas] {
            let asked = replica.next_instant();
            replica.event = Some((view, asked));
        }
    }

    // === A replica ===

    pub(super) fn end(&self, world: &mut World, index: usize, succeeded: bool) {
        let replica = &mut world.replicas[index];
        let call = std::mem::take(&mut replica.call);
        if call.probe != 0 || !succeeded {
            send(
                replica,
                Command::Report(Report {
                    epoch: call.epoch,
                    probe: call.probe,
                    succeeded,
                    fresh: call.fresh,
                }),
            );
        }
    }

    pub(super) fn receive(&self, world: &mut World, index: usize) {
        let replica = &mut world.replicas[index];
        let exchange = std::mem::take(&mut replica.exchange);
        replica.waiting = 0;
        let Exchange::Answered {
            view,
            asked,
            probe,
            left,
            admits,
        } = exchange
        else {
            return;
        };
        self.learn(replica, view, asked);
        if admits && probe == 0 {
            // Never in a loop without a pause.
            replica.view.wait = replica.view.wait.max(1);
        }
        if probe != 0 && !replica.call.running {
            replica.call = Call {
                running: true,
                epoch: view.epoch,
                probe,
                left,
                fresh: world.record.epoch == view.epoch,
                ..Call::default()
            };
        }
    }

    /// An older epoch is believed only from an answer that was asked for after the newer one was learnt: then the record was lost.
    pub(super) fn learn(&self, replica: &mut Replica, view: View, asked: u8) {
        let believes = asked > replica.learnt && !self.has(Flaw::HighestEpochWins);
        if view.epoch < replica.view.epoch && !believes {
            return;
        }
        replica.learnt = replica.next_instant();
        // The replica's clock may be slow.
        let slack = u8::from(view.wait > 0);
        replica.view = View {
            wait: view.wait + slack,
            ..view
        };
    }

    pub(super) fn tick(&self, world: &mut World) {
        world.record.tick(&self.rules);
        for replica in &mut world.replicas[..self.rules.replicas] {
            replica.view.wait = replica.view.wait.saturating_sub(1);
            replica.call.left = replica.call.left.saturating_sub(1);
            if let Exchange::Answered { left, .. } = &mut replica.exchange {
                *left = left.saturating_sub(1);
            }
            if world.well.is_some() {
                replica.call.age += u8::from(replica.call.running);
                replica.waiting += u8::from(replica.exchange != Exchange::None);
                replica.looked = (replica.looked + 1).min(self.rules.poll);
            }
        }
        world.well = world.well.map(|ticks| ticks + 1);
    }

    pub(super) fn recover(world: &mut World) {
        world.well = Some(0);
        for replica in &mut world.replicas {
            replica.call.doomed = replica.call.running;
        }
    }
}

pub(super) fn send(replica: &mut Replica, command: Command) {
    let asked = replica.next_instant();
    replica.exchange = Exchange::Sent { command, asked };
    replica.waiting = 0;
}
