//! Generations: what an answer was asked for under, and what has been purged since.
//!
//! Guarantees: a generation only grows, so that a message that comes late or twice changes nothing. The names are those of the
//! configuration: nothing a client says adds one. Must not: wait for anybody.

use std::sync::atomic::{AtomicU64, Ordering};

/// The names and their generations.
#[derive(Debug)]
pub(super) struct Tags {
    known: Box<[(Box<str>, AtomicU64)]>,
}

/// A tag, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(usize);

/// Under which generations something was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(Box<[(Tag, u64)]>);

impl Tags {
    pub(super) fn new(names: &[String]) -> Self {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        let known = names
            .into_iter()
            .map(|name| (name.into_boxed_str(), AtomicU64::new(0)));
        Self {
            known: known.collect(),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Tag> {
        let place = self
            .known
            .binary_search_by(|(known, _)| (**known).cmp(name));
        place.ok().map(Tag)
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
}
