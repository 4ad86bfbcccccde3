//! The plan of attempts: may there be another, and when. The one loop over it is in [`super::Proxy`].
//!
//! Guarantees: a request is sent again only when its method is idempotent (RFC 9110, section 9.2.2) or nothing of it was sent,
//! and only when its body can be sent again. Must not: send.

use std::time::Duration;

use http::{Method, Request, StatusCode};

use super::settings::RetrySettings;
use crate::upstream::{AttemptError, Received, RequestBody};

/// The attempts of one request.
pub(super) struct Plan<'a> {
    settings: &'a RetrySettings,
    made: u32,
    idempotent: bool,
    /// The request for the next attempt; a copy of it stays here while there may be one more.
    next: Option<Request<RequestBody>>,
}

/// What to do after an attempt.
#[expect(
    clippy::large_enum_variant,
    reason = "it is made once an attempt and taken apart at once: a box would cost more than the move"
)]
pub(super) enum Next {
    /// This is the end of it.
    Done(Result<Received, AttemptError>),
    /// Wait, then send again; the label says why.
    Again(Duration, &'static str),
}

impl<'a> Plan<'a> {
    pub(super) fn new(settings: &'a RetrySettings, request: Request<RequestBody>) -> Self {
        let idempotent = is_idempotent(request.method());
        Self {
            settings,
            made: 0,
            idempotent,
            next: Some(request),
        }
    }

    /// The request to send now. None once the plan is at its end, which its caller has been told.
    pub(super) fn request(&mut self) -> Option<Request<RequestBody>> {
        self.made += 1;
        let request = self.next.take()?;
        if self.made < self.settings.attempts && request.body().is_replayable() {
            self.next = Some(copy(&request));
        }
        Some(request)
    }

    /// What follows from a result.
    pub(super) fn next(&self, result: Result<Received, AttemptError>) -> Next {
        if self.next.is_none() {
            return Next::Done(result);
        }
        match self.reason(&result) {
            Some(reason) => Next::Again(self.backoff(fastrand::f64()), reason),
            None => Next::Done(result),
        }
    }

    fn reason(&self, result: &Result<Received, AttemptError>) -> Option<&'static str> {
        match result {
            Err(error)
                if error.nothing_sent() || (self.idempotent && error.is_upstream_fault()) =>
            {
                Some(error.label())
            }
            Ok(response) if self.idempotent => match response.status() {
                StatusCode::BAD_GATEWAY => Some("502"),
                StatusCode::SERVICE_UNAVAILABLE => Some("503"),
                StatusCode::GATEWAY_TIMEOUT => Some("504"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Full jitter: anything from nothing to the exponential delay, so that clients do not come back in step.
    fn backoff(&self, jitter: f64) -> Duration {
        let RetrySettings {
            initial_delay,
            multiplier,
            max_delay,
            ..
        } = self.settings;
        let exponent = i32::try_from(self.made.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = initial_delay.as_secs_f64() * multiplier.powi(exponent);
        let capped = seconds.min(max_delay.as_secs_f64());
        Duration::try_from_secs_f64(capped * jitter).unwrap_or(*max_delay)
    }
}

fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::UploadFault;

    fn settings(attempts: u32) -> RetrySettings {
        RetrySettings {
            attempts,
            ..RetrySettings::default()
        }
    }

    fn request(method: Method) -> Request<RequestBody> {
        Request::builder()
            .method(method)
            .uri("/x")
            .body(RequestBody::Empty)
            .unwrap()
    }

    fn outcomes(method: Method, attempts: u32, error: fn() -> AttemptError) -> u32 {
        let settings = settings(attempts);
        let mut plan = Plan::new(&settings, request(method));
        while plan.request().is_some() {
            match plan.next(Err(error())) {
                Next::Done(_) => break,
                Next::Again(wait, _) => assert!(wait <= Duration::from_secs(30)),
            }
        }
        plan.made
    }

    #[test]
    fn only_what_may_be_repeated_is() {
        let refused = || AttemptError::Connect(std::io::ErrorKind::ConnectionRefused.into());
        assert_eq!(outcomes(Method::GET, 3, || AttemptError::Timeout), 3);
        assert_eq!(outcomes(Method::GET, 1, || AttemptError::Timeout), 1);
        assert_eq!(outcomes(Method::POST, 3, || AttemptError::Timeout), 1);
        assert_eq!(outcomes(Method::POST, 3, refused), 3);
        assert_eq!(
            outcomes(Method::GET, 3, || AttemptError::Client(UploadFault::Broken)),
            1
        );
    }

    #[test]
    fn waits_grow_to_the_cap() {
        let settings = settings(20);
        let mut plan = Plan::new(&settings, request(Method::GET));
        let mut waits = Vec::new();
        for _ in 0..10 {
            plan.made += 1;
            waits.push(plan.backoff(1.0).as_millis());
        }
        assert_eq!(&waits[..4], &[100, 200, 400, 800]);
        assert_eq!(waits[9], 30_000);
        assert_eq!(plan.backoff(0.0), Duration::ZERO);
    }
}
