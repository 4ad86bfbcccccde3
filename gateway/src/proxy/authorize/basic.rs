//! Names and passwords: RFC 7617, for a handful of users.
//!
//! Guarantees: bcrypt runs beside the data plane, a few at a time; what it said is remembered shortly, by a salted hash; a name nobody
//! has costs as much as a wrong password. Must not: keep a password.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::identity::{Identity, Maker};
use super::recall::Recall;
use super::{Found, Why, authorization};
use crate::proxy::settings::BasicSettings;

/// How long a password that was right is taken for right.
const RIGHT: Duration = Duration::from_secs(300);
/// How long one that was wrong is taken for wrong.
const WRONG: Duration = Duration::from_secs(10);
const REMEMBERED: usize = 1_024;
/// Passwords checked at a time by one thread's requests: each takes a core for as long as its hash was made to.
const AT_A_TIME: usize = 2;
/// Requests that may wait for that.
const WAITING: usize = 64;

/// Users.
#[derive(Debug)]
pub(super) struct Basic {
    users: BTreeMap<Arc<str>, (Arc<str>, Rc<Identity>)>,
    /// Stands for the hash of those who are not there.
    nobody: Arc<str>,
    right: Recall<Rc<Identity>>,
    wrong: Recall<()>,
    turns: Semaphore,
    waiting: Semaphore,
}

impl Basic {
    pub(super) fn new(settings: &BasicSettings, maker: &Maker) -> Self {
        let user = |(name, hash): &(Arc<str>, Arc<str>)| {
            let identity = Rc::new(maker.make(Some(Arc::clone(name)), None));
            (Arc::clone(name), (Arc::clone(hash), identity))
        };
        let nobody = settings.users.first().map(|(_, hash)| Arc::clone(hash));
        Self {
            users: settings.users.iter().map(user).collect(),
            nobody: nobody.unwrap_or_default(),
            right: Recall::new(REMEMBERED),
            wrong: Recall::new(REMEMBERED),
            turns: Semaphore::new(AT_A_TIME),
            waiting: Semaphore::new(WAITING),
        }
    }

    pub(super) async fn look(&self, headers: &HeaderMap) -> Found {
        let encoded = match authorization(headers, "basic") {
            Ok(Some(encoded)) => encoded,
            Ok(None) => return Found::Nothing,
            Err(why) => return Found::Bad(why),
        };
        let Ok(pair) = STANDARD.decode(encoded) else {
            return Found::Bad(Why::Invalid);
        };
        let (mark, now) = (self.right.mark(&pair), Instant::now());
        if let Some(identity) = self.right.get(&mark, now) {
            return Found::Somebody(identity);
        }
        if self.wrong.get(&mark, now).is_some() {
            return Found::Bad(Why::Invalid);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Found::Unavailable;
        };
        let Some(identity) = self.check(&pair).await else {
            self.wrong.keep(mark, (), Instant::now() + WRONG);
            return Found::Bad(Why::Invalid);
        };
        let until = Instant::now() + RIGHT;
        self.right.keep(mark, Rc::clone(&identity), until);
        Found::Somebody(identity)
    }

    async fn check(&self, pair: &[u8]) -> Option<Rc<Identity>> {
        let at = pair.iter().position(|byte| *byte == b':')?;
        let (name, password) = (std::str::from_utf8(&pair[..at]).ok()?, &pair[at + 1..]);
        let user = self.users.get(name);
        let hash = Arc::clone(user.map_or(&self.nobody, |(hash, _)| hash));
        let password = password.to_vec();
        let _turn = self.turns.acquire().await.ok()?;
        let check = move || bcrypt::non_truncating_verify(password, &hash).unwrap_or(false);
        let right = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        user.filter(|_| right)
            .map(|(_, identity)| Rc::clone(identity))
    }
}
