//! API keys that were handed out: a hash each, under the SHA-256 of the key.
//!
//! Guarantees: one command for each question. These keys have no expiry of their own making: they end when whoever handed them out says
//! so, by a field or by Redis's `EXPIREAT`. Must not: see a key.

use deadpool_redis::redis::{Cmd, cmd, from_redis_value};

use super::Redis;
use super::call::Request;
use super::script::{Script, script};
use crate::store::StoreError;
use crate::store::api_key::{KeyHash, KeyRecord};
use crate::store::op::Op;

static ENROLL: Script = script!("enroll.lua");

impl Redis {
    pub(in crate::store) async fn recognise(
        &self,
        hash: &KeyHash,
    ) -> Result<Option<KeyRecord>, StoreError> {
        let mut get: Cmd = cmd("HMGET");
        get.arg(self.keys().api_key(hash))
            .arg("id")
            .arg("plan")
            .arg("expires");
        let answer = self.ask(Op::Recognise, &Request::Command(get)).await?;
        let (id, plan, expires): (Option<String>, Option<String>, Option<u64>) =
            from_redis_value(answer).map_err(|_| StoreError::Unexpected)?;
        Ok(id.map(|id| KeyRecord { id, plan, expires }))
    }

    pub(in crate::store) async fn enroll(
        &self,
        hash: &KeyHash,
        record: &KeyRecord,
    ) -> Result<(), StoreError> {
        let expires = record.expires.map(|end| end.to_string());
        let call = ENROLL
            .on(&self.keys().api_key(hash))
            .arg(&record.id)
            .arg(record.plan.as_deref().unwrap_or_default())
            .arg(expires.unwrap_or_default());
        let _kept: u64 = self.run(Op::Enroll, call).await?;
        Ok(())
    }

    pub(in crate::store) async fn revoke(&self, hash: &KeyHash) -> Result<bool, StoreError> {
        let mut del = cmd("DEL");
        del.arg(self.keys().api_key(hash));
        let answer = self.ask(Op::Revoke, &Request::Command(del)).await?;
        let gone: u64 = from_redis_value(answer).map_err(|_| StoreError::Unexpected)?;
        Ok(gone == 1)
    }
}
