//! What replicas tell each other.
//!
//! Guarantees: an event of a later version or an unknown kind is passed over, never an error, so that a fleet can be upgraded
//! one replica at a time; none is longer than [`MAX_BYTES`]. Must not: be relied on to arrive: an event is a hint to look sooner.

use serde::{Deserialize, Serialize};

use crate::policy::cacheability::Digest;
use crate::policy::ids::{PolicyName, ReplicaId, UpstreamName};

/// The longest event on the wire: a circuit's and a bucket's are far shorter, an order may name replicas.
pub const MAX_BYTES: usize = 8 * 1_024;

/// The version of the wire form.
const VERSION: u32 = 1;

/// Something that happened in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A circuit moved.
    Circuit {
        /// Whose circuit.
        upstream: UpstreamName,
        /// The epoch it moved to.
        epoch: u64,
    },
    /// An operator reset a bucket: what was remembered of its denials is void.
    BucketForgotten {
        /// The limit.
        policy: PolicyName,
        /// Whom it counted, as text.
        client: String,
    },
    /// A new generation of everything under a tag began.
    TagPurged {
        /// The tag.
        tag: String,
        /// The generation.
        generation: u64,
    },
    /// A target was purged, with all its variants.
    TargetPurged {
        /// Its key.
        target: Digest,
    },
    /// An operator ordered something of several replicas.
    Order {
        /// The replica it was ordered through, which has heard of it already.
        from: ReplicaId,
        /// Whom it concerns; none for all.
        replicas: Option<Vec<String>>,
        /// What.
        what: Directive,
        /// Who wants it.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
}

/// What can be ordered of several replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Log by this filter from now on.
    LogLevel(String),
    /// Leave rotation.
    Drain,
    /// Come back into it.
    Undrain,
    /// Read the configuration again.
    Reload,
}

/// The wire form: one flat JSON object.
#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Circuit {
        upstream: String,
        epoch: u64,
    },
    BucketForgotten {
        policy: String,
        client: String,
    },
    Order {
        from: String,
        #[serde(default)]
        replicas: Option<Vec<String>>,
        what: Directive,
        by: String,
        reason: String,
    },
    TagPurged {
        tag: String,
        generation: u64,
    },
    TargetPurged {
        target: String,
    },
}

impl Event {
    /// The event as published; none when it would be too long to be believed.
    #[must_use]
    pub fn encode(&self) -> Option<String> {
        let kind = match self {
            Self::Circuit { upstream, epoch } => Kind::Circuit {
                upstream: upstream.to_string(),
                epoch: *epoch,
            },
            Self::BucketForgotten { policy, client } => Kind::BucketForgotten {
                policy: policy.to_string(),
                client: client.clone(),
            },
            Self::Order {
                from,
                replicas,
                what,
                by,
                reason,
            } => Kind::Order {
                from: from.to_string(),
                replicas: replicas.clone(),
                what: what.clone(),
                by: by.clone(),
                reason: reason.clone(),
            },
            Self::TagPurged { tag, generation } => Kind::TagPurged {
                tag: tag.clone(),
                generation: *generation,
            },
            Self::TargetPurged { target } => Kind::TargetPurged {
                target: target.to_string(),
            },
        };
        let text = serde_json::to_string(&Wire { v: VERSION, kind }).ok()?;
        (text.len() <= MAX_BYTES).then_some(text)
    }

    /// Reads what was published; none for what this version does not know.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        if payload.len() > MAX_BYTES {
            return None;
        }
        let wire: Wire = serde_json::from_slice(payload).ok()?;
        if wire.v != VERSION {
            return None;
        }
        Some(match wire.kind {
            Kind::Circuit { upstream, epoch } => Self::Circuit {
                upstream: UpstreamName::from(upstream.as_str()),
                epoch,
            },
            Kind::BucketForgotten { policy, client } => Self::BucketForgotten {
                policy: PolicyName::from(policy.as_str()),
                client,
            },
            Kind::Order {
                from,
                replicas,
                what,
                by,
                reason,
            } => Self::Order {
                from: ReplicaId::from(from.as_str()),
                replicas,
                what,
                by,
                reason,
            },
            Kind::TagPurged { tag, generation } => Self::TagPurged { tag, generation },
            Kind::TargetPurged { target } => Self::TargetPurged {
                target: Digest::parse(&target)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ids::MAX_TEXT;

    #[test]
    fn events_survive_the_wire() {
        for event in [
            Event::Circuit {
                upstream: "default".into(),
                epoch: u64::MAX,
            },
            Event::BucketForgotten {
                policy: "per-client".into(),
                client: "\u{1}".repeat(MAX_TEXT),
            },
            Event::Order {
                from: "edge-1".into(),
                replicas: Some(vec!["edge-2".repeat(30); 32]),
                what: Directive::LogLevel("\"".repeat(200)),
                by: "\"".repeat(200),
                reason: "\"".repeat(200),
            },
        ] {
            let text = event.encode().expect("within the bound");
            assert_eq!(Event::decode(text.as_bytes()), Some(event));
        }
    }

    #[test]
    fn what_a_later_version_says_is_passed_over() {
        for text in [
            r#"{"v":2,"kind":"circuit","upstream":"a","epoch":1}"#,
            r#"{"v":1,"kind":"purge","tag":"a"}"#,
            r#"{"v":1,"kind":"order","from":"a","what":"explode","by":"b","reason":""}"#,
            r#"{"v":1}"#,
            "",
            "null",
        ] {
            assert_eq!(Event::decode(text.as_bytes()), None, "{text}");
        }
        let known = r#"{"v":1,"kind":"circuit","upstream":"a","epoch":1,"by":"later"}"#;
        assert!(Event::decode(known.as_bytes()).is_some());
        let long = Event::BucketForgotten {
            policy: "a".into(),
            client: "x".repeat(MAX_BYTES),
        };
        assert_eq!(long.encode(), None);
    }
}
