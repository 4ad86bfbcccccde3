//! Circuits on the shared store.
//!
//! Guarantees: what the script answers is a [`View`], or an error. Must not: decide anything; the script does.

use super::Redis;
use super::script::{Invocation, Script, script};
use crate::policy::circuit::{
    Cause, Change, CircuitSpec, Command, Forced, Hold, ProbeId, Quorum, State, View,
};
use crate::policy::ids::UpstreamName;
use crate::policy::units::{Micros, StoreTime};
use crate::store::StoreError;
use crate::store::op::Op;

static CIRCUIT: Script = script!("circuit.lua");

/// What the script returns, in its order.
type Answer = (
    [u64; 8],
    (String, String, String, u64),
    (u8, u8, String, String, u64),
);

impl Redis {
    pub(in crate::store) async fn circuit(
        &self,
        upstream: &UpstreamName,
        spec: &CircuitSpec,
        command: &Command,
    ) -> Result<View, StoreError> {
        let call = CIRCUIT
            .on(&self.0.keys.circuit(upstream))
            .arg(name(command))
            .arg(self.0.keys.events())
            .arg(upstream.as_str());
        let call = with_arguments(with_spec(call, spec).arg(""), command);
        let answer: Answer = self.run(Op::Circuit, call).await?;
        read(answer).ok_or_else(|| {
            tracing::error!(op = Op::Circuit.label(), "unexpected answer of the store");
            StoreError::Unexpected
        })
    }
}

const fn name(command: &Command) -> &'static str {
    match command {
        Command::View => "view",
        Command::Report { .. } => "report",
        Command::Admit { .. } => "admit",
        Command::Abandon { .. } => "abandon",
        Command::Force { .. } => "force",
    }
}

fn with_spec(call: Invocation, spec: &CircuitSpec) -> Invocation {
    let quorum = match spec.quorum {
        Quorum::Auto => 0,
        Quorum::Replicas(needed) => needed.get(),
    };
    // Redis reads a float from text; the shortest text that reads back as the same float is the same float there.
    let share =
        |threshold: Option<f64>| threshold.map_or_else(String::new, |share| share.to_string());
    call.arg(spec.failures)
        .arg(spec.window.get())
        .arg(spec.reset.get())
        .arg(spec.probes)
        .arg(quorum)
        .arg(share(spec.ratio.map(|ratio| ratio.threshold)))
        .arg(spec.ratio.map_or(0, |ratio| ratio.minimum))
        .arg(share(spec.slow.map(|slow| slow.threshold)))
        .arg(spec.slow.map_or(0, |slow| slow.minimum))
}

fn with_arguments(call: Invocation, command: &Command) -> Invocation {
    match command {
        Command::View => call,
        Command::Report {
            epoch,
            replica,
            outcomes,
            probe,
        } => call
            .arg(*epoch)
            .arg(replica.as_str())
            .arg(outcomes.successes)
            .arg(outcomes.failures)
            .arg(outcomes.slow)
            .arg(probe.map_or(0, ProbeId::get)),
        Command::Admit { replica, lease } => call.arg(replica.as_str()).arg(lease.get()),
        Command::Abandon { probe } => call.arg(probe.get()),
        Command::Force { to, by, reason } => {
            let to = to.map_or("", |hold| hold.state().label());
            call.arg(to).arg(&**by).arg(&**reason)
        }
    }
}

fn read((decision, forced, last): Answer) -> Option<View> {
    let [
        state,
        epoch,
        retry_after,
        now,
        failures,
        stale,
        moved,
        probe,
    ] = decision;
    Some(View {
        state: State::from_number(u8::try_from(state).ok()?)?,
        epoch,
        retry_after: Micros::new(retry_after),
        now: StoreTime::new(now),
        failures: u32::try_from(failures).ok()?,
        forced: read_forced(forced),
        probe: ProbeId::new(probe),
        stale: stale == 1,
        moved: moved == 1,
        last: read_change(last),
    })
}

fn read_forced((to, by, reason, at): (String, String, String, u64)) -> Option<Forced> {
    let holds = [Hold::Open, Hold::Closed];
    let to = holds.into_iter().find(|hold| hold.state().label() == to)?;
    Some(Forced {
        to,
        by: by.into(),
        reason: reason.into(),
        at: StoreTime::new(at),
    })
}

fn read_change((from, to, cause, by, at): (u8, u8, String, String, u64)) -> Option<Change> {
    Some(Change {
        at: StoreTime::new(at),
        from: State::from_number(from)?,
        to: State::from_number(to)?,
        cause: Cause::from_label(&cause)?,
        by: by.into(),
    })
}
