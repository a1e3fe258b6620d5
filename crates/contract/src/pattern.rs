//! Names of headers, parameters and events as a description lists them: whole, or a beginning with a `*` behind it; and names
//! of models, in which a `*` may stand anywhere.

/// What one entry of such a list names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'p> {
    /// This name.
    Name(&'p str),
    /// Every name that begins so.
    Beginning(&'p str),
}

impl<'p> Pattern<'p> {
    /// The pattern that is written like this.
    pub fn of(text: &'p str) -> Self {
        text.strip_suffix('*').map_or(Pattern::Name(text), Pattern::Beginning)
    }

    /// Whether it names this.
    pub fn names(self, name: &str) -> bool {
        match self {
            Pattern::Name(whole) => name == whole,
            Pattern::Beginning(beginning) => name.starts_with(beginning),
        }
    }
}

/// What each `*` of a pattern stands for in a text; none where the text does not match.
pub fn captures<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let (first, others) = pattern.split_once('*').map_or((pattern, None), |(first, others)| (first, Some(others)));
    let mut rest = text.strip_prefix(first)?;
    let mut found = Vec::new();
    let mut pieces = others.into_iter().flat_map(|others| others.split('*')).peekable();
    while let Some(piece) = pieces.next() {
        // What stands between two `*` may as well be the first there is; the last piece has to be at the end.
        let at = match pieces.peek() {
            Some(_) => rest.find(piece)?,
            None => rest.strip_suffix(piece)?.len(),
        };
        found.push(&rest[..at]);
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty().then_some(found)
}

/// Whether one of the patterns names this.
pub fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| Pattern::of(pattern).names(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_one_or_all_that_begin_so() {
        let names = |pattern, name| Pattern::of(pattern).names(name);
        assert!(names("x-request-id", "x-request-id") && !names("x-request-id", "x-request-ids"));
        assert!(names("x-codex-*", "x-codex-") && names("x-codex-*", "x-codex-turn") && !names("x-codex-*", "x-cod"));
        assert!(names("*", "") && any(&["a".into(), "b*".into()], "bc") && !any(&[], "a"));
    }
}
