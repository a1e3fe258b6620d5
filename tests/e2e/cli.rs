//! The commands besides `serve`: that each does what it says, and that a script can tell by the exit code.

use bitrouter_tests::Gateway;
use serde_json::json;

#[test]
fn help_names_every_command() {
    let setup = Gateway::start();
    let help = setup.command(&["--help"]).ok();
    for command in ["serve", "route", "models", "providers", "plugin", "config", "completions"] {
        help.clone().says(command);
        setup.command(&[command, "--help"]).ok();
    }
    setup.command(&["--version"]).ok().says("0.1.0");
    setup.command(&["no-such-command"]).fails().says("no-such-command");
    setup.command(&[]).fails().says("Usage");
}

#[test]
fn completions_are_there_for_the_usual_shells() {
    let setup = Gateway::start();
    for shell in ["bash", "zsh", "fish"] {
        let script = setup.command(&["completions", shell]).ok();
        assert!(script.stdout.contains("bitrouter") && script.stdout.contains("serve"), "{shell}");
    }
    setup.command(&["completions", "no-such-shell"]).fails();
}

#[test]
fn a_config_is_checked_to_its_end() {
    let text = "server:\n  listn: 1\nproviders:\n  openai:\n    priority: high\n";
    let setup = Gateway::start().with_file("bad.yaml", text);
    let ran = setup.command(&["-c", "bad.yaml", "config", "check"]).fails();
    ran.says("bad.yaml:2:3").says("did you mean `listen`?").says("bad.yaml:5:").says("priority");
    let setup = setup.with_file("good.yaml", "server:\n  listen: 127.0.0.1:4356\n");
    setup.command(&["-c", "good.yaml", "config", "check"]).ok();
    setup.command(&["-c", "missing.yaml", "config", "check"]).fails().says("missing.yaml");
}

#[test]
fn a_gateway_does_not_start_with_a_bad_config_or_exposed_without_a_key() {
    let setup = Gateway::start().with_file("bad.yaml", "no_such_key: 1\n");
    setup.command(&["-c", "bad.yaml", "serve"]).fails().says("no_such_key");
    setup.command(&["serve", "--listen", "0.0.0.0:0"]).fails().says("keys");
    setup.command(&["serve", "--listen", "nowhere"]).fails().says("nowhere");
}

#[test]
fn a_port_in_use_is_named() {
    let gateway = Gateway::start().run();
    let address = gateway.address().to_string();
    gateway.command(&["serve", "--listen", &address]).fails().says(&address).says("in use");
}

#[test]
fn route_says_where_a_request_would_go() {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", "sk-0123456789abcdef");
    setup.command(&["route", "openai:gpt-4o"]).ok().says("openai").says("gpt-4o");
    setup.command(&["route", "gpt-4o"]).ok().says("openai");
    setup.command(&["route", "nonsense:x"]).fails().says("nonsense:x");
    let json = setup.command(&["route", "openai:gpt-4o", "--json"]).ok().json();
    assert!(json.to_string().contains("openai"), "{json}");
}

#[test]
fn route_without_a_key_says_what_is_missing() {
    Gateway::start().command(&["route", "openai:gpt-4o"]).fails().says("OPENAI_API_KEY");
}

#[test]
fn lists_are_there_for_people_and_for_programs() {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", "sk-0123456789abcdef").with_plugin("echo");
    for (command, word) in
        [(["models"].as_slice(), "gpt-4o"), (&["providers"], "openai"), (&["plugin", "list"], "echo")]
    {
        setup.command(command).ok().says(word);
        let json = setup.command(&[command, &["--json"]].concat()).ok().json();
        assert!(json.to_string().contains(word), "{command:?}: {json}");
    }
}

#[test]
fn the_plugin_folder_can_be_named_on_the_command_line() {
    let setup = Gateway::start().with_plugin("echo").with("/plugins/dir", json!("elsewhere"));
    let folder = setup.plugin("");
    assert!(!setup.command(&["plugin", "list"]).ok().stdout.contains("echo"));
    setup.command(&["plugin", "list", "--plugins", folder.to_str().unwrap()]).ok().says("echo.wasm");
}

#[test]
fn a_disabled_provider_is_not_routed_to() {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", "sk-0123456789abcdef");
    let gateway = setup.with("/providers/openai/enabled", json!(false)).run();
    let answer = gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []}));
    assert!(answer.code >= 400, "{}", answer.text());
    gateway.command(&["route", "openai:gpt-4o"]).fails();
}

#[test]
fn trust_shows_what_is_wanted_and_pins_it() {
    let setup = Gateway::start().with_plugin("probe").with_key("PROBE_API_KEY", "sk-probe-0123456789");
    let file = setup.plugin("probe.wasm");
    let file = file.to_str().unwrap();
    // Nobody is there to answer the question.
    setup.command(&["plugin", "trust", file]).fails();
    setup.command(&["plugin", "list"]).says("not trusted");
    setup.command(&["plugin", "trust", file, "--yes"]).ok().says("PROBE_API_KEY").says("http://127.0.0.1:9/v1");
    setup.command(&["route", "probe:probe-1"]).ok().says("probe");
    setup.command(&["plugin", "trust", "no-such-file.wasm", "--yes"]).fails().says("no-such-file.wasm");
}
