//! Another service is asked about a request: a `GET` with what it needs to know, through an upstream of the configuration, so that it has
//! that upstream's connections, endpoints and circuit.
//!
//! Guarantees: an answer within the timeout or none; a 2xx agrees, a 401 or a 403 goes to the client as it is, anything else is no answer.
//! Must not: send the request's body, or a header that was not named.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use http::header::HOST;
use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use tokio::time::{Instant, timeout};

use super::identity::amended;
use crate::proxy::circuit::Guarded;
use crate::proxy::record::Context;
use crate::proxy::settings::{ExternalSettings, OnFailure};
use crate::proxy::{Body, forward, headers, sanity};
use crate::upstream::{AttemptError, Patience, PickHint, Received, RequestBody};

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Bytes of an agreement's body that are read for the sake of its connection.
const WORTH_READING: usize = 64 * 1024;

/// A service.
#[derive(Debug)]
pub(super) struct External {
    upstream: Rc<Guarded>,
    settings: ExternalSettings,
}

/// What it said.
#[derive(Debug)]
pub(super) enum Answer {
    Agreed,
    Refused(Box<Response<Body>>),
}

/// What happens since it said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    Allowed,
    Denied,
}

impl External {
    pub(super) fn new(settings: &ExternalSettings, upstream: &Rc<Guarded>) -> Self {
        Self {
            upstream: Rc::clone(upstream),
            settings: settings.clone(),
        }
    }

    pub(super) async fn ask(&self, context: &mut Context, head: &Head) -> Result<Answer, Silent> {
        let silent = match self.settings.on_failure {
            OnFailure::Allow => Silent::Allowed,
            OnFailure::Deny => Silent::Denied,
        };
        let request = self.question(context, head);
        let mut received = self.send(context, request).await.ok_or(silent)?;
        let status = received.status();
        sanity::response(status, received.headers_mut(), false).map_err(|_| silent)?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                headers::prepare_response(received.headers_mut(), &context.request_id);
                let answer = received.map(|body| Body::upstream(body, None, None));
                Ok(Answer::Refused(Box::new(answer)))
            }
            status if status.is_success() => {
                self.learn(context, &received);
                finish(received);
                Ok(Answer::Agreed)
            }
            _ => Err(silent),
        }
    }

    fn question(&self, context: &Context, head: &Head) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = Method::GET;
        *request.uri_mut() = Uri::from(self.settings.path.clone());
        let to = request.headers_mut();
        for name in &self.settings.request_headers {
            for value in head.headers.get_all(name) {
                to.append(name, value.clone());
            }
        }
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let target = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let told = [
            (X_FORWARDED_METHOD, text(head.method.as_str())),
            (X_FORWARDED_URI, text(target)),
            (X_FORWARDED_HOST, head.headers.get(HOST).cloned()),
            (X_FORWARDED_FOR, text(&context.address.to_string())),
            (headers::X_REQUEST_ID, Some(context.request_id.clone())),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                to.insert(name, value);
            }
        }
        forward::set_trace(to, context.trace.header().clone());
        if let Some(identity) = &context.identity {
            identity.announce(to);
        }
        request
    }

    async fn send(
        &self,
        context: &mut Context,
        mut request: Request<RequestBody>,
    ) -> Option<Received> {
        let context = RefCell::new(context);
        let permit = self.upstream.admit(&context).await.ok()?;
        let upstream = self.upstream.upstream();
        let anyone = PickHint {
            hash: None,
            tried: &[],
        };
        let endpoint = upstream.pick(anyone)?;
        request.headers_mut().insert(HOST, endpoint.host().clone());
        let patience = Patience {
            limit: upstream.timeout(),
            is_telling: true,
        };
        let began = Instant::now();
        let sending = upstream.send(&endpoint, Box::new(request), patience, began, None);
        let result = match timeout(self.settings.timeout, sending).await {
            Ok(result) => result,
            Err(_) => Err(AttemptError::Timeout),
        };
        permit.report(&context, &result, began.elapsed()).await;
        result.ok()
    }

    /// What the service adds to what is known of the request.
    fn learn(&self, context: &mut Context, received: &Received) {
        let copied = || {
            let names = self.settings.response_headers.iter();
            names.filter_map(|name| Some((name, received.headers().get(name)?)))
        };
        if copied().next().is_none() {
            return;
        }
        context.identity = Some(amended(context.identity.as_ref(), |identity| {
            for (name, value) in copied() {
                identity.pass_on(name.clone(), value.clone());
            }
        }));
    }
}

/// Reads what is left of an agreement, beside the request, so that its connection can be used again.
fn finish(received: Received) {
    let mut body = received.into_body();
    if body.is_end_stream() {
        return;
    }
    tokio::task::spawn_local(async move {
        let mut read = 0;
        while read < WORTH_READING {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            match frame {
                Some(Ok(frame)) => read += frame.data_ref().map_or(1, bytes::Bytes::len),
                _ => return,
            }
        }
    });
}
