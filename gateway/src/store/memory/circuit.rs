//! The embedded store's circuits: one a configured upstream, so their number is bounded by the configuration.
//!
//! Guarantees: each command is carried out whole; a record expires as it would in the shared store. Must not: await while locked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::policy::circuit::{CircuitSpec, Command, Record, View};
use crate::policy::ids::UpstreamName;
use crate::policy::units::StoreTime;

/// Each upstream's record.
#[derive(Debug, Default)]
pub(super) struct Circuits(Mutex<BTreeMap<UpstreamName, Kept>>);

#[derive(Debug, Default)]
struct Kept {
    record: Record,
    expires: StoreTime,
}

/// An answer, and whether the other replicas should hear of it.
pub(super) struct Told {
    pub(super) view: View,
    pub(super) is_news: bool,
}

impl Circuits {
    /// Carries out `command`.
    pub(super) fn apply(
        &self,
        upstream: &UpstreamName,
        spec: &CircuitSpec,
        command: &Command,
        now: StoreTime,
    ) -> Told {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = circuits.entry(upstream.clone()).or_default();
        if kept.expires <= now {
            *kept = Kept::default();
        }
        let was_failing = kept.record.is_failing();
        let view = kept.record.apply(spec, command, now);
        kept.expires = now.after(kept.record.kept_for(spec));
        Told {
            is_news: view.moved || (view.is_failing() && !was_failing),
            view,
        }
    }
}
