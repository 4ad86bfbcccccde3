//! What a mock was asked. Guarantees: bounded memory, the oldest request goes first; a body's prefix and length grow
//! while it arrives, so a test can watch one stream through. Must not: be held locked while anything waits.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method, Uri, Version, request};
use tokio::sync::watch;

/// How many requests are kept.
pub const KEPT_REQUESTS: usize = 1024;

/// How much of each body is kept: 64 KiB.
pub const BODY_PREFIX: usize = 64 * 1024;

/// How many paths are counted one by one; requests for further ones only count in the total.
const COUNTED_PATHS: usize = 4096;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// Its method.
    pub method: Method,
    /// Its target, untouched.
    pub uri: Uri,
    /// Its HTTP version.
    pub version: Version,
    /// Its headers; names in lower case.
    pub headers: HeaderMap,
    /// The first [`BODY_PREFIX`] bytes of its body, or what has arrived of them.
    pub body: Vec<u8>,
    /// How much of its body has arrived.
    pub body_length: u64,
    /// Whether its body has arrived to the end.
    pub body_complete: bool,
    /// Who sent it.
    pub peer: SocketAddr,
}

/// The last requests and the counts of all; clones see the same ones.
///
/// Requests for `/health` and the two switches count by path only: they steer a test or watch the mock, and are not
/// what a test asks about.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<RecordedRequest>,
    /// The number that the oldest kept request was given.
    first: u64,
    count: u64,
    by_path: BTreeMap<String, u64>,
}

impl Recorder {
    /// How many requests have arrived since the start or the last [`clear`](Self::clear).
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state().count
    }

    /// How many of them asked for this path, whatever their query.
    #[must_use]
    pub fn count_path(&self, path: &str) -> u64 {
        self.state().by_path.get(path).copied().unwrap_or_default()
    }

    /// The last [`KEPT_REQUESTS`] requests, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state().requests.iter().cloned().collect()
    }

    /// The newest request.
    #[must_use]
    pub fn last(&self) -> Option<RecordedRequest> {
        self.state().requests.back().cloned()
    }

    /// Forgets every request and starts counting at zero.
    pub fn clear(&self) {
        let mut state = self.state();
        state.first += state.requests.len() as u64;
        state.requests.clear();
        state.count = 0;
        state.by_path.clear();
        drop(state);
        self.changed();
    }

    /// Waits until [`count`](Self::count) is at least `count`. Never gives up: bound it with `tokio::time::timeout`.
    pub async fn wait_for(&self, count: u64) {
        self.wait_until(|recorder| recorder.count() >= count).await;
    }

    /// Waits until the condition holds, asked anew at every request and every piece of a body.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        while !condition(self) {
            // The sender lives as long as `self`, so this cannot fail.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Counts a request by its path alone.
    pub(crate) fn count_only(&self, path: &str) {
        self.state().count_path(path);
        self.changed();
    }

    /// Keeps a request whose body is yet to come.
    pub(crate) fn begin(&self, head: &request::Parts, peer: SocketAddr) -> Recording {
        let number = self.state().push(RecordedRequest {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: head.headers.clone(),
            body: Vec::new(),
            body_length: 0,
            body_complete: false,
            peer,
        });
        self.changed();
        Recording {
            recorder: self.clone(),
            number,
        }
    }

    fn changed(&self) {
        self.shared.changes.send_replace(());
    }

    /// Nothing here panics while it holds the lock, and a half-written record is still worth reading.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kept request whose body is arriving.
pub(crate) struct Recording {
    recorder: Recorder,
    number: u64,
}

impl Recording {
    pub(crate) fn append(&self, chunk: &[u8]) {
        self.update(|request| {
            let room = BODY_PREFIX
                .saturating_sub(request.body.len())
                .min(chunk.len());
            request.body.extend(chunk.iter().take(room));
            request.body_length += chunk.len() as u64;
        });
    }

    pub(crate) fn complete(&self) {
        self.update(|request| request.body_complete = true);
    }

    /// Does nothing to a request that newer ones have pushed out.
    fn update(&self, change: impl FnOnce(&mut RecordedRequest)) {
        if let Some(request) = self.recorder.state().find(self.number) {
            change(request);
        }
        self.recorder.changed();
    }
}

impl State {
    fn push(&mut self, request: RecordedRequest) -> u64 {
        self.count += 1;
        self.count_path(request.uri.path());
        if self.requests.len() == KEPT_REQUESTS {
            self.requests.pop_front();
            self.first += 1;
        }
        self.requests.push_back(request);
        self.first + self.requests.len() as u64 - 1
    }

    fn count_path(&mut self, path: &str) {
        if let Some(count) = self.by_path.get_mut(path) {
            *count += 1;
        } else if self.by_path.len() < COUNTED_PATHS {
            self.by_path.insert(path.to_owned(), 1);
        }
    }

    fn find(&mut self, number: u64) -> Option<&mut RecordedRequest> {
        let index = number.checked_sub(self.first)?;
        self.requests.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(recorder: &Recorder, uri: &str) -> Recording {
        let (head, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
        recorder.begin(&head, SocketAddr::from(([127, 0, 0, 1], 9)))
    }

    #[test]
    fn the_oldest_request_goes_first_and_the_counts_stay() {
        let recorder = Recorder::default();
        let oldest = begin(&recorder, "/oldest");
        for _ in 0..KEPT_REQUESTS {
            begin(&recorder, "/newer?n=1");
        }
        oldest.append(b"too late");
        assert_eq!(recorder.requests().len(), KEPT_REQUESTS);
        assert!(
            recorder
                .requests()
                .iter()
                .all(|kept| kept.uri.path() == "/newer" && kept.body.is_empty())
        );
        assert_eq!(recorder.count(), KEPT_REQUESTS as u64 + 1);
        assert_eq!(
            (
                recorder.count_path("/oldest"),
                recorder.count_path("/newer")
            ),
            (1, KEPT_REQUESTS as u64)
        );
    }

    #[test]
    fn only_a_bodys_beginning_is_kept() {
        let recorder = Recorder::default();
        let recording = begin(&recorder, "/");
        recording.append(&vec![1; BODY_PREFIX - 1]);
        recording.append(&[2, 3]);
        let last = recorder.last().unwrap();
        assert_eq!((last.body.len(), last.body.last()), (BODY_PREFIX, Some(&2)));
        assert_eq!(
            (last.body_length, last.body_complete),
            (BODY_PREFIX as u64 + 1, false)
        );
    }

    #[test]
    fn a_cleared_recorder_starts_anew() {
        let recorder = Recorder::default();
        let before = begin(&recorder, "/before");
        recorder.clear();
        begin(&recorder, "/after");
        before.append(b"not for the one after");
        assert_eq!((recorder.count(), recorder.count_path("/before")), (1, 0));
        assert_eq!(recorder.last().unwrap().body_length, 0);
    }

    #[test]
    fn paths_beyond_the_bound_count_in_the_total_alone() {
        let recorder = Recorder::default();
        for n in 0..=COUNTED_PATHS {
            begin(&recorder, &format!("/{n}"));
        }
        assert_eq!(recorder.count(), COUNTED_PATHS as u64 + 1);
        assert_eq!(recorder.count_path(&format!("/{COUNTED_PATHS}")), 0);
    }

    #[tokio::test]
    async fn waiting_ends_when_the_count_is_reached() {
        let recorder = Recorder::default();
        let waiting = tokio::spawn({
            let recorder = recorder.clone();
            async move { recorder.wait_for(2).await }
        });
        begin(&recorder, "/");
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        begin(&recorder, "/");
        waiting.await.unwrap();
    }
}
