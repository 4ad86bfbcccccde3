//! A request's way through the mock: recorded, read, failed or answered as it asked. Must not: know about sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode, request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::analytics::{self, Analytics};
use crate::behaviour::{Behaviour, Control};
use crate::body::{Body, BrokenOff};
use crate::recorder::{BODY_PREFIX, Recorder, Recording};
use crate::settings::Settings;
use crate::websocket;

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoResponse {
    /// It asked for that.
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
    /// Its body did not arrive.
    #[error("the request's body broke off")]
    Body(#[source] hyper::Error),
}

/// One mock's state, shared by its connections.
pub(crate) struct Responder {
    settings: Settings,
    failing: AtomicBool,
    dice: Mutex<fastrand::Rng>,
    recorder: Recorder,
    analytics: Analytics,
}

/// A request's body once it has been read.
struct Received {
    prefix: Bytes,
    length: u64,
}

impl Responder {
    pub(crate) fn new(settings: Settings) -> Self {
        let dice = settings
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            failing: AtomicBool::new(settings.failing),
            dice: Mutex::new(dice),
            recorder: Recorder::default(),
            analytics: Analytics::default(),
            settings,
        }
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Release);
    }

    pub(crate) async fn respond(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, NoResponse> {
        let (head, body) = request.into_parts();
        let behaviour = match Behaviour::of(&head.method, &head.uri) {
            Ok(Behaviour::Control(control)) => {
                self.recorder.count_only(head.uri.path());
                return Ok(self.obey(control));
            }
            behaviour => behaviour,
        };
        let recording = self
            .settings
            .recording
            .then(|| self.recorder.begin(&head, peer));
        if behaviour == Ok(Behaviour::Early) {
            return Ok(answer(
                StatusCode::PAYLOAD_TOO_LARGE,
                &json!({"error": "too large"}),
            ));
        }
        if is_grpc(&head) {
            pause(self.settings.latency).await;
            return Ok(if self.fails() {
                grpc_failure()
            } else {
                grpc(body)
            });
        }
        if let Some(switch) = websocket::switch(&head) {
            return Ok(switch);
        }
        let received = receive(body, recording.as_ref()).await?;
        pause(self.settings.latency).await;
        if self.fails() {
            return Ok(failure());
        }
        match behaviour {
            Ok(behaviour) => self.carry_out(behaviour, &head, &received).await,
            Err(bad) => Ok(answer(
                StatusCode::BAD_REQUEST,
                &json!({"error": bad.to_string(), "parameter": bad.parameter}),
            )),
        }
    }

    fn obey(&self, control: Control) -> Response<Body> {
        let status = match control {
            Control::Health => "healthy",
            Control::Fail => {
                self.set_failing(true);
                "failing"
            }
            Control::Recover => {
                self.set_failing(false);
                "recovered"
            }
            Control::WrongMethod => {
                let mut response = answer(
                    StatusCode::METHOD_NOT_ALLOWED,
                    &json!({"error": "use POST"}),
                );
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("POST"));
                return response;
            }
        };
        answer(StatusCode::OK, &json!({"status": status}))
    }

    async fn carry_out(
        &self,
        behaviour: Behaviour,
        head: &request::Parts,
        received: &Received,
    ) -> Result<Response<Body>, NoResponse> {
        Ok(match behaviour {
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Reset => return Err(BrokenOff.into()),
            Behaviour::Slow(wait) => {
                pause(wait).await;
                fine()
            }
            Behaviour::Flaky(rate) if self.roll(rate) => failure(),
            Behaviour::Flaky(_) | Behaviour::Ok => fine(),
            Behaviour::Echo => answer(StatusCode::OK, &echo(head, received)),
            Behaviour::Status(status) => with_status(status),
            Behaviour::Cut { length, after } => {
                body("application/octet-stream", Body::cut(length, after))
            }
            Behaviour::Bytes(length) => body("application/octet-stream", Body::Filler(length)),
            Behaviour::Stream { chunks, every } => body("text/plain", Body::lines(chunks, every)),
            Behaviour::Sink => answer(StatusCode::OK, &json!({"body_length": received.length})),
            Behaviour::StoreMetric => {
                let (status, value) = self.analytics.store(&received.prefix);
                answer(status, &value)
            }
            Behaviour::Summary => {
                let (status, value) = self.analytics.summary(&head.uri);
                answer(status, &value)
            }
            Behaviour::EchoMessage => {
                let (status, value) = analytics::echo_message(&received.prefix);
                answer(status, &value)
            }
            Behaviour::Fixed(text) => body("application/json", Body::Whole(text.into())),
            Behaviour::Events { count, every } => {
                body("text/event-stream", Body::events(count, every))
            }
            // The first two were answered before the body was read.
            Behaviour::Control(_) | Behaviour::Early | Behaviour::Anything => {
                answer(StatusCode::OK, &asked(head, received))
            }
        })
    }

    fn fails(&self) -> bool {
        self.failing.load(Ordering::Acquire) || self.roll(self.settings.fail_rate)
    }

    fn roll(&self, rate: f64) -> bool {
        rate > 0.0
            && self
                .dice
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .f64()
                < rate
    }
}

fn is_grpc(head: &request::Parts) -> bool {
    let content_type = head.headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Whatever was called answers with what it was sent, message by message.
fn grpc(request: Incoming) -> Response<Body> {
    body("application/grpc", Body::Grpc(Some(request)))
}

/// gRPC's `UNAVAILABLE`, in an answer without a message.
fn grpc_failure() -> Response<Body> {
    let mut response = body("application/grpc", Body::empty());
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from_static("14"));
    headers.insert(
        "grpc-message",
        HeaderValue::from_static("simulated failure"),
    );
    response
}

/// Reads a body to its end and keeps no more of it than an echo tells.
async fn receive(
    mut body: Incoming,
    recording: Option<&Recording>,
) -> Result<Received, NoResponse> {
    let mut prefix = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(NoResponse::Body)?.into_data() else {
            continue;
        };
        length += chunk.len() as u64;
        let room = BODY_PREFIX.saturating_sub(prefix.len()).min(chunk.len());
        prefix.extend_from_slice(chunk.get(..room).unwrap_or_default());
        if let Some(recording) = recording {
            recording.append(&chunk);
        }
    }
    if let Some(recording) = recording {
        recording.complete();
    }
    Ok(Received {
        prefix: prefix.freeze(),
        length,
    })
}

/// The timer rounds up to a millisecond, so that even a sleep of nothing would cost one.
async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

fn asked(head: &request::Parts, received: &Received) -> Value {
    json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "body_length": received.length,
    })
}

fn echo(head: &request::Parts, received: &Received) -> Value {
    let pair = |(name, value): (&http::HeaderName, &HeaderValue)| {
        json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
    };
    let mut echo = asked(head, received);
    echo["headers"] = head.headers.iter().map(pair).collect();
    echo["body"] = String::from_utf8_lossy(&received.prefix).into();
    echo
}

fn fine() -> Response<Body> {
    answer(StatusCode::OK, &json!({"status": "ok"}))
}

fn failure() -> Response<Body> {
    answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        &json!({"error": "simulated failure"}),
    )
}

fn with_status(status: StatusCode) -> Response<Body> {
    // These three have no content by definition (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
    if matches!(status.as_u16(), 204 | 205 | 304) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        return response;
    }
    answer(status, &json!({"status": status.as_u16()}))
}

fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = body("application/json", Body::Whole(value.to_string().into()));
    *response.status_mut() = status;
    response
}

fn body(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
