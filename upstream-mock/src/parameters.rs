//! The parameters of a path and its query, read and bounded. Must not: guess what was meant.

use std::str::FromStr;
use std::time::Duration;

use http::{StatusCode, Uri};

/// The longest that anything but `/hang` waits before it goes on.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// The most lines `/stream` sends.
const MOST_CHUNKS: u32 = 100_000;

/// The longest body: 16 GiB.
const MOST_BYTES: u64 = 16 << 30;

/// A parameter that makes no sense, answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} must be {expected}")]
pub(crate) struct BadParameter {
    pub(crate) parameter: &'static str,
    pub(crate) expected: &'static str,
}

/// `?name=` in milliseconds, at most [`LONGEST_WAIT`].
pub(crate) fn wait(
    uri: &Uri,
    parameter: &'static str,
    default: u64,
) -> Result<Duration, BadParameter> {
    let expected = "a whole number of milliseconds";
    let milliseconds = query(uri, parameter, expected)?.unwrap_or(default);
    Ok(Duration::from_millis(milliseconds).min(LONGEST_WAIT))
}

/// `?name=` as a count, at most [`MOST_CHUNKS`].
pub(crate) fn chunks(
    uri: &Uri,
    parameter: &'static str,
    default: u32,
) -> Result<u32, BadParameter> {
    let count: u64 = query(uri, parameter, "a whole number")?.unwrap_or(default.into());
    Ok(u32::try_from(count).unwrap_or(MOST_CHUNKS).min(MOST_CHUNKS))
}

/// `?name=` as a share from 0 to 1.
pub(crate) fn rate(uri: &Uri, parameter: &'static str, default: f64) -> Result<f64, BadParameter> {
    let expected = "a number from 0 to 1";
    let rate = query(uri, parameter, expected)?.unwrap_or(default);
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(BadParameter {
            parameter,
            expected,
        })
    }
}

/// `?name=` as a length in bytes.
pub(crate) fn length(
    uri: &Uri,
    parameter: &'static str,
    default: u64,
) -> Result<u64, BadParameter> {
    bounded(parameter, query(uri, parameter, LENGTH)?.unwrap_or(default))
}

/// A path's last segment as a length in bytes.
pub(crate) fn length_segment(segment: &str) -> Result<u64, BadParameter> {
    bounded("n", parse(segment, "n", LENGTH)?)
}

/// A path's last segment as the status of a final response.
pub(crate) fn status_segment(segment: &str) -> Result<StatusCode, BadParameter> {
    let bad = BadParameter {
        parameter: "code",
        expected: "a status from 200 to 599",
    };
    let code: u16 = parse(segment, bad.parameter, bad.expected)?;
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err(bad),
    }
}

const LENGTH: &str = "a whole number of bytes up to 17179869184";

fn bounded(parameter: &'static str, bytes: u64) -> Result<u64, BadParameter> {
    if bytes <= MOST_BYTES {
        Ok(bytes)
    } else {
        Err(BadParameter {
            parameter,
            expected: LENGTH,
        })
    }
}

/// The first `name=value` of the query. Values are numbers, so nothing needs percent-decoding.
fn query<T: FromStr>(
    uri: &Uri,
    parameter: &'static str,
    expected: &'static str,
) -> Result<Option<T>, BadParameter> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut values = pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| *name == parameter);
    values
        .next()
        .map(|(_, value)| parse(value, parameter, expected))
        .transpose()
}

fn parse<T: FromStr>(
    value: &str,
    parameter: &'static str,
    expected: &'static str,
) -> Result<T, BadParameter> {
    value.parse().map_err(|_| BadParameter {
        parameter,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn an_absent_parameter_is_its_default() {
        assert_eq!(wait(&uri("/slow"), "ms", 7), Ok(Duration::from_millis(7)));
        assert_eq!(rate(&uri("/flaky?other=1"), "rate", 0.5), Ok(0.5));
    }

    #[test]
    fn the_first_of_several_counts() {
        assert_eq!(
            chunks(&uri("/stream?ms=1&chunks=3&chunks=4"), "chunks", 9),
            Ok(3)
        );
    }

    #[test]
    fn waits_and_chunks_are_cut_down_to_their_bound() {
        assert_eq!(wait(&uri("/slow?ms=99999999"), "ms", 0), Ok(LONGEST_WAIT));
        assert_eq!(
            chunks(&uri("/stream?chunks=99999999999"), "chunks", 0),
            Ok(MOST_CHUNKS)
        );
    }

    #[test]
    fn what_is_no_number_is_refused_by_name() {
        for bad in ["/slow?ms=", "/slow?ms=soon", "/slow?ms=-1", "/slow?ms=1.5"] {
            assert_eq!(
                wait(&uri(bad), "ms", 0).unwrap_err().parameter,
                "ms",
                "{bad}"
            );
        }
        for bad in ["/flaky?rate=1.01", "/flaky?rate=-0.1", "/flaky?rate=NaN"] {
            assert_eq!(
                rate(&uri(bad), "rate", 0.0).unwrap_err().parameter,
                "rate",
                "{bad}"
            );
        }
    }

    #[test]
    fn bodies_end_at_sixteen_gibibytes() {
        assert_eq!(length_segment("17179869184"), Ok(MOST_BYTES));
        assert_eq!(length_segment("17179869185").unwrap_err().parameter, "n");
    }

    #[test]
    fn only_final_statuses_can_be_asked_for() {
        assert_eq!(status_segment("599").unwrap().as_u16(), 599);
        for bad in ["101", "199", "600", "99999", "teapot", ""] {
            assert_eq!(status_segment(bad).unwrap_err().parameter, "code", "{bad}");
        }
    }
}
