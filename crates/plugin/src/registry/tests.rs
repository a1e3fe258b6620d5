//! What a reload does while a component takes its time.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::cache::Cache;
use crate::compile::Compiler;
use crate::engine::{Budget, Runtime, settings};

/// A compiler that ends once a file is there, and has compiled nothing.
fn slow(folder: &Path) -> Compiler {
    let program = folder.join("compiler");
    let script =
        format!("#!/bin/sh\ntouch {0}/began\nwhile [ ! -e {0}/go ]; do sleep 0.05; done\nexit 1\n", folder.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Compiler { program }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_to_compile_holds_up_nothing_else_that_has_changed_and_is_taken_when_it_is_done() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    let runtime = Runtime::with(settings(), Budget::default()).unwrap();
    let loader = Loader::new(runtime, Cache::nowhere("test".into()), slow(home.path()));
    let sources = Sources {
        built_in: &[],
        folder: folder.clone(),
        lock: home.path().join("plugins.lock"),
        pinned: false,
        signers: Signers::default(),
    };
    let registry = Registry::start(loader.clone(), sources.clone());
    registry.complete().await;

    let component = r#"(component (instance $p) (export "bitrouter:provider/provider@0.1.0" (instance $p)))"#;
    std::fs::write(folder.join("slow.wasm"), wat::parse_str(component).unwrap()).unwrap();
    let description = r#"{"id": "quick", "name": "Q", "version": "1", "origins": {"api": "https://q.example"},
        "serves": {"generate": ["chat-completions"]}}"#;
    std::fs::write(folder.join("quick.json"), description).unwrap();
    let aside = Aside::default();
    let before = Before { aside: Some(aside.clone()), same_engine: true, ..Before::default() };
    let (news, current) = watch::channel(Arc::default());
    // A reload whose time is over by the time that it comes to the component.
    load_until(loader.clone(), sources.clone(), before, news, Instant::now()).await;
    let snapshot = current.borrow().clone();
    assert!(snapshot.plugins.contains_key("quick"), "{snapshot:?}");
    assert!(snapshot.refused[0].reason.contains("still being compiled"), "{:?}", snapshot.refused);
    assert!(!aside.has_news());

    std::fs::write(home.path().join("go"), "").unwrap();
    while !aside.has_news() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let registry = Registry { aside, ..registry };
    let registry = registry.reloaded(loader, sources).await;
    assert!(registry.now().refused[0].reason.contains("the compiler ended with"), "{:?}", registry.now().refused);
    assert!(!registry.has_news());
}
