//! Hearing of what other replicas found out.
//!
//! Guarantees: a transition is adopted as soon as it is heard, and within one poll if it was not; a channel that breaks is opened
//! again, and what it may have missed is looked up. Must not: run on a thread that serves requests.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Breaker, Circuit};
use crate::policy::circuit::Command;
use crate::store::{Event, Store};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Keeps every circuit of this process up to date, for ever.
pub async fn sync(breaker: &Breaker, store: &Store) {
    tokio::join!(
        listen(breaker, store),
        poll(breaker, store),
        give_back(breaker, store)
    );
}

/// Adopts what is told.
async fn listen(breaker: &Breaker, store: &Store) {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Ok(mut events) = store.subscribe().await {
            pause = FIRST_PAUSE;
            // What was told while nobody listened.
            look_at_all(breaker, store).await;
            while let Some(event) = events.next().await {
                hear(breaker, store, &event).await;
            }
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn hear(breaker: &Breaker, store: &Store, event: &Event) {
    if let Event::Circuit { upstream, epoch } = event
        && let Some(circuit) = breaker.circuit(upstream)
        && circuit.with(|known| known.is_news(*epoch))
    {
        circuit.look(store).await;
    }
}

/// Looks up what was never told, and tells what waited to be.
async fn poll(breaker: &Breaker, store: &Store) {
    let mut ticks = interval(breaker.poll_every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for circuit in breaker.circuits() {
            circuit.flush(store).await;
        }
        look_at_all(breaker, store).await;
    }
}

async fn look_at_all(breaker: &Breaker, store: &Store) {
    for circuit in breaker.circuits() {
        circuit.look(store).await;
    }
}

/// Gives probes back whose requests were dropped.
async fn give_back(breaker: &Breaker, store: &Store) {
    loop {
        breaker.given_up().notified().await;
        for circuit in breaker.circuits() {
            for probe in circuit.abandoned() {
                // Unheard, the lease ends on its own.
                let _ = circuit.ask(store, &Command::Abandon { probe }).await;
            }
        }
    }
}

impl Circuit {
    async fn look(&self, store: &Store) {
        // Unheard, the next poll asks again.
        let _ = self.ask(store, &Command::View).await;
    }
}
