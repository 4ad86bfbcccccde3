//! What the proxy makes of heads, what it may keep of answers, and what it says itself, under fuzzing. Must not: forward anything.

mod answers;
mod cacheability;
mod forwarded;
mod path;

pub use answers::answers;
pub use cacheability::cacheability;
pub use forwarded::forwarded;
pub use path::path;

use http::{HeaderMap, HeaderName, HeaderValue};

/// More fields than a head may have.
const MOST_FIELDS: usize = 128;

/// The fields of `text`, one to a line; what is none is passed over.
fn fields(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(MOST_FIELDS) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
