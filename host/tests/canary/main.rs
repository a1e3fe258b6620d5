//! The canary: a secret is planted in an account, an upstream echoes it in every encoding, every hook of a component that
//! copies what it is shown runs, and every linear memory that there ever was is searched. It must not be in any.

#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

#[path = "../components/mod.rs"]
mod components;
mod echo;
mod memory;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bitrouter_credential::{Credential, Scrubber, Store};
use bitrouter_plugin::compile::Compiler;
use bitrouter_plugin::contract::{Answer, Event, Field, Trouble};
use bitrouter_plugin::{Budget, Cache, Digest, Loader, Plugin, Registry, Runtime, Sources, settings};

use bitrouter::app::{App, Live};
use bitrouter::config::{Config, Paths, Provider};
use bitrouter::gateway;
use bitrouter::route::{Directory, Learned};
use bitrouter_contract::answer_headers;
use echo::{SECRET, marker};
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use memory::Recorder;

/// What clients of this gateway must send: a secret too.
const CLIENT_KEY: &str = "br-client-canary-5577006791947779410";
/// The claim and the names that a component is meant to see.
const PLAN: &str = "marker-plan-claim";
const MODEL: &str = "marker-model-name";
const SETTING_HEADER: &str = "marker-forwarded-header";

/// A gateway whose components' memories are kept.
struct Canary {
    app: Arc<App>,
    recorder: Arc<Recorder>,
    address: SocketAddr,
    _home: TempDir,
}

impl Canary {
    async fn start() -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}/v1", upstream.local_addr().unwrap());
        tokio::spawn(echo::serve(upstream));

        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let stored = json!({"version": 1, "credentials": [{
            "provider": "probe", "label": "default", "kind": "api-key", "origins": {"api": origin},
            "claims": {"plan": PLAN, "email": "claim-that-is-not-listed"}, "secret": {"key": SECRET},
        }]});
        std::fs::write(paths.token_store(), stored.to_string()).unwrap();
        let mut config = Config::defaults(&paths);
        config.server.keys.push(CLIENT_KEY.into());
        let origins = [("api".to_owned(), origin.parse().unwrap())].into();
        config.providers.insert("probe".into(), Provider { origins, ..Provider::default() });

        let (loader, recorder) = recording_loader(&home);
        let probe: &'static [u8] = components::read("tests/probe.wasm").leak();
        let built_in: &'static [_] = vec![("probe", probe)].leak();
        let sources = Sources {
            built_in,
            folder: paths.plugins_dir(),
            lock: paths.plugins_lock(),
            pinned: false,
            signers: Default::default(),
        };
        let registry = Registry::start(loader, sources);
        let store = Arc::new(Store::new(paths.token_store()));
        let directory = Directory::new(registry.clone(), config.clone(), &paths, &|_| None, store, Learned::default());
        let app = Arc::new(App::of(config, registry, directory));
        let refused = app.directory.complete().await.refused.clone();
        assert!(refused.is_empty(), "{refused:?}");

        let listeners = gateway::bind(&["127.0.0.1:0".parse().unwrap()], true).unwrap();
        let address = listeners[0].local_addr().unwrap();
        tokio::spawn(gateway::serve(
            listeners,
            gateway::Service::new(Live::new(Arc::clone(&app))),
            gateway::Connections::new(1 << 16),
            std::future::pending(),
        ));
        Canary { app, recorder, address, _home: home }
    }

    async fn plugin(&self) -> (Arc<Plugin>, Arc<Credential>) {
        let providers = self.app.directory.complete().await;
        let probe = &providers.by_id["probe"];
        (Arc::clone(&probe.plugin), probe.accounts.select(None).unwrap())
    }

    /// Sends a call as a client does, and returns the whole answer.
    async fn post(&self, body: &serde_json::Value) -> String {
        let body = body.to_string();
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {CLIENT_KEY}\r\n\
             x-api-key: {CLIENT_KEY}\r\nx-probe-client: {SETTING_HEADER}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Waits until a component was shown this by a hook that the pipeline runs while no client waits for it, so that the
    /// hook's memory is among those that are searched.
    async fn shown(&self, text: &str) {
        let wait = async {
            while !self.memories().await.iter().any(|memory| memchr::memmem::find(memory, text.as_bytes()).is_some()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let shown = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert!(shown.is_ok(), "no component was shown `{text}`");
    }

    /// All memories, once their instances are gone.
    async fn memories(&self) -> Vec<&'static [u8]> {
        settled(&self.recorder).await
    }
}

/// A loader whose engine takes its memories from a recorder. The code that the compiler's child process makes is for the
/// pool, so the cache is filled with code that this engine compiled itself, and the child is never started.
fn recording_loader(home: &TempDir) -> (Loader, Arc<Recorder>) {
    let budget = Budget { memory: 8 << 20, cpu: Duration::from_millis(200), ..Budget::default() };
    let recorder = Recorder::new(budget.memory);
    let mut config = settings();
    // No reservation and no guard: the code checks every bound. Images of a memory can only be mapped over the engine's own.
    config.memory_reservation(0).memory_reservation_for_growth(0).memory_guard_size(0).memory_init_cow(false);
    config.with_host_memory(Arc::clone(&recorder) as Arc<_>);
    let runtime = Runtime::with(config, budget).unwrap();
    let cache = Cache::open(home.path(), runtime.compatibility()).unwrap();
    let probe = components::read("tests/probe.wasm");
    let code = runtime.engine().precompile_component(&probe).unwrap();
    cache.keep_code(&Digest::of(&probe), &code).unwrap();
    (Loader::new(runtime, cache, Compiler { program: "no-such-program".into() }), recorder)
}

async fn settled(recorder: &Recorder) -> Vec<&'static [u8]> {
    let wait = async {
        loop {
            if let Some(memories) = recorder.bytes() {
                return memories;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("every instance ends with its hook")
}

fn call(text: &str) -> serde_json::Value {
    json!({"model": format!("probe:{MODEL}"), "messages": [{"role": "user", "content": text}]})
}

/// The names of the forms of the secret that are in this text.
fn found_in(text: &[u8]) -> Vec<String> {
    let is_there = |form: &str| memchr::memmem::find(text, form.as_bytes()).is_some();
    echo::forms().into_iter().filter(|(_, form)| is_there(form)).map(|(name, _)| name).collect()
}

/// What the pipeline makes of an answer's headers before a component sees them.
fn shown(headers: &HeaderMap, scrubber: &Scrubber) -> Vec<Field> {
    let field = |(name, value): (&http::HeaderName, &HeaderValue)| Field {
        name: name.as_str().to_owned(),
        value: scrubber.scrub_text(value.to_str().unwrap()).into_owned(),
    };
    answer_headers(headers).map(field).collect()
}

#[tokio::test]
async fn no_secret_is_in_any_linear_memory_after_every_hook() {
    let canary = Canary::start().await;
    let described = canary.recorder.made();
    assert_eq!(described, 1, "describe");

    // prepare, resume; the same and a rewriter; the same and explain.
    let mut first = call("hello");
    // Its answer is an error behind a status of success, which gets a status of its own and leaves its model alone for a
    // moment.
    first["model"] = format!("probe:{MODEL}-whole").into();
    let whole = canary.post(&first).await;
    let mut streaming = call("hello");
    streaming["stream"] = true.into();
    let streamed = canary.post(&streaming).await;
    let failed = canary.post(&call("please fail")).await;
    for (answer, status, says) in
        [(&whole, "502", "whole"), (&streamed, "200", marker::EVENT), (&failed, "429", marker::FAILED)]
    {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(says), "{answer}");
        assert!(answer.contains("[secret]"), "the upstream's echo is missing: {answer}");
        assert_eq!(found_in(answer.as_bytes()), [""; 0], "{answer}");
    }

    // Those three also had headers that are observed, and the first an error inside a 200. The newest headers are read
    // last, so once those of the failure were, nothing is left to be read.
    canary.shown("answered 429").await;
    canary.shown("\"message\":\"whole: ").await;
    let aside = canary.memories().await.len() - described - (3 * 2 + 1 + 1);
    assert!((2..=4).contains(&aside), "explain, and quota for one to three answers as they came together: {aside}");

    // Every hook that has no call of its own, with what the pipeline's own scrubber leaves of an answer.
    let (plugin, credential) = canary.plugin().await;
    let scrubber = &credential.scrubber;
    let mut headers = HeaderMap::new();
    let echoed = HeaderValue::from_str(&format!("{}; {}", echo::all(), "marker-quota-header")).unwrap();
    headers.insert("x-ratelimit-echo", echoed);
    let event = json!({"type": "probe.limits", "echo": echo::all(), "marker": "marker-quota-event"}).to_string();
    let event = scrubber.scrub_text(&event).into_owned();
    plugin.quota(&shown(&headers, scrubber), Some(&event), Some(Arc::clone(scrubber))).await.unwrap();
    let trouble = Trouble::Event(Event::text(None, event.replace("quota", "trouble")));
    plugin.explain(&trouble, b"", Some(Arc::clone(scrubber))).await.unwrap();
    let page = json!({"data": [echo::all()], "marker": "marker-page"}).to_string();
    let page = Answer {
        status: 200,
        headers: shown(&headers, scrubber),
        body: scrubber.scrub_text(&page).into_owned(),
        truncated: false,
        more: String::new(),
    };
    plugin.interpret("models", &page, Some(Arc::clone(scrubber))).await.unwrap().unwrap();

    let memories = canary.memories().await;
    // Nothing but the rewriter outlives a hook, so each hook had a memory of its own.
    assert_eq!(
        memories.len() - described - aside,
        3 * 2 + 1 + 1 + 3,
        "prepare and resume, rewriter, explain; quota, explain, interpret"
    );
    for wanted in [
        PLAN,
        MODEL,
        SETTING_HEADER,
        marker::ASKED,
        marker::EVENT,
        marker::FAILED,
        marker::HEADER,
        "marker-quota-header",
        "marker-quota-event",
        "marker-trouble-event",
        "marker-page",
        "[secret]",
    ] {
        let seen = memories.iter().any(|memory| memchr::memmem::find(memory, wanted.as_bytes()).is_some());
        assert!(seen, "no component was shown `{wanted}`: the search is broken");
    }
    for (number, memory) in memories.iter().enumerate() {
        assert_eq!(found_in(memory), [""; 0], "in memory {number}");
        for other in [CLIENT_KEY, "claim-that-is-not-listed"] {
            assert!(memchr::memmem::find(memory, other.as_bytes()).is_none(), "{other} is in memory {number}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_a_component_was_shown_would_be_found_in_every_form() {
    let home = tempfile::tempdir().unwrap();
    let (loader, recorder) = recording_loader(&home);
    let probe = components::read("tests/probe.wasm");
    let plugin = loader.load(&probe, Digest::of(&probe), bitrouter_plugin::Origin::BuiltIn).await.unwrap().remove(0);
    for (name, form) in echo::forms() {
        let before = settled(&recorder).await.len();
        let headers = [Field { name: "x-ratelimit-echo".into(), value: format!("<{form}>") }];
        plugin.quota(&headers, None, None).await.unwrap();
        let memories = settled(&recorder).await;
        assert_eq!(memories.len(), before + 1);
        assert!(found_in(memories[before]).contains(&name), "{name}");
    }
}
