//! The nearest names to one that is not known, for "did you mean".
//!
//! Unknown providers, models and config keys ask here. It only helps a person: nothing may route by its answer.

use std::collections::HashSet;

use strsim::normalized_damerau_levenshtein;

/// Below this share of letters in place, two names have nothing to do with each other.
const LEAST: f64 = 0.6;

/// Longer names are not compared: the cost grows with the square, and a client chooses the length.
const LONGEST_NAME: usize = 128;

/// At most `n` of the candidates, the nearest first; those of equal distance in their order. Empty when none is near.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>, n: usize) -> Vec<&'a str> {
    alike(wanted, candidates, n, LEAST)
}

/// The same, however far the nearest are: for a list that a person asked for.
pub fn nearest_of_all<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>, n: usize) -> Vec<&'a str> {
    alike(wanted, candidates, n, 0.0)
}

fn alike<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>, n: usize, least: f64) -> Vec<&'a str> {
    if wanted.len() > LONGEST_NAME {
        return Vec::new();
    }
    let wanted = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST_NAME)
        .map(|candidate| (likeness(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= least)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    // Several providers may list one model.
    let mut seen = HashSet::new();
    near.into_iter().map(|(_, candidate)| candidate).filter(|candidate| seen.insert(*candidate)).take(n).collect()
}

/// From 0 to 1. Model names grow at their ends (`gpt-5` to `gpt-5-mini`), so a shared beginning counts for more than the
/// letters that are missing; and a vendor's name in front counts for nothing.
fn likeness(wanted: &str, candidate: &str) -> f64 {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let (wanted_bare, candidate_bare) = (bare(wanted), bare(candidate));
    let whole = normalized_damerau_levenshtein(wanted, candidate);
    let bare = normalized_damerau_levenshtein(&wanted_bare, &candidate_bare);
    let (short, long) = match wanted_bare.len() <= candidate_bare.len() {
        true => (&wanted_bare, &candidate_bare),
        false => (&candidate_bare, &wanted_bare),
    };
    // Three letters are the least that tells one family of models from another.
    let shares_beginning = short.len() >= 3 && long.starts_with(short.as_str());
    let beginning = if shares_beginning { LEAST + (1.0 - LEAST) * bare } else { 0.0 };
    whole.max(bare).max(beginning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_gone_still_has_nearest_ones() {
        let models = ["gpt-6.1-sol", "gpt-5.6-luna", "gpt-5.5"];
        assert_eq!(nearest("gpt-5-codex", models, 2), [""; 0]);
        assert_eq!(nearest_of_all("gpt-5-codex", models, 1), ["gpt-5.5"]);
    }

    const KEYS: [&str; 6] = ["server", "plugins", "providers", "models", "strict", "hedge_after_ms"];
    const MODELS: [&str; 7] = [
        "gpt-5",
        "gpt-5-mini",
        "gpt-4o",
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-1",
        "meta-llama/llama-3.3-70b",
        "qwen3:8b",
    ];

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        for (wanted, found) in [
            ("servr", "server"),
            ("sevrer", "server"),
            ("provider", "providers"),
            ("Plugin", "plugins"),
            ("model", "models"),
        ] {
            assert_eq!(nearest(wanted, KEYS, 1), [found], "{wanted}");
        }
        assert_eq!(nearest("opnai", ["anthropic", "openai", "openai-codex"], 1), ["openai"]);
    }

    #[test]
    fn a_name_that_is_there_twice_is_named_once() {
        assert_eq!(nearest("gpt-5", ["gpt-5", "gpt-5-mini", "gpt-5", "gpt-5-mini"], 3), ["gpt-5", "gpt-5-mini"]);
    }

    #[test]
    fn a_models_family_finds_its_members() {
        assert_eq!(nearest("gpt5", MODELS, 1), ["gpt-5"]);
        assert_eq!(nearest("claude-sonnet", MODELS, 1), ["claude-sonnet-4-5-20250929"]);
        assert_eq!(nearest("gpt-5", MODELS, 2), ["gpt-5", "gpt-5-mini"]);
        assert_eq!(nearest("gpt-5-turbo", MODELS, 1), ["gpt-5"]);
        assert_eq!(nearest("llama-3.3", MODELS, 1), ["meta-llama/llama-3.3-70b"]);
        assert_eq!(nearest("openai/gpt-4o", MODELS, 1), ["gpt-4o"]);
    }

    #[test]
    fn what_is_not_near_is_not_named() {
        assert!(nearest("listen", KEYS, 3).is_empty());
        assert!(nearest("mistral-large", MODELS, 3).is_empty());
        assert!(nearest("", MODELS, 3).is_empty());
        assert!(nearest("gpt-5", [], 3).is_empty());
    }

    #[test]
    fn a_very_long_name_is_not_compared() {
        let long = "g".repeat(LONGEST_NAME + 1);
        assert!(nearest(&long, [long.as_str()], 1).is_empty());
    }
}
