//! Runs a hook with one input, as often as it takes to say what it costs, and judges what it came to: it may refuse anything,
//! and must not crash, use up its budget, or break the contract.

use bitrouter_contract::{Description, FailureKind, Scope};
use bitrouter_document::Document;
use bitrouter_golden::{Answer, Body, Broken, Call, Event, Failure, Head, Hooks, Step, Trouble};
use bitrouter_plugin::Plugin;
use tokio::runtime::Runtime;

use super::inputs::{self, Given};
use crate::cli::plugin::driver::{Driver, Used};

/// Runs for one figure: the first of them finds nothing in the processor's caches.
const RUNS: usize = 5;

/// A hook that had one input.
pub(super) struct Probe {
    pub(super) hook: &'static str,
    /// What the input is, in words.
    pub(super) input: String,
    /// What it came to, or what is wrong with that.
    pub(super) came: Result<String, String>,
    /// What one run took: the one in the middle.
    pub(super) used: Used,
}

impl Probe {
    /// What is wrong, where anything is.
    pub(super) fn fault(&self) -> Option<&str> {
        self.came.as_ref().err().map(String::as_str)
    }

    /// Every hook that a file's component exports, with all of its inputs; nothing of a description alone.
    pub(super) fn all(runtime: &Runtime, plugins: &[Plugin]) -> Vec<Probe> {
        let Some(plugin) = plugins.first() else { return Vec::new() };
        let description = &plugin.says;
        let probing = Probing { runtime, plugins, description };
        let hooks = plugin.interfaces();
        let has = |interface: &str| hooks.contains(&interface);
        let mut probes = Vec::new();
        if has("requests") {
            let prepare =
                inputs::calls(description).into_iter().map(|(input, call, body)| probing.prepare(input, &call, &body));
            probes.extend(prepare);
            let resume = inputs::answers().into_iter().map(|(input, answer)| {
                let call = inputs::call(description);
                probing.probe("resume", input.to_owned(), &move |driver| {
                    step(driver.resume(&call, &mut Body::None, b"", &answer), description)
                })
            });
            probes.extend(resume);
        }
        if has("failures") {
            probes.extend(inputs::troubles().into_iter().map(|(input, trouble)| probing.explain(input, &trouble)));
        }
        if has("limits") {
            probes.extend(inputs::limits().into_iter().map(|(input, headers, event)| {
                probing.probe("quota", input.to_owned(), &move |driver| {
                    driver.quota("", &headers, event).map(|windows| format!("{} windows", windows.len())).map_err(said)
                })
            }));
        }
        if has("queries") {
            for side in description.side_requests.keys().map(String::as_str).chain(["no-such-request"]) {
                let pages = inputs::answers().into_iter();
                probes.extend(
                    pages.map(|(input, page)| probing.interpret(&format!("{input}, to `{side}`"), side, &page)),
                );
            }
        }
        if has("answers") {
            probes.extend(inputs::documents().into_iter().map(|(input, text)| probing.shape(input, text)));
        }
        if has("streams") {
            probes.extend(inputs::streams().into_iter().map(|(input, events)| probing.rewrite(input, &events)));
        }
        probes
    }
}

/// What a probe needs.
struct Probing<'p> {
    runtime: &'p Runtime,
    plugins: &'p [Plugin],
    description: &'p Description,
}

impl Probing<'_> {
    fn probe(
        &self,
        hook: &'static str,
        input: String,
        run: &dyn Fn(&mut Driver<'_>) -> Result<String, String>,
    ) -> Probe {
        let mut used = Vec::new();
        let mut came = Ok(String::new());
        for _ in 0..RUNS {
            // Each with nothing remembered: a prepare that is called twice alike is not run twice.
            let mut driver = Driver::new(self.runtime, self.plugins);
            came = run(&mut driver);
            used.push(driver.used());
            if came.is_err() {
                break;
            }
        }
        used.sort_by_key(|used| used.cpu);
        Probe { hook, input, came, used: used[used.len() / 2] }
    }

    fn prepare(&self, input: String, call: &Call, body: &Given) -> Probe {
        self.probe("prepare", input, &|driver| match body.given() {
            Ok(mut body) => step(driver.prepare(call, &mut body), self.description),
            Err(error) => Ok(format!("the body is refused: {error}")),
        })
    }

    fn explain(&self, input: &str, trouble: &Trouble) -> Probe {
        self.probe("explain", input.to_owned(), &|driver| failed(&driver.explain("", trouble, b"").map_err(said)?))
    }

    fn interpret(&self, input: &str, side: &str, page: &Answer) -> Probe {
        self.probe("interpret", input.to_owned(), &|driver| match driver.interpret("", side, page).map_err(said)? {
            Ok(json) => match serde_json::from_str::<serde_json::Value>(&json) {
                Ok(_) => Ok(format!("{} bytes of JSON", json.len())),
                Err(error) => Err(format!("it returned what is not JSON: {error}")),
            },
            Err(failure) => failed(&failure),
        })
    }

    fn shape(&self, input: &str, text: &str) -> Probe {
        let call = inputs::call(self.description);
        self.probe("shape", input.to_owned(), &|driver| {
            let mut document = match Document::parse(text.to_owned()) {
                Ok(document) => document,
                Err(error) => return Ok(format!("the answer is refused: {error}")),
            };
            match driver.shape(&call, b"", &head(), &mut document) {
                Ok(Ok(())) => Ok("an edited answer".into()),
                Ok(Err(failure)) => failed(&failure),
                Err(Broken::Body(why)) => Ok(format!("the answer is refused: {why}")),
                Err(broken) => Err(said(broken)),
            }
        })
    }

    fn rewrite(&self, input: &str, events: &[Event]) -> Probe {
        let call = Call { streaming: true, ..inputs::call(self.description) };
        self.probe("rewriter", input.to_owned(), &|driver| {
            let mut rewriter = driver.rewriter(&call, b"", &head()).map_err(said)?;
            let mut count = 0;
            for event in events {
                match rewriter.push(vec![event.clone()]).map_err(said)? {
                    Ok(events) => count += events.len(),
                    Err(failure) => return failed(&failure),
                }
            }
            match rewriter.finish().map_err(said)? {
                Ok(events) => Ok(format!("{} events", count + events.len())),
                Err(failure) => failed(&failure),
            }
        })
    }
}

fn head() -> Head {
    Head { status: 200, headers: Vec::new() }
}

/// What a step of a call came to; a request must name what there is.
fn step(step: Result<Result<Step, Failure>, Broken>, description: &Description) -> Result<String, String> {
    let request = |what: &str, request: &bitrouter_golden::Request| {
        let bitrouter_golden::Request { method, origin, path, .. } = request;
        match description.origins.contains_key(origin) {
            true => Ok(format!("{what} {method} {origin} {path}")),
            false => Err(format!("it wants to send to the origin `{origin}`, which its description does not have")),
        }
    };
    match step {
        Ok(Ok(Step::Send(it))) => request("send", &it),
        Ok(Ok(Step::Ask(exchange))) => request("ask", &exchange.request),
        Ok(Ok(Step::Reply(reply))) => Ok(format!("a reply of status {}", reply.status)),
        Ok(Err(failure)) => failed(&failure),
        Err(Broken::Body(why)) => Ok(format!("the body is refused: {why}")),
        Err(broken) => Err(said(broken)),
    }
}

/// A failure, whose words must be of the contract.
fn failed(failure: &Failure) -> Result<String, String> {
    let Failure { kind, scope, message, .. } = failure;
    if FailureKind::of(kind).word() != kind {
        return Err(format!("it returned a failure of the kind `{kind}`, which the contract does not have"));
    }
    if Scope::of(scope).word() != scope {
        return Err(format!("it returned a failure that concerns the `{scope}`, which the contract does not have"));
    }
    Ok(format!("{kind}, concerning the {scope}: {message}"))
}

fn said(broken: Broken) -> String {
    match broken {
        Broken::Body(why) => format!("the body is refused: {why}"),
        Broken::Hook(why) | Broken::Absent(why) => why,
    }
}
