//! Misbehaves in the hook and in the way that the call's model names; `tests/hostile/calls.json` lists the ways, with what
//! the gateway makes of each. It declares no credential, so it is served without a grant, like anything a user drops into
//! the folder. `ok` behaves.

mod handles;
mod pages;
mod rewriters;
mod shapes;
mod tables;

use std::hint::black_box;

use bitrouter_provider::{
    Answer, Answers, Call, Document, Edit, Failure, Failures, Field, Head, Level, Limits, Payload, Provider, Queries,
    Request, Requests, Rewriter, Step, Streams, Trouble, Window, export, log, scope,
};

/// The provider.
pub struct Hostile;

export!(Hostile: Requests, Failures, Queries, Limits, Answers, Streams);

impl Provider for Hostile {
    fn describe() -> String {
        r#"{
            "id": "hostile",
            "name": "Hostile",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions"], "embeddings": ["openai"] },
            "models": [{ "id": "ok" }],
            "observe": { "headers": ["x-hostile-*"], "events": ["hostile"] },
            "side_requests": { "models": { "kind": "models", "path": "/models" } },
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Hostile {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let plain =
            || Request::post("api", "/chat/completions").framing(call.framing()).memo(call.model.clone().into());
        Ok(match call.model.as_str() {
            "loop" => spin(),
            "grow" => grow(),
            "recurse" => plain().header("x-depth", recurse(1).to_string()).pass(),
            "trap-prepare" => trap(),
            "huge-list" => huge_list(plain()).pass(),
            "huge-string" => plain().header("x-huge", "a".repeat(64 << 20)).pass(),
            "huge-memo" => plain().memo(vec![7; 1 << 20]).pass(),
            "set-authorization" => plain().header("authorization", "Bearer of-the-component").pass(),
            "set-host" => plain().header("host", "elsewhere.example").pass(),
            "set-length" => plain().header("content-length", "3").pass(),
            "upper-case" => plain().header("Authorization", "Bearer of-the-component").pass(),
            "crlf" => plain().header("x-a", "b\r\nauthorization: Bearer of-the-component").pass(),
            "crlf-name" => plain().header("x-a\r\nx-b", "c").pass(),
            "crlf-query" => plain().query("a\r\nb", "c d&e=f").pass(),
            "bad-method" => Request::new("CONNECT", "api", "/x", bitrouter_provider::Body::Empty).pass(),
            "bad-origin" => Request::post("https://elsewhere.example", "/").pass(),
            "bad-path" => Request::post("api", "/../x").pass(),
            "bad-path-encoded" => Request::post("api", "/%2e%2e/x").pass(),
            "bad-path-host" => Request::post("api", "@elsewhere.example/x").pass(),
            "bad-path-query" => Request::post("api", "/x?a=b#c").pass(),
            "get-with-body" => Request::new("GET", "api", "/x", bitrouter_provider::Body::Forward).pass(),
            "json-that-is-none" => plain().json("not json").pass(),
            "json-and-more" => plain().json("{} {}").pass(),
            "bad-framing" => plain().framing("smoke-signals").pass(),
            "bad-delivery" => plain().rewrite("smoke-signals"),
            "no-rewriter" => plain().rewrite("sse"),
            "log-flood" => {
                for _ in 0..100_000 {
                    log(Level::Error, "flood");
                }
                plain().pass()
            }
            "log-huge" => {
                log(Level::Error, &"a".repeat(16 << 20));
                log(Level::Error, "two\nlines\u{1b}[31m");
                plain().pass()
            }
            "find-bomb" => find_bomb(body),
            "patch-bad" => {
                patch(body, &[Edit::add("/user", "\"kept?\""), Edit::remove("/not/there")])?;
                plain().pass()
            }
            "patch-json" => {
                patch(body, &[Edit::add("/user", "\"a\",\"model\":\"b\"")])?;
                plain().pass()
            }
            "flood-find" => {
                let _ = black_box(document(body)?.find("/rows/*").rows(&["/a"; 1000], 0));
                plain().pass()
            }
            "flood-patch" => {
                let edits: Vec<Edit> = (0..50_000).map(|n| Edit::add(["/m", &n.to_string()].concat(), "0")).collect();
                patch(body, &edits)?;
                plain().pass()
            }
            "flood-doubles" => {
                patch(body, &vec![Edit::copy_to("/rows", "/rows/-"); 20])?;
                plain().pass()
            }
            "flood-moves" => {
                patch(body, &vec![Edit::move_to("/rows/0", "/rows/-"); 20_000])?;
                plain().pass()
            }
            "flood-reads" => read_forever(document(body)?),
            "flood-logs" => loop {
                log(Level::Error, &"a line of a kilobyte. ".repeat(48));
            },
            "flood-pushes" => plain().rewrite("sse"),
            model if model.starts_with("rewriter-") || model.starts_with("shape-") => plain().rewrite("sse"),
            model if model.starts_with("handle-") => {
                handles::misuse(model);
                plain().pass()
            }
            "flood-failure" => {
                return Err(Failure::new("other", scope::REQUEST, "a ".repeat(1 << 20)).code("x".repeat(1 << 20)));
            }
            "ask-once" | "ask-forever" | "trap-resume" | "loop-resume" | "fail-resume" => {
                Request::get("api", "/ask").ask(b"1".to_vec())
            }
            _ => return tables::prepare(call, body),
        })
    }

    fn resume(call: &Call, _body: &Payload<'_>, memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        match call.model.as_str() {
            "trap-resume" => trap(),
            "loop-resume" => spin(),
            "fail-resume" => return Err(Failure::new("other", scope::PROVIDER, "two\r\nlines\u{1b}[31m").code("\u{0}")),
            _ => {}
        }
        if call.model == "ask-forever" {
            return Ok(Request::get("api", "/ask").ask([memo, b"1".to_vec()].concat()));
        }
        let request = Request::post("api", "/chat/completions").framing(call.framing());
        Ok(request.header("x-asked", answer.status.to_string()).header("x-answer", answer.body.trim()).pass())
    }
}

impl Failures for Hostile {
    fn explain(_trouble: &Trouble, memo: Vec<u8>) -> Option<Failure> {
        match memo.as_slice() {
            b"trap-explain" => trap(),
            b"loop-explain" => spin(),
            b"grow-explain" => grow(),
            b"escapes-explain" => {
                Some(Failure::new("other", scope::REQUEST, "\u{1b}]0;title\u{7}\u{202e}\r\nx: y").status(599))
            }
            b"status-explain" => Some(Failure::new("other", scope::REQUEST, "all is well").status(200)),
            b"status-zero-explain" => Some(Failure::new("other", scope::REQUEST, "").status(0)),
            b"more-explain" => {
                let mut failure = Failure::new("overloaded", scope::PROVIDER, "more");
                failure.more = "[".repeat(100_000);
                Some(failure)
            }
            b"bad-kind" | b"bad-kind-explain" => {
                Some(Failure::new("no-such-kind", "no-such-scope", "two\r\nlines").code("x".repeat(1 << 20)))
            }
            b"retry-forever" | b"retry-forever-explain" => {
                let mut failure = Failure::new("rate-limited", scope::PROVIDER, "come back at the end of time");
                failure.retry_after_ms = Some(u64::MAX);
                failure.resets_at = Some(u64::MAX);
                Some(failure)
            }
            _ => None,
        }
    }
}

impl Queries for Hostile {
    fn interpret(_side: &str, page: Answer) -> Result<Option<String>, Failure> {
        pages::read(page.body.trim())
    }
}

impl Limits for Hostile {
    fn quota(headers: &[Field], _event: Option<&str>) -> Option<Vec<Window>> {
        match headers.first().map_or("", |header| header.value.as_str()) {
            "trap-quota" => trap(),
            "loop-quota" => spin(),
            "grow-quota" => grow(),
            "many-windows" => return Some((0..100_000).map(|n| window(&n.to_string())).collect()),
            "long-name" => return Some(vec![window(&"n".repeat(1 << 20))]),
            "escapes-quota" => return Some(vec![window("\u{1b}[31m\u{202e}\r\n\u{0}")]),
            _ => {}
        }
        let used = headers.iter().any(|header| header.value == "not-a-number").then_some(f64::NAN);
        Some(vec![Window {
            name: "hostile\r\n".into(),
            used_percent: used,
            limit: Some(0),
            remaining: Some(u64::MAX),
            length_seconds: Some(u64::MAX),
            resets_at: None,
            resets_in_seconds: Some(u64::MAX),
            more: "not json".into(),
        }])
    }
}

impl Answers for Hostile {
    fn shape(call: &Call, _memo: Vec<u8>, _head: &Head, body: &Document<'_>) -> Result<(), Failure> {
        shapes::shape(&call.model, body)
    }
}

impl Streams for Hostile {
    fn rewriter(call: Call, _memo: Vec<u8>, _head: Head) -> Option<Box<dyn Rewriter>> {
        rewriters::named(&call.model)
    }
}

/// A window that is full.
fn window(name: &str) -> Window {
    Window {
        name: name.into(),
        used_percent: Some(100.0),
        limit: Some(1),
        remaining: Some(0),
        length_seconds: None,
        resets_at: None,
        resets_in_seconds: Some(1),
        more: String::new(),
    }
}

fn trap() -> ! {
    panic!("as asked")
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

/// Takes memory until there is none, and then traps.
fn grow() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Uses up the stack: the host's limit or the guest's own stops it.
#[expect(unconditional_recursion, reason = "it is what the test asks for")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(frame[3] + 1) + frame[7]
}

/// A request of a million headers.
fn huge_list(mut request: Request) -> Request {
    request.headers = vec![Field::new("x-h", "v"); 1 << 20];
    request
}

/// Asks for all there is, again and again.
fn find_bomb(body: &Payload<'_>) -> ! {
    let fields = ["", "/role", "/content", "/no-such-field"].repeat(64);
    loop {
        if let Some(document) = body.document() {
            let _ = black_box(document.find("/messages/*").rows(&fields, u32::MAX));
            let _ = black_box(document.get("", u32::MAX));
        }
    }
}

/// Asks for little, without an end.
fn read_forever(document: &Document<'_>) -> ! {
    for n in 0_u32.. {
        let pointer = ["/rows/", &n.to_string()].concat();
        let _ =
            black_box((document.kind(&pointer), document.size("/rows"), document.keys(""), document.get(&pointer, 8)));
    }
    spin()
}

fn patch(body: &Payload<'_>, edits: &[Edit]) -> Result<(), Failure> {
    document(body)?.patch(edits).map_err(Failure::invalid)
}

fn document<'a>(body: &'a Payload<'a>) -> Result<&'a Document<'a>, Failure> {
    body.document().ok_or_else(|| Failure::invalid("there is no JSON body"))
}
