//! Takes a request's tokens, and says in its answer what was decided.
//!
//! Guarantees: the headers speak of the decision that was enforced, of the tightest limit of the route; a request that is refused
//! costs no limit anything. Must not: know what a verdict rests on, beyond logging it.

use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::record::Context;
use super::refusal::Refusal;
use super::route::RouteError;
use super::settings::RouteSettings;
use super::spans;
use crate::limiter::settings::{KeySettings, LegacyHeaders};
use crate::limiter::{By, Limiter, Policy, Verdict, Verdicts, Want};
use crate::policy::ids::ClientId;
use crate::telemetry::logs::unix_millis;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The limits of one route.
#[derive(Debug)]
pub(super) struct Limits {
    policies: Vec<Rc<Policy>>,
    cost: u64,
    everybody: ClientId,
    /// `RateLimit-Policy`, which never changes.
    announcement: Option<HeaderValue>,
}

/// What is told of the decision: of the limit that refused, or else of the one with the least left.
#[derive(Clone, Debug)]
pub(super) struct Told {
    policy: Rc<Policy>,
    verdict: Verdict,
}

impl Limits {
    pub(super) fn new(limiter: &Limiter, route: &RouteSettings) -> Result<Self, RouteError> {
        let find = |name| {
            limiter.policy(name).ok_or_else(|| RouteError::Missing {
                route: route.name.to_string(),
                kind: "limit",
                name: name.to_string(),
            })
        };
        let policies = route
            .limits
            .iter()
            .map(find)
            .collect::<Result<Vec<_>, _>>()?;
        let announcement = announcement(&policies);
        Ok(Self {
            policies,
            cost: route.cost,
            everybody: ClientId::Text("*".into()),
            announcement,
        })
    }

    /// No limits.
    pub(super) fn none() -> Self {
        Self {
            policies: Vec::new(),
            cost: 1,
            everybody: ClientId::Text("*".into()),
            announcement: None,
        }
    }

    /// Takes the tokens of one request, or refuses it.
    pub(super) async fn take(
        &self,
        limiter: &Limiter,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let asking = context.trace.is_recording().then(Instant::now);
        let (policy, verdict) = match &self.policies[..] {
            [] => return Ok(()),
            [policy] => {
                let client = self.client(policy, &context.client);
                let (verdict, slot) = limiter.hold(policy, client, self.cost).await;
                context.slots.extend(slot);
                (policy, verdict)
            }
            several => match self.take_all(limiter, several, context).await {
                Some(tightest) => tightest,
                None => return Ok(()),
            },
        };
        context.limit = Some(Told {
            policy: Rc::clone(policy),
            verdict,
        });
        if let (Some(begun), By::Store | By::Degraded) = (asking, verdict.by) {
            let (name, answered) = (policy.settings().name.as_str(), verdict.by == By::Store);
            let told = spans::store("take", name, begun, answered);
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
        several: &'a [Rc<Policy>],
        context: &mut Context,
    ) -> Option<(&'a Rc<Policy>, Verdict)> {
        let want = |policy: &'a Rc<Policy>| (policy, self.client(policy, &context.client));
        let pairs: Vec<_> = several.iter().map(want).collect();
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
            Verdicts::Refused { by, verdict } => Some((&several[by], verdict)),
            Verdicts::Passed(verdicts) => {
                let all = several.iter().zip(verdicts);
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

    fn client<'a>(&'a self, policy: &Policy, client: &'a ClientId) -> &'a ClientId {
        match policy.settings().key {
            KeySettings::Client => client,
            KeySettings::Global => &self.everybody,
        }
    }

    /// Puts `RateLimit-Policy` and `RateLimit` on an answer: draft-ietf-httpapi-ratelimit-headers-11. An upstream's own stay beside
    /// ours; there is nothing in them that ours would widen.
    pub(super) fn announce(&self, told: Option<&Told>, headers: &mut HeaderMap) {
        let (Some(announcement), Some(told)) = (&self.announcement, told) else {
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
        // Of its exact length, so that it becomes the header's value without a copy.
        let remaining = remaining_digits.format(remaining);
        let text = ["\"", name, "\";r=", remaining, key, span].concat();
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
fn announcement(policies: &[Rc<Policy>]) -> Option<HeaderValue> {
    let one = |policy: &Rc<Policy>| {
        let settings = policy.settings();
        let (name, quota) = (&settings.name, settings.spec.capacity());
        match settings.spec.window() {
            Some(window) => format!("\"{name}\";q={quota};w={}", window.ceil_secs().max(1)),
            None => format!("\"{name}\";q={quota};qu=\"concurrent-requests\""),
        }
    };
    let all: Vec<_> = policies.iter().map(one).collect();
    if all.is_empty() {
        None
    } else {
        HeaderValue::try_from(all.join(", ")).ok()
    }
}
