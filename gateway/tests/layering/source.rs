//! A Rust source as the paths it names. Knows just enough of the language to tell code from comments and strings, and
//! to unfold `use a::{b, c::d}`. Must not: know what is allowed.

/// A path as written in code, `{…}` unfolded, such as `crate`, `store`, `Decision`. A lone identifier is a path too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// Counted from 1.
    pub(crate) line: usize,
    /// How many `mod name {…}` of the same file it stands in.
    pub(crate) inline_depth: usize,
    pub(crate) segments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text
            .starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// Every path that the code of `source` names, in order.
pub(crate) fn paths(source: &str) -> Vec<NamedPath> {
    let tokens = tokens(&code(source));
    let mut paths = Vec::new();
    let mut braces = 0;
    let mut inline_modules = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "mod" if is(&tokens, at + 2, "{") => inline_modules.push(braces),
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                inline_modules.pop_if(|opened| *opened == braces);
            }
            _ if token.is_word() => {
                let mut found = Vec::new();
                at = unfold(&tokens, at, &[], &mut found);
                let inline_depth = inline_modules.len();
                paths.extend(found.into_iter().map(|(line, segments)| NamedPath {
                    line,
                    inline_depth,
                    segments,
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

/// The source with every comment, string and character replaced by blanks; lines keep their numbers.
pub(crate) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let inside_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !inside_word => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        let (blank, kept) = if skipped == 0 {
            (0, next.len_utf8())
        } else {
            (skipped, 0)
        };
        code.extend(
            rest[..blank]
                .chars()
                .map(|gone| if gone == '\n' { '\n' } else { ' ' }),
        );
        code.push_str(&rest[blank..blank + kept]);
        rest = &rest[blank + kept..];
    }
    code
}

/// The length of the comment that `text` opens with; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let step = &text.as_bytes()[at..];
        if step.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if step.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the string that `text` opens with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string that `text` opens with, or 0 when it opens with a mere word.
fn raw_string(text: &str) -> usize {
    let Some(opened) = text
        .strip_prefix("br")
        .or(text.strip_prefix("cr"))
        .or(text.strip_prefix('r'))
    else {
        return 0;
    };
    let hashes = opened.len() - opened.trim_start_matches('#').len();
    if !opened[hashes..].starts_with('"') {
        return 0;
    }
    let start = text.len() - opened.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    text[start..]
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

/// The length of the character literal that `text` opens with, or 0 when it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let after = escaped + 1;
            text[after..].find('\'').map_or(0, |at| after + at + 1)
        }
        (_, Some((end, '\''))) => end + 1,
        _ => 0,
    }
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (number, text) in code.lines().enumerate() {
        let line = number + 1;
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let word = rest
                .find(|char: char| !char.is_alphanumeric() && char != '_')
                .unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => rest.chars().next().map_or(0, char::len_utf8),
                word => word,
            };
            tokens.push(Token {
                line,
                text: rest[..length].to_owned(),
            });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

/// Collects the paths of the tree that begins with the word at `at`; returns the place after it.
fn unfold(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let line = tokens[at].line;
    let mut path = prefix.to_vec();
    loop {
        path.push(tokens[at].text.clone());
        at += 1;
        if !is(tokens, at, "::") {
            break;
        }
        match tokens.get(at + 1) {
            Some(next) if next.is_word() || next.text == "*" => at += 1,
            Some(next) if next.text == "{" => return unfold_group(tokens, at + 2, &path, found),
            _ => break,
        }
    }
    found.push((line, path));
    at
}

fn unfold_group(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            // A new name hides nothing: what it stands for was seen before it.
            "as" => at += 2,
            "*" => at = unfold(tokens, at, prefix, found),
            _ if token.is_word() => at = unfold(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}
