//! Floor 1b: the near side of kept answers. A tier of the process's own, shared by its threads, in front of the store's, shared by the
//! fleet.
//!
//! Guarantees: bounded in bytes, also what is being collected; one fill at a time for each variant and process, and by the store's turns
//! for each fleet; what was asked for before a purge is not used after it was heard. The loss of the store only means misses. Must not:
//! know a route, send a request, or keep a client waiting beyond the deadline it was given.

pub mod settings;
mod entry;
mod fill;
mod fills;
mod memory;
mod sync;
mod tags;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::time::{Instant, timeout_at};

pub use entry::Entry;
pub use fill::{Answer, Collected, Fill, Recall};
use fills::{Begun, Fills, State};
use memory::{Found, Memory};
use settings::Settings;
use sync::Owed;
pub use sync::sync;
use tags::Tags;
pub use tags::{Stamp, Tag};

use crate::policy::cacheability::Digest;
use crate::store::cache::VariantId;
use crate::store::{Store, StoreError};

/// For how long it is remembered that answers to a variant are not for keeping.
const PASS_FOR: Duration = Duration::from_secs(2);

/// The cache of one process.
#[derive(Debug)]
pub struct Cache {
    tags: Tags,
    settings: Settings,
    memory: Arc<Memory>,
    fills: Arc<Fills>,
    /// Whether the store's generations are known: before, nothing of the store's is used.
    informed: AtomicBool,
    collecting: Arc<AtomicUsize>,
    owed: Arc<Owed>,
}

/// How much a process keeps, under whichever configuration.
#[derive(Clone, Debug)]
pub struct Usage(Arc<Memory>);

/// What tells answers of one route apart, beside their targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Fields that tell variants whatever `Vary` says.
    pub fields: Box<[HeaderName]>,
    /// What its answers are purged by.
    pub tags: Box<[Tag]>,
    /// Variants of one target kept at a time.
    pub variants: u32,
}

/// What there is for a request.
#[derive(Debug)]
pub struct Look {
    /// The answer, in whatever state.
    pub entry: Option<Arc<Entry>>,
    /// Whether answers are known not to be for keeping.
    pub pass: bool,
    id: VariantId,
    names: Box<[HeaderName]>,
}

/// What to do about a miss.
#[derive(Debug)]
pub enum Turn {
    /// Ask the origin.
    Fill(Box<Fill>),
    /// Somebody does.
    Wait(Wait),
}

/// Somebody else's fill.
#[derive(Debug)]
pub struct Wait(tokio::sync::watch::Receiver<State>);

/// What came of waiting.
#[derive(Debug)]
pub enum Waited {
    /// An answer; whether it is this request's variant is to be seen.
    Done(Arc<Entry>),
    /// The origin fails; this is what there is.
    Failed(Arc<Entry>),
    /// It is not for keeping, or did not come in time.
    Pass,
    /// Nobody asks any more.
    Again,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            memory: Arc::new(Memory::new(settings.memory, settings.max_object)),
            fills: Arc::default(),
            tags: Tags::new(&settings.tags),
            informed: AtomicBool::new(false),
            collecting: Arc::default(),
            owed: Arc::default(),
            settings,
        })
    }

    /// The same cache under another configuration, with all it keeps. Its size stays as it was.
    #[must_use]
    pub fn renewed(&self, settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            tags: self.tags.renewed(&settings.tags),
            settings: settings.clone(),
            memory: Arc::clone(&self.memory),
            fills: Arc::clone(&self.fills),
            // A tag that is new here may have been purged elsewhere.
            informed: AtomicBool::new(false),
            collecting: Arc::clone(&self.collecting),
            owed: Arc::clone(&self.owed),
        })
    }

    /// How much it keeps.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage(Arc::clone(&self.memory))
    }

    /// How it is configured.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The tag of this name, if it is configured.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<Tag> {
        self.tags.find(name)
    }

    /// What there is in this process for a request with `headers`.
    #[must_use]
    pub fn look(&self, target: &Digest, class: &Class, headers: &HeaderMap) -> Look {
        let looked = self.memory.look(target, &class.fields, headers);
        let (entry, pass) = match looked.found {
            Found::Entry(entry) if self.is_of_use(&entry) => (Some(entry), false),
            Found::Pass => (None, true),
            Found::Entry(_) | Found::Nothing => (None, false),
        };
        Look {
            entry,
            pass,
            id: VariantId {
                target: *target,
                variant: looked.variant,
            },
            names: looked.names,
        }
    }

    fn is_of_use(&self, entry: &Entry) -> bool {
        self.tags.holds(&entry.stamp) && entry.age() < entry.terms.keep_for
    }

    /// Begins to fill what `look` did not find, or finds who does. `store` is the shared tier, if there is one.
    #[must_use]
    pub fn begin(self: &Arc<Self>, look: &Look, class: &Class, store: Option<&Store>) -> Turn {
        match self.fills.begin(look.id) {
            Begun::Later(state) => Turn::Wait(Wait(state)),
            Begun::First(underway) => {
                let store = store.filter(|_| self.informed.load(Ordering::Acquire));
                let stamp = self.tags.stamp(&class.tags);
                let fill = Fill::new(self, underway, look.names.clone(), stamp, store.cloned());
                Turn::Fill(Box::new(fill))
            }
        }
    }

    /// Whether the answer to somebody who looked for the same variant is an answer to who looked.
    #[must_use]
    pub fn selects(look: &Look, entry: &Entry) -> bool {
        // Told by other fields than those known then, it may be another variant: look again.
        *look.names == *entry.vary
    }

    /// Purges a target in the whole fleet; here at once, whatever the store says.
    ///
    /// # Errors
    /// The others may not know. It is told again until they do.
    pub async fn purge_target(
        &self,
        store: Option<&Store>,
        target: &Digest,
    ) -> Result<(), StoreError> {
        self.hear_target(target);
        let Some(store) = store else { return Ok(()) };
        let told = store.purge_target(target).await;
        if told.is_err() {
            self.owed.target(*target);
        }
        told
    }

    /// Purges everything under a tag in the whole fleet; here at once, whatever the store says.
    ///
    /// # Errors
    /// The others may not know. It is told again until they do.
    pub async fn purge_tag(&self, store: Option<&Store>, tag: Tag) -> Result<(), StoreError> {
        self.tags.void(tag);
        let Some(store) = store else { return Ok(()) };
        match store.purge_tag(self.tags.name(tag)).await {
            Ok(generation) => {
                self.tags.learn(self.tags.name(tag), generation);
                Ok(())
            }
            Err(error) => {
                self.owed.tag(tag);
                Err(error)
            }
        }
    }

    fn hear_target(&self, target: &Digest) {
        // First what is under way, so that it cannot be kept after what is here is gone.
        self.fills.void(target);
        self.memory.forget(target);
    }
}

impl Usage {
    /// Bytes kept, what it costs to keep them included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// Answers kept, and places without one.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.0.entries()
    }

    /// Answers pushed out so far.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.0.evictions()
    }
}

impl Wait {
    /// Waits for the fill's end, until `deadline`.
    pub async fn ended(mut self, deadline: Instant) -> Waited {
        let ended = self.0.wait_for(|state| !matches!(state, State::Filling));
        match timeout_at(deadline, ended).await {
            Ok(Ok(state)) => match &*state {
                State::Done(entry) => Waited::Done(Arc::clone(entry)),
                State::Failed(entry) => Waited::Failed(Arc::clone(entry)),
                State::Pass => Waited::Pass,
                State::Filling | State::Abandoned => Waited::Again,
            },
            Ok(Err(_)) => Waited::Again,
            Err(_) => Waited::Pass,
        }
    }
}
