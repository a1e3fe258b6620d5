//! Acme AI, whose API is like nobody else's: turns in the place of messages, a stream of its own events, errors and answers in
//! its own forms. The description says the rest.

use bitrouter_provider::{
    Answers, Call, Document, Edit, Event, Failure, Failures, Head, Json, Payload, Provider, Request, Requests,
    Rewriter, Step, Streams, Trouble, export, kind, quote, scope,
};

/// The provider.
pub struct Acme;

export!(Acme: Requests, Failures, Answers, Streams);

impl Provider for Acme {
    fn describe() -> String {
        r#"{
            "id": "acme",
            "name": "Acme AI",
            "version": "0.1.0",
            "vendor": "acme",
            "origins": { "api": "https://api.acme.example/v1" },
            "auth": [{
                "method": "api-key",
                "env": ["ACME_API_KEY"],
                "attach": [{ "header": "authorization", "format": "Bearer {}" }]
            }],
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "acme-large", "context_window": 200000 }],
            "limits": { "headers": ["x-acme-{value}-{window}"] },
            "side_requests": { "models": { "kind": "models", "path": "/engines", "list": "/engines", "id": "/name" } }
        }"#
        .into()
    }
}

impl Requests for Acme {
    /// A message is a turn: `who` says a `text`. The model is in the path, so it leaves the body.
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let document = body.document().ok_or_else(|| Failure::unsupported("Acme takes conversations in JSON"))?;
        let turn = [Edit::move_to("/role", "/who"), Edit::move_to("/content", "/text")];
        document.each("/messages/*").patch(&turn).map_err(Failure::invalid)?;
        let whole = [Edit::move_to("/messages", "/turns"), Edit::remove("/model")];
        document.patch(&whole).map_err(Failure::invalid)?;
        Ok(Request::post("api", "/engines/{model}/converse").framing(call.framing()).rewrite("sse"))
    }
}

impl Failures for Acme {
    /// `{"why": "…"}`; 420 is "slow down". What is not in this form is read by the rules that everybody's are.
    fn explain(trouble: &Trouble, _memo: Vec<u8>) -> Option<Failure> {
        let Trouble::Answer(answer) = trouble else { return None };
        let why = answer.json().get("why")?.text()?.into_owned();
        Some(match answer.status {
            420 => Failure::new(kind::RATE_LIMITED, scope::ACCOUNT, why),
            _ => Failure::new(kind::OTHER, scope::PROVIDER, why),
        })
    }
}

impl Answers for Acme {
    /// A whole answer, `{"reply": {"text"}, "used": {"in", "out"}}`, becomes a chat completion where it lies.
    fn shape(call: &Call, _memo: Vec<u8>, _head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        let text =
            body.text("/reply/text", 1 << 20)?.ok_or_else(|| Failure::new(kind::OTHER, scope::PROVIDER, "no reply"))?;
        let choice = [
            r#"[{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "#,
            &quote(&text),
            "}}]",
        ];
        body.patch(&[
            Edit::add("/object", quote("chat.completion")),
            Edit::add("/model", quote(&call.model)),
            Edit::add("/choices", choice.concat()),
            Edit::remove("/reply"),
            Edit::move_to("/used/in", "/used/prompt_tokens"),
            Edit::move_to("/used/out", "/used/completion_tokens"),
            Edit::move_to("/used", "/usage"),
        ])
        .map_err(Failure::unsupported)
    }
}

impl Streams for Acme {
    fn rewriter(call: Call, _memo: Vec<u8>, _head: Head) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(Chunks { model: quote(&call.model), is_over: false }))
    }
}

/// Makes chunks of a chat completion out of Acme's events.
struct Chunks {
    model: String,
    is_over: bool,
}

impl Chunks {
    fn chunk(&self, choices: &str, usage: &str) -> Event {
        let begin = r#"{"object": "chat.completion.chunk", "model": "#;
        Event::data([begin, &self.model, r#", "choices": "#, choices, usage, "}"].concat())
    }
}

impl Rewriter for Chunks {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        let mut chunks = Vec::new();
        for event in &events {
            let data = Json::parse(&event.data);
            match event.name.as_deref() {
                Some("token") => {
                    let text = quote(&data.get("text").and_then(Json::text).unwrap_or_default());
                    let choice = [r#"[{"index": 0, "delta": {"content": "#, &text, "}}]"].concat();
                    chunks.push(self.chunk(&choice, ""));
                }
                Some("done") => {
                    let count = |name: &str| data.get(name).and_then(Json::integer).unwrap_or_default().to_string();
                    let used = [
                        r#", "usage": {"prompt_tokens": "#,
                        &count("in"),
                        r#", "completion_tokens": "#,
                        &count("out"),
                        "}",
                    ];
                    chunks.push(self.chunk(r#"[{"index": 0, "delta": {}, "finish_reason": "stop"}]"#, &used.concat()));
                    chunks.push(Event::data("[DONE]"));
                    self.is_over = true;
                }
                Some("fault") => {
                    let why = data.get("why").and_then(Json::text).unwrap_or_default().into_owned();
                    return Err(Failure::new(kind::OVERLOADED, scope::MODEL, why));
                }
                // What a later version of the API adds.
                _ => {}
            }
        }
        Ok(chunks)
    }

    /// A stream that broke off is no whole answer.
    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        match self.is_over {
            true => Ok(Vec::new()),
            false => Err(Failure::new(kind::UNAVAILABLE, scope::PROVIDER, "the stream ended before Acme was done")),
        }
    }
}
