//! What is in force now, for everybody outside the workers. Must not: change anything.

use std::sync::Arc;

use tokio::sync::watch;

use super::common::Common;

/// Handles of the configuration in force; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Live(Arc<watch::Sender<Arc<Common>>>);

impl Live {
    pub(super) fn new(common: Common) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(common))))
    }

    /// What is in force. It stays whole for who holds it, whatever comes next.
    pub(super) fn get(&self) -> Arc<Common> {
        Arc::clone(&self.0.borrow())
    }

    pub(super) fn put(&self, common: Common) {
        self.0.send_replace(Arc::new(common));
    }

    /// Runs `work` with what is in force, and from its beginning again whenever that changes.
    pub(super) async fn each<F: Future<Output = ()>>(&self, work: impl Fn(Arc<Common>) -> F) {
        let mut changes = self.0.subscribe();
        loop {
            let common = Arc::clone(&changes.borrow_and_update());
            tokio::select! {
                () = work(common) => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}
