//! Kept answers in Redis: a hash a target, a hash of all tags' generations.
//!
//! Guarantees: each decision is one script on one key. Must not: read what it keeps.

use deadpool_redis::redis::{cmd, from_redis_value};

use super::Redis;
use super::call::Request;
use super::script::{Script, script};
use crate::policy::cacheability::Digest;
use crate::policy::units::Micros;
use crate::store::StoreError;
use crate::store::cache::{Found, Keep, Recall, Recalled, Turn, VariantId};
use crate::store::event::Event;
use crate::store::op::Op;

static CACHE: Script = script!("cache.lua");
static TAGS: Script = script!("tags.lua");

impl Redis {
    pub(in crate::store) async fn recall(
        &self,
        recall: &Recall<'_>,
    ) -> Result<Recalled, StoreError> {
        let (holder, turn) = match recall.turn {
            Some((holder, turn)) => (holder.to_string(), turn),
            None => (String::new(), Micros::ZERO),
        };
        let call = CACHE
            .on(&self.keys().cached(&recall.id.target))
            .arg("recall")
            .arg(&recall.id.variant.bytes()[..])
            .arg(recall.vary)
            .arg(holder)
            .arg(turn.get());
        let (generation, found, age, answer, turn): (u64, u8, u64, Vec<u8>, u8) =
            self.run(Op::Recall, call).await?;
        let found = match found {
            0 => Found::Nothing,
            1 => Found::Value(answer.into(), Micros::new(age)),
            _ => Found::OtherVary(String::from_utf8_lossy(&answer).into_owned()),
        };
        let turn = match turn {
            0 => Turn::Nobodys,
            1 => Turn::Yours,
            2 => Turn::Others,
            _ => Turn::Everybodys,
        };
        Ok(Recalled {
            generation,
            found,
            turn,
        })
    }

    pub(in crate::store) async fn keep(&self, keep: &Keep<'_>) -> Result<bool, StoreError> {
        let call = CACHE
            .on(&self.keys().cached(&keep.id.target))
            .arg("keep")
            .arg(&keep.id.variant.bytes()[..])
            .arg(keep.vary)
            .arg(keep.holder.to_string())
            .arg(keep.generation)
            .arg(&keep.value[..])
            .arg(keep.fresh_for.get())
            .arg(keep.keep_for.get())
            .arg(keep.variants);
        let kept: u8 = self.run(Op::Keep, call).await?;
        Ok(kept == 1)
    }

    pub(in crate::store) async fn end_turn(
        &self,
        id: &VariantId,
        holder: u64,
        pass: Micros,
    ) -> Result<(), StoreError> {
        let call = CACHE
            .on(&self.keys().cached(&id.target))
            .arg("end")
            .arg(&id.variant.bytes()[..])
            .arg(holder.to_string())
            .arg(pass.get());
        let _generation: u64 = self.run(Op::EndTurn, call).await?;
        Ok(())
    }

    pub(in crate::store) async fn purge_target(&self, target: &Digest) -> Result<(), StoreError> {
        let call = CACHE.on(&self.keys().cached(target)).arg("purge");
        let _generation: u64 = self.run(Op::Purge, call).await?;
        self.publish(&Event::TargetPurged { target: *target }).await
    }

    pub(in crate::store) async fn purge_tag(&self, tag: &str) -> Result<u64, StoreError> {
        let call = TAGS.on(&self.keys().tags()).arg(tag);
        let generation: u64 = self.run(Op::Purge, call).await?;
        self.publish(&Event::TagPurged {
            tag: tag.to_owned(),
            generation,
        })
        .await?;
        Ok(generation)
    }

    pub(in crate::store) async fn tags(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut all = cmd("HGETALL");
        all.arg(self.keys().tags());
        let answer = self.ask(Op::Tags, &Request::Command(all)).await?;
        from_redis_value(answer).map_err(|_| StoreError::Unexpected)
    }
}
