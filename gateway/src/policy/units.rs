//! Units as types: spans and instants of the store's clock, rates, sizes, and the text forms users write.
//!
//! Guarantees: arithmetic saturates instead of wrapping, and the parsers accept exactly what `Display` prints plus the
//! documented shorthands. Must not: know what is being measured.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time in whole microseconds, the resolution of the store's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(u64);

impl Micros {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `micros` microseconds.
    #[must_use]
    pub const fn new(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of whole seconds; saturates.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// A span of whole milliseconds; saturates.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The number of microseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum; saturates.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whole seconds, rounded up: what `Retry-After` may say without pointing earlier than the truth.
    #[must_use]
    pub const fn ceil_secs(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }

    /// The same span for timers.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl From<Duration> for Micros {
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_span(f, self.0)
    }
}

/// An instant on the store's clock: microseconds since the Unix epoch. Only a store makes one; no replica's clock does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreTime(u64);

impl StoreTime {
    /// The instant `micros` microseconds after the epoch.
    #[must_use]
    pub const fn new(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The instant `span` later; saturates.
    #[must_use]
    pub const fn after(self, span: Micros) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The instant `span` earlier; not before the epoch.
    #[must_use]
    pub const fn before(self, span: Micros) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

/// So many tokens per span, in lowest terms: `10/1m` and `5/30s` are the same rate and compare equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    tokens: u64,
    per: Micros,
}

impl Rate {
    /// The rate of `tokens` each `per`.
    ///
    /// # Errors
    /// Neither may be zero, and one token may not come more often than once a microsecond.
    pub fn new(tokens: u64, per: Micros) -> Result<Self, UnitError> {
        if tokens == 0 || per.0 == 0 {
            return Err(UnitError::ZeroRate);
        }
        if tokens > per.0 {
            return Err(UnitError::RateTooHigh);
        }
        let divisor = gcd(tokens, per.0);
        Ok(Self {
            tokens: tokens / divisor,
            per: Micros(per.0 / divisor),
        })
    }

    /// Tokens per [`Self::per`].
    #[must_use]
    pub const fn tokens(self) -> u64 {
        self.tokens
    }

    /// The span in which [`Self::tokens`] arrive.
    #[must_use]
    pub const fn per(self) -> Micros {
        self.per
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tokens, self.per)
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    /// `10/s`, `100/1m`, `5/60s`: tokens, a slash, a span whose number may be left out when it is 1.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Rate(text.to_owned());
        let (tokens, per) = text.split_once('/').ok_or_else(bad)?;
        let tokens = tokens.trim().parse().map_err(|_| bad())?;
        let per = per.trim();
        let numbered = if per.starts_with(|first: char| first.is_ascii_digit()) {
            parse_span(per)
        } else {
            parse_span(&format!("1{per}"))
        };
        Self::new(tokens, numbered.map_err(|_| bad())?)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size of `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = SIZES
            .iter()
            .take(3)
            .find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        let (suffix, unit) = binary.copied().unwrap_or(("B", 1));
        write!(f, "{}{suffix}", self.0 / unit)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    /// `64KiB`, `10MB`, `512B`, or a bare number of bytes.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Size(text.to_owned());
        let text = text.trim();
        let (digits, unit) = SIZES
            .iter()
            .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|digits| (digits, *unit)))
            .unwrap_or((text, 1));
        let count: u64 = digits.trim().parse().map_err(|_| bad())?;
        count.checked_mul(unit).map(Self).ok_or_else(bad)
    }
}

const SPANS: [(&str, u64); 7] = [
    ("us", 1),
    ("µs", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// A span as users write it: `250ms`, `30s`, `1m`, `2h`, `1.5s`.
///
/// # Errors
/// Anything else, and a number without a unit: nobody should have to guess whether `10` meant seconds.
pub fn parse_span(text: &str) -> Result<Micros, UnitError> {
    let bad = || UnitError::Span(text.to_owned());
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(bad)?;
    let (number, suffix) = text.split_at(split);
    let (_, unit) = SPANS
        .iter()
        .find(|(name, _)| *name == suffix.trim())
        .ok_or_else(bad)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(*unit).map(Micros).ok_or_else(bad);
    }
    let micros = number.parse::<f64>().map_err(|_| bad())? * *unit as f64;
    if micros.is_finite() && (0.0..1e18).contains(&micros) {
        Ok(Micros(micros.round() as u64))
    } else {
        Err(bad())
    }
}

fn write_span(f: &mut fmt::Formatter<'_>, micros: u64) -> fmt::Result {
    let exact = SPANS
        .iter()
        .rev()
        .take(5)
        .find(|(_, unit)| micros >= *unit && micros.is_multiple_of(*unit));
    let (suffix, unit) = exact.copied().unwrap_or(("us", 1));
    write!(f, "{}{suffix}", micros / unit)
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A text that is not the unit it should be; the message says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a span of time.
    #[error(
        "`{0}` is not a duration: write a number and a unit, like `250ms`, `30s`, `1m` or `2h`"
    )]
    Span(String),
    /// Not a size.
    #[error("`{0}` is not a size: write a number and a unit, like `64KiB`, `10MB` or `512B`")]
    Size(String),
    /// Not a rate.
    #[error("`{0}` is not a rate: write tokens per duration, like `10/s`, `100/1m` or `5/60s`")]
    Rate(String),
    /// A rate of nothing, or in no time.
    #[error("a rate needs at least one token and a duration above zero")]
    ZeroRate,
    /// More than a token each microsecond.
    #[error("a rate above one token per microsecond (1000000/s) is finer than the store's clock")]
    RateTooHigh,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, micros) in [
            ("250ms", 250_000),
            ("30s", 30_000_000),
            ("1m", 60_000_000),
            ("1.5s", 1_500_000),
        ] {
            assert_eq!(parse_span(text), Ok(Micros(micros)), "{text}");
        }
        for (micros, text) in [
            (250_000, "250ms"),
            (60_000_000, "1m"),
            (90_000_000, "90s"),
            (0, "0us"),
            (7, "7us"),
        ] {
            assert_eq!(Micros(micros).to_string(), text);
        }
        for bad in [
            "",
            "10",
            "ms",
            "-1s",
            "1 fortnight",
            "1.2.3s",
            "99999999999999999999d",
        ] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_are_kept_in_lowest_terms() {
        let minute: Rate = "10/1m".parse().unwrap();
        assert_eq!((minute.tokens(), minute.per()), (1, Micros::from_secs(6)));
        assert_eq!("10/m".parse(), Ok(minute));
        assert_eq!("5/30s".parse(), Ok(minute));
        for bad in ["10", "/s", "0/s", "10/", "10/0s", "2000000/s", "ten/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_read_and_print() {
        assert_eq!("64KiB".parse(), Ok(ByteSize(65_536)));
        assert_eq!("10MB".parse(), Ok(ByteSize(10_000_000)));
        assert_eq!("512".parse(), Ok(ByteSize(512)));
        assert_eq!(ByteSize(65_536).to_string(), "64KiB");
        assert_eq!(ByteSize(1_000).to_string(), "1000B");
        assert!("ten".parse::<ByteSize>().is_err());
    }

    #[test]
    fn retry_after_rounds_up() {
        assert_eq!(Micros::new(1).ceil_secs(), 1);
        assert_eq!(Micros::from_secs(2).ceil_secs(), 2);
    }
}
