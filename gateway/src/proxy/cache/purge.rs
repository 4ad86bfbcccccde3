//! A write that succeeded: what it made untrue is purged before its client hears of it.
//!
//! Guarantees: the target of a successful unsafe request is purged under every key it may have (RFC 9111, section 4.4), and what the
//! route names with it; who reads through this replica afterwards reads what was written. Must not: fail the write because of it.

use std::rc::Rc;

use http::Response;

use super::route::{RouteCache, key};
use super::{Inbound, Way};
use crate::policy::cacheability::Digest;
use crate::proxy::record::Record;
use crate::proxy::refusal::Refusal;
use crate::proxy::{Body, Proxy};

impl Proxy {
    /// The answer to an unsafe request.
    pub(super) async fn written(
        self: &Rc<Self>,
        record: &mut Record,
        way: Way<'_>,
        cache: &RouteCache,
        inbound: Inbound,
    ) -> Result<Response<Body>, Refusal> {
        let keys = cache.kept.keys.iter();
        let scheme = self.scheme(way.peer, &inbound.head);
        let targets: Vec<Digest> = keys.map(|spec| key(spec, &scheme, &inbound.head)).collect();
        let answer = self.forward(record, way, inbound).await?;
        let status = answer.status();
        if status.is_success() || status.is_redirection() {
            cache.purge(&targets).await;
        }
        Ok(answer)
    }
}

impl RouteCache {
    async fn purge(&self, targets: &[Digest]) {
        let (cache, store) = (&self.kept.cache, self.kept.store.as_ref());
        let mut untold = None;
        for target in targets {
            untold = cache.purge_target(store, target).await.err().or(untold);
        }
        for tag in &self.purges {
            untold = cache.purge_tag(store, *tag).await.err().or(untold);
        }
        if let Some(error) = untold {
            tracing::warn!(event = "purge_untold", %error);
        }
    }
}
