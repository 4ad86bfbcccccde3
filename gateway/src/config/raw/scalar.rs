//! Values written as one word: durations, rates, addresses, choices.
//!
//! Guarantees: an error says what was written and what is expected. Must not: print a secret.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};

use http::Method;
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::{Value, json};

use super::super::secret::{Password, Secret};
use super::super::shape::nearest;
use super::endpoint;
use super::server::EncodedSlashes;
use crate::limiter::settings::OnStoreFailure;
use crate::policy::circuit::Quorum;
use crate::policy::grpc::GrpcStatus;
use crate::policy::retry::{Jitter, Trouble};
use crate::policy::units::{ByteSize, Micros, Rate, parse_span};
use crate::proxy::settings::{
    Coding, CompressionLevel, DotSegments, DoubleSlashes, OnFailure, Underscores,
};
use crate::server::{ClientAuth, TlsVersion};
use crate::telemetry::settings::LogFormat;
use crate::telemetry::traces::settings::ExportProtocol;
use crate::upstream::settings::{Family, HostChoice, Protocol};

/// What can be read from one word.
pub(in super::super) trait Scalar: Sized {
    /// What it is called when something else stands in its place.
    const EXPECTED: &'static str;

    /// Reads it; the error says what was written and what is expected.
    fn parse(text: &str) -> Result<Self, String>;

    /// What the schema says beside "a string".
    fn hints() -> Value {
        json!({})
    }
}

/// A value written as one word. A bare number or flag is read as the word it is, so that one message fits both.
#[derive(Clone, Debug)]
pub(in super::super) struct Text<T>(pub(in super::super) T);

impl<'de, T: Scalar> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Word(PhantomData))
    }
}

struct Word<T>(PhantomData<T>);

impl<T: Scalar> Word<T> {
    fn read<E: Error>(text: &str) -> Result<Text<T>, E> {
        T::parse(text).map(Text).map_err(E::custom)
    }
}

impl<T: Scalar> Visitor<'_> for Word<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
        Self::read(text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text<T>, E> {
        Self::read(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Text<T>, E> {
        Self::read(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Text<T>, E> {
        Self::read(&number.to_string())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Text<T>, E> {
        Self::read(&flag.to_string())
    }
}

impl<T: Scalar> JsonSchema for Text<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::EXPECTED.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({ "type": "string" });
        if let Value::Object(hints) = T::hints() {
            // A choice says it all; any other word needs its form told.
            if !hints.contains_key("enum") {
                schema.insert("title".to_owned(), T::EXPECTED.into());
            }
            schema.ensure_object().extend(hints);
        }
        schema
    }
}

impl Scalar for Micros {
    const EXPECTED: &'static str = "a duration like `30s`";

    fn parse(text: &str) -> Result<Self, String> {
        parse_span(text).map_err(|error| error.to_string())
    }

    fn hints() -> Value {
        json!({ "examples": ["250ms", "30s", "1m"] })
    }
}

impl Scalar for Rate {
    const EXPECTED: &'static str = "a rate like `10/s`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: crate::policy::units::UnitError| error.to_string())
    }

    fn hints() -> Value {
        json!({ "examples": ["10/s", "100/1m", "5/60s"] })
    }
}

impl Scalar for ByteSize {
    const EXPECTED: &'static str = "a size like `64KiB`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: crate::policy::units::UnitError| error.to_string())
    }

    fn hints() -> Value {
        json!({ "type": ["string", "integer"], "examples": ["64KiB", "10MB", 4096] })
    }
}

impl Scalar for SocketAddr {
    const EXPECTED: &'static str = "an address like `0.0.0.0:5000`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| match text.rsplit_once(':') {
            Some((_, port)) if port.parse::<u64>().is_ok_and(|port| port > 65_535) => {
                format!("`{port}` is not a port: ports end at 65535")
            }
            _ => format!(
                "`{text}` is not an address to listen on: write IP:PORT, like `0.0.0.0:5000` or `[::]:5000`"
            ),
        })
    }
}

impl Scalar for IpNet {
    const EXPECTED: &'static str = "a network like `10.0.0.0/8`";

    fn parse(text: &str) -> Result<Self, String> {
        let address = || text.parse::<IpAddr>().map(Self::from);
        text.parse::<Self>().or_else(|_| address()).map_err(|_| {
            format!("`{text}` is not a network: write a CIDR like `10.0.0.0/8`, or one address")
        })
    }
}

impl Scalar for Method {
    const EXPECTED: &'static str = "a method like `GET`";

    fn parse(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        match text.parse::<Self>() {
            Ok(Self::CONNECT) => {
                Err("`CONNECT` asks for a tunnel, which a route cannot be".to_owned())
            }
            Ok(method) if upper == text => Ok(method),
            Ok(_) => Err(format!(
                "methods are case-sensitive: write `{upper}` for `{text}`"
            )),
            Err(_) => Err(format!("`{text}` is not a method: write one like `GET`")),
        }
    }
}

impl Scalar for Secret {
    const EXPECTED: &'static str = "a URL like `redis://HOST:PORT`";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn hints() -> Value {
        json!({ "writeOnly": true })
    }
}

impl Scalar for Password {
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn hints() -> Value {
        json!({ "writeOnly": true, "format": "password" })
    }
}

impl Scalar for Quorum {
    const EXPECTED: &'static str = "`auto` or a number of replicas";

    fn parse(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(replicas)) => Ok(Self::Replicas(replicas)),
            _ => Err(format!(
                "`{text}` is not a quorum: write `auto`, or how many replicas, at least 1"
            )),
        }
    }

    fn hints() -> Value {
        json!({ "type": ["string", "integer"], "minimum": 1 })
    }
}

impl Scalar for GrpcStatus {
    const EXPECTED: &'static str = "a status of gRPC like `UNAVAILABLE`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            let near = nearest(text, Self::names().iter().copied());
            format!("`{text}` is not a status of gRPC{near}")
        })
    }

    fn hints() -> Value {
        json!({ "enum": Self::names() })
    }
}

impl Scalar for HostChoice {
    const EXPECTED: &'static str = "`endpoint`, `keep` or a host";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "endpoint" => Ok(Self::Endpoint),
            "keep" => Ok(Self::Keep),
            name if name.contains(['/', '@', ',', '*']) => Err(format!(
                "`{name}` is not a host: write `endpoint`, `keep` or a host like `api.internal`"
            )),
            name => endpoint::known_authority(name, name).map(Self::Named),
        }
    }
}

/// Which traces are kept, by the names of OpenTelemetry's `OTEL_TRACES_SAMPLER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SamplerName {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A share.
    Ratio,
    /// As the caller decided, else all.
    ParentAlwaysOn,
    /// As the caller decided, else none.
    ParentAlwaysOff,
    /// As the caller decided, else a share.
    ParentRatio,
}

/// Which endpoint is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Balance {
    /// In turn.
    RoundRobin,
    /// The less loaded of two.
    LeastLoaded,
    /// The same one for the same key.
    Hash,
}

/// A scalar that is one of a few words.
macro_rules! choice {
    ($choice:ty, $expected:literal, $($word:literal => $value:expr),+) => {
        impl Scalar for $choice {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err(format!("`{text}` is not {}: write {}", $expected, [$(concat!("`", $word, "`")),+].join(" or "))),
                }
            }

            fn hints() -> Value {
                json!({ "enum": [$($word),+] })
            }
        }
    };
}
pub(super) use choice;

choice!(
    Balance,
    "a way to balance",
    "round_robin" => Self::RoundRobin,
    "least_loaded" => Self::LeastLoaded,
    "hash" => Self::Hash
);
choice!(Family, "a family of addresses", "any" => Self::Any, "ipv4" => Self::V4, "ipv6" => Self::V6);
choice!(
    DotSegments,
    "a rule for dot segments",
    "reject" => Self::Reject,
    "resolve" => Self::Resolve,
    "forward" => Self::Forward
);
choice!(
    DoubleSlashes,
    "a rule for slashes in a row",
    "reject" => Self::Reject,
    "merge" => Self::Merge,
    "forward" => Self::Forward
);
choice!(
    CompressionLevel,
    "a level of compression",
    "fast" => Self::Fast,
    "balanced" => Self::Balanced,
    "small" => Self::Small
);
choice!(
    Coding,
    "a coding",
    "zstd" => Self::Zstd,
    "br" => Self::Brotli,
    "gzip" => Self::Gzip
);
choice!(
    EncodedSlashes,
    "a rule for encoded slashes",
    "reject" => Self::Reject,
    "forward" => Self::Forward
);
choice!(
    Underscores,
    "a rule for underscores",
    "reject" => Self::Reject,
    "drop" => Self::Drop,
    "allow" => Self::Allow
);
choice!(OnFailure, "a way to go on without an answer", "deny" => Self::Deny, "allow" => Self::Allow);
choice!(Jitter, "a kind of jitter", "full" => Self::Full, "none" => Self::None);
choice!(Trouble, "what a retry may follow",
    "connect" => Self::Connect, "reset" => Self::Reset, "timeout" => Self::Timeout);
choice!(
    SamplerName,
    "a sampler",
    "parentbased_always_on" => Self::ParentAlwaysOn,
    "parentbased_always_off" => Self::ParentAlwaysOff,
    "parentbased_traceidratio" => Self::ParentRatio,
    "always_on" => Self::AlwaysOn,
    "always_off" => Self::AlwaysOff,
    "traceidratio" => Self::Ratio
);
choice!(ExportProtocol, "a protocol", "http/protobuf" => Self::Http, "grpc" => Self::Grpc);
choice!(
    Protocol,
    "an HTTP version for upstreams",
    "auto" => Self::Auto,
    "1.1" => Self::Http1,
    "2" => Self::Http2
);
choice!(TlsVersion, "a version of TLS that is spoken", "1.2" => Self::V12, "1.3" => Self::V13);
choice!(ClientAuth, "a rule for client certificates", "none" => Self::None, "optional" => Self::Optional, "required" => Self::Required);
choice!(LogFormat, "a log format", "json" => Self::Json, "text" => Self::Text);
choice!(
    OnStoreFailure,
    "a way to go on without the store",
    "degrade" => Self::Degrade,
    "allow" => Self::Allow,
    "deny" => Self::Deny
);
