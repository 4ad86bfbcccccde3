//! Every step the world of the lease protocol can take.
//!
//! Guarantees: every step keeps to [`Rules`]. Must not: leave out a step because it seems unlikely.

use gateway::policy::token_bucket::BucketSpec;
use stateright::{Model, Property};

use super::state::{Call, Replica, World};
use super::{BOUND, Flaw, Impossible, Rules};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A tick passes; the clocks of the replicas in the bit mask miss it.
    Tick(u8),
    /// A replica sends a debit.
    Ask {
        /// Which.
        replica: usize,
        /// For requests that wait.
        need: u8,
        /// To hold ahead.
        spare: u8,
    },
    /// The store decides a debit.
    Decide(usize),
    /// A replica has its answer.
    Answer(usize),
    /// An answer is lost.
    Lose(usize),
    /// A replica grants a request from its lease.
    Spend(usize),
    /// A replica forgets the client: it sends back what it holds.
    Forget(usize),
    /// A give-back reaches the store.
    Deliver(usize),
    /// A replica crashes and starts anew.
    Crash(usize),
    /// The store loses everything.
    Restart,
}

/// The lease protocol under some rules.
#[derive(Clone, Debug)]
pub struct Lease {
    pub(super) rules: Rules,
    pub(super) bucket: BucketSpec,
}

impl Lease {
    /// The protocol under these rules.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn new(rules: Rules) -> Result<Self, Impossible> {
        let bucket = rules.bucket()?;
        Ok(Self { rules, bucket })
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.rules.flaw == Some(flaw)
    }

    pub(super) fn spendable(&self) -> u8 {
        match self.rules.flaw {
            Some(Flaw::SpendsForEver) => u8::MAX,
            _ => self.rules.spendable,
        }
    }

    fn offer(&self, index: usize, replica: &Replica, actions: &mut Vec<Action>) {
        match replica.call {
            Call::None => self.offer_asks(index, replica, actions),
            Call::Asked { .. } => actions.push(Action::Decide(index)),
            Call::Decided { .. } => actions.extend([Action::Answer(index), Action::Lose(index)]),
        }
        if replica.held() >= self.rules.cost {
            actions.push(Action::Spend(index));
        }
        if replica.held() > 0 && replica.call == Call::None {
            actions.push(Action::Forget(index));
        }
        if *replica != Replica::default() {
            actions.push(Action::Crash(index));
        }
    }

    fn offer_asks(&self, replica: usize, state: &Replica, actions: &mut Vec<Action>) {
        let recent = state.recent().min(self.rules.capacity);
        let most = match self.rules.flaw {
            Some(Flaw::Hoards) => self.rules.capacity,
            _ => recent.saturating_sub(state.held()),
        };
        for requests in 0..=self.rules.batch {
            for spare in 0..=most {
                let need = requests * self.rules.cost;
                if need + spare > 0 {
                    actions.push(Action::Ask {
                        replica,
                        need,
                        spare,
                    });
                }
            }
        }
    }

    /// Which clocks may miss a tick.
    fn misses(&self, world: &World) -> Vec<u8> {
        let Some(every) = self.rules.drift else {
            return vec![0];
        };
        let may = |index: &usize| world.replicas[*index].steady + 1 >= every;
        let able = (0..self.rules.replicas)
            .filter(may)
            .fold(0, |mask, index| mask | 1 << index);
        (0..=able).filter(|mask| mask & !able == 0).collect()
    }
}

impl Model for Lease {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(self.misses(world).into_iter().map(Action::Tick));
        for (index, replica) in world.replicas[..self.rules.replicas].iter().enumerate() {
            // Equal replicas have equal futures.
            if index == 0 || world.replicas[index - 1] != *replica {
                self.offer(index, replica, actions);
            }
        }
        for (index, tokens) in world.returns.iter().enumerate() {
            if tokens.count > 0 {
                actions.push(Action::Deliver(index));
            }
        }
        if world.losses < self.rules.losses {
            actions.push(Action::Restart);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = *world;
        match action {
            Action::Tick(missed) => self.tick(&mut next, missed),
            Action::Ask {
                replica,
                need,
                spare,
            } => {
                next.replicas[replica].call = Call::Asked {
                    need,
                    spare,
                    sent: 0,
                };
            }
            Action::Decide(index) => self.decide(&mut next, index),
            Action::Answer(index) => self.answer(&mut next, index),
            Action::Lose(index) => next.replicas[index].call = Call::None,
            Action::Spend(index) => self.spend(&mut next, index),
            Action::Forget(index) => self.forget(&mut next, index),
            Action::Deliver(index) => self.deliver(&mut next, index),
            Action::Crash(index) => next.replicas[index] = Replica::default(),
            Action::Restart => self.restart(&mut next),
        }
        next.sort(self.rules.replicas);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(BOUND, |lease: &Self, world: &World| {
            world.meter.level() <= lease.rules.promise()
        })]
    }
}
