//! The configuration file, looked at now and then.
//!
//! A look asks the system what the name leads to, about once a second. That sees what notifications of the file system miss: a
//! ConfigMap, whose files are links through a directory that is exchanged; a file mounted into a container; a network share.
//!
//! Guarantees: a change counts once two looks in a row saw the same, so that half a file is not read. Must not: read the file.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};

use super::live::Live;
use super::reload::Reloads;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(500);

/// What tells a file from what it was: when it was written, how long it is and which one it is.
type Stamp = (SystemTime, u64, u64, u64);

/// Has the configuration read again when `file` changes, while `server.watch_config` says so.
pub(super) async fn watch(live: &Live, file: Option<&Path>, reloads: &Reloads) {
    let Some(file) = file else {
        return std::future::pending().await;
    };
    let mut known = stamp(file);
    let mut last = known;
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = stamp(file);
        let is_steady = std::mem::replace(&mut last, now) == now;
        // A file that is gone for a moment is being exchanged.
        if now.is_none() || now == known || !is_steady {
            continue;
        }
        known = now;
        if live.get().config.server.watch_config {
            // What was wrong has been logged and counted.
            let _ = reloads.ask("file").await;
        }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    let modified = metadata.modified().ok()?;
    Some((modified, metadata.len(), metadata.ino(), metadata.dev()))
}
