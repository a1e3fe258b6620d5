//! Texts of a description with holes, `{name}`, that the host fills with secrets.
//!
//! `validate` finds the holes when a description is read, so that filling them cannot fail later.

/// The names of a text's holes, in order.
///
/// # Errors
///
/// A brace that belongs to no hole.
pub fn holes(text: &str) -> Result<Vec<&str>, String> {
    let mut holes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let hole = rest[at..].strip_prefix('{').and_then(|after| after.split_once('}'));
        let (name, after) = hole.ok_or_else(|| format!("`{text}` has a brace that belongs to no hole"))?;
        holes.push(name);
        rest = after;
    }
    Ok(holes)
}

/// The text with its holes filled. One for which there is no value stays empty.
pub fn fill<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>, write: impl Fn(&str, &mut String)) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        filled.push_str(before);
        write(value(name).unwrap_or_default(), &mut filled);
        rest = after;
    }
    filled.push_str(rest);
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
