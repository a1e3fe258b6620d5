//! Runs the hooks of a component, or of a description alone, as a gateway does: the driver of the golden files that has an
//! engine. `test` and `check` use it; nothing of it sends anything.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bitrouter_contract::described::Window;
use bitrouter_document::Document;
use bitrouter_golden as golden;
use bitrouter_golden::{Body, Broken, Hooks, written};
use bitrouter_plugin::contract::types;
use bitrouter_plugin::{HookBody, HookError, Plugin, Prepared, Read, Rewriter, thread_time};
use tokio::runtime::Runtime;

use super::heard;

/// What lies between the golden files' types and those of the engine's bindings.
mod made {
    /// The bindings' types.
    mod bound {
        pub(super) use bitrouter_plugin::contract::Field;
        pub(super) use bitrouter_plugin::contract::types::*;
    }

    bitrouter_golden::conversions!(self::bound);
}

/// What hooks took together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Used {
    /// CPU time of its thread, making the instance included; none where the system does not say it.
    pub(super) cpu: Option<Duration>,
    /// The most memory that its instance has had, in bytes; none where no instance was made.
    pub(super) memory: Option<usize>,
}

/// What one of the two hooks that shape a call came to, and the body as it left it.
type Shaped = (Result<Result<Prepared, types::Failure>, HookError>, HookBody);

/// The providers of one file, whose hooks run in this process's sandbox.
pub(super) struct Driver<'r> {
    runtime: &'r Runtime,
    plugins: Vec<Arc<Plugin>>,
    used: Cell<Used>,
}

impl<'r> Driver<'r> {
    /// Takes the providers with nothing remembered of them: what one case did is not seen by the next.
    pub(super) fn new<'p>(runtime: &'r Runtime, plugins: impl IntoIterator<Item = &'p Plugin>) -> Self {
        heard::begin();
        Driver { runtime, plugins: plugins.into_iter().map(Plugin::afresh).collect(), used: Cell::default() }
    }

    /// What all calls of hooks took so far.
    pub(super) fn used(&self) -> Used {
        self.used.get()
    }

    fn plugin(&self, id: &str) -> Result<Arc<Plugin>, Broken> {
        let named = self.plugins.iter().find(|plugin| *plugin.id == *id);
        // A config's own name for it: what is there serves.
        let plugin = named.or_else(|| self.plugins.first());
        plugin.cloned().ok_or_else(|| Broken::Absent("the file holds no provider".into()))
    }

    /// Runs a hook to its end, and counts what it took.
    fn run<T>(&self, plugin: &Plugin, hook: impl Future<Output = T>) -> T {
        heard::forget();
        let before = thread_time();
        let came = self.runtime.block_on(hook);
        let cpu = before.and_then(|before| thread_time()?.checked_sub(before));
        let so_far = self.used.get().cpu.unwrap_or_default();
        let memory = plugin.most_memory().filter(|memory| *memory > 0);
        self.used.set(Used { cpu: cpu.map(|cpu| so_far + cpu), memory });
        came
    }

    /// Runs one of the two hooks that shape a call.
    fn shaped(
        &self,
        call: &golden::Call,
        body: &mut Body,
        hook: impl AsyncFnOnce(&Plugin, &types::Call, HookBody) -> Shaped,
    ) -> Result<Result<golden::Step, golden::Failure>, Broken> {
        let plugin = self.plugin(&call.provider)?;
        let given = match mem::take(body) {
            Body::Json(document) => HookBody::Json(document),
            Body::Opaque(content_type) => {
                HookBody::Opaque { blob: types::Blob { content_type, length: None }, pieces: Vec::new() }
            }
            Body::None => HookBody::None,
        };
        let (step, left) = self.run(&plugin, hook(&plugin, &made::call(call), given));
        *body = match left {
            HookBody::Json(document) => Body::Json(document),
            HookBody::Opaque { blob, .. } => Body::Opaque(blob.content_type),
            HookBody::None => Body::None,
        };
        Ok(match step.map_err(broken)? {
            Ok(Prepared::Send(request)) => Ok(golden::Step::Send(made::request(Arc::unwrap_or_clone(request)))),
            Ok(Prepared::Ask(exchange)) => Ok(golden::Step::Ask(made::exchange(*exchange))),
            Ok(Prepared::Reply(reply)) => Ok(golden::Step::Reply(made::reply(*reply))),
            Err(failure) => Err(made::failure(failure)),
        })
    }
}

impl Hooks for Driver<'_> {
    fn providers(&self) -> Vec<String> {
        self.plugins.iter().map(|plugin| plugin.id.to_string()).collect()
    }

    fn prepare(
        &mut self,
        call: &golden::Call,
        body: &mut Body,
    ) -> Result<Result<golden::Step, golden::Failure>, Broken> {
        self.shaped(call, body, async |plugin, call, body| plugin.prepare(call, body, None).await)
    }

    fn resume(
        &mut self,
        call: &golden::Call,
        body: &mut Body,
        memo: &[u8],
        answer: &golden::Answer,
    ) -> Result<Result<golden::Step, golden::Failure>, Broken> {
        let answer = made::answer(answer);
        self.shaped(call, body, async |plugin, call, body| plugin.resume(call, body, memo, &answer, None).await)
    }

    fn explain(&mut self, id: &str, trouble: &golden::Trouble, memo: &[u8]) -> Result<golden::Failure, Broken> {
        let plugin = self.plugin(id)?;
        let failure = self.run(&plugin, plugin.explain(&made::trouble(trouble), memo, None));
        failure.map(made::failure).map_err(broken)
    }

    fn quota(&mut self, id: &str, headers: &[golden::Field], event: Option<&str>) -> Result<Vec<Window>, Broken> {
        let plugin = self.plugin(id)?;
        self.run(&plugin, plugin.quota(&made::fields(headers), event, None)).map_err(broken)
    }

    fn interpret(
        &mut self,
        id: &str,
        side: &str,
        page: &golden::Answer,
    ) -> Result<Result<String, golden::Failure>, Broken> {
        let plugin = self.plugin(id)?;
        let read = self.run(&plugin, plugin.interpret(side, &made::answer(page), None)).map_err(broken)?;
        Ok(match read {
            Ok(Read::Json(json)) => Ok(json),
            Ok(Read::Page(page)) => Ok(written(page)),
            Err(failure) => Err(made::failure(failure)),
        })
    }

    fn shape(
        &mut self,
        call: &golden::Call,
        memo: &[u8],
        head: &golden::Head,
        document: &mut Document,
    ) -> Result<Result<(), golden::Failure>, Broken> {
        let plugin = self.plugin(&call.provider)?;
        if !plugin.shapes_answers() {
            return Err(Broken::Absent("the component does not export `answers`".into()));
        }
        let (call, head) = (made::call(call), made::head(head));
        let shaped = self.run(&plugin, plugin.shape(&call, memo, &head, document.clone(), None));
        Ok(match shaped.map_err(broken)? {
            Ok(edited) => {
                *document = edited;
                Ok(())
            }
            Err(failure) => Err(made::failure(failure)),
        })
    }

    fn rewriter<'d>(
        &'d mut self,
        call: &golden::Call,
        memo: &[u8],
        head: &golden::Head,
    ) -> Result<Box<dyn golden::Rewriter + 'd>, Broken> {
        let plugin = self.plugin(&call.provider)?;
        if !plugin.interfaces().contains(&"streams") {
            return Err(Broken::Absent("the component does not export `streams`".into()));
        }
        let (call, head) = (made::call(call), made::head(head));
        let start = Rewriter::start(Arc::clone(&plugin), &call, memo, &head, None);
        let rewriter = self.run(&plugin, start).map_err(broken)?;
        Ok(Box::new(Rewriting { driver: self, plugin, rewriter }))
    }
}

/// An answer that is being rewritten.
struct Rewriting<'d, 'r> {
    driver: &'d Driver<'r>,
    plugin: Arc<Plugin>,
    rewriter: Rewriter,
}

impl golden::Rewriter for Rewriting<'_, '_> {
    fn push(&mut self, events: Vec<golden::Event>) -> Result<Result<Vec<golden::Event>, golden::Failure>, Broken> {
        let events: Vec<_> = events.iter().map(made::event).collect();
        let returned = self.driver.run(&self.plugin, self.rewriter.push(&events)).map_err(broken)?;
        Ok(returned.map(events_of).map_err(made::failure))
    }

    fn finish(&mut self) -> Result<Result<Vec<golden::Event>, golden::Failure>, Broken> {
        let returned = self.driver.run(&self.plugin, self.rewriter.finish()).map_err(broken)?;
        Ok(returned.map(events_of).map_err(made::failure))
    }
}

fn events_of(events: Vec<types::Event>) -> Vec<golden::Event> {
    events.into_iter().map(made::event_of).collect()
}

fn broken(error: HookError) -> Broken {
    match error {
        HookError::Body(error) => Broken::Body(error.to_string()),
        error => {
            let said = heard::lines();
            let said = if said.is_empty() { said } else { format!(". It wrote to the log:\n{said}") };
            Broken::Hook(format!("the component {error}{said}"))
        }
    }
}
