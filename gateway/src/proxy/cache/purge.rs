//! A write that succeeded: what it made untrue is purged before its client hears of it.
//!
//! Guarantees: the target of a successful unsafe request is purged under every key it may have (RFC 9111, section 4.4), where its answer
//! leads on the same host, and what the route names with it; who reads through this replica afterwards reads what was written. Must not: fail the write because of it.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::request::Parts as Head;
use http::{HeaderMap, Response, Uri};

use super::route::{RouteCache, host};
use super::{Inbound, Way};
use crate::policy::cacheability::Target;
use crate::proxy::record::Record;
use crate::proxy::refusal::Refusal;
use crate::proxy::{Body, Proxy};

impl Proxy {
    /// The answer to an unsafe request.
    pub(super) async fn written(
        &self,
        record: &mut Record,
        way: Way<'_>,
        cache: &RouteCache,
        inbound: &mut Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let scheme = self.scheme(way.peer, &inbound.head);
        let written = written(&scheme, &inbound.head);
        let answer = self.forward(record, way, inbound).await?;
        let status = answer.status();
        if status.is_success() || status.is_redirection() {
            cache.purge(&written, answer.headers()).await;
        }
        Ok(answer)
    }
}

/// What a write has written: all that its keys are made of.
struct Written {
    scheme: String,
    host: String,
    target: Uri,
}

fn written(scheme: &str, head: &Head) -> Written {
    Written {
        scheme: scheme.to_owned(),
        host: host(head).to_owned(),
        target: head.uri.clone(),
    }
}

impl Written {
    /// Where the answer says that the write leads, if that is here: another host's word is not taken for this one's (RFC 9111, section
    /// 4.4).
    fn leads(&self, headers: &HeaderMap) -> Vec<Uri> {
        let places = [LOCATION, CONTENT_LOCATION].map(|name| headers.get(name).cloned());
        let places = places.iter().flatten();
        let uris = places.filter_map(|place| place.to_str().ok()?.parse::<Uri>().ok());
        let is_here = |uri: &Uri| match uri.authority() {
            None => uri.path().starts_with('/'),
            Some(host) => {
                host.as_str().eq_ignore_ascii_case(&self.host)
                    && uri.scheme_str() == Some(&*self.scheme)
            }
        };
        uris.filter(is_here).collect()
    }

    fn target<'a>(&'a self, uri: &'a Uri) -> Target<'a> {
        Target {
            scheme: &self.scheme,
            host: &self.host,
            path: uri.path(),
            query: uri.query(),
        }
    }
}

impl RouteCache {
    async fn purge(&self, written: &Written, answered: &HeaderMap) {
        let (cache, store) = (&self.kept.cache, self.kept.store.as_ref());
        let mut untold = None;
        for uri in written.leads(answered).iter().chain([&written.target]) {
            for spec in &self.kept.keys {
                let target = spec.key(&written.target(uri));
                untold = cache.purge_target(store, &target).await.err().or(untold);
            }
        }
        for tag in &self.purges {
            untold = cache.purge_tag(store, *tag).await.err().or(untold);
        }
        if let Some(error) = untold {
            tracing::warn!(event = "purge_untold", %error);
        }
    }
}
