//! Asks the host for as much work as it can, in the way that the call's model names: `find-wide/1000`,
//! `many-members/50000`. `ok` asks for nothing. What `read-each`, `remove-each` and `wrap-each` do is innocent, and only
//! as much as the body has.

use std::hint::black_box;

use bitrouter_provider::{
    Answer, Call, Document, Edit, Failure, Failures, Field, Level, Limits, Payload, Provider, Queries, Request,
    Requests, Step, Trouble, Window, at, export, log,
};

/// The provider.
pub struct Floods;

export!(Floods: Requests, Failures, Queries, Limits);

impl Provider for Floods {
    fn describe() -> String {
        r#"{
            "id": "floods",
            "name": "Floods",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "ok" }],
            "forward": ["x-*"],
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Floods {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let (what, count) = call.model.split_once('/').unwrap_or((&call.model, "1"));
        let count: usize = count.parse().unwrap_or(1);
        let document = body.document().ok_or_else(|| Failure::invalid("there is no body"))?;
        let mut request = Request::post("api", "/chat/completions").framing(call.framing());
        match what {
            "find-wide" => find_wide(document, count)?,
            "many-members" => patch(document, &members(count))?,
            "each-wide" => {
                let edits = vec![Edit::add("/a", "1"); count];
                document.each("/rows/*").patch(&edits).map_err(Failure::invalid)?;
            }
            "each-loop" => loop {
                let _ = black_box(document.each("/rows/*").only(at("/a").is("b").not()).patch(&[Edit::add("/a", "1")]));
            },
            "many-members-loop" => loop {
                let _ = black_box(document.patch(&members(count)));
            },
            "many-items" => {
                let items = vec![Edit::add("/many/0", "1"); count];
                patch(document, &[&[Edit::add("/many", "[]")], items.as_slice()].concat())?;
            }
            "doubling-array" => doubling(document, count)?,
            "read-loop" => loop {
                let _ = black_box((
                    document.keys(""),
                    document.find("/rows/*").rows(&["", "/a"], 64),
                    document.get("", 1 << 24),
                ));
            },
            "fail-loop" => loop {
                let _ = black_box(document.patch(&[Edit::copy_to("/rows", "/more"), Edit::remove("/not/there")]));
            },
            "long-pointer" => {
                let pointer = ["/", &"x".repeat(2 << 20), "~"].concat();
                document.get(&pointer, 9)?;
            }
            "long-edit" => patch(document, &[Edit::remove(["/", &"x".repeat(2 << 20)].concat())])?,
            "long-failure" => return Err(Failure::invalid("why ".repeat(1 << 20)).code("x".repeat(1 << 20))),
            "long-dropped" => request = request.dropped(vec!["/x".repeat(1 << 16); 32]),
            "long-path" => request = Request::post("api", "x".repeat(1 << 20)),
            "log" => (0..count).for_each(|_| log(Level::Warn, &"flood ".repeat(170))),
            "read-each" => read_each(document)?,
            "remove-each" => remove_each(document)?,
            "wrap-each" => wrap_each(document)?,
            _ => {}
        }
        Ok(request.pass())
    }
}

impl Failures for Floods {
    fn explain(_trouble: &Trouble, _memo: Vec<u8>) -> Option<Failure> {
        None
    }
}

impl Queries for Floods {
    fn interpret(_side: &str, _page: Answer) -> Result<Option<String>, Failure> {
        Ok(Some("{}".into()))
    }
}

impl Limits for Floods {
    fn quota(_headers: &[Field], _event: Option<&str>) -> Option<Vec<Window>> {
        None
    }
}

fn patch(document: &Document<'_>, edits: &[Edit]) -> Result<(), Failure> {
    document.patch(edits).map_err(Failure::invalid)
}

fn members(count: usize) -> Vec<Edit> {
    (0..count).map(|number| Edit::add(["/k", &number.to_string()].concat(), "1")).collect()
}

fn find_wide(document: &Document<'_>, count: usize) -> Result<(), Failure> {
    let names: Vec<String> = (0..count).map(|number| ["/", &number.to_string()].concat()).collect();
    let fields: Vec<&str> = names.iter().map(String::as_str).collect();
    black_box(document.find("/rows/*").rows(&fields, 0)?);
    Ok(())
}

fn doubling(document: &Document<'_>, count: usize) -> Result<(), Failure> {
    patch(document, &[Edit::add("/list", "[\"0123456789\"]")])?;
    for _ in 0..count {
        patch(document, &[Edit::copy_to("/list", "/twice"), Edit::move_to("/twice", "/list/-")])?;
    }
    Ok(())
}

/// What a guide would recommend: a look into each message.
fn read_each(document: &Document<'_>) -> Result<(), Failure> {
    for message in document.find("/messages/*").pointers()? {
        black_box(document.get(&[message.as_str(), "/content"].concat(), 4096)?);
    }
    Ok(())
}

/// Takes away every member whose name begins with an x.
fn remove_each(document: &Document<'_>) -> Result<(), Failure> {
    let names = document.keys("")?;
    let unknown = names.iter().filter(|name| name.starts_with('x'));
    patch(document, &unknown.map(|name| Edit::remove(["/", name].concat())).collect::<Vec<_>>())
}

/// Moves every message into another list.
fn wrap_each(document: &Document<'_>) -> Result<(), Failure> {
    let messages = document.find("/messages/*").pointers()?;
    let mut edits = vec![Edit::add("/contents", "[]")];
    edits.extend(messages.iter().map(|_| Edit::move_to("/messages/0", "/contents/-")));
    patch(document, &edits)
}
