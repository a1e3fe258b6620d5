//! A ChatGPT plan, by the backend that the Codex CLI uses. It speaks Responses only, streams only, stores nothing and
//! refuses parameters that it does not know. The CLI's own calls go up byte for byte, other clients' in the same form.
//! No server was at hand: what one could change is in `description.json`, `members.json` or a setting.

mod body;
mod limits;

use bitrouter_provider::{
    Answer, Call, Failure, Field, Json, Limits, Payload, Provider, Queries, Request, Requests, Step, Window, export,
};

/// The provider.
pub struct OpenAiCodex;

export!(OpenAiCodex: Requests, Queries, Limits);

impl Provider for OpenAiCodex {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

impl Requests for OpenAiCodex {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        match (call.operation.as_str(), call.dialect.as_str(), body.document()) {
            // Only the CLI asks for this one, in its own form.
            ("compact", "responses", Some(_)) => {
                Ok(identified(call, Request::post("api", "/responses/compact")).pass())
            }
            ("generate", "responses", Some(document)) => {
                let dropped = body::shape(call, document)?;
                let request = identified(call, Request::post("api", "/responses").framing("sse").dropped(dropped));
                // The backend knows streams only; the host folds what was not asked for as one.
                Ok(request.pass())
            }
            ("models", "responses", None) => {
                let version = call.parameter("client_version").map_or_else(|| version_of(call), Into::into);
                Ok(identified(call, Request::get("api", "/models").query("client_version", version)).pass())
            }
            _ => Err(Failure::unsupported("openai-codex serves generate, compact and models in the dialect responses")),
        }
    }
}

impl Queries for OpenAiCodex {
    /// The usage of a plan; the list of models is read as described.
    fn interpret(side: &str, page: Answer) -> Result<Option<String>, Failure> {
        match side {
            "usage" if (200..300).contains(&page.status) => limits::usage(page.json()).map(Some),
            _ => Ok(None),
        }
    }
}

impl Limits for OpenAiCodex {
    /// What an event says; headers are read as described.
    fn quota(_headers: &[Field], event: Option<&str>) -> Option<Vec<Window>> {
        event.map(|event| limits::of_event(Json::parse(event)))
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::OpenAiCodex>(env!("CARGO_MANIFEST_DIR"));
    }
}
