//! Client certificates: who is let in, and that the upstream learns who it is (RFC 9440).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{Client, request};
use super::pki::{Authority, Caller};
use super::support::eventually;
use super::tls::{ask, pair};
use super::wire::Pair;

const HOST: &str = "api.example";
const FORGED: &str = "client-cert: :bWU=:\r\n";

/// Servers' and clients' authorities, a stranger's, and certificates of each.
struct Scene {
    servers: Authority,
    clients: Authority,
    strangers: Authority,
    me: CertificateDer<'static>,
    /// The client's certificate as the upstream should read it.
    field: String,
}

impl Scene {
    fn new() -> Self {
        let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
        servers.issue("own", &[HOST]);
        strangers.issue("me", &["me"]);
        let me = clients.issue("me", &["me"]);
        let field = format!("client-cert: :{}:\r\n", STANDARD.encode(&me));
        Self {
            servers,
            clients,
            strangers,
            me,
            field,
        }
    }

    async fn pair(&self, auth: &str) -> Pair {
        let authority = self.clients.file("ca.pem");
        let more = [
            ("GATEWAY__SERVER__TLS__CLIENT_AUTH", auth),
            ("GATEWAY__SERVER__TLS__CLIENT_CA_FILE", authority.as_str()),
        ];
        pair(&self.servers, &["own"], &more).await
    }
}

#[tokio::test]
async fn where_a_certificate_is_required_nobody_else_gets_in() {
    let scene = Scene::new();
    let pair = scene.pair("required").await;
    let address = pair.gateway.proxy();
    for client in [
        scene.servers.client(None),
        scene.servers.client(Some((&scene.strangers, "me"))),
    ] {
        // In TLS 1.3 the client has finished before it is refused.
        if let Ok(mut stream) = client.call(address, HOST, &[]).await {
            let _ = stream
                .write_all(b"GET /proxy/x HTTP/1.1\r\nhost: a\r\n\r\n")
                .await;
            let mut answer = Vec::new();
            assert!(stream.read_to_end(&mut answer).await.is_err(), "{answer:?}");
        }
    }
    assert_eq!(pair.upstream.received(), "");
    let client = scene.servers.client(Some((&scene.clients, "me")));
    let mut stream = client.call(address, HOST, &[]).await.unwrap();
    assert!(ask(&mut stream, FORGED).await.starts_with("HTTP/1.1 200"));
    let h2 = Client::over(client.call(address, HOST, &["h2"]).await.unwrap()).await;
    let forged = request(Method::GET, "/proxy/x", &[("client-cert", ":bWU=:")]);
    assert_eq!(h2.send(forged, &[], None).await.unwrap().status, 200);
    let received = pair.upstream.received();
    assert_eq!(received.matches(&scene.field).count(), 2, "{received}");
    assert_eq!(received.matches("client-cert").count(), 2, "{received}");
}

/// Whether a request gets through; in TLS 1.3 the client has finished before it is refused.
async fn gets_in(client: &Caller, pair: &Pair) -> bool {
    let connected = client.call(pair.gateway.proxy(), HOST, &[]).await;
    let Ok(mut stream) = connected else {
        return false;
    };
    let asked = format!("GET /proxy/x HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    let mut status = [0; 12];
    let answered = async {
        stream.write_all(asked.as_bytes()).await?;
        stream.read_exact(&mut status).await
    };
    answered.await.is_ok() && status == *b"HTTP/1.1 200"
}

#[tokio::test]
async fn a_certificate_that_was_taken_back_is_refused_from_then_on() {
    let scene = Scene::new();
    let other = scene.clients.issue("other", &["other"]);
    scene.clients.revoke(&[&other]);
    let (authority, list) = (
        scene.clients.file("ca.pem"),
        scene.clients.file("revoked.pem"),
    );
    let more = [
        ("GATEWAY__SERVER__TLS__CLIENT_AUTH", "required"),
        ("GATEWAY__SERVER__TLS__CLIENT_CA_FILE", authority.as_str()),
        ("GATEWAY__SERVER__TLS__CLIENT_CRL_FILE", list.as_str()),
        ("GATEWAY__SERVER__TLS__RELOAD_INTERVAL", "20ms"),
    ];
    let pair = pair(&scene.servers, &["own"], &more).await;
    let me = scene.servers.client(Some((&scene.clients, "me")));
    let other = scene.servers.client(Some((&scene.clients, "other")));
    assert!(gets_in(&me, &pair).await);
    assert!(!gets_in(&other, &pair).await);
    // What cannot be read changes nothing.
    std::fs::write(&list, "no list").unwrap();
    let failures = "gateway_tls_reloads_total{result=\"failure\"}";
    eventually("it is said", || async {
        pair.gateway.metric(failures).await > 0.0
    })
    .await;
    assert!(gets_in(&me, &pair).await);
    assert!(!gets_in(&other, &pair).await);
    // Neither does the session of a connection before let it in.
    scene.clients.revoke(&[&scene.me]);
    eventually("the new list holds", || async {
        !gets_in(&me, &pair).await
    })
    .await;
    assert!(gets_in(&other, &pair).await);
}

#[tokio::test]
async fn a_certificate_that_is_optional_is_passed_on_when_it_is_shown() {
    let scene = Scene::new();
    let pair = scene.pair("optional").await;
    let address = pair.gateway.proxy();
    let client = scene.servers.client(None);
    let mut stream = client.call(address, HOST, &[]).await.unwrap();
    assert!(ask(&mut stream, FORGED).await.starts_with("HTTP/1.1 200"));
    assert!(!pair.upstream.received().contains("client-cert"));
    let client = scene.servers.client(Some((&scene.clients, "me")));
    // The second connection resumes the session of the first, and is still known.
    for _ in 0..2 {
        let mut stream = client.call(address, HOST, &[]).await.unwrap();
        assert!(ask(&mut stream, "").await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(pair.upstream.received().matches(&scene.field).count(), 2);
}

#[tokio::test]
async fn nobody_says_in_clear_that_it_showed_a_certificate() {
    let pair = Pair::start(&[], &[]).await;
    let forged = "GET /proxy/x HTTP/1.1\r\nhost: a\r\nClient-Cert: :bWU=:\r\nClient-Cert-Chain: :bWU=:\r\n\r\n";
    let answer = pair.exchange(forged).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!pair.upstream.received().contains("client-cert"));
}
