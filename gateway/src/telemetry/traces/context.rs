//! W3C Trace Context (Level 1, section 3.2): `00-{trace}-{span}-{flags}` in lower-case hexadecimal.
//!
//! Guarantees: what is written can be read by any participant; what cannot be read starts a new trace. Must not: read `tracestate`.

use std::ops::Range;

use bytes::Bytes;

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;
pub(super) const TRACE: Range<usize> = 3..35;
pub(super) const SPAN: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..55;

/// Where a request stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace: u128,
    /// The span that called; never 0.
    pub span: u64,
    /// Whether the caller keeps its spans.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a header's value.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_at_checked(LENGTH)?;
        let version = hexadecimal(head.get(..2)?)?;
        let dashes = [2, 35, 52].iter().all(|at| head.get(*at) == Some(&b'-'));
        // A later version may go on after a dash, and is read as this one as far as it goes.
        let ends = rest.is_empty() || (version > 0 && rest.first() == Some(&b'-'));
        if version == 0xff || !dashes || !ends {
            return None;
        }
        let trace = hexadecimal(head.get(TRACE)?)?;
        let span = u64::try_from(hexadecimal(head.get(SPAN)?)?).ok()?;
        let flags = hexadecimal(head.get(FLAGS)?)?;
        (trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }

    /// The header's value.
    pub(super) fn text(&self) -> Bytes {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write(&mut text[TRACE], &self.trace.to_be_bytes());
        write(&mut text[SPAN], &self.span.to_be_bytes());
        write(&mut text[FLAGS], &[u8::from(self.sampled)]);
        // Its slices and copies share the one allocation; one made of a slice would get another with its first copy.
        Bytes::from_owner(text)
    }
}

/// A part of a header that [`TraceContext::text`] wrote.
pub(super) fn part(header: &Bytes, range: Range<usize>) -> &[u8] {
    header.get(range).unwrap_or_default()
}

fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

fn write(digits: &mut [u8], number: &[u8]) {
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(number) {
        *pair = PAIRS[usize::from(*byte)];
    }
}

/// The digits of each octet.
static PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut octet = 0;
    while octet < 256 {
        pairs[octet] = [digits[octet >> 4], digits[octet & 0xf]];
        octet += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_written_the_same() {
        let context = TraceContext::parse(HEADER.as_bytes()).unwrap();
        assert_eq!(context.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.span, 0xb7ad_6b71_6920_3331);
        assert!(context.sampled);
        let text = context.text();
        assert_eq!(text, HEADER);
        assert_eq!(part(&text, TRACE), b"0af7651916cd43dd8448eb211c80319c");
        assert_eq!(part(&text, SPAN), b"b7ad6b7169203331");
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        for (header, readable) in [
            (HEADER.replacen("00-", "cc-", 1) + "-more", true),
            (HEADER.replacen("00-", "cc-", 1), true),
            (HEADER.replacen("00-", "cc-", 1) + "more", false),
            (HEADER.to_owned() + "-more", false),
            (HEADER.replacen("00-", "ff-", 1), false),
            (HEADER.to_uppercase(), false),
            (HEADER.replace('-', "_"), false),
            (
                "00-00000000000000000000000000000000-b7ad6b7169203331-01".into(),
                false,
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".into(),
                false,
            ),
            (HEADER[..54].to_owned(), false),
            (String::new(), false),
        ] {
            let read = TraceContext::parse(header.as_bytes());
            assert_eq!(read.is_some(), readable, "{header}");
        }
    }

    #[test]
    fn other_flags_say_nothing_of_sampling() {
        let with = |flags: &str| HEADER[..53].to_owned() + flags;
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true)] {
            let context = TraceContext::parse(with(flags).as_bytes()).unwrap();
            assert_eq!(context.sampled, sampled, "{flags}");
        }
    }
}
