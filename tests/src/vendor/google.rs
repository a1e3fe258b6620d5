//! generateContent as the Gemini API has it: what it refuses, and a turn as a document, as a stream of events, or as the
//! list in pieces that a client gets who did not ask for events.

use serde_json::{Value, json};

use super::{Refusal, Script, Speaks, VENDOR_KEY, object};
use crate::reply::Reply;
use crate::spoken::{CACHED, End, Fault, INPUT, OUTPUT, Part, Spoken, THOUGHTS, pieces};
use crate::wire::Seen;

/// The members of a request. The model is in the path, and none of them.
const MEMBERS: [&str; 9] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "serviceTier",
    "labels",
];

/// What a client may say in the place of a signature that it never had.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The Gemini API.
#[derive(Default)]
pub struct GenerateContent {
    /// The signatures that were given out, each with the name of the call that it stood at.
    signed: Vec<(String, String)>,
}

impl Speaks for GenerateContent {
    const PROVIDER: &'static str = "google";
    const KEY: &'static str = "GEMINI_API_KEY";
    const PREFIX: &'static str = "/v1beta";
    const DIALECT: &'static str = "generate-content";
    const MODEL: &'static str = "gemini-3.1-pro-preview";

    fn states(body: &Value) -> Vec<String> {
        let contents = body["contents"].as_array().into_iter().flatten();
        let parts = contents.flat_map(|content| content["parts"].as_array().into_iter().flatten());
        parts.filter_map(|part| signature(part).map(str::to_owned)).collect()
    }

    fn answer(&mut self, seen: &Seen, script: &mut Script) -> Result<Reply, Refusal> {
        authorize(seen)?;
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let named = path.strip_prefix("/v1beta/models/").and_then(|rest| rest.rsplit_once(':'));
        match (seen.method.as_str(), path, named) {
            ("GET", "/v1beta/models", _) => Ok(models()),
            ("POST", _, Some((model, method))) if !model.contains('/') => match method {
                "generateContent" => self.generate(seen, model, script, Form::Whole),
                "streamGenerateContent" if query.split('&').any(|pair| pair == "alt=sse") => {
                    self.generate(seen, model, script, Form::Events)
                }
                "streamGenerateContent" => self.generate(seen, model, script, Form::List),
                "countTokens" => {
                    object(seen, &["contents", "generateContentRequest"]).map_err(|name| unknown(&name))?;
                    Ok(Reply::json(&json!({ "totalTokens": INPUT })))
                }
                "embedContent" => {
                    let known = ["model", "content", "taskType", "title", "outputDimensionality"];
                    object(seen, &known).map_err(|name| unknown(&name))?;
                    Ok(Reply::json(&json!({ "embedding": { "values": [0.25, -0.5] } })))
                }
                _ => Err(not_found(path)),
            },
            _ => Err(not_found(path)),
        }
    }
}

/// How an answer is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Events,
    List,
}

impl GenerateContent {
    fn generate(&mut self, seen: &Seen, model: &str, script: &mut Script, form: Form) -> Result<Reply, Refusal> {
        let body = object(seen, &MEMBERS).map_err(|name| unknown(&name))?;
        let contents = body["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
        if contents.is_empty() {
            return Err(invalid("* GenerateContentRequest.contents: contents is not specified"));
        }
        tools(&body)?;
        self.history(contents, model.starts_with("gemini-3"))?;
        let Some((number, turn)) = script.next() else { return Err(invalid("the test's script has no turn for this")) };
        if let Some(fault) = turn.fault_alone(form != Form::Whole) {
            let Refusal { status, body } = refusal(fault);
            // Whoever asked for a list gets its failures in one.
            let body = if form == Form::List { json!([body]) } else { body };
            return Ok(Reply::json(&body).status(status));
        }
        let parts = parts(&turn, number);
        for part in &parts {
            if let (Some(name), Some(signature)) = (part["functionCall"]["name"].as_str(), signature(part)) {
                self.signed.push((signature.to_owned(), name.to_owned()));
            }
        }
        Ok(match form {
            Form::Whole => Reply::json(&chunk(&whole(&parts), finish_reason(&turn), number, model)),
            Form::Events | Form::List => stream(&turn, &parts, number, model, form),
        })
    }

    /// What the model's turns hold when they come back, and that their calls are answered. Where calls are signed, those of the
    /// turn that goes on must be.
    fn history(&self, contents: &[Value], signs: bool) -> Result<(), Refusal> {
        let said_by_the_user = |content: &Value| {
            let parts = content["parts"].as_array().into_iter().flatten();
            content["role"] != "model" && parts.clone().all(|part| !part["functionResponse"].is_object())
        };
        let current = contents.iter().rposition(said_by_the_user).unwrap_or_default();
        let mut open = 0;
        for (at, content) in contents.iter().enumerate() {
            let parts = content["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
            if parts.is_empty() {
                return Err(invalid("* GenerateContentRequest.contents: contents.parts must not be empty."));
            }
            let count = |member: &str| parts.iter().filter(|part| part[member].is_object()).count();
            if open != count("functionResponse") {
                return Err(invalid(
                    "Please ensure that the number of function response parts is equal to the number of function call \
                     parts of the function call turn.",
                ));
            }
            match content["role"].as_str() {
                Some("model") => {
                    self.signatures(parts, signs && at > current)?;
                    open = count("functionCall");
                    if open > 0 && (at == 0 || contents[at - 1]["role"] == "model") {
                        return Err(invalid(
                            "Please ensure that function call turn comes immediately after a user turn or after a \
                             function response turn.",
                        ));
                    }
                }
                Some("user" | "function") | None => open = 0,
                Some(_) => return Err(invalid("Please use a valid role: user, model.")),
            }
        }
        Ok(())
    }

    /// The first call of a turn must bring back the signature that it came with, or say that it has none.
    fn signatures(&self, parts: &[Value], demanded: bool) -> Result<(), Refusal> {
        let Some(call) = parts.iter().find(|part| part["functionCall"].is_object()) else { return Ok(()) };
        let name = call["functionCall"]["name"].as_str().unwrap_or_default();
        match signature(call) {
            Some(NO_SIGNATURE) => Ok(()),
            Some(said) if self.signed.iter().any(|(known, of)| known == said && of == name) => Ok(()),
            Some(_) => Err(invalid("Thought signature is not valid.")),
            None if demanded || self.signed.iter().any(|(_, of)| of == name) => {
                let problem = "is missing a thought_signature in functionCall parts";
                Err(invalid(&format!(
                    "Function call `{name}` {problem}. This is required for tools to work correctly."
                )))
            }
            None => Ok(()),
        }
    }
}

/// Names of functions, and schemas in the words that are known where they are not whole JSON Schemas.
fn tools(body: &Value) -> Result<(), Refusal> {
    let tools = body["tools"].as_array().into_iter().flatten();
    for function in tools.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten()) {
        let name = function["name"].as_str().unwrap_or_default();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
        let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if !begins || name.len() > 128 || !name.chars().all(fits) {
            return Err(invalid(&format!("Invalid function name `{name}`.")));
        }
        let schema = function["parameters"].to_string();
        for word in ["$schema", "$ref", "const", "oneOf", "exclusiveMinimum", "additionalProperties", "propertyNames"] {
            if schema.contains(&format!("\"{word}\":")) {
                return Err(unknown(word));
            }
        }
    }
    Ok(())
}

/// The key in its own header, once.
fn authorize(seen: &Seen) -> Result<(), Refusal> {
    let keys: Vec<_> = seen.headers.all("x-goog-api-key").collect();
    match keys[..] {
        [VENDOR_KEY] if seen.header("authorization").is_none() => Ok(()),
        [] => Err(error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")),
        _ => {
            let mut refusal = invalid("API key not valid. Please pass a valid API key.");
            let kind = "type.googleapis.com/google.rpc.ErrorInfo";
            let info = json!({"@type": kind, "reason": "API_KEY_INVALID", "domain": "googleapis.com"});
            refusal.body["error"]["details"] = json!([info]);
            Err(refusal)
        }
    }
}

fn models() -> Reply {
    let model = |name: &str, window: u32, methods: &[&str]| json!({"name": format!("models/{name}"), "displayName": name, "inputTokenLimit": window, "outputTokenLimit": 65_536, "supportedGenerationMethods": methods});
    let models = [
        model("gemini-3.6-flash", 1_048_576, &["generateContent", "countTokens", "createCachedContent"]),
        model("gemini-embedding-001", 2_048, &["embedContent"]),
        model("veo-e2e-1", 480, &["predictLongRunning"]),
    ];
    Reply::json(&json!({ "models": models }))
}

fn not_found(path: &str) -> Refusal {
    error(404, "NOT_FOUND", &format!("{path} is not found for API version v1beta."))
}

fn unknown(name: &str) -> Refusal {
    invalid(&format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."))
}

fn invalid(message: &str) -> Refusal {
    error(400, "INVALID_ARGUMENT", message)
}

fn error(status: u16, name: &str, message: &str) -> Refusal {
    Refusal { status, body: json!({"error": {"code": status, "message": message, "status": name}}) }
}

fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid => invalid("* GenerateContentRequest.contents: contents is not specified"),
        Fault::TooLong => {
            invalid("The input token count (1091639) exceeds the maximum number of tokens allowed (1048576).")
        }
        Fault::NoCredit => error(402, "FAILED_PRECONDITION", "Your prepayment credits are depleted."),
        Fault::UnknownModel => error(404, "NOT_FOUND", "models/gemini-none is not found for API version v1beta."),
        Fault::RateLimited(seconds) => {
            let mut refusal = error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.");
            let kind = "type.googleapis.com/google.rpc.RetryInfo";
            refusal.body["error"]["details"] = json!([{"@type": kind, "retryDelay": format!("{seconds}s")}]);
            refusal
        }
        Fault::Overloaded => error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        Fault::Internal => error(500, "INTERNAL", "An internal error has occurred."),
    }
}

fn signature(part: &Value) -> Option<&str> {
    part["thoughtSignature"].as_str()
}

fn finish_reason(turn: &Spoken) -> &'static str {
    if matches!(turn.end, End::Length) { "MAX_TOKENS" } else { "STOP" }
}

/// The parts as they are streamed: texts in pieces, calls whole. A signature stands at the first call behind the thoughts, or at
/// an empty text where there is none.
fn parts(turn: &Spoken, number: usize) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut unplaced = None;
    for (index, part) in turn.parts.iter().enumerate() {
        match part {
            Part::Thinking { text, signature } => {
                parts.extend(pieces(text).iter().map(|piece| json!({"text": piece, "thought": true})));
                unplaced = Some(signature);
            }
            Part::Text(text) => parts.extend(pieces(text).iter().map(|piece| json!({ "text": piece }))),
            Part::Call { name, arguments } => {
                let id = format!("call_e2e_{number}_{index}");
                let mut part = json!({"functionCall": {"id": id, "name": name, "args": arguments}});
                if let Some(signature) = unplaced.take() {
                    part["thoughtSignature"] = json!(signature);
                }
                parts.push(part);
            }
        }
    }
    parts.extend(unplaced.map(|signature| json!({"text": "", "thoughtSignature": signature})));
    parts
}

/// The parts as a whole answer has them: pieces of one text are one part.
fn whole(parts: &[Value]) -> Vec<Value> {
    let mut whole: Vec<Value> = Vec::new();
    for part in parts {
        match (whole.last_mut(), part["text"].as_str()) {
            (Some(last), Some(more)) if last["text"].is_string() && last["thought"] == part["thought"] => {
                last["text"] = json!(format!("{}{more}", last["text"].as_str().unwrap_or_default()));
                if let Some(signature) = signature(part) {
                    last["thoughtSignature"] = json!(signature);
                }
            }
            _ => whole.push(part.clone()),
        }
    }
    whole
}

/// An answer, or a chunk of one; the finish reason is empty where it goes on.
fn chunk(parts: &[Value], finish_reason: &str, number: usize, model: &str) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if !finish_reason.is_empty() {
        candidate["finishReason"] = json!(finish_reason);
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": INPUT, "cachedContentTokenCount": CACHED, "candidatesTokenCount": OUTPUT - THOUGHTS,
            "thoughtsTokenCount": THOUGHTS, "totalTokenCount": INPUT + OUTPUT,
        },
        "modelVersion": model, "responseId": format!("resp-e2e-{number}"),
    })
}

/// A chunk for each part, and one with the reason for the end, which holds an empty text.
fn stream(turn: &Spoken, parts: &[Value], number: usize, model: &str, form: Form) -> Reply {
    let mut chunks: Vec<Value> =
        parts.iter().map(|part| chunk(std::slice::from_ref(part), "", number, model)).collect();
    match turn.end {
        End::Whole | End::Length => {
            chunks.push(chunk(&[json!({"text": ""})], finish_reason(turn), number, model));
        }
        End::Fault(fault) => chunks.push(refusal(fault).body),
        End::Cut => {}
    }
    let reply = match form {
        Form::List => {
            let list = Reply::body("application/json; charset=UTF-8", "").chunked();
            let pieces = chunks.iter().enumerate();
            let list = pieces
                .fold(list, |reply, (at, chunk)| reply.send(format!("{}{chunk}", if at == 0 { "[" } else { ",\r\n" })));
            if matches!(turn.end, End::Cut) { list } else { list.send("]") }
        }
        Form::Whole | Form::Events => {
            chunks.iter().fold(Reply::sse(), |reply, chunk| reply.send(format!("data: {chunk}\r\n\r\n")))
        }
    };
    if matches!(turn.end, End::Cut) { reply.cut() } else { reply }
}
