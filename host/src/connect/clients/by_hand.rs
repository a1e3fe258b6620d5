//! Clients whose settings only their own windows can change, or that run in containers: the steps are shown.

use super::super::plan::{Client, Gateway, Way};

pub(super) const CURSOR: Client =
    Client { id: "cursor", name: "Cursor", programs: &["cursor"], overruled_by: &[], way: Way::Steps(cursor) };

pub(super) const CLINE_IN_VSCODE: Client = Client {
    id: "cline-vscode",
    name: "Cline in VS Code",
    programs: &[],
    overruled_by: &[],
    way: Way::Steps(cline_in_vscode),
};

pub(super) const JETBRAINS: Client = Client {
    id: "jetbrains",
    name: "JetBrains AI Assistant",
    programs: &["idea", "pycharm", "webstorm", "rustrover", "goland"],
    overruled_by: &[],
    way: Way::Steps(jetbrains),
};

pub(super) const XCODE: Client =
    Client { id: "xcode", name: "Xcode", programs: &["xcodebuild"], overruled_by: &[], way: Way::Steps(xcode) };

pub(super) const OPEN_WEBUI: Client = Client {
    id: "open-webui",
    name: "Open WebUI",
    programs: &["open-webui"],
    overruled_by: &[],
    way: Way::Steps(open_webui),
};

pub(super) const LIBRECHAT: Client =
    Client { id: "librechat", name: "LibreChat", programs: &[], overruled_by: &[], way: Way::Steps(librechat) };

/// What to type where a key is asked for; a key is never shown.
fn key(gateway: &Gateway) -> &'static str {
    match gateway.key {
        Some(_) => "one of server.keys",
        None => "any word",
    }
}

fn model(gateway: &Gateway) -> String {
    let first = || gateway.models.first().map(|model| model.id.clone());
    gateway.model.clone().or_else(first).unwrap_or_else(|| "a name of `bitrouter models`".to_owned())
}

fn cursor(gateway: &Gateway) -> Vec<String> {
    vec![
        "Cursor asks from its servers, so the gateway needs an address with https that they can reach, and server.keys.".into(),
        "Cursor Settings, Models, API Keys: turn on OpenAI API Key and Override OpenAI Base URL.".into(),
        format!("Base URL: that address with /v1 (not {}, which is this machine's own). Key: {}.", gateway.v1(), key(gateway)),
        format!("Add Custom Model: {}. Tab completion and some of its features stay with Cursor's models.", model(gateway)),
    ]
}

fn cline_in_vscode(gateway: &Gateway) -> Vec<String> {
    vec![
        "Cline's settings (the gear), API Provider: OpenAI Compatible.".into(),
        format!("Base URL: {}", gateway.v1()),
        format!("API Key: {} (it is kept in VS Code's secret storage, which only VS Code can write).", key(gateway)),
        format!("Model ID: {}", model(gateway)),
    ]
}

fn jetbrains(gateway: &Gateway) -> Vec<String> {
    vec![
        "Settings, Tools, AI Assistant, Providers & API keys: Third-party AI providers, OpenAI-compatible.".into(),
        format!("URL: {}. Key: {}.", gateway.v1(), key(gateway)),
        format!("Test Connection, then choose {} below Models.", model(gateway)),
    ]
}

fn xcode(gateway: &Gateway) -> Vec<String> {
    vec![
        "Settings, Intelligence, Add a Model Provider: Internet Hosted (or Locally Hosted with the port alone).".into(),
        format!("URL: {} (Xcode adds /v1 itself). API Key: {}. Header: authorization.", gateway.origin, key(gateway)),
        "Its chat has the gateway's models in the list then.".into(),
    ]
}

/// In a container loopback is the container's own.
fn from_a_container(gateway: &Gateway) -> String {
    ["127.0.0.1", "[::1]", "localhost"]
        .iter()
        .fold(gateway.v1(), |address, loopback| address.replace(loopback, "host.docker.internal"))
}

const BEYOND: &str = "The gateway has to listen beyond loopback for that, so with server.keys and a name of this machine in \
                      server.allowed_hosts: see docs/operating.md.";

fn open_webui(gateway: &Gateway) -> Vec<String> {
    vec![
        format!(
            "Start it with OPENAI_API_BASE_URLS={} and OPENAI_API_KEYS={}.",
            from_a_container(gateway),
            key(gateway)
        ),
        "Values of its first start are kept in its database: later, Admin Panel, Settings, Connections.".into(),
        BEYOND.into(),
    ]
}

fn librechat(gateway: &Gateway) -> Vec<String> {
    vec![
        "In librechat.yaml, below endpoints: custom:".into(),
        format!(
            "  - name: BitRouter\n    apiKey: \"${{BITROUTER_API_KEY}}\"\n    baseURL: {}",
            from_a_container(gateway)
        ),
        format!("    models: {{ default: [\"{}\"], fetch: true }}", model(gateway)),
        format!("BITROUTER_API_KEY in its .env is {}.", key(gateway)),
        BEYOND.into(),
    ]
}
