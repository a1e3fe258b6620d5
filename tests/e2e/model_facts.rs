//! What is known of models: where clients and commands see it, who is believed, and that nothing is refused for it.

use bitrouter_tests::{Gateway, Reply, Setup, Upstream};
use serde_json::{Value, json};

/// A provider by its description alone, with models that say much, a little, and nothing.
fn acme() -> String {
    let description = json!({
        "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "http://127.0.0.1:9/v1" }, "vendor": "openai",
        "serves": { "generate": ["chat-completions"] },
        "models": [
            {
                "id": "acme-large", "context_window": 1000, "max_output": 100, "input": ["text", "image"], "output": ["text"],
                "reasoning": true, "tool_call": true, "structured_output": true,
                "price": { "input": 1.25, "output": "10", "tiers": [{ "above": 200, "input": 2.5 }] },
            },
            { "id": "gpt-5", "context_window": 5000 },
            { "id": "acme-new" },
        ],
    });
    description.to_string()
}

fn acme_at(upstream: &Upstream) -> Setup {
    let setup = Gateway::start().with_plugin_file("acme.json", acme().as_bytes()).with_origin("acme", upstream);
    setup.command(&["plugin", "trust", "acme", "--yes"]).ok();
    setup
}

/// The entry of a model in the list that a client gets with these headers.
fn listed(gateway: &Gateway, path: &str, header: (&str, &str), id: &str) -> Value {
    let list = gateway.get(path).header(header.0, header.1).send().status(200).json();
    let models = list.get("data").or(list.get("models")).unwrap().as_array().unwrap().clone();
    let is_it = |model: &Value| model["id"] == id || model["name"] == format!("models/{id}");
    models.into_iter().find(is_it).unwrap_or_else(|| panic!("no {id} in {list}"))
}

const NOBODY: (&str, &str) = ("x-nobody", "1");
const ANTHROPIC: (&str, &str) = ("anthropic-version", "2023-06-01");

#[test]
fn each_client_is_told_what_its_list_has_a_place_for() {
    let names = json!({ "mine": ["acme:acme-large", "acme:acme-new"] });
    let gateway = acme_at(&Upstream::start()).with("/models", names).run();
    let openai = listed(&gateway, "/v1/models", NOBODY, "acme-large");
    assert_eq!((&openai["context_length"], &openai["max_model_len"]), (&json!(1000), &json!(1000)));
    assert_eq!(openai["pricing"], json!({ "prompt": "0.00000125", "completion": "0.00001" }));
    assert_eq!(openai["architecture"]["input_modalities"], json!(["text", "image"]));
    assert_eq!(openai["top_provider"]["max_completion_tokens"], 100);
    let anthropic = listed(&gateway, "/v1/models", ANTHROPIC, "acme-large");
    assert_eq!((&anthropic["max_input_tokens"], &anthropic["max_tokens"]), (&json!(1000), &json!(100)));
    assert_eq!(anthropic["capabilities"]["image_input"]["supported"], true);
    let google = listed(&gateway, "/v1beta/models", NOBODY, "acme-large");
    assert_eq!((&google["inputTokenLimit"], &google["outputTokenLimit"]), (&json!(1000), &json!(100)));
    // One model is told of as in the list.
    assert_eq!(gateway.get("/v1/models/acme-large").send().status(200).json(), openai);
    // One of the user's own names is what it stands for first.
    let own = listed(&gateway, "/v1/models", NOBODY, "mine");
    assert_eq!((&own["owned_by"], &own["context_length"]), (&json!("bitrouter"), &json!(1000)));
    // Of what nobody knows, nothing is said.
    let unknown = listed(&gateway, "/v1/models", NOBODY, "acme-new");
    assert_eq!(unknown, json!({ "id": "acme-new", "object": "model", "created": 0, "owned_by": "acme" }));
    let unknown = listed(&gateway, "/v1/models", ANTHROPIC, "acme-new");
    assert_eq!(unknown.as_object().unwrap().len(), 4, "{unknown}");
}

#[test]
fn a_description_is_believed_before_the_data_and_the_data_fills_in() {
    let setup = acme_at(&Upstream::start());
    let models = setup.command(&["models", "acme:gpt-5", "--json"]).ok().json();
    let model = &models[0];
    assert_eq!(
        (&model["context_window"], &model["sources"]["context_window"]["from"]),
        (&json!(5000), &json!("description"))
    );
    assert_eq!((&model["reasoning"], &model["sources"]["reasoning"]["from"]), (&json!(true), &json!("vendored")));
    // A limit beyond the window is another offer's, and a price is the one who sells's.
    assert_eq!((&model["max_output"], &model["price"]), (&Value::Null, &Value::Null));
    let one = setup.command(&["models", "acme:acme-large"]).ok();
    one.says("1M tokens").says("input $1.25, output $10").says("above 200").says("its component");
}

#[test]
fn a_vendors_model_has_the_price_of_the_data_and_its_source() {
    let setup = Gateway::start().with_openai_at(&Upstream::start());
    let models = setup.command(&["models", "openai:gpt-5-2099-12-31", "--json"]).ok().json();
    let model = &models[0];
    assert!(model["price"]["input"].as_f64().unwrap() > 0.0, "{model}");
    let source = &model["sources"]["price"];
    assert!(source["name"].is_string() && source["package"].is_string() && source["date"].is_string(), "{source}");
    let table = setup.command(&["models"]).ok();
    table.says("CONTEXT").says("OUTPUT").says("TAKES").says("$/1M IN OUT");
    setup.command(&["models", "no-such-model"]).fails().says("no active provider lists the model `no-such-model`");
}

#[test]
fn a_model_without_facts_and_a_request_beyond_them_are_passed_on() {
    let upstream = Upstream::start();
    upstream.follows(|_| Reply::json(&json!({})));
    let gateway = acme_at(&upstream).run();
    // More than the window and the answer that the data has, from a model that calls no tools, and to one that is in no data.
    let long = "word ".repeat(2000);
    for model in ["acme-large", "acme-new", "acme:of-no-list"] {
        let body = json!({
            "model": model, "messages": [{ "role": "user", "content": long }], "max_tokens": 1_000_000,
            "tools": [{ "type": "function", "function": { "name": "f" } }],
        });
        gateway.chat(&body).status(200);
        let seen = upstream.last().json();
        assert_eq!((&seen["max_tokens"], &seen["messages"]), (&body["max_tokens"], &body["messages"]), "{model}");
    }
}
