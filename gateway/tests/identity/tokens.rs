//! Tokens, and the keys they are signed with.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

pub(crate) const RSA: &str = include_str!("../fixtures/identity/rsa.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("../fixtures/identity/rsa.pub.pem");
pub(crate) const EC: &str = include_str!("../fixtures/identity/ec.pem");
pub(crate) const EC_PUBLIC: &str = include_str!("../fixtures/identity/ec.pub.pem");
pub(crate) const ED: &str = include_str!("../fixtures/identity/ed.pem");
pub(crate) const ED_PUBLIC: &str = include_str!("../fixtures/identity/ed.pub.pem");
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Claims that are good, with others in their place.
pub(crate) fn claims(others: &Value) -> Value {
    let mut claims = json!({
        "sub": "alice",
        "iss": "https://issuer.test",
        "aud": ["api"],
        "exp": get_current_timestamp() + 300,
        "plan": "pro",
        "scope": "read write",
    });
    for (name, value) in others.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(crate) fn key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            EncodingKey::from_secret(SECRET.as_bytes())
        }
        Algorithm::ES256 => EncodingKey::from_ec_pem(EC.as_bytes()).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(ED.as_bytes()).unwrap(),
        _ => EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap(),
    }
}

/// `Bearer` and a token.
pub(crate) fn bearer(algorithm: Algorithm, kid: Option<&str>, others: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    let token = encode(&header, &claims(others), &key(algorithm)).unwrap();
    format!("Bearer {token}")
}

/// A key set with the public half of each.
pub(crate) fn jwks(keys: &[(&str, Algorithm)]) -> String {
    let one = |(kid, algorithm): &(&str, Algorithm)| {
        let mut jwk = Jwk::from_encoding_key(&key(*algorithm), *algorithm).unwrap();
        jwk.common.key_id = Some((*kid).to_owned());
        serde_json::to_value(jwk).unwrap()
    };
    let all: Vec<Value> = keys.iter().map(one).collect();
    json!({ "keys": all }).to_string()
}
