//! Ollama by its own API, `/api/chat`: the one in which a request says how much context the model is loaded with. It serves Chat
//! Completions, which says the same with other words. Whoever wants Ollama as it is uses the entry `ollama`.

mod body;
mod stream;
mod whole;

use bitrouter_provider::{
    Answers, Call, Document, Failure, Head, Payload, Provider, Request, Requests, Rewriter, Step, Streams, export,
};

/// The provider.
pub struct Ollama;

export!(Ollama: Requests, Answers, Streams);

impl Provider for Ollama {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

impl Requests for Ollama {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let Some(document) = body.document().filter(|_| call.operation == "generate") else {
            return Ok(Step::Described);
        };
        let shaped = body::shape(call, document)?;
        let framing = if call.streaming { "ndjson" } else { "json" };
        // Of the usage, a stream's client wants a chunk of its own, or nothing.
        let memo = if shaped.wants_usage { b"usage".to_vec() } else { Vec::new() };
        Ok(Request::post("api", "/api/chat").framing(framing).memo(memo).dropped(shaped.dropped).rewrite("sse"))
    }
}

impl Answers for Ollama {
    fn shape(_call: &Call, _memo: Vec<u8>, _head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        whole::shape(body)
    }
}

impl Streams for Ollama {
    fn rewriter(_call: Call, memo: Vec<u8>, _head: Head) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(stream::Chat::new(!memo.is_empty())))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::Ollama>(env!("CARGO_MANIFEST_DIR"));
    }
}
