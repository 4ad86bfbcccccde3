//! Which endpoints an upstream has and which of them may be asked, for the whole process.
//!
//! Guarantees: every change of either raises [`Membership::generation`], so that a worker learns of it with one load a request and
//! makes its own view once a change; changes come one at a time. Must not: choose, connect or wait.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use super::member::{Member, MemberSnapshot, Members};
use super::settings::{EndpointSettings, Settings};
use crate::policy::balance::ejection::EjectionSpec;
use crate::policy::ids::UpstreamName;
use crate::policy::units::Micros;

/// The most endpoints of one upstream, those of names included: what a name leads to beyond it is left out.
pub(super) const MAX_MEMBERS: usize = 1_000;

/// What happened to an endpoint.
#[derive(Clone, Debug)]
pub enum Change {
    /// Its name led to it for the first time.
    Added,
    /// Its name no longer leads to it.
    Removed,
    /// Active checks failed.
    Unhealthy(String),
    /// Active checks pass again.
    Healthy,
    /// It failed too often: left out for so long.
    Ejected(Micros, String),
    /// Its time out is over.
    Returned,
    /// A name has no addresses to be had; the last known stay.
    Unresolved(String),
}

/// Told of every change, with the endpoint's name.
pub type Hook = Arc<dyn Fn(&UpstreamName, &str, &Change) + Send + Sync>;

/// One upstream's endpoints.
pub struct Membership {
    settings: Settings,
    started: Instant,
    generation: AtomicU64,
    members: ArcSwap<Members>,
    /// Held for a change; the number the next new member gets.
    next_id: Mutex<u64>,
    changed: watch::Sender<()>,
    hook: Hook,
}

impl Membership {
    /// The endpoints as configured; a name stands for itself until it is resolved.
    #[must_use]
    pub fn new(settings: &Settings, hook: &Hook) -> Arc<Self> {
        let numbered = (0_u64..).zip(&settings.endpoints);
        let list = numbered.map(|(id, one)| Arc::new(Member::new(id, one, None, None)));
        let members = Members::new(list.collect(), settings);
        Arc::new(Self {
            settings: settings.clone(),
            started: Instant::now(),
            generation: AtomicU64::new(0),
            next_id: Mutex::new(members.list.len() as u64),
            members: ArcSwap::from_pointee(members),
            changed: watch::Sender::new(()),
            hook: Arc::clone(hook),
        })
    }

    /// Nobody will ask for these endpoints any more: what looks after them ends.
    pub(super) fn close(&self) {
        self.members().list.iter().for_each(|one| one.retire());
    }

    /// The upstream as configured.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every endpoint, as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<MemberSnapshot> {
        let members = self.members();
        members.list.iter().map(|one| one.snapshot()).collect()
    }

    /// Calls `visit` with every endpoint.
    pub fn visit(&self, visit: impl FnMut(&Arc<Member>)) {
        self.members().list.iter().for_each(visit);
    }

    /// Grows with every change of who is there and of who may be asked.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// Time since the start of the process, more or less: what members' moments are counted in.
    pub(super) fn now(&self) -> Micros {
        Micros::from(self.started.elapsed())
    }

    /// Hears of changes; for the background, workers look at the generation.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self, endpoint: &str, change: &Change) {
        (self.hook)(&self.settings.name, endpoint, change);
    }

    /// The name of the configured endpoint number `place` leads to these addresses and no others.
    pub(super) fn resolved(&self, place: usize, addresses: &[SocketAddr]) {
        let Some(named) = self.settings.endpoints.get(place) else {
            return;
        };
        let mut next_id = self.turn();
        let old = self.members();
        let (own, others): (Vec<_>, Vec<_>) = old
            .list
            .iter()
            .cloned()
            .partition(|one| one.settings == *named);
        let room = MAX_MEMBERS.saturating_sub(others.len());
        let first_new = *next_id;
        let mut list = others;
        list.extend(self.at(named, &own, addresses.iter().take(room), &mut next_id));
        let added: Vec<_> = list
            .iter()
            .filter(|one| one.id >= first_new)
            .cloned()
            .collect();
        let stays = |one: &Arc<Member>| list.iter().any(|other| other.id == one.id);
        let removed: Vec<_> = own.into_iter().filter(|one| !stays(one)).collect();
        if added.is_empty() && removed.is_empty() {
            return;
        }
        removed.iter().for_each(|one| one.retire());
        self.members
            .store(Arc::new(Members::new(list, &self.settings)));
        self.publish();
        drop(next_id);
        removed
            .iter()
            .for_each(|one| self.tell(one.label(), &Change::Removed));
        added
            .iter()
            .for_each(|one| self.tell(one.label(), &Change::Added));
    }

    /// A member for each of the addresses of `named`: those of `own` that are there already, and new ones.
    fn at<'a>(
        &self,
        named: &EndpointSettings,
        own: &[Arc<Member>],
        addresses: impl Iterator<Item = &'a SocketAddr>,
        next_id: &mut u64,
    ) -> Vec<Arc<Member>> {
        // What takes the place of the unresolved name was there all along: nothing to warm up.
        let is_first = own.iter().all(|one| one.address.is_none());
        let ramps_from = (!is_first).then(|| self.now());
        let member = |address: &SocketAddr| {
            let mut known = own.iter().filter(|one| one.address == Some(*address));
            known.next().cloned().unwrap_or_else(|| {
                let id = *next_id;
                *next_id += 1;
                Arc::new(Member::new(id, named, Some(*address), ramps_from))
            })
        };
        addresses.map(member).collect()
    }

    /// Active checks have made up their mind.
    pub(super) fn checked(&self, member: &Member, verdict: Result<(), &str>) {
        let turn = self.turn();
        let mut state = member.state();
        state.unhealthy = verdict.is_err();
        state.moved();
        let change = match verdict {
            Ok(()) => {
                state.ramps_from = Some(self.now());
                Change::Healthy
            }
            Err(error) => {
                state.note(error);
                Change::Unhealthy(error.to_owned())
            }
        };
        drop(state);
        self.publish();
        drop(turn);
        self.tell(member.label(), &change);
    }

    /// A request to `member` failed.
    pub(super) fn failed(&self, member: &Member, error: &dyn fmt::Display) {
        let Some(spec) = &self.settings.balance.ejection else {
            return;
        };
        // Where it cannot be left out, because too many are, not every further failure needs to ask again.
        if member.failed().is_multiple_of(spec.failures) {
            self.eject(member, spec, &error.to_string());
        }
    }

    fn eject(&self, member: &Member, spec: &EjectionSpec, error: &str) {
        let turn = self.turn();
        let members = self.members();
        let is_out = |one: &&Arc<Member>| one.state().ejected_until.is_some();
        let ejected = members.list.iter().filter(is_out).count();
        let mut state = member.state();
        state.note(error);
        if state.ejected_until.is_some()
            || member.is_retired()
            || !spec.allows(ejected, members.list.len())
        {
            return;
        }
        let now = self.now();
        state.times = spec.times(state.times, now.saturating_sub(state.returned));
        let span = spec.span(state.times);
        state.ejected_until = Some(now.saturating_add(span));
        state.moved();
        drop(state);
        member.ejected();
        self.publish();
        drop(turn);
        self.tell(member.label(), &Change::Ejected(span, error.to_owned()));
    }

    /// Takes back those whose time out is over; when the next one's is.
    pub(super) fn take_back(&self) -> Option<Duration> {
        let turn = self.turn();
        let now = self.now();
        let members = self.members();
        let mut next: Option<Micros> = None;
        let mut back = Vec::new();
        for member in &members.list {
            let mut state = member.state();
            match state.ejected_until {
                Some(until) if until <= now => {
                    state.ejected_until = None;
                    state.returned = now;
                    state.ramps_from = Some(now);
                    state.moved();
                    back.push(member);
                }
                Some(until) => next = Some(next.map_or(until, |next| next.min(until))),
                None => {}
            }
        }
        if !back.is_empty() {
            self.publish();
        }
        drop(turn);
        back.iter()
            .for_each(|one| self.tell(one.label(), &Change::Returned));
        next.map(|until| until.saturating_sub(now).to_duration())
    }

    fn publish(&self) {
        self.generation.fetch_add(1, Ordering::Release);
        self.changed.send_replace(());
    }

    fn turn(&self) -> MutexGuard<'_, u64> {
        self.next_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("upstream", &self.settings.name)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}
