//! Real clients after `bitrouter connect` and without another word, and their files after `--undo`. `cargo xtask e2e` gets the
//! packages and runs this.

use bitrouter_tests::{Anthropic, ChatGpt, Connected, Gateway, Ran, Setup, Spoken};
use serde_json::json;

const SAID: &str = "Hello from beyond the gateway.";

/// A gateway with one model, under a name that no client knows.
fn with_claude() -> (Anthropic, Gateway) {
    let anthropic = Anthropic::start().then_always(Spoken::says(SAID));
    let setup = Gateway::start().with_vendor(&anthropic).with("/models/agent", json!(["anthropic:claude-opus-5-5"]));
    (anthropic, setup.run())
}

/// Connects a client, has it ask, and takes it back: what it did then, and what it has then.
fn through(gateway: &Gateway, client: &Connected, made: &[&str], ask: impl Fn() -> Ran) {
    let url = format!("http://{}", gateway.address());
    client.connect(gateway, &["--url", &url]).ok().says(&url);
    let ran = ask();
    assert!(ran.stdout.contains(SAID), "{ran:?}\n{}", gateway.log());
    client.connect(gateway, &["--undo"]).ok();
    client.has_its_bytes_back(made);
}

#[test]
#[ignore = "needs Claude Code: cargo xtask e2e"]
fn claude_code_asks_the_gateway() {
    let chatgpt = ChatGpt::start().then_always(bitrouter_tests::Turn::says(SAID));
    let gateway =
        Setup::with_chatgpt(Gateway::start(), &chatgpt).with("/models/agent", json!(["openai-codex:gpt-5.5"]));
    let gateway = gateway.run();
    let client = Connected::client("claude-code").with_file(
        ".claude/settings.json",
        "{\n  \"cleanupPeriodDays\": 20,\n  \"env\": { \"DISABLE_TELEMETRY\": \"1\" }\n}\n",
    );
    let quiet = ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER"].map(|name| (name, "1"));
    through(&gateway, &client, &[], || client.run("BITROUTER_E2E_CLAUDE_CODE", &["-p", "Say hello."], &quiet));
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn the_codex_cli_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let quiet = "# mine\ncheck_for_update_on_startup = false\n\n[analytics]\nenabled = false\n\n[features]\napps = false\nplugins = false\n";
    let client = Connected::client("codex").with_file(".codex/config.toml", quiet);
    let ask = ["exec", "--skip-git-repo-check", "Say hello."];
    through(&gateway, &client, &[], || client.run("BITROUTER_E2E_CODEX", &ask, &[]));
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("opencode");
    let quiet = ["OPENCODE_DISABLE_MODELS_FETCH", "OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_DEFAULT_PLUGINS"];
    let quiet = quiet.map(|name| (name, "1"));
    let ask = ["run", "--title", "A test", "Say hello."];
    through(&gateway, &client, &["tmp/opencode/opencode.json"], || client.run("BITROUTER_E2E_OPENCODE", &ask, &quiet));
}

#[test]
#[ignore = "needs the Gemini CLI: cargo xtask e2e"]
fn the_gemini_cli_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("gemini").with_file(
        ".gemini/settings.json",
        "{\n  \"general\": { \"enableAutoUpdate\": false },\n  \"privacy\": { \"usageStatisticsEnabled\": false }\n}\n",
    );
    let ask = ["-p", "Say hello.", "--skip-trust"];
    through(&gateway, &client, &[".gemini/.env"], || client.run("BITROUTER_E2E_GEMINI_CLI", &ask, &[]));
}

#[test]
#[ignore = "needs the Copilot CLI: cargo xtask e2e"]
fn the_copilot_cli_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("copilot").with_file(".bashrc", "alias ll='ls -l'\n");
    through(&gateway, &client, &[], || {
        client.run_in_a_shell("BITROUTER_E2E_COPILOT", "\"$CLIENT\" -p 'Say hello.' --allow-all-tools")
    });
}

#[test]
#[ignore = "needs the Cline CLI: cargo xtask e2e"]
fn the_cline_cli_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("cline");
    let made = [".cline/data/settings/providers.json"];
    through(&gateway, &client, &made, || client.run("BITROUTER_E2E_CLINE", &["--json", "Say hello."], &[]));
}

#[test]
#[ignore = "needs the Continue CLI: cargo xtask e2e"]
fn the_continue_cli_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("continue");
    through(&gateway, &client, &[".continue/config.yaml"], || {
        client.run("BITROUTER_E2E_CONTINUE", &["-p", "Say hello."], &[("CONTINUE_TELEMETRY_ENABLED", "0")])
    });
}

#[test]
#[ignore = "needs goose: cargo xtask e2e"]
fn goose_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("goose");
    let made = ["tmp/goose/config.yaml", "tmp/goose/custom_providers/custom_bitrouter.json"];
    let quiet = [("GOOSE_DISABLE_KEYRING", "1"), ("GOOSE_TELEMETRY_ENABLED", "false")];
    through(&gateway, &client, &made, || {
        client.run("BITROUTER_E2E_GOOSE", &["run", "--no-session", "-t", "Say hello."], &quiet)
    });
}

#[test]
#[ignore = "needs aider: cargo xtask e2e"]
fn aider_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client =
        Connected::client("aider").with_file(".aider.conf.yml", "check-update: false # mine\nanalytics: false\n");
    let ask = ["--no-git", "--yes-always", "--message", "Say hello."];
    through(&gateway, &client, &[], || client.run("BITROUTER_E2E_AIDER", &ask, &[]));
}

#[test]
#[ignore = "needs Qwen Code: cargo xtask e2e"]
fn qwen_code_asks_the_gateway() {
    let (_anthropic, gateway) = with_claude();
    let client = Connected::client("qwen").with_file(
        ".qwen/settings.json",
        "{\n  \"$version\": 4,\n  \"privacy\": { \"usageStatisticsEnabled\": false },\n  \"general\": { \"enableAutoUpdate\": false }\n}\n",
    );
    through(&gateway, &client, &[], || client.run("BITROUTER_E2E_QWEN", &["-p", "Say hello."], &[]));
}
