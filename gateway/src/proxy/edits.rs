//! Header fields that a route changes: first removed, then set, then added.
//!
//! Guarantees: what frames a message or belongs to this hop cannot be among them; the configuration refuses it. Must not: decide
//! by what a message holds.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::settings::EditsSettings;
use super::template::{Facts, Template};

/// The changes of one direction.
#[derive(Debug)]
pub(super) struct Edits {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Value)>,
    add: Vec<(HeaderName, Value)>,
}

#[derive(Debug)]
enum Value {
    Constant(HeaderValue),
    Made(Template),
}

impl Edits {
    /// None when nothing changes.
    pub(super) fn new(settings: &EditsSettings, names: &[Box<str>]) -> Option<Self> {
        let values = |fields: &[(HeaderName, String)]| {
            let one = |(name, text): &(HeaderName, String)| (name.clone(), Value::new(text, names));
            fields.iter().map(one).collect()
        };
        (!settings.is_empty()).then(|| Self {
            remove: settings.remove.clone(),
            set: values(&settings.set),
            add: values(&settings.add),
        })
    }

    /// Whether a value speaks of the path's parameters.
    pub(super) fn has_parameters(&self) -> bool {
        let mut values = self.set.iter().chain(&self.add);
        values.any(|(_, value)| matches!(value, Value::Made(template) if template.has_parameters()))
    }

    pub(super) fn apply(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            if let Some(value) = value.fill(facts) {
                headers.insert(name, value);
            }
        }
        for (name, value) in &self.add {
            if let Some(value) = value.fill(facts) {
                headers.append(name, value);
            }
        }
    }
}

impl Value {
    fn new(text: &str, names: &[Box<str>]) -> Self {
        let template = Template::new(text, names);
        match template.constant().map(HeaderValue::from_str) {
            Some(Ok(value)) => Self::Constant(value),
            _ => Self::Made(template),
        }
    }

    fn fill(&self, facts: &Facts<'_>) -> Option<HeaderValue> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Made(template) => HeaderValue::try_from(template.fill(facts)).ok(),
        }
    }
}
