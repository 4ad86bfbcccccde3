//! `mirror` of a route.

use super::super::super::path::KeyPath;
use super::super::super::raw::{Mirror, Text};
use super::super::Check;
use super::{Known, target};
use crate::proxy::settings::MirrorSettings;

const MAX_IN_FLIGHT: u32 = 64;
/// More copies at a time than a worker should hold.
const MOST_IN_FLIGHT: u32 = 10_000;
const MAX_BODY: u64 = 64 * 1024;
/// Times the copies under way this is what a worker may hold: more belongs into a queue.
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

pub(super) fn mirror(
    check: &mut Check<'_>,
    at: &KeyPath,
    raw: Option<Mirror>,
    known: &Known,
) -> Option<Option<MirrorSettings>> {
    let Some(raw) = raw else {
        return Some(None);
    };
    let hint = "write the name of the upstream that gets the copies";
    let name = check.required(at, "upstream", raw.upstream, hint);
    let upstream = name.and_then(|name| target::upstream(check, &at.key("upstream"), &name, known));
    let share = check.share(at, "share", raw.share.or(Some(1.0)));
    let most = raw.max_in_flight.or(Some(MAX_IN_FLIGHT));
    let most = check.count(at, "max_in_flight", most);
    let most = most.and_then(|most| match most {
        1..=MOST_IN_FLIGHT => usize::try_from(most).ok(),
        _ => check.problem(
            &at.key("max_in_flight"),
            &format!("`{most}` copies are more than the {MOST_IN_FLIGHT} allowed"),
        ),
    });
    let body = raw.max_body.map_or(MAX_BODY, |Text(size)| size.get());
    let max_body = match usize::try_from(body) {
        Ok(size) if body <= LARGEST_BODY => Some(size),
        _ => check.problem(
            &at.key("max_body"),
            &format!("{body} bytes are more than the {LARGEST_BODY} allowed"),
        ),
    };
    Some(Some(MirrorSettings {
        upstream: upstream?,
        share: share?,
        max_in_flight: most?,
        max_body: max_body?,
    }))
}
