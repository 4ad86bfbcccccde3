//! Takes a request's tokens, and says in its answer what was decided.
//!
//! Guarantees: the headers speak of the decision that was enforced, of the tightest limit of the route; a request that is refused
//! costs no limit anything. Must not: know what a verdict rests on, beyond logging it.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::authorize::within;
use super::key::Key;
use super::record::Context;
use super::refusal::Refusal;
use super::route::RouteError;
use super::settings::{AuthSettings, CountingSettings, ExemptSettings, RouteSettings};
use super::spans;
use crate::limiter::settings::LegacyHeaders;
use crate::limiter::{By, Limiter, Policy, Verdict, Verdicts, Want};
use crate::policy::ids::{ClientId, PolicyName};
use crate::telemetry::logs::unix_millis;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The limits of one route.
#[derive(Debug)]
pub(super) struct Limits {
    entries: Vec<Entry>,
    cost: u64,
    /// `RateLimit-Policy` of those without a plan.
    announcement: Option<HeaderValue>,
}

/// One limit on one route: whom it counts, and how.
#[derive(Debug)]
struct Entry {
    policy: Rc<Policy>,
    key: Key,
    exempt: Option<ExemptSettings>,
    /// The limits of those with a plan.
    plans: Vec<(Arc<str>, Rc<Policy>)>,
}

/// What limits are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) limiter: &'a Limiter,
    pub(super) counting: &'a [CountingSettings],
    pub(super) auth: &'a [AuthSettings],
}

/// What is told of the decision: of the limit that refused, or else of the one with the least left.
#[derive(Clone, Debug)]
pub(super) struct Told {
    policy: Rc<Policy>,
    verdict: Verdict,
    /// `RateLimit-Policy` of this request, where that is another than usual.
    announcement: Option<HeaderValue>,
}

impl Limits {
    pub(super) fn new(rules: Rules<'_>, route: &RouteSettings) -> Result<Self, RouteError> {
        let entry = |name| Entry::new(rules, route, name);
        let entries = route.limits.iter().map(entry);
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let announcement = announcement(entries.iter().map(|entry| &entry.policy));
        Ok(Self {
            entries,
            cost: route.cost,
            announcement,
        })
    }

    /// No limits.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn none() -> Self {
        Self {
            entries: Vec::new(),
            cost: 1,
            announcement: None,
        }
    }

    /// Whether one counts by a parameter of the path.
    pub(super) fn have_parameters(&self) -> bool {
        self.entries.iter().any(|entry| entry.key.has_parameters())
    }

    /// Takes the tokens of one request, or refuses it.
    pub(super) async fn take(
        &self,
        limiter: &Limiter,
        context: &mut Context,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let asking = context.trace.is_recording().then(Instant::now);
        let (policy, verdict) = match &self.entries[..] {
            [] => return Ok(()),
            [entry] => match entry.apply(context, headers) {
                Some((policy, client)) => {
                    let (verdict, slot) = limiter.hold(policy, &client, self.cost).await;
                    context.slots.extend(slot);
                    (policy, verdict)
                }
                None => return Ok(()),
            },
            several => match self.take_all(limiter, several, context, headers).await {
                Some(tightest) => tightest,
                None => return Ok(()),
            },
        };
        context.limit = Some(Told {
            policy: Rc::clone(policy),
            verdict,
            announcement: self.other_announcement(context, headers),
        });
        if let (Some(begun), By::Store | By::Degraded) = (asking, verdict.by) {
            let (name, answered) = (policy.settings().name.as_str(), verdict.by == By::Store);
            let told = spans::store(limiter.store(), "take", name, begun, answered);
            context.trace.called(None, told);
        }
        if verdict.decision.passes() {
            return Ok(());
        }
        let name = &policy.settings().name;
        if verdict.by != By::DenialMemory {
            // What the memory refuses was told when it was learnt: a flood leaves one event, not a million.
            tracing::info!(
                event = "rate_limit_exceeded",
                request_id = context.request_id.to_str().unwrap_or_default(),
                client = %context.client,
                policy = %name,
                retry_after = verdict.retry_after.ceil_secs().max(1),
            );
        }
        Err(Refusal::Limited {
            policies: vec![name.clone()],
            retry_after: verdict.retry_after,
        })
    }

    async fn take_all<'a>(
        &self,
        limiter: &Limiter,
        several: &'a [Entry],
        context: &mut Context,
        headers: &HeaderMap,
    ) -> Option<(&'a Rc<Policy>, Verdict)> {
        let apply = |entry: &'a Entry| {
            let (policy, client) = entry.apply(context, headers)?;
            Some((policy, client.into_owned()))
        };
        let pairs: Vec<_> = several.iter().filter_map(apply).collect();
        let wants: Vec<_> = pairs
            .iter()
            .map(|(policy, client)| Want {
                policy,
                client,
                cost: self.cost,
            })
            .collect();
        let (verdicts, slots) = limiter.hold_all(&wants).await;
        context.slots.extend(slots);
        match verdicts {
            Verdicts::Refused { by, verdict } => Some((pairs[by].0, verdict)),
            Verdicts::Passed(verdicts) => {
                let all = pairs.iter().map(|(policy, _)| *policy).zip(verdicts);
                all.reduce(|least, one| {
                    if one.1.remaining < least.1.remaining {
                        one
                    } else {
                        least
                    }
                })
            }
        }
    }

    /// What is announced to those whom not every limit counts as usual.
    fn other_announcement(&self, context: &Context, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.entries.iter().all(Entry::is_plain) {
            return None;
        }
        let applied = self
            .entries
            .iter()
            .filter_map(|entry| entry.chosen(context, headers));
        announcement(applied)
    }

    /// Puts `RateLimit-Policy` and `RateLimit` on an answer: draft-ietf-httpapi-ratelimit-headers-11. An upstream's own stay beside
    /// ours; there is nothing in them that ours would widen.
    pub(super) fn announce(&self, told: Option<&Told>, headers: &mut HeaderMap) {
        let Some(told) = told else {
            return;
        };
        let announcement = told.announcement.as_ref().or(self.announcement.as_ref());
        let Some(announcement) = announcement else {
            return;
        };
        headers.append(RATELIMIT_POLICY, announcement.clone());
        if let Some(value) = told.header() {
            headers.append(RATELIMIT, value);
        }
        if told.policy.settings().legacy_headers != LegacyHeaders::None {
            told.legacy(headers);
        }
    }
}

impl Entry {
    fn new(rules: Rules<'_>, route: &RouteSettings, name: &PolicyName) -> Result<Self, RouteError> {
        let find = |name: &PolicyName| {
            let found = rules.limiter.policy(name);
            found.ok_or_else(|| RouteError::Missing {
                route: route.name.to_string(),
                kind: "limit",
                name: name.to_string(),
            })
        };
        let policy = find(name)?;
        let key = Key::new(&policy.settings().key, route, rules.auth);
        let counting = rules.counting.iter().find(|one| one.limit == *name);
        let plans = counting.map_or(&[][..], |counting| &counting.plans);
        let plan = |(plan, name): &(Arc<str>, PolicyName)| Ok((Arc::clone(plan), find(name)?));
        Ok(Self {
            policy,
            key,
            exempt: counting.and_then(|counting| counting.exempt.clone()),
            plans: plans.iter().map(plan).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it counts everybody alike.
    fn is_plain(&self) -> bool {
        self.exempt.is_none() && self.plans.is_empty()
    }

    /// The limit a request has, and whom it counts for; nothing for those who are exempt.
    fn apply<'c, 'e: 'c>(
        &'e self,
        context: &'c Context,
        headers: &HeaderMap,
    ) -> Option<(&'e Rc<Policy>, Cow<'c, ClientId>)> {
        let policy = self.chosen(context, headers)?;
        Some((policy, self.key.client(context, headers)))
    }

    fn chosen(&self, context: &Context, headers: &HeaderMap) -> Option<&Rc<Policy>> {
        if let Some(exempt) = &self.exempt
            && self.exempts(exempt, context, headers)
        {
            return None;
        }
        if self.plans.is_empty() {
            return Some(&self.policy);
        }
        let plan = context
            .identity
            .as_ref()
            .and_then(|one| one.plan.as_deref());
        let own = self.plans.iter().find(|(name, _)| Some(&**name) == plan);
        Some(own.map_or(&self.policy, |(_, policy)| policy))
    }

    fn exempts(&self, exempt: &ExemptSettings, context: &Context, headers: &HeaderMap) -> bool {
        let identity = context.identity.as_ref();
        let subject = identity.and_then(|identity| identity.subject.as_deref());
        within(&exempt.addresses, context.address)
            || subject.is_some_and(|own| exempt.subjects.iter().any(|one| one == own))
            || (!exempt.keys.is_empty() && exempt.keys.contains(&self.key.said(context, headers)))
    }
}

impl Told {
    /// What is left, and for how long: until there is more when there is none, else until there is all. Of requests in flight nobody
    /// can say how long.
    fn left(&self) -> (u64, Option<u64>) {
        let verdict = &self.verdict;
        let (remaining, span) = if verdict.decision.passes() {
            (verdict.remaining, verdict.full_after)
        } else {
            (0, verdict.retry_after)
        };
        (
            remaining,
            (!self.policy.is_held()).then(|| span.ceil_secs()),
        )
    }

    /// `"name";r=remaining;t=seconds`.
    fn header(&self) -> Option<HeaderValue> {
        let (remaining, span) = self.left();
        let name = self.policy.settings().name.as_str();
        let mut digits = [itoa::Buffer::new(), itoa::Buffer::new()];
        let [remaining_digits, span_digits] = &mut digits;
        let (key, span) = span.map_or(("", ""), |span| (";t=", span_digits.format(span)));
        let remaining = remaining_digits.format(remaining);
        // Of its exact length, so that it becomes the header's value without a copy.
        let pieces = ["\"", name, "\";r=", remaining, key, span];
        let mut text = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            text.push_str(piece);
        }
        HeaderValue::try_from(text).ok()
    }

    /// `X-RateLimit-*`, in place of the upstream's own: whoever reads them expects one of each.
    fn legacy(&self, headers: &mut HeaderMap) {
        let settings = self.policy.settings();
        let (remaining, span) = self.left();
        headers.insert(X_RATELIMIT_LIMIT, HeaderValue::from(self.verdict.limit));
        headers.insert(X_RATELIMIT_REMAINING, HeaderValue::from(remaining));
        let reset = span.map(|span| match settings.legacy_headers {
            LegacyHeaders::None | LegacyHeaders::Delta => span,
            LegacyHeaders::Epoch => unix_millis().div_ceil(1_000).saturating_add(span),
        });
        if let Some(reset) = reset {
            headers.insert(X_RATELIMIT_RESET, HeaderValue::from(reset));
        }
    }
}

/// `"name";q=quota;w=seconds`, so that q ÷ w is the rate that lasts: a bucket's window is the time it takes to fill. Of requests in
/// flight: `"name";q=quota;qu="concurrent-requests"`.
fn announcement<'a>(policies: impl Iterator<Item = &'a Rc<Policy>>) -> Option<HeaderValue> {
    let one = |policy: &Rc<Policy>| {
        let settings = policy.settings();
        let (name, quota) = (&settings.name, settings.spec.capacity());
        match settings.spec.window() {
            Some(window) => format!("\"{name}\";q={quota};w={}", window.ceil_secs().max(1)),
            None => format!("\"{name}\";q={quota};qu=\"concurrent-requests\""),
        }
    };
    let all: Vec<_> = policies.map(one).collect();
    if all.is_empty() {
        None
    } else {
        HeaderValue::try_from(all.join(", ")).ok()
    }
}
