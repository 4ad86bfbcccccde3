//! Generations: what an answer was asked for under, and what has been purged since.
//!
//! Guarantees: a generation only grows, so that a message that comes late or twice changes nothing. The names are those of the
//! configuration: nothing a client says adds one. Must not: wait for anybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The names and their generations.
#[derive(Debug)]
pub(super) struct Tags {
    /// In the order in which they became known, which never changes: a stamp speaks of places.
    known: Box<[(Arc<str>, Arc<AtomicU64>)]>,
    places: BTreeMap<Arc<str>, Tag>,
}

/// A tag, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(usize);

/// Under which generations something was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(Box<[(Tag, u64)]>);

impl Tags {
    pub(super) fn new(names: &[String]) -> Self {
        Self::after(&[], names)
    }

    /// The same and those of `names` that are new. What is stamped already stays stamped; generations are the same ones.
    pub(super) fn renewed(&self, names: &[String]) -> Self {
        Self::after(&self.known, names)
    }

    fn after(known: &[(Arc<str>, Arc<AtomicU64>)], names: &[String]) -> Self {
        let mut known = known.to_vec();
        let mut places: BTreeMap<_, _> = known
            .iter()
            .enumerate()
            .map(|(place, (name, _))| (Arc::clone(name), Tag(place)))
            .collect();
        for name in names {
            if !places.contains_key(name.as_str()) {
                let name: Arc<str> = name.as_str().into();
                places.insert(Arc::clone(&name), Tag(known.len()));
                known.push((name, Arc::default()));
            }
        }
        Self {
            known: known.into(),
            places,
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Tag> {
        self.places.get(name).copied()
    }

    pub(super) fn name(&self, tag: Tag) -> &str {
        self.known.get(tag.0).map_or("", |(name, _)| name)
    }

    fn generation(&self, tag: Tag) -> u64 {
        let known = self.known.get(tag.0);
        known.map_or(u64::MAX, |(_, generation)| {
            generation.load(Ordering::Acquire)
        })
    }

    /// Hears of a generation.
    pub(super) fn learn(&self, name: &str, generation: u64) {
        if let Some(Tag(place)) = self.find(name)
            && let Some((_, known)) = self.known.get(place)
        {
            known.fetch_max(generation, Ordering::AcqRel);
        }
    }

    /// Begins a generation of this process's own, for what could not be told to the store: what is here is void all the same.
    pub(super) fn void(&self, tag: Tag) {
        if let Some((_, known)) = self.known.get(tag.0) {
            known.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// What is asked for now is asked for under these.
    pub(super) fn stamp(&self, tags: &[Tag]) -> Stamp {
        Stamp(
            tags.iter()
                .map(|tag| (*tag, self.generation(*tag)))
                .collect(),
        )
    }

    /// Whether nothing of it was purged since.
    pub(super) fn holds(&self, stamp: &Stamp) -> bool {
        let mut all = stamp.0.iter();
        all.all(|(tag, generation)| *generation >= self.generation(*tag))
    }

    /// A stamp in words.
    pub(super) fn spell<'a>(&'a self, stamp: &'a Stamp) -> impl Iterator<Item = (&'a str, u64)> {
        let all = stamp.0.iter();
        all.map(|(tag, generation)| (self.name(*tag), *generation))
    }

    /// A stamp out of words; none where one of them means nothing here, so that nobody could purge it.
    pub(super) fn read(&self, words: &[(String, u64)]) -> Option<Stamp> {
        let all = words
            .iter()
            .map(|(name, generation)| Some((self.find(name)?, *generation)));
        all.collect::<Option<Box<[_]>>>().map(Stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_before_a_purge_does_not_hold() {
        let tags = Tags::new(&["tag:b".to_owned(), "tag:a".to_owned()]);
        let (a, b) = (tags.find("tag:a").unwrap(), tags.find("tag:b").unwrap());
        let before = tags.stamp(&[a, b]);
        assert!(tags.holds(&before));
        tags.learn("tag:b", 7);
        assert!(!tags.holds(&before) && tags.holds(&tags.stamp(&[a])));
        let after = tags.stamp(&[a, b]);
        tags.learn("tag:b", 3);
        assert!(tags.holds(&after));
        tags.void(b);
        assert!(!tags.holds(&after));
        let words: Vec<_> = tags
            .spell(&after)
            .map(|(name, one)| (name.to_owned(), one))
            .collect();
        assert_eq!(tags.read(&words), Some(after));
        assert_eq!(tags.read(&[("tag:unknown".to_owned(), 1)]), None);
    }

    #[test]
    fn another_configuration_keeps_what_was_stamped() {
        let before = Tags::new(&["tag:b".to_owned()]);
        let stamp = before.stamp(&[before.find("tag:b").unwrap()]);
        let after = before.renewed(&["tag:a".to_owned(), "tag:b".to_owned()]);
        assert!(after.find("tag:a").is_some() && after.holds(&stamp));
        after.learn("tag:b", 7);
        assert!(!after.holds(&stamp) && !before.holds(&stamp));
    }
}
