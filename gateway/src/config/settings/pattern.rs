//! Path patterns and rewrites as text: `/users/{id}`, `/files/{*rest}`, braces twice for literal ones.

/// Whether `text` can be the path of a request, parameters aside.
pub(super) fn well_formed(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err(format!("`{text}` does not start with `/`"));
    }
    match text
        .chars()
        .find(|c| matches!(c, '?' | '#') || !c.is_ascii_graphic())
    {
        None => Ok(()),
        Some(sign) => Err(format!(
            "`{}` cannot stand in a path",
            sign.escape_default()
        )),
    }
}

/// The parameters in `text`, in order; a catch-all's with its star.
pub(super) fn parameters(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (_, braced) = rest.split_at(at);
        if braced.starts_with("{{") || braced.starts_with("}}") {
            rest = braced.get(2..).unwrap_or_default();
            continue;
        }
        let inner = braced
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        match inner {
            Some((name, after)) if !name.is_empty() && !name.contains('{') => {
                found.push(name);
                rest = after;
            }
            _ => {
                return Err(format!(
                    "`{text}` has a brace without its other: write a literal one twice"
                ));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_and_literal_braces_are_not() {
        assert_eq!(
            parameters("/a/{id}/x-{name}.png/{*rest}"),
            Ok(vec!["id", "name", "*rest"])
        );
        assert_eq!(parameters("/{{literal}}/{id}"), Ok(vec!["id"]));
        for bad in ["/{", "/}", "/{}", "/{a{b}"] {
            assert!(parameters(bad).is_err(), "{bad}");
        }
    }
}
