//! One fill: the turn to ask the origin, what the fleet knows, and what becomes of the answer.
//!
//! Guarantees: dropped, it hands the turn on, here and in the fleet; what was purged meanwhile is answered and not kept; no more
//! bytes are collected at a time than the cache may keep. Must not: send the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::entry::{Entry, vary_of, vary_text};
use super::fills::{State, Underway};
use super::tags::Stamp;
use super::{Cache, Class, PASS_FOR};
use crate::policy::cacheability::{Digest, Terms, variant};
use crate::policy::units::Micros;
use crate::store::Store;
use crate::store::cache::{self as shared, Found, Keep, Recalled, VariantId};

/// The first pause between two looks at whether another replica is done, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// After so long a purge during a fill may be forgotten: what took longer is not kept.
const LONGEST_FILL: Duration = Duration::from_secs(300);

/// The turn to ask the origin for one variant.
#[derive(Debug)]
pub struct Fill {
    cache: Arc<Cache>,
    underway: Arc<Underway>,
    store: Option<Store>,
    /// What the store is asked for: the variant as told by the fields it knows.
    id: VariantId,
    names: Box<[HeaderName]>,
    stamp: Stamp,
    /// The store's generation of the target, once heard.
    generation: Option<u64>,
    holder: u64,
    holds_turn: bool,
    began: Instant,
    ended: bool,
}

/// What the fleet says.
#[derive(Debug)]
pub enum Recall {
    /// Another replica has it.
    Enough(Arc<Entry>),
    /// Ask the origin, perhaps whether this still holds.
    Ask(Option<Arc<Entry>>),
    /// Ask the origin; the answer is not for keeping.
    Pass(Option<Arc<Entry>>),
}

/// Room for an answer that is being collected; given back when dropped.
#[derive(Debug)]
pub struct Collected {
    cache: Arc<Cache>,
    bytes: BytesMut,
    counted: usize,
}

impl Fill {
    pub(super) fn new(
        cache: &Arc<Cache>,
        underway: Arc<Underway>,
        names: Box<[HeaderName]>,
        stamp: Stamp,
        store: Option<Store>,
    ) -> Self {
        Self {
            cache: Arc::clone(cache),
            id: underway.id,
            underway,
            store,
            names,
            stamp,
            generation: None,
            holder: fastrand::u64(1..),
            holds_turn: false,
            began: Instant::now(),
            ended: false,
        }
    }

    /// Whether the fleet was asked, and answered.
    #[must_use]
    pub const fn was_answered(&self) -> bool {
        self.generation.is_some()
    }

    /// Asks the fleet, and waits while another replica asks the origin, until `deadline`. What there is is kept here as well.
    pub async fn recall(
        &mut self,
        class: &Class,
        headers: &HeaderMap,
        deadline: Instant,
        is_enough: impl Fn(&Entry) -> bool,
    ) -> Recall {
        let Some(store) = self.store.clone() else {
            return Recall::Ask(None);
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(recalled) = self.ask(&store).await else {
                return Recall::Ask(None);
            };
            self.generation = Some(recalled.generation);
            self.holds_turn = recalled.turn == shared::Turn::Yours;
            let entry = match recalled.found {
                Found::OtherVary(vary) if vary_text(&self.names) != vary => {
                    self.retell(class, headers, &vary);
                    continue;
                }
                Found::Value(value, ago) => self.read(value, ago.to_duration()),
                Found::OtherVary(_) | Found::Nothing => None,
            };
            let is_enough = entry.as_ref().is_some_and(&is_enough);
            let must_wait = recalled.turn == shared::Turn::Others && !is_enough;
            if !must_wait || Instant::now() + pause > deadline {
                let entry = entry.map(|entry| self.put(class, headers, entry));
                return match entry {
                    Some(entry) if is_enough => Recall::Enough(entry),
                    entry if recalled.turn == shared::Turn::Everybodys => Recall::Pass(entry),
                    entry => Recall::Ask(entry),
                };
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn read(&self, value: Bytes, ago: Duration) -> Option<Entry> {
        let entry = Entry::decode(value, ago, &self.cache.tags)?;
        self.cache.is_of_use(&entry).then_some(entry)
    }

    async fn ask(&self, store: &Store) -> Option<Recalled> {
        let span = Micros::from(self.cache.settings.fill_timeout);
        let recall = shared::Recall {
            id: self.id,
            vary: &vary_text(&self.names),
            turn: Some((self.holder, span)),
        };
        store.recall(&recall).await.ok()
    }

    /// Tells the variant by the fields that the fleet tells it by.
    fn retell(&mut self, class: &Class, headers: &HeaderMap, vary: &str) {
        if let Some(names) = vary_of(vary) {
            self.id.variant = select(&self.id.target, class, &names, headers);
            self.names = names;
        }
    }

    /// Room for an answer, if so large a one may be kept and there is room.
    #[must_use]
    pub fn collect(&self) -> Collected {
        Collected {
            cache: Arc::clone(&self.cache),
            bytes: BytesMut::new(),
            counted: 0,
        }
    }

    /// Keeps an answer, here and in the fleet, and hands it to those who wait. `headers` are the request's.
    pub async fn keep(mut self, class: &Class, headers: &HeaderMap, answer: Answer) -> Arc<Entry> {
        let Answer {
            status,
            fields,
            body,
            terms,
            vary,
            age,
            since,
        } = answer;
        let entry = Entry {
            status,
            headers: fields,
            body,
            terms,
            vary: vary.into(),
            age,
            since,
            stamp: self.stamp.clone(),
        };
        let value = entry.encode(&self.cache.tags);
        // Out of its own buffer, so that it does not hold on to the connection's, which are larger.
        let entry = Entry::decode(value.clone(), Duration::ZERO, &self.cache.tags).unwrap_or(entry);
        let fits = value.len() <= self.cache.settings.max_object;
        if !fits || self.underway.is_void() || self.began.elapsed() > LONGEST_FILL {
            let entry = Arc::new(entry);
            self.end(State::Done(Arc::clone(&entry)));
            return entry;
        }
        let entry = self.put(class, headers, entry);
        // Those who wait need not wait for the store.
        self.end(State::Done(Arc::clone(&entry)));
        self.share(class, headers, &entry, value).await;
        entry
    }

    async fn share(&mut self, class: &Class, headers: &HeaderMap, entry: &Entry, value: Bytes) {
        let (Some(store), Some(generation)) = (&self.store, self.generation) else {
            return;
        };
        let (fresh_for, keep_for) = entry.left();
        let id = VariantId {
            target: self.id.target,
            variant: select(&self.id.target, class, &entry.vary, headers),
        };
        let keep = Keep {
            id,
            vary: &entry.vary_text(),
            generation,
            value,
            fresh_for,
            keep_for,
            holder: self.holder,
            variants: class.variants,
        };
        let kept = store.keep(&keep).await;
        // The turn was for the variant as it was told before.
        self.holds_turn &= kept.is_err() || id != self.id;
        if matches!(kept, Ok(false)) {
            // Purged meanwhile, and perhaps not heard of yet.
            self.cache.hear_target(&self.id.target);
        }
    }

    /// Keeps an answer here.
    fn put(&self, class: &Class, headers: &HeaderMap, entry: Entry) -> Arc<Entry> {
        let entry = Arc::new(entry);
        let target = &self.id.target;
        let variant = select(target, class, &entry.vary, headers);
        let is_plain = class.fields.is_empty() && entry.vary.is_empty();
        let memory = &self.cache.memory;
        memory.put(
            target,
            variant,
            is_plain,
            Arc::clone(&entry),
            class.variants,
        );
        if self.underway.is_void() {
            memory.forget(target);
        }
        entry
    }

    /// The fleet had it: hands it to those who wait.
    pub fn found(mut self, entry: &Arc<Entry>) {
        self.end(State::Done(Arc::clone(entry)));
    }

    /// The answer is not for keeping: nobody waits for the next one either, for a while, here or in the fleet.
    pub fn pass(mut self) {
        let memory = &self.cache.memory;
        memory.pass(
            &self.underway.id.variant,
            &self.id.target,
            Instant::now() + PASS_FOR,
        );
        self.end(State::Pass);
        self.end_turn(PASS_FOR.into());
    }

    /// The origin fails: those who wait may use what there is, if they may use it stale, or ask for themselves.
    pub fn failed(mut self, entry: Option<&Arc<Entry>>) {
        self.end(entry.map_or(State::Pass, |entry| State::Failed(Arc::clone(entry))));
    }

    /// The answer is for this client alone; the next may be for all.
    pub fn give_up(mut self) {
        self.end(State::Pass);
    }

    fn end(&mut self, state: State) {
        self.ended = true;
        self.cache.fills.end(&self.underway, state);
    }

    /// In a task of its own: whoever ends a turn has a client to answer, or is being dropped.
    fn end_turn(&mut self, pass: Micros) {
        let held = std::mem::take(&mut self.holds_turn);
        if let (true, Some(store), Ok(runtime)) = (held, self.store.take(), Handle::try_current()) {
            let (id, holder) = (self.id, self.holder);
            // Unheard, the turn ends by itself.
            runtime.spawn(async move { store.end_turn(&id, holder, pass).await });
        }
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        if !self.ended {
            self.end(State::Abandoned);
        }
        self.end_turn(Micros::ZERO);
    }
}

/// What a fill keeps.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The fields to keep.
    pub fields: HeaderMap,
    /// The whole content.
    pub body: Bytes,
    /// On which terms.
    pub terms: Terms,
    /// What tells its variants.
    pub vary: Vec<HeaderName>,
    /// How old it was when its head came.
    pub age: Duration,
    /// When that was.
    pub since: Instant,
}

fn select(target: &Digest, class: &Class, names: &[HeaderName], headers: &HeaderMap) -> Digest {
    variant(target, class.fields.iter().chain(names), headers)
}

impl Collected {
    /// Adds what came; false when it is more than may be kept, and is given up.
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        let limit = usize::try_from(self.cache.settings.memory).unwrap_or(usize::MAX);
        let collecting = &self.cache.collecting;
        let before = collecting.fetch_add(bytes.len(), Ordering::Relaxed);
        self.counted += bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.counted <= self.cache.settings.max_object && before + bytes.len() <= limit
    }

    /// What was collected.
    #[must_use]
    pub fn bytes(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes).freeze()
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        self.cache
            .collecting
            .fetch_sub(self.counted, Ordering::Relaxed);
    }
}
