//! `/livez` and `/readyz`, in the form of the Kubernetes API server's own. Must not: depend on the store.

use std::sync::Arc;

use http::StatusCode;

use super::answer::{Answer, text};

/// One named condition and whether it holds.
pub type Check = (&'static str, bool);

/// What readiness depends on, and what is only worth knowing; asked at each request.
#[derive(Clone)]
pub struct Checks {
    required: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
    noted: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
}

impl Checks {
    /// `required` decides; `noted` is only shown.
    pub fn new(
        required: impl Fn() -> Vec<Check> + Send + Sync + 'static,
        noted: impl Fn() -> Vec<Check> + Send + Sync + 'static,
    ) -> Self {
        Self {
            required: Arc::new(required),
            noted: Arc::new(noted),
        }
    }
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Checks")
            .field(&(self.required)())
            .field(&(self.noted)())
            .finish()
    }
}

/// A line a check, then the sum.
pub(super) fn ready(checks: &Checks, verbose: bool) -> Answer {
    let required = (checks.required)();
    let ready = required.iter().all(|(_, holds)| *holds);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if ready && !verbose {
        return text(status, "ok\n");
    }
    let mut body = String::new();
    for (name, holds) in required {
        body.push_str(if holds { "[+]" } else { "[-]" });
        body.push_str(name);
        body.push_str(if holds { " ok\n" } else { " failed\n" });
    }
    for (name, holds) in (checks.noted)() {
        body.push_str(if holds { "[+]" } else { "[-]" });
        body.push_str(name);
        body.push_str(if holds {
            " ok\n"
        } else {
            " failed: excluded\n"
        });
    }
    body.push_str(if ready {
        "readyz check passed\n"
    } else {
        "readyz check failed\n"
    });
    text(status, body)
}
