//! Signed tokens: which are good, which are not, and what the upstream is told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::json;

use crate::tokens::{EC_PUBLIC, ED_PUBLIC, RSA_PUBLIC, SECRET, bearer, claims, key};
use crate::{World, route};

const RULES: &str = r#"issuer = "https://issuer.test", audience = "api", claims_to_headers = { scope = "x-scope" }, plan_claim = "plan", required_claims = { scope = "read" }"#;

async fn world(algorithm: &str, file: (&str, &str), source: &str) -> World {
    let text = format!(
        "[auth.tokens]\njwt = {{ {source} = \"DIR/{}\", algorithms = [\"{algorithm}\"], {RULES} }}\n{}",
        file.0,
        route("\"tokens\"", "")
    );
    World::start(&[file], &text).await
}

async fn rsa() -> World {
    world("RS256", ("key.pem", RSA_PUBLIC), "public_key_file").await
}

#[tokio::test]
async fn a_good_token_of_each_kind_comes_in_and_the_upstream_is_told() {
    for (algorithm, file, source) in [
        (Algorithm::HS256, ("secret", SECRET), "secret_file"),
        (Algorithm::RS256, ("key.pem", RSA_PUBLIC), "public_key_file"),
        (Algorithm::PS256, ("key.pem", RSA_PUBLIC), "public_key_file"),
        (Algorithm::ES256, ("key.pem", EC_PUBLIC), "public_key_file"),
        (Algorithm::EdDSA, ("key.pem", ED_PUBLIC), "public_key_file"),
    ] {
        let world = world(&format!("{algorithm:?}"), file, source).await;
        let token = bearer(algorithm, None, &json!({}));
        for _ in 0..2 {
            assert_eq!(
                world.status(&[("authorization", &token)]).await,
                200,
                "{algorithm:?}"
            );
        }
        let told = ["x-authenticated-subject", "x-authenticated-plan", "x-scope"];
        let told = told.map(|name| world.told(name).unwrap_or_default());
        assert_eq!(told, ["alice", "pro", "read write"]);
        assert_eq!(world.told("authorization"), None, "the token stays here");
        assert!((world.decisions("tokens", "granted").await - 2.0).abs() < 0.1);
    }
}

#[tokio::test]
async fn a_bad_token_stays_out_and_is_told_why() {
    let world = rsa().await;
    let now = get_current_timestamp();
    for (what, claims) in [
        ("expired", json!({"exp": now - 31})),
        ("without an end", json!({"exp": null})),
        ("of an end that is no number", json!({"exp": "tomorrow"})),
        ("not good yet", json!({"nbf": now + 120})),
        ("for somebody else", json!({"aud": "other"})),
        ("for nobody", json!({"aud": null})),
        ("of another issuer", json!({"iss": "https://other.test"})),
        ("of no issuer", json!({"iss": null})),
    ] {
        let token = bearer(Algorithm::RS256, None, &claims);
        let answer = world.get("/a", &[("authorization", &token)]).await;
        assert_eq!(answer.status, 401, "{what}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer realm=\"tokens\", error=\"invalid_token\""),
            "{challenge}"
        );
        assert_eq!(
            challenge.contains("expired"),
            what == "expired",
            "{challenge}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(world.mock.recorder().count(), 0);
    let late = bearer(Algorithm::RS256, None, &json!({"exp": now - 5}));
    assert_eq!(
        world.status(&[("authorization", &late)]).await,
        200,
        "within the leeway"
    );
}

#[tokio::test]
async fn nothing_in_a_token_chooses_how_it_is_checked() {
    let world = rsa().await;
    // The public key as a shared secret: RFC 8725, section 2.1.
    let secret = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let confused = encode(&Header::new(Algorithm::HS256), &claims(&json!({})), &secret).unwrap();
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let body = part(&claims(&json!({})));
    let none = format!("{}.{body}.", part(&json!({"alg": "none", "typ": "JWT"})));
    let good = bearer(Algorithm::RS256, None, &json!({}));
    let mut signature = good.clone();
    signature.truncate(good.len() - 8);
    let mut critical = Header::new(Algorithm::RS256);
    critical.crit = Some(vec!["b64".to_owned()]);
    let critical = encode(&critical, &claims(&json!({})), &key(Algorithm::RS256)).unwrap();
    let other_algorithm = bearer(Algorithm::RS512, None, &json!({}));
    let (head, _) = good.rsplit_once('.').unwrap();
    for bad in [
        format!("Bearer {confused}"),
        format!("Bearer {none}"),
        format!("Bearer {critical}"),
        signature,
        other_algorithm,
        format!("{head}."),
        "Bearer ".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer x".to_owned(),
    ] {
        assert_eq!(world.status(&[("authorization", &bad)]).await, 401, "{bad}");
    }
    assert_eq!(world.status(&[("authorization", &good)]).await, 200);
    assert_eq!(
        world
            .status(&[("authorization", &good.replace("Bearer", "bearer"))])
            .await,
        200
    );
    let twice = [("authorization", good.as_str()), ("authorization", &good)];
    assert_eq!(
        world.status(&twice).await,
        400,
        "two credentials could be two people"
    );
}

#[tokio::test]
async fn without_a_token_the_client_is_told_what_to_show() {
    let world = rsa().await;
    for headers in [&[][..], &[("authorization", "Basic eDp5")]] {
        let answer = world.get("/a", headers).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"tokens\"")
        );
    }
    assert!((world.decisions("tokens", "missing").await - 2.0).abs() < 0.1);
}

#[tokio::test]
async fn a_good_token_that_says_too_little_is_forbidden() {
    let world = rsa().await;
    for scope in [json!("write"), json!(null), json!("reader")] {
        let token = bearer(Algorithm::RS256, None, &json!({ "scope": scope }));
        let answer = world.get("/a", &[("authorization", &token)]).await;
        assert_eq!(answer.status, 403);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.ends_with("error=\"insufficient_scope\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn nobody_tells_the_upstream_who_they_are_even_where_nobody_asks() {
    let text = format!(
        "[auth.tokens]\njwt = {{ secret_file = \"DIR/secret\", algorithms = [\"HS256\"], claims_to_headers = {{ email = \"x-email\" }} }}\n{}",
        route("", "")
    );
    let world = World::start(&[("secret", SECRET)], &text).await;
    let said = [
        ("x-authenticated-subject", "root"),
        ("X-Authenticated-Plan", "gold"),
        ("x-email", "root@example.org"),
        ("x-kept", "1"),
    ];
    assert_eq!(world.status(&said).await, 200);
    let told = said.map(|(name, _)| world.told(name));
    assert_eq!(told, [None, None, None, Some("1".to_owned())]);
}

#[tokio::test]
async fn a_token_is_forwarded_where_the_upstream_wants_it() {
    let text = format!(
        "[auth.tokens]\nforward_credentials = true\njwt = {{ secret_file = \"DIR/secret\", algorithms = [\"HS256\"], audience = [\"api\", \"other\"] }}\n{}",
        route("\"tokens\"", "")
    );
    let world = World::start(&[("secret", SECRET)], &text).await;
    let token = bearer(Algorithm::HS256, None, &json!({}));
    assert_eq!(world.status(&[("authorization", &token)]).await, 200);
    assert_eq!(world.told("authorization"), Some(token));
}
