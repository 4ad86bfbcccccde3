//! What the world of the circuit protocol is made of. Must not: decide.

use super::record::{Record, Report, View};

/// The most replicas of a model.
pub(super) const REPLICAS: usize = 3;

/// What a replica asks of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// How are you?
    Look,
    /// May I probe?
    Admit,
    /// This is how a call went.
    Report(Report),
}

/// An exchange with the store: at most one per replica at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exchange {
    /// None.
    #[default]
    None,
    /// On its way to the store.
    Sent {
        /// What.
        command: Command,
        /// When it was sent, by the replica's count of what it sent and learnt.
        asked: u8,
    },
    /// On its way back.
    Answered {
        /// What the record looked like.
        view: View,
        /// When it was asked for.
        asked: u8,
        /// The probe granted, or 0.
        probe: u8,
        /// Ticks until that probe counts as lost.
        left: u8,
        /// The answer to [`Command::Admit`].
        admits: bool,
    },
}

/// A call to the upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// There is one.
    pub running: bool,
    /// The epoch in which it was let through.
    pub epoch: u8,
    /// The probe it is, or 0.
    pub probe: u8,
    /// Ticks until that probe counts as lost.
    pub left: u8,
    /// Ticks it has taken since all is well.
    pub age: u8,
    /// Nothing has moved since it was let through.
    pub fresh: bool,
    /// It began before the upstream recovered, and may still fail.
    pub doomed: bool,
}

/// One replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Replica {
    /// What it goes by.
    pub view: View,
    /// When it learnt that, by the same count as [`Exchange::Sent`].
    pub learnt: u8,
    /// A call.
    pub call: Call,
    /// An exchange.
    pub exchange: Exchange,
    /// Ticks the exchange has taken since all is well.
    pub waiting: u8,
    /// What it looked up when it was told of a transition, on its way here, and when it asked. A later one takes its place: then the
    /// earlier is lost.
    pub event: Option<(View, u8)>,
    /// Ticks since it last looked, since all is well.
    pub looked: u8,
}

/// Everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct World {
    /// The shared record.
    pub record: Record,
    /// The replicas; those beyond the number of the model stay as they are.
    pub replicas: [Replica; REPLICAS],
    /// Ticks since the upstream recovered for good and everything else works; none while anything may happen.
    pub well: Option<u8>,
    /// Times the record was lost.
    pub losses: u8,
    /// The outcome of a call from before a transition counted after it.
    pub stale_counted: bool,
    /// The same, when the call was from before the record had ever moved, and it was lost since.
    pub unmoved_counted: bool,
}

impl Replica {
    /// The next number of its count: nothing but the order matters.
    #[must_use]
    pub fn next_instant(&self) -> u8 {
        let mut copy = *self;
        copy.instants().max().map_or(1, |last| *last + 1)
    }

    fn instants(&mut self) -> impl Iterator<Item = &mut u8> {
        let asked = match &mut self.exchange {
            Exchange::None => None,
            Exchange::Sent { asked, .. } | Exchange::Answered { asked, .. } => Some(asked),
        };
        let event = self.event.as_mut().map(|(_, asked)| asked);
        [&mut self.learnt].into_iter().chain(asked).chain(event)
    }
}

impl World {
    /// A number that no epoch and no probe has had.
    #[must_use]
    pub fn next_number(&self) -> u8 {
        let mut highest = 0;
        let mut copy = *self;
        copy.each_number(&mut |number| highest = highest.max(*number));
        highest + 1
    }

    /// Calls `with` for every epoch and every probe's number.
    fn each_number(&mut self, with: &mut impl FnMut(&mut u8)) {
        with(&mut self.record.epoch);
        self.record
            .probes
            .iter_mut()
            .for_each(|probe| with(&mut probe.id));
        for replica in &mut self.replicas {
            with(&mut replica.view.epoch);
            with(&mut replica.call.epoch);
            with(&mut replica.call.probe);
            match &mut replica.exchange {
                Exchange::Sent {
                    command: Command::Report(report),
                    ..
                } => {
                    with(&mut report.epoch);
                    with(&mut report.probe);
                }
                Exchange::Answered { view, probe, .. } => {
                    with(&mut view.epoch);
                    with(probe);
                }
                _ => {}
            }
            if let Some((view, _)) = &mut replica.event {
                with(&mut view.epoch);
            }
        }
    }

    /// The same world by its usual name: of numbers only the order matters, and replicas have no names.
    pub fn normalise(&mut self, replicas: usize, keeps_numbers: bool) {
        if !keeps_numbers {
            let mut known = 1_u64;
            self.each_number(&mut |number| known |= 1 << *number);
            self.each_number(&mut |number| {
                *number = (known & ((1 << *number) - 1)).count_ones() as u8;
            });
        }
        for replica in &mut self.replicas {
            let mut known = 1_u64;
            replica.instants().for_each(|at| known |= 1 << *at);
            replica
                .instants()
                .for_each(|at| *at = (known & ((1 << *at) - 1)).count_ones() as u8);
        }
        self.replicas[..replicas].sort_unstable();
        self.record.probes.sort_unstable();
    }

    /// Something moved: whatever was let through is from before.
    pub fn outdate(&mut self) {
        for replica in &mut self.replicas {
            replica.call.fresh = false;
            if let Exchange::Sent {
                command: Command::Report(report),
                ..
            } = &mut replica.exchange
            {
                report.fresh = false;
            }
        }
    }

    /// Probes that may be calling the upstream and whose lease runs: of all epochs, or of the one they are most of.
    #[must_use]
    pub fn live_probes(&self, of_all_epochs: bool) -> usize {
        let mut epochs = Vec::new();
        for replica in &self.replicas {
            if replica.call.probe != 0 && replica.call.left > 0 {
                epochs.push(replica.call.epoch);
            }
            if let Exchange::Answered {
                view, probe, left, ..
            } = replica.exchange
                && probe != 0
                && left > 0
            {
                epochs.push(view.epoch);
            }
        }
        let of_epoch = |epoch: &u8| epochs.iter().filter(|other| *other == epoch).count();
        if of_all_epochs {
            epochs.len()
        } else {
            epochs.iter().map(of_epoch).max().unwrap_or(0)
        }
    }
}
