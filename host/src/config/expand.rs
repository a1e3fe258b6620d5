//! `${VAR}` and `${VAR:-default}` in a text value of the config.
//!
//! The reader calls it on values after the YAML is parsed, so what a variable holds stays one value: it can neither add
//! a key nor be expanded again.

/// A value in pieces.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// `${name}` or `${name:-default}`.
    Variable { name: &'a str, default: Option<&'a str> },
}

/// A `${` that is not followed by a name and a `}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAVariable;

/// Splits a value. `$${` stands for a plain `${`.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, NotAVariable> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            pieces.push(Piece::Text(&rest[..at - 1]));
            pieces.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        pieces.push(Piece::Text(&rest[..at]));
        let end = rest[at..].find('}').ok_or(NotAVariable)? + at;
        pieces.push(variable(&rest[at + 2..end])?);
        rest = &rest[end + 1..];
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn variable(inside: &str) -> Result<Piece<'_>, NotAVariable> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let mut letters = name.bytes();
    let starts = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    match starts && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        true => Ok(Piece::Variable { name, default }),
        false => Err(NotAVariable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, NotAVariable> {
        Ok(pieces(text)?
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => (*text).to_owned(),
                Piece::Variable { name, default: None } => format!("<{name}>"),
                Piece::Variable { name, default: Some(default) } => format!("<{name}|{default}>"),
            })
            .collect())
    }

    #[test]
    fn variables_are_found_and_everything_else_stays() {
        for (text, wanted) in [
            ("", ""),
            ("plain", "plain"),
            ("$HOME and $ and {x}", "$HOME and $ and {x}"),
            ("${A}", "<A>"),
            ("a${A}b${_B1}c", "a<A>b<_B1>c"),
            ("${A:-}", "<A|>"),
            ("${A:-x:-y}", "<A|x:-y>"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("é${A}é", "é<A>é"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_variable_is_refused() {
        for text in ["${", "${A", "${}", "${1A}", "${A-B}", "${A B}", "${:-x}", "x ${A:x}"] {
            assert_eq!(shown(text), Err(NotAVariable), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn splitting_never_panics(text in "[${}A:é-]{0,24}") {
            let _ = pieces(&text);
        }
    }
}
