//! Signed tokens: RFC 6750 on the wire, RFC 7519 within, RFC 8725 for what can go wrong.
//!
//! Guarantees: algorithms and keys are the configuration's, nothing in a token chooses others; `exp` is required; a token that was
//! verified is remembered by its hash for as long as it and its key are good, so that a signature is not paid for by each request. Must
//! not: keep a token, or what it was when it was bad.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, dangerous, decode, decode_header};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::identity::{Identity, Maker, text_of};
use super::keyset::KeySet;
use super::recall::Recall;
use super::{Found, Why, authorization};
use crate::proxy::settings::JwtSettings;

/// Tokens remembered by one thread, for one way.
const REMEMBERED: usize = 2_048;
/// The longest a token is remembered, however long it is good.
const LONGEST: Duration = Duration::from_secs(300);

/// Tokens of one issuer.
#[derive(Debug)]
pub(super) struct Jwt {
    settings: JwtSettings,
    maker: Maker,
    validations: Vec<(Algorithm, Validation)>,
    verified: Recall<Rc<Identity>>,
    /// The keys that what is remembered was verified with.
    keys: RefCell<Option<Arc<KeySet>>>,
}

/// Why a token is not good.
enum Flaw {
    /// It is another issuer's.
    Foreign,
    /// Nobody knows the key it is signed with.
    UnknownKey,
    Bad(Why),
}

impl Jwt {
    pub(super) fn new(settings: &JwtSettings, maker: Maker) -> Self {
        let validation = |algorithm: &Algorithm| (*algorithm, validation(settings, *algorithm));
        Self {
            validations: settings.algorithms.iter().map(validation).collect(),
            settings: settings.clone(),
            maker,
            verified: Recall::new(REMEMBERED),
            keys: RefCell::default(),
        }
    }

    pub(super) async fn look(&self, headers: &HeaderMap) -> Found {
        let token = match authorization(headers, "bearer") {
            Ok(Some(token)) => token,
            Ok(None) => return Found::Nothing,
            Err(why) => return Found::Bad(why),
        };
        let keys = match self.settings.keys.current() {
            Some(keys) => keys,
            None => match self.settings.keys.other_than(None).await {
                Some(keys) => keys,
                None => return Found::Unavailable,
            },
        };
        self.follow(&keys);
        let mark = self.verified.mark(token.as_bytes());
        if let Some(identity) = self.verified.get(&mark, Instant::now()) {
            return Found::Somebody(identity);
        }
        let mut outcome = self.verify(token, &keys);
        if matches!(outcome, Err(Flaw::UnknownKey))
            && let Some(newer) = self.settings.keys.other_than(Some(&keys)).await
        {
            self.follow(&newer);
            outcome = self.verify(token, &newer);
        }
        match outcome {
            Ok((identity, span)) => {
                let identity = Rc::new(identity);
                let until = Instant::now() + span.min(LONGEST);
                self.verified.keep(mark, Rc::clone(&identity), until);
                Found::Somebody(identity)
            }
            Err(Flaw::Foreign | Flaw::UnknownKey) => Found::Unknown(Why::Invalid),
            Err(Flaw::Bad(why)) => Found::Bad(why),
        }
    }

    /// What was verified with keys that are no longer the issuer's is forgotten.
    fn follow(&self, keys: &Arc<KeySet>) {
        let mut known = self.keys.borrow_mut();
        if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, keys)) {
            self.verified.clear();
            *known = Some(Arc::clone(keys));
        }
    }

    /// Who the token says is asking, and how long it goes on to say so.
    fn verify(&self, token: &str, keys: &KeySet) -> Result<(Identity, Duration), Flaw> {
        let header = decode_header(token).map_err(|_| Flaw::Bad(Why::Invalid))?;
        // RFC 7515, section 4.1.11: what is critical must be understood, and nothing is.
        if header.crit.is_some() {
            return Err(Flaw::Bad(Why::Invalid));
        }
        if !self.settings.issuer.is_empty() && !self.is_ours(token) {
            return Err(Flaw::Foreign);
        }
        let claims = self.claims(token, &header, keys)?;
        self.check_required(&claims)?;
        let span = self.span(&claims);
        Ok((self.identity(claims), span))
    }

    /// Whether the token says it is of our issuer: looked at before its signature, because it says whose that is.
    fn is_ours(&self, token: &str) -> bool {
        let claims = dangerous::insecure_decode::<Map<String, Value>>(token);
        claims.is_ok_and(|token| {
            let issuer = token.claims.get("iss").and_then(Value::as_str);
            issuer.is_some_and(|issuer| self.settings.issuer.iter().any(|own| own == issuer))
        })
    }

    fn claims(
        &self,
        token: &str,
        header: &Header,
        keys: &KeySet,
    ) -> Result<Map<String, Value>, Flaw> {
        let validation = self.validations.iter().find(|(one, _)| *one == header.alg);
        let Some((_, validation)) = validation else {
            return Err(Flaw::Foreign);
        };
        let mut flaw = Flaw::UnknownKey;
        for one in keys.candidates(header.kid.as_deref(), header.alg) {
            match decode::<Map<String, Value>>(token, &one.key, validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) => match error.kind() {
                    ErrorKind::ExpiredSignature => return Err(Flaw::Bad(Why::Expired)),
                    _ => flaw = Flaw::Bad(Why::Invalid),
                },
            }
        }
        Err(flaw)
    }

    fn check_required(&self, claims: &Map<String, Value>) -> Result<(), Flaw> {
        let met = |(name, wanted): &(String, String)| {
            claims
                .get(name)
                .is_some_and(|said| says(name, said, wanted))
        };
        if self.settings.required_claims.iter().all(met) {
            Ok(())
        } else {
            Err(Flaw::Bad(Why::Insufficient))
        }
    }

    fn span(&self, claims: &Map<String, Value>) -> Duration {
        let end = claims.get("exp").and_then(Value::as_f64).unwrap_or(0.0);
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 fit many times over"
        )]
        let now = jsonwebtoken::get_current_timestamp() as f64;
        Duration::try_from_secs_f64(end - now).unwrap_or_default() + self.settings.leeway
    }

    fn identity(&self, claims: Map<String, Value>) -> Identity {
        let text = |name: &str| claims.get(name).and_then(text_of);
        let subject = text(&self.settings.subject_claim).map(Arc::from);
        let plan = self.settings.plan_claim.as_deref().and_then(text);
        let mut identity = self.maker.make(subject, plan.map(Arc::from));
        for (claim, header) in &self.settings.claims_to_headers {
            if let Some(said) = text(claim) {
                identity.tell(header.clone(), &said);
            }
        }
        identity.claims = claims;
        identity
    }
}

fn validation(settings: &JwtSettings, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = settings.leeway.as_secs();
    validation.validate_nbf = true;
    let mut required = vec!["exp"];
    if !settings.issuer.is_empty() {
        validation.set_issuer(&settings.issuer);
        required.push("iss");
    }
    if !settings.audience.is_empty() {
        validation.set_audience(&settings.audience);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

/// Whether a claim says what is wanted: a scope is a list of words (RFC 6749, section 3.3), all of which must be there.
fn says(name: &str, said: &Value, wanted: &str) -> bool {
    if wanted == "*" {
        return !said.is_null();
    }
    match said {
        Value::Array(list) => list.iter().any(|one| says(name, one, wanted)),
        Value::String(text) if name == "scope" => wanted
            .split_whitespace()
            .all(|wanted| text.split(' ').any(|word| word == wanted)),
        other => text_of(other).is_some_and(|text| text == wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::says;

    #[test]
    fn a_claim_says_what_is_wanted_or_not() {
        for (name, said, wanted, met) in [
            ("scope", json!("read write"), "write", true),
            ("scope", json!("read write"), "write read", true),
            ("scope", json!("rewrite"), "write", false),
            ("roles", json!(["a", "b"]), "b", true),
            ("roles", json!(["a", "b"]), "c", false),
            ("tenant", json!("acme corp"), "acme", false),
            ("level", json!(3), "3", true),
            ("admin", json!(true), "true", true),
            ("email", json!("x@y"), "*", true),
            ("email", json!(null), "*", false),
        ] {
            assert_eq!(says(name, &said, wanted), met, "{name} {said} {wanted}");
        }
    }
}
