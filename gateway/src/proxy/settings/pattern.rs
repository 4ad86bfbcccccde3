//! A path pattern taken apart: `/users/{id}`, `/files/{name}.png`, `/proxy/{*path}`, braces twice for literal ones.
//!
//! Guarantees: a parameter stands for part of one segment and is never empty; a catch-all stands at the end, for everything after
//! its slash, be it nothing. Must not: match.

/// The most parameters of one pattern: their values are kept in place while a route is looked for.
pub const MAX_PARAMETERS: usize = 8;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What stands between its slashes.
    pub segments: Vec<Segment>,
    /// The names of its parameters, in order.
    pub names: Vec<Box<str>>,
}

/// What stands between two slashes. The names of parameters are no part of it: they match alike whatever they are called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// That text.
    Text(Box<str>),
    /// Anything between two texts.
    Parameter {
        /// What stands before it.
        before: Box<str>,
        /// What stands after it.
        after: Box<str>,
    },
    /// Everything to the end.
    Rest,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has more parameters than are kept.
    #[error("it has more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// Nothing says where the first of two ends.
    #[error("it has two parameters between slashes: one is possible")]
    TwoInASegment,
    /// A catch-all that is not the last segment, or only a part of one.
    #[error("it goes on after a `{{*…}}`: that can only stand at the end, after a slash")]
    CatchAll,
    /// A brace without its other, a parameter without a name, a name twice, or no slash at the start.
    #[error(
        "it is not a pattern: write parameters like `{{id}}`, each once, and literal braces twice"
    )]
    Malformed,
}

impl Pattern {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let segments = text.strip_prefix('/').ok_or(PatternError::Malformed)?;
        let mut pattern = Self {
            segments: Vec::new(),
            names: Vec::new(),
        };
        for text in segments.split('/') {
            if pattern.segments.last() == Some(&Segment::Rest) {
                return Err(PatternError::CatchAll);
            }
            let segment = pattern.segment(text)?;
            pattern.segments.push(segment);
        }
        Ok(pattern)
    }

    fn segment(&mut self, text: &str) -> Result<Segment, PatternError> {
        let (before, rest) = literal(text);
        let Some(inner) = rest.strip_prefix('{') else {
            return if rest.is_empty() {
                Ok(Segment::Text(before.into()))
            } else {
                Err(PatternError::Malformed)
            };
        };
        let (name, rest) = inner.split_once('}').ok_or(PatternError::Malformed)?;
        let (after, rest) = literal(rest);
        if rest.starts_with('{') {
            return Err(PatternError::TwoInASegment);
        }
        let (name, segment) = match name.strip_prefix('*') {
            Some(name) if before.is_empty() && after.is_empty() => (name, Segment::Rest),
            Some(_) => return Err(PatternError::CatchAll),
            None => {
                let (before, after) = (before.into(), after.into());
                (name, Segment::Parameter { before, after })
            }
        };
        let taken = self.names.iter().any(|known| **known == *name);
        if !rest.is_empty() || name.is_empty() || name.contains(['{', '*']) || taken {
            return Err(PatternError::Malformed);
        }
        if self.names.len() == MAX_PARAMETERS {
            return Err(PatternError::TooMany);
        }
        self.names.push(name.into());
        Ok(segment)
    }
}

/// The text up to the first brace that is not twice there, and the rest from that brace on.
fn literal(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (head, braced) = rest.split_at(at);
        literal.push_str(head);
        let Some(twice) = ["{{", "}}"].into_iter().find(|two| braced.starts_with(two)) else {
            return (literal, braced);
        };
        literal.push_str(&twice[1..]);
        rest = &braced[2..];
    }
    literal.push_str(rest);
    (literal, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(before: &str, after: &str) -> Segment {
        let (before, after) = (before.into(), after.into());
        Segment::Parameter { before, after }
    }

    #[test]
    fn a_pattern_is_taken_apart() {
        let pattern = Pattern::new("/a{{b}}/x-{id}.png/{n}/{*rest}").unwrap();
        let text = Segment::Text("a{b}".into());
        let middle = [parameter("x-", ".png"), parameter("", "")];
        assert_eq!(
            pattern.segments,
            [vec![text], middle.to_vec(), vec![Segment::Rest]].concat()
        );
        assert_eq!(pattern.names.join(" "), "id n rest");
        assert_eq!(
            Pattern::new("/").unwrap().segments,
            [Segment::Text("".into())]
        );
    }

    #[test]
    fn what_is_no_pattern_is_told_apart() {
        for (text, error) in [
            ("a", PatternError::Malformed),
            ("/{", PatternError::Malformed),
            ("/}", PatternError::Malformed),
            ("/{}", PatternError::Malformed),
            ("/{a}}", PatternError::Malformed),
            ("/{a}/{a}", PatternError::Malformed),
            ("/{a}{b}", PatternError::TwoInASegment),
            ("/{*a}/b", PatternError::CatchAll),
            ("/x{*a}", PatternError::CatchAll),
            (
                "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
                PatternError::TooMany,
            ),
        ] {
            assert_eq!(Pattern::new(text), Err(error), "{text}");
        }
    }
}
