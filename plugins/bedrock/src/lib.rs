//! Amazon Bedrock. Models that AWS serves by OpenAI's and Anthropic's own paths go there as they come; all others by Converse,
//! which every chat model and every inference profile has. Converse is closest to Messages (blocks, signed thinking, cache
//! points), so that is what is served of them. Errors, limits and lists are what `description.json` says.

mod body;
mod stream;
mod whole;

use bitrouter_provider::{
    Answers, Call, Document, Failure, Head, Payload, Provider, Request, Requests, Rewriter, Step, Streams, export,
};

/// The provider.
pub struct Bedrock;

export!(Bedrock: Requests, Answers, Streams);

impl Provider for Bedrock {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

impl Requests for Bedrock {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let Some(document) = body.document().filter(|_| is_converse(call)) else { return Ok(Step::Described) };
        let dropped = body::shape(call, document)?;
        let request = match call.streaming {
            true => Request::post("api", "/model/{model}/converse-stream").framing("aws-event-stream"),
            false => Request::post("api", "/model/{model}/converse").framing("json"),
        };
        Ok(request.dropped(dropped).rewrite("sse"))
    }
}

impl Answers for Bedrock {
    fn shape(call: &Call, _memo: Vec<u8>, head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        whole::shape(call, &message_id(head), body)
    }
}

impl Streams for Bedrock {
    fn rewriter(call: Call, _memo: Vec<u8>, head: Head) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(stream::Converse::new(&call.model, &message_id(&head))))
    }
}

/// Whether this call goes by Converse. Claude by a name without a version is served by Anthropic's own path, of which the
/// description says where it is.
fn is_converse(call: &Call) -> bool {
    let has_a_path = call.model.starts_with("anthropic.claude-") && !call.model.contains(':');
    call.operation == "generate" && call.dialect == "messages" && !has_a_path
}

/// What the answer is called: the request's id, as Converse gives answers none.
fn message_id(head: &Head) -> String {
    ["msg_", head.header("x-amzn-requestid").unwrap_or("bedrock")].concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::Bedrock>(env!("CARGO_MANIFEST_DIR"));
    }
}
