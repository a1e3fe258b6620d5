//! `bitrouter status`: what a running gateway shows of itself, to its own user alone.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use bitrouter_tests::{ChatGpt, Gateway, KEY, Login, Reply, Turn, Upstream, eventually};
use serde_json::{Value, json};

fn chat(streaming: bool) -> Value {
    json!({"model": "openai:gpt-4o", "messages": [], "stream": streaming})
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

#[test]
fn without_a_gateway_that_is_said_with_an_exit_code_of_its_own() {
    let setup = Gateway::start();
    for command in [["status"].as_slice(), &["status", "--json"], &["status", "--watch"], &["reload"]] {
        let ran = setup.command(command).says("no gateway is running").says("bitrouter serve");
        assert_eq!(ran.code, Some(3), "{command:?}");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_running_gateway_shows_what_it_is_and_what_it_runs_with() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    assert!(eventually(|| gateway.status()["loading"] == 0));
    let status = gateway.status();
    assert_eq!(status["pid"], gateway.process());
    assert_eq!(status["state"], "serving");
    assert_eq!(status["listening"], json!([gateway.address().to_string()]));
    assert!(status["config"]["file"].as_str().unwrap().ends_with("bitrouter.yaml"), "{status}");
    assert_eq!(status["config"]["refused"], Value::Null);
    assert_eq!(status["accounts"][0]["provider"], "openai");
    assert_eq!(status["accounts"][0]["label"], "env");
    let text = gateway.command(&["status"]).ok();
    text.says(&gateway.address().to_string()).says("openai@env");
}

#[test]
fn a_request_is_shown_while_it_is_under_way_and_not_after() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(event("first")).wait_until_gone());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let mut client = gateway.post("/v1/chat/completions").json(&chat(true)).open();
    assert_eq!(client.head().0, 200);
    client.read_until("first");
    let status = gateway.status();
    let request = &status["requests"][0];
    let shown = ["provider", "account", "model", "phase", "dialect"].map(|name| request[name].as_str().unwrap());
    assert_eq!(shown, ["openai", "env", "gpt-4o", "answering", "chat-completions"]);
    gateway.command(&["status"]).ok().says("answering").says("openai@env:gpt-4o");
    client.leave();
    assert!(eventually(|| gateway.status()["requests"] == json!([])));

    upstream.replies(Reply::silence());
    let client = gateway.post("/v1/chat/completions").json(&chat(false)).open();
    assert!(eventually(|| gateway.status()["requests"][0]["phase"] == "waiting"));
    client.leave();
}

#[test]
fn the_last_errors_are_shown_without_a_secret() {
    let upstream = Upstream::start();
    let error = json!({"error": {"message": format!("the key {KEY} is over its limit"), "type": "server_error"}});
    upstream.replies(Reply::json(&error).status(500));
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let answer = gateway.chat(&chat(false));
    assert!(answer.code >= 500, "{}", answer.text());
    let status = gateway.status();
    let failed = &status["errors"][0];
    assert_eq!(failed["provider"], "openai");
    assert!(failed["request"].as_str().unwrap().starts_with("req_"), "{status}");
    assert!(failed["error"].as_str().unwrap().contains("is over its limit"), "{status}");
    let text = gateway.command(&["status"]).ok().says("last errors");
    for said in [status.to_string(), text.stdout] {
        assert!(!said.contains("canary-0123456789"), "{said}");
    }
}

#[test]
fn an_account_shows_its_limits_and_one_that_is_over_its_next_step() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let setup = Gateway::start().with_chatgpt(&chatgpt);
    let gateway = setup.logged_in("openai-codex", "second", &Login::of("acc-second")).run();
    let body = json!({"model": "openai-codex:gpt-5.5", "input": "hello"});
    gateway.post("/v1/responses").json(&body).send().status(200);
    let account = |status: &Value, label: &str| {
        let accounts = status["accounts"].as_array().unwrap().clone();
        accounts.into_iter().find(|account| account["label"] == label).unwrap()
    };
    let told = || {
        let windows = account(&gateway.status(), "default")["windows"].clone();
        windows.as_array().unwrap().iter().any(|window| window["used_percent"] == 12.5)
    };
    assert!(eventually(told), "{}", gateway.status());
    let status = gateway.status();
    assert_eq!(account(&status, "second")["health"], "ok");
    assert_eq!(account(&status, "default")["email"], "somebody@example.com");
    assert!(!status.to_string().contains(&chatgpt.login().access_token));
    gateway.command(&["status"]).ok().says("██░").says("resets in");
}

#[test]
fn what_cools_down_is_shown_with_its_reason_and_can_be_lifted() {
    let limit = |account: &str| {
        let (long_ago, never) = ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
        json!({
            "provider": "openai", "account": account, "reason": "usage-limit", "since": long_ago, "until": never,
            "next_probe": never, "probes": 1,
        })
    };
    let setup = Gateway::start();
    // As an earlier gateway left it.
    let kept = json!({"version": 1, "cooldowns": [limit("work"), limit("home"), limit("env")]});
    std::fs::write(setup.home().join("cooldowns.json"), kept.to_string()).unwrap();
    let gateway = setup.run();
    let cooling = || -> Vec<String> {
        let status = gateway.status();
        let cooldowns = status["cooldowns"].as_array().unwrap();
        cooldowns.iter().map(|cooldown| cooldown["address"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(cooling(), ["openai@env", "openai@home", "openai@work"]);
    gateway.command(&["status"]).ok().says("cooling down").says("openai@work  usage limit").says("tried again");
    gateway.command(&["reload"]).ok();
    assert_eq!(cooling().len(), 3);
    gateway.command(&["status", "--clear", "openai@work"]).ok().says("1 cooldown was lifted");
    assert_eq!(cooling(), ["openai@env", "openai@home"]);
    gateway.command(&["status", "--clear"]).ok().says("2 cooldowns were lifted");
    assert_eq!(cooling(), [""; 0]);
}

#[test]
fn what_is_to_be_lifted_of_nobody_is_an_error_with_the_nearest_name() {
    let gateway = Gateway::start().with_openai_at(&Upstream::start()).run();
    assert!(eventually(|| gateway.status()["loading"] == 0));
    for (named, said) in [
        ("nope", "there is no provider `nope`"),
        ("opnai", "did you mean `openai`?"),
        ("openai@nope", "openai has no account `nope`"),
        ("openai@emv", "did you mean `env`?"),
        ("@env", "write PROVIDER@LABEL"),
    ] {
        gateway.command(&["status", "--clear", named]).fails().says(said);
        gateway.command(&["status", "--clear", named, "--json"]).fails();
    }
    assert!(!gateway.log().contains("cooldowns lifted by hand"));
    for named in ["openai", "openai@env", "openai-codex"] {
        gateway.command(&["status", "--clear", named]).ok().says("0 cooldowns were lifted");
    }
}

#[test]
fn a_stream_that_broke_is_no_success_among_the_last_errors() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(event("half")).pause(30).cut());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    gateway.post("/v1/chat/completions").json(&chat(true)).send();
    assert!(eventually(|| !gateway.status()["errors"].as_array().unwrap().is_empty()));
    let shown = gateway.command(&["status"]).ok().stdout;
    let line = shown.lines().find(|line| line.contains("openai@env:gpt-4o")).unwrap_or_default();
    assert!(line.contains("broke off") && !line.contains("  200  "), "{shown}");
}

#[test]
fn a_key_without_quota_and_a_workspace_that_is_switched_off_are_no_plans_limit() {
    for (status, body, said) in [
        (429, json!({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}), "quota used up"),
        (402, json!({"error": {"message": "Insufficient Balance"}}), "no credit left"),
        (402, json!({"detail": {"code": "deactivated_workspace"}}), "deactivated"),
        (402, json!({"error": {"code": "x", "message": "This account is deactivated"}}), "deactivated"),
        (429, json!({"error": {"message": "limit", "type": "usage_limit_reached"}}), "usage limit of the plan"),
    ] {
        let upstream = Upstream::start();
        upstream.replies(Reply::json(&body).status(status));
        let gateway = Gateway::start().with_openai_at(&upstream).run();
        gateway.chat(&chat(false)).status(status);
        let reason = gateway.status()["cooldowns"][0]["reason"].clone();
        assert!(reason.as_str().is_some_and(|reason| reason.contains(said)), "{body}: {reason}");
    }
}

#[test]
fn what_was_sent_and_refused_is_told_as_it_was_answered_and_not_from_memory() {
    for status in [429, 500, 502, 503, 529] {
        let upstream = Upstream::start();
        let said = json!({"error": {"message": "what really happened", "type": "t", "code": "c"}});
        upstream.replies(Reply::json(&said).status(status).header("retry-after", "90"));
        let gateway = Gateway::start().with_openai_at(&upstream).run();
        let mut asked = 0;
        // The second goes as a last resort, and whatever comes later from memory.
        for text in ["a", "bb", "ccc", "dddd"] {
            let body = json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": text}]});
            let answer = gateway.chat(&body);
            let sent = upstream.requests().len() > asked;
            asked = upstream.requests().len();
            assert_eq!(answer.text().contains("what really happened"), sent, "{status} {text}: {}", answer.text());
        }
        assert!(asked >= 2, "{status}");
        assert!(!gateway.log().contains("unknown status code"), "{status}");
    }
}

#[test]
fn a_component_that_does_not_serve_is_shown_with_the_command_that_accepts_it() {
    let gateway = Gateway::start().with_plugin("probe").run();
    let refused = || gateway.status()["refused"][0]["reason"].as_str().is_some_and(|why| why.contains("plugin trust"));
    assert!(eventually(refused), "{}", gateway.status());
}

#[test]
fn watching_goes_on_until_the_gateway_ends() {
    let mut gateway = Gateway::start().run();
    let watching = gateway.setup().begin(&["status", "--watch", "--json"]);
    watching.says("\"state\":\"serving\"");
    assert!(eventually(|| watching.text().lines().count() > 1), "{}", watching.text());
    gateway.stop();
    assert!(gateway.ends_well());
    let ran = watching.ends();
    assert_eq!(ran.code, Some(3));
    ran.stdout.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).unwrap()));
}

#[test]
fn the_control_socket_is_for_its_user_alone_and_never_on_the_public_port() {
    let gateway = Gateway::start().run();
    let socket = gateway.setup().home().join("control.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    gateway.get("/status").send().status(404);
    gateway.post("/reload").json(&json!({})).send().status(404);
}

#[test]
fn gateways_with_other_homes_do_not_meet_and_a_second_one_of_a_home_says_whom_status_asks() {
    let first = Gateway::start().run();
    let other = Gateway::start().run();
    assert_eq!(first.status()["pid"], first.process());
    assert_eq!(other.status()["pid"], other.process());
    let second = first.setup().begin(&["serve", "--listen", "127.0.0.1:0"]);
    second.says("listening").says("another gateway with the same home");
    assert_eq!(first.status()["pid"], first.process());
    second.interrupt();
    second.ends().ok();
    assert_eq!(first.status()["pid"], first.process(), "the second one took the first one's socket away");
}

#[test]
fn what_a_killed_gateway_left_is_replaced() {
    let mut gateway = Gateway::start().run();
    gateway.signal("KILL");
    assert!(!gateway.ends_well());
    assert!(gateway.setup().home().join("control.sock").exists());
    assert_eq!(gateway.command(&["status"]).code, Some(3));
    let next = gateway.setup().begin(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(eventually(|| gateway.command(&["status"]).ok), "{}", next.text());
    next.interrupt();
    next.ends().ok();
    assert!(!gateway.setup().home().join("control.sock").exists());
}
