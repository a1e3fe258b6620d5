//! The OpenAI API: Chat Completions and Responses, and the endpoints around them, all passed through as they come. What
//! is served, where it goes and how it is paid for is in `description.json`; this file only knows the paths.

use bitrouter_provider::{
    Answer, Call, Failure, Json, Model, Payload, Provider, Request, Step, Trouble, explain, export, models_json,
};

/// The provider.
pub struct OpenAi;

export!(OpenAi);

/// Settings that go up as a header each.
const HEADERS: [(&str, &str); 2] = [("organization", "openai-organization"), ("project", "openai-project")];

impl Provider for OpenAi {
    fn describe() -> String {
        include_str!("../description.json").into()
    }

    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let mut request = Request::post("api", path(call)?).framing(framing(call));
        if !call.has_no_settings() {
            for (setting, header) in HEADERS {
                if let Some(value) = call.setting(setting) {
                    request = request.header(header, value);
                }
            }
        }
        Ok(request.pass())
    }

    fn interpret(side: &str, page: Answer) -> Result<String, Failure> {
        match side {
            _ if !(200..300).contains(&page.status) => Err(explain(&Trouble::Answer(page))),
            "models" => models(page.json()),
            _ => Err(Failure::unsupported("openai has one side request, `models`")),
        }
    }
}

/// Where an operation lives below the origin.
fn path(call: &Call) -> Result<&'static str, Failure> {
    Ok(match (call.operation.as_str(), call.dialect.as_str()) {
        ("generate", "chat-completions") => "/chat/completions",
        ("generate", "responses") => "/responses",
        ("compact", "responses") => "/responses/compact",
        ("count-tokens", "responses") => "/responses/input_tokens",
        ("embeddings", _) => "/embeddings",
        ("completions", _) => "/completions",
        ("moderations", _) => "/moderations",
        ("images/generations", _) => "/images/generations",
        ("images/edits", _) => "/images/edits",
        ("images/variations", _) => "/images/variations",
        ("audio/speech", _) => "/audio/speech",
        ("audio/transcriptions", _) => "/audio/transcriptions",
        ("audio/translations", _) => "/audio/translations",
        _ => {
            return Err(Failure::unsupported("openai does not serve this operation in this dialect"));
        }
    })
}

/// Speech is bytes unless it is streamed as events, and a transcript is a text in whatever form the client asked for.
fn framing(call: &Call) -> &'static str {
    match call.operation.as_str() {
        _ if call.streaming => "sse",
        "audio/speech" | "audio/transcriptions" | "audio/translations" => "raw",
        _ => "json",
    }
}

/// The models of `GET /models`, whose answer is `{"data": [{"id": …}, …]}`.
fn models(page: Json<'_>) -> Result<String, Failure> {
    let Some(data) = page.get("data") else {
        return Err(Failure::new("other", "provider", "the list of models is not in the form that openai documents"));
    };
    Ok(models_json(data.items().filter_map(|model| Some(Model::named(model.get("id")?.text()?)))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::OpenAi>(env!("CARGO_MANIFEST_DIR"));
    }
}
