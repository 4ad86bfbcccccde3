//! Who is let in, as configured: one `[auth.NAME]` is one way to find out. Must not: hold a secret that could be printed, or check one.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use jsonwebtoken::Algorithm;

use super::super::authorize::KeySource;
use crate::policy::ids::UpstreamName;

/// One way to find out who is asking, or whether they may.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// Its name in routes, challenges and metrics.
    pub name: Arc<str>,
    /// The plan of whoever brings none of its own.
    pub plan: Option<Arc<str>>,
    /// Whether the upstream gets the credentials as they came.
    pub forward_credentials: bool,
    /// The header that tells the upstream who is asking.
    pub subject_header: HeaderName,
    /// The header that tells the upstream the plan.
    pub plan_header: HeaderName,
    /// How.
    pub kind: AuthKind,
}

impl AuthSettings {
    /// The headers it sets towards the upstream: what a client says in them is nothing.
    pub fn own_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let (claims, copied): (&[_], &[_]) = match &self.kind {
            AuthKind::Jwt(jwt) => (&jwt.claims_to_headers, &[]),
            AuthKind::External(external) => (&[], &external.response_headers),
            _ => (&[], &[]),
        };
        let claims = claims.iter().map(|(_, header)| header);
        [&self.subject_header, &self.plan_header]
            .into_iter()
            .chain(claims)
            .chain(copied)
    }
}

/// The ways.
#[derive(Clone, Debug)]
pub enum AuthKind {
    /// A key that was handed out.
    ApiKeys(ApiKeysSettings),
    /// A signed token (RFC 6750, RFC 7519).
    Jwt(JwtSettings),
    /// A name and a password (RFC 7617).
    Basic(BasicSettings),
    /// Where the request is from.
    Addresses(AddressesSettings),
    /// Another service is asked.
    External(ExternalSettings),
}

/// Keys that were handed out.
#[derive(Clone, Debug)]
pub struct ApiKeysSettings {
    /// The header a key comes in.
    pub header: HeaderName,
    /// The query parameter it may come in instead.
    pub query: Option<Arc<str>>,
    /// Keys known from a file.
    pub keys: Arc<[EnrolledKey]>,
    /// Whether the shared store is asked for the rest.
    pub store: bool,
    /// Without the store, and without an answer of it that is remembered.
    pub on_failure: OnFailure,
}

/// A key as it is kept: of the key itself only a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolledKey {
    /// Whose it is.
    pub id: Arc<str>,
    /// SHA-256 of the key. Keys are long and random, so that no slower hash is needed.
    pub hash: [u8; 32],
    /// Its plan.
    pub plan: Option<Arc<str>>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// Signed tokens.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// The keys that signatures are checked with.
    pub keys: Arc<KeySource>,
    /// The algorithms a token may be signed with; nothing in a token adds to them (RFC 8725, section 3.1).
    pub algorithms: Vec<Algorithm>,
    /// Who may have issued it; empty: anybody who has the key.
    pub issuer: Vec<String>,
    /// Whom it must be meant for; empty: a token that names an audience is refused (RFC 7519, section 4.1.3).
    pub audience: Vec<String>,
    /// How far the issuer's clock may be off.
    pub leeway: Duration,
    /// The claim that says who is asking.
    pub subject_claim: String,
    /// The claim that says the plan.
    pub plan_claim: Option<String>,
    /// Claims the upstream is told, each in a header.
    pub claims_to_headers: Vec<(String, HeaderName)>,
    /// Claims that must say this; `*` is anything.
    pub required_claims: Vec<(String, String)>,
}

/// Names and passwords.
#[derive(Clone, Debug)]
pub struct BasicSettings {
    /// Each user's bcrypt hash.
    pub users: Arc<[(Arc<str>, Arc<str>)]>,
}

/// Networks.
#[derive(Clone, Debug)]
pub struct AddressesSettings {
    /// Only these, if there are any.
    pub allow: Vec<IpNet>,
    /// Never these.
    pub deny: Vec<IpNet>,
}

/// A service that is asked about each request.
#[derive(Clone, Debug)]
pub struct ExternalSettings {
    /// Which.
    pub upstream: UpstreamName,
    /// The path it is asked at.
    pub path: http::uri::PathAndQuery,
    /// The longest it may take.
    pub timeout: Duration,
    /// When it does not answer.
    pub on_failure: OnFailure,
    /// What it is shown of the request.
    pub request_headers: Vec<HeaderName>,
    /// What of its answer the upstream is shown.
    pub response_headers: Vec<HeaderName>,
}

/// What happens when nobody can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// 503.
    Deny,
    /// The request goes on, as nobody's.
    Allow,
}
