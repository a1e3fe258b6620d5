//! What the seams of the contract promise, tried with guests that no gateway loads: a version that is not published, and a world
//! that is no provider. Needs `cargo xtask guests`.

use std::path::Path;
use std::sync::Arc;

use bitrouter_contract::validate;
use bitrouter_document::Document;
use wasmtime::component::{Component, HasSelf, Linker, Resource};

use crate::compile::Compiler;
use crate::contract::{Call, Names, NotAProvider};
use crate::guest_log::GuestLog;
use crate::instance::{FUEL, HookState, store, within};
use crate::prepare_cache::Trace;
use crate::{Budget, Cache, Digest, HookBody, Loader, Origin, Plugin, Prepared, Runtime, contract};

/// A guest's bytes.
fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components/tests").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}. Run cargo xtask guests", path.display()))
}

fn runtime() -> Runtime {
    Runtime::with(crate::settings(), Budget::default()).unwrap()
}

/// Loads a guest without a child that compiles it, which needs the program.
async fn load(runtime: &Runtime, name: &str) -> (Names, Arc<Plugin>) {
    let bytes = guest(name);
    let loader =
        Loader::new(runtime.clone(), Cache::nowhere(runtime.compatibility()), Compiler { program: "none".into() });
    let names = contract::names(&bytes).unwrap();
    let code = loader.link(&Component::new(runtime.engine(), &bytes).unwrap(), &names).unwrap();
    let description = crate::hook::describe(runtime, &code).await.unwrap();
    let description = validate::description(&description).unwrap();
    (names, Arc::new(loader.plugin(description, Digest::of(&bytes), Origin::BuiltIn, Some(code))))
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
        provider: "next".into(),
        model_info: "{}".into(),
        attempt: 1,
        more: String::new(),
    }
}

/// The request's path and the body of a call, or the failure's sentence.
async fn prepare(plugin: &Plugin, model: &str) -> Result<(String, String), String> {
    let body = HookBody::Json(Document::parse(format!(r#"{{"model":"{model}"}}"#)).unwrap());
    let (step, mut body) = plugin.prepare(&call(model), body, None).await;
    match step.unwrap() {
        Ok(Prepared::Send(request)) => {
            let body = body.document().unwrap().output().into_bytes();
            Ok((request.path.clone(), String::from_utf8(body.to_vec()).unwrap()))
        }
        Ok(_) => Err("it asks or replies".into()),
        Err(failure) => Err(format!("{}: {}", failure.kind, failure.message)),
    }
}

#[tokio::test]
async fn components_of_two_versions_are_served_by_one_gateway() {
    let runtime = runtime();
    let (names, next) = load(&runtime, "next.wasm").await;
    assert_eq!(names.version, "0.2.0-test");
    let (names, echo) = load(&runtime, "echo.wasm").await;
    assert_eq!(names.version, "0.1.0");
    // What the newer one is told and no older one was reaches it; what it answers is what the gateway knows.
    let edited = (String::from("/chat/completions"), String::from(r#"{"model":"m","deadline":30000}"#));
    let as_it_was = (String::from("/chat/completions"), String::from(r#"{"model":"m"}"#));
    for _ in 0..2 {
        assert_eq!(prepare(&next, "m").await.unwrap(), edited);
        assert_eq!(prepare(&echo, "m").await.unwrap(), as_it_was);
    }
    assert_eq!(prepare(&next, "refused").await.unwrap_err(), "unsupported: not this one");
}

#[allow(missing_docs)]
mod policy {
    wasmtime::component::bindgen!({
        path: ["../../wit/0.1.0/deps/host", "../../tests/guests/guard/wit"],
        world: "bitrouter:policy/guardrail",
        exports: { default: async },
        with: {
            "bitrouter:host/document": crate::contract::document,
            "bitrouter:host/log": crate::contract::log,
        },
    });
}

use policy::exports::bitrouter::policy::guard::{GuestIndices, Verdict};

#[tokio::test]
async fn what_the_host_lends_serves_a_world_that_is_no_provider() {
    let runtime = runtime();
    let bytes = guest("guard.wasm");
    assert!(matches!(contract::names(&bytes), Err(NotAProvider::NoProvider)), "as a provider it is refused");
    let mut linker: Linker<HookState> = Linker::new(runtime.engine());
    contract::document::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).unwrap();
    contract::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).unwrap();
    let guard = linker.instantiate_pre(&Component::new(runtime.engine(), &bytes).unwrap()).unwrap();
    let indices = GuestIndices::new(&guard).unwrap();
    for (body, expected, left) in [
        (r#"{"messages":[{"content":"hello"}]}"#, "Allow", r#"{"messages":[{"content":"hello"}]}"#),
        (r#"{"messages":[{"content":"a","name":"me"}]}"#, "Edited", r#"{"messages":[{"content":"a"}]}"#),
        (
            r#"{"messages":[{"content":"hello"},{"content":"the launch code is 0000"}]}"#,
            "/messages/1 says a secret",
            r#"{"messages":[{"content":"hello"},{"content":"the launch code is 0000"}]}"#,
        ),
    ] {
        let document = Document::parse(body.to_owned()).unwrap();
        let state =
            HookState::new(GuestLog::new("guard"), Some(document), None, runtime.budget(), None, Trace::default());
        let mut store = store(&runtime, state, FUEL);
        let verdict = within(&runtime, "check", &mut store, async |store| {
            let instance = guard.instantiate_async(&mut *store).await?;
            indices.load(&mut *store, &instance)?.call_check(store, "m", Resource::new_borrow(0)).await
        });
        let verdict = match verdict.await.unwrap() {
            Verdict::Allow => "Allow".to_owned(),
            Verdict::Edited => "Edited".to_owned(),
            Verdict::Deny(why) => why,
        };
        assert_eq!(verdict, expected);
        let document = store.into_data().document.unwrap();
        assert_eq!(document.output().into_bytes(), left.as_bytes());
    }
}
