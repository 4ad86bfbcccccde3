//! The plan of attempts, decision by decision. Must not: send anything.

use super::*;
use crate::policy::ids::RouteName;
use crate::policy::retry::BudgetSpec;
use crate::policy::units::{Micros, Rate};
use crate::upstream::UploadFault;

fn retries(change: impl FnOnce(&mut RetrySettings)) -> Retries {
    let mut route = RouteSettings {
        name: RouteName::from("r"),
        ..RouteSettings::default()
    };
    change(&mut route.retry);
    let budget = Arc::new(Budget::new(route.retry.budget));
    Retries::new(&Metrics::new(), &route, budget)
}

fn request(method: Method) -> Box<Request<RequestBody>> {
    let request = Request::builder().method(method).uri("/x");
    Box::new(request.body(RequestBody::Empty).unwrap())
}

fn forever() -> Deadline {
    Deadline::new(tokio::time::Instant::now(), None)
}

fn attempts(retries: &Retries, method: Method, error: fn() -> AttemptError) -> u32 {
    let mut plan = Plan::new(Some(retries), forever(), request(method));
    while plan.request().is_some() {
        match plan.next(Err(error())) {
            Next::Done(_) => break,
            Next::Again(wait, _) => assert!(wait <= Duration::from_secs(30)),
        }
    }
    plan.made
}

fn refused() -> AttemptError {
    AttemptError::Connect(std::io::ErrorKind::ConnectionRefused.into())
}

#[test]
fn only_what_may_be_repeated_is() {
    let three = retries(|settings| settings.attempts = 3);
    assert_eq!(attempts(&three, Method::GET, || AttemptError::Timeout), 3);
    assert_eq!(attempts(&three, Method::POST, || AttemptError::Timeout), 1);
    assert_eq!(attempts(&three, Method::POST, refused), 3);
    let gone = || AttemptError::Client(UploadFault::Broken);
    assert_eq!(attempts(&three, Method::GET, gone), 1);
    let once = retries(|settings| settings.attempts = 1);
    assert_eq!(attempts(&once, Method::GET, || AttemptError::Timeout), 1);
}

#[test]
fn the_route_says_what_else_may_be_and_what_may_not() {
    let posts = retries(|settings| {
        settings.attempts = 2;
        settings.methods = Some(vec![Method::POST]);
        settings.on = vec![Trouble::Timeout];
    });
    assert_eq!(attempts(&posts, Method::POST, || AttemptError::Timeout), 2);
    assert_eq!(attempts(&posts, Method::GET, || AttemptError::Timeout), 1);
    assert_eq!(attempts(&posts, Method::POST, refused), 1);
}

#[test]
fn a_spent_budget_ends_the_retries() {
    let rate = Rate::new(1, Micros::from_secs(5)).unwrap();
    let few = retries(|settings| {
        settings.attempts = 100;
        settings.budget = BudgetSpec::new(0.1, rate);
    });
    assert_eq!(attempts(&few, Method::GET, refused), 3);
    assert_eq!(attempts(&few, Method::GET, refused), 1);
    assert_eq!(few.exhausted.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_would_come_too_late_is_not_made() {
    let slow = retries(|settings| {
        settings.attempts = 2;
        settings.backoff.jitter = crate::policy::retry::Jitter::None;
        settings.backoff.initial = Duration::from_secs(2);
    });
    let total = |seconds| Some(Duration::from_secs(seconds));
    for (seconds, again) in [(1, false), (3, true)] {
        let deadline = Deadline::new(tokio::time::Instant::now(), total(seconds));
        let mut plan = Plan::new(Some(&slow), deadline, request(Method::GET));
        assert!(plan.request().is_some());
        let next = plan.next(Err(AttemptError::Timeout));
        assert_eq!(matches!(next, Next::Again(..)), again, "{seconds}");
    }
}
