//! Components that are fetched: by URL and from OCI registries, with digests, logins and signatures.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::{Gateway, Ran, Reply, Seen, Setup, Upstream, component};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rebuilt::{described, rebuilt};

const LOGIN: &str = "canary-user:canary-password";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn setup() -> Setup {
    let setup = Gateway::start();
    let docker = setup.working_directory().join("docker");
    setup.with_key("DOCKER_CONFIG", docker.to_str().unwrap())
}

fn add(setup: &Setup, source: &str, more: &[&str]) -> Ran {
    setup.command(&[&["plugin", "add", source, "--accept"], more].concat())
}

fn lock(setup: &Setup) -> Value {
    let text = std::fs::read(setup.home().join("plugins.lock")).unwrap_or_else(|_| b"{\"components\": []}".to_vec());
    serde_json::from_slice(&text).unwrap()
}

/// What lies in the plugin folder; nothing where something was fetched and not taken.
fn folder(setup: &Setup) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(setup.plugin("")).map(|entries| entries.flatten().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.into_iter().flatten().filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn wasm(bytes: &[u8]) -> Reply {
    Reply::body("application/wasm", bytes)
}

fn nothing() -> Reply {
    Reply::json(&json!({ "errors": [] })).status(404)
}

#[test]
fn a_component_is_added_by_its_url_and_only_as_what_its_digest_says() {
    let (server, store) = (Upstream::start(), Upstream::start());
    let echo = component("echo");
    let there = echo.clone();
    let elsewhere = format!("{}/files/echo", store.origin());
    server.follows(move |seen| match seen.path.as_str() {
        "/echo.wasm" => wasm(&there),
        "/moved.wasm" => Reply::json(&json!({})).status(302).header("location", &elsewhere),
        "/away.wasm" => Reply::json(&json!({})).status(302).header("location", "http://files.example/x"),
        "/long.wasm" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nbegins"),
        "/short.wasm" => Reply::stream("application/wasm").send(&there[..there.len() / 2]).cut(),
        "/page.wasm" => Reply::body("text/html", "<html>"),
        _ => nothing(),
    });
    let there = echo.clone();
    store.follows(move |_| wasm(&there));
    let url = |name: &str| format!("{}/{name}", server.origin());
    let setup = setup();
    for (name, why) in [
        ("none.wasm".to_owned(), "404 Not Found: there is nothing by that name"),
        ("long.wasm".to_owned(), "the limit is"),
        ("short.wasm".to_owned(), "broke off"),
        ("away.wasm".to_owned(), "without TLS"),
        ("page.wasm".to_owned(), "not a WebAssembly component"),
        (format!("echo.wasm#sha256={}", sha256(b"another")), "Somebody has changed it"),
    ] {
        add(&setup, &url(&name), &[]).fails().says(why);
        assert!(folder(&setup).is_empty() && !setup.home().join("plugins.lock").exists(), "{name}");
    }
    // Nobody is there to say yes.
    setup.command(&["plugin", "add", &url("echo.wasm")]).fails().says("--accept");
    assert!(folder(&setup).is_empty());

    let given = format!("{}#sha256={}", url("echo.wasm"), sha256(&echo));
    add(&setup, &given, &["--sha256", &sha256(&echo)])
        .ok()
        .says("http://127.0.0.1:9/v1 (api)")
        .says("is in the plugin folder");
    assert_eq!(folder(&setup), [setup.plugin("echo.wasm")]);
    assert_eq!(lock(&setup)["components"][0]["source"], url("echo.wasm"));
    setup.command(&["plugin", "list"]).ok().says(&url("echo.wasm"));
    // Over itself, from elsewhere.
    let added = add(&setup, &url("moved.wasm"), &["--json"]).ok().json();
    assert_eq!((&added["source"], &added["providers"][0]["id"]), (&json!(url("moved.wasm")), &json!("echo")));
    assert_eq!(folder(&setup).len(), 1);

    setup.command(&["plugin", "remove", "echo"]).ok().says("deleted").says("Not accepted any more: echo");
    assert!(folder(&setup).is_empty() && lock(&setup)["components"].as_array().unwrap().is_empty());
    setup.command(&["plugin", "remove", "echo"]).fails().says("no component with the id `echo`");
}

#[test]
fn a_file_is_added_under_its_id_and_is_the_users_own_from_then_on() {
    let setup = setup();
    let file = setup.working_directory().join("some-build.wasm");
    std::fs::write(&file, component("echo")).unwrap();
    add(&setup, "some-build.wasm", &[]).ok();
    assert_eq!(folder(&setup), [setup.plugin("echo.wasm")]);
    assert_eq!(lock(&setup)["components"][0]["source"], "file:echo.wasm");
    setup.command(&["plugin", "update"]).ok().says("a file of yours");
}

/// How a registry wants to be shown who asks.
#[derive(Clone, Copy, PartialEq)]
enum Wants {
    Nothing,
    Basic,
    Token,
    TokenFromElsewhere,
}

/// A registry with one image `acme/provider`, which may be another at any moment.
struct Registry {
    server: Upstream,
    /// Where its blobs are.
    store: Upstream,
    image: Arc<Mutex<Image>>,
}

#[derive(Clone)]
struct Image {
    component: Vec<u8>,
    manifest: Vec<u8>,
    signature: Option<String>,
    /// What is given for the blob.
    blob: Reply,
    busy: usize,
}

impl Image {
    fn of(component: Vec<u8>) -> Self {
        let config = b"{}";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": format!("sha256:{}", sha256(config)), "size": 2 },
            "layers": [{
                "mediaType": "application/wasm", "digest": format!("sha256:{}", sha256(&component)), "size": component.len(),
            }],
        });
        let blob = wasm(&component);
        Image { component, manifest: manifest.to_string().into(), signature: None, blob, busy: 0 }
    }
}

impl Registry {
    fn start(component: Vec<u8>, wants: Wants) -> Self {
        let registry = Registry {
            server: Upstream::start(),
            store: Upstream::start(),
            image: Arc::new(Mutex::new(Image::of(component))),
        };
        let (image, store) = (Arc::clone(&registry.image), registry.store.origin());
        let origin = registry.server.origin();
        registry.server.follows(move |seen| answer(seen, &mut image.lock().unwrap(), wants, &origin, &store));
        let image = Arc::clone(&registry.image);
        registry.store.follows(move |_| image.lock().unwrap().blob.clone());
        registry
    }

    fn now(&self, image: Image) {
        *self.image.lock().unwrap() = image;
    }

    fn name(&self) -> String {
        format!("oci://{}/acme/provider", self.server.origin().trim_start_matches("http://"))
    }

    fn manifest(&self) -> String {
        sha256(&self.image.lock().unwrap().manifest)
    }

    /// Docker's config with a login for it.
    fn log_in(&self, setup: &Setup) {
        let folder = setup.working_directory().join("docker");
        std::fs::create_dir_all(&folder).unwrap();
        let host = self.server.origin().trim_start_matches("http://").to_owned();
        let config = json!({ "auths": { host: { "auth": STANDARD.encode(LOGIN) } } });
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    }

    fn authorizations(&self) -> Vec<Option<String>> {
        self.server.requests().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect()
    }
}

fn answer(seen: &Seen, image: &mut Image, wants: Wants, origin: &str, store: &str) -> Reply {
    let basic = format!("Basic {}", STANDARD.encode(LOGIN));
    let shown = seen.header("authorization");
    if seen.path.starts_with("/token") {
        assert!(
            seen.path.contains("service=acme") && seen.path.contains("scope=repository%3Aacme%2Fprovider%3Apull"),
            "{seen:?}"
        );
        return match shown == Some(&basic) {
            true => Reply::json(&json!({ "token": "canary-token" })),
            false => Reply::json(&json!({})).status(401),
        };
    }
    let realm = match wants {
        Wants::TokenFromElsewhere => store.replace("127.0.0.1", "localhost"),
        _ => origin.to_owned(),
    };
    let challenge = format!("Bearer realm=\"{realm}/token\",service=\"acme\",scope=\"repository:acme/provider:pull\"");
    let (wanted, challenge) = match wants {
        Wants::Nothing => (None, String::new()),
        Wants::Basic => (Some(basic), "Basic realm=\"acme\"".to_owned()),
        Wants::Token | Wants::TokenFromElsewhere => (Some("Bearer canary-token".to_owned()), challenge),
    };
    if wanted.is_some() && shown != wanted.as_deref() {
        return Reply::json(&json!({})).status(401).header("www-authenticate", &challenge);
    }
    if image.busy > 0 {
        image.busy -= 1;
        return Reply::json(&json!({})).status(429).header("retry-after", "1");
    }
    let manifest = |bytes: &[u8]| Reply::body("application/vnd.oci.image.manifest.v1+json", bytes);
    let signature = image.signature.as_ref().map(|text| {
        let digest = format!("sha256:{}", sha256(text.as_bytes()));
        let layer = json!({ "mediaType": "application/vnd.minisign", "digest": digest, "size": text.len() });
        json!({ "schemaVersion": 2, "artifactType": "application/vnd.minisign", "layers": [layer] }).to_string()
    });
    let path = seen.path.strip_prefix("/v2/acme/provider/").unwrap_or_default();
    let (kind, what) = path.split_once('/').unwrap_or_default();
    let digest = format!("sha256:{}", sha256(&image.manifest));
    match (kind, what.split('?').next().unwrap_or_default(), signature) {
        ("manifests", "1" | "latest", _) => manifest(&image.manifest),
        ("manifests", wanted, Some(signature)) if wanted == format!("sha256:{}", sha256(signature.as_bytes())) => {
            manifest(signature.as_bytes())
        }
        // One that gives what it likes for any digest.
        ("manifests", _, _) => manifest(&image.manifest),
        ("referrers", of, Some(signature)) if of == digest => Reply::json(&json!({ "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "application/vnd.minisign",
            "digest": format!("sha256:{}", sha256(signature.as_bytes())), "size": signature.len(),
        }] })),
        ("blobs", wanted, _) if wanted == format!("sha256:{}", sha256(&image.component)) => {
            Reply::json(&json!({})).status(307).header("location", &format!("{store}/blob?of=canary"))
        }
        ("blobs", _, _) => Reply::body("text/plain", image.signature.clone().unwrap_or_default()),
        _ => nothing(),
    }
}

#[test]
fn an_image_is_added_by_a_login_that_goes_to_its_registry_alone() {
    for wants in [Wants::Nothing, Wants::Basic, Wants::Token] {
        let registry = Registry::start(component("echo"), wants);
        let setup = setup();
        if wants != Wants::Nothing {
            add(&setup, &format!("{}:1", registry.name()), &[]).fails().says("docker login");
            registry.log_in(&setup);
        }
        let ran = add(&setup, &format!("{}:1@sha256:{}", registry.name(), registry.manifest()), &[]).ok();
        assert!(!format!("{ran:?}").contains("canary-"), "{ran:?}");
        assert_eq!(std::fs::read(setup.plugin("echo.wasm")).unwrap(), component("echo"));
        let source = format!("{}:1@sha256:{}", registry.name(), registry.manifest());
        assert_eq!(lock(&setup)["components"][0]["source"], source);
        // The store, to which the registry sends for blobs, sees neither login nor token.
        assert!(registry.store.requests().iter().all(|seen| seen.header("authorization").is_none()));
        assert!(!registry.store.requests().is_empty());
        assert_eq!(registry.authorizations().iter().flatten().count() > 0, wants != Wants::Nothing);
    }
}

#[test]
fn a_login_is_not_sent_to_whom_a_registry_names_for_tokens() {
    let registry = Registry::start(component("echo"), Wants::TokenFromElsewhere);
    let setup = setup();
    registry.log_in(&setup);
    add(&setup, &format!("{}:1", registry.name()), &[]).fails().says("would have your login sent to localhost");
    assert_eq!(registry.store.connections(), 0);
    assert!(folder(&setup).is_empty());
}

#[test]
fn what_a_registry_gives_is_held_against_digests_and_bounds() {
    let registry = Registry::start(component("echo"), Wants::Nothing);
    let setup = setup();
    let named = format!("{}:1", registry.name());
    let good = Image::of(component("echo"));
    let fails = |image: Image, why: &str| {
        registry.now(image);
        add(&setup, &named, &[]).fails().says(why);
        assert!(folder(&setup).is_empty(), "{why}");
    };
    fails(Image { blob: wasm(&rebuilt(&component("echo"), 1)), ..good.clone() }, "Somebody has changed it");
    let half = good.component[..good.component.len() / 2].to_vec();
    fails(Image { blob: Reply::stream("application/wasm").send(half).cut(), ..good.clone() }, "broke off");
    let manifest = |change: &dyn Fn(&mut Value)| {
        let mut manifest: Value = serde_json::from_slice(&good.manifest).unwrap();
        change(&mut manifest);
        Image { manifest: manifest.to_string().into(), ..good.clone() }
    };
    fails(manifest(&|it| it["layers"][0]["size"] = json!(1_u64 << 40)), "the limit is");
    fails(
        manifest(&|it| it["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar")),
        "it is no component",
    );
    fails(manifest(&|it| it["layers"][0]["digest"] = json!("md5:1")), "no SHA-256");
    fails(manifest(&|it| it["layers"] = json!([it["layers"][0], it["layers"][0]])), "more than one component");
    fails(manifest(&|it| it["manifests"] = json!([it["config"]])), "a list of several images");
    fails(Image { manifest: b"<html>".to_vec(), ..good.clone() }, "its manifest is none");
    fails(Image { busy: 9, ..good.clone() }, "asked too often");
    // A digest is what it is, whatever the registry answers for it.
    registry.now(good.clone());
    add(&setup, &format!("{}@sha256:{}", registry.name(), sha256(b"another")), &[])
        .fails()
        .says("Somebody has changed it");
    assert!(folder(&setup).is_empty());
    // One that is busy for a moment is asked again.
    registry.now(Image { busy: 1, ..good });
    add(&setup, &named, &[]).ok();
}

#[test]
fn a_newer_image_is_taken_where_it_asks_for_no_more_and_shown_where_it_does() {
    let registry = Registry::start(component("echo"), Wants::Nothing);
    let setup = setup();
    add(&setup, &registry.name(), &[]).ok();
    setup.command(&["plugin", "update", "echo"]).ok().says("nothing newer");

    registry.now(Image::of(rebuilt(&component("echo"), 1)));
    setup.command(&["plugin", "update", "--check"]).ok().says("newer").says("instead of");
    assert_eq!(std::fs::read(setup.plugin("echo.wasm")).unwrap(), component("echo"));
    setup.command(&["plugin", "update"]).ok().says("updated");
    assert_eq!(std::fs::read(setup.plugin("echo.wasm")).unwrap(), rebuilt(&component("echo"), 1));
    assert_eq!(
        lock(&setup)["components"][0]["source"],
        format!("{}:latest@sha256:{}", registry.name(), registry.manifest())
    );
    setup.command(&["plugin", "list"]).ok().says("yes");
    // A file that changes under the lock did not come from there.
    let changed = setup.with_plugin_file("echo.wasm", &rebuilt(&component("echo"), 2));
    changed.command(&["plugin", "list"]).ok().says("does not come from where that came from (oci://");

    let more = json!({
        "id": "echo", "name": "Echo", "version": "0.2.0", "origins": { "api": "https://elsewhere.example" },
        "serves": { "generate": ["chat-completions"] }, "forward": ["x-more-*"],
    });
    registry.now(Image::of(described(&rebuilt(&component("probe"), 3), &more)));
    let ran = changed.command(&["plugin", "update", "echo"]).fails();
    ran.says("NEW: the client's header x-more-*")
        .says("NEW: the origin api: https://elsewhere.example")
        .says("--accept");
    assert_eq!(std::fs::read(changed.plugin("echo.wasm")).unwrap(), rebuilt(&component("echo"), 2));
    let taken = changed.command(&["plugin", "update", "echo", "--accept", "--json"]).ok().json();
    assert_eq!(taken["components"][0]["state"], "updated");
    // What only its digest names has nothing newer.
    let pinned = format!("{}@sha256:{}", registry.name(), registry.manifest());
    add(&changed, &pinned, &[]).ok();
    registry.now(Image::of(rebuilt(&component("echo"), 4)));
    changed.command(&["plugin", "update"]).ok().says("nothing newer");
}

#[test]
fn a_signature_says_whose_a_component_is_and_is_kept_to() {
    let pair = || minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let (theirs, others) = (pair(), pair());
    let sign = |by: &minisign::KeyPair, what: &[u8]| {
        Some(minisign::sign(Some(&by.pk), &by.sk, what, Some("echo 0.1.0"), None).unwrap().into_string())
    };
    let registry = Registry::start(component("echo"), Wants::Nothing);
    let setup = setup().with("/plugins/signers/acme", json!(theirs.pk.to_base64()));
    let signed = |component: Vec<u8>, by: &minisign::KeyPair, what: &[u8]| {
        registry.now(Image { signature: sign(by, what), ..Image::of(component) });
    };
    let strictly = |setup: &Setup| add(setup, &registry.name(), &["--require-signature"]);
    strictly(&setup).fails().says("--require-signature asks for: none");
    signed(component("echo"), &others, &component("echo"));
    strictly(&setup).fails().says("by no key of `plugins.signers`");
    signed(component("echo"), &theirs, b"another");
    strictly(&setup).fails().says("or not of this build");
    assert!(folder(&setup).is_empty());
    signed(component("echo"), &theirs, &component("echo"));
    strictly(&setup).ok().says("by acme").says("echo 0.1.0");
    assert_eq!(folder(&setup).len(), 2, "the signature lies beside it");
    assert_eq!(lock(&setup)["components"][0]["signed_by"], theirs.pk.to_base64());
    setup.command(&["plugin", "inspect", "echo"]).ok().says("by acme");

    // Who signed once signs again, or it is not taken.
    let next = rebuilt(&component("echo"), 1);
    registry.now(Image::of(next.clone()));
    setup.command(&["plugin", "update"]).fails().says("is not signed by acme");
    signed(next.clone(), &others, &next);
    setup.command(&["plugin", "update"]).fails().says("is not signed by acme");
    signed(next.clone(), &theirs, &next);
    setup.command(&["plugin", "update"]).ok().says("updated");
    // Nor does a file that is put in its place go on without one.
    let last = rebuilt(&component("echo"), 2);
    let setup = setup.with_plugin_file("echo.wasm", &last);
    setup.command(&["plugin", "list"]).ok().says("which was signed by acme").says("not of this build");
    std::fs::write(setup.plugin("echo.wasm.minisig"), sign(&theirs, &last).unwrap()).unwrap();
    setup.command(&["plugin", "list"]).ok().says("changed");
}
