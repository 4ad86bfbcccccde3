//! What a route lets other origins do, and how it compresses, as written. Must not: relate one key to another.

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::scalar::Text;
use crate::policy::units::{ByteSize, Micros};
use crate::proxy::settings::{Coding, CompressionLevel};

/// What scripts of other origins may do (CORS). Preflights are answered here and cost no limit anything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Cors {
    /// Who may: `https://app.example.com`, `https://*.example.com` for all below, or `*` alone for everybody.
    pub(in super::super) origins: Option<List<String>>,
    /// With which methods; absent: the route's own, or GET, HEAD, POST, PUT, PATCH and DELETE.
    pub(in super::super) methods: Option<List<Text<Method>>>,
    /// With which header fields, beside those that are always allowed; `*` alone: whatever is asked for.
    pub(in super::super) headers: Option<List<String>>,
    /// Which fields of an answer a script may read, beside those it always may.
    pub(in super::super) expose: Option<List<String>>,
    /// Whether cookies and credentials are sent along; absent: not.
    pub(in super::super) credentials: Option<bool>,
    /// How long a browser may remember a preflight; absent: 10m.
    pub(in super::super) max_age: Option<Text<Micros>>,
}

/// Which answers are compressed, where the client takes that.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Compression {
    /// Media types, `text/*` for all that begin so; absent: text, JSON, XML, JavaScript, SVG and WebAssembly.
    pub(in super::super) types: Option<List<String>>,
    /// The shortest body worth it; absent: 1KiB. A body that does not say its length is worth it.
    pub(in super::super) minimum: Option<Text<ByteSize>>,
    /// How hard: `fast`, `balanced` or `small`; absent: balanced.
    pub(in super::super) level: Option<Text<CompressionLevel>>,
    /// The codings, the most preferred first; absent: `zstd`, `br`, `gzip`.
    pub(in super::super) codings: Option<List<Text<Coding>>>,
}
