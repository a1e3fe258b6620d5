//! Hooks of real components on the real pool: their budgets, what outlives them, and what is compiled when.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod components;

use std::sync::Arc;
use std::time::Duration;

use bitrouter::plugin::compile::Compiler;
use bitrouter::plugin::contract::{Account, Answer, Call, Event, Failure, Field, Request, Trouble};
use bitrouter::plugin::{
    Budget, Cache, Digest, HookBody, HookError, LoadError, Loader, Origin, Plugin, Prepared, REWRITERS, Rewriter,
    Runtime,
};
use bitrouter_document::Document;
use tempfile::TempDir;

/// Small, so that a component that takes all there is takes it quickly.
const MEMORY: usize = 16 << 20;

/// A loader over this cache whose compiler is the real binary.
fn loader(cache: &TempDir) -> Loader {
    with_compiler(cache, env!("CARGO_BIN_EXE_bitrouter"))
}

/// A loader that can compile nothing.
fn without_compiler(cache: &TempDir) -> Loader {
    with_compiler(cache, "no-such-program")
}

fn with_compiler(cache: &TempDir, program: &str) -> Loader {
    let runtime = Runtime::new(Budget { memory: MEMORY, ..Budget::default() }).unwrap();
    let cache = Cache::open(cache.path(), runtime.compatibility()).unwrap();
    Loader::new(runtime, cache, Compiler { program: program.into() })
}

async fn load(loader: &Loader, bytes: &[u8]) -> Result<Plugin, LoadError> {
    loader.load(bytes, Digest::of(bytes), Origin::BuiltIn).await
}

/// A component on a pool of its own.
async fn plugin(file: &str) -> Arc<Plugin> {
    let cache = tempfile::tempdir().unwrap();
    Arc::new(load(&loader(&cache), &components::read(file)).await.unwrap())
}

fn call(model: &str) -> Call {
    Call {
        operation: "generate".into(),
        dialect: "chat-completions".into(),
        model: model.into(),
        streaming: false,
        headers: Vec::new(),
        query: Vec::new(),
        settings: "{}".into(),
        account: None,
    }
}

fn body() -> HookBody {
    HookBody::Json(Document::parse(r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#).unwrap())
}

/// What `prepare` makes of a call to this model, sent or refused.
async fn prepare(plugin: &Plugin, call: &Call) -> Result<Result<Prepared, Failure>, HookError> {
    let (answer, returned) = plugin.prepare(call, body(), None).await;
    assert!(matches!(returned, HookBody::Json(_)), "the body comes back whatever the hook does");
    answer
}

/// The request that a call becomes.
async fn sent(plugin: &Plugin, call: &Call) -> Arc<Request> {
    match prepare(plugin, call).await {
        Ok(Ok(Prepared::Send(request))) => request,
        Ok(Ok(Prepared::Ask(_))) => panic!("it asks first"),
        Ok(Err(failure)) => panic!("refused: {}", failure.message),
        Err(error) => panic!("{error}"),
    }
}

/// Makes sure that a hook runs rather than an answer is remembered.
fn fresh(model: &str, number: usize) -> Call {
    let mut call = call(model);
    call.headers.push(Field { name: "x-number".into(), value: number.to_string() });
    call
}

async fn trouble(plugin: &Plugin, model: &str) -> Result<Failure, HookError> {
    let trouble = Trouble::Event(r#"{"error":{"message":"why"}}"#.into());
    plugin.explain(&trouble, model.as_bytes(), None).await
}

#[tokio::test]
async fn a_hook_over_its_budget_ends_with_its_reason_and_the_next_one_runs() {
    let hostile = plugin("tests/hostile.wasm").await;
    let out_of_bounds = |why: &str| why.contains("out of bounds");
    type Check<'a> = &'a dyn Fn(&HookError) -> bool;
    let cases: [(&str, Check<'_>); 5] = [
        ("loop", &|error| matches!(error, HookError::Cpu(budget) if *budget == Budget::default().cpu)),
        ("grow", &|error| matches!(error, HookError::Memory(MEMORY))),
        // The guest's own stack, which lies in its memory, may end before the engine's.
        ("recurse", &|error| {
            matches!(error, HookError::Stack) || matches!(error, HookError::Trap(why) if out_of_bounds(why))
        }),
        ("trap-prepare", &|error| matches!(error, HookError::Trap(why) if why.contains("unreachable"))),
        ("select-bomb", &|error| matches!(error, HookError::Cpu(_) | HookError::Memory(_) | HookError::Contract(_))),
    ];
    for (number, (model, expected)) in cases.into_iter().enumerate() {
        let error = prepare(&hostile, &call(model)).await.err().unwrap_or_else(|| panic!("{model} gave an answer"));
        assert!(expected(&error), "{model}: {error:?}");
        assert_eq!(sent(&hostile, &fresh("ok", number)).await.path, "/chat/completions");
    }
    assert!(matches!(trouble(&hostile, "loop-explain").await, Err(HookError::Cpu(_))));
    assert!(matches!(trouble(&hostile, "trap-explain").await, Err(HookError::Trap(_))));
    assert!(trouble(&hostile, "ok").await.is_ok());
}

#[tokio::test]
async fn a_component_that_loops_takes_nothing_from_others() {
    let hostile = plugin("tests/hostile.wasm").await;
    let looping = {
        let hostile = Arc::clone(&hostile);
        tokio::spawn(async move { prepare(&hostile, &call("loop")).await.err() })
    };
    // This runtime has one thread: a loop that never yielded would not let these run until it is over.
    for number in 0..100 {
        sent(&hostile, &fresh("ok", number)).await;
        tokio::task::yield_now().await;
    }
    assert!(matches!(looping.await.unwrap(), Some(HookError::Cpu(_))));
}

#[tokio::test]
async fn a_component_over_its_budget_again_and_again_is_benched() {
    let hostile = plugin("tests/hostile.wasm").await;
    for _ in 0..5 {
        assert!(hostile.benched().is_none());
        assert!(matches!(prepare(&hostile, &call("loop")).await, Err(HookError::Cpu(_))));
    }
    assert!(hostile.benched().unwrap().contains("20 ms of CPU time, 5 times in a row"));
    assert!(matches!(prepare(&hostile, &call("ok")).await, Err(HookError::Benched { .. })));
}

#[tokio::test]
async fn an_instance_knows_nothing_of_the_one_before_it() {
    let hostile = plugin("tests/hostile.wasm").await;
    // Its arena is never freed, so an instance that were used again would soon have none left: 20 MB in all.
    for number in 0..2_000 {
        let mut call = fresh("ok", number);
        call.settings = format!("{{\"filler\":\"{}\"}}", "x".repeat(10_000));
        sent(&hostile, &call).await;
    }
    // One that wrote to all the memory it could get leaves nothing of it to the next, which has the same slot.
    assert!(matches!(prepare(&hostile, &call("grow")).await, Err(HookError::Memory(_))));
    let request = sent(&hostile, &fresh("ok", 0)).await;
    assert_eq!((request.path.as_str(), request.memo.as_slice()), ("/chat/completions", b"ok".as_slice()));
}

#[tokio::test]
async fn with_every_rewriter_in_use_another_is_refused_and_hooks_go_on() {
    let probe = plugin("tests/probe.wasm").await;
    let mut rewriters = Vec::new();
    for _ in 0..REWRITERS {
        rewriters.push(Rewriter::start(Arc::clone(&probe), &call("m"), b"", None).await.unwrap());
    }
    let another = Rewriter::start(Arc::clone(&probe), &call("m"), b"", None).await;
    assert!(matches!(another.err(), Some(HookError::Busy)));
    // Streams that last must not keep short hooks from running.
    assert!(prepare(&probe, &call("m")).await.is_ok());
    let event = || Event { name: None, data: "{}".into() };
    let answer = rewriters[0].push(&[event(), event()]).await.unwrap().unwrap();
    assert_eq!(answer.len(), 2);
    rewriters.pop();
    assert!(Rewriter::start(Arc::clone(&probe), &call("m"), b"", None).await.is_ok());
}

#[tokio::test]
async fn the_same_call_is_answered_without_the_component() {
    for file in ["openai.wasm", "tests/echo.wasm", "tests/hostile.wasm"] {
        let plugin = plugin(file).await;
        let first = sent(&plugin, &call("ok")).await;
        assert!(Arc::ptr_eq(&first, &sent(&plugin, &call("ok")).await), "{file}");
        assert!(!Arc::ptr_eq(&first, &sent(&plugin, &call("gpt-5")).await), "{file}");
        let mut work = call("ok");
        work.account = Some(Account { label: "work".into(), claims: Vec::new() });
        assert!(!Arc::ptr_eq(&first, &sent(&plugin, &work).await), "{file}");
    }
}

#[tokio::test]
async fn a_component_that_looked_at_the_body_is_asked_each_time() {
    let hostile = plugin("tests/hostile.wasm").await;
    // It patches, which fails for want of a value to remove: a body that has one would be answered otherwise.
    for _ in 0..2 {
        let Ok(Err(failure)) = prepare(&hostile, &call("patch-bad")).await else { panic!("the patch went through") };
        assert!(failure.message.contains("/not/there"), "{}", failure.message);
    }
    let with = |text: &str| HookBody::Json(Document::parse(text.to_owned()).unwrap());
    let (answer, _) = hostile.prepare(&call("patch-bad"), with(r#"{"not":{"there":1}}"#), None).await;
    let Ok(Ok(Prepared::Send(first))) = answer else { panic!("the patch did not go through") };
    let (answer, body) = hostile.prepare(&call("patch-bad"), with(r#"{"not":{"there":2}}"#), None).await;
    let Ok(Ok(Prepared::Send(second))) = answer else { panic!("the patch did not go through") };
    assert!(!Arc::ptr_eq(&first, &second));
    let HookBody::Json(document) = body else { panic!("the body is gone") };
    let left: Vec<u8> = document.output().into_chunks().into_iter().flatten().collect();
    assert_eq!(String::from_utf8(left).unwrap(), r#"{"not":{},"user":"kept?"}"#);
}

#[tokio::test]
async fn what_was_compiled_once_is_never_compiled_again() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = components::read("tests/echo.wasm");
    let error = load(&without_compiler(&cache), &bytes).await.unwrap_err().to_string();
    assert!(error.contains("the compiler process could not be run"), "{error}");

    load(&loader(&cache), &bytes).await.unwrap();
    let again = load(&without_compiler(&cache), &bytes).await.unwrap();
    assert_eq!(sent(&again, &call("m")).await.path, "/chat/completions");
}

#[tokio::test]
async fn another_build_has_another_digest_and_is_compiled_anew() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = components::read("tests/echo.wasm");
    // A custom section named `x`: the same component to everyone but the digest.
    let other = [bytes.as_slice(), &[0, 2, 1, b'x']].concat();
    assert_ne!(Digest::of(&bytes), Digest::of(&other));
    load(&loader(&cache), &bytes).await.unwrap();
    assert!(matches!(load(&without_compiler(&cache), &other).await, Err(LoadError::Compile(_))));
    let loaded = load(&loader(&cache), &other).await.unwrap();
    assert_eq!(loaded.digest, Digest::of(&other));
    assert_eq!(compiled(&cache).len(), 2);
}

#[tokio::test]
async fn a_description_is_known_without_compiled_code() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = components::read("openai.wasm");
    let digest = Digest::of(&bytes);
    assert!(without_compiler(&cache).describe(&bytes, &digest).await.is_err());
    loader(&cache).describe(&bytes, &digest).await.unwrap();
    for file in compiled(&cache) {
        std::fs::remove_file(file).unwrap();
    }
    let description = without_compiler(&cache).describe(&bytes, &digest).await.unwrap();
    assert_eq!(description.id, "openai");
}

#[tokio::test]
async fn compiled_code_that_does_not_load_is_made_again() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = components::read("tests/echo.wasm");
    load(&loader(&cache), &bytes).await.unwrap();
    let code = compiled(&cache).remove(0);
    std::fs::write(&code, "not code at all").unwrap();
    assert!(matches!(load(&without_compiler(&cache), &bytes).await, Err(LoadError::Compile(_))));
    load(&loader(&cache), &bytes).await.unwrap();
    assert!(std::fs::metadata(&code).unwrap().len() > 1000);
}

#[tokio::test]
async fn what_is_no_component_is_refused_before_it_is_compiled() {
    let cache = tempfile::tempdir().unwrap();
    let loader = without_compiler(&cache);
    for (bytes, says) in [
        (b"not wasm".to_vec(), "not a WebAssembly component"),
        (wat::parse_str("(module)").unwrap(), "core WebAssembly module"),
        (wat::parse_str("(component)").unwrap(), "exports no bitrouter:provider/provider"),
    ] {
        let error = load(&loader, &bytes).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_hook_has_a_limit_on_the_wall_as_well() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = components::read("tests/hostile.wasm");
    load(&loader(&cache), &bytes).await.unwrap();
    let budget = Budget { memory: MEMORY, cpu: Duration::from_secs(3600), wall: Duration::from_millis(50) };
    let runtime = Runtime::new(budget).unwrap();
    let cache = Cache::open(cache.path(), runtime.compatibility()).unwrap();
    let loader = Loader::new(runtime, cache, Compiler { program: "no-such-program".into() });
    let hostile = load(&loader, &bytes).await.unwrap();
    assert!(matches!(prepare(&hostile, &call("loop")).await, Err(HookError::Wall(wall)) if wall == budget.wall));
}

/// The files of machine code in a cache.
fn compiled(cache: &TempDir) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(cache.path().join("components")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[tokio::test]
async fn a_page_that_a_component_cannot_read_does_not_bench_it_for_calls() {
    let hostile = plugin("tests/hostile.wasm").await;
    let page = |body: &str| Answer { status: 200, headers: Vec::new(), body: body.into(), truncated: false };
    for _ in 0..6 {
        let error = hostile.interpret("models", &page("loop"), None).await.unwrap_err();
        // No client waits for it, so it has ten times as long.
        assert!(matches!(&error, HookError::Cpu(budget) if *budget == 10 * Budget::default().cpu), "{error:?}");
    }
    assert!(matches!(hostile.interpret("models", &page("trap"), None).await, Err(HookError::Trap(_))));
    assert_eq!(hostile.benched(), None);
    assert_eq!(sent(&hostile, &call("ok")).await.path, "/chat/completions");
}
