//! The chunked coding (RFC 9112, section 7.1): which bytes are its own, which are data, and where it ends.
//!
//! Guarantees: as strict as the grammar: sizes are hexadecimal and fit in 60 bits, every line ends in CRLF, trailers have names,
//! extensions and trailers have a bound. Must not: look at data, or copy it.

/// The longest chunk-size line with its extensions, and all trailers together.
const MAX_LINE: u32 = 1024;
const MAX_TRAILERS: u32 = 8 * 1024;
/// Hexadecimal digits of a size.
const MAX_DIGITS: u8 = 15;

/// How far a body got.
#[derive(Debug, Default)]
pub struct Chunks {
    state: State,
    size: u64,
    digits: u8,
    line: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// After a size: an extension may follow, and nothing else.
    Blank,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    Trailer,
    TrailerLf,
    LastLf,
    End,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The body goes on after all of these bytes.
    More,
    /// It ends after so many.
    End(usize),
    /// After so many comes one that cannot be.
    Broken(usize),
}

/// What some bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// So many bytes of data.
    Data(usize),
    /// So many of the coding's own.
    Coding(usize),
    /// So many of the coding's own, the last ones.
    End(usize),
    /// So many, before one that cannot be.
    Broken(usize),
}

impl Chunks {
    /// Follows `bytes` as far as they go.
    pub fn follow(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.part(rest) {
                Part::Data(count) | Part::Coding(count) => at += count,
                Part::End(count) => return Step::End(at + count),
                Part::Broken(count) => return Step::Broken(at + count),
            }
        }
        Step::More
    }

    /// Follows `bytes`, which are not empty, for as long as they are of one kind. What is told of trailers is told apart from what
    /// comes before them.
    pub fn part(&mut self, bytes: &[u8]) -> Part {
        if self.state == State::Data {
            let here = usize::try_from(self.size)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.size -= here as u64;
            if self.size == 0 {
                self.state = State::DataCr;
            }
            return Part::Data(here);
        }
        for (at, &byte) in bytes.iter().enumerate() {
            let before = self.state;
            match self.next(byte) {
                None => return Part::Broken(at),
                Some(State::End) => return Part::End(at + 1),
                Some(state) => self.state = state,
            }
            if before == State::SizeLf {
                return Part::Coding(at + 1);
            }
        }
        Part::Coding(bytes.len())
    }

    /// Whether what comes next are trailers, or the empty line after them.
    #[must_use]
    pub const fn is_past_data(&self) -> bool {
        matches!(
            self.state,
            State::TrailerStart
                | State::TrailerName
                | State::Trailer
                | State::TrailerLf
                | State::LastLf
                | State::End
        )
    }

    fn next(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size, _) if byte.is_ascii_hexdigit() => self.digit(byte),
            (State::Size, b' ' | b'\t') if self.digits > 0 => Some(State::Blank),
            (State::Size, b';') if self.digits > 0 => Some(State::Extension),
            (State::Size, b'\r') if self.digits > 0 => Some(State::SizeLf),
            (State::Blank, b' ' | b'\t') => self.within(MAX_LINE, State::Blank),
            (State::Blank, b';') => Some(State::Extension),
            (State::Blank | State::Extension, b'\r') => Some(State::SizeLf),
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.within(MAX_LINE, State::Extension)
            }
            (State::SizeLf, b'\n') => {
                (self.digits, self.line) = (0, 0);
                Some(if self.size == 0 {
                    State::TrailerStart
                } else {
                    State::Data
                })
            }
            (State::DataCr, b'\r') => Some(State::DataLf),
            (State::DataLf, b'\n') => Some(State::Size),
            (State::TrailerStart, b'\r') => Some(State::LastLf),
            // A name, be it that of a line that would go on with the one before (obs-fold), is a token.
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => {
                self.within(MAX_TRAILERS, State::TrailerName)
            }
            (State::TrailerName, b':') => self.within(MAX_TRAILERS, State::Trailer),
            (State::Trailer, b'\r') => Some(State::TrailerLf),
            (State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.within(MAX_TRAILERS, State::Trailer)
            }
            (State::TrailerLf, b'\n') => Some(State::TrailerStart),
            (State::LastLf, b'\n') => Some(State::End),
            _ => None,
        }
    }

    fn digit(&mut self, byte: u8) -> Option<State> {
        self.digits += 1;
        let value = char::from(byte).to_digit(16)?;
        self.size = (self.size << 4) | u64::from(value);
        (self.digits <= MAX_DIGITS).then_some(State::Size)
    }

    fn within(&mut self, most: u32, state: State) -> Option<State> {
        self.line += 1;
        (self.line <= most).then_some(state)
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(bytes: &[u8]) -> Step {
        Chunks::default().follow(bytes)
    }

    #[test]
    fn a_body_ends_where_its_last_chunk_does() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "5;a=b;c=\"d\"\r\nhello\r\n000\r\n\r\n",
            "5 \t;a\r\nhello\r\n0 \r\n\r\n",
            "A\r\n0123456789\r\n0\r\nx-t: 1\r\ny: 2\r\n\r\n",
        ] {
            let more = format!("{body}GET / HTTP/1.1");
            assert_eq!(follow(more.as_bytes()), Step::End(body.len()), "{body:?}");
            // However it is cut.
            let mut chunks = Chunks::default();
            let (last, first) = body.as_bytes().split_last().unwrap();
            for byte in first {
                assert_eq!(chunks.follow(&[*byte]), Step::More, "{body:?}");
            }
            assert_eq!(chunks.follow(&[*last]), Step::End(1), "{body:?}");
        }
    }

    #[test]
    fn whatever_could_be_read_two_ways_is_broken() {
        for body in [
            "\r\n",
            " 5\r\n",
            "+5\r\n",
            "-1\r\n",
            "0x5\r\n",
            "g\r\n",
            "5\nhello\r\n",
            "5\rhello",
            "5\r\nhello\n",
            "5\r\nhelloo\r\n",
            "5\r\nhello\rx",
            "1000000000000000\r\n",
            "5;a\nb\r\n",
            "5 5\r\n",
            "0\t x;y\r\n\r\n",
            "5;\0\r\n",
            "0\r\n folded\r\n",
            "0\r\nnameless\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
            "0\r\nno token: 1\r\n\r\n",
            "0\r\nx{}: 1\r\n\r\n",
            "0\r\nx: 1\n\r\n",
            "0\r\n\n",
            "0\r\n\rx",
        ] {
            assert!(
                matches!(follow(body.as_bytes()), Step::Broken(_)),
                "{body:?}"
            );
        }
        let long = format!("5;{}\r\n", "x".repeat(2_000));
        assert!(matches!(follow(long.as_bytes()), Step::Broken(_)));
        let trailers = format!("0\r\n{}", "x: y\r\n".repeat(3_000));
        assert!(matches!(follow(trailers.as_bytes()), Step::Broken(_)));
    }
}
