//! Under which names a model is looked up: its own, then others that are known to mean the same. A name is never compared
//! by likeness, and a rule only takes something off.
//!
//! | rule | such as | limits and abilities | price |
//! |---|---|---|---|
//! | the name as it is | `gpt-5` | yes | yes |
//! | without `models/`, as Google lists them | `models/gemini-2.5-pro` | yes | yes |
//! | without the date of its snapshot | `gpt-5.5-2026-04-23`, `claude-opus-5-20260701`, `…@20260701` | yes | yes |
//! | without the region of a profile, at Bedrock | `eu.anthropic.claude-opus-5` | yes | no: regions ask for more |
//! | `VENDOR/MODEL` at the vendor itself | `anthropic/claude-opus-5` | yes | no |
//! | at the vendor whose models a provider serves | `gpt-5` at a provider with the vendor `openai` | yes | no |
//!
//! `openai-codex` serves OpenAI's models under OpenAI's names, to which its plan's list price belongs too: it is looked up
//! as `openai`.

use crate::providers::VENDORS;

/// A provider's id and a model's name, as the data has them.
type Name<'a> = (&'a str, &'a str);

/// The regions that stand before names of Bedrock's profiles.
const REGIONS: [&str; 9] = ["apac", "au", "ca", "eu", "global", "jp", "sa", "us", "us-gov"];

/// Where the model's price is.
pub(crate) fn priced<'a>(provider: &'a str, model: &'a str) -> Vec<Name<'a>> {
    let provider = stored(provider);
    let plain = model.strip_prefix("models/").unwrap_or(model);
    let names = [Some(model), Some(plain).filter(|plain| *plain != model), undated(plain)];
    names.into_iter().flatten().map(|name| (provider, name)).collect()
}

/// Where its limits and abilities are.
pub(crate) fn limits<'a>(provider: &'a str, vendor: Option<&'a str>, model: &'a str) -> Vec<Name<'a>> {
    let mut names = priced(provider, model);
    if provider == "bedrock" {
        let behind = model.split_once('.').filter(|(region, _)| REGIONS.contains(region));
        names.extend(behind.into_iter().flat_map(|(_, model)| priced(provider, model)));
    }
    if let Some((vendor, model)) = model.split_once('/') {
        names.extend(priced(provider_of(vendor), model));
    }
    if let Some(vendor) = vendor.map(provider_of).filter(|vendor| *vendor != stored(provider)) {
        names.extend(priced(vendor, model));
    }
    names
}

/// The id under which the data has a provider.
fn stored(provider: &str) -> &str {
    if provider == "openai-codex" { "openai" } else { provider }
}

/// The provider that is the vendor's own.
fn provider_of(vendor: &str) -> &str {
    VENDORS.iter().find(|(name, _)| *name == vendor).map_or(vendor, |(_, provider)| provider)
}

/// A name without the date at its end: `-2026-04-23`, `-20260423` or `@20260423`.
fn undated(name: &str) -> Option<&str> {
    let digits = |text: &str, from: usize, to: usize| {
        let date = text.as_bytes().get(from..to);
        date.is_some_and(|date| date.iter().all(u8::is_ascii_digit))
    };
    let cut = |length: usize| name.len().checked_sub(length).filter(|at| *at > 0 && name.is_char_boundary(*at));
    let compact =
        cut(9).map(|at| name.split_at(at)).filter(|(_, end)| end.starts_with(['-', '@']) && digits(end, 1, 9));
    let dashed = cut(11).map(|at| name.split_at(at)).filter(|(_, end)| {
        let dashes = [0, 5, 8].iter().all(|at| end.as_bytes()[*at] == b'-');
        dashes && digits(end, 1, 5) && digits(end, 6, 8) && digits(end, 9, 11)
    });
    let (name, end) = compact.or(dashed)?;
    // A year of our time: eight digits may be anything.
    end[1..].starts_with("20").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(names: &[Name<'_>]) -> String {
        let names: Vec<String> = names.iter().map(|(provider, model)| format!("{provider}:{model}")).collect();
        names.join(" ")
    }

    #[test]
    fn a_model_is_looked_up_under_its_name_and_those_that_mean_the_same() {
        for (provider, vendor, model, expected) in [
            ("openai", None, "gpt-5", "openai:gpt-5"),
            ("openai", None, "gpt-5.5-2026-04-23", "openai:gpt-5.5-2026-04-23 openai:gpt-5.5"),
            ("anthropic", None, "claude-opus-5-20260701", "anthropic:claude-opus-5-20260701 anthropic:claude-opus-5"),
            ("vertex", None, "claude-opus-5@20260701", "vertex:claude-opus-5@20260701 vertex:claude-opus-5"),
            (
                "google",
                None,
                "models/gemini-2.5-pro",
                "google:models/gemini-2.5-pro google:gemini-2.5-pro models:gemini-2.5-pro",
            ),
            ("openrouter", None, "x-ai/grok-4.3", "openrouter:x-ai/grok-4.3 xai:grok-4.3"),
            ("openrouter", None, "qwen/qwen4:free", "openrouter:qwen/qwen4:free qwen:qwen4:free"),
            (
                "bedrock",
                None,
                "eu.anthropic.claude-opus-5",
                "bedrock:eu.anthropic.claude-opus-5 bedrock:anthropic.claude-opus-5",
            ),
            ("bedrock", None, "anthropic.claude-opus-5", "bedrock:anthropic.claude-opus-5"),
            (
                "acme",
                Some("openai"),
                "gpt-5-2025-08-07",
                "acme:gpt-5-2025-08-07 acme:gpt-5 openai:gpt-5-2025-08-07 openai:gpt-5",
            ),
            ("openai-codex", Some("openai"), "gpt-5", "openai:gpt-5"),
        ] {
            assert_eq!(text(&limits(provider, vendor, model)), expected, "{provider} {model}");
        }
    }

    #[test]
    fn a_price_is_the_providers_own() {
        assert_eq!(text(&priced("openrouter", "anthropic/claude-opus-5")), "openrouter:anthropic/claude-opus-5");
        assert_eq!(text(&priced("bedrock", "us.anthropic.claude-opus-5")), "bedrock:us.anthropic.claude-opus-5");
        assert_eq!(text(&priced("openai", "gpt-5-2025-08-07")), "openai:gpt-5-2025-08-07 openai:gpt-5");
    }

    #[test]
    fn only_a_date_is_a_date() {
        for name in [
            "gpt-5",
            "deepseek-v3-0324",
            "x-12345678",
            "claude-19991231",
            "20260101",
            "-20260101",
            "é-2026010",
            "gpt-5-2026-1-01",
            "m-2026-01-0x",
        ] {
            assert!(undated(name).is_none_or(|name| name == "claude-1999"), "{name}: {:?}", undated(name));
        }
    }
}
