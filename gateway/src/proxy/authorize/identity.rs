//! Who is asking, once it is known. Plain data, made once for each credential and shared by its requests.
//!
//! Guarantees: what it says to the upstream is ready to be sent. Must not: hold a credential.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::proxy::settings::AuthSettings;

/// Somebody.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Identity {
    /// Who, as far as they have a name.
    pub(in crate::proxy) subject: Option<Arc<str>>,
    /// Whether that is the name of an API key.
    pub(in crate::proxy) by_key: bool,
    /// What they pay for, so to speak.
    pub(in crate::proxy) plan: Option<Arc<str>>,
    /// What a token says of them.
    pub(in crate::proxy) claims: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// How identities of one way are made.
#[derive(Debug)]
pub(super) struct Maker {
    plan: Option<Arc<str>>,
    subject_header: HeaderName,
    plan_header: HeaderName,
}

impl Maker {
    pub(super) fn new(settings: &AuthSettings) -> Self {
        Self {
            plan: settings.plan.clone(),
            subject_header: settings.subject_header.clone(),
            plan_header: settings.plan_header.clone(),
        }
    }

    /// Somebody with a name and perhaps a plan of their own.
    pub(super) fn make(&self, subject: Option<Arc<str>>, plan: Option<Arc<str>>) -> Identity {
        let mut identity = Identity {
            subject,
            plan: plan.or_else(|| self.plan.clone()),
            ..Identity::default()
        };
        let said = [
            (&self.subject_header, identity.subject.clone()),
            (&self.plan_header, identity.plan.clone()),
        ];
        for (name, text) in said {
            if let Some(text) = text {
                identity.tell(name.clone(), &text);
            }
        }
        identity
    }
}

impl Identity {
    /// Has the upstream told `text`, if a header can hold it.
    pub(super) fn tell(&mut self, name: HeaderName, text: &str) {
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            self.headers.push((name, value));
        }
    }

    /// Has the upstream told what another service said.
    pub(super) fn pass_on(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.push((name, value));
    }

    /// Tells the upstream.
    pub(in crate::proxy) fn announce(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }

    /// A claim as a text: texts, numbers and truth values have one.
    pub(in crate::proxy) fn claim(&self, name: &str) -> Option<String> {
        text_of(self.claims.get(name)?)
    }
}

/// What a claim says, where that is one word; of a list what its elements say, with commas.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(list) => {
            let all: Option<Vec<_>> = list.iter().map(text_of).collect();
            all.map(|all| all.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Somebody of whom one more thing is known.
pub(super) fn amended(
    identity: Option<&Rc<Identity>>,
    amend: impl FnOnce(&mut Identity),
) -> Rc<Identity> {
    let mut identity = identity.map_or_else(Identity::default, |known| (**known).clone());
    amend(&mut identity);
    Rc::new(identity)
}
