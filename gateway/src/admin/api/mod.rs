//! `/api/v1/…`: what operators and programs read and order. `docs/api/openapi.json` describes it.
//!
//! Guarantees: every order leaves an audit entry, carried out or not; every error is a problem document; a body is read only up to
//! [`MOST_BODY`]. Must not: answer anybody whom [`Access`] has not let in.

mod input;
mod read;
mod write;

use std::sync::Arc;

use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use super::access::Access;
use super::answer::{Answer, Problem};
use super::board::Board;
use super::in_force::InForce;
use super::orders::Orders;
use super::settings::Settings;

/// The longest body an order may have.
const MOST_BODY: usize = 4 * 1024;
/// Consoles open at a time.
const STREAMS: usize = 32;

/// The API of one gateway.
#[derive(Debug)]
pub struct Api {
    access: Access,
    board: Arc<Board>,
    orders: Orders,
    in_force: Arc<InForce>,
    streams: Arc<Semaphore>,
}

impl Api {
    /// The API over what the others hold.
    #[must_use]
    pub fn new(
        settings: &Settings,
        board: Arc<Board>,
        orders: Orders,
        in_force: Arc<InForce>,
    ) -> Self {
        Self {
            access: Access::new(settings.listen, settings.token.clone()),
            board,
            orders,
            in_force,
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    /// The answer to a request under `/api/`.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        if let Err(problem) = self.access.check(request.headers()) {
            let mut answer = Answer::from(problem);
            if answer.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer realm=\"admin\"");
                answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            return answer;
        }
        self.route(request).await.unwrap_or_else(Answer::from)
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let path = request.uri().path().to_owned();
        let Some(rest) = path.strip_prefix("/api/v1/") else {
            return Err(Problem::not_found("the API begins with /api/v1/"));
        };
        let steps: Vec<&str> = rest.split('/').collect();
        let answer = match *request.method() {
            Method::GET | Method::HEAD => self.read(&steps, request.uri().query()).await?,
            Method::POST => self.write(&steps, request).await?,
            _ => None,
        };
        match answer {
            Some(answer) => Ok(answer),
            None => Ok(unknown(&steps)),
        }
    }
}

/// No such path, or not with this method.
fn unknown(steps: &[&str]) -> Answer {
    let allow = if read::knows(steps) {
        "GET, HEAD"
    } else if write::knows(steps) {
        "POST"
    } else {
        return Problem::not_found("there is nothing here: GET /api/v1/openapi.json lists what is")
            .into();
    };
    let mut answer = Answer::from(Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "not with this method",
    ));
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    answer
}
