//! The embedded store's clock.
//!
//! Guarantees: never steps back and never jumps, whatever the machine's clock does, because the time of day is read once. Must not:
//! be compared with another store's.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::policy::units::{Micros, StoreTime};

/// The time of day at one instant; every later time is counted from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    origin_time: StoreTime,
}

impl Clock {
    /// A clock set to the time of day.
    pub(super) fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this clock is the store's: with no server to ask, the time of day is read here, once"
        )]
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            origin: Instant::now(),
            origin_time: StoreTime::new(Micros::from(since_epoch).get()),
        }
    }

    /// The time on this clock.
    pub(super) fn now(&self) -> StoreTime {
        self.origin_time.after(self.origin.elapsed().into())
    }
}
