//! How many requests may be in flight at once, in the whole process, and who waits for a place.
//!
//! Guarantees: never more places are given than the limit allows, but for those that were given before it shrank; at most `queue`
//! requests wait, none longer than `queue_timeout`, first come first served. Must not: choose an answer for those who are refused.
//!
//! Why first come first served, and one queue for all threads: the queue is short and has a deadline, so that nobody in it is too old to be
//! worth serving, which is what last-come-first-served would be for; and a place that is free on one thread is free for whoever has
//! waited longest on any.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::settings::ConcurrencySettings;
use crate::policy::gradient::{Gradient, Sample};
use crate::policy::units::Micros;
use crate::telemetry::Counter;

/// The shortest time between two steps of an adaptive limit, and the fewest answers that say anything.
const WINDOW: Duration = Duration::from_millis(200);
const FEWEST: u64 = 10;

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// As many wait already as may.
    #[error("the queue is full")]
    QueueFull,
    /// None came free in time.
    #[error("no place came free in time")]
    QueueTimeout,
}

/// The places of one upstream, or of the whole process.
#[derive(Debug)]
pub struct Concurrency {
    settings: ConcurrencySettings,
    free: Semaphore,
    /// Places that are still held and will not come back, because the limit has shrunk.
    owed: AtomicUsize,
    held: AtomicU32,
    waiting: AtomicU32,
    adaptive: Option<Adaptive>,
}

#[derive(Debug)]
struct Adaptive {
    peak: AtomicU32,
    answers: Counter,
    micros: Counter,
    course: Mutex<Course>,
}

#[derive(Debug)]
struct Course {
    gradient: Gradient,
    limit: u32,
    stepped: Instant,
    answers: u64,
    micros: u64,
}

impl Concurrency {
    /// All places free.
    #[must_use]
    pub fn new(settings: ConcurrencySettings) -> Arc<Self> {
        let adaptive = settings.adaptive.map(|spec| Adaptive {
            peak: AtomicU32::new(0),
            answers: Counter::default(),
            micros: Counter::default(),
            course: Mutex::new(Course {
                gradient: Gradient::new(spec),
                limit: settings.most,
                stepped: Instant::now(),
                answers: 0,
                micros: 0,
            }),
        });
        Arc::new(Self {
            free: Semaphore::new(usize::try_from(settings.most).unwrap_or(Semaphore::MAX_PERMITS)),
            settings,
            owed: AtomicUsize::new(0),
            held: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            adaptive,
        })
    }

    /// How many places there are, as configured.
    #[must_use]
    pub const fn settings(&self) -> &ConcurrencySettings {
        &self.settings
    }

    /// A place, if one is free.
    #[must_use]
    pub fn try_enter(self: &Arc<Self>) -> Option<Place> {
        self.free.try_acquire().ok()?.forget();
        Some(Place::new(self))
    }

    /// A place, as soon as one is free and no later than `patience` allows.
    ///
    /// # Errors
    /// [`NoPlace`] when too many wait, or the wait is over.
    pub async fn enter(self: &Arc<Self>, patience: Duration) -> Result<Place, NoPlace> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        let _waiting = Waiting::enter(self).ok_or(NoPlace::QueueFull)?;
        let patience = patience.min(self.settings.queue_timeout);
        match timeout(patience, self.free.acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(Place::new(self))
            }
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(NoPlace::QueueTimeout),
        }
    }

    /// Takes note of how long an answer took; an adaptive limit rests on it.
    pub fn answered(&self, took: Duration) {
        if let Some(adaptive) = &self.adaptive {
            adaptive.answers.inc();
            adaptive.micros.add(Micros::from(took).get());
        }
    }

    /// Requests that hold a place.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.held.load(Ordering::Relaxed)
    }

    /// Requests that wait for one.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Places in all, at present.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.adaptive.as_ref().map_or(self.settings.most, |one| {
            let course = one.course.lock();
            course.unwrap_or_else(PoisonError::into_inner).limit
        })
    }

    /// Moves an adaptive limit if it is time; every thread asks a few times a second.
    pub fn tick(&self) {
        let Some(adaptive) = &self.adaptive else {
            return;
        };
        let mut course = match adaptive.course.try_lock() {
            Ok(course) => course,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        let now = Instant::now();
        let answers = adaptive.answers.get();
        let fresh = answers - course.answers;
        // With few places few answers come, and must do.
        let enough = FEWEST.min(2 * u64::from(course.limit));
        if now - course.stepped < WINDOW || fresh < enough {
            return;
        }
        let micros = adaptive.micros.get();
        let latency = micros.saturating_sub(course.micros) / fresh;
        let peak = adaptive.peak.swap(self.held(), Ordering::Relaxed);
        course.gradient.step(Sample {
            latency: Micros::new(latency),
            peak,
        });
        (course.stepped, course.answers, course.micros) = (now, answers, micros);
        let (before, after) = (course.limit, course.gradient.limit());
        course.limit = after;
        self.resize(before, after);
    }

    fn resize(&self, before: u32, after: u32) {
        let count = usize::try_from(before.abs_diff(after)).unwrap_or_default();
        if after < before {
            let gone = self.free.forget_permits(count);
            self.owed.fetch_add(count - gone, Ordering::Relaxed);
            return;
        }
        // What is owed is forgiven first: those places are held, and will come back after all.
        for _ in 0..count {
            self.give_back();
        }
    }

    /// One place more, unless one is owed.
    fn give_back(&self) {
        let pay = |owed: usize| owed.checked_sub(1);
        let paid = self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
        if paid.is_err() {
            self.free.add_permits(1);
        }
    }
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Concurrency>);

impl Place {
    fn new(concurrency: &Arc<Concurrency>) -> Self {
        let held = concurrency.held.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(adaptive) = &concurrency.adaptive {
            adaptive.peak.fetch_max(held, Ordering::Relaxed);
        }
        Self(Arc::clone(concurrency))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
        self.0.give_back();
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a Concurrency);

impl<'a> Waiting<'a> {
    fn enter(concurrency: &'a Concurrency) -> Option<Self> {
        let waiting = Self(concurrency);
        let before = concurrency.waiting.fetch_add(1, Ordering::Relaxed);
        (before < concurrency.settings.queue).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::gradient::GradientSpec;

    fn settings(most: u32, queue: u32) -> ConcurrencySettings {
        ConcurrencySettings {
            most,
            queue,
            queue_timeout: Duration::from_secs(1),
            adaptive: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_in_order_and_the_queue_has_an_end() {
        let concurrency = Concurrency::new(settings(1, 2));
        let forever = Duration::MAX;
        let first = concurrency.enter(forever).await.unwrap();
        let second = concurrency.enter(forever);
        let third = concurrency.enter(forever);
        let fourth = async {
            tokio::task::yield_now().await;
            concurrency.enter(forever).await.unwrap_err()
        };
        let release = async {
            tokio::task::yield_now().await;
            assert_eq!((concurrency.held(), concurrency.waiting()), (1, 2));
            drop(first);
        };
        let second = async { second.await.map(drop) };
        let (second, third, fourth, ()) = tokio::join!(second, third, fourth, release);
        assert!(second.is_ok() && third.is_ok());
        assert_eq!(fourth, NoPlace::QueueFull);
        assert_eq!((concurrency.held(), concurrency.waiting()), (1, 0));
        let late = concurrency.enter(forever).await.unwrap_err();
        assert_eq!(late, NoPlace::QueueTimeout);
        drop(third);
        assert!(concurrency.try_enter().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_shrinks_takes_held_places_as_they_come_back() {
        let concurrency = Concurrency::new(settings(10, 0));
        let held: Vec<_> = (0..8).map(|_| concurrency.try_enter().unwrap()).collect();
        concurrency.resize(10, 4);
        assert!(concurrency.try_enter().is_none());
        let mut held = held.into_iter();
        held.by_ref().take(4).for_each(drop);
        assert!(concurrency.try_enter().is_none());
        concurrency.resize(4, 5);
        assert!(concurrency.try_enter().is_some());
        drop(held);
        let all: Vec<_> = (0..20).map_while(|_| concurrency.try_enter()).collect();
        assert_eq!(all.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn an_adaptive_limit_follows_the_latency() {
        let spec = GradientSpec {
            least: 2,
            most: 100,
            tolerance: 1.5,
        };
        let concurrency = Concurrency::new(ConcurrencySettings {
            adaptive: Some(spec),
            ..settings(100, 0)
        });
        // An upstream that does `width` requests at a time, 10 ms each; there is always more to do.
        let turn = async |width: usize| {
            let held: Vec<_> = (0..100).map_while(|_| concurrency.try_enter()).collect();
            let turns = u32::try_from(held.len().max(width)).unwrap();
            let latency = Duration::from_millis(10) * turns / u32::try_from(width).unwrap();
            held.iter().for_each(|_| concurrency.answered(latency));
            tokio::time::advance(WINDOW).await;
            concurrency.tick();
            held.len()
        };
        let mut course = Vec::new();
        for _ in 0..30 {
            course.push(turn(100).await);
        }
        // Nothing was known of it: there was a look.
        assert_eq!(course.iter().min(), Some(&2), "{course:?}");
        assert_eq!(course[20..], [100; 10], "{course:?}");
        for _ in 0..60 {
            turn(5).await;
        }
        for _ in 0..500 {
            let low = turn(5).await;
            assert!(low < 20, "{low}");
        }
        assert!(concurrency.limit() < 20);
    }
}
