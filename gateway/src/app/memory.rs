//! What is free goes back to the system, so that a gateway at rest is small whatever it has just carried.
//!
//! Guarantees: memory that was freed is the system's again some seconds later. Must not: touch what it asks for.

use std::hint::black_box;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// The allocator keeps what was freed for a second, in case it is wanted again.
const EVERY: Duration = Duration::from_secs(1);
/// More than the allocator carves out of a page it shares with others.
const APART: usize = 8 << 20;

/// Has the allocator look for what has been free for long enough. It does so whenever it frees a page, which a process at rest does not:
/// the last that was freed would stay. The page freed here was never written to, and so was never memory.
pub(super) async fn give_back() {
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut apart = Vec::<u8>::new();
        // Where there is no room for it, nothing was free.
        let _ = apart.try_reserve_exact(APART);
        drop(black_box(apart));
    }
}
