//! Stands for a provider whose API is like nobody else's: paths with the model in them, answers that are no chat, vectors or
//! image of any dialect, failures under status 200, speech that is a job, images that go up as a form, and models that it
//! knows without asking. The model's name chooses what it gets wrong.

use bitrouter_provider::{
    Answer, Answers, Call, Content, Document, Edit, Failure, Failures, Head, Json, Part, Payload, Provider, Reply,
    Request, Requests, Step, Trouble, export, kind, quote, scope,
};

/// The provider.
pub struct Shaping;

export!(Shaping: Requests, Answers, Failures);

impl Provider for Shaping {
    fn describe() -> String {
        r#"{
            "id": "shaping",
            "name": "Shaping",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": {
                "generate": ["chat-completions"],
                "embeddings": ["openai"],
                "moderations": ["openai"],
                "images/generations": ["openai"],
                "audio/speech": ["openai"]
            },
            "models": [{ "id": "shaping-1", "max_output": 4096 }],
            "exchanges": { "most": 4, "wait_ms": 100 },
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Shaping {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let shaped = |path| Request::post("api", path).rewrite("sse");
        Ok(match (call.operation.as_str(), call.model.as_str()) {
            ("generate", "no-such-hole") => shaped("/engines/{engine}/say"),
            ("generate", "refuses") => return Err(Failure::new(kind::OVERLOADED, scope::MODEL, "too late").status(529)),
            ("generate", _) => {
                let most = call.model_info().get("max_output").map(Json::raw).unwrap_or_default();
                Request::post("api", "/engines/{model}/say")
                    .header("x-provider", &*call.provider)
                    .header("x-attempt", call.attempt.to_string())
                    .header("x-max-output", most)
                    .rewrite("sse")
            }
            ("embeddings", _) => shaped("/engines/{model}/vectors"),
            ("images/generations", model) => {
                let image = Part::new("image", Content::Base64("/image".into())).file("in.png", "image/png");
                let prompt = Content::Value(if model == "no-such-value" { "/none" } else { "/prompt" }.into());
                let parts = vec![Part::new("prompt", prompt), image];
                Request::post("api", "/draw").multipart(parts).rewrite("sse")
            }
            ("moderations", "bad-reply") => Reply::json("{").step(),
            ("moderations", _) => Reply::json(r#"{"id":"none","results":[{"flagged":false}]}"#).step(),
            ("audio/speech", model) => {
                let wait = if model == "impatient" { 101 } else { 0 };
                Request::post("api", "/jobs").ask_after(wait, Vec::new())
            }
            _ => return Err(Failure::unsupported("shaping does not serve this operation")),
        })
    }

    /// The first answer names the job; each that follows says whether it is done.
    fn resume(_call: &Call, _body: &Payload<'_>, memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        let answer = answer.json();
        let job = match answer.get("job").and_then(Json::text) {
            Some(job) => job.into_owned(),
            None => String::from_utf8_lossy(&memo).into_owned(),
        };
        let done = answer.get("done").is_some_and(Json::is_true);
        let path = if done { "/jobs/{job}/sound" } else { "/jobs/{job}" };
        let request = Request::get("api", path).value("job", &*job);
        Ok(if done { request.framing("raw").pass() } else { request.ask_after(20, job.into_bytes()) })
    }
}

impl Failures for Shaping {
    /// Its statuses are its own, and so is where it says why.
    fn explain(trouble: &Trouble, _memo: Vec<u8>) -> Option<Failure> {
        let Trouble::Answer(answer) = trouble else { return None };
        let json = answer.json();
        let why = json.get("fault").and_then(Json::text)?;
        Some(match answer.status {
            460 => Failure::new(kind::RATE_LIMITED, scope::ACCOUNT, why).retry_after_ms(3_000),
            461 => Failure::new(kind::UNAUTHORIZED, scope::ACCOUNT, why),
            462 => Failure::new(kind::INVALID_REQUEST, scope::REQUEST, why),
            _ => Failure::new(kind::OVERLOADED, scope::MODEL, why).status(529),
        })
    }
}

impl Answers for Shaping {
    fn shape(call: &Call, _memo: Vec<u8>, head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        if let Some(why) = body.text("/fault", 1 << 10)? {
            let full = head.header("x-fault") == Some("full");
            let kind = if full { kind::OVERLOADED } else { kind::INVALID_REQUEST };
            let scope = if full { scope::MODEL } else { scope::REQUEST };
            return Err(Failure::new(kind, scope, why).code("fault"));
        }
        let model = quote(&call.model);
        let edits = match call.operation.as_str() {
            "generate" => vec![
                Edit::add("/choices", r#"[{"index":0,"message":{"role":"assistant"},"finish_reason":"stop"}]"#),
                Edit::move_to("/said", "/choices/0/message/content"),
                Edit::add("/object", "\"chat.completion\""),
                Edit::add("/usage", r#"{"completion_tokens":2}"#),
                Edit::move_to("/heard", "/usage/prompt_tokens"),
                Edit::add("/id", "\"said-1\""),
                Edit::add("/model", model),
            ],
            "embeddings" => {
                body.each("/vectors/*")
                    .patch(&[Edit::move_to("/values", "/embedding"), Edit::add("/object", "\"embedding\"")])
                    .map_err(Failure::unsupported)?;
                vec![Edit::move_to("/vectors", "/data"), Edit::add("/object", "\"list\""), Edit::add("/model", model)]
            }
            _ => vec![Edit::add("/data", "[{}]"), Edit::move_to("/png", "/data/0/b64_json")],
        };
        body.patch(&edits).map_err(Failure::unsupported)
    }
}
