//! What a connection begins with, under fuzzing; its requests are the guard's. Must not: do I/O.

pub use super::guard::fuzzing::guard;

use super::proxy_protocol::{MOST, parse};

/// A header of the PROXY protocol: however it is cut, it is the same header, it ends within what there is, and what follows it is
/// left alone.
pub fn proxy_protocol(data: &[u8]) {
    let whole = parse(data);
    for cut in 0..data.len().min(MOST) {
        match (parse(&data[..cut]), whole) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (early, whole) => assert_eq!(early, whole, "of {cut} bytes"),
        }
    }
    match whole {
        Ok(Some(header)) => {
            assert!((1..=data.len().min(MOST)).contains(&header.length));
            assert_eq!(parse(&data[..header.length]), whole);
            let more = [&data[..header.length], b"\r\nPROXY "].concat();
            assert_eq!(parse(&more), whole);
        }
        Ok(None) => assert!(data.len() < MOST),
        Err(_) => {}
    }
}
