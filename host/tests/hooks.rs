//! Hooks of real components on the real pool: their budgets, what outlives them, and what is compiled when.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod components;

use std::sync::Arc;
use std::time::Duration;

use bitrouter_plugin::compile::Compiler;
use bitrouter_plugin::contract::{Account, Answer, Call, Event, Failure, Field, Head, Request, Trouble};
use bitrouter_plugin::{
    Budget, Cache, Digest, HookBody, HookError, LoadError, Loader, Origin, Plugin, Prepared, REWRITERS, Read, Rewriter,
    Runtime,
};

use bitrouter_document::Document;
use tempfile::TempDir;

/// Small, so that a component that takes all there is takes it quickly.
const MEMORY: usize = 16 << 20;
/// How long a hook may wait for a core: longer than any machine that runs tests lets it.
const PATIENCE: Duration = Duration::from_secs(600);

/// A loader over this cache whose compiler is the real binary.
fn loader(cache: &TempDir) -> Loader {
    with_compiler(cache, env!("CARGO_BIN_EXE_bitrouter"))
}

/// A loader that can compile nothing.
fn without_compiler(cache: &TempDir) -> Loader {
    with_compiler(cache, "no-such-program")
}

fn with_compiler(cache: &TempDir, program: &str) -> Loader {
    let runtime = Runtime::new(Budget { memory: MEMORY, wall: PATIENCE, ..Budget::default() }).unwrap();
    let cache = Cache::open(cache.path(), runtime.compatibility()).unwrap();
    Loader::new(runtime, cache, Compiler { program: program.into() })
}

async fn load(loader: &Loader, bytes: &[u8]) -> Result<Plugin, LoadError> {
    Ok(loader.load(bytes, Digest::of(bytes), Origin::BuiltIn).await?.remove(0))
}

/// A component on a pool of its own.
async fn plugin(file: &str) -> Arc<Plugin> {
    let cache = tempfile::tempdir().unwrap();
    Arc::new(load(&loader(&cache), &components::read(file)).await.unwrap())
}

/// The same within this budget.
async fn plugin_within(budget: Budget, file: &str) -> Arc<Plugin> {
    let (cache, bytes) = (tempfile::tempdir().unwrap(), components::read(file));
    load(&loader(&cache), &bytes).await.unwrap();
    let runtime = Runtime::new(budget).unwrap();
    let cache = Cache::open(cache.path(), runtime.compatibility()).unwrap();
    let loader = Loader::new(runtime, cache, Compiler { program: "no-such-program".into() });
    Arc::new(load(&loader, &bytes).await.unwrap())
}

fn head() -> Head {
    Head { status: 200, headers: Vec::new(), more: String::new() }
}

/// A component whose time is never up, however slow the machine is: for tests of anything but time. What is quick here may
/// be slow elsewhere, above all the first touch of memory.
async fn unhurried(file: &str) -> Arc<Plugin> {
    plugin_within(Budget { memory: MEMORY, cpu: Duration::from_secs(3600), wall: PATIENCE }, file).await
}

/// A component with ten times the usual time, for machines that are as slow: enough for work that grows with the body, and
/// not for work that grows with its square.
async fn roomy(file: &str) -> Arc<Plugin> {
    let cpu = 10 * Budget::default().cpu;
    plugin_within(Budget { memory: MEMORY, cpu, wall: PATIENCE }, file).await
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
        provider: "acme".into(),
        model_info: "{}".into(),
        attempt: 1,
        more: String::new(),
    }
}

fn body() -> HookBody {
    HookBody::Json(Document::parse(r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#).unwrap())
}

/// What `prepare` makes of a call to this model, sent or refused.
async fn prepare(plugin: &Plugin, call: &Call) -> Result<Result<Prepared, Failure>, HookError> {
    prepare_body(plugin, call, body()).await
}

/// The same with a body of its own.
async fn prepare_body(plugin: &Plugin, call: &Call, body: HookBody) -> Result<Result<Prepared, Failure>, HookError> {
    let (answer, returned) = plugin.prepare(call, body, None).await;
    assert!(matches!(returned, HookBody::Json(_)), "the body comes back whatever the hook does");
    answer
}

/// The request that a call becomes.
async fn sent(plugin: &Plugin, call: &Call) -> Arc<Request> {
    match prepare(plugin, call).await {
        Ok(Ok(Prepared::Send(request))) => request,
        Ok(Ok(Prepared::Ask(_) | Prepared::Reply(_))) => panic!("it does not send"),
        Ok(Err(failure)) => panic!("refused: {}", failure.message),
        Err(error) => panic!("{error}"),
    }
}

/// Makes sure that a hook runs, rather than that a cached answer is taken.
fn fresh(model: &str, number: usize) -> Call {
    let mut call = call(model);
    call.headers.push(Field { name: "x-number".into(), value: number.to_string() });
    call
}

async fn trouble(plugin: &Plugin, model: &str) -> Result<Failure, HookError> {
    let trouble = Trouble::Event(Event::text(None, r#"{"error":{"message":"why"}}"#.into()));
    plugin.explain(&trouble, model.as_bytes(), None).await
}

#[tokio::test]
async fn a_hook_over_its_budget_ends_with_its_reason_and_the_next_one_runs() {
    let hostile = plugin("tests/hostile.wasm").await;
    let unhurried = unhurried("tests/hostile.wasm").await;
    let out_of_bounds = |why: &str| why.contains("out of bounds");
    type Check<'a> = &'a dyn Fn(&HookError) -> bool;
    let cases: [(&Plugin, &str, Check<'_>); 5] = [
        (&hostile, "loop", &|error| matches!(error, HookError::Cpu(budget) if *budget == Budget::default().cpu)),
        (&unhurried, "grow", &|error| matches!(error, HookError::Memory(MEMORY))),
        // The guest's own stack, which lies in its memory, may end before the engine's.
        (&unhurried, "recurse", &|error| {
            matches!(error, HookError::Stack) || matches!(error, HookError::Trap(why) if out_of_bounds(why))
        }),
        (&unhurried, "trap-prepare", &|error| matches!(error, HookError::Trap(why) if why.contains("unreachable"))),
        (&hostile, "find-bomb", &|error| {
            matches!(error, HookError::Cpu(_) | HookError::Memory(_) | HookError::Contract(_))
        }),
    ];
    for (number, (plugin, model, expected)) in cases.into_iter().enumerate() {
        let error = prepare(plugin, &call(model)).await.err().unwrap_or_else(|| panic!("{model} gave an answer"));
        assert!(expected(&error), "{model}: {error:?}");
        assert_eq!(sent(plugin, &fresh("ok", number)).await.path, "/chat/completions");
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
async fn a_component_over_its_budget_again_and_again_is_quarantined() {
    let hostile = plugin("tests/hostile.wasm").await;
    for _ in 0..5 {
        assert!(hostile.quarantined().is_none());
        assert!(matches!(prepare(&hostile, &call("loop")).await, Err(HookError::Cpu(_))));
    }
    assert!(hostile.quarantined().unwrap().contains("20 ms of CPU time, 5 times in a row"));
    assert!(matches!(prepare(&hostile, &call("ok")).await, Err(HookError::Quarantined { .. })));
}

#[tokio::test]
async fn an_instance_knows_nothing_of_the_one_before_it() {
    let hostile = unhurried("tests/hostile.wasm").await;
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
    let probe = unhurried("tests/probe.wasm").await;
    let mut rewriters = Vec::new();
    // A component alone gets three quarters, so that there is one for any other.
    for _ in 0..REWRITERS / 4 * 3 {
        rewriters.push(Rewriter::start(Arc::clone(&probe), &call("m"), b"", &head(), None).await.unwrap());
    }
    let another = Rewriter::start(Arc::clone(&probe), &call("m"), b"", &head(), None).await;
    assert!(matches!(another.err(), Some(HookError::Busy)));
    // Streams that last must not keep short hooks from running.
    assert!(prepare(&probe, &call("m")).await.is_ok());
    let event = || Event::text(None, "{}".into());
    let answer = rewriters[0].push(&[event(), event()]).await.unwrap().unwrap();
    assert_eq!(answer.len(), 2);
    rewriters.pop();
    assert!(Rewriter::start(Arc::clone(&probe), &call("m"), b"", &head(), None).await.is_ok());
}

#[tokio::test]
async fn a_rewriter_returns_what_it_was_given_and_not_a_thousand_times_as_much() {
    let event = |bytes: usize| Event::text(None, "x".repeat(bytes));
    let probe = unhurried("tests/probe.wasm").await;
    let mut rewriter = Rewriter::start(probe, &call("m"), b"", &head(), None).await.unwrap();
    // An image in one event, and small ones without an end.
    assert_eq!(rewriter.push(&[event(2 << 20)]).await.unwrap().unwrap().len(), 1);
    for _ in 0..50 {
        assert_eq!(rewriter.push(&vec![event(100); 500]).await.unwrap().unwrap().len(), 500);
    }
    let hostile = unhurried("tests/hostile.wasm").await;
    let mut rewriter = Rewriter::start(hostile, &call("flood-pushes"), b"", &head(), None).await.unwrap();
    assert_eq!(rewriter.push(&[event(100)]).await.unwrap().unwrap().len(), 1000, "small enough, whatever it is");
    let refused = rewriter.push(&vec![event(100); 60]).await.err().unwrap().to_string();
    assert!(refused.contains("rewriter.push: it moves more across the boundary than one call may"), "{refused}");
}

#[tokio::test]
async fn the_same_call_is_answered_without_the_component() {
    for file in ["tests/folding.wasm", "tests/echo.wasm", "tests/hostile.wasm"] {
        let plugin = unhurried(file).await;
        let first = sent(&plugin, &call("ok")).await;
        assert!(Arc::ptr_eq(&first, &sent(&plugin, &call("ok")).await), "{file}");
        assert!(!Arc::ptr_eq(&first, &sent(&plugin, &call("gpt-5")).await), "{file}");
        let mut work = call("ok");
        work.account = Some(Account { label: "work".into(), claims: Vec::new() });
        assert!(!Arc::ptr_eq(&first, &sent(&plugin, &work).await), "{file}");
    }
}

#[tokio::test]
async fn a_description_alone_does_what_it_says_without_any_instance() {
    const ALONE: &str = r#"{
        "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "https://acme.example" },
        "serves": { "generate": ["chat-completions"] },
        "errors": { "rules": [{ "code": "77", "kind": "overloaded" }] },
        "limits": { "headers": ["acme-{value}-{window}"] },
        "side_requests": { "models": { "kind": "models", "path": "/m" }, "usage": { "kind": "usage", "path": "/u" } }
    }"#;
    let cache = tempfile::tempdir().unwrap();
    let acme = load(&without_compiler(&cache), ALONE.as_bytes()).await.unwrap();
    let request = sent(&acme, &call("m")).await;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/chat/completions"));
    let mut elsewhere = call("m");
    elsewhere.dialect = "responses".into();
    let Ok(Err(refused)) = prepare(&acme, &elsewhere).await else { panic!("it is not served") };
    assert_eq!((refused.kind.as_str(), refused.scope.as_str()), ("unsupported", "provider"));

    let page = |status, body: &str| Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
        truncated: false,
        more: String::new(),
    };
    let trouble = Trouble::Answer(page(400, r#"{"error":{"code":77,"message":"Full"}}"#));
    let failure = acme.explain(&trouble, b"", None).await.unwrap();
    assert_eq!((failure.kind.as_str(), failure.scope.as_str()), ("overloaded", "model"));
    let headers = [Field { name: "acme-remaining-day".into(), value: "5".into() }];
    let windows = acme.quota(&headers, None, None).await.unwrap();
    assert_eq!((windows[0].name.as_str(), windows[0].remaining), ("day", Some(5)));
    let read = acme.interpret("models", &page(200, r#"{"data":[{"id":"a"}]}"#), None).await.unwrap();
    assert!(matches!(read, Ok(Read::Page(page)) if page.models[0].id == "a" && page.next.is_none()));
    for (side, page, kind) in [
        ("models", page(401, ""), "unauthorized"),
        ("models", page(200, "{}"), "other"),
        ("usage", page(200, "{}"), "unsupported"),
        ("none", page(200, "{}"), "unsupported"),
    ] {
        let Ok(Err(failure)) = acme.interpret(side, &page, None).await else { panic!("{side} was read") };
        assert_eq!(failure.kind, kind, "{side}");
    }
    let (acme, call) = (Arc::new(acme), call("m"));
    let refused = Rewriter::start(acme, &call, b"", &head(), None).await.err().unwrap().to_string();
    assert!(refused.contains("exports no `streams`"), "{refused}");
}

#[tokio::test]
async fn what_a_component_edited_once_is_edited_again_without_it_and_a_failure_is_asked_for_each_time() {
    let hostile = unhurried("tests/hostile.wasm").await;
    // It patches, which fails for want of a value to remove: a body that has one is answered otherwise.
    for _ in 0..2 {
        let Ok(Err(failure)) = prepare(&hostile, &call("patch-bad")).await else { panic!("the patch went through") };
        assert!(failure.message.contains("/not/there"), "{}", failure.message);
    }
    let with = |text: &str| HookBody::Json(Document::parse(text.to_owned()).unwrap());
    let (answer, _) = hostile.prepare(&call("patch-bad"), with(r#"{"not":{"there":1}}"#), None).await;
    let Ok(Ok(Prepared::Send(first))) = answer else { panic!("the patch did not go through") };
    let (answer, body) = hostile.prepare(&call("patch-bad"), with(r#"{"not":{"there":2}}"#), None).await;
    let Ok(Ok(Prepared::Send(second))) = answer else { panic!("the patch did not go through") };
    assert!(Arc::ptr_eq(&first, &second));
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
    // It says what it is in its file.
    let bytes = components::read("openai.wasm");
    let description = without_compiler(&cache).describe(&bytes, &Digest::of(&bytes)).await.unwrap();
    assert_eq!(description[0].id, "openai");
    // It has to be asked, once.
    let bytes = components::read("tests/hostile.wasm");
    let digest = Digest::of(&bytes);
    assert!(without_compiler(&cache).describe(&bytes, &digest).await.is_err());
    loader(&cache).describe(&bytes, &digest).await.unwrap();
    for file in compiled(&cache) {
        std::fs::remove_file(file).unwrap();
    }
    let description = without_compiler(&cache).describe(&bytes, &digest).await.unwrap();
    assert_eq!(description[0].id, "hostile");
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
    let budget = Budget { memory: MEMORY, cpu: Duration::from_secs(3600), wall: Duration::from_millis(50) };
    let hostile = plugin_within(budget, "tests/hostile.wasm").await;
    assert!(matches!(prepare(&hostile, &call("loop")).await, Err(HookError::Wall(wall)) if wall == budget.wall));
}

/// The files of machine code in a cache.
fn compiled(cache: &TempDir) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(cache.path().join("components")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[tokio::test]
async fn a_page_that_a_component_cannot_read_does_not_quarantine_it_for_calls() {
    let hostile = plugin("tests/hostile.wasm").await;
    let page = |body: &str| Answer {
        status: 200,
        headers: Vec::new(),
        body: body.into(),
        truncated: false,
        more: String::new(),
    };
    for _ in 0..6 {
        let error = hostile.interpret("models", &page("loop"), None).await.unwrap_err();
        // No client waits for it, so it has ten times as long.
        assert!(matches!(&error, HookError::Cpu(budget) if *budget == 10 * Budget::default().cpu), "{error:?}");
    }
    assert!(matches!(hostile.interpret("models", &page("trap"), None).await, Err(HookError::Trap(_))));
    assert_eq!(hostile.quarantined(), None);
    assert_eq!(sent(&hostile, &call("ok")).await.path, "/chat/completions");
}

/// A body with this member.
fn with(member: &str) -> HookBody {
    HookBody::Json(Document::parse(format!("{{\"model\":\"m\",{member}}}")).unwrap())
}

/// What a hook was refused with, by whomever.
async fn refused(plugin: &Plugin, model: &str, body: HookBody) -> String {
    match prepare_body(plugin, &call(model), body).await {
        Ok(Ok(_)) => panic!("{model} is served"),
        Ok(Err(failure)) => failure.message,
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_on_a_document_is_bounded_before_it_is_done() {
    let (hurried, floods) = (plugin("tests/floods.wasm").await, unhurried("tests/floods.wasm").await);
    let rows = |count: usize| with(&format!("\"rows\":[{}{{}}]", "{},".repeat(count - 1)));
    let padded = || with(&format!("\"pad\":\"{}\"", "x".repeat(1 << 20)));
    for (model, body, why) in [
        ("find-wide/1000", rows(100_000), "at most 64 at once"),
        ("find-wide/64", rows(100_000), "6500000 values; at most 524288"),
        ("many-members/70000", padded(), "at most 65536 are applied at once"),
        ("each-wide/20", rows(20_000), "at most 262144 are applied at once"),
        ("each-loop", rows(20_000), "ms of CPU time"),
        ("doubling-array/20", rows(1), "the edits add more than"),
        ("read-loop", rows(20_000), "ms of CPU time"),
        ("read-loop", rows(700_000), "too many members to index"),
        ("fail-loop", rows(300_000), "ms of CPU time"),
        ("many-members-loop/20000", rows(1), "CPU time"),
    ] {
        // A loop ends when its time is up, whatever it is told.
        let floods = if model.contains("loop") { &hurried } else { &floods };
        let refusal = refused(floods, model, body).await;
        assert!(refusal.contains(why), "{model}: {refusal}");
    }
    // What is not too much is done, and as fast as what it adds.
    for model in ["many-members/20000", "many-items/20000"] {
        let answer = prepare_body(&floods, &call(model), padded()).await;
        assert!(matches!(answer, Ok(Ok(_))), "{model}: {:?}", answer.err());
    }
}

#[tokio::test]
async fn an_array_of_too_many_items_is_the_bodys_fault_and_a_table_too_wide_the_components() {
    let floods = unhurried("tests/floods.wasm").await;
    let rows = || with(&format!("\"rows\":[{}0]", "0,".repeat(100_000)));
    let answer = prepare_body(&floods, &call("find-wide/9"), rows()).await;
    let Err(HookError::Body(error)) = answer else { panic!("{:?}", answer.err()) };
    assert!(error.to_string().contains("1000010 values"), "{error}");
    for (model, why) in [("find-wide/65", "at most 64 at once"), ("long-pointer", "a tilde is written ~0")] {
        match prepare_body(&floods, &call(model), rows()).await {
            Ok(Err(failure)) => assert!(failure.message.contains(why), "{model}: {}", failure.message),
            other => panic!("{model}: {:?}", other.err()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_innocent_component_has_time_for_a_long_conversation_and_for_unknown_members() {
    let floods = roomy("tests/floods.wasm").await;
    let message = r#"{"role":"user","content":"hi"}"#;
    let messages = || with(&format!("\"messages\":[{}{message}]", format!("{message},").repeat(29_999)));
    let members = || {
        let members: Vec<String> = (0..20_000).map(|number| format!("\"x{number}\":1")).collect();
        with(&members.join(","))
    };
    let codex = roomy("openai-codex.wasm").await;
    let mut responses = call("gpt-5.5");
    responses.dialect = "responses".into();
    // What is left of the members that nobody knows.
    let (answer, HookBody::Json(left)) = codex.prepare(&responses, members(), None).await else { panic!("no body") };
    let Ok(Ok(Prepared::Send(request))) = answer else { panic!("{:?}", answer.err()) };
    let left = String::from_utf8(left.output().into_bytes().to_vec()).unwrap();
    assert!(left.starts_with(r#"{"model":"m","#) && left.len() < 500 && !left.contains("x1"), "{left:.600}");
    assert!(!request.dropped.is_empty() && request.dropped.len() <= 64);
    for _ in 0..6 {
        for (model, body) in [("read-each", messages()), ("wrap-each", messages()), ("remove-each", members())] {
            let answer = prepare_body(&floods, &call(model), body).await;
            assert!(matches!(answer, Ok(Ok(_))), "{model}: {:?}", answer.err());
        }
        for body in [
            members(),
            with(&format!("\"input\":[{}{message}]", format!("{message},").repeat(29_999))),
            with(&format!("\"input\":\"hi\",\"tools\":[{}{{}}]", r#"{"type":"function","name":"f"},"#.repeat(30_000))),
        ] {
            let answer = prepare_body(&codex, &responses, body).await;
            assert!(matches!(answer, Ok(Ok(_))), "openai-codex: {:?}", answer.err());
        }
    }
    assert!(floods.quarantined().is_none() && codex.quarantined().is_none());
}

#[tokio::test]
async fn large_bodies_of_one_client_quarantine_a_component_for_nobody() {
    let floods = plugin("tests/floods.wasm").await;
    let large = || with(&format!("\"pad\":\"{}\"", "x".repeat(100 << 10)));
    for _ in 0..8 {
        let answer = prepare_body(&floods, &call("read-loop"), large()).await;
        assert!(matches!(answer, Err(HookError::Cpu(_))), "{:?}", answer.err());
    }
    assert!(floods.quarantined().is_none());
    assert!(prepare(&floods, &call("ok")).await.is_ok());
}

#[tokio::test]
async fn a_component_cannot_wait() {
    let napping = plugin("tests/napping.wasm").await;
    for model in ["block", "poll", "ready"] {
        let answer = prepare(&napping, &call(model)).await;
        assert!(matches!(answer, Ok(Ok(_))), "{model}: {:?}", answer.err());
    }
    let answer = prepare(&napping, &call("until")).await;
    assert!(matches!(answer, Err(HookError::Cpu(_))), "{:?}", answer.err());
}

#[tokio::test]
async fn what_a_component_says_is_cut_where_it_enters() {
    let floods = unhurried("tests/floods.wasm").await;
    for model in ["long-pointer", "long-edit", "long-failure"] {
        match prepare(&floods, &call(model)).await {
            Ok(Err(failure)) => {
                let code = failure.code.unwrap_or_default();
                assert!(failure.message.len() < 1_100 && code.len() < 300, "{model}: {}", failure.message.len());
            }
            other => panic!("{model}: {:?}", other.err()),
        }
    }
    let request = sent(&floods, &call("long-dropped")).await;
    assert!(request.dropped.iter().all(|pointer| pointer.len() < 300));
}

#[tokio::test]
async fn what_broke_says_in_which_hook() {
    let hostile = unhurried("tests/hostile.wasm").await;
    let crashed = prepare(&hostile, &call("trap-prepare")).await.err().unwrap().to_string();
    assert!(crashed.starts_with("crashed in prepare: "), "{crashed}");
    let crashed = trouble(&hostile, "trap-explain").await.unwrap_err().to_string();
    assert!(crashed.starts_with("crashed in explain: "), "{crashed}");
}
