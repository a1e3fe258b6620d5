//! A provider of an API that is like nobody else's: what the golden files' kits run, natively and as a component.

use bitrouter_provider::{
    Answer, Answers, Call, Document, Edit, Event, Failure, Failures, Head, Json, Model, Payload, Provider, Queries,
    Reply, Request, Requests, Rewriter, Step, Streams, Trouble, kind, models_json, quote, scope,
};

/// The provider.
pub(crate) struct Alien;

bitrouter_provider::export!(Alien: Requests, Failures, Queries, Answers, Streams);

impl Provider for Alien {
    fn describe() -> String {
        r#"{
            "id": "alien",
            "name": "Alien",
            "version": "0.1.0",
            "origins": { "api": "https://alien.example" },
            "serves": { "generate": ["chat-completions"], "embeddings": ["openai"], "count-tokens": ["messages"] },
            "side_requests": { "models": { "kind": "models", "path": "/models" } }
        }"#
        .into()
    }
}

impl Requests for Alien {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        if call.operation != "count-tokens" {
            return Ok(Request::post("api", "/engines/{model}/converse").framing(call.framing()).rewrite("sse"));
        }
        Ok(match call.model_info().get("max_output").and_then(Json::integer) {
            Some(most) => Reply::json(["{\"at_most\":", &most.to_string(), "}"].concat()).step(),
            None => Request::get("api", "/jobs/{job}").value("job", "a/b").ask_after(500, vec![b'1']),
        })
    }

    fn resume(_call: &Call, _body: &Payload<'_>, _memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        Ok(Reply::json(answer.body).step())
    }
}

impl Failures for Alien {
    fn explain(trouble: &Trouble, memo: Vec<u8>) -> Option<Failure> {
        let why = match trouble {
            Trouble::Answer(answer) => answer.json().get("why").and_then(Json::text).unwrap_or_default().into_owned(),
            Trouble::Event(event) => [event.name.as_deref().unwrap_or("?"), ": ", &event.data].concat(),
        };
        Some(Failure::new(kind::OVERLOADED, scope::MODEL, format!("{} is {why}", String::from_utf8_lossy(&memo))))
    }
}

impl Queries for Alien {
    fn interpret(_side: &str, page: Answer) -> Result<Option<String>, Failure> {
        if page.truncated {
            return Err(Failure::new(kind::OTHER, scope::PROVIDER, "the list of models is cut off"));
        }
        let models = page.json().get("models").into_iter().flat_map(Json::items);
        Ok(Some(models_json(models.filter_map(|model| {
            let is_vector = model.get("kind")?.is("vector");
            let operations: &[&str] = if is_vector { &["embeddings"] } else { &["generate"] };
            Some(Model::named(model.get("id")?.text()?).operations(operations))
        }))))
    }
}

impl Answers for Alien {
    fn shape(_call: &Call, _memo: Vec<u8>, head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        if let Some(why) = body.text("/fault", 1 << 10)? {
            return Err(Failure::new(kind::OVERLOADED, scope::MODEL, why).status(529));
        }
        let region = quote(head.header("x-region").unwrap_or_default());
        body.patch(&[Edit::move_to("/output/words", "/said"), Edit::remove("/output"), Edit::add("/region", region)])
            .map_err(Failure::unsupported)
    }
}

impl Streams for Alien {
    fn rewriter(_call: Call, memo: Vec<u8>, _head: Head) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(Words { memo: String::from_utf8(memo).ok()? }))
    }
}

struct Words {
    memo: String,
}

impl Rewriter for Words {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        let words = events.iter().filter(|event| event.name.as_deref() != Some("ping"));
        let word = |event: &Event| {
            let text = Json::parse(&event.data).get("text").and_then(Json::text).map(|text| quote(&text));
            let text = text.ok_or_else(|| Failure::new(kind::OTHER, scope::PROVIDER, "an event without text"))?;
            Ok(Event::data(["{\"said\":", &text, ",\"memo\":", &quote(&self.memo), "}"].concat()))
        };
        words.map(word).collect()
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        Ok(vec![Event::data("[DONE]").named("done")])
    }
}
