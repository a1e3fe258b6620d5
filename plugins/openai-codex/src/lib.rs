//! A ChatGPT plan, by the backend that the Codex CLI uses. It speaks Responses only, streams only, stores nothing and
//! refuses parameters that it does not know. The CLI's own calls go up byte for byte, other clients' in the same form.
//! No server was at hand: what one could change is in `description.json`, `members.json` or a setting.

mod body;
mod explain;
mod limits;

use bitrouter_provider::{
    Answer, Call, Failure, Field, Json, Model, Payload, Provider, Request, Step, Trouble, Window, export, models_json,
};

/// The provider.
pub struct OpenAiCodex;

export!(OpenAiCodex);

impl Provider for OpenAiCodex {
    fn describe() -> String {
        include_str!("../description.json").into()
    }

    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        match (call.operation.as_str(), call.dialect.as_str(), body.document()) {
            // Only the CLI asks for this one, in its own form.
            ("compact", "responses", Some(_)) => {
                Ok(identified(call, Request::post("api", "/responses/compact")).pass())
            }
            ("generate", "responses", Some(document)) => {
                let dropped = body::shape(call, document)?;
                let request = identified(call, Request::post("api", "/responses").framing("sse").dropped(dropped));
                Ok(if call.streaming { request.pass() } else { request.fold() })
            }
            ("models", "responses", None) => {
                let version = call.parameter("client_version").map_or_else(|| version_of(call), Into::into);
                Ok(identified(call, Request::get("api", "/models").query("client_version", version)).pass())
            }
            _ => Err(Failure::unsupported("openai-codex serves generate, compact and models in the dialect responses")),
        }
    }

    fn explain(trouble: &Trouble, _memo: Vec<u8>) -> Failure {
        explain::explain(trouble)
    }

    fn interpret(side: &str, page: Answer) -> Result<String, Failure> {
        match side {
            _ if !(200..300).contains(&page.status) => Err(explain::explain(&Trouble::Answer(page))),
            "models" => models(page.json()),
            "usage" => limits::usage(page.json()),
            _ => Err(Failure::unsupported("openai-codex has two side requests, `models` and `usage`")),
        }
    }

    fn quota(headers: &[Field], event: Option<&str>) -> Vec<Window> {
        event.map_or_else(|| limits::of_headers(headers), |event| limits::of_event(Json::parse(event)))
    }
}

/// Adds the headers by which the backend tells its clients apart, for a client that does not say itself what it is.
fn identified(call: &Call, request: Request) -> Request {
    if call.header("originator").is_some() {
        return request;
    }
    let originator = call.setting("originator").unwrap_or_else(|| "codex_cli_rs".into());
    let version = version_of(call);
    let agent = [originator.as_str(), &version].join("/");
    request.header("originator", originator).header("version", version).header("user-agent", agent)
}

fn version_of(call: &Call) -> String {
    call.setting("client_version").unwrap_or_else(|| "0.169.0".into())
}

/// The models of `{"models": [{"slug", "visibility", "context_window"…}…]}` that are meant to be chosen. The page has
/// most of a megabyte, as each model's prompt is in it; one that was cut off holds no list.
fn models(page: Json<'_>) -> Result<String, Failure> {
    let Some(models) = page.get("models") else {
        return Err(Failure::new("other", "provider", "the list of models is cut off, or not in the form of Codex"));
    };
    let shown = models.items().filter(|model| !model.get("visibility").is_some_and(|shown| shown.is("hide")));
    Ok(models_json(shown.filter_map(|model| {
        let window = model.get("context_window").and_then(Json::integer);
        Some(Model::named(model.get("slug")?.text()?).context_window(window))
    })))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::OpenAiCodex>(env!("CARGO_MANIFEST_DIR"));
    }
}
