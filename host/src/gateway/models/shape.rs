//! How models are listed: in the shape that whoever asks reads, OpenAI's, Anthropic's or Google's.
//!
//! `models` finds them; here they are only written. What is not known is left out.

use bitrouter_contract::description::{Facts, Price, TokenPrice};
use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{self, Effort, Thinking};
use serde_json::{Value, json};

use super::page::Page;

/// Picodollars in a dollar.
const PICODOLLARS: u64 = 1_000_000_000_000;

/// A model as any of the shapes is written from.
pub(super) struct Entry {
    /// The name that a request would use.
    pub id: String,
    /// Who would answer it.
    pub owner: String,
    /// What is known of it.
    pub facts: Facts,
    /// What Google's clients may do with it, in Google's words.
    pub methods: Vec<&'static str>,
}

/// A page of them.
pub(super) fn list(shape: Dialect, page: &Page<'_>) -> Value {
    let Page { entries, more } = page;
    let models: Vec<Value> = entries.iter().map(|entry| one(shape, entry)).collect();
    match shape {
        Dialect::GenerateContent => {
            let mut list = json!({ "models": models });
            if let Some(last) = entries.last().filter(|_| *more) {
                list["nextPageToken"] = json!(last.id);
            }
            list
        }
        Dialect::Messages => json!({
            "data": models,
            "has_more": more,
            "first_id": entries.first().map(|entry| &entry.id),
            "last_id": entries.last().map(|entry| &entry.id),
        }),
        Dialect::ChatCompletions | Dialect::Responses => json!({ "object": "list", "data": models }),
    }
}

/// One of them.
pub(super) fn one(shape: Dialect, entry: &Entry) -> Value {
    match shape {
        Dialect::GenerateContent => google(entry),
        Dialect::Messages => anthropic(entry),
        Dialect::ChatCompletions | Dialect::Responses => openai(entry),
    }
}

fn google(entry: &Entry) -> Value {
    let Entry { id, facts, methods, .. } = entry;
    let name = format!("models/{id}");
    let mut model = json!({ "name": name, "displayName": id, "supportedGenerationMethods": methods });
    set(&mut model, "inputTokenLimit", facts.max_input.or(facts.context_window));
    set(&mut model, "outputTokenLimit", facts.max_output);
    set(&mut model, "thinking", facts.reasoning);
    model
}

/// When a model came out is not known, and Anthropic says that by this very date.
fn anthropic(entry: &Entry) -> Value {
    let Entry { id, facts, .. } = entry;
    let mut model = json!({ "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z" });
    set(&mut model, "max_input_tokens", facts.max_input.or(facts.context_window));
    set(&mut model, "max_tokens", facts.max_output);
    set(&mut model, "capabilities", capabilities(id, facts));
    model
}

/// Anthropic's clients rely on each of its keys, so what is not known counts as not there, or all of it is left out.
fn capabilities(id: &str, facts: &Facts) -> Option<Value> {
    let reasoning = facts.reasoning?;
    if facts.input.is_empty() {
        return None;
    }
    let supported = |yes: bool| json!({ "supported": yes });
    let takes = |kind: &str| supported(facts.input.iter().any(|known| known == kind));
    let thinks = translate::Facts::of(Dialect::Messages, id);
    let efforts: Vec<Effort> = thinks.efforts.into();
    let effort = |effort: Effort| supported(reasoning && efforts.contains(&effort));
    let is_told_by = |thinking: Thinking| supported(reasoning && thinks.thinking == thinking);
    Some(json!({
        "batch": supported(false),
        "citations": supported(false),
        "code_execution": supported(false),
        "context_management": supported(false),
        "effort": {
            "supported": reasoning, "low": effort(Effort::Low), "medium": effort(Effort::Medium), "high": effort(Effort::High),
            "xhigh": effort(Effort::Xhigh), "max": effort(Effort::Max),
        },
        "image_input": takes("image"),
        "pdf_input": takes("pdf"),
        "server_tools": { "supported": false, "web_search": supported(false), "code_execution": supported(false) },
        "structured_outputs": supported(facts.structured_output.unwrap_or_default()),
        "thinking": {
            "supported": reasoning,
            "types": {
                "adaptive": is_told_by(Thinking::Effort), "enabled": is_told_by(Thinking::Budget),
                "disabled": supported(!reasoning || efforts.contains(&Effort::None)), "between_tools": supported(false),
            },
        },
    }))
}

/// What OpenAI's own list lacks is said as OpenRouter's does, and as vLLM's does for the window: what clients know to read.
fn openai(entry: &Entry) -> Value {
    let Entry { id, owner, facts, .. } = entry;
    let mut model = json!({ "id": id, "object": "model", "created": 0, "owned_by": owner });
    set(&mut model, "context_length", facts.context_window);
    set(&mut model, "max_model_len", facts.context_window);
    if !facts.input.is_empty() {
        model["architecture"] = json!({ "input_modalities": facts.input, "output_modalities": facts.output });
    }
    if facts.context_window.is_some() || facts.max_output.is_some() {
        model["top_provider"] =
            json!({ "context_length": facts.context_window, "max_completion_tokens": facts.max_output });
    }
    set(&mut model, "pricing", facts.price.as_ref().and_then(pricing));
    let takes = [
        (facts.tool_call, &["tools", "tool_choice"][..]),
        (facts.reasoning, &["reasoning"]),
        (facts.structured_output, &["structured_outputs", "response_format"]),
    ];
    let takes: Vec<_> =
        takes.into_iter().filter(|(known, _)| *known == Some(true)).flat_map(|(_, names)| names).collect();
    if !takes.is_empty() {
        model["supported_parameters"] = json!(takes);
    }
    model
}

/// OpenRouter's prices: US dollars for one token, as texts.
fn pricing(price: &Price) -> Option<Value> {
    let rates = &price.rates;
    let mut pricing = json!({ "prompt": a_token(rates.input?), "completion": a_token(rates.output.or(rates.input)?) });
    set(&mut pricing, "input_cache_read", rates.cache_read.map(a_token));
    set(&mut pricing, "input_cache_write", rates.cache_write.map(a_token));
    set(&mut pricing, "internal_reasoning", rates.reasoning.map(a_token));
    Some(pricing)
}

/// 1.25 dollars a million are `0.00000125` a token, which no float is made of on the way.
fn a_token(price: TokenPrice) -> String {
    let (dollars, picodollars) = (price.picodollars() / PICODOLLARS, price.picodollars() % PICODOLLARS);
    let text = format!("{dollars}.{picodollars:012}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn set(model: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        model[name] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, facts: Value) -> Entry {
        let facts = serde_json::from_value(facts).unwrap();
        Entry { id: id.into(), owner: "acme".into(), facts, methods: vec!["generateContent"] }
    }

    #[test]
    fn each_client_reads_the_list_in_its_own_shape() {
        let entries = [entry("a", json!({})), entry("acme:b", json!({ "context_window": 1000 }))];
        let list = |shape, entries, more| list(shape, &Page { entries, more });
        assert_eq!(
            list(Dialect::GenerateContent, &entries, false),
            json!({ "models": [
                { "name": "models/a", "displayName": "a", "supportedGenerationMethods": ["generateContent"] },
                {
                    "name": "models/acme:b", "displayName": "acme:b", "inputTokenLimit": 1000,
                    "supportedGenerationMethods": ["generateContent"],
                },
            ] })
        );
        let anthropic = list(Dialect::Messages, &entries, true);
        assert_eq!((&anthropic["first_id"], &anthropic["last_id"]), (&json!("a"), &json!("acme:b")));
        assert_eq!((&anthropic["has_more"], &anthropic["data"][1]["type"]), (&json!(true), &json!("model")));
        let openai = list(Dialect::ChatCompletions, &entries[..1], false);
        let model = json!({ "id": "a", "object": "model", "created": 0, "owned_by": "acme" });
        assert_eq!(openai, json!({ "object": "list", "data": [model] }));
        let nothing = list(Dialect::Messages, &[], false);
        assert_eq!(list(Dialect::GenerateContent, &entries, true)["nextPageToken"], "acme:b");
        assert_eq!((&nothing["first_id"], &nothing["data"]), (&Value::Null, &json!([])));
    }

    fn known() -> Entry {
        let facts = json!({
            "context_window": 400000, "max_input": 272000, "max_output": 128000, "input": ["text", "image"], "output": ["text"],
            "reasoning": true, "tool_call": true, "structured_output": false,
            "price": { "input": 1.25, "output": 10, "cache_read": 0.0028, "tiers": [{ "above": 200000, "input": 9 }] },
        });
        entry("m", facts)
    }

    #[test]
    fn what_is_known_of_a_model_stands_where_the_vendors_clients_look_for_it() {
        let google = one(Dialect::GenerateContent, &known());
        assert_eq!((&google["inputTokenLimit"], &google["outputTokenLimit"]), (&json!(272_000), &json!(128_000)));
        assert_eq!(google["thinking"], true);
        let anthropic = one(Dialect::Messages, &known());
        assert_eq!((&anthropic["max_input_tokens"], &anthropic["max_tokens"]), (&json!(272_000), &json!(128_000)));
        let capabilities = &anthropic["capabilities"];
        let supported = |name: &str| capabilities[name]["supported"].as_bool();
        assert_eq!(
            ["image_input", "pdf_input", "structured_outputs", "thinking"].map(supported),
            [Some(true), Some(false), Some(false), Some(true)]
        );
        assert_eq!(
            one(Dialect::Responses, &known()),
            json!({
                "id": "m", "object": "model", "created": 0, "owned_by": "acme", "context_length": 400000, "max_model_len": 400000,
                "architecture": { "input_modalities": ["text", "image"], "output_modalities": ["text"] },
                "top_provider": { "context_length": 400000, "max_completion_tokens": 128000 },
                "pricing": { "prompt": "0.00000125", "completion": "0.00001", "input_cache_read": "0.0000000028" },
                "supported_parameters": ["tools", "tool_choice", "reasoning"],
            })
        );
    }

    #[test]
    fn capabilities_have_every_key_or_are_not_there() {
        let nothing = one(Dialect::Messages, &entry("m", json!({ "reasoning": true })));
        assert_eq!(nothing.get("capabilities"), None);
        let known = one(Dialect::Messages, &known());
        let keys: Vec<&String> = known["capabilities"].as_object().unwrap().keys().collect();
        // Those of `ModelCapabilities` in Anthropic's packages of November 2026.
        let documented = [
            "batch",
            "citations",
            "code_execution",
            "context_management",
            "effort",
            "image_input",
            "pdf_input",
            "server_tools",
            "structured_outputs",
            "thinking",
        ];
        assert_eq!(keys, documented);
    }

    #[test]
    fn a_tokens_price_is_written_without_an_exponent_and_exactly() {
        for (million, token) in [("0", "0"), ("15", "0.000015"), ("0.003625", "0.000000003625"), ("1000000", "1")] {
            assert_eq!(a_token(million.parse().unwrap()), token);
        }
    }
}
