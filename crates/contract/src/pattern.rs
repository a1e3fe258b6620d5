//! Names of headers, parameters and events as a description lists them: whole, or a beginning with a `*` behind it.

/// Whether a pattern names this: exactly, or up to a trailing `*`.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// Whether one of the patterns names this.
pub fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_one_or_all_that_begin_so() {
        assert!(matches("x-request-id", "x-request-id") && !matches("x-request-id", "x-request-ids"));
        assert!(
            matches("x-codex-*", "x-codex-") && matches("x-codex-*", "x-codex-turn") && !matches("x-codex-*", "x-cod")
        );
        assert!(matches("*", "") && any(&["a".into(), "b*".into()], "bc") && !any(&[], "a"));
    }
}
