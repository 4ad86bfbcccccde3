//! The PROXY protocol, versions 1 and 2, as a function of bytes: where a balancer says whose connection it passes on
//! (haproxy.org/download/3.2/doc/proxy-protocol.txt).
//!
//! Guarantees: strict (what the specification does not allow is an error, and nothing is guessed), bounded (a header that could not
//! be complete within [`MOST`] bytes is an error), never reads behind the header. Must not: do I/O, or decide who is believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest header read. Version 1 needs 107; version 2 may carry what nobody here reads (TLVs), within reason.
pub(super) const MOST: usize = 1024;
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// How many bytes it is.
    pub(super) length: usize,
    /// The client; none when the balancer speaks for itself (`LOCAL`) or does not know (`UNKNOWN`).
    pub(super) source: Option<IpAddr>,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// They begin with neither version.
    #[error("it begins with neither `PROXY ` nor the signature of version 2")]
    Signature,
    /// A line of version 1 that is none.
    #[error("the line of version 1 is malformed")]
    Line,
    /// A version, command, family or length that version 2 does not have.
    #[error("the header of version 2 is malformed")]
    Binary,
    /// It would not fit.
    #[error("it is longer than {MOST} bytes")]
    TooLong,
}

/// The header that `bytes` begin with; none while they are the beginning of one.
///
/// # Errors
/// [`Malformed`]: no further byte can make a header of them.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let is_beginning = |of: &[u8]| bytes.iter().zip(of).all(|(one, other)| one == other);
    if is_beginning(b"PROXY ") {
        return line(bytes);
    }
    if is_beginning(SIGNATURE) {
        return binary(bytes);
    }
    Err(Malformed::Signature)
}

/// Version 1: one line of ASCII.
fn line(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let window = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if bytes.len() < LONGEST_LINE {
            Ok(None)
        } else {
            Err(Malformed::Line)
        };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let line = line.and_then(|line| line.strip_prefix("PROXY "));
    Ok(Some(Header {
        length: end + 1,
        source: source(line.ok_or(Malformed::Line)?).ok_or(Malformed::Line)?,
    }))
}

/// What a line says behind `PROXY `; the outer none for one that says nothing known.
fn source(line: &str) -> Option<Option<IpAddr>> {
    let mut words = line.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        // Whatever follows is to be ignored.
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let is_port = |port: &str| {
        let digits =
            (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
        digits && (port == "0" || !port.starts_with('0')) && port.parse::<u16>().is_ok()
    };
    if !is_port(words.next()?) || !is_port(words.next()?) || words.next().is_some() {
        return None;
    }
    let source: IpAddr = match family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            source.parse::<Ipv4Addr>().ok()?.into()
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            source.parse::<Ipv6Addr>().ok()?.into()
        }
        _ => return None,
    };
    Some(Some(source))
}

/// Version 2: sixteen fixed bytes, addresses, and extensions that are skipped.
fn binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(&[version_command, family, high, low]) = bytes
        .get(SIGNATURE.len()..FIXED)
        .and_then(|rest| rest.first_chunk())
    else {
        return Ok(None);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > MOST {
        return Err(Malformed::TooLong);
    }
    let is_local = match version_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed::Binary),
    };
    // Family above transport: INET, INET6, UNIX or unspecified; stream, datagram or unspecified.
    if family >> 4 > 3 || family & 0xf > 2 {
        return Err(Malformed::Binary);
    }
    let Some(addresses) = bytes.get(FIXED..length) else {
        return Ok(None);
    };
    let source = match family {
        _ if is_local => None,
        0x11 => Some(first::<4>(addresses, 12)?.into()),
        0x21 => Some(first::<16>(addresses, 36)?.into()),
        // What is no TCP over IP cannot have come through a port of ours: the balancer speaks for somebody else.
        0x00 => None,
        _ => return Err(Malformed::Binary),
    };
    Ok(Some(Header { length, source }))
}

/// The source of an address block of `size` bytes, which stands first in it.
fn first<const N: usize>(addresses: &[u8], size: usize) -> Result<[u8; N], Malformed> {
    let block = addresses.get(..size).ok_or(Malformed::Binary)?;
    block.first_chunk().copied().ok_or(Malformed::Binary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source_of(bytes: &[u8]) -> Option<IpAddr> {
        let header = parse(bytes).unwrap().expect("a whole header");
        assert_eq!(header.length, bytes.len());
        header.source
    }

    fn v2(version_command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([version_command, family]);
        bytes.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
        bytes.extend(addresses);
        bytes
    }

    #[test]
    fn what_the_specification_shows_is_understood() {
        let v4: IpAddr = [192, 0, 2, 7].into();
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        assert_eq!(
            source_of(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
            Some(v4)
        );
        assert_eq!(
            source_of(b"PROXY TCP6 2001:db8::7 2001:db8::1 0 443\r\n"),
            Some(v6)
        );
        assert_eq!(source_of(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(source_of(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        let mut four = vec![192, 0, 2, 7, 198, 51, 100, 1, 220, 4, 1, 187];
        assert_eq!(source_of(&v2(0x21, 0x11, &four)), Some(v4));
        four.extend([3, 0, 4, 1, 2, 3, 4]);
        assert_eq!(
            source_of(&v2(0x21, 0x11, &four)),
            Some(v4),
            "with an extension"
        );
        let mut six = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets().to_vec();
        six.extend([0; 20]);
        assert_eq!(source_of(&v2(0x21, 0x21, &six)), Some(v6));
        assert_eq!(source_of(&v2(0x20, 0x00, b"")), None);
        assert_eq!(source_of(&v2(0x20, 0x11, &four)), None, "LOCAL");
        assert_eq!(source_of(&v2(0x21, 0x00, b"")), None);
    }

    #[test]
    fn what_it_does_not_allow_is_an_error() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        let lines = [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n",
            "PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n",
            "PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n",
            "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n",
            "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY \r\n",
            &long,
        ];
        for line in lines {
            assert!(parse(line.as_bytes()).is_err(), "{line:?}");
        }
        for bytes in [
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x31, &[0; 216]),
            v2(0x21, 0x41, &[0; 12]),
            v2(0x20, 0x00, &[0; MOST]),
        ] {
            assert!(parse(&bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_beginning_is_waited_for_and_what_follows_is_left_alone(
            cut in 0_usize..60,
            tail in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let headers = [
                b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec(),
                v2(0x21, 0x11, &[7; 30]),
            ];
            for header in headers {
                let cut = cut % header.len();
                prop_assert_eq!(parse(&header[..cut]), Ok(None));
                let whole = parse(&[header.clone(), tail.clone()].concat());
                prop_assert_eq!(whole.unwrap().unwrap().length, header.len());
            }
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..64), binary in any::<bool>()) {
            let start: &[u8] = if binary { SIGNATURE } else { b"PROXY " };
            for bytes in [bytes.clone(), [start, &bytes].concat()] {
                if let Ok(Some(header)) = parse(&bytes) {
                    prop_assert!(header.length <= bytes.len());
                }
            }
        }
    }
}
