//! Tokens debited ahead and spent here, without asking the store for each.
//!
//! Guarantees, with τ the lease lifetime: a token is spent at most ¾τ after its debit was *sent*, and given back at most τ after
//! its debit was decided (the store ignores a later one); what a replica holds and what it has on its way back is together never
//! more than what it granted the same key within the τ before the last debit: each token that goes back unspent uses up a grant.
//! Tokens of a lease that dies are lost, never doubled.
//!
//! From these follows the bound: over any interval of length t all replicas together admit at most C + r·(t + 2τ). Let L(x) ≤ C
//! be the tokens in the bucket, E(x) those leased and not yet spent, lost or given back, S = L + E, and A the tokens admitted.
//! S grows at most by r·t, and every admission lowers it. Each of those is younger than τ and stands for a grant of its own in the τ
//! before that, so E(x) ≤ A(x−2τ, x), and S(x) ≤ S(x−2τ) + 2rτ − E(x). As S(x) ≤ C + E(x) also holds, the largest S, call it M,
//! obeys 2M ≤ C + M + 2rτ: M ≤ C + 2rτ. What is admitted in t is at most S at its start plus r·t. Without the rule about sizes
//! it would not follow: replicas that lease and return without granting would keep the bucket from ever being full, and its
//! refill would add up unseen.
//!
//! Must not: talk to the store, or guess a future rate above the past one.

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::units::StoreTime;

/// Tokens of one debit, held ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tranche {
    /// How many are left.
    pub(super) tokens: u64,
    /// When the store debited them: a give-back says so.
    pub(super) debited_at: StoreTime,
    /// From then on they are not spent.
    pub(super) until: Instant,
}

/// What a key holds ahead: at most two tranches, the older one spent first. The second arrives while the first runs out.
#[derive(Debug)]
pub(super) struct Lease {
    front: Option<Tranche>,
    back: Option<Tranche>,
    /// Tokens held after the last debit: a quarter of it is the mark at which to fetch more.
    size: u64,
    /// More was asked for since the last debit.
    asked: bool,
}

/// How much of a lifetime a lease may be spent; the last quarter is for the way back.
pub(super) fn spendable(lifetime: Duration) -> Duration {
    lifetime * 3 / 4
}

/// Tokens to hold ahead: what the recent rate uses up while they may be spent.
pub(super) const fn worth_holding(granted_in_a_lifetime: u64) -> u64 {
    granted_in_a_lifetime.saturating_mul(3) / 4
}

impl Lease {
    /// Nothing held.
    pub(super) const fn new() -> Self {
        Self {
            front: None,
            back: None,
            size: 0,
            asked: false,
        }
    }

    /// Tokens that can be spent at `now`.
    pub(super) fn tokens(&self, now: Instant) -> u64 {
        let alive = |tranche: &Option<Tranche>| match tranche {
            Some(tranche) if now < tranche.until => tranche.tokens,
            _ => 0,
        };
        alive(&self.front) + alive(&self.back)
    }

    /// Tokens that have neither been spent nor taken out, dead or alive.
    pub(super) fn outstanding(&self) -> u64 {
        let all = [&self.front, &self.back].into_iter().flatten();
        all.map(|tranche| tranche.tokens).sum()
    }

    /// Whether nothing is held, dead or alive.
    pub(super) const fn is_empty(&self) -> bool {
        self.front.is_none() && self.back.is_none()
    }

    /// Takes `cost` tokens, all or none: the debit they are spent from, or the older of two.
    pub(super) fn spend(&mut self, cost: u64, now: Instant) -> Option<Tranche> {
        if self.tokens(now) < cost {
            return None;
        }
        let mut spent: Option<Tranche> = None;
        let mut due = cost;
        for slot in [&mut self.front, &mut self.back] {
            let Some(tranche) = slot.as_mut().filter(|tranche| now < tranche.until) else {
                continue;
            };
            let part = due.min(tranche.tokens);
            if part > 0 {
                tranche.tokens -= part;
                due -= part;
                let part = Tranche {
                    tokens: part,
                    ..*tranche
                };
                spent = Some(spent.map_or(part, |earlier| earlier.joined(part)));
            }
            if tranche.tokens == 0 {
                *slot = None;
            }
        }
        spent
    }

    /// Holds the tokens of a debit that was just made.
    pub(super) fn hold(&mut self, tranche: Tranche, now: Instant) {
        self.put(tranche);
        self.size = self.tokens(now);
        self.asked = false;
    }

    /// Takes tokens back that were spent on a request which went nowhere.
    pub(super) fn put(&mut self, tranche: Tranche) {
        let mut held = [self.front.take(), self.back.take(), Some(tranche)];
        held.sort_by_key(|tranche| tranche.map_or((true, None), |held| (false, Some(held.until))));
        let [front, back, third] = held;
        self.front = front;
        self.back = match (back, third) {
            (Some(back), Some(third)) => Some(back.joined(third)),
            (back, _) => back,
        };
    }

    /// Whether it is time to fetch more; says so once per debit.
    pub(super) fn runs_low(&mut self, now: Instant) -> bool {
        let tokens = self.tokens(now);
        let low = !self.asked && tokens > 0 && tokens <= self.size / 4;
        self.asked |= low;
        low
    }

    /// Takes out what may no longer be spent.
    pub(super) fn expired(&mut self, now: Instant) -> [Option<Tranche>; 2] {
        let dead = |tranche: &mut Tranche| now >= tranche.until;
        [self.front.take_if(dead), self.back.take_if(dead)]
    }

    /// Takes out everything.
    pub(super) const fn surrender(&mut self) -> [Option<Tranche>; 2] {
        [self.front.take(), self.back.take()]
    }
}

impl Tranche {
    /// Both as one, as old as the older: safe, since only ever too early.
    pub(super) fn joined(self, other: Self) -> Self {
        Self {
            tokens: self.tokens + other.tokens,
            debited_at: self.debited_at.min(other.debited_at),
            until: self.until.min(other.until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tranche(tokens: u64, debited_at: u64, until: Instant) -> Tranche {
        Tranche {
            tokens,
            debited_at: StoreTime::new(debited_at),
            until,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_older_tranche_is_spent_first_and_neither_after_its_time() {
        let now = Instant::now();
        let (early, late) = (
            now + Duration::from_millis(5),
            now + Duration::from_millis(9),
        );
        let mut lease = Lease::new();
        lease.hold(tranche(2, 100, early), now);
        lease.hold(tranche(3, 104, late), now);
        assert_eq!(lease.spend(1, now), Some(tranche(1, 100, early)));
        assert_eq!(
            lease.spend(2, now),
            Some(tranche(2, 100, early)),
            "as old as the older"
        );
        assert_eq!(lease.spend(3, now), None, "all or none");
        assert_eq!(lease.spend(1, late), None);
        assert_eq!(lease.expired(late), [None, Some(tranche(2, 104, late))]);
        assert!(lease.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_third_tranche_joins_the_second_at_the_earlier_time() {
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        let mut lease = Lease::new();
        lease.hold(tranche(1, 30, at(30)), now);
        lease.hold(tranche(1, 20, at(20)), now);
        lease.hold(tranche(1, 10, at(10)), now);
        assert_eq!(lease.tokens(at(9)), 3);
        assert_eq!(lease.tokens(at(19)), 2);
        assert_eq!(lease.tokens(at(20)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn more_is_asked_for_once_when_a_quarter_is_left() {
        let now = Instant::now();
        let mut lease = Lease::new();
        lease.hold(tranche(8, 0, now + Duration::from_secs(1)), now);
        lease.spend(5, now);
        assert!(!lease.runs_low(now));
        lease.spend(1, now);
        assert!(lease.runs_low(now));
        assert!(!lease.runs_low(now));
    }
}
