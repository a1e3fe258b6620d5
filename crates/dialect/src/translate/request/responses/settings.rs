//! Writes the settings of a request of Responses; what has no word there is reported.

use super::write::Body;
use crate::json;
use crate::translate::Target;
use crate::translate::facts::Thinking;
use crate::translate::ids::conforming;
use crate::translate::request::{Effort, Format, Service, Settings};

/// The least that `max_output_tokens` may be.
const LEAST_OUTPUT: u64 = 16;
/// The longest `prompt_cache_key`.
const LONGEST_KEY: usize = 64;

impl<'a> Body<'a, '_> {
    pub(super) fn settings(&mut self, settings: &Settings<'a>, target: &Target<'_>) {
        if let Some(tokens) = settings.max_tokens {
            let most = target.facts.max_output.unwrap_or(u64::MAX).max(LEAST_OUTPUT);
            let asked = json::count(tokens).unwrap_or(LEAST_OUTPUT);
            let taken = asked.clamp(LEAST_OUTPUT, most);
            if taken == asked {
                self.json.member("max_output_tokens", tokens);
            } else {
                self.losses.approximated(tokens);
                self.json.number_member("max_output_tokens", taken);
            }
        }
        for (name, value) in [("temperature", settings.temperature), ("top_p", settings.top_p)] {
            match value {
                Some(value) if target.facts.sampling => self.json.member(name, value),
                _ => self.losses.dropped_if(value),
            }
        }
        self.unsaid(settings);
        self.reasoning_settings(settings, target);
        self.text(settings);
        self.json.optional("safety_identifier", settings.end_user);
        self.json.optional("metadata", settings.metadata);
        if let Some(key) = &settings.cache_key {
            let short = if key.len() > LONGEST_KEY { conforming(key) } else { key.clone() };
            self.json.inside_member("prompt_cache_key", &short);
        }
        self.json.optional("prompt_cache_options", settings.cache_options);
        if let Some((service, _)) = settings.service {
            self.json.text_member("service_tier", tier(service));
        }
        self.json.optional("top_logprobs", settings.top_logprobs);
        self.include(settings, target);
        self.json.member("store", b"false");
        if settings.stream {
            self.json.member("stream", b"true");
        }
    }

    /// What Responses has no word for.
    fn unsaid(&mut self, settings: &Settings<'a>) {
        self.losses.dropped_if(settings.top_k);
        settings.stop.iter().for_each(|stop| self.losses.dropped(stop));
        self.losses.dropped_if(settings.candidates.filter(|candidates| json::count(candidates) != Some(1)));
        self.losses.dropped_if(settings.seed);
        for penalty in [settings.presence_penalty, settings.frequency_penalty] {
            self.losses.dropped_if(penalty.filter(|penalty| json::count(penalty) != Some(0)));
        }
    }

    fn reasoning_settings(&mut self, settings: &Settings<'a>, target: &Target<'_>) {
        let reasoning = &settings.reasoning;
        let effort = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
        if target.facts.thinking == Thinking::Never {
            return self.losses.dropped_if(reasoning.raw.filter(|_| effort != Some(Effort::None)));
        }
        if let (None, Some(_), Some(raw)) = (reasoning.effort, reasoning.budget, reasoning.raw) {
            self.losses.approximated(raw);
        }
        let visible = reasoning.visible == Some(true);
        if effort.is_none() && !visible {
            return;
        }
        self.json.key("reasoning");
        self.json.open(b'{');
        if let Some(effort) = effort {
            let nearest = target.facts.efforts.nearest(effort);
            if let (Some(raw), true) = (reasoning.raw, nearest != effort) {
                self.losses.approximated(raw);
            }
            self.json.text_member("effort", nearest.name());
        }
        if visible {
            self.json.text_member("summary", "auto");
        }
        self.json.close(b'}');
    }

    fn text(&mut self, settings: &Settings<'a>) {
        if settings.verbosity.is_none() && settings.format.is_none() {
            return;
        }
        self.json.key("text");
        self.json.open(b'{');
        self.json.optional("verbosity", settings.verbosity);
        if let Some(format) = &settings.format {
            self.json.key("format");
            self.json.open(b'{');
            match format {
                Format::Text => self.json.text_member("type", "text"),
                Format::JsonObject(_) => self.json.text_member("type", "json_object"),
                Format::JsonSchema { name, description, schema, strict } => {
                    self.json.text_member("type", "json_schema");
                    self.json.inside_member("name", name.as_deref().unwrap_or(b"response"));
                    self.json.optional("description", *description);
                    self.json.member("schema", schema);
                    self.json.optional("strict", *strict);
                }
            }
            self.json.close(b'}');
        }
        self.json.close(b'}');
    }

    fn include(&mut self, settings: &Settings<'a>, target: &Target<'_>) {
        // A model that does not think answers 400 to the wish for its reasoning.
        let wanted = [
            (target.facts.thinking != Thinking::Never, "reasoning.encrypted_content"),
            (settings.logprobs.is_some(), "message.output_text.logprobs"),
        ];
        if wanted.iter().all(|(wanted, _)| !wanted) {
            return;
        }
        self.json.key("include");
        self.json.open(b'[');
        wanted.iter().filter(|(wanted, _)| *wanted).for_each(|(_, name)| self.json.text(name));
        self.json.close(b']');
    }
}

fn tier(service: Service) -> &'static str {
    match service {
        Service::Auto => "auto",
        Service::Standard => "default",
        Service::Flex => "flex",
        Service::Priority => "priority",
        Service::Fast => "fast",
    }
}
