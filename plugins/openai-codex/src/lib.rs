//! A ChatGPT plan, by the backend that the Codex CLI uses. It speaks Responses only, streams only, stores nothing and
//! refuses parameters that it does not know. The Codex CLI's own calls go up byte for byte; other clients' calls are
//! made to look like them. No server was at hand: whatever it could change is in `description.json` or a setting.

mod body;
mod explain;
mod limits;

use bitrouter_provider::{
    Answer, Call, Failure, Field, Json, Payload, Provider, Request, Step, Trouble, Window, export, quote,
};

/// The provider.
pub struct OpenAiCodex;

export!(OpenAiCodex);

/// Who is said to call where the client does not say so itself, and in which version: the newest CLI that was seen.
const ORIGINATOR: &str = "codex_cli_rs";
const VERSION: &str = "0.169.0";

impl Provider for OpenAiCodex {
    fn describe() -> String {
        include_str!("../description.json").into()
    }

    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        match (call.operation.as_str(), call.dialect.as_str(), body.document()) {
            // Only the Codex CLI asks for it, and a plain document answers.
            ("compact", "responses", Some(_)) => Ok(identified(call, Request::post("api", "/responses/compact")).pass()),
            ("generate", "responses", Some(document)) => {
                body::shape(call, document)?;
                let request = identified(call, Request::post("api", "/responses").framing("sse"));
                Ok(if call.streaming { request.pass() } else { request.fold() })
            }
            _ => Err(Failure::unsupported("openai-codex serves generate and compact, as JSON in the dialect responses")),
        }
    }

    fn explain(trouble: &Trouble, _memo: Vec<u8>) -> Failure {
        explain::explain(trouble)
    }

    fn interpret(side: &str, page: Answer) -> Result<String, Failure> {
        if !(200..300).contains(&page.status) {
            return Err(explain::explain(&Trouble::Answer(page)));
        }
        match side {
            "models" => models(page.json()),
            "usage" => limits::usage(page.json()),
            _ => Err(Failure::unsupported("openai-codex has two side requests, `models` and `usage`")),
        }
    }

    fn quota(headers: &[Field], event: Option<&str>) -> Vec<Window> {
        event.map_or_else(|| limits::of_headers(headers), |event| limits::of_event(Json::parse(event)))
    }
}

/// Adds the headers by which the backend tells its clients apart, as far as the client did not send its own. The CLI
/// leaves out `version` where it does not know that it talks to this backend; its `user-agent` says it still.
fn identified(call: &Call, request: Request) -> Request {
    let version = || call.setting("client_version").unwrap_or_else(|| VERSION.into());
    let Some(originator) = call.header("originator") else {
        let (originator, version) = (call.setting("originator").unwrap_or_else(|| ORIGINATOR.into()), version());
        let agent = [originator.as_str(), version.as_str()].join("/");
        return request.header("originator", originator).header("version", version).header("user-agent", agent);
    };
    if call.header("version").is_some() {
        return request;
    }
    let agent = call.header("user-agent").and_then(|agent| agent.strip_prefix(originator)?.strip_prefix('/'));
    let own = agent.and_then(|rest| rest.split(' ').next()).map(Into::into);
    request.header("version", own.unwrap_or_else(version))
}

/// The models of `GET /models` that are meant to be chosen: `{"models": [{"slug", "visibility", "context_window"…}…]}`.
/// The models' own prompts are in it too, so it has most of a megabyte: an answer that was cut off is no list.
fn models(page: Json<'_>) -> Result<String, Failure> {
    let Some(models) = page.get("models") else {
        return Err(Failure::new("other", "provider", "the list of models is cut off, or not in the form of Codex"));
    };
    let mut list = String::from("{\"models\":[");
    for model in models.items().filter(|model| !model.get("visibility").is_some_and(|shown| shown.is("hide"))) {
        let Some(slug) = model.get("slug").and_then(Json::text) else { continue };
        list.push_str(if list.ends_with('[') { "{\"id\":" } else { ",{\"id\":" });
        list.push_str(&quote(&slug));
        if let Some(tokens) = model.get("context_window").and_then(Json::integer) {
            list.push_str(",\"context_window\":");
            list.push_str(&tokens.to_string());
        }
        list.push('}');
    }
    list.push_str("]}");
    Ok(list)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::OpenAiCodex>(env!("CARGO_MANIFEST_DIR"));
    }
}
