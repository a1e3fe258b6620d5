//! What `prepare` of `openai-codex` costs in the sandbox, host calls included, for a request of 1 KB and one of 1 MB with
//! 600 items, from its client and from others. Run by `cargo xtask guests && cargo bench -p bitrouter`; prints
//! microseconds, with an instance for each call and with what is kept of calls alike. No test depends on it.
//!
//! The document's index is built before the clock starts, as a call builds it once whatever its component does.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bitrouter_plugin::compile::Compiler;
use bitrouter_plugin::contract::{Call, Field};
use bitrouter_plugin::{Budget, Cache, Digest, HookBody, Loader, Origin, Plugin, Runtime};

use bitrouter_document::{Document, Find};

const RUNS: usize = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let plugin = plugin().await;
        println!(
            "{:<8} {:<6} {:<6} {:>8} {:>6} {:>9} {:>9}",
            "client", "calls", "items", "bytes", "pieces", "min µs", "median µs"
        );
        for (client, headers) in [("codex", codex()), ("sdk", Vec::new())] {
            for alike in [false, true] {
                for items in [1, 600] {
                    measure(&plugin, client, &headers, alike, items).await;
                }
            }
        }
    });
}

/// The built-in component on the pool that serves requests.
async fn plugin() -> Plugin {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = root.join("target/components/openai-codex.wasm");
    let bytes = std::fs::read(&file).unwrap_or_else(|_| panic!("{}: run cargo xtask guests", file.display()));
    let engine = Runtime::new(Budget::default()).expect("the engine takes its settings");
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let cache = Cache::open(folder.path(), engine.compatibility()).expect("a cache in it");
    let compiler = Compiler { program: env!("CARGO_BIN_EXE_bitrouter").into() };
    let loader = Loader::new(engine, cache, compiler);
    loader.load(&bytes, Digest::of(&bytes), Origin::BuiltIn).await.expect("the component loads").remove(0)
}

fn codex() -> Vec<Field> {
    let header = |name: &str, value: &str| Field { name: name.into(), value: value.into() };
    vec![header("originator", "codex_exec"), header("session-id", "01a2-session")]
}

/// A request of the Responses API as Codex sends it, with this many items: five kinds in turn.
fn body(items: usize) -> String {
    let phrase = "The quick brown fox, of whom we have heard, jumps over the lazy dog.\\n\\nAnd so it goes on. ";
    // With one item the whole is 1 KB, with 600 it is 1 MB.
    let long = phrase.repeat(if items == 1 { 7 } else { 36 });
    let mut input = String::new();
    for index in 0..items {
        let comma = if index == 0 { "" } else { "," };
        let written = match index % 5 {
            0 => write!(
                input,
                r#"{comma}{{"type":"message","role":"developer","id":"msg_{index:032}","content":[{{"type":"input_text","text":"{long}"}}]}}"#
            ),
            1 => write!(
                input,
                r#"{comma}{{"type":"reasoning","id":"rs_{index:032}","summary":[],"encrypted_content":"{}"}}"#,
                "gAAAAABo0aZ".repeat(100)
            ),
            2 => write!(
                input,
                r#"{comma}{{"type":"function_call","id":"fc_{index:032}","name":"shell","arguments":"{{}}","call_id":"call_{index}"}}"#
            ),
            3 => write!(
                input,
                r#"{comma}{{"type":"function_call_output","id":"fco_{index:032}","call_id":"call_{index}","output":"{long}"}}"#
            ),
            _ => write!(
                input,
                r#"{comma}{{"type":"message","role":"assistant","id":"msg_{index:032}","content":[{{"type":"output_text","text":"{phrase}","annotations":[]}}]}}"#
            ),
        };
        written.expect("a string takes any text");
    }
    format!(
        r#"{{"model":"gpt-6.1-sol","input":[{input}],"tools":[],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{{"effort":"high"}},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"0198c7","text":{{"verbosity":"low"}}}}"#
    )
}

async fn measure(plugin: &Plugin, client: &str, headers: &[Field], alike: bool, items: usize) {
    let text = body(items);
    let mut indexed = Document::parse(text.clone()).expect("the body is JSON");
    let fields = ["/type", "/role", "/id", "/encrypted_content"];
    indexed.find(&Find { fields: &fields, ..Find::all("/input/*") }).expect("it has items");
    let mut times = Vec::with_capacity(RUNS);
    let mut edits = 0;
    let id = |run: usize| if alike { "the same".into() } else { format!("{items} {run}") };
    for run in 0..RUNS {
        let call = Call {
            operation: "generate".into(),
            dialect: "responses".into(),
            model: "gpt-6.1-sol".into(),
            streaming: true,
            // A header that differs keeps a call from being like another.
            headers: [headers, &[Field { name: "x-client-request-id".into(), value: id(run) }]].concat(),
            query: Vec::new(),
            settings: "{}".into(),
            account: None,
            provider: "openai-codex".into(),
            model_info: "{}".into(),
            attempt: 1,
            more: String::new(),
        };
        let document = HookBody::Json(indexed.clone());
        let started = Instant::now();
        let (step, shaped) = black_box(plugin.prepare(&call, document, None).await);
        times.push(started.elapsed());
        assert!(matches!(step, Ok(Ok(_))), "prepare serves the call");
        if let HookBody::Json(document) = shaped {
            edits = document.output().into_chunks().len();
        }
    }
    times.sort_unstable();
    let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6;
    println!(
        "{client:<8} {:<6} {items:<6} {:>8} {edits:>6} {:>9.1} {:>9.1}",
        if alike { "alike" } else { "differ" },
        text.len(),
        micros(times[0]),
        micros(times[RUNS / 2])
    );
}
