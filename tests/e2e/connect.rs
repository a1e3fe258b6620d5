//! `bitrouter connect` by its command line: what it lists, shows, refuses and takes back.

use std::fs;

use bitrouter_tests::{Gateway, KEY, Setup};
use serde_json::{Value, json};

fn home() -> Setup {
    Gateway::start().with_key("OPENAI_API_KEY", KEY)
}

fn row<'a>(rows: &'a Value, id: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()
}

#[test]
fn what_is_connected_is_listed_and_is_not_any_more_once_it_is_taken_back() {
    let setup = home();
    let list = || setup.command(&["connect", "--list", "--json"]).ok().json();
    assert_eq!(row(&list(), "claude-code")["points"], "own");
    setup.command(&["connect", "claude-code", "codex"]).ok().says("settings.json points at http://127.0.0.1:4356 now");
    let rows = list();
    for id in ["claude-code", "codex"] {
        let row = row(&rows, id);
        assert_eq!(
            (&row["points"], &row["connected"], &row["installed"]),
            (&json!("here"), &json!(true), &json!(true))
        );
    }
    assert_eq!(row(&rows, "cursor")["points"], "by-hand");
    setup.command(&["connect", "--undo", "--all"]).ok().says("is again what it was before");
    assert_eq!(row(&list(), "codex")["points"], "own");
    assert!(!setup.home().join(".codex/config.toml").exists());
}

#[test]
fn what_would_be_written_is_shown_and_nothing_is() {
    let setup = home();
    let ran = setup.command(&["connect", "codex", "--print"]).ok();
    assert!(ran.stdout.contains("+ model_providers.bitrouter.base_url = \"http://127.0.0.1:4356/v1\""), "{ran:?}");
    assert!(!setup.home().join(".codex/config.toml").exists() && !setup.home().join("connected/codex").exists());
}

#[test]
fn the_key_of_the_gateway_reaches_the_client_and_no_terminal() {
    let key = "canary-0123456789abcdef";
    let setup = home().with("/server/keys", json!([key]));
    for arguments in [vec!["connect", "claude-code", "--print"], vec!["connect", "claude-code"]] {
        let ran = setup.command(&arguments).ok();
        assert!(!format!("{ran:?}").contains(key), "{ran:?}");
    }
    let settings = fs::read_to_string(setup.home().join(".claude/settings.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&settings).unwrap()["env"]["ANTHROPIC_AUTH_TOKEN"], key);
}

#[test]
fn a_name_that_is_none_is_answered_with_the_nearest_and_no_name_with_all() {
    let setup = home();
    let ran = setup.command(&["connect", "claud-code"]).fails();
    assert!(ran.code == Some(2) && ran.stderr.contains("a similar value exists: 'claude-code'"), "{ran:?}");
    let ran = setup.command(&["connect"]).fails().says("name a client").says("opencode");
    assert_eq!(ran.code, Some(2));
}

#[test]
fn what_in_the_environment_has_its_way_is_said() {
    let setup = home().with_key("ANTHROPIC_BASE_URL", "https://other.example");
    setup.command(&["connect", "claude-code"]).ok().says("CAUTION: ANTHROPIC_BASE_URL is set in this shell");
}

#[test]
fn what_was_not_written_from_here_is_not_taken_out() {
    let setup = home();
    fs::create_dir_all(setup.home().join(".claude")).unwrap();
    let by_hand = "{ \"env\": { \"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:4356\" } }\n";
    fs::write(setup.home().join(".claude/settings.json"), by_hand).unwrap();
    setup.command(&["connect", "claude-code", "--undo"]).fails().says("was not written from here");
    assert_eq!(fs::read_to_string(setup.home().join(".claude/settings.json")).unwrap(), by_hand);
    setup.command(&["connect", "codex", "--undo"]).fails().says("nothing to undo");
}

#[test]
fn a_client_with_windows_alone_is_told_by_steps() {
    home().command(&["connect", "jetbrains"]).ok().says("http://127.0.0.1:4356/v1").says("1. Settings");
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_terminal_it_asks_which_of_those_that_are_installed() {
    let setup = home();
    fs::create_dir_all(setup.home().join(".codex")).unwrap();
    fs::write(setup.home().join(".codex/config.toml"), "# mine\n").unwrap();
    let running = setup.begin_on_a_terminal("bitrouter connect; echo it ended with $?");
    running
        .says("Which client is to use the gateway?")
        .says("the Codex CLI")
        .types_as_it_is("\r")
        .says("it ended with 0");
    let text = fs::read_to_string(setup.home().join(".codex/config.toml")).unwrap();
    assert!(text.starts_with("# mine\n") && text.contains("http://127.0.0.1:4356/v1"), "{text}");
}

#[test]
fn another_gateway_is_asked_for_its_models() {
    let upstream = bitrouter_tests::Upstream::start();
    upstream.answers(json!({ "object": "list", "data": [{ "id": "from-afar", "object": "model" }] }));
    let setup = Gateway::start().with_key("BITROUTER_API_KEY", "canary-0123456789abcdef");
    setup.command(&["connect", "opencode", "--url", &upstream.origin()]).ok();
    let text = fs::read_to_string(setup.home().join(".config/opencode/opencode.json")).unwrap();
    assert!(text.contains("\"model\": \"bitrouter/from-afar\""), "{text}");
    let seen = upstream.last();
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization")),
        ("/v1/models", Some("Bearer canary-0123456789abcdef"))
    );
}
