//! Reloading: a changed config and changed components are applied while the gateway runs, and no request notices.
#![cfg(unix)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bitrouter_tests::{Answer, ChatGpt, Gateway, Login, Open, Reply, Request, Turn, Upstream, component, eventually};
use serde_json::{Value, json};

use super::rebuilt::rebuilt;

fn chat(model: &str, streaming: bool) -> Value {
    json!({"model": model, "messages": [], "stream": streaming})
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn reloads(gateway: &Gateway) -> u64 {
    gateway.status()["config"]["reloads"].as_u64().unwrap()
}

#[test]
fn a_changed_config_is_applied_by_command_by_signal_and_by_itself() {
    let upstream = Upstream::start();
    let mut gateway = Gateway::start().with_openai_at(&upstream).run();
    let code = |gateway: &Gateway| gateway.chat(&chat("openai:gpt-4o", false)).code;
    assert_eq!(code(&gateway), 200);

    gateway.configure("/providers/openai/enabled", json!(false));
    gateway.command(&["reload"]).ok().says("reloaded").says("bitrouter.yaml");
    assert!(code(&gateway) >= 400);

    gateway.configure("/providers/openai/enabled", json!(true));
    gateway.signal("HUP");
    assert!(eventually(|| code(&gateway) == 200), "{}", gateway.log());

    gateway.configure("/providers/openai/enabled", json!(false));
    assert!(eventually(|| code(&gateway) >= 400), "{}", gateway.log());
    assert!(reloads(&gateway) >= 3);
}

#[test]
fn a_config_that_appears_later_is_found() {
    let mut gateway = Gateway::start().without_config().with_key("OPENAI_API_KEY", "sk-0123456789abcdef").run();
    assert_eq!(gateway.status()["config"]["file"], Value::Null);
    let models =
        |gateway: &Gateway| gateway.get("/v1/models").send().status(200).json()["data"].as_array().unwrap().len();
    assert!(models(&gateway) > 0);
    gateway.write_config("providers:\n  openai:\n    enabled: false\n");
    assert!(eventually(|| models(&gateway) == 0), "{}", gateway.log());
    // One that goes is no config that says nothing.
    std::fs::remove_file(gateway.setup().home().join("bitrouter.yaml")).unwrap();
    gateway.command(&["reload"]).fails().says("it is gone");
    assert_eq!(models(&gateway), 0);
}

#[test]
fn a_broken_config_is_refused_with_every_problem_and_the_old_one_goes_on() {
    let upstream = Upstream::start();
    let mut gateway = Gateway::start().with_openai_at(&upstream).run();
    gateway.write_config("server:\n  listn: 1\nproviders:\n  openai:\n    priority: high\n");
    let ran = gateway.command(&["reload"]).fails().says("goes on as it was");
    assert_eq!(ran.code, Some(1));
    ran.says("bitrouter.yaml:2:3").says("did you mean `listen`?").says("bitrouter.yaml:5:").says("priority");
    gateway.logs("not reloaded").logs("did you mean `listen`?").logs("priority");
    gateway.chat(&chat("openai:gpt-4o", false)).status(200);
    let refused = gateway.status();
    assert_eq!(refused["config"]["refused"]["problems"].as_array().unwrap().len(), 2, "{refused}");
    gateway.command(&["status"]).ok().says("not reloaded").says("did you mean `listen`?");
    // Another mistake is noticed by itself.
    gateway.write_config("strickt: true\n");
    gateway.logs("did you mean `strict`?");
    gateway.chat(&chat("openai:gpt-4o", false)).status(200);
    gateway.configure("/providers/openai/priority", json!(1));
    gateway.command(&["reload"]).ok();
    assert_eq!(gateway.status()["config"]["refused"], Value::Null);
}

#[test]
fn another_address_waits_for_the_next_start_and_is_said_to() {
    let mut gateway = Gateway::start().run();
    // Its address came by flag, which stands above the config.
    gateway.write_config("server:\n  listen: 127.0.0.1:1\n");
    let ran = gateway.command(&["reload"]).ok();
    assert!(!ran.stdout.contains("next start"), "{ran:?}");
    let port = bitrouter_tests::free_port();
    let setup = Gateway::start().with("/server/listen", json!(port.to_string()));
    let serving = setup.begin(&["serve"]);
    serving.says("listening");
    let setup = setup.with("/server/listen", json!("127.0.0.1:1"));
    setup.command(&["reload"]).ok().says("127.0.0.1:1 by now").says("next start").says(&port.to_string());
    Request::new(port, "GET", "/health").send().status(200);
    serving.interrupt();
    serving.ends().ok();
}

#[test]
fn a_config_that_is_empty_for_a_moment_opens_nothing() {
    const KEY: &str = "a-key-of-this-gateway";
    let upstream = Upstream::start();
    let mut gateway = Gateway::start().with_openai_at(&upstream).with("/server/keys", json!([KEY])).run();
    let asks = |gateway: &Gateway, key: Option<&str>| {
        let request = gateway.post("/v1/chat/completions").json(&chat("openai:gpt-4o", false));
        let request = match key {
            Some(key) => request.header("authorization", &format!("Bearer {key}")),
            None => request,
        };
        request.send().code
    };
    // As a writer leaves it that truncates in place, and one that has come to the first section.
    for text in ["", "# half\n", "server:\n"] {
        gateway.write_config(text);
        gateway.command(&["reload"]).fails().says("the file says nothing");
        assert_eq!((asks(&gateway, None), asks(&gateway, Some(KEY))), (401, 200), "{text:?}");
        gateway.command(&["status"]).ok().says("not reloaded").says("the file says nothing");
    }
    // It is noticed by itself as well.
    gateway.write_config("\n");
    gateway.logs("the file says nothing");
    assert_eq!((asks(&gateway, None), asks(&gateway, Some(KEY))), (401, 200));
    gateway.configure("/providers/openai/priority", json!(1));
    gateway.command(&["reload"]).ok();
    assert_eq!((asks(&gateway, None), asks(&gateway, Some(KEY))), (401, 200));
}

#[test]
fn a_lock_file_that_is_half_written_ends_no_acceptance() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_plugin("probe").with_origin("probe", &upstream).trusting("probe");
    let gateway = setup.with_key("PROBE_API_KEY", "sk-probe-0123456789").run();
    let code = || gateway.chat(&chat("probe:probe-1", false)).code;
    assert!(eventually(|| code() == 200), "{}", gateway.log());
    let lock = gateway.home().join("plugins.lock");
    let whole = std::fs::read(&lock).unwrap();
    for half in [&whole[..0], &whole[..whole.len() / 2]] {
        std::fs::write(&lock, half).unwrap();
        gateway.command(&["reload"]).ok().says("plugins.lock is damaged");
        assert_eq!(code(), 200);
    }
    std::fs::write(&lock, whole).unwrap();
    gateway.command(&["plugin", "untrust", "probe"]).ok();
    gateway.command(&["reload"]).ok().says("not trusted");
    assert_eq!(code(), 503);
}

#[test]
fn accepting_a_config_that_changed_is_noticed() {
    let upstream = Upstream::start();
    let config = |model: &str| {
        let openai = json!({"origins": {"api": format!("{}/v1", upstream.origin())}});
        json!({"side_requests": false, "providers": {"openai": openai}, "models": {"mine": format!("openai:{model}")}})
    };
    let setup = Gateway::start().without_config().with_key("OPENAI_API_KEY", "sk-0123456789abcdef");
    let setup = setup.with_file("bitrouter.yaml", &config("one").to_string());
    setup.command(&["config", "trust"]).ok();
    let gateway = setup.run();
    let model = || {
        gateway.chat(&chat("mine", false)).status(200);
        upstream.last().json()["model"].clone()
    };
    assert_eq!(model(), "one");
    let file = gateway.setup().working_directory().join("bitrouter.yaml");
    std::fs::write(&file, config("two").to_string()).unwrap();
    gateway.command(&["reload"]).fails().says("has changed since you accepted it");
    assert_eq!(model(), "one");
    gateway.command(&["config", "trust", file.to_str().unwrap()]).ok();
    assert!(eventually(|| model() == "two"), "{}", gateway.log());
    // Taken back, it holds for as long as the gateway runs, and for no start.
    gateway.command(&["config", "untrust"]).ok();
    gateway.command(&["reload"]).fails().says("not accepted any more");
    assert_eq!(model(), "two");
    gateway.command(&["route", "mine"]).fails().says("until you accept it");
}

#[test]
fn components_come_change_and_go_while_the_gateway_runs() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_origin("echo", &upstream).with_origin("probe", &upstream);
    let gateway = gateway.with_key("PROBE_API_KEY", "sk-probe-0123456789").run();
    let code = |model: &str| gateway.chat(&chat(model, false)).code;
    assert!(eventually(|| code("echo:echo-1") == 400), "it is no longer loading, and there is no such provider");
    let echo = component("echo");
    gateway.put_plugin("echo.wasm", &echo);
    // By itself, as a user who drops a file expects.
    assert!(eventually(|| code("echo:echo-1") == 200), "{}", gateway.log());

    gateway.put_plugin("echo.wasm", &rebuilt(&echo, 1));
    gateway.command(&["reload"]).ok().says("echo: another build");
    assert_eq!(code("echo:echo-1"), 200);

    // One that does not even load leaves the one before at work.
    gateway.put_plugin("echo.wasm", b"half of a file");
    gateway.command(&["reload"]).ok().says("echo.wasm").says("goes on until the gateway ends");
    assert_eq!(code("echo:echo-1"), 200);

    gateway.put_plugin("probe.wasm", &component("probe"));
    gateway.command(&["reload"]).ok().says("not trusted");
    assert_eq!(code("probe:probe-1"), 503);
    let probe = gateway.setup().plugin("probe.wasm");
    gateway.command(&["plugin", "trust", probe.to_str().unwrap(), "--yes"]).ok();
    assert!(eventually(|| code("probe:probe-1") == 200), "{}", gateway.log());
    // Another build that asks for no more takes its place.
    gateway.put_plugin("probe.wasm", &rebuilt(&component("probe"), 1));
    gateway.command(&["reload"]).ok().says("probe: another build than the one that you accepted");
    assert_eq!(code("probe:probe-1"), 200);

    for file in ["echo.wasm", "probe.wasm"] {
        std::fs::remove_file(gateway.setup().plugin(file)).unwrap();
    }
    gateway.command(&["reload"]).ok().says("echo: its component is gone").says("probe: its component is gone");
    assert_eq!((code("echo:echo-1"), code("probe:probe-1")), (400, 400));
}

#[test]
fn a_stream_keeps_the_config_and_the_component_that_it_began_with() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(event("first")).pause(1500).send(event("last")));
    let mut gateway = Gateway::start().with_plugin("echo").with_origin("echo", &upstream).run();
    let mut stream = gateway.post("/v1/chat/completions").json(&chat("echo:echo-1", true)).open();
    assert_eq!(stream.head().0, 200);
    stream.read_until("first");
    gateway.configure("/providers/echo/enabled", json!(false));
    std::fs::remove_file(gateway.setup().plugin("echo.wasm")).unwrap();
    gateway.command(&["reload"]).ok();
    assert!(gateway.chat(&chat("echo:echo-1", false)).code >= 400);
    stream.read_until("last");
}

#[test]
fn connections_and_limits_outlive_a_reload() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let upstream = Upstream::start();
    let mut gateway = Gateway::start().with_openai_at(&upstream).with_chatgpt(&chatgpt).run();
    let told = |gateway: &Gateway| gateway.status().to_string().contains("\"used_percent\":12.5");
    gateway.post("/v1/responses").json(&json!({"model": "openai-codex:gpt-5.5", "input": "x"})).send().status(200);
    gateway.chat(&chat("openai:gpt-4o", false)).status(200);
    assert!(eventually(|| told(&gateway)), "{}", gateway.status());
    gateway.configure("/providers/openai/priority", json!(7));
    gateway.configure("/providers/openai-codex/priority", json!(8));
    gateway.command(&["reload"]).ok();
    assert!(told(&gateway), "{}", gateway.status());
    gateway.chat(&chat("openai:gpt-4o", false)).status(200);
    assert_eq!(upstream.connections(), 1);
}

/// What a client of the load asks for, and how a whole answer ends.
type Asks = (&'static str, Value, &'static str);

/// Asks again and again on a connection of its own, or on a new one each time; says what went wrong.
fn load(to: SocketAddr, (path, body, end): &Asks, keep: bool, stop: &AtomicBool, done: &AtomicUsize) -> Vec<String> {
    let request = Request::new(to, "POST", path).json(body);
    let mut failures = Vec::new();
    let mut connection = Open::to(to);
    while !stop.load(Ordering::SeqCst) {
        if !keep {
            connection = Open::to(to);
        }
        let answer: Answer = connection.send(&request).answer();
        if answer.code != 200 || !answer.complete || !answer.text().contains(end) {
            failures.push(format!("{path} {}: {}", answer.code, answer.text()));
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    failures
}

#[test]
fn config_reloads_component_reloads_and_logins_under_load_drop_no_request() {
    const ROUNDS: u8 = 8;
    let (first, second) = (Login::of("acc-first"), Login::of("acc-second"));
    let chatgpt = ChatGpt::knowing(first.clone()).also_knows(&second).then_always(Turn::says("hello"));
    let upstream = Upstream::start();
    let streamed = Reply::sse().send(event("one")).pause(40).send(event("two")).pause(40).send("data: [DONE]\n\n");
    upstream.follows(move |seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        if body["stream"] == true { streamed.clone() } else { Reply::json(&json!({"ok": "whole"})) }
    });
    let setup = Gateway::start().with_openai_at(&upstream).with_chatgpt(&chatgpt);
    let mut gateway = setup.with_plugin("echo").with_origin("echo", &upstream).run();
    assert!(eventually(|| gateway.chat(&chat("echo:echo-1", false)).code == 200));
    let asks: [(Asks, bool); 6] = [
        (("/v1/chat/completions", chat("echo:echo-1", false), "whole"), true),
        (("/v1/chat/completions", chat("echo:echo-1", true), "[DONE]"), true),
        (("/v1/chat/completions", chat("openai:gpt-4o", false), "whole"), false),
        (("/v1/chat/completions", chat("openai:gpt-4o", true), "[DONE]"), true),
        (("/v1/responses", json!({"model": "openai-codex:gpt-5.5", "input": "x", "stream": true}), "completed"), true),
        (("/v1/responses", json!({"model": "openai-codex:gpt-5.5", "input": "x"}), "hello"), false),
    ];
    let (stop, echo) = (AtomicBool::new(false), component("echo"));
    let counts: Vec<AtomicUsize> = asks.iter().map(|_| AtomicUsize::new(0)).collect();
    let to = gateway.address();
    let failures: Vec<String> = std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for ((asks, keep), done) in asks.iter().zip(&counts) {
            let stop = &stop;
            clients.push(scope.spawn(move || load(to, asks, *keep, stop, done)));
        }
        for round in 0..ROUNDS {
            gateway.configure("/providers/echo/priority", json!(u32::from(round)));
            gateway.configure("/providers/openai/timeouts/connect_ms", json!(5000 + u32::from(round % 2)));
            gateway.configure("/plugins/budget_ms", json!(50 + round % 2));
            gateway.put_plugin("echo.wasm", &rebuilt(&echo, round));
            let login = if round % 2 == 0 { &second } else { &first };
            gateway.setup().log_in("openai-codex", "default", login);
            gateway.command(&["reload"]).ok().says("echo: another build");
            // Everybody has asked under this config before the next one comes.
            let before: Vec<usize> = counts.iter().map(|count| count.load(Ordering::SeqCst)).collect();
            let all = || counts.iter().zip(&before).all(|(count, before)| count.load(Ordering::SeqCst) > *before);
            assert!(eventually(all), "a client is stuck");
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let total: usize = counts.iter().map(|count| count.load(Ordering::SeqCst)).sum();
    assert!(failures.is_empty(), "{} of {total} failed: {:?}", failures.len(), failures.first());
    assert!(reloads(&gateway) >= u64::from(ROUNDS));
    let turns = chatgpt.turns();
    let used = |login: &Login| turns.iter().any(|turn| turn.header("chatgpt-account-id") == Some(&login.account_id));
    assert!(used(&first) && used(&second), "one of the two logins was never used");
}
