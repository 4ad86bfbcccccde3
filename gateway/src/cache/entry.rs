//! One kept answer, and the form it has in the store.
//!
//! Guarantees: an answer of another version, or cut short, reads as none. Must not: be changed once it is kept; a 304 makes a new one.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::tags::{Stamp, Tags};
use crate::policy::cacheability::Terms;
use crate::policy::units::Micros;

/// The version of the form. Another version is a miss, so that a fleet can be upgraded one replica at a time.
const VERSION: u8 = 1;
/// What keeping an answer costs beside its bytes: its place in the table, the vectors of its head.
const OVERHEAD: usize = 512;
/// The same for each field.
const FIELD_OVERHEAD: usize = 96;

/// A kept answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its status.
    pub status: StatusCode,
    /// Its fields, those of this hop and of one request taken off.
    pub headers: HeaderMap,
    /// Its content, whole.
    pub body: Bytes,
    /// On which terms it is kept.
    pub terms: Terms,
    /// The fields by which its variants are told.
    pub vary: Box<[HeaderName]>,
    /// How old it was at `since`.
    pub age: Duration,
    /// When it came into this process.
    pub since: Instant,
    /// Under which generations it was asked for.
    pub stamp: Stamp,
}

impl Entry {
    /// How old it is now.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age.saturating_add(self.since.elapsed())
    }

    /// Bytes it costs to keep.
    pub(super) fn weight(&self) -> u64 {
        let fields = self.headers.iter();
        let fields: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD)
            .sum();
        (OVERHEAD + fields + self.body.len()) as u64
    }

    /// The names in `vary`, as one word.
    pub(super) fn vary_text(&self) -> String {
        vary_text(&self.vary)
    }

    /// For how much longer it is fresh, and of use.
    pub(super) fn left(&self) -> (Micros, Micros) {
        let age = self.age();
        let left = |span: Duration| Micros::from(span.saturating_sub(age));
        (left(self.terms.fresh_for), left(self.terms.keep_for))
    }

    /// The form in the store.
    pub(super) fn encode(&self, tags: &Tags) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_length(tags));
        out.put_u8(VERSION);
        out.put_u16(self.status.as_u16());
        let terms = &self.terms;
        for span in [
            self.age(),
            terms.fresh_for,
            terms.stale_while_revalidate,
            terms.stale_if_error,
            terms.keep_for,
        ] {
            out.put_u64(Micros::from(span).get());
        }
        let flags = [terms.no_cache, terms.never_stale, terms.for_authorized];
        out.put_u8(
            flags
                .iter()
                .fold(0, |bits, flag| bits << 1 | u8::from(*flag)),
        );
        put(&mut out, self.vary_text().as_bytes());
        let stamp: Vec<_> = tags.spell(&self.stamp).collect();
        out.put_u32(stamp.len() as u32);
        for (name, generation) in stamp {
            put(&mut out, name.as_bytes());
            out.put_u64(generation);
        }
        out.put_u32(self.headers.len() as u32);
        for (name, value) in &self.headers {
            put(&mut out, name.as_str().as_bytes());
            put(&mut out, value.as_bytes());
        }
        out.put_slice(&self.body);
        out.freeze()
    }

    /// Exactly, because an answer lives on in the buffer it was read from.
    fn encoded_length(&self, tags: &Tags) -> usize {
        const FIXED: usize = 1 + 2 + 5 * 8 + 1 + 4 + 4 + 4;
        let stamp = tags.spell(&self.stamp).map(|(name, _)| 4 + name.len() + 8);
        let fields = self.headers.iter();
        let fields = fields.map(|(name, value)| 8 + name.as_str().len() + value.len());
        FIXED
            + self.vary_text().len()
            + stamp.sum::<usize>()
            + fields.sum::<usize>()
            + self.body.len()
    }

    /// Reads what was kept `ago`.
    pub(super) fn decode(mut from: Bytes, ago: Duration, tags: &Tags) -> Option<Self> {
        let from = &mut from;
        if from.try_get_u8().ok()? != VERSION {
            return None;
        }
        let status = StatusCode::from_u16(from.try_get_u16().ok()?).ok()?;
        let mut span = || Some(Micros::new(from.try_get_u64().ok()?).to_duration());
        let (age, fresh_for) = (span()?, span()?);
        let (stale_while_revalidate, stale_if_error, keep_for) = (span()?, span()?, span()?);
        let flags = from.try_get_u8().ok()?;
        let terms = Terms {
            fresh_for,
            stale_while_revalidate,
            stale_if_error,
            keep_for,
            no_cache: flags & 4 != 0,
            never_stale: flags & 2 != 0,
            for_authorized: flags & 1 != 0,
        };
        let vary = vary_of(std::str::from_utf8(&take(from)?).ok()?)?;
        let mut words = Vec::new();
        for _ in 0..from.try_get_u32().ok()? {
            let name = String::from_utf8(take(from)?.to_vec()).ok()?;
            words.push((name, from.try_get_u64().ok()?));
        }
        let mut headers = HeaderMap::new();
        for _ in 0..from.try_get_u32().ok()? {
            let name = HeaderName::from_bytes(&take(from)?).ok()?;
            headers
                .try_append(name, HeaderValue::from_maybe_shared(take(from)?).ok()?)
                .ok()?;
        }
        Some(Self {
            status,
            headers,
            body: from.split_off(0),
            terms,
            vary,
            age: age.saturating_add(ago),
            since: Instant::now(),
            stamp: tags.read(&words)?,
        })
    }
}

/// Names of fields as one word.
pub(super) fn vary_text(names: &[HeaderName]) -> String {
    let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
    names.join(",")
}

/// Names of fields out of one word.
pub(super) fn vary_of(text: &str) -> Option<Box<[HeaderName]>> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names
        .map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .collect()
}

fn put(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn take(from: &mut Bytes) -> Option<Bytes> {
    let length = from.try_get_u32().ok()? as usize;
    (length <= from.len()).then(|| from.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_survives_the_store_and_ages_there() {
        let tags = Tags::new(&["tag:a".to_owned()]);
        let mut headers = HeaderMap::new();
        headers.append("x", HeaderValue::from_static("1"));
        headers.append("x", HeaderValue::from_bytes(b"\xff").unwrap());
        let entry = Entry {
            status: StatusCode::NOT_FOUND,
            headers,
            body: Bytes::from_static(b"\0body"),
            terms: Terms {
                fresh_for: Duration::from_secs(10),
                keep_for: Duration::from_secs(20),
                never_stale: true,
                ..Terms::default()
            },
            vary: [HeaderName::from_static("accept")].into(),
            age: Duration::from_secs(1),
            since: Instant::now(),
            stamp: tags.stamp(&[tags.find("tag:a").unwrap()]),
        };
        tokio::time::advance(Duration::from_secs(1)).await;
        let kept = entry.encode(&tags);
        assert_eq!(kept.len(), entry.encoded_length(&tags));
        let read = Entry::decode(kept.clone(), Duration::from_secs(3), &tags).unwrap();
        assert_eq!(read.age(), Duration::from_secs(5));
        assert_eq!(
            (read.status, &read.headers, &read.body),
            (entry.status, &entry.headers, &entry.body)
        );
        assert_eq!(
            (read.terms, &read.vary, &read.stamp),
            (entry.terms, &entry.vary, &entry.stamp)
        );
        let head = kept.len() - entry.body.len();
        for length in 0..head {
            assert!(
                Entry::decode(kept.slice(..length), Duration::ZERO, &tags).is_none(),
                "{length}"
            );
        }
        // A tag that is not configured here could not be purged here.
        assert!(Entry::decode(kept, Duration::ZERO, &Tags::new(&[])).is_none());
    }
}
