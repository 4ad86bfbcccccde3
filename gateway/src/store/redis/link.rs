//! The one connection a handle holds, made when first needed and again whenever it breaks.
//!
//! Guarantees: at most one attempt to connect is under way, in a task of its own, so that a caller who stops waiting does not stop
//! it; between failed attempts there is a pause, and a caller in it is told at once; what was connected before an outage is not
//! used after it. Must not: send anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deadpool_redis::redis::RedisError;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::classify::classify;
use super::connect::{Connection, Factory};
use crate::store::StoreError;
use crate::store::health::{Health, jittered};

/// Finding a master through Sentinels and shaking hands over TLS fit; a caller never waits for it beyond its own deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Calls in a row without an answer after which the connection is taken for dead: a host that vanished resets nothing.
const SILENCE: u32 = 3;

/// A handle's connection, if it has one.
pub(super) struct Link {
    factory: Factory,
    health: Arc<Health>,
    held: watch::Sender<Held>,
    unanswered: AtomicU32,
}

enum Held {
    Nothing,
    Connecting { pause: Duration },
    Ready(Ready),
    Failed(Failed),
}

#[derive(Clone)]
struct Ready {
    connection: Connection,
    serial: u64,
    outages: u64,
}

struct Failed {
    error: StoreError,
    until: Instant,
    next_pause: Duration,
}

impl Link {
    pub(super) fn new(factory: Factory, health: Arc<Health>) -> Arc<Self> {
        Arc::new(Self {
            factory,
            health,
            held: watch::Sender::new(Held::Nothing),
            unanswered: AtomicU32::new(0),
        })
    }

    /// What makes further connections of the same kind.
    pub(super) const fn factory(&self) -> &Factory {
        &self.factory
    }

    /// The connection and its serial number, for [`Self::discard`]. Waits while it is being made.
    pub(super) async fn get(self: &Arc<Self>) -> Result<(Connection, u64), StoreError> {
        let mut changes = self.held.subscribe();
        loop {
            match &*changes.borrow_and_update() {
                Held::Ready(ready) if ready.outages == self.health.outages() => {
                    return Ok((ready.connection.clone(), ready.serial));
                }
                Held::Failed(failed) if Instant::now() < failed.until => return Err(failed.error),
                _ => {}
            }
            self.connect_unless_under_way();
            if changes.changed().await.is_err() {
                return Err(StoreError::Unreachable);
            }
        }
    }

    /// Gives up the connection with this serial number; another, newer one stays.
    pub(super) fn discard(&self, serial: u64) {
        self.held.send_if_modified(|held| match held {
            Held::Ready(ready) if ready.serial == serial && !ready.connection.heals_itself() => {
                *held = Held::Nothing;
                true
            }
            _ => false,
        });
    }

    /// The server answered, whatever it said.
    pub(super) fn answered(&self) {
        if self.unanswered.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }

    /// The server did not answer in time; too often in a row, and the connection is given up.
    pub(super) fn unanswered(&self) {
        if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 < SILENCE {
            return;
        }
        self.unanswered.store(0, Ordering::Relaxed);
        self.held.send_if_modified(|held| {
            let ready = matches!(held, Held::Ready(_));
            if ready {
                *held = Held::Nothing;
            }
            ready
        });
    }

    fn connect_unless_under_way(self: &Arc<Self>) {
        let outages = self.health.outages();
        let begun = self.held.send_if_modified(|held| {
            let pause = match held {
                Held::Connecting { .. } => return false,
                Held::Ready(ready) if ready.outages == outages => return false,
                Held::Failed(failed) if Instant::now() < failed.until => return false,
                Held::Failed(failed) => failed.next_pause,
                Held::Nothing | Held::Ready(_) => FIRST_PAUSE,
            };
            *held = Held::Connecting { pause };
            true
        });
        if begun {
            let link = Arc::clone(self);
            tokio::spawn(async move { link.connect(outages).await });
        }
    }

    async fn connect(&self, outages: u64) {
        // Whatever ends this task early, the next caller must be able to begin another.
        let _reset = ResetOnDrop(self);
        let made = match timeout(CONNECT_TIMEOUT, self.factory.connect()).await {
            Ok(made) => made.map_err(|error| self.explain(&error)),
            Err(_) => Err(StoreError::Timeout),
        };
        self.unanswered.store(0, Ordering::Relaxed);
        if made.is_ok() {
            self.health.heard_nothing_wrong();
        }
        self.held.send_modify(|held| {
            let Held::Connecting { pause } = *held else {
                return;
            };
            *held = match made {
                Ok(connection) => Held::Ready(Ready {
                    connection,
                    serial: next_serial(),
                    outages,
                }),
                Err(error) => Held::Failed(Failed {
                    error,
                    until: Instant::now() + jittered(pause),
                    next_pause: (pause * 2).min(LONGEST_PAUSE),
                }),
            };
        });
    }

    /// What a failed attempt means; the server's own words are logged once.
    fn explain(&self, error: &RedisError) -> StoreError {
        let meaning = match classify(error) {
            // Nothing was ever connected, so nothing broke.
            StoreError::Disconnected | StoreError::Unexpected => StoreError::Unreachable,
            meaning => meaning,
        };
        self.health.heard(meaning, error);
        meaning
    }
}

fn next_serial() -> u64 {
    use std::sync::atomic::AtomicU64;
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

struct ResetOnDrop<'a>(&'a Link);

impl Drop for ResetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.held.send_if_modified(|held| {
            let abandoned = matches!(held, Held::Connecting { .. });
            if abandoned {
                *held = Held::Nothing;
            }
            abandoned
        });
    }
}
