//! What time it is, for a reader of a log. Must not: be used for decisions; those have `tokio::time::Instant` or the store's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Now, as RFC 3339 in UTC with microseconds. Keeps the text of the second, which serves every line of that second.
#[derive(Debug)]
pub(super) struct Stamp {
    second: u64,
    text: [u8; LENGTH],
}

impl Default for Stamp {
    fn default() -> Self {
        Self {
            second: u64::MAX,
            text: *b"1970-01-01T00:00:00.000000Z",
        }
    }
}

/// A moment by both clocks, from which the time of day of others near it follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    instant: Instant,
    time: SystemTime,
}

impl Moment {
    /// The present moment.
    pub(super) fn now() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a span tells people the time of day"
        )]
        let time = SystemTime::now();
        Self {
            instant: Instant::now(),
            time,
        }
    }

    /// The time of day at another instant.
    pub(super) fn time_of(&self, instant: Instant) -> SystemTime {
        match instant.checked_duration_since(self.instant) {
            Some(later) => self.time + later,
            None => self.time - self.instant.duration_since(instant),
        }
    }
}

/// The length of `2026-01-02T03:04:05.678901Z`.
const LENGTH: usize = 27;
/// The length of it to the second.
const TO_THE_SECOND: usize = 19;

impl Stamp {
    /// The present moment, in ASCII.
    #[inline]
    pub(super) fn now(&mut self) -> &[u8; LENGTH] {
        #[expect(
            clippy::disallowed_methods,
            reason = "a log line tells people the time of day"
        )]
        let now = SystemTime::now();
        self.at(now.duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// The same, as text.
    pub(super) fn now_text(&mut self) -> &str {
        std::str::from_utf8(self.now()).unwrap_or_default()
    }

    fn at(&mut self, since_epoch: Duration) -> &[u8; LENGTH] {
        if self.second != since_epoch.as_secs() {
            self.second = since_epoch.as_secs();
            self.begin_second(since_epoch.as_secs());
        }
        let mut micros = since_epoch.subsec_micros();
        for digit in self.text[TO_THE_SECOND + 1..LENGTH - 1].iter_mut().rev() {
            *digit = b'0' + (micros % 10) as u8;
            micros /= 10;
        }
        &self.text
    }

    #[cold]
    fn begin_second(&mut self, second: u64) {
        let second = i64::try_from(second).unwrap_or_default();
        let moment = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let text = moment.to_string();
        if let Some(text) = text.as_bytes().first_chunk::<TO_THE_SECOND>() {
            self.text[..TO_THE_SECOND].copy_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_follows_the_clock() {
        let mut stamp = Stamp::default();
        let second = 1_767_323_045;
        for (nanos, text) in [
            (0, "2026-01-02T03:04:05.000000Z"),
            (7_000, "2026-01-02T03:04:05.000007Z"),
            (999_999_999, "2026-01-02T03:04:05.999999Z"),
        ] {
            assert_eq!(stamp.at(Duration::new(second, nanos)), text.as_bytes());
        }
        assert_eq!(
            stamp.at(Duration::new(second + 1, 0)),
            b"2026-01-02T03:04:06.000000Z"
        );
        assert_eq!(
            stamp.at(Duration::new(second, 0)),
            b"2026-01-02T03:04:05.000000Z"
        );
    }
}
