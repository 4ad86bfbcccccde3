//! The keys that signatures are checked with, from a secret, a PEM or a JSON Web Key Set (RFC 7517).
//!
//! Guarantees: a key is used with the algorithms of its own kind among those configured, so that a public key is never taken for a
//! secret (RFC 8725, section 2.1); a set holds at most [`MOST_KEYS`]. Must not: read files, or print a key.

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Keys of one set; those beyond are not looked at.
const MOST_KEYS: usize = 64;

/// Keys that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a PEM of a public key of the algorithms' kind.
    #[error("this is no public key in PEM for {0:?}")]
    Pem(Algorithm),
    /// Not a key set.
    #[error("this is no JSON Web Key Set: {0}")]
    Json(String),
    /// A key set without a key for the configured algorithms.
    #[error("no key in it is for one of the configured algorithms")]
    Empty,
}

/// Keys.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    digest: [u8; 32],
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl KeySet {
    /// A shared secret, for HS256 and its like.
    #[must_use]
    pub fn secret(secret: &[u8], algorithms: &[Algorithm]) -> Self {
        Self::single(DecodingKey::from_secret(secret), algorithms, secret)
    }

    /// A public key.
    ///
    /// # Errors
    /// It is not one of the first algorithm's kind.
    pub fn public_key(pem: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        let first = *algorithms.first().ok_or(KeySetError::Empty)?;
        let key = match first.family() {
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
            _ => return Err(KeySetError::Pem(first)),
        };
        let key = key.map_err(|_| KeySetError::Pem(first))?;
        Ok(Self::single(key, algorithms, pem))
    }

    fn single(key: DecodingKey, algorithms: &[Algorithm], source: &[u8]) -> Self {
        let key = Key {
            id: None,
            algorithms: fitting(&key, algorithms),
            key,
        };
        Self {
            keys: vec![key],
            digest: Sha256::digest(source).into(),
        }
    }

    /// A key set. What in it is for something else, or of a kind we do not know, is passed over (RFC 7517, section 5).
    ///
    /// # Errors
    /// It is not a key set, or nothing in it can be used.
    pub fn jwks(json: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        let set: Value =
            serde_json::from_slice(json).map_err(|error| KeySetError::Json(error.to_string()))?;
        let Some(Value::Array(listed)) = set.get("keys") else {
            return Err(KeySetError::Json("it has no list `keys`".to_owned()));
        };
        let keys: Vec<_> = listed
            .iter()
            .take(MOST_KEYS)
            .filter_map(|one| usable(one, algorithms))
            .collect();
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self {
            keys,
            digest: Sha256::digest(json).into(),
        })
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn candidates<'a>(
        &'a self,
        id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| {
            let same = match (&key.id, id) {
                (Some(own), Some(id)) => own == id,
                // A key without a name may have signed anything; a token without one may be by any key.
                _ => true,
            };
            same && key.algorithms.contains(&algorithm)
        })
    }

    /// Whether both are the same text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The algorithms of the key's own kind.
fn fitting(key: &DecodingKey, algorithms: &[Algorithm]) -> Vec<Algorithm> {
    let same_kind = |one: &&Algorithm| one.family() == key.family();
    algorithms.iter().filter(same_kind).copied().collect()
}

fn usable(one: &Value, algorithms: &[Algorithm]) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(one.clone()).ok()?;
    if matches!(&jwk.common.public_key_use, Some(other) if *other != PublicKeyUse::Signature) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let mut algorithms = fitting(&key, algorithms);
    if let Some(only) = jwk.common.key_algorithm {
        algorithms.retain(|one| named(only) == Some(*one));
    }
    // A secret that anybody can fetch is none.
    if algorithms.is_empty() || key.family() == AlgorithmFamily::Hmac {
        return None;
    }
    Some(Key {
        id: jwk.common.key_id,
        algorithms,
        key,
    })
}

fn named(algorithm: KeyAlgorithm) -> Option<Algorithm> {
    algorithm.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(keys: &Value) -> Result<KeySet, KeySetError> {
        let text = json!({ "keys": keys }).to_string();
        KeySet::jwks(text.as_bytes(), &[Algorithm::EdDSA, Algorithm::HS256])
    }

    #[test]
    fn what_cannot_be_used_is_passed_over() {
        let good = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let mut encrypts = good.clone();
        encrypts["use"] = "enc".into();
        let mut other = good.clone();
        other["alg"] = "RS256".into();
        let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"});
        let strange = json!({"kty": "lattice"});
        let all = set(&json!([encrypts, other, secret, strange, good])).unwrap();
        let found = |id| all.candidates(id, Algorithm::EdDSA).count();
        assert_eq!((found(Some("a")), found(Some("b")), found(None)), (1, 0, 1));
        assert_eq!(all.candidates(Some("s"), Algorithm::HS256).count(), 0);
        assert_eq!(
            set(&json!([secret, strange])).unwrap_err(),
            KeySetError::Empty
        );
        assert!(matches!(set(&json!({})), Err(KeySetError::Json(_))));
    }
}
