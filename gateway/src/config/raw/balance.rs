//! `ejection`, `health` and `dns` of `[upstreams.NAME]` as written. Must not: relate one key to another.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::List;
use super::scalar::{Scalar, Text};
use crate::policy::units::Micros;
use crate::upstream::settings::{Family, HashKey};

/// When an endpoint whose requests keep failing is left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Ejection {
    /// Failures in a row; 0 for never.
    #[schemars(extend("x-unit" = "requests"))]
    pub(in super::super) failures: Option<u32>,
    /// For how long the first time; each time in a row that much longer, to five minutes.
    pub(in super::super) base: Option<Text<Micros>>,
    /// The most endpoints left out at a time, as a share of all; so a lone one never is.
    #[schemars(extend("x-unit" = "a share, 0 to 1"))]
    pub(in super::super) max_share: Option<f64>,
}

/// Active checks of each endpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Checks {
    /// What is asked for with GET, like `/healthz`; absent: nothing is.
    pub(in super::super) path: Option<String>,
    /// `Host` of the question; absent: the endpoint's own.
    pub(in super::super) host: Option<String>,
    /// From one check to the next, give or take a tenth.
    pub(in super::super) interval: Option<Text<Micros>>,
    /// The longest one may take.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// Checks passed in a row that make an endpoint healthy again.
    #[schemars(extend("x-unit" = "checks"))]
    pub(in super::super) healthy: Option<u32>,
    /// Checks failed in a row that make it unhealthy.
    #[schemars(extend("x-unit" = "checks"))]
    pub(in super::super) unhealthy: Option<u32>,
    /// Statuses that pass: numbers, or ranges like `200-299`.
    pub(in super::super) statuses: Option<List<Text<Statuses>>>,
}

/// How names of endpoints become addresses.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Dns {
    /// The longest between two look-ups; a record's time to live makes it shorter.
    pub(in super::super) refresh: Option<Text<Micros>>,
    /// The longest a look-up may take.
    pub(in super::super) timeout: Option<Text<Micros>>,
    /// Which of a name's addresses are endpoints.
    pub(in super::super) family: Option<Text<Family>>,
    /// Whom to ask, like `10.0.0.2` or `10.0.0.2:5353`; empty: whom the system asks.
    pub(in super::super) servers: Option<List<Text<NameServer>>>,
}

/// A status or a range of them.
#[derive(Clone, Debug)]
pub(in super::super) struct Statuses(pub(in super::super) RangeInclusive<u16>);

/// The port of DNS (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;

/// Where a name server listens.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct NameServer(pub(in super::super) SocketAddr);

impl Scalar for NameServer {
    const EXPECTED: &'static str = "a name server like `10.0.0.2`";

    fn parse(text: &str) -> Result<Self, String> {
        let address = text.parse::<SocketAddr>();
        let alone = || {
            let ip = text.parse::<IpAddr>();
            ip.map(|ip| SocketAddr::new(ip, DNS_PORT))
        };
        address.or_else(|_| alone()).map(Self).map_err(|_| {
            format!("`{text}` is not a name server: write its address, like `10.0.0.2` or `10.0.0.2:5353`")
        })
    }

    fn hints() -> Value {
        json!({ "examples": ["10.0.0.2", "10.0.0.2:5353"] })
    }
}

impl Scalar for Statuses {
    const EXPECTED: &'static str = "a status like `200` or a range like `200-299`";

    fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let status = |word: &str| {
            let number = word.trim().parse::<u16>().ok();
            number.filter(|number| (200..=599).contains(number))
        };
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(format!(
                "`{text}` is not a range of final statuses: write one of 200 to 599, or two like `200-299`"
            )),
        }
    }

    fn hints() -> Value {
        json!({ "type": ["string", "integer"], "examples": [200, "200-299"] })
    }
}

impl Scalar for HashKey {
    const EXPECTED: &'static str = "a key like `client`, `header:NAME` or `cookie:NAME`";

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "client" => Ok(Self::Client),
            Some(("header", name)) => name
                .parse::<HeaderName>()
                .map(Self::Header)
                .map_err(|_| format!("`{name}` is not the name of a header")),
            // RFC 6265, section 4.1.1: a cookie's name is a token, like a header's.
            Some(("cookie", name)) if name.parse::<HeaderName>().is_ok() => {
                Ok(Self::Cookie(name.to_owned()))
            }
            Some(("cookie", name)) => Err(format!("`{name}` is not the name of a cookie")),
            _ => Err(format!(
                "`{text}` cannot be hashed: write `client`, `header:NAME` or `cookie:NAME`"
            )),
        }
    }

    fn hints() -> Value {
        json!({ "examples": ["client", "header:X-Tenant", "cookie:session"] })
    }
}
