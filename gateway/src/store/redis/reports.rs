//! What replicas say of themselves: one key each, so that a cluster spreads them, found through the set of those that live.
//!
//! Guarantees: reading asks for a bounded number of bounded texts, a few at a time. Must not: read them.

use deadpool_redis::redis::{cmd, from_redis_value};
use futures_util::future::join_all;

use super::Redis;
use super::call::Request;
use crate::policy::ids::ReplicaId;
use crate::policy::units::Micros;
use crate::store::op::Op;
use crate::store::{MOST_REPORTS, StoreError};

/// Texts asked for at a time: all at once, a large fleet's would not arrive within one deadline.
const AT_A_TIME: usize = 8;

impl Redis {
    pub(in crate::store) async fn report(
        &self,
        replica: &ReplicaId,
        text: &str,
        lifetime: Micros,
    ) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        let lifetime = lifetime.get().div_ceil(1_000).max(1);
        set.arg(self.keys().report(replica))
            .arg(text)
            .arg("PX")
            .arg(lifetime);
        self.ask(Op::Report, &Request::Command(set)).await?;
        Ok(())
    }

    pub(in crate::store) async fn reports(&self) -> Result<Vec<(ReplicaId, String)>, StoreError> {
        let mut range = cmd("ZRANGE");
        range
            .arg(self.keys().replicas())
            .arg(0)
            .arg(MOST_REPORTS - 1);
        let answer = self.ask(Op::Reports, &Request::Command(range)).await?;
        let mut names: Vec<String> =
            from_redis_value(answer).map_err(|_| StoreError::Unexpected)?;
        names.sort_unstable();
        let mut reports = Vec::with_capacity(names.len());
        for names in names.chunks(AT_A_TIME) {
            let asked = names.iter().map(|name| self.read_report(name));
            for answer in join_all(asked).await {
                reports.extend(answer?);
            }
        }
        Ok(reports)
    }

    /// None for a replica that has not said anything lately.
    async fn read_report(&self, name: &str) -> Result<Option<(ReplicaId, String)>, StoreError> {
        let replica = ReplicaId::from(name);
        let mut get = cmd("GET");
        get.arg(self.keys().report(&replica));
        let answer = self.ask(Op::Reports, &Request::Command(get)).await?;
        let text: Option<String> = from_redis_value(answer).map_err(|_| StoreError::Unexpected)?;
        Ok(text.map(|text| (replica, text)))
    }
}
