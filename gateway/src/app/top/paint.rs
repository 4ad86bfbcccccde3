//! Numbers and colours on a terminal. Must not: know what they mean.

/// In per cent; 0 of nothing.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (100.0 * part / whole).min(100.0)
    } else {
        0.0
    }
}

/// Below the histogram's first bound only that much is known.
pub(super) fn millis(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 5.0 => "<5".to_owned(),
        Some(value) => format!("{value:.0}"),
    }
}

/// Colours, for terminals alone.
pub(super) struct Paint {
    pub(super) colours: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn soft(&self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn good(&self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn bad(&self, text: &str) -> String {
        self.with("1;31", text)
    }
}
