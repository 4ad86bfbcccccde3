//! What is taken off a message and what is put on it when it passes this hop.
//!
//! Guarantees: everything of this hop ([`hop_by_hop`]) and everything a stranger says of where it comes from is gone before anything of ours is
//! added, so that a client cannot nominate our headers away. Must not: touch a body.

mod hop;
mod hop_by_hop;

pub(super) use hop::Hop;
pub(super) use hop_by_hop::{strip_hop_by_hop, strip_trailers, takes_trailers};

use http::header::{EXPECT, HeaderMap, VIA};
use http::{HeaderName, HeaderValue, Version};

use super::identify::X_FORWARDED_FOR;
use crate::telemetry::traces::Trace;

pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a hop that ends TLS says of its client (RFC 9440): ours to say, and nobody else's.
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Removes what hops say of where a request came from.
fn strip_origin(headers: &mut HeaderMap) {
    // No allocation where there is none.
    let told: Vec<HeaderName> = headers.keys().filter(tells_origin).cloned().collect();
    for name in told {
        headers.remove(name);
    }
}

/// Whether a field is for hops to say of where a request came from: RFC 7239, and what there was before it.
fn tells_origin(name: &&HeaderName) -> bool {
    let name = name.as_str();
    match name.len() {
        9 => name == "forwarded" || name == "x-real-ip",
        13.. => name.starts_with("x-forwarded-"),
        _ => false,
    }
}

/// What this hop knows of where a request came from.
pub(super) struct Origin<'a> {
    /// The peer's address, as a header value.
    pub(super) peer: &'a HeaderValue,
    /// Whether what the peer says of its client is believed.
    pub(super) trusted: bool,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// The certificate the client showed, as a header value.
    pub(super) certificate: Option<&'a HeaderValue>,
    /// The host the client asked for.
    pub(super) host: Option<HeaderValue>,
    /// The version the client spoke.
    pub(super) version: Version,
}

/// Adds what the upstream should know, and takes off what a stranger says about itself.
pub(super) fn prepare_request(
    headers: &mut HeaderMap,
    origin: Origin<'_>,
    request_id: &HeaderValue,
    hop: &Hop,
) {
    strip_hop_by_hop(headers);
    // Answered here, before the body is asked for; the upstream would answer a second time.
    drop_rare(headers, &EXPECT);
    if !origin.trusted {
        strip_origin(headers);
    }
    // Of a stranger nothing is left to be found.
    let chain = if origin.trusted {
        headers.get_all(X_FORWARDED_FOR).iter().collect()
    } else {
        Vec::new()
    };
    let forwarded_for = append(&chain, origin.peer);
    headers.insert(X_FORWARDED_FOR, forwarded_for);
    if !origin.trusted || !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(origin.scheme));
    }
    if let Some(host) = origin.host
        && (!origin.trusted || !headers.contains_key(X_FORWARDED_HOST))
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if let Some(certificate) = origin.certificate {
        headers.insert(CLIENT_CERT, certificate.clone());
    }
    headers.append(VIA, hop.via(origin.version));
    headers.insert(X_REQUEST_ID, request_id.clone());
}

/// Removes a field that few requests have: to see that it is not there takes no hash.
pub(super) fn drop_rare(headers: &mut HeaderMap, name: &HeaderName) {
    if headers.keys().any(|one| one == name) {
        headers.remove(name);
    }
}

fn append(chain: &[&HeaderValue], peer: &HeaderValue) -> HeaderValue {
    if chain.is_empty() {
        return peer.clone();
    }
    let mut joined = Vec::with_capacity(chain.len() * 32 + peer.len());
    for value in chain {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(peer.as_bytes());
    HeaderValue::from_bytes(&joined).unwrap_or_else(|_| peer.clone())
}

/// Prepares an upstream's answer for the client.
pub(super) fn prepare_response(headers: &mut HeaderMap, request_id: &HeaderValue) {
    strip_hop_by_hop(headers);
    headers.insert(X_REQUEST_ID, request_id.clone());
}

/// The id a request keeps or gets. A client's is kept when it is short and plain enough to stand in any log.
/// One that is made is the trace's id, so that whoever has the one can look up the other.
pub(super) fn request_id(headers: &HeaderMap, trace: &Trace) -> HeaderValue {
    match headers.get(X_REQUEST_ID) {
        Some(id) if is_sane_id(id.as_bytes()) => id.clone(),
        _ => HeaderValue::from_maybe_shared(trace.id_bytes())
            .unwrap_or_else(|_| HeaderValue::from_static("-")),
    }
}

fn is_sane_id(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+=/@".contains(byte))
}

#[cfg(test)]
mod tests {
    use http::header::CONNECTION;

    use super::hop_by_hop::HOP_BY_HOP;
    use super::*;
    use crate::telemetry::traces::Tracer;
    use crate::telemetry::traces::settings::Settings;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    fn prepared(mut map: HeaderMap, trusted: bool) -> HeaderMap {
        let peer = HeaderValue::from_static("192.0.2.1");
        let origin = Origin {
            peer: &peer,
            trusted,
            scheme: "http",
            certificate: None,
            host: Some(HeaderValue::from_static("api.example")),
            version: Version::HTTP_11,
        };
        prepare_request(
            &mut map,
            origin,
            &HeaderValue::from_static("id"),
            &Hop::new("edge"),
        );
        map
    }

    #[test]
    fn fields_of_this_hop_and_what_connection_names_are_gone() {
        let map = prepared(
            headers(&[
                ("connection", "keep-alive, X-Secret"),
                ("connection", "x-other,x-forwarded-for"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("te", "trailers"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("proxy-authorization", "Basic eA=="),
                ("x-secret", "1"),
                ("x-other", "2"),
                ("x-kept", "3"),
            ]),
            false,
        );
        let mut names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "via",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-kept",
                "x-request-id"
            ]
        );
        assert_eq!(map["x-forwarded-for"], "192.0.2.1");
    }

    #[test]
    fn a_nomination_counts_however_many_come_before_it() {
        let names: Vec<_> = (0..500).map(|number| format!("x-{number}")).collect();
        let mut map = HeaderMap::new();
        map.insert(CONNECTION, HeaderValue::try_from(names.join(",")).unwrap());
        map.insert("x-499", HeaderValue::from_static("1"));
        strip_hop_by_hop(&mut map);
        assert!(map.is_empty(), "{map:?}");
    }

    #[test]
    fn every_field_of_the_hop_is_recognised() {
        for name in &HOP_BY_HOP {
            let mut map = HeaderMap::new();
            map.insert(name, HeaderValue::from_static("x"));
            strip_hop_by_hop(&mut map);
            assert!(map.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_client_cannot_nominate_the_length_away() {
        let mut map = headers(&[
            ("connection", "content-length, host"),
            ("content-length", "3"),
            ("host", "a"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn a_stranger_does_not_choose_its_address() {
        let said = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "bank"),
        ];
        let map = prepared(headers(&said), false);
        assert_eq!(map["x-forwarded-for"], "192.0.2.1");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-forwarded-host"], "api.example");
    }

    #[test]
    fn what_hops_say_is_no_strangers_to_say_however_it_is_called() {
        let said = headers(&[
            ("forwarded", "for=6.6.6.6;host=bank"),
            ("x-real-ip", "6.6.6.6"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("x-forwarded-prefix", "/root"),
            ("x-forward", "1"),
            ("x-forwarded", "2"),
        ]);
        let names = |map: &HeaderMap| -> Vec<_> {
            let names = map.keys().map(|name| name.as_str().to_owned());
            names
                .filter(|name| name.contains("forward") || name == "x-real-ip")
                .collect()
        };
        let mut left = names(&prepared(said.clone(), false));
        left.sort_unstable();
        let own = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
        assert_eq!(left, [&["x-forward", "x-forwarded"][..], &own].concat());
        assert_eq!(names(&prepared(said.clone(), true)).len(), 6 + own.len());
        let mut trailers = said;
        strip_trailers(&mut trailers);
        assert_eq!(trailers.len(), 2, "{trailers:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_appended_to() {
        let said = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "https"),
        ];
        let map = prepared(headers(&said), true);
        assert_eq!(map["x-forwarded-for"], "203.0.113.9, 10.0.0.2, 192.0.2.1");
        assert_eq!(map["x-forwarded-proto"], "https");
    }

    #[test]
    fn via_is_appended_to() {
        let map = prepared(headers(&[("via", "1.0 fred")]), false);
        let via: Vec<_> = map.get_all(VIA).iter().collect();
        assert_eq!(via, ["1.0 fred", "1.1 edge"]);
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let tracer = Tracer::new(&Settings::default(), None);
        let trace = tracer.begin(None);
        assert_eq!(
            request_id(&headers(&[("x-request-id", "abc-123")]), &trace),
            "abc-123"
        );
        for bad in ["", "has space", "quote\"", "a,b"] {
            let made = request_id(&headers(&[("x-request-id", bad)]), &trace);
            assert_eq!(made, trace.id(), "{bad:?}");
        }
        assert_ne!(tracer.begin(None).id(), trace.id());
    }
}
