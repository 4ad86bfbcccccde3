//! Keys that were handed out: known from a file, or asked of the shared store.
//!
//! Guarantees: a key is looked up by its SHA-256, so that how long it takes says nothing of the keys there are; what the store said holds
//! for seconds, and one question is asked of it at a time for each key; without the store its last answer counts. Must not: keep a key.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use foldhash::fast::RandomState;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use hashbrown::HashMap;
use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{HeaderName, Uri};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::identity::{Identity, Maker};
use super::recall::{Mark, Recall};
use super::{Found, Why};
use crate::proxy::settings::{ApiKeysSettings, OnFailure};
use crate::proxy::spans;
use crate::store::{KeyRecord, Store, StoreError};
use crate::telemetry::traces::Trace;

/// No key is longer.
const LONGEST_KEY: usize = 512;
/// How long an answer of the store holds: a key that is withdrawn ends that late.
const HOLDS: Duration = Duration::from_secs(5);
/// How long the last answer counts while the store is lost.
const LAST_KNOWN: Duration = Duration::from_secs(600);
/// Answers kept, of either kind: strangers cannot push out those who are known.
const REMEMBERED: usize = 4_096;
/// Questions under way.
const MOST_FLIGHTS: usize = 1_024;

type Known = (Rc<Identity>, Option<u64>);
type Flight = Shared<LocalBoxFuture<'static, Result<Option<KeyRecord>, StoreError>>>;

/// Keys of one way.
#[derive(Debug)]
pub(super) struct ApiKeys {
    settings: ApiKeysSettings,
    maker: Maker,
    file: HashMap<Mark, Known, RandomState>,
    store: Option<Asked>,
}

/// What is asked of the store.
struct Asked {
    store: Store,
    known: Recall<Known>,
    strangers: Recall<()>,
    flights: RefCell<HashMap<Mark, Flight, RandomState>>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

impl ApiKeys {
    pub(super) fn new(settings: &ApiKeysSettings, maker: Maker, store: &Store) -> Self {
        let known = |key: &crate::proxy::settings::EnrolledKey| {
            let identity = somebody(&maker, key.id.as_ref(), key.plan.as_deref());
            (key.hash, (identity, key.expires))
        };
        Self {
            file: settings.keys.iter().map(known).collect(),
            settings: settings.clone(),
            maker,
            store: settings.store.then(|| Asked {
                store: store.clone(),
                known: Recall::new(REMEMBERED),
                strangers: Recall::new(REMEMBERED),
                flights: RefCell::default(),
            }),
        }
    }

    pub(super) async fn look(&self, head: &Head, trace: &mut Trace) -> Found {
        let key = match self.shown(head) {
            Ok(Some(key)) => key,
            Ok(None) => return Found::Nothing,
            Err(why) => return Found::Bad(why),
        };
        if key.is_empty() || key.len() > LONGEST_KEY {
            return Found::Bad(Why::Invalid);
        }
        let mark: Mark = Sha256::digest(key).into();
        if let Some(known) = self.file.get(&mark) {
            return current(known);
        }
        match &self.store {
            Some(asked) => self.ask(asked, mark, trace).await,
            None => Found::Unknown(Why::Invalid),
        }
    }

    /// The key in a request: in the header or the query, once.
    fn shown<'a>(&self, head: &'a Head) -> Result<Option<&'a [u8]>, Why> {
        let mut only = None;
        for value in head.headers.get_all(&self.settings.header) {
            if only.replace(value.as_bytes()).is_some() {
                return Err(Why::Ambiguous);
            }
        }
        for value in self
            .parameter()
            .map_or_else(Vec::new, |name| values(&head.uri, name))
        {
            if only.replace(value.as_bytes()).is_some() {
                return Err(Why::Ambiguous);
            }
        }
        Ok(only)
    }

    async fn ask(&self, asked: &Asked, mark: Mark, trace: &mut Trace) -> Found {
        let now = Instant::now();
        if let Some(known) = asked.known.get(&mark, now) {
            return current(&known);
        }
        if asked.strangers.get(&mark, now).is_some() {
            return Found::Unknown(Why::Invalid);
        }
        let answer = asked.fly(mark).await;
        if trace.is_recording() {
            let told = spans::store(&asked.store, "recognise", "API key", now, answer.is_ok());
            trace.called(None, told);
        }
        match answer {
            Ok(Some(record)) => {
                let identity = somebody(&self.maker, &record.id, record.plan.as_deref());
                let known = (identity, record.expires);
                asked
                    .known
                    .keep(mark, known.clone(), Instant::now() + HOLDS);
                current(&known)
            }
            Ok(None) => {
                asked.known.forget(&mark);
                asked.strangers.keep(mark, (), Instant::now() + HOLDS);
                Found::Unknown(Why::Invalid)
            }
            Err(_) => self.without_store(asked, &mark, now),
        }
    }

    fn without_store(&self, asked: &Asked, mark: &Mark, now: Instant) -> Found {
        if let Some((known, until)) = asked.known.last(mark)
            && now < until + LAST_KNOWN
        {
            return current(&known);
        }
        if let Some(((), until)) = asked.strangers.last(mark)
            && now < until + LAST_KNOWN
        {
            return Found::Unknown(Why::Invalid);
        }
        match self.settings.on_failure {
            OnFailure::Deny => Found::Unavailable,
            OnFailure::Allow => Found::Unchecked,
        }
    }

    /// The header a key comes in.
    pub(super) const fn header(&self) -> &HeaderName {
        &self.settings.header
    }

    /// The query parameter a key may be in.
    pub(super) fn parameter(&self) -> Option<&str> {
        self.settings.query.as_deref()
    }
}

impl Asked {
    /// Asks, or joins who asks already.
    async fn fly(&self, mark: Mark) -> Result<Option<KeyRecord>, StoreError> {
        let flight = {
            let mut flights = self.flights.borrow_mut();
            if flights.len() >= MOST_FLIGHTS && !flights.contains_key(&mark) {
                return Err(StoreError::Overloaded);
            }
            let begin = || {
                let store = self.store.clone();
                let question = async move { store.recognise(&mark).await };
                question.boxed_local().shared()
            };
            flights.entry(mark).or_insert_with(begin).clone()
        };
        let _landed = Landed(self, mark);
        flight.await
    }
}

/// Whoever is done first, or leaves, ends the flight for those who come later.
struct Landed<'a>(&'a Asked, Mark);

impl Drop for Landed<'_> {
    fn drop(&mut self) {
        self.0.flights.borrow_mut().remove(&self.1);
    }
}

fn somebody(maker: &Maker, id: &str, plan: Option<&str>) -> Rc<Identity> {
    let mut identity = maker.make(Some(id.into()), plan.map(Into::into));
    identity.by_key = true;
    Rc::new(identity)
}

fn current((identity, expires): &Known) -> Found {
    match expires {
        Some(end) if *end <= jsonwebtoken::get_current_timestamp() => Found::Bad(Why::Expired),
        _ => Found::Somebody(Rc::clone(identity)),
    }
}

/// What the query says of `name`, as it is written.
fn values<'a>(uri: &'a Uri, name: &str) -> Vec<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let values = pairs.filter_map(|pair| match pair.split_once('=') {
        Some((key, value)) => (key == name).then_some(value),
        None => (pair == name).then_some(""),
    });
    values.collect()
}

/// A target without one parameter of its query.
pub(super) fn without(target: &PathAndQuery, name: &str) -> Option<PathAndQuery> {
    let query = target.query()?;
    let is_it = |pair: &&str| pair.split('=').next() == Some(name);
    if !query.split('&').any(|pair| is_it(&pair)) {
        return None;
    }
    let rest: Vec<_> = query.split('&').filter(|pair| !is_it(pair)).collect();
    let path = target.path();
    let text = if rest.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", rest.join("&"))
    };
    text.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_out_and_the_rest_left() {
        let without = |text: &str| {
            let target: PathAndQuery = text.parse().unwrap();
            without(&target, "key").map(|rest| rest.to_string())
        };
        assert_eq!(without("/a?x=1&key=2&y=%26"), Some("/a?x=1&y=%26".into()));
        assert_eq!(without("/a?key=2"), Some("/a".into()));
        assert_eq!(without("/a?key=1&key=2&z"), Some("/a?z".into()));
        assert_eq!(without("/a?keys=1"), None);
        assert_eq!(without("/a"), None);
    }
}
