//! The shared channel on which replicas hear what happened.
//!
//! Guarantees: a channel that broke, also silently, ends within a few seconds, so that its owner subscribes again. Must not: decide
//! what an event means.

use std::time::Duration;

use deadpool_redis::redis::aio::{PubSubSink, PubSubStream};
use deadpool_redis::redis::{RedisError, Value};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::connect::Factory;
use crate::store::event::Event;

/// How long the channel may be silent before it is asked whether it lives, and how long it then has.
const SILENCE: Duration = Duration::from_secs(1);

/// One subscription.
pub(crate) struct Listener {
    sink: PubSubSink,
    stream: PubSubStream,
}

impl Listener {
    pub(super) async fn subscribe(factory: &Factory, channel: &str) -> Result<Self, RedisError> {
        let (mut sink, stream) = factory.listen().await?.split();
        sink.subscribe(channel).await?;
        Ok(Self { sink, stream })
    }

    /// The next event this version knows; none when the channel broke.
    pub(in crate::store) async fn next(&mut self) -> Option<Event> {
        loop {
            match timeout(SILENCE, self.stream.next()).await {
                Ok(message) => {
                    if let Some(event) = Event::decode(message?.get_payload_bytes()) {
                        return Some(event);
                    }
                }
                Err(_) => {
                    let pong = timeout(SILENCE, self.sink.ping::<Value>()).await;
                    pong.ok()?.ok()?;
                }
            }
        }
    }
}
