//! What is shown of a component before anybody says yes, what a yes holds for, and which other builds it holds for.

use bitrouter_tests::{Gateway, Setup, Upstream, component, eventually};
use serde_json::{Value, json};

use super::rebuilt::{asking_for_more, described, rebuilt};

fn chat() -> Value {
    json!({ "model": "probe:probe-1", "messages": [] })
}

/// A component that says in its file what it wants, and whose code no compiler takes.
fn not_compilable() -> Vec<u8> {
    let component = wat::parse_str(
        r#"(component
            (core module (func (result i32) i64.const 0))
            (instance $provider)
            (export "bitrouter:provider/provider@0.1.0" (instance $provider)))"#,
    );
    let says = json!({
        "id": "evil", "name": "Evil", "version": "6.6.6", "vendor": "evil", "origins": { "api": "https://evil.example/v1" },
        "auth": [{ "method": "api-key", "env": ["EVIL_API_KEY"], "attach": [{ "header": "x-evil-key" }] }],
        "serves": { "generate": ["chat-completions"] }, "models": [{ "id": "evil-1" }], "billing": "subscription",
        "side_requests": { "list": { "kind": "models", "path": "/list" } }, "forward": ["x-evil-*"], "forward_query": ["evil"],
        "claims": ["email"], "exchanges": { "most": 9, "wait_ms": 700 },
        "settings": { "region": { "type": "string", "description": "Where it is.", "env": ["EVIL_REGION"] } },
    });
    described(&component.unwrap(), &says)
}

fn trusted_probe(upstream: &Upstream) -> Setup {
    let setup = Gateway::start().with_plugin("probe").with_origin("probe", upstream).trusting("probe");
    setup.with_key("PROBE_API_KEY", "sk-probe-0123456789")
}

#[test]
fn all_that_a_component_asks_for_is_shown_and_refused_before_anything_of_it_is_compiled() {
    let setup = Gateway::start().with_plugin_file("evil.wasm", &not_compilable());
    for command in [&["plugin", "trust", "evil"][..], &["plugin", "inspect", "evil"]] {
        let ran = setup.command(command);
        for shown in [
            "https://evil.example/v1 (api)",
            "API key from EVIL_API_KEY, sent to https://evil.example/v1 in the header x-evil-key",
            "its label, email",
            "to have the models evil-1",
            "to serve the vendor evil",
            "to be paid for as subscription",
            "https://evil.example/v1/list (list)",
            "up to 9 requests for one call, which may wait 700 ms in all",
            "x-evil-*",
            "region: Where it is. (or from EVIL_REGION)",
            "file:evil.wasm",
        ] {
            assert!(ran.stdout.contains(shown), "{shown}: {ran:?}");
        }
    }
    let gateway = setup.run();
    gateway.logs("it asks for EVIL_API_KEY to be sent to https://evil.example/v1");
    assert!(!gateway.log().contains("compil"), "{}", gateway.log());
    // Only who accepted it has it compiled.
    gateway.command(&["plugin", "trust", "evil", "--accept"]).ok().says("accepted: kept in");
    assert!(eventually(|| gateway.log().contains("type mismatch")), "{}", gateway.log());
}

#[test]
fn a_component_that_says_otherwise_than_its_file_is_refused() {
    let upstream = Upstream::start();
    let harmless = json!({
        "id": "probe", "name": "Probe", "version": "0.1.0", "serves": { "generate": ["chat-completions"] },
        "origins": { "api": "https://harmless.example" },
    });
    let bytes = described(&component("probe"), &harmless);
    let setup = Gateway::start().with_plugin_file("probe.wasm", &bytes).with_origin("probe", &upstream);
    setup.command(&["plugin", "trust", "probe", "--accept"]).ok().says("https://harmless.example (api)");
    setup.command(&["plugin", "list"]).ok().says("its describe does not say what its section");
    let gateway = setup.with_key("PROBE_API_KEY", "sk-probe-0123456789").run();
    gateway.logs("its describe does not say what its section");
    gateway.chat(&chat()).status(503);
    // Two sections are shown to nobody.
    let twice = described(&bytes, &harmless);
    gateway.put_plugin("probe.wasm", &twice);
    gateway.command(&["plugin", "inspect", "probe.wasm"]).fails().says("more than once");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn another_build_that_asks_for_no_more_goes_on_and_is_said_to_and_one_that_asks_for_more_waits() {
    let upstream = Upstream::start();
    let gateway = trusted_probe(&upstream).run();
    assert!(eventually(|| gateway.chat(&chat()).code == 200), "{}", gateway.log());
    gateway.put_plugin("probe.wasm", &rebuilt(&component("probe"), 1));
    let reloaded = gateway.command(&["reload"]).ok();
    reloaded.says("probe: another build than the one that you accepted").says("asks for nothing more");
    gateway.chat(&chat()).status(200);
    gateway.logs("component changed");
    for command in [&["plugin", "list"][..], &["providers"], &["status"]] {
        gateway.command(command).ok().says("another build than the one that you accepted");
    }
    let listed = gateway.command(&["plugin", "list", "--json"]).ok().json();
    let row = listed["loaded"].as_array().unwrap().iter().find(|row| row["id"] == "probe").unwrap();
    assert_eq!((&row["state"], &row["source"]), (&json!("changed"), &json!("file:probe.wasm")));

    gateway.put_plugin("probe.wasm", &asking_for_more());
    let reloaded = gateway.command(&["reload"]).ok();
    reloaded
        .says("it asks for more")
        .says("the client's header x-more-*")
        .says("the variable MORE")
        .says("goes on until");
    gateway.command(&["plugin", "inspect", "probe"]).ok().says("NEW: the client's header x-more-*");
    gateway.chat(&chat()).status(200);
    let more = upstream.requests().iter().all(|seen| seen.header("x-probe-key").is_some());
    assert!(more, "the build before serves, with its key");

    // What was waved through is not written down as accepted, and can be.
    gateway.put_plugin("probe.wasm", &rebuilt(&component("probe"), 2));
    let lock = || std::fs::read_to_string(gateway.home().join("plugins.lock")).unwrap();
    let before = lock();
    gateway.command(&["plugin", "trust", "probe", "--accept"]).ok();
    assert_ne!(lock(), before);
    gateway.command(&["plugin", "list"]).ok();
    let listed = gateway.command(&["plugin", "list", "--json"]).ok().json();
    let row = listed["loaded"].as_array().unwrap().iter().find(|row| row["id"] == "probe").unwrap().clone();
    assert_eq!(row["state"], "yes");
}

#[test]
fn another_build_from_elsewhere_is_not_the_accepted_one_whatever_it_asks_for() {
    let upstream = Upstream::start();
    let setup = trusted_probe(&upstream);
    std::fs::remove_file(setup.plugin("probe.wasm")).unwrap();
    let setup = setup.with_plugin_file("other.wasm", &rebuilt(&component("probe"), 1));
    setup.command(&["plugin", "list"]).ok().says("does not come from where that came from (file:probe.wasm)");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::rename(setup.plugin("other.wasm"), setup.plugin("probe.wasm")).unwrap();
        setup.command(&["plugin", "list"]).ok().says("changed");
        let mode = |mode| std::fs::set_permissions(setup.plugin(""), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o777);
        setup.command(&["plugin", "list"]).ok().says("somebody else could have put it there");
        mode(0o755);
    }
    // The very bytes that were accepted are, wherever they lie.
    let setup = setup.with_plugin_file("elsewhere.wasm", &component("probe"));
    std::fs::remove_file(setup.plugin("probe.wasm")).unwrap();
    let listed = setup.command(&["plugin", "list", "--json"]).ok().json();
    let row = listed["loaded"].as_array().unwrap().iter().find(|row| row["id"] == "probe").unwrap().clone();
    assert_eq!(row["state"], "yes");
}

#[test]
fn a_prepared_lock_holds_for_the_very_builds_that_it_names_and_says_nothing_of_a_machine() {
    let upstream = Upstream::start();
    let setup = trusted_probe(&upstream);
    let (own, committed) = (setup.home().join("plugins.lock"), setup.working_directory().join("plugins.lock"));
    std::fs::rename(&own, &committed).unwrap();
    let text = std::fs::read_to_string(&committed).unwrap();
    assert!(!text.contains(setup.home().to_str().unwrap()), "{text}");
    let flag = ["--lock", "plugins.lock"];
    let list = |more: &[&str]| setup.command(&[&["plugin", "list"], more].concat()).ok();
    list(&[]).says("not trusted: it asks for PROBE_API_KEY");
    assert!(!list(&flag).stdout.contains("not trusted: it asks for PROBE_API_KEY"));
    // What is accepted under it is written there, the same whoever does it.
    setup.command(&["plugin", "untrust", "probe", "--lock", "plugins.lock"]).ok();
    setup.command(&["plugin", "trust", "probe", "--lock", "plugins.lock", "--accept"]).ok();
    assert_eq!(std::fs::read_to_string(&committed).unwrap(), text);
    assert!(!own.exists());

    let gateway = setup.with("/plugins/lock", json!(committed.to_str().unwrap())).run();
    assert!(eventually(|| gateway.chat(&chat()).code == 200), "{}", gateway.log());
    gateway.put_plugin("probe.wasm", &rebuilt(&component("probe"), 1));
    gateway.command(&["reload"]).ok().says("this lock holds for the very builds that it names").says("goes on until");
    // A change of it is noticed by itself, as one of the user's own lock is.
    std::fs::write(&committed, r#"{"version": 2, "components": []}"#).unwrap();
    assert!(eventually(|| gateway.chat(&chat()).code == 503), "{}", gateway.log());
}
