//! The lease protocol: replicas debit a shared bucket ahead, spend locally, and give back what is left.
//!
//! The bucket is the gateway's own [`Bucket`](gateway::policy::token_bucket::Bucket); the rest is modelled after `gateway/src/limiter`, with more freedom than the
//! limiter takes: a replica asks for any number at any time, spends, surrenders or crashes whenever it likes, holds as much ahead
//! as its recent grants allow (the limiter: three quarters), and messages take any time, overtake each other or never arrive. What
//! the limiter forbids is forbidden here: [`Rules`]. The memory of denials is left out, for it only ever keeps requests from
//! being granted.
//!
//! Guarantees: whatever holds here holds for every order of events, for runs of any length, within the bounds of [`Rules`]. Must
//! not: be more careful than the limiter is.

mod meter;
mod model;
mod state;
mod steps;

pub use meter::Meter;
pub use model::{Action, Lease};
pub use state::{Call, Replica, Tokens, World};

use gateway::policy::token_bucket::{BucketSpec, SpecError};
use gateway::policy::units::{Micros, Rate, UnitError};

/// The promise.
pub const BOUND: &str = "never above C + r·(t + 2τ)";

/// What a broken limiter would do: each has to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Tokens are spent however old they are.
    SpendsForEver,
    /// The store takes back tokens of any age.
    AcceptsLateReturns,
    /// A give-back is sent twice.
    ReturnsTwice,
    /// More is held ahead than was lately granted.
    Hoards,
    /// A grant backs tokens held ahead as often as it likes within a lifetime, whatever is still on its way back.
    SizesTwice,
    /// What is given back is spent as well.
    KeepsWhatItReturns,
}

/// When a request counts as admitted that was granted by a debit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// When the store decided.
    WhenDecided,
    /// When the replica had the answer.
    WhenAnswered,
}

/// The protocol, and the bounds of the model. Times are in ticks.
#[derive(Clone, Debug)]
pub struct Rules {
    /// At most three.
    pub replicas: usize,
    /// C.
    pub capacity: u8,
    /// 1 ÷ r: the refill time of a token.
    pub token: i16,
    /// τ.
    pub lifetime: u8,
    /// How long a token may be spent, by the replica's clock, from when its debit was sent.
    pub spendable: u8,
    /// How long a replica waits for the store.
    pub deadline: u8,
    /// Tokens that a request costs.
    pub cost: u8,
    /// The most requests that one debit is for.
    pub batch: u8,
    /// A replica's clock may miss one tick in so many; none: clocks are exact.
    pub drift: Option<u8>,
    /// Times the store may lose everything: never, or once.
    pub losses: u8,
    /// How long after a loss an interval may begin and still be allowed another C.
    pub grace: u16,
    /// When admissions count.
    pub counted: Counted,
    /// What is broken.
    pub flaw: Option<Flaw>,
}

impl Rules {
    /// What is promised of any interval, in ticks of refill, beyond those of the interval itself: C ÷ r + 2τ.
    #[must_use]
    pub fn promise(&self) -> i16 {
        i16::from(self.capacity) * self.token + 2 * i16::from(self.lifetime)
    }

    /// The gateway's bucket for these rules: a tick is a microsecond.
    ///
    /// # Errors
    /// When there can be no such bucket.
    pub fn bucket(&self) -> Result<BucketSpec, Impossible> {
        let refill = Rate::new(1, Micros::new(self.token.unsigned_abs().into()))?;
        Ok(BucketSpec::new(self.capacity.into(), refill)?)
    }
}

/// Why there is no such bucket.
#[derive(Debug)]
pub enum Impossible {
    /// Its refill.
    Refill(UnitError),
    /// Its size.
    Size(SpecError),
}

impl From<UnitError> for Impossible {
    fn from(error: UnitError) -> Self {
        Self::Refill(error)
    }
}

impl From<SpecError> for Impossible {
    fn from(error: SpecError) -> Self {
        Self::Size(error)
    }
}
