//! A provider of an API that is like none of the dialects: other requests, lines in the place of events, other failures, limits of
//! its own. What its API is and what becomes of it says `sdk/acme/README.md`; the same provider is written there in each language
//! that has an SDK.

use bitrouter_provider::{
    Answer, Answers, Call, Document, Edit, Event, Failure, Failures, Field, Head, Json, Kind, Limits, Payload,
    Provider, Queries, Request, Requests, Rewriter, Step, Streams, Trouble, Window, at, export, kind, quote, scope,
    usage_json,
};

/// The provider.
#[allow(unreachable_pub, reason = "a test includes this file as a module")]
pub struct Acme;

export!(Acme: Requests, Failures, Queries, Limits, Answers, Streams);

impl Provider for Acme {
    fn describe() -> String {
        include_str!("../../acme/description.json").into()
    }
}

impl Requests for Acme {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        match (call.operation.as_str(), body.document()) {
            ("generate", Some(document)) => converse(call, document),
            ("embeddings", Some(document)) => embed(document),
            _ => Ok(Step::Described),
        }
    }
}

fn converse(call: &Call, document: &Document<'_>) -> Result<Step, Failure> {
    let known = r#""system" "developer" "user" "assistant""#.split(' ').collect::<Vec<_>>();
    let unknown = document.find("/messages/*").only(at("/role").one_of(&known).not()).limit(1).pointers()?;
    if let Some(pointer) = unknown.first() {
        return Err(Failure::unsupported(["acme knows no message of the role at ", pointer, "/role"].concat()));
    }
    for pointer in document.find("/messages/*").only(at("/content").is_a(Kind::Array)).pointers()? {
        join(document, &[&pointer, "/content"].concat())?;
    }
    for (theirs, ours) in [("system", "rules"), ("developer", "rules"), ("user", "guest"), ("assistant", "acme")] {
        let turns = document.each("/messages/*").only(at("/role").is(theirs));
        turns.patch(&[Edit::replace("/role", quote(ours))]).map_err(Failure::invalid)?;
    }
    for (theirs, ours) in [("/role", "/speaker"), ("/content", "/words")] {
        let turns = document.each("/messages/*").only(at(theirs).is_there());
        turns.patch(&[Edit::move_to(theirs, ours)]).map_err(Failure::invalid)?;
    }
    let wants_usage = document.get("/stream_options/include_usage", 8)?.as_deref() == Some("true");
    let mut edits = vec![Edit::add("/options", "{}")];
    let mut dropped = Vec::new();
    for name in document.keys("")? {
        let pointer = pointer(&name);
        match name.as_str() {
            "model" => edits.push(Edit::move_to(&pointer, "/engine")),
            "messages" => edits.push(Edit::move_to(&pointer, "/turns")),
            "max_tokens" | "max_completion_tokens" => edits.push(Edit::move_to(&pointer, "/options/limit")),
            "temperature" => edits.push(Edit::move_to(&pointer, "/options/heat")),
            "stream" | "stream_options" => edits.push(Edit::remove(&pointer)),
            _ => {
                edits.push(Edit::remove(&pointer));
                dropped.push(pointer);
            }
        }
    }
    edits.push(Edit::add("/live", if call.streaming { "true" } else { "false" }));
    document.patch(&edits).map_err(Failure::invalid)?;
    let framing = if call.streaming { "ndjson" } else { "json" };
    let memo = if wants_usage { b"usage".to_vec() } else { Vec::new() };
    Ok(Request::post("api", "/engines/{model}/converse").framing(framing).dropped(dropped).memo(memo).rewrite("sse"))
}

/// Makes a list of texts one text.
fn join(document: &Document<'_>, content: &str) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for part in document.find(&[content, "/*"].concat()).rows(&["/type", "/text"], 1 << 20)?.rows {
        match (part.cells[0].text().as_deref(), part.cells[1].text()) {
            (Some("text"), Some(text)) => texts.push(text.into_owned()),
            _ => return Err(Failure::unsupported(["acme takes texts only, not what is at ", &part.pointer].concat())),
        }
    }
    document.patch(&[Edit::replace(content, quote(&texts.join("\n")))]).map_err(Failure::invalid)
}

fn embed(document: &Document<'_>) -> Result<Step, Failure> {
    let mut edits = Vec::new();
    let mut dropped = Vec::new();
    for name in document.keys("")? {
        let pointer = pointer(&name);
        match name.as_str() {
            "model" => edits.push(Edit::move_to(&pointer, "/engine")),
            "input" if document.kind(&pointer)? == Some(Kind::Array) => edits.push(Edit::move_to(&pointer, "/texts")),
            "input" => edits.extend([Edit::add("/texts", "[]"), Edit::move_to(&pointer, "/texts/-")]),
            _ => {
                edits.push(Edit::remove(&pointer));
                dropped.push(pointer);
            }
        }
    }
    document.patch(&edits).map_err(Failure::invalid)?;
    Ok(Request::post("api", "/engines/{model}/embed").framing("json").dropped(dropped).rewrite("sse"))
}

impl Failures for Acme {
    fn explain(trouble: &Trouble, _memo: Vec<u8>) -> Option<Failure> {
        match trouble {
            Trouble::Answer(answer) => fault(answer.json().get("fault")?),
            Trouble::Event(event) => fault(event.json().get("fault")?),
        }
    }
}

/// What a fault means; none where its code is new.
fn fault(fault: Json<'_>) -> Option<Failure> {
    let code = fault.get("code").and_then(Json::text)?;
    let (kind, scope) = match &*code {
        "E_SLOW" => (kind::RATE_LIMITED, scope::ACCOUNT),
        "E_SPENT" => (kind::NO_CREDIT, scope::ACCOUNT),
        "E_TOKEN" => (kind::UNAUTHORIZED, scope::ACCOUNT),
        "E_ENGINE" => (kind::MODEL_NOT_FOUND, scope::MODEL),
        "E_LONG" => (kind::CONTEXT_EXCEEDED, scope::REQUEST),
        "E_BUSY" => (kind::OVERLOADED, scope::MODEL),
        _ => return None,
    };
    let why = fault.get("why").and_then(Json::text).unwrap_or_default();
    let wait = fault.get("wait").and_then(Json::integer).map(|seconds| seconds * 1000);
    Some(Failure { retry_after_ms: wait, code: Some(code.into_owned()), ..Failure::new(kind, scope, why) })
}

/// What a fault means where there is nobody else to say it.
fn any_fault(json: Json<'_>) -> Failure {
    fault(json).unwrap_or_else(|| {
        let why = json.get("why").and_then(Json::text).unwrap_or_default();
        Failure::new(kind::UNAVAILABLE, scope::PROVIDER, why)
    })
}

impl Limits for Acme {
    fn quota(headers: &[Field], event: Option<&str>) -> Option<Vec<Window>> {
        let mut windows = Vec::new();
        for field in headers.iter().filter(|field| field.name == "x-acme-room") {
            windows.extend(room(&field.value));
        }
        if let Some(json) = event.map(Json::parse).filter(|json| json.get("type").is_some_and(|kind| kind.is("quota")))
        {
            let number = |name| json.get(name).and_then(Json::integer);
            windows.push(Window {
                limit: number("most"),
                remaining: number("left"),
                resets_in_seconds: number("back_in"),
                ..Window::named(json.get("of").and_then(Json::text).unwrap_or_default())
            });
        }
        Some(windows)
    }
}

/// `requests=59/60 in 12`
fn room(header: &str) -> Option<Window> {
    let (name, rest) = header.split_once('=')?;
    let (share, wait) = rest.split_once(" in ")?;
    let (left, most) = share.split_once('/')?;
    Some(Window {
        limit: most.parse().ok(),
        remaining: left.parse().ok(),
        resets_in_seconds: wait.parse().ok(),
        ..Window::named(name)
    })
}

impl Queries for Acme {
    fn interpret(side: &str, page: Answer) -> Result<Option<String>, Failure> {
        if side != "plan" || page.status != 200 {
            return Ok(None);
        }
        let json = page.json();
        let (spent, most) = (json.get("spent").and_then(Json::integer), json.get("of").and_then(Json::integer));
        let (Some(spent), Some(most)) = (spent, most.filter(|most| *most > 0)) else { return Ok(None) };
        let window = Window {
            used_percent: Some(spent as f64 * 100.0 / most as f64),
            limit: Some(most),
            remaining: Some(most.saturating_sub(spent)),
            ..Window::named("month")
        };
        let plan = json.get("plan").and_then(Json::text).unwrap_or_default();
        Ok(Some(usage_json(&[window], &plan)))
    }
}

impl Answers for Acme {
    fn shape(call: &Call, _memo: Vec<u8>, _head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        if let Some(json) = body.get("/fault", 4096)? {
            return Err(any_fault(Json::parse(&json)));
        }
        let spent = body.get("/spent", 256)?.unwrap_or_default();
        let usage = usage(Json::parse(&spent));
        let edits = match call.operation.as_str() {
            "embeddings" => vectors(call, body, &usage)?,
            _ => answer(body, &usage)?,
        };
        body.patch(&edits).map_err(|why| {
            Failure::new(
                kind::UNAVAILABLE,
                scope::PROVIDER,
                ["acme answered otherwise than it should: ", &why].concat(),
            )
        })
    }
}

fn answer(body: &Document<'_>, usage: &str) -> Result<Vec<Edit>, Failure> {
    let reason = reason(body.text("/why", 64)?.as_deref());
    let choices = ["[{\"index\":0,\"message\":{\"role\":\"assistant\"},\"finish_reason\":", &quote(reason), "}]"];
    Ok(vec![
        Edit::add("/choices", choices.concat()),
        Edit::move_to("/words", "/choices/0/message/content"),
        Edit::move_to("/engine", "/model"),
        Edit::move_to("/at", "/created"),
        Edit::add("/object", "\"chat.completion\""),
        Edit::add("/usage", usage),
        Edit::remove("/spent"),
        Edit::remove("/why"),
    ])
}

fn vectors(call: &Call, body: &Document<'_>, usage: &str) -> Result<Vec<Edit>, Failure> {
    let mut edits = Vec::new();
    for (index, pointer) in body.find("/vectors/*").pointers()?.iter().enumerate() {
        edits.push(Edit::move_to([pointer, "/values"].concat(), [pointer, "/embedding"].concat()));
        edits.push(Edit::add([pointer, "/index"].concat(), index.to_string()));
        edits.push(Edit::add([pointer, "/object"].concat(), "\"embedding\""));
    }
    edits.extend([
        Edit::move_to("/vectors", "/data"),
        Edit::add("/object", "\"list\""),
        Edit::add("/model", quote(&call.model)),
        Edit::add("/usage", usage),
        Edit::remove("/spent"),
    ]);
    Ok(edits)
}

impl Streams for Acme {
    fn rewriter(_call: Call, memo: Vec<u8>, _head: Head) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(Lines { wants_usage: memo == b"usage", head: String::new() }))
    }
}

/// A stream that is rewritten.
struct Lines {
    wants_usage: bool,
    /// The members with which every chunk begins.
    head: String,
}

impl Rewriter for Lines {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        let mut chunks = Vec::new();
        for event in &events {
            let line = event.json();
            match line.get("type").and_then(Json::text).as_deref() {
                Some("begin") => {
                    self.head = head(line);
                    chunks.push(self.chunk("\"role\":\"assistant\",\"content\":\"\"", "null", ""));
                }
                Some("words") => {
                    let words = line.get("words").and_then(Json::text).unwrap_or_default();
                    chunks.push(self.chunk(&["\"content\":", &quote(&words)].concat(), "null", ""));
                }
                Some("end") => self.end(line, &mut chunks),
                Some("fault") => return Err(any_fault(line.get("fault").unwrap_or(line))),
                _ => {}
            }
        }
        Ok(chunks)
    }
}

impl Lines {
    fn end(&self, line: Json<'_>, chunks: &mut Vec<Event>) {
        let reason = quote(reason(line.get("why").and_then(Json::text).as_deref()));
        let usage = ["\"usage\":", &usage(line.get("spent").unwrap_or(line))].concat();
        if self.wants_usage {
            chunks.push(self.chunk("", &reason, ""));
            chunks.push(Event::data([&self.head, "\"choices\":[],", &usage, "}"].concat()));
        } else {
            chunks.push(self.chunk("", &reason, &[",", &usage].concat()));
        }
        chunks.push(Event::data("[DONE]"));
    }

    fn chunk(&self, delta: &str, reason: &str, usage: &str) -> Event {
        let choice = ["\"choices\":[{\"index\":0,\"delta\":{", delta, "},\"finish_reason\":", reason, "}]"].concat();
        Event::data([&self.head, &choice, usage, "}"].concat())
    }
}

fn head(line: Json<'_>) -> String {
    let text = |name| quote(&line.get(name).and_then(Json::text).unwrap_or_default());
    let at = line.get("at").and_then(Json::integer).unwrap_or_default().to_string();
    let [id, engine] = [text("id"), text("engine")];
    ["{\"id\":", &id, ",\"object\":\"chat.completion.chunk\",\"created\":", &at, ",\"model\":", &engine, ","].concat()
}

fn reason(why: Option<&str>) -> &'static str {
    if why == Some("limit") { "length" } else { "stop" }
}

fn usage(spent: Json<'_>) -> String {
    let number = |name| spent.get(name).and_then(Json::integer).unwrap_or_default();
    let (read, said) = (number("read"), number("said"));
    let [prompt, completion, total] = [read, said, read + said].map(|number| number.to_string());
    ["{\"prompt_tokens\":", &prompt, ",\"completion_tokens\":", &completion, ",\"total_tokens\":", &total, "}"].concat()
}

/// The JSON pointer of a member of the body.
fn pointer(name: &str) -> String {
    ["/", &name.replace('~', "~0").replace('/', "~1")].concat()
}
