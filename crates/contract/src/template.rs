//! Texts of a description with holes, `{name}`. The host fills those of requests for tokens with secrets; those of origins
//! are `origin::template`'s, which takes them apart here.
//!
//! `validate` finds the holes when a description is read, so that filling them cannot fail later.

/// A piece of a text with holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Text(&'t str),
    /// By its name, without the braces.
    Hole(&'t str),
}

/// The pieces of a text, in order. A brace that belongs to no hole is text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|behind| behind.split_once('}')) {
            rest = after;
            return Some(Piece::Hole(name));
        }
        // The next brace that one closes; from there on it is a hole.
        let hole = rest.find('{').filter(|&at| rest[at..].contains('}'));
        let (text, after) = rest.split_at(hole.unwrap_or(rest.len()));
        rest = after;
        (!text.is_empty()).then_some(Piece::Text(text))
    })
}

/// The names of a text's holes, in order.
///
/// # Errors
///
/// A brace that belongs to no hole.
pub fn holes(text: &str) -> Result<Vec<&str>, String> {
    let mut holes = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Hole(name) => holes.push(name),
            Piece::Text(piece) if piece.contains(['{', '}']) => {
                return Err(format!("`{text}` has a brace that belongs to no hole"));
            }
            Piece::Text(_) => {}
        }
    }
    Ok(holes)
}

/// The text with its holes filled. One for which there is no value stays empty.
pub fn fill<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>, write: impl Fn(&str, &mut String)) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    for piece in pieces(text) {
        match piece {
            Piece::Text(piece) => filled.push_str(piece),
            Piece::Hole(name) => write(value(name).unwrap_or_default(), &mut filled),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_and_filled() {
        assert_eq!(holes("/{tenant}/token{x}"), Ok(vec!["tenant", "x"]));
        let value = |name: &str| (name == "tenant").then_some("a b");
        let plain = |value: &str, into: &mut String| into.push_str(value);
        assert_eq!(fill("/{tenant}/token{x}.", value, plain), "/a b/token.");
        assert_eq!(fill("plain", value, plain), "plain");
    }

    #[test]
    fn a_brace_that_belongs_to_no_hole_is_a_mistake() {
        for text in ["{", "}", "a}b{c}", "{a", "{a}}"] {
            assert!(holes(text).is_err(), "{text}");
        }
        assert_eq!(holes("{{a}"), Ok(vec!["{a"]), "which is the name of no secret");
    }
}
