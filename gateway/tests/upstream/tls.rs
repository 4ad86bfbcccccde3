//! TLS towards the upstream: who is believed, what is shown, which protocol is agreed on, and what the upstream is called.

use http::{Method, Version};

use crate::gateway;
use crate::pki::Pki;
use crate::server::{Speaks, Upstream};
use crate::support::{client, eventually};

const LOCAL: &[&str] = &["127.0.0.1", "localhost"];

async fn secure(pki: &Pki, protocols: &[&str]) -> Upstream {
    Upstream::start(Speaks::Tls(pki.server(protocols, None))).await
}

#[tokio::test]
async fn http_2_is_spoken_where_both_sides_can() {
    let pki = Pki::new(LOCAL);
    let upstream = secure(&pki, &["h2", "http/1.1"]).await;
    let gateway = gateway(
        &upstream.url("https"),
        &[("tls.ca_file", &pki.file("ca.pem"))],
    );
    for _ in 0..5 {
        let answer = gateway.get("/proxy/thing?x=1").await;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]));
    }
    let seen = upstream.seen();
    assert_eq!(upstream.connections(), 1);
    assert_eq!(seen.len(), 5);
    for one in seen {
        assert_eq!(one.version, Version::HTTP_2);
        assert_eq!(one.authority, Some(upstream.address.to_string()));
        assert_eq!(one.path, "/thing");
        for absent in ["host", "connection", "transfer-encoding"] {
            assert!(!one.headers.contains_key(absent), "{absent}");
        }
        assert_eq!(one.headers["x-forwarded-host"], "gateway.test");
    }
}

#[tokio::test]
async fn http_1_1_is_spoken_where_the_other_side_or_the_configuration_wants_it() {
    let pki = Pki::new(LOCAL);
    let ca = pki.file("ca.pem");
    for (offered, http) in [
        (&["http/1.1"][..], "auto"),
        (&[][..], "auto"),
        (&["h2", "http/1.1"][..], "1.1"),
    ] {
        let upstream = secure(&pki, offered).await;
        let gateway = gateway(
            &upstream.url("https"),
            &[("tls.ca_file", &ca), ("http", http)],
        );
        for _ in 0..3 {
            assert_eq!(gateway.get("/proxy/x").await.status, 200);
        }
        let seen = upstream.seen();
        assert_eq!(upstream.connections(), 1, "{offered:?}");
        assert_eq!(seen[0].version, Version::HTTP_11);
        assert_eq!(seen[0].headers["host"], upstream.address.to_string());
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_speak_the_version_asked_for_is_a_bad_gateway() {
    let pki = Pki::new(LOCAL);
    let upstream = secure(&pki, &["http/1.1"]).await;
    let keys = [("tls.ca_file", &*pki.file("ca.pem")), ("http", "2")];
    let gateway = gateway(&upstream.url("https"), &keys);
    assert_eq!(gateway.get("/proxy/x").await.status, 502);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused_unless_told_otherwise() {
    let (pki, other) = (Pki::new(LOCAL), Pki::new(LOCAL));
    let upstream = secure(&pki, &["h2"]).await;
    let strict = gateway(
        &upstream.url("https"),
        &[("tls.ca_file", &other.file("ca.pem"))],
    );
    let answer = strict.get("/proxy/x").await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("proxy-status"),
        Some("edge;error=tls_certificate_error")
    );
    assert_eq!(
        strict
            .metric(r#"gateway_upstream_requests_total{upstream="default",outcome="tls_error"}"#)
            .await,
        1.0
    );
    assert!(upstream.seen().is_empty());
    let lax = gateway(&upstream.url("https"), &[("tls.verify", "false")]);
    assert_eq!(lax.get("/proxy/x").await.status, 200);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_that_name_is_asked_for() {
    let pki = Pki::new(&["api.internal"]);
    let ca = pki.file("ca.pem");
    let upstream = secure(&pki, &["h2"]).await;
    let wrong = gateway(&upstream.url("https"), &[("tls.ca_file", &ca)]);
    assert_eq!(wrong.get("/proxy/x").await.status, 502);
    let keys = [("tls.ca_file", &*ca), ("tls.server_name", "api.internal")];
    let right = gateway(&upstream.url("https"), &keys);
    assert_eq!(right.get("/proxy/x").await.status, 200);
    assert_eq!(
        upstream.greetings()[0].name.as_deref(),
        Some("api.internal")
    );
}

#[tokio::test]
async fn a_certificate_is_shown_to_an_upstream_that_asks_for_one() {
    let (pki, clients) = (Pki::new(LOCAL), Pki::new(&["gateway"]));
    let config = pki.server(&["h2", "http/1.1"], Some(&clients));
    let upstream = Upstream::start(Speaks::Tls(config)).await;
    let keys = [
        ("tls.ca_file", &*pki.file("ca.pem")),
        ("tls.client_cert_file", &*clients.file("cert.pem")),
        ("tls.client_key_file", &*clients.file("key.pem")),
    ];
    let known = gateway(&upstream.url("https"), &keys);
    assert_eq!(known.get("/proxy/x").await.status, 200);
    let stranger = gateway(&upstream.url("https"), &keys[..1]);
    assert_eq!(stranger.get("/proxy/x").await.status, 502);
}

#[tokio::test]
async fn a_later_connection_resumes_the_session_of_an_earlier_one() {
    let pki = Pki::new(LOCAL);
    let upstream = secure(&pki, &["http/1.1"]).await;
    let keys = [
        ("tls.ca_file", &*pki.file("ca.pem")),
        ("max_connection_requests", "1"),
    ];
    let gateway = gateway(&upstream.url("https"), &keys);
    for _ in 0..3 {
        assert_eq!(gateway.get("/proxy/x").await.status, 200);
    }
    let resumed: Vec<_> = upstream.greetings().iter().map(|one| one.resumed).collect();
    assert_eq!(resumed, [false, true, true]);
}

#[tokio::test]
async fn the_upstream_is_called_what_is_configured() {
    for (speaks, scheme) in [(Speaks::Http1, "http"), (Speaks::Http2, "h2c")] {
        for (host, expected) in [
            ("endpoint", None),
            ("keep", Some("shop.example")),
            ("api.internal:8443", Some("api.internal:8443")),
        ] {
            let upstream = Upstream::start(speaks.clone()).await;
            let gateway = gateway(&upstream.url(scheme), &[("host", host)]);
            let request = client::request(Method::GET, "/proxy/x", &[("host", "shop.example")]);
            assert_eq!(client::send(gateway.proxy(), request).await.status, 200);
            let seen = upstream.seen().remove(0);
            let name = seen.authority.or_else(|| {
                let host = seen.headers.get("host")?;
                Some(host.to_str().unwrap().to_owned())
            });
            let own = upstream.address.to_string();
            assert_eq!(name.as_deref(), expected.or(Some(&own)), "{scheme} {host}");
        }
    }
}

#[tokio::test]
async fn the_host_of_an_absolute_target_is_the_one_that_is_kept() {
    let upstream = Upstream::start(Speaks::Http1).await;
    let gateway = gateway(&upstream.url("http"), &[("host", "keep")]);
    let target = "http://shop.example/proxy/x";
    let request = client::request(Method::GET, target, &[("host", "other.example")]);
    assert_eq!(client::send(gateway.proxy(), request).await.status, 200);
    assert_eq!(upstream.seen()[0].headers["host"], "shop.example");
}

/// An active check goes the way a request goes, on a connection of its own.
#[tokio::test]
async fn checks_speak_what_requests_speak() {
    let pki = Pki::new(LOCAL);
    let upstream = secure(&pki, &["h2", "http/1.1"]).await;
    let _gateway = gateway(
        &upstream.url("https"),
        &[
            ("tls.ca_file", &pki.file("ca.pem")),
            ("health.path", "/healthz"),
            ("health.host", "service.example"),
            ("health.interval", "50ms"),
            ("health.timeout", "20s"),
        ],
    );
    eventually("it is checked", async || upstream.seen().len() >= 3).await;
    for one in upstream.seen() {
        assert_eq!(one.version, Version::HTTP_2);
        assert_eq!(one.path, "/healthz");
        assert_eq!(one.authority.as_deref(), Some("service.example"));
    }
    assert!(upstream.connections() >= 3);
}
