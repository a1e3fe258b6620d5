//! Names of headers, parameters and events as a description lists them: whole, or a beginning with a `*` behind it.

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
