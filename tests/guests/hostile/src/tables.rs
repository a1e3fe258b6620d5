//! What `prepare` returns where the model's name is a kind of trick and the call's body says which: one row of
//! `tests/hostile/calls.json` is one body. Called by `prepare` for every name that is not a behaviour of its own.

use bitrouter_provider::{Body, Call, Content, Document, Failure, Field, Part, Payload, Reply, Request, Step};

/// A request, an exchange, an answer or a failure as the body words it. A name that nobody knows behaves.
pub fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
    let plain_at = |path: &str| Request::post("api", path).framing(call.framing()).memo(call.model.clone().into());
    let plain = || plain_at("/chat/completions");
    let says = |pointer| text(body.document(), pointer);
    let count = |pointer| says(pointer).parse().unwrap_or(0_usize);
    Ok(match call.model.as_str() {
        "path" => Request::post("api", says("/path")).framing(call.framing()).pass(),
        "hole" => Request::post("api", says("/path")).value(says("/name"), says("/value")).pass(),
        "hole-unfilled" => Request::post("api", "/x/{nobody}/y").pass(),
        "holes-many" => {
            let mut request = Request::post("api", "/x/{n}");
            request.values = vec![Field::new("n", "v"); count("/count")];
            request.pass()
        }
        "origin" => Request::post(says("/origin"), "/x").pass(),
        "method" => Request::new(&says("/method"), "api", "/x", Body::Empty).pass(),
        "header" => plain().header(says("/name"), says("/value")).pass(),
        "headers-many" => {
            let mut request = plain();
            request.headers = vec![Field::new("x-many", "v"); count("/count")];
            request.pass()
        }
        "header-long" => plain().header("x-long", "v".repeat(count("/count"))).pass(),
        "query" => plain().query(says("/name"), says("/value")).pass(),
        "query-long" => plain().query("q", "v".repeat(count("/count"))).pass(),
        "path-long" => Request::post("api", ["/", &"p".repeat(count("/count"))].concat()).pass(),
        "framing" => plain().framing(says("/framing")).pass(),
        "delivery" => plain().rewrite(says("/framing")),
        "json" => plain().json(says("/json")).pass(),
        "json-deep" => plain().json("[".repeat(count("/count"))).pass(),
        "memo" => plain().memo(vec![b'm'; count("/count")]).pass(),
        "dropped" => plain().dropped(vec![says("/pointer"); count("/count")]).pass(),
        "more" => {
            let mut request = plain();
            request.more = says("/more");
            request.pass()
        }
        "part" => plain().multipart(vec![part(&says)]).pass(),
        "parts-many" => plain().multipart(vec![Part::new("p", Content::Text("t".into())); count("/count")]).pass(),
        "content" => plain().content(Content::Value(says("/pointer"))).pass(),
        "content-base64" => plain().content(Content::Base64(says("/pointer"))).pass(),
        "form-many" => plain().form(vec![Field::new("f", "v"); count("/count")]).pass(),
        "wait" => Request::get("api", "/ask").ask_after(u32::MAX, Vec::new()),
        "ask-memo" => Request::get("api", "/ask").ask(vec![b'm'; count("/count")]),
        "reply" => {
            let mut reply = Reply::json(says("/answer"));
            reply.status = count("/answer-status") as u16;
            reply.framing = says("/framing");
            reply.headers = vec![Field::new(says("/name"), says("/value"))];
            reply.step()
        }
        "reply-long" => Reply::json(["\"", &"r".repeat(count("/count")), "\""].concat()).step(),
        "refuse" => {
            let failure = Failure::new(&says("/kind"), &says("/scope"), says("/message")).code(says("/code"));
            return Err(failure.status(count("/failure-status") as u16));
        }
        // There is nothing, so the upstream fails and `explain` is asked why.
        model if model.ends_with("-explain") => plain_at("/failing").pass(),
        _ => plain().pass(),
    })
}

fn part(says: &impl Fn(&'static str) -> String) -> Part {
    Part::new(says("/name"), Content::Text(says("/value"))).file(says("/filename"), says("/type"))
}

/// What a string of the body says; nothing where there is none.
fn text(body: Option<&Document<'_>>, pointer: &str) -> String {
    body.and_then(|body| body.text(pointer, 1 << 20).ok()?).unwrap_or_default()
}
