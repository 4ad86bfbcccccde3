//! `[server.http2]`.

use super::super::path::KeyPath;
use super::super::raw::Http2;
use super::Check;
use crate::server::settings::Http2Settings;

/// What a client may send before it hears anything (RFC 9113, section 6.9.2); less cannot be had on a connection.
const SMALLEST_WINDOW: u32 = 65_535;
/// More memory than one connection should cost.
const LARGEST_WINDOW: u32 = 1 << 26;
/// More streams than anyone multiplexes.
const MOST_STREAMS: u32 = 10_000;

/// HTTP/2 towards clients.
pub(super) fn http2(check: &mut Check<'_>, at: &KeyPath, raw: &Http2) -> Option<Http2Settings> {
    let cleartext = check.set(at, "cleartext", raw.cleartext);
    let streams = between(
        check,
        at,
        "max_concurrent_streams",
        raw.max_concurrent_streams,
        1..=MOST_STREAMS,
    );
    let windows = SMALLEST_WINDOW..=LARGEST_WINDOW;
    let stream_window = between(
        check,
        at,
        "stream_window",
        raw.stream_window,
        windows.clone(),
    );
    let connection_window = between(
        check,
        at,
        "connection_window",
        raw.connection_window,
        windows,
    );
    Some(Http2Settings {
        cleartext: cleartext?,
        max_concurrent_streams: streams?,
        stream_window: stream_window?,
        connection_window: connection_window?,
    })
}

fn between(
    check: &mut Check<'_>,
    at: &KeyPath,
    key: &str,
    raw: Option<u32>,
    range: std::ops::RangeInclusive<u32>,
) -> Option<u32> {
    let value = check.set(at, key, raw)?;
    if range.contains(&value) {
        return Some(value);
    }
    let (least, most) = range.into_inner();
    let message = format!("`{value}` cannot be had: write {least} to {most}");
    check.problem(&at.key(key), &message)
}
