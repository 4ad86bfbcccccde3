//! Who this hop is to those it passes messages to, and what it says when it fails one.
//!
//! Must not: allocate for what it has said before.

use std::cell::RefCell;

use http::{HeaderValue, Version};

/// The name this hop signs with.
#[derive(Debug)]
pub(in crate::proxy) struct Hop {
    name: String,
    /// `Proxy-Status` for each error there was so far: there are a dozen.
    faults: RefCell<Vec<(&'static str, HeaderValue)>>,
    via_10: HeaderValue,
    via_11: HeaderValue,
    via_2: HeaderValue,
}

impl Hop {
    pub(in crate::proxy) fn new(name: &str) -> Self {
        let via = |version: &str| {
            HeaderValue::try_from(format!("{version} {name}"))
                .unwrap_or_else(|_| HeaderValue::from_static("1.1 gateway"))
        };
        Self {
            name: name.to_owned(),
            faults: RefCell::default(),
            via_10: via("1.0"),
            via_11: via("1.1"),
            via_2: via("2"),
        }
    }

    /// `Proxy-Status` of this hop for an `error` (RFC 9209, section 2.3).
    pub(in crate::proxy) fn fault(&self, error: &'static str) -> HeaderValue {
        let mut faults = self.faults.borrow_mut();
        if let Some((_, value)) = faults.iter().find(|(one, _)| *one == error) {
            return value.clone();
        }
        let value = HeaderValue::try_from([&self.name, ";error=", error].concat());
        let value = value.unwrap_or_else(|_| HeaderValue::from_static("gateway"));
        faults.push((error, value.clone()));
        value
    }

    /// RFC 9110, section 7.6.3: the version of the message as it was received.
    pub(super) fn via(&self, version: Version) -> HeaderValue {
        match version {
            Version::HTTP_10 => self.via_10.clone(),
            Version::HTTP_2 => self.via_2.clone(),
            _ => self.via_11.clone(),
        }
    }
}
