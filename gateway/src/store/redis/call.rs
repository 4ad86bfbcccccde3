//! How a call is made.
//!
//! Guarantees: one that the server says it did not carry out is sent again within the deadline; one that may have been carried out
//! never is, because a debit made twice is a token lost. Must not: know what is asked.

use std::time::Duration;

use deadpool_redis::redis::aio::ConnectionLike as _;
use deadpool_redis::redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value, from_redis_value,
};
use tokio::time::{Instant, sleep, timeout};

use super::Redis;
use super::classify::{breaks_connection, classify, not_carried_out};
use super::connect::Connection;
use super::script::Invocation;
use crate::store::StoreError;
use crate::store::op::Op;

/// Pause before a call that was not carried out is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(2);

/// Something to send.
pub(super) enum Request {
    Script(Invocation),
    Command(Cmd),
}

impl Redis {
    /// Runs a script and reads its answer.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        op: Op,
        call: Invocation,
    ) -> Result<T, StoreError> {
        let answer = self.ask(op, &Request::Script(call)).await?;
        from_redis_value(answer).map_err(|error| {
            tracing::error!(op = op.label(), "unexpected answer of the store: {error}");
            StoreError::Unexpected
        })
    }

    /// Sends a request within the deadline, if the store is up, and records what came of it.
    pub(super) async fn ask(&self, op: Op, request: &Request) -> Result<Value, StoreError> {
        // A lost store is asked by pings alone.
        if op != Op::Ping && !self.0.health.is_up() {
            return Err(StoreError::Down);
        }
        let Ok(_place) = self.0.in_flight.try_acquire() else {
            return Err(StoreError::Overloaded);
        };
        let started = Instant::now();
        let answer = self.within_deadline(request).await;
        match &answer {
            Ok(_) => self.0.health.succeeded(),
            Err(error) if error.is_outage() => self.0.health.failed(*error),
            Err(_) => {}
        }
        let label = answer.as_ref().map_or_else(|error| error.label(), |_| "ok");
        (self.0.observer)(op, label, started.elapsed());
        answer
    }

    async fn within_deadline(&self, request: &Request) -> Result<Value, StoreError> {
        let mut refusal = None;
        let carried_out = self.until_carried_out(request, &mut refusal);
        match timeout(self.0.deadline, carried_out).await {
            Ok(answer) => answer,
            Err(_) => Err(refusal.unwrap_or_else(|| {
                self.0.link.unanswered();
                StoreError::Timeout
            })),
        }
    }

    async fn until_carried_out(
        &self,
        request: &Request,
        refusal: &mut Option<StoreError>,
    ) -> Result<Value, StoreError> {
        loop {
            let (mut connection, serial) = self.0.link.get().await?;
            let error = match send(&mut connection, request).await {
                Ok(answer) => {
                    self.0.link.answered();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let meaning = self.hear(&error);
            if breaks_connection(meaning) {
                self.0.link.discard(serial);
            }
            if !not_carried_out(meaning) {
                return Err(meaning);
            }
            *refusal = Some(meaning);
            sleep(AGAIN_AFTER).await;
        }
    }

    /// What an error means; the server's own words are logged once.
    pub(super) fn hear(&self, error: &RedisError) -> StoreError {
        let meaning = classify(error);
        self.0.health.heard(meaning, error);
        meaning
    }
}

/// Sends once, or twice when the server does not know the script yet: not knowing is no failure.
async fn send(connection: &mut Connection, request: &Request) -> Result<Value, RedisError> {
    let call = match request {
        Request::Command(command) => return checked(connection.req_packed_command(command).await),
        Request::Script(call) => call,
    };
    match checked(connection.req_packed_command(call.by_hash()).await) {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            checked(connection.req_packed_command(&call.by_text()).await)
        }
        answer => answer,
    }
}

/// The library hands some of a server's errors over as answers.
fn checked(answer: Result<Value, RedisError>) -> Result<Value, RedisError> {
    answer.and_then(Value::extract_error)
}
