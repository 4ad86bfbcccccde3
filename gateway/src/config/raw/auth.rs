//! `[auth.NAME]` as written. Must not: read a file, or relate one key to another.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::HeaderName;
use ipnet::IpNet;
use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::scalar::Text;
use super::several::OneOrMany;
use crate::policy::units::Micros;
use crate::proxy::settings::OnFailure;

/// A way to find out who is asking, or whether they may: one of `api_keys`, `jwt`, `basic`, `addresses` and `external`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Auth {
    /// The plan of whoever brings none of their own.
    pub(in super::super) plan: Option<String>,
    /// Whether the upstream gets the credentials as they came.
    pub(in super::super) forward_credentials: Option<bool>,
    /// The header that tells the upstream who is asking. What a client says in it is taken off, on every route.
    pub(in super::super) subject_header: Option<Text<HeaderName>>,
    /// The header that tells the upstream the plan. What a client says in it is taken off, on every route.
    pub(in super::super) plan_header: Option<Text<HeaderName>>,
    /// Keys that were handed out, known by their hash alone.
    pub(in super::super) api_keys: Option<ApiKeys>,
    /// Signed tokens in `Authorization: Bearer` (RFC 6750).
    pub(in super::super) jwt: Option<Jwt>,
    /// Names and passwords in `Authorization: Basic` (RFC 7617).
    pub(in super::super) basic: Option<Basic>,
    /// Networks that may come in, or may not.
    pub(in super::super) addresses: Option<Addresses>,
    /// A service that is asked about each request.
    pub(in super::super) external: Option<External>,
}

/// Keys that were handed out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ApiKeys {
    /// The header a key comes in.
    pub(in super::super) header: Option<Text<HeaderName>>,
    /// The query parameter a key may come in instead.
    pub(in super::super) query: Option<String>,
    /// A TOML file of keys: `[[keys]]` with `id`, `sha256`, `plan` and `expires`.
    pub(in super::super) file: Option<PathBuf>,
    /// Whether the shared store is asked for keys the file does not have: `PREFIX:v1:apikey:SHA256`, with `id`, `plan` and `expires`.
    pub(in super::super) store: Option<bool>,
    /// When the store is lost and said nothing of a key lately: `deny` with 503, or `allow` as nobody.
    pub(in super::super) on_failure: Option<Text<OnFailure>>,
}

/// Signed tokens.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Jwt {
    /// A file with the shared secret, for HS256, HS384 and HS512.
    pub(in super::super) secret_file: Option<PathBuf>,
    /// A file with the issuer's public key, in PEM.
    pub(in super::super) public_key_file: Option<PathBuf>,
    /// A file with the issuer's keys: a JSON Web Key Set (RFC 7517).
    pub(in super::super) jwks_file: Option<PathBuf>,
    /// Where the issuer publishes its keys.
    pub(in super::super) jwks_url: Option<String>,
    /// How often `jwks_url` is fetched; a token with a key nobody knows has it fetched at once, but at most every 10 s.
    pub(in super::super) refresh: Option<Text<Micros>>,
    /// The algorithms a token may be signed with.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) algorithms: Option<List<Text<Algorithm>>>,
    /// Who may have issued a token (`iss`), one or several; absent: anybody who has the key.
    pub(in super::super) issuer: Option<OneOrMany<String>>,
    /// Whom a token must be meant for (`aud`), one of these; absent: a token that names an audience is refused.
    pub(in super::super) audience: Option<OneOrMany<String>>,
    /// How far the issuer's clock may be off, for `exp` and `nbf`.
    pub(in super::super) leeway: Option<Text<Micros>>,
    /// The claim that says who is asking.
    pub(in super::super) subject_claim: Option<String>,
    /// The claim that says the plan.
    pub(in super::super) plan_claim: Option<String>,
    /// Claims the upstream is told, each with its header. What a client says in these is taken off, on every route.
    pub(in super::super) claims_to_headers: Option<BTreeMap<String, ToHeader>>,
    /// Claims that must say this, else 403; `*` is anything, a `scope` must have all the words.
    pub(in super::super) required_claims: Option<BTreeMap<String, Wanted>>,
}

/// The header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(in super::super) struct ToHeader(pub(in super::super) Text<HeaderName>);

/// What the claim must say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(in super::super) struct Wanted(pub(in super::super) String);

/// Names and passwords.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Basic {
    /// A file of lines `NAME:HASH` with bcrypt hashes: `htpasswd -B` makes it.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) file: Option<PathBuf>,
}

/// Networks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Addresses {
    /// Only these may come in, if there are any.
    pub(in super::super) allow: Option<List<Text<IpNet>>>,
    /// These may not, whatever else is allowed.
    pub(in super::super) deny: Option<List<Text<IpNet>>>,
}

/// A service that is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct External {
    /// The upstream it is: one of `[upstreams]`, with endpoints and a circuit of its own.
    #[schemars(extend("x-required" = true))]
    pub(in super::super) upstream: Option<String>,
    /// The path it is asked at, with `GET`.
    pub(in super::super) path: Option<String>,
    /// The longest it may take.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// When it gives no answer: `deny` with 503, or `allow`.
    pub(in super::super) on_failure: Option<Text<OnFailure>>,
    /// Headers of the request it is shown.
    pub(in super::super) request_headers: Option<List<Text<HeaderName>>>,
    /// Headers of its agreement the upstream is shown. What a client says in these is taken off, on every route.
    pub(in super::super) response_headers: Option<List<Text<HeaderName>>>,
}
