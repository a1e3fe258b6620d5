//! The golden files of a provider with an alien stream: what the test kit runs, and what it shows.

use bitrouter_provider::{
    Answer, Call, Event, Failure, Failures, Json, Model, Payload, Provider, Queries, Request, Requests, Rewriter, Step,
    Streams, Trouble, kind, models_json, quote, scope, segment,
};

struct Alien;

bitrouter_provider::export!(Alien: Requests, Failures, Queries, Streams);

impl Provider for Alien {
    fn describe() -> String {
        r#"{
            "id": "alien",
            "name": "Alien",
            "version": "0.1.0",
            "origins": { "api": "https://alien.example" },
            "serves": { "generate": ["chat-completions"], "embeddings": ["openai"] },
            "side_requests": { "models": { "kind": "models", "path": "/models" } }
        }"#
        .into()
    }
}

impl Requests for Alien {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let path = ["/engines/", &segment(&call.model)?, "/converse"].concat();
        Ok(Request::post("api", path).framing("sse").rewrite("sse"))
    }
}

impl Failures for Alien {
    fn explain(trouble: &Trouble, memo: Vec<u8>) -> Option<Failure> {
        let why = match trouble {
            Trouble::Answer(answer) => answer.json().get("why").and_then(Json::text).unwrap_or_default().into_owned(),
            Trouble::Event(event) => event.clone(),
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

impl Streams for Alien {
    fn rewriter(_call: Call, memo: Vec<u8>) -> Option<Box<dyn Rewriter>> {
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
            Ok(Event { name: None, data: ["{\"said\":", &text, ",\"memo\":", &quote(&self.memo), "}"].concat() })
        };
        words.map(word).collect()
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        Ok(vec![Event { name: Some("done".into()), data: "[DONE]".into() }])
    }
}

#[test]
fn streams_memos_and_pages_that_were_cut_off_come_out_as_their_golden_files_say() {
    bitrouter_provider::golden::check::<Alien>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
}
