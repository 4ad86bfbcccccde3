//! `[traces]` as written. Must not: relate one key to another.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::secret::Password;
use super::scalar::{SamplerName, Text};
use crate::policy::units::Micros;
use crate::telemetry::traces::settings::ExportProtocol;

/// Traces: what requests belong to which story, told to a collector by OTLP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Traces {
    /// The collector's URL as it is used, like `http://127.0.0.1:4318/v1/traces` or, by gRPC, `http://127.0.0.1:4317`; absent: nothing is exported.
    pub(in super::super) endpoint: Option<String>,
    /// How spans travel: `http/protobuf` or `grpc`.
    pub(in super::super) protocol: Option<Text<ExportProtocol>>,
    /// Headers sent to the collector, by name; values are never printed.
    pub(in super::super) headers: Option<BTreeMap<String, Header>>,
    /// The longest one batch may take to be sent.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// Which traces are kept, by OpenTelemetry's names: `parentbased_always_on` and the like. The decision goes upstream in `traceparent`.
    pub(in super::super) sampler: Option<Text<SamplerName>>,
    /// The share of traces that the samplers called `traceidratio` keep, from 0 to 1.
    #[schemars(extend("x-unit" = "a share, 0 to 1"))]
    pub(in super::super) ratio: Option<f64>,
    /// The service's name in its spans.
    pub(in super::super) service: Option<String>,
    /// More of what the service is, such as `"deployment.environment.name" = "production"`.
    pub(in super::super) attributes: Option<BTreeMap<String, Attribute>>,
    /// The most requests whose spans wait to be sent; those beyond are counted and dropped.
    #[schemars(extend("x-unit" = "spans"))]
    pub(in super::super) queue: Option<u32>,
    /// How long spans wait for others to be sent with.
    pub(in super::super) delay: Option<Text<Micros>>,
}

/// The header's value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(in super::super) struct Header(pub(in super::super) Text<Password>);

/// The attribute's value.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(in super::super) struct Attribute(pub(in super::super) String);
