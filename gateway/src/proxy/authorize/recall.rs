//! What was found out about a credential a moment ago, so that it is not found out again for each request.
//!
//! Guarantees: at most twice `bound` answers are kept, none beyond its time; a credential is known by a salted SHA-256 alone, so that
//! nothing here could be shown again. Must not: be shared between threads, or say for how long an answer holds.

use std::cell::RefCell;
use std::mem;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// A credential's hash.
pub(super) type Mark = [u8; 32];

/// The answers: two generations, of which the older goes when the younger is full.
#[derive(Debug)]
pub(super) struct Recall<T> {
    salt: [u8; 16],
    bound: usize,
    kept: RefCell<[Generation<T>; 2]>,
}

type Generation<T> = HashMap<Mark, Kept<T>, RandomState>;

#[derive(Clone, Debug)]
struct Kept<T> {
    answer: T,
    until: Instant,
}

impl<T: Clone> Recall<T> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            salt: fastrand::u128(..).to_le_bytes(),
            bound: bound.max(1),
            kept: RefCell::new([Generation::default(), Generation::default()]),
        }
    }

    /// What a credential is known by here.
    pub(super) fn mark(&self, credential: &[u8]) -> Mark {
        Sha256::new()
            .chain_update(self.salt)
            .chain_update(credential)
            .finalize()
            .into()
    }

    /// The answer, if its time is not over.
    pub(super) fn get(&self, mark: &Mark, now: Instant) -> Option<T> {
        let (answer, until) = self.last(mark)?;
        (now < until).then_some(answer)
    }

    /// The last answer and until when it held, for those who know no better.
    pub(super) fn last(&self, mark: &Mark) -> Option<(T, Instant)> {
        let mut kept = self.kept.borrow_mut();
        if let Some(known) = kept[0].get(mark) {
            return Some((known.answer.clone(), known.until));
        }
        let known = kept[1].remove(mark)?;
        let found = (known.answer.clone(), known.until);
        self.insert(&mut kept, *mark, known);
        Some(found)
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, mark: Mark, answer: T, until: Instant) {
        let mut kept = self.kept.borrow_mut();
        self.insert(&mut kept, mark, Kept { answer, until });
    }

    /// Forgets one answer.
    pub(super) fn forget(&self, mark: &Mark) {
        for generation in self.kept.borrow_mut().iter_mut() {
            generation.remove(mark);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for generation in self.kept.borrow_mut().iter_mut() {
            generation.clear();
        }
    }

    fn insert(&self, kept: &mut [Generation<T>; 2], mark: Mark, answer: Kept<T>) {
        if kept[0].len() >= self.bound && !kept[0].contains_key(&mark) {
            kept[1] = mem::take(&mut kept[0]);
        }
        kept[0].insert(mark, answer);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_for_its_time_and_the_rest_is_bounded() {
        let recall = Recall::new(4);
        let now = Instant::now();
        let mark = recall.mark(b"one");
        recall.keep(mark, 1, now + Duration::from_secs(1));
        assert_eq!(recall.get(&mark, now), Some(1));
        assert_eq!(recall.get(&mark, now + Duration::from_secs(1)), None);
        for number in 0..100_u32 {
            recall.keep(recall.mark(&number.to_le_bytes()), 2, now);
            assert!(recall.last(&mark).is_some(), "what is asked for stays");
            let kept = recall.kept.borrow();
            assert!(kept[0].len() + kept[1].len() <= 8);
        }
        recall.clear();
        assert!(recall.last(&mark).is_none());
    }

    #[test]
    fn two_memories_know_a_credential_by_different_marks() {
        let (one, two) = (Recall::<()>::new(1), Recall::<()>::new(1));
        assert_ne!(one.mark(b"secret"), two.mark(b"secret"));
        assert_eq!(one.mark(b"secret"), one.mark(b"secret"));
    }
}
