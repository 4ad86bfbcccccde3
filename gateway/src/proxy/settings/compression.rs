//! Which answers are compressed, as configured.

/// Compression of a route's answers.
#[derive(Clone, Debug)]
pub struct CompressionSettings {
    /// Media types, in lower case; `text/*` is every one that begins so.
    pub types: Vec<Box<str>>,
    /// The shortest body worth it, in bytes; one that does not say its length is.
    pub minimum: u64,
    /// How hard.
    pub level: CompressionLevel,
    /// The codings, the most preferred first.
    pub codings: Vec<Coding>,
}

/// How hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionLevel {
    /// For the gateway's time.
    Fast,
    /// Between.
    Balanced,
    /// For the line.
    Small,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}
