//! One thread's view of an upstream: the endpoints that may be asked, and which is next.
//!
//! Guarantees: made anew only when the membership's generation moves, or on a tick while an endpoint warms up; a choice reads no
//! clock, takes no lock and touches nothing that threads share. Must not: change how an endpoint fares.
//!
//! Load is what this thread has in flight at an endpoint. A count of the whole process would be a cache line that every request of
//! every thread writes twice; and where each thread keeps its own requests even, their sum is even.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::endpoint::Endpoint;
use super::member::{Member, Members};
use super::membership::Membership;
use super::settings::{Rule, Settings};
use crate::policy::balance::{Draw, Turns, Weight, is_less_loaded, is_panic, mix, ramp};
use crate::policy::units::Micros;

/// Points of the ring looked at before all endpoints are asked for their rank: only where nearly none may be asked.
const LONGEST_WALK: usize = 256;

/// What a request says about where it would like to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickHint<'a> {
    /// The hash of what the upstream's `hash_key` names; none where it has no such thing: then the less loaded of two is taken.
    pub hash: Option<u64>,
    /// Endpoints this request has tried.
    pub tried: &'a [Rc<Endpoint>],
}

impl PickHint<'_> {
    fn has_tried(&self, endpoint: &Rc<Endpoint>) -> bool {
        self.tried
            .iter()
            .any(|one| one.member().id == endpoint.member().id)
    }
}

/// The endpoints as one thread sees them.
#[derive(Debug)]
pub(super) struct View {
    generation: u64,
    /// Every endpoint, in the order of the members.
    all: Vec<Rc<Endpoint>>,
    /// Those that may be asked, and what each weighs now.
    usable: Vec<Rc<Endpoint>>,
    weights: Vec<Weight>,
    is_moving: bool,
    order: Order,
}

/// How the next of the usable endpoints is found.
#[derive(Debug)]
enum Order {
    Turns(Turns),
    /// In turn, but drawn by weight: while one warms up weights change faster than a cycle of turns ends.
    Drawn(Draw),
    LeastLoaded(Draw),
    Hash(Box<Hash>),
}

#[derive(Debug)]
struct Hash {
    members: Arc<Members>,
    /// Of each member, the share of its keys it gets, of [`ramp::WHOLE`]; 0 where it may not be asked.
    shares: Vec<u32>,
    bound: Option<f64>,
    total: f64,
    /// For requests without a key.
    keyless: Draw,
}

impl View {
    pub(super) fn new(
        membership: &Membership,
        known: &[Rc<Endpoint>],
        load: &Rc<Cell<usize>>,
        offset: usize,
    ) -> Self {
        // Before anything is read: a change in between is seen the next time.
        let generation = membership.generation();
        let settings = membership.settings();
        let members = membership.members();
        let all = endpoints(&members, settings, known, load);
        let shares = shares(&members, settings, membership.now());
        let asked = all.iter().zip(&shares).filter(|(_, share)| **share > 0);
        let usable: Vec<_> = asked.clone().map(|(one, _)| Rc::clone(one)).collect();
        let is_moving = shares.iter().any(|share| (1..ramp::WHOLE).contains(share));
        let weights: Vec<Weight> = asked
            .map(|(one, share)| match is_moving {
                true => ramp::scaled(one.weight(), *share),
                false => one.weight(),
            })
            .collect();
        let order = match &settings.balance.rule {
            Rule::RoundRobin if is_moving => Order::Drawn(Draw::new(&weights)),
            Rule::RoundRobin => Order::Turns(Turns::new(&weights, offset)),
            Rule::LeastLoaded => Order::LeastLoaded(Draw::new(&weights)),
            Rule::Hash { bound, .. } => {
                let keyless = Draw::new(&weights);
                Order::Hash(Box::new(Hash::new(members, shares, *bound, keyless)))
            }
        };
        Self {
            generation,
            all,
            usable,
            weights,
            is_moving,
            order,
        }
    }

    /// The same again, as things are now. Turns go on somewhere: threads that began at different places should not meet here.
    pub(super) fn renew(&mut self, membership: &Membership, load: &Rc<Cell<usize>>) {
        let offset = fastrand::usize(..self.all.len().max(1));
        *self = Self::new(membership, &self.all, load, offset);
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether an endpoint is warming up, so that weights change by themselves.
    pub(super) const fn is_moving(&self) -> bool {
        self.is_moving
    }

    pub(super) fn endpoints(&self) -> &[Rc<Endpoint>] {
        &self.all
    }

    /// The next endpoint; `load` is what this thread has in flight at all of them.
    pub(super) fn pick(&mut self, hint: PickHint<'_>, load: usize) -> Option<Rc<Endpoint>> {
        let place = match (&mut self.order, hint.hash) {
            (Order::Turns(turns), _) => turns.take(self.usable.len()),
            (Order::Drawn(draw), _) => draw.one(fastrand::u64(..)),
            (Order::LeastLoaded(draw), _) => less_loaded(draw, &self.usable, &self.weights),
            (Order::Hash(by), Some(hash)) => {
                return by.pick(&self.all, &hint, hash, load).cloned();
            }
            (Order::Hash(by), None) => less_loaded(&by.keyless, &self.usable, &self.weights),
        };
        self.untried(place, &hint).cloned()
    }

    /// The endpoint at `place`, or the next one that the request has not tried; where it has tried all, the one at `place`.
    fn untried(&self, place: usize, hint: &PickHint<'_>) -> Option<&Rc<Endpoint>> {
        let chosen = self.usable.get(place)?;
        if !hint.has_tried(chosen) {
            return Some(chosen);
        }
        let (before, after) = self.usable.split_at(place);
        let mut others = after.iter().chain(before);
        others.find(|one| !hint.has_tried(one)).or(Some(chosen))
    }
}

fn less_loaded(draw: &Draw, usable: &[Rc<Endpoint>], weights: &[Weight]) -> usize {
    let (one, other) = draw.two((fastrand::u64(..), fastrand::u64(..)));
    let load = |place: usize| Some((usable.get(place)?.in_flight(), *weights.get(place)?));
    match (load(one), load(other)) {
        (Some(first), Some(second)) if is_less_loaded(second, first) => other,
        _ => one,
    }
}

impl Hash {
    fn new(members: Arc<Members>, shares: Vec<u32>, bound: Option<f64>, keyless: Draw) -> Self {
        let usable = members.list.iter().zip(&shares);
        let usable = usable.filter(|(_, share)| **share > 0);
        let total = usable.map(|(one, _)| f64::from(one.settings.weight)).sum();
        Self {
            members,
            shares,
            bound,
            total,
            keyless,
        }
    }

    fn pick<'a>(
        &self,
        all: &'a [Rc<Endpoint>],
        hint: &PickHint<'_>,
        hash: u64,
        load: usize,
    ) -> Option<&'a Rc<Endpoint>> {
        let ring = self.members.ring.as_ref()?;
        let takes = |place: &usize| self.takes(*place, all, hash, load, hint);
        let found = ring.walk(hash).take(LONGEST_WALK).find(takes);
        if let Some(place) = found {
            return all.get(place);
        }
        // Every endpoint's rank for this key: as stable as the ring, and dear only where hardly any is left.
        let ranked = all.iter().zip(&self.shares);
        let usable = ranked.filter(|(_, share)| **share > 0);
        usable
            .map(|(one, _)| one)
            .max_by_key(|one| (!hint.has_tried(one), mix(hash ^ one.member().key)))
    }

    /// Whether the endpoint may be asked, has not been, takes this key already and is not full.
    fn takes(
        &self,
        place: usize,
        all: &[Rc<Endpoint>],
        hash: u64,
        load: usize,
        hint: &PickHint<'_>,
    ) -> bool {
        let (Some(endpoint), Some(share)) = (all.get(place), self.shares.get(place)) else {
            return false;
        };
        // A key that a warming endpoint takes it keeps: the share only grows.
        let gate = mix(hash ^ endpoint.member().key) % u64::from(ramp::WHOLE);
        if gate >= u64::from(*share) || hint.has_tried(endpoint) {
            return false;
        }
        self.bound.is_none_or(|bound| {
            let fair = (load + 1) as f64 * f64::from(endpoint.weight()) / self.total;
            (endpoint.in_flight() as f64) < (fair * bound).ceil()
        })
    }
}

/// An endpoint for each member: those of before keep their connections.
fn endpoints(
    members: &Members,
    settings: &Settings,
    known: &[Rc<Endpoint>],
    load: &Rc<Cell<usize>>,
) -> Vec<Rc<Endpoint>> {
    let known: BTreeMap<u64, &Rc<Endpoint>> =
        known.iter().map(|one| (one.member().id, one)).collect();
    let endpoint = |member: &Arc<Member>| match known.get(&member.id) {
        Some(known) => Rc::clone(known),
        None => Rc::new(Endpoint::new(member, settings, load)),
    };
    members.list.iter().map(endpoint).collect()
}

/// Of each member, the share it gets of what its weight says, of [`ramp::WHOLE`]; 0 where it may not be asked.
fn shares(members: &Members, settings: &Settings, now: Micros) -> Vec<u32> {
    let usable = |member: &&Arc<Member>| member.is_usable();
    let count = members.list.iter().filter(usable).count();
    let all = members.list.len();
    if is_panic(count, all, settings.balance.panic_threshold) {
        return vec![ramp::WHOLE; all];
    }
    let slow_start = Micros::from(settings.balance.slow_start);
    let share = |member: &Arc<Member>| match member.ramp_start() {
        _ if !member.is_usable() => 0,
        Some(start) => ramp::share(now.saturating_sub(start), slow_start),
        None => ramp::WHOLE,
    };
    members.list.iter().map(share).collect()
}
