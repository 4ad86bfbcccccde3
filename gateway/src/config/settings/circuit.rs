//! `[upstreams.NAME.circuit]`.

use super::super::path::KeyPath;
use super::super::raw::{Circuit, Ratio, Slow};
use super::Check;
use crate::policy::circuit::{CircuitSpec, RatioSpec, SlowSpec};

/// When a circuit opens and closes.
pub(super) fn circuit(check: &mut Check<'_>, at: &KeyPath, raw: Circuit) -> Option<CircuitSpec> {
    let failures = check.count(at, "failures", raw.failures);
    let window = check.wait(at, "window", raw.window);
    let reset = check.wait(at, "reset", raw.reset);
    let probes = check.count(at, "probes", raw.probes);
    let quorum = check.set(at, "quorum", raw.quorum);
    let ratio = raw.ratio.map(|raw| ratio(check, &at.key("ratio"), &raw));
    let slow = raw.slow.map(|raw| slow(check, &at.key("slow"), raw));
    Some(CircuitSpec {
        failures: failures?,
        window: window?,
        reset: reset?,
        probes: probes?,
        quorum: quorum?.0,
        ratio: ratio.flatten(),
        slow: slow.flatten(),
    })
}

const MINIMUM: &str = "write how many calls it takes, like `20`";

fn ratio(check: &mut Check<'_>, at: &KeyPath, raw: &Ratio) -> Option<RatioSpec> {
    let threshold = check.share(at, "threshold", raw.threshold);
    let minimum = check.required(at, "minimum", raw.minimum, MINIMUM);
    let minimum = check.count(at, "minimum", Some(minimum?));
    Some(RatioSpec {
        threshold: threshold?,
        minimum: minimum?,
    })
}

fn slow(check: &mut Check<'_>, at: &KeyPath, raw: Slow) -> Option<SlowSpec> {
    let duration = check.required(
        at,
        "duration",
        raw.duration,
        "write from how long on a call is slow, like `2s`",
    );
    let duration = duration.and_then(|duration| check.wait(at, "duration", Some(duration)));
    let threshold = check.share(at, "threshold", raw.threshold);
    let minimum = check.required(at, "minimum", raw.minimum, MINIMUM);
    let minimum = check.count(at, "minimum", Some(minimum?));
    Some(SlowSpec {
        duration: duration?,
        threshold: threshold?,
        minimum: minimum?,
    })
}
