//! What the store and the replicas of the lease protocol do.
//!
//! Guarantees: the store decides by the gateway's own bucket. Must not: choose; every choice is an [`Action`](super::Action).

use gateway::policy::token_bucket::{Ask, Bucket};
use gateway::policy::units::{Micros, StoreTime};

use super::model::Lease;
use super::state::{Call, LIFETIME, Replica, Tokens, World};
use super::{Counted, Flaw};

/// Now, on the store's clock: far enough from the epoch for every age.
const NOW: StoreTime = StoreTime::new(1_000_000);

impl Lease {
    // === The store ===

    pub(super) fn decide(&self, world: &mut World, index: usize) {
        let Call::Asked { need, spare, sent } = world.replicas[index].call else {
            return;
        };
        let mut bucket = Bucket::new(NOW.after(Micros::new(world.full_in.into())));
        let ask = Ask {
            need: need.into(),
            spare: spare.into(),
            share: 1,
        };
        let count = bucket.take(&self.bucket, ask, NOW).granted as u8;
        world.full_in = bucket.full_at().since(NOW).get() as u16;
        let granted = Tokens {
            count,
            sent,
            debited: 0,
        };
        if self.rules.counted == Counted::WhenDecided {
            let paid = need.min(count) / self.rules.cost * self.rules.cost;
            self.admit(world, paid);
        }
        world.replicas[index].call = match count {
            0 => Call::None,
            _ => Call::Decided { need, granted },
        };
    }

    pub(super) fn deliver(&self, world: &mut World, index: usize) {
        let tokens = std::mem::take(&mut world.returns[index]);
        let mut bucket = Bucket::new(NOW.after(Micros::new(world.full_in.into())));
        let max_age = match self.rules.flaw {
            Some(Flaw::AcceptsLateReturns) => u8::MAX,
            _ => self.rules.lifetime,
        };
        bucket.give_back(
            &self.bucket,
            tokens.count.into(),
            NOW.before(Micros::new(tokens.debited.into())),
            Micros::new(max_age.into()),
            NOW,
        );
        world.full_in = bucket.full_at().since(NOW).get() as u16;
    }

    pub(super) fn restart(&self, world: &mut World) {
        world.full_in = 0;
        world.losses += 1;
        world.meter.lose(
            i16::from(self.rules.capacity) * self.rules.token,
            self.rules.grace,
        );
    }

    // === A replica ===

    fn admit(&self, world: &mut World, count: u8) {
        world.meter.admit(i16::from(count) * self.rules.token);
    }

    pub(super) fn answer(&self, world: &mut World, index: usize) {
        let Call::Decided { need, granted } = world.replicas[index].call else {
            return;
        };
        let replica = &mut world.replicas[index];
        replica.call = Call::None;
        let requests = need.min(granted.count) / self.rules.cost;
        let paid = requests * self.rules.cost;
        let left = Tokens {
            count: granted.count - paid,
            ..granted
        };
        replica.granted[0] += paid;
        // A debit that did not stretch to everyone who waited leaves nothing to hold.
        let holds = paid == need && left.sent < self.spendable();
        if left.count > 0 && holds {
            hold(replica, left);
        } else if left.count > 0 {
            self.send_back(world, index, left);
        }
        if self.rules.counted == Counted::WhenAnswered {
            self.admit(world, paid);
        }
    }

    pub(super) fn spend(&self, world: &mut World, index: usize) {
        let replica = &mut world.replicas[index];
        let mut due = self.rules.cost;
        for tokens in &mut replica.lease {
            let part = due.min(tokens.count);
            tokens.count -= part;
            due -= part;
        }
        if replica.lease[0].count == 0 {
            replica.lease.swap(0, 1);
        }
        replica.granted[0] += self.rules.cost;
        self.admit(world, self.rules.cost);
    }

    fn surrender(&self, world: &mut World, index: usize, slot: usize) {
        let lease = &mut world.replicas[index].lease;
        let tokens = lease[slot];
        if !self.has(Flaw::KeepsWhatItReturns) {
            lease[slot].count = 0;
            lease.sort_unstable_by_key(|tokens| tokens.count == 0);
        }
        self.send_back(world, index, tokens);
    }

    pub(super) fn forget(&self, world: &mut World, index: usize) {
        for slot in [1, 0] {
            self.surrender(world, index, slot);
        }
        world.replicas[index].granted.fill(0);
    }

    fn send_back(&self, world: &mut World, index: usize, tokens: Tokens) {
        if !self.has(Flaw::SizesTwice) {
            world.replicas[index].use_up(tokens.count);
        }
        world.send_back(tokens);
        if self.has(Flaw::ReturnsTwice) {
            world.send_back(tokens);
        }
    }

    // === Time ===

    pub(super) fn tick(&self, world: &mut World, missed: u8) {
        world.full_in = world.full_in.saturating_sub(1);
        world.meter.tick();
        let keeps = self.has(Flaw::AcceptsLateReturns);
        for tokens in &mut world.returns {
            tokens.debited = (tokens.debited + 1).min(self.rules.lifetime + 1);
            if tokens.debited > self.rules.lifetime && !keeps {
                *tokens = Tokens::default();
            }
        }
        for index in 0..self.rules.replicas {
            let missed = missed & (1 << index) != 0;
            self.age(&mut world.replicas[index], missed);
            for slot in [1, 0] {
                let tokens = world.replicas[index].lease[slot];
                if tokens.count > 0 && tokens.sent >= self.spendable() {
                    self.surrender(world, index, slot);
                }
            }
        }
    }

    fn age(&self, replica: &mut Replica, missed: bool) {
        let local = u8::from(!missed);
        let oldest = 2 * self.rules.lifetime + 1;
        for tokens in &mut replica.lease {
            if tokens.count > 0 {
                tokens.sent = (tokens.sent + local).min(oldest);
                tokens.debited = (tokens.debited + 1).min(oldest);
            }
        }
        match &mut replica.call {
            Call::None => {}
            Call::Asked { sent, .. } => *sent += local,
            Call::Decided { granted, .. } => {
                granted.sent += local;
                granted.debited = (granted.debited + 1).min(oldest);
            }
        }
        let sent = match replica.call {
            Call::None => 0,
            Call::Asked { sent, .. } => sent,
            Call::Decided { granted, .. } => granted.sent,
        };
        if sent > self.rules.deadline {
            replica.call = Call::None;
        }
        if local == 1 {
            replica.granted.rotate_right(1);
            replica.granted[0] = 0;
            replica.granted[usize::from(self.rules.lifetime).min(LIFETIME - 1)..].fill(0);
        }
        replica.steady = match self.rules.drift {
            None => 0,
            Some(_) if missed => 0,
            Some(every) => (replica.steady + 1).min(every - 1),
        };
    }
}

/// Holds tokens ahead; a third lease joins the second, as old as the older of the two.
fn hold(replica: &mut Replica, tokens: Tokens) {
    let [front, back] = &mut replica.lease;
    let free = if front.count == 0 { front } else { back };
    *free = Tokens {
        count: free.count + tokens.count,
        sent: free.sent.max(tokens.sent),
        debited: free.debited.max(tokens.debited),
    };
}
