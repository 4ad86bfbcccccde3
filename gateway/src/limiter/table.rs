//! The bounded map from a client under a limit to what is remembered of it.
//!
//! Guarantees: never more entries than its bound; making room looks at a fixed number of entries, however full the map is; an
//! entry with a call under way stays at its place. Must not: decide what is done with an entry that had to go.

use std::hash::BuildHasher;
use std::mem;
use std::rc::Rc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use tokio::time::Instant;

use super::entry::Entry;
use super::policies::Policy;
use crate::policy::ids::ClientId;

/// How many entries are looked at to find one that may go.
const LOOKED_AT: usize = 32;

/// One entry and whose it is.
#[derive(Debug)]
pub(super) struct Slot {
    hash: u64,
    pub(super) policy: Rc<Policy>,
    pub(super) client: ClientId,
    pub(super) entry: Entry,
}

/// Where an entry is. Good for as long as a call for it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

/// The map. Evicts by second chance: a hand goes round, and what was asked about since it last passed stays once more.
#[derive(Debug)]
pub(super) struct Table {
    index: HashTable<Place>,
    slots: Vec<Option<Slot>>,
    vacant: Vec<Place>,
    hand: usize,
    bound: usize,
    // Seeded: clients choose the keys.
    hasher: RandomState,
}

impl Table {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            hand: 0,
            bound: bound.clamp(1, u32::MAX as usize),
            hasher: RandomState::default(),
        }
    }

    pub(super) fn hash(&self, policy: &Policy, client: &ClientId) -> u64 {
        self.hasher.hash_one((policy.id, client))
    }

    /// Where the entry of `client` under `policy` is.
    pub(super) fn find(&self, hash: u64, policy: &Rc<Policy>, client: &ClientId) -> Option<Place> {
        let is_it = |place: &Place| {
            self.slots[place.0 as usize].as_ref().is_some_and(|slot| {
                slot.hash == hash && Rc::ptr_eq(&slot.policy, policy) && slot.client == *client
            })
        };
        self.index.find(hash, is_it).copied()
    }

    /// What is at `place`.
    pub(super) fn at(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(place.0 as usize)?.as_mut()
    }

    /// Makes an entry, and says which one had to go for it. Nothing when none may go.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        policy: &Rc<Policy>,
        client: &ClientId,
        now: Instant,
    ) -> Option<(Place, Option<Slot>)> {
        let (place, evicted) = self.room(now)?;
        self.slots[place.0 as usize] = Some(Slot {
            hash,
            policy: Rc::clone(policy),
            client: client.clone(),
            entry: Entry::new(now),
        });
        let slots = &self.slots;
        let rehash = |place: &Place| slots[place.0 as usize].as_ref().map_or(0, |slot| slot.hash);
        self.index.insert_unique(hash, place, rehash);
        Some((place, evicted))
    }

    /// Takes out what `goes`, but never an entry with a call under way.
    pub(super) fn remove(&mut self, goes: impl Fn(&Slot) -> bool) -> Vec<Slot> {
        let mut removed = Vec::new();
        for index in 0..self.slots.len() {
            let going = self.slots[index]
                .as_ref()
                .is_some_and(|slot| !slot.entry.is_pinned() && goes(slot));
            if going {
                let place = Place(index as u32);
                removed.extend(self.take(place));
                self.vacant.push(place);
            }
        }
        removed
    }

    /// Every entry there is.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().flatten()
    }

    /// The entries of at most `count` places from `from` on.
    pub(super) fn some_mut(
        &mut self,
        from: usize,
        count: usize,
    ) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().skip(from).take(count).flatten()
    }

    /// How many places there are, vacant ones too.
    pub(super) const fn places(&self) -> usize {
        self.slots.len()
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    fn room(&mut self, now: Instant) -> Option<(Place, Option<Slot>)> {
        if let Some(place) = self.vacant.pop() {
            return Some((place, None));
        }
        if self.slots.len() < self.bound {
            let place = Place(u32::try_from(self.slots.len()).ok()?);
            self.slots.push(None);
            return Some((place, None));
        }
        let place = self.dispensable(now)?;
        Some((place, self.take(place)))
    }

    /// The next entry that may go: one that is idle or was not asked about since the hand last passed, else the first without a call.
    fn dispensable(&mut self, now: Instant) -> Option<Place> {
        let mut unwilling = None;
        for _ in 0..LOOKED_AT.min(self.slots.len()) {
            let place = Place(self.hand as u32);
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(slot) = self.at(place).filter(|slot| !slot.entry.is_pinned()) else {
                continue;
            };
            let second_chance = mem::take(&mut slot.entry.referenced);
            if !second_chance || slot.entry.is_idle(&slot.policy, now) {
                return Some(place);
            }
            unwilling.get_or_insert(place);
        }
        unwilling
    }

    fn take(&mut self, place: Place) -> Option<Slot> {
        let slot = self.slots[place.0 as usize].take()?;
        if let Ok(found) = self.index.find_entry(slot.hash, |other| *other == place) {
            found.remove();
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::testing::policy;

    fn client(number: u32) -> ClientId {
        ClientId::V4(number.into())
    }

    fn insert(table: &mut Table, policy: &Rc<Policy>, number: u32) -> Option<Place> {
        let hash = table.hash(policy, &client(number));
        let (place, _) = table.insert(hash, policy, &client(number), Instant::now())?;
        Some(place)
    }

    fn find(table: &Table, policy: &Rc<Policy>, number: u32) -> Option<Place> {
        table.find(table.hash(policy, &client(number)), policy, &client(number))
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_clients_stays_within_the_bound_and_spares_whoever_is_active() {
        let policy = policy(|_| {});
        let mut table = Table::new(64);
        insert(&mut table, &policy, 7);
        for number in 1_000..101_000 {
            let place = find(&table, &policy, 7).expect("the active one stays");
            table.at(place).expect("it is there").entry.referenced = true;
            insert(&mut table, &policy, number);
            assert!(table.len() <= 64);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_with_a_call_under_way_is_never_moved_or_evicted() {
        let policy = policy(|_| {});
        let mut table = Table::new(2);
        for number in [1, 2] {
            let place = insert(&mut table, &policy, number).expect("room");
            let _waiting = table.at(place).expect("it is there").entry.wait(1, 1);
        }
        assert_eq!(insert(&mut table, &policy, 3), None);
        assert!(table.remove(|_| true).is_empty());
        assert!(find(&table, &policy, 1).is_some() && find(&table, &policy, 2).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_vacant_place_is_used_again() {
        let policy = policy(|_| {});
        let mut table = Table::new(8);
        let place = insert(&mut table, &policy, 1);
        assert_eq!(table.remove(|slot| slot.client == client(1)).len(), 1);
        assert_eq!(find(&table, &policy, 1), None);
        assert_eq!(insert(&mut table, &policy, 2), place);
    }

    #[test]
    fn a_remembered_client_costs_at_most_200_bytes() {
        // The index holds a place and a control byte for each, and is at worst seven sixteenths full.
        let index = (size_of::<Place>() + 1) * 16 / 7;
        assert!(
            size_of::<Option<Slot>>() + index <= 200,
            "{}",
            size_of::<Option<Slot>>() + index
        );
    }
}
