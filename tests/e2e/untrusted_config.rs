//! A `bitrouter.yaml` that nobody accepted, in the folder where a gateway starts, runs and is reloaded, for every key of the
//! table in docs/configuration.md: it changes nothing of where anything goes, who pays, who may ask, or what is trusted.
#![cfg(unix)]

use std::net::SocketAddr;
use std::path::PathBuf;

use bitrouter_tests::{Gateway, KEY, Request, Running, Setup, Upstream, free_port};
use serde_json::{Value, json};

const GATEWAY_KEY: &str = "the-key-of-this-users-door";
const MODEL: &str = "openai:gpt-4o";
/// What a config may set that nobody accepted.
const HARMLESS: [&str; 1] = ["server.drain_ms"];

/// The keys, as they are documented.
fn keys() -> Vec<String> {
    let document = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = std::fs::read_to_string(document).unwrap();
    let (_, table) = text.split_once("| key | takes | default |").expect("the document has a table of keys");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let keys: Vec<String> =
        rows.map(|row| row.split('`').nth(1).expect("a row begins with its key").to_owned()).collect();
    assert!(keys.len() > 20, "{keys:?}");
    keys
}

/// What an attacker would write for a key. One without a value is a case that is missing.
fn value(key: &str, trap: &Upstream) -> Value {
    let base = format!("{}/v1", trap.origin());
    match key {
        "server.listen" => json!(free_port().to_string()),
        "server.keys" => json!(["the-key-of-an-attacker"]),
        "server.allowed_origins" => json!(["https://evil.example"]),
        "server.allowed_hosts" => json!(["evil.example"]),
        "server.connections" => json!(8),
        "server.body_limit" => json!(1024),
        "server.bodies_limit" => json!("1MiB"),
        "server.body_timeout_ms" => json!(1000),
        "server.drain_ms" => json!(1),
        "plugins.dir" => json!("planted"),
        "plugins.lock" => json!("planted.lock"),
        "plugins.signers" => json!({ "attacker": "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3" }),
        "plugins.budget_ms" => json!(1000),
        "plugins.memory_mb" => json!(1),
        "providers.<id>.api_key" => json!("sk-of-an-attacker-0123456789"),
        "providers.<id>.key_command" => json!(["sh", "-c", "touch \"$HOME/of-an-attacker\"; echo sk-of-an-attacker"]),
        "providers.<id>.key_command_ttl_ms" => json!(1000),
        "providers.<id>.api_base" => json!(base),
        "providers.<id>.origins" => json!({ "api": base }),
        "providers.<id>.enabled" => json!(false),
        "providers.<id>.priority" => json!(1),
        "providers.<id>.timeouts.connect_ms" | "providers.<id>.timeouts.first_byte_ms" => json!(1),
        "providers.<id>.timeouts.idle_ms" | "providers.<id>.timeouts.total_ms" => json!(1),
        "providers.<id>.use" => json!("openai-compatible"),
        "providers.<id>.dialects" => json!(["messages"]),
        "providers.<id>.quirks" => json!(["no-reasoning-content"]),
        "providers.<id>.settings" => json!({ "organization": "org-of-an-attacker", "project": "proj-of-an-attacker" }),
        "providers.<id>.accounts" => json!("balance"),
        "providers.<id>.auth" => json!({ "client_id": "of-an-attacker" }),
        "models" => json!({ "gpt-4o": "openai:another-model", "planted": MODEL }),
        "strict" => json!(true),
        "hedge_after_ms" => json!(1),
        "side_requests" => json!(true),
        "credentials.store" => json!("keyring"),
        "state.calls" => json!("memory"),
        other => panic!("`{other}` is new: say here what an attacker would write for it"),
    }
}

/// A config of this key alone. JSON is YAML.
fn planted(key: &str, value: Value) -> String {
    let inside_out = key.rsplit('.').fold(value, |inside, name| json!({ name.replace("<id>", "openai"): inside }));
    inside_out.to_string()
}

/// A gateway with whatever holds, and how it is seen.
struct Run {
    setup: Setup,
    serving: Running,
    address: SocketAddr,
    upstream: Upstream,
    /// Answers to whoever goes where an attacker says.
    trap: Upstream,
    /// Whether requests may be sent: without a config they would leave this machine.
    sends: bool,
    key: Option<&'static str>,
    /// Further arguments of every command.
    named: Vec<String>,
}

/// What the user's own config says.
fn own(upstream: &Upstream, address: SocketAddr) -> Value {
    json!({
        "side_requests": false,
        "server": { "keys": [GATEWAY_KEY], "listen": address.to_string() },
        "providers": { "openai": { "origins": { "api": format!("{}/v1", upstream.origin()) } } },
    })
}

impl Run {
    /// With the user's own config in the config folder.
    fn with_own() -> Self {
        Self::begin(false)
    }

    /// With one that `-c` names.
    fn with_named() -> Self {
        Self::begin(true)
    }

    fn begin(by_name: bool) -> Self {
        let (upstream, trap, address) = (Upstream::start(), Upstream::start(), free_port());
        let setup = Gateway::start().without_config().with_key("OPENAI_API_KEY", KEY);
        let file = setup.home().join(if by_name { "named.yaml" } else { "bitrouter.yaml" });
        std::fs::write(&file, own(&upstream, address).to_string()).unwrap();
        let named = if by_name { vec!["-c".to_owned(), file.display().to_string()] } else { Vec::new() };
        Self::serve(setup, upstream, trap, address, Some(GATEWAY_KEY), named)
    }

    /// With one of the working directory, which is accepted where it says more than is harmless.
    fn with_one_of_the_folder(accepted: bool) -> Self {
        let (upstream, trap, address) = (Upstream::start(), Upstream::start(), free_port());
        let setup = Gateway::start().without_config();
        if !accepted {
            let setup = setup.with_file("bitrouter.yaml", &planted("server.drain_ms", json!(2)));
            return Self::serve(setup, upstream, trap, address, None, Vec::new());
        }
        let setup = setup.with_key("OPENAI_API_KEY", KEY);
        let setup = setup.with_file("bitrouter.yaml", &own(&upstream, address).to_string());
        setup.command(&["config", "trust"]).ok();
        Self::serve(setup, upstream, trap, address, Some(GATEWAY_KEY), Vec::new())
    }

    /// With none at all.
    fn with_none() -> Self {
        Self::serve(
            Gateway::start().without_config(),
            Upstream::start(),
            Upstream::start(),
            free_port(),
            None,
            Vec::new(),
        )
    }

    fn serve(
        setup: Setup,
        upstream: Upstream,
        trap: Upstream,
        address: SocketAddr,
        key: Option<&'static str>,
        named: Vec<String>,
    ) -> Self {
        let listen = address.to_string();
        let flags = if key.is_none() { vec!["--listen", &*listen] } else { Vec::new() };
        let names = named.iter().map(String::as_str);
        let serving = setup.begin(&["serve"].into_iter().chain(flags).chain(names).collect::<Vec<_>>());
        serving.says("listening");
        let run = Run { setup, serving, address, upstream, trap, sends: key.is_some(), key, named };
        run.command(&["reload"]).ok();
        run
    }

    fn plant(&self, text: &str) {
        std::fs::write(self.setup.working_directory().join("bitrouter.yaml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> bitrouter_tests::Ran {
        self.setup.command(&arguments.iter().copied().chain(self.named.iter().map(String::as_str)).collect::<Vec<_>>())
    }

    fn ask(&self, method: &str, path: &str, key: Option<&str>) -> Request {
        let request = Request::new(self.address, method, path);
        match key {
            Some(key) => request.header("authorization", &format!("Bearer {key}")),
            None => request,
        }
    }

    /// All of it that can be seen from outside: who may ask, what is there, where a call goes and with what.
    fn seen(&self) -> Value {
        let code = |key| self.ask("GET", "/v1/models", key).send().code;
        let page = self.ask("GET", "/v1/models", self.key).header("origin", "https://evil.example").send().code;
        // By a name that is not this machine's.
        let host = self.ask("GET", "/v1/models", self.key).header("host", "evil.example").send().code;
        let models = self.ask("GET", "/v1/models", self.key).send().json();
        let status = self.command(&["status", "--json"]).ok().json();
        let call = self.sends.then(|| {
            // Larger than the limit that is planted.
            let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "x".repeat(2000) }] });
            let answer = self.ask("POST", "/v1/chat/completions", self.key).json(&body).send().status(200);
            let sent = self.upstream.last();
            let sent: Vec<Option<&str>> =
                ["authorization", "openai-organization", "openai-project"].iter().map(|name| sent.header(name)).collect();
            json!({ "sent": sent, "account": answer.header("x-bitrouter-account"), "model": answer.header("x-bitrouter-model") })
        });
        assert_eq!(self.trap.connections(), 0, "something went where the config of the folder said");
        json!({
            "door": [code(None), code(Some(GATEWAY_KEY)), code(Some("the-key-of-an-attacker")), page, host],
            "models": models,
            "config": status["config"]["file"],
            "accounts": status["accounts"],
            "call": call,
        })
    }

    /// What the commands see in the folder.
    fn commands(&self) -> Value {
        let json = |arguments: &[&str]| self.command(arguments).ok().json();
        let mut seen = vec![
            json(&["providers", "--json"]),
            json(&["models", "--json"]),
            json(&["accounts", "--json"]),
            json(&["plugin", "list", "--json"]),
        ];
        let route = self.command(&["route", MODEL, "--json"]);
        seen.push(json!([route.ok, route.stdout]));
        seen.push(json!(self.connected()));
        json!(seen)
    }

    /// Where `connect codex` points the Codex CLI.
    fn connected(&self) -> String {
        self.command(&["connect", "codex"]).ok();
        let written = std::fs::read_to_string(self.setup.home().join(".codex/config.toml")).unwrap();
        self.command(&["connect", "codex", "--undo"]).ok();
        written
    }
}

/// Plants every key beside a gateway that runs, and reloads it.
fn changes_nothing(run: &Run, reload_succeeds: bool) {
    let before = run.seen();
    for key in keys() {
        if HARMLESS.contains(&&*key) && !reload_succeeds {
            continue;
        }
        run.plant(&planted(&key, value(&key, &run.trap)));
        let reload = run.command(&["reload"]);
        assert_eq!(reload.ok, reload_succeeds, "{key}: {reload:?}");
        if reload_succeeds {
            reload.says("is not read");
        } else {
            reload.says("bitrouter config trust");
        }
        assert_eq!(run.seen(), before, "{key}");
    }
}

#[test]
fn beside_the_users_own_config_it_is_not_read_while_a_gateway_runs() {
    let run = Run::with_own();
    changes_nothing(&run, true);
    // Accepted, it waits for the next start: a reload never changes which file holds.
    let before = run.seen();
    run.plant(&json!({ "providers": { "openai": { "enabled": false } } }).to_string());
    run.command(&["config", "trust"]).ok();
    run.command(&["reload"]).ok().says("holds from the next start on");
    assert_eq!(run.seen(), before);
    // Nor does it take the place of the own config when that is gone.
    std::fs::remove_file(run.setup.home().join("bitrouter.yaml")).unwrap();
    run.command(&["reload"]).fails().says("it is gone");
    assert_eq!(run.seen(), before);
}

#[test]
fn beside_a_named_config_it_is_not_read_while_a_gateway_runs() {
    let run = Run::with_named();
    let before = run.seen();
    for key in keys() {
        run.plant(&planted(&key, value(&key, &run.trap)));
        run.command(&["reload"]).ok();
        assert_eq!(run.seen(), before, "{key}");
    }
}

#[test]
fn where_there_was_no_config_it_is_not_read_while_a_gateway_runs() {
    changes_nothing(&Run::with_none(), true);
}

#[test]
fn in_the_place_of_the_accepted_one_it_is_refused_while_a_gateway_runs() {
    let run = Run::with_one_of_the_folder(true);
    changes_nothing(&run, false);
    let before = run.seen();
    for text in ["{}", "", "server: {drain_ms: 1}", "# nothing"] {
        run.plant(text);
        run.command(&["reload"]).fails().says("has changed since you accepted it");
        assert_eq!(run.seen(), before, "{text}");
    }
    run.command(&["status"]).ok().says("not reloaded").says("has changed since you accepted it");
}

#[test]
fn in_the_place_of_a_harmless_one_it_is_refused_while_a_gateway_runs() {
    changes_nothing(&Run::with_one_of_the_folder(false), false);
}

#[test]
fn beside_the_users_own_config_it_is_not_read_at_a_start_nor_by_any_command() {
    let run = Run::with_own();
    let (before, commands) = (run.seen(), run.commands());
    let mut run = run;
    for key in keys() {
        let text = planted(&key, value(&key, &run.trap));
        run.plant(&text);
        assert_eq!(run.commands(), commands, "{key}");
        // Ends the one before, and starts another in the folder.
        run.serving.interrupt();
        let port_is_free = || std::net::TcpListener::bind(run.address).is_ok();
        assert!(bitrouter_tests::eventually(port_is_free), "{}", run.serving.text());
        // Its control socket goes a moment later, and who starts before that has none.
        let is_gone = || run.command(&["status"]).code == Some(3);
        assert!(bitrouter_tests::eventually(is_gone), "{}", run.serving.text());
        run.serving = run.setup.begin(&["serve"]);
        run.serving.says("listening").says("is not read, as you have not accepted it");
        run.command(&["reload"]).ok();
        assert_eq!(run.seen(), before, "{key}");
    }
}

#[test]
fn alone_it_ends_a_start_and_every_command_with_the_line_that_is_in_question() {
    let trap = Upstream::start();
    for key in keys() {
        let text = planted(&key, value(&key, &trap));
        let setup = Gateway::start().without_config().with_file("bitrouter.yaml", &text);
        let port = free_port().to_string();
        let commands: [&[&str]; 5] = [
            &["config", "check"],
            &["route", MODEL],
            &["connect", "codex"],
            &["accounts"],
            &["login", "openai", "--api-key-stdin"],
        ];
        if HARMLESS.contains(&&*key) {
            setup.command(&["config", "check"]).ok();
            continue;
        }
        setup.command(&["serve", "--listen", &port]).fails().says("until you accept it").says("config trust");
        for command in commands {
            setup.command(command).fails().says("until you accept it");
        }
        assert!(!setup.home().join(".codex").exists(), "{key}");
    }
    assert_eq!(trap.connections(), 0);
}
