//! The real Codex CLI, without the gateway and with it in between: its user must not see a difference, but for what the
//! gateway does better. `cargo xtask e2e` gets the package and runs this.

use std::fs;

use bitrouter_tests::{CLIENT_KEY, ChatGpt, CodexCli, Gateway, Login, Turn};
use serde_json::{Value, json};

const PATCH: &str = "*** Begin Patch\n*** Add File: new.txt\n+caf\u{e9} \"x\" \\n\n+world\n*** End Patch";

/// A CLI, and what it talks to.
struct Desk {
    codex: CodexCli,
    chatgpt: ChatGpt,
    /// What is in between, if anything is.
    gateway: Option<Gateway>,
}

impl Desk {
    /// The CLI with the backend's own login, as OpenAI means it to be used.
    fn direct(chatgpt: ChatGpt) -> Self {
        let account = format!("http_headers = {{ chatgpt-account-id = \"{}\" }}", chatgpt.login().account_id);
        let codex = CodexCli::at(&chatgpt.base_url(), "gpt-5.5");
        let codex = codex.with_key(&chatgpt.login().access_token).with_provider_line(&account);
        Desk { codex, chatgpt, gateway: None }
    }

    /// The CLI with a gateway that has the login.
    fn through_the_gateway(chatgpt: ChatGpt) -> Self {
        let gateway = Gateway::start().with_chatgpt(&chatgpt).run();
        let base_url = format!("http://{}/v1", gateway.address());
        let codex = CodexCli::at(&base_url, "openai-codex:gpt-5.5").that_knows_its_model();
        Desk { codex, chatgpt, gateway: Some(gateway) }
    }

    /// The same, which speaks to the gateway over a WebSocket.
    fn over_a_websocket(chatgpt: ChatGpt) -> Self {
        let desk = Desk::through_the_gateway(chatgpt);
        Desk { codex: desk.codex.with_provider_line("supports_websockets = true"), ..desk }
    }

    /// The inputs of all turns that the backend was asked for.
    fn inputs(&self) -> Vec<Vec<Value>> {
        self.chatgpt.turns().iter().map(|seen| seen.json()["input"].as_array().unwrap().clone()).collect()
    }
}

/// Checks the same script without the gateway and with it.
fn either_way(script: impl Fn() -> ChatGpt, check: impl Fn(&Desk)) {
    check(&Desk::direct(script()));
    let desk = Desk::through_the_gateway(script());
    check(&desk);
    for seen in desk.chatgpt.turns() {
        let all = format!("{seen:?}");
        assert!(!all.contains(CLIENT_KEY), "what the CLI proves itself with went up: {all}");
        let bearer = format!("Bearer {}", desk.chatgpt.login().access_token);
        assert_eq!(seen.headers.all("authorization").collect::<Vec<_>>(), [bearer]);
        assert_eq!(seen.json()["model"], "gpt-5.5");
    }
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_conversation_with_a_shell_a_patch_and_reasoning_goes_on_in_a_second_run() {
    let script = || {
        ChatGpt::start()
            .turn(Turn::reasons("blob/1+==").then(Turn::calls_shell("echo one-$((1+1)) > made; cat made")))
            .turn(Turn::applies_patch(PATCH))
            .turn(Turn::reasons("blob/2").then(Turn::says("Both are done.")))
            .turn(Turn::says("Still here."))
    };
    either_way(script, |desk| {
        let ran = desk.codex.exec("make two files").ok();
        desk.chatgpt.refused_nothing();
        assert_eq!(ran.message(), "Both are done.");
        assert_eq!(ran.items("command_execution")[0]["aggregated_output"], "one-2\n");
        assert_eq!(ran.items("file_change")[0]["status"], "completed");
        let made = |file: &str| fs::read_to_string(desk.codex.working_directory().join(file)).unwrap();
        assert_eq!((made("made").as_str(), made("new.txt").as_str()), ("one-2\n", "caf\u{e9} \"x\" \\n\nworld\n"));

        let ran = desk.codex.resume("are you there?").ok();
        desk.chatgpt.refused_nothing();
        assert_eq!(ran.message(), "Still here.");
        let inputs = desk.inputs();
        let kinds: Vec<_> = inputs[3].iter().filter_map(|item| item["type"].as_str()).collect();
        let wanted = [
            "reasoning",
            "function_call",
            "function_call_output",
            "custom_tool_call",
            "custom_tool_call_output",
            "reasoning",
            "message",
            "message",
        ];
        assert_eq!(kinds[kinds.len() - wanted.len()..], wanted);
        let blobs = inputs[3].iter().filter_map(|item| item["encrypted_content"].as_str());
        assert_eq!(blobs.collect::<Vec<_>>(), ["blob/1+==", "blob/2"]);
        let patch = inputs[3].iter().find(|item| item["type"] == "custom_tool_call").unwrap();
        assert_eq!(patch["input"], PATCH);
        // The state of a turn is sticky within the turn and does not outlive it.
        let turns = desk.chatgpt.turns();
        let states: Vec<_> = turns.iter().map(|seen| seen.header("x-codex-turn-state")).collect();
        assert_eq!(states, [None, Some("turn-state-1"), Some("turn-state-1"), None]);
    });
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_usage_limit_ends_the_turn_at_once_and_says_until_when() {
    let script = || ChatGpt::start().then_always(Turn::hits_the_usage_limit(4_070_908_800));
    either_way(script, |desk| {
        desk.codex.exec("hello").fails().says("hit your usage limit").says("Jan 1st, 2099 12:00 AM");
        assert_eq!(desk.chatgpt.turns().len(), 1);
    });
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn an_overloaded_backend_is_called_overloaded() {
    let script = || ChatGpt::start().then_always(Turn::is_overloaded());
    either_way(script, |desk| {
        desk.codex.exec("hello").fails().says("Selected model is at capacity");
        // The CLI itself asks five times; the gateway may know better than to ask as often.
        assert!((1..=5).contains(&desk.chatgpt.turns().len()), "{}", desk.chatgpt.turns().len());
    });
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_context_that_is_too_long_is_called_that() {
    let script = || ChatGpt::start().then_always(Turn::fails_in_stream("context_length_exceeded", "It is too long."));
    either_way(script, |desk| {
        desk.codex.exec("hello").fails().says("ran out of room in the model's context window");
        assert_eq!(desk.chatgpt.turns().len(), 1);
    });
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_stream_that_breaks_off_is_asked_for_again() {
    let script = || ChatGpt::start().turn(Turn::says("half of it").cut()).turn(Turn::says("the whole of it"));
    either_way(script, |desk| {
        assert_eq!(desk.codex.exec("hello").ok().message(), "the whole of it");
        assert_eq!(desk.chatgpt.turns().len(), 2);
    });
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn events_and_items_that_nobody_knows_do_no_harm() {
    let script = || {
        let turn = Turn::item(json!({"type": "hologram_call", "beam": [1]})).then(Turn::says("Fine."));
        let turn = turn.after_event(json!({"type": "codex.novelty", "a": {"b": 1.0}}));
        ChatGpt::start().repeats_the_output().turn(turn.after_rate_limits(55.5))
    };
    either_way(script, |desk| assert_eq!(desk.codex.exec("hello").ok().message(), "Fine."));
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_model_that_the_plan_does_not_have_is_named() {
    let script = || ChatGpt::start().offers(&["gpt-6.1-sol"]);
    either_way(script, |desk| {
        desk.codex.exec("hello").fails().says("The 'gpt-5.5' model is not supported when using Codex");
        assert_eq!(desk.chatgpt.turns().len(), 1);
    });
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_login_that_is_over_is_said_to_be_and_is_not_tried_again_and_again() {
    let direct = Desk::direct(ChatGpt::start().knows_nobody());
    direct.codex.exec("hello").fails().says("401 Unauthorized");
    assert_eq!(direct.chatgpt.turns().len(), 6, "so often asks the CLI itself");
    let desk = Desk::through_the_gateway(ChatGpt::start().knows_nobody());
    desk.codex.exec("hello").fails().says("bitrouter login openai-codex");
    assert_eq!((desk.chatgpt.turns().len(), desk.chatgpt.refreshes().len()), (1, 1));
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_token_that_is_taken_back_is_renewed_and_the_cli_does_not_notice() {
    let renewed = Login::of("acc-e2e");
    let desk = Desk::through_the_gateway(ChatGpt::start().wants_a_refresh(&renewed).turn(Turn::says("Hello.")));
    let ran = desk.codex.exec("hello").ok();
    assert_eq!(ran.message(), "Hello.");
    assert!(!ran.events.iter().any(|event| event["type"] == "error"), "{ran:?}");
    assert_eq!((desk.chatgpt.turns().len(), desk.chatgpt.refreshes().len()), (2, 1));
    assert_eq!(desk.chatgpt.last().header("authorization"), Some(format!("Bearer {}", renewed.access_token).as_str()));
    let kept = desk.gateway.unwrap().tokens()["credentials"][0]["secret"]["refresh_token"].clone();
    assert_eq!(kept, renewed.refresh_token, "the pair that was issued last is the one that is kept");
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_bare_model_is_answered_by_the_subscription() {
    let chatgpt = ChatGpt::start().turn(Turn::applies_patch(PATCH)).turn(Turn::says("Done."));
    let gateway = Gateway::start().with_chatgpt(&chatgpt).run();
    // Its own list has this name, so it offers its patch tool without being told more of the model.
    let codex = CodexCli::at(&format!("http://{}/v1", gateway.address()), "gpt-5.5");
    assert_eq!(codex.exec("make a file").ok().message(), "Done.");
    assert!(codex.working_directory().join("new.txt").is_file());
}

/// A shell, a patch, and the end.
fn two_tools() -> ChatGpt {
    ChatGpt::start()
        .turn(Turn::reasons("blob/1+==").then(Turn::calls_shell("echo one-$((1+1)) > made; cat made")))
        .turn(Turn::applies_patch(PATCH))
        .turn(Turn::says("Both are done."))
}

/// Checks that the CLI did what [`two_tools`] says, and that its user heard of no trouble.
fn did_both(desk: &Desk) {
    let ran = desk.codex.exec("make two files").ok();
    desk.chatgpt.refused_nothing();
    assert_eq!(ran.message(), "Both are done.");
    assert_eq!(ran.items("command_execution")[0]["aggregated_output"], "one-2\n");
    assert_eq!(ran.items("file_change")[0]["status"], "completed");
    assert!(!ran.events.iter().any(|event| event["type"] == "error"), "{ran:?}");
    let inputs = desk.inputs();
    let kinds: Vec<_> = inputs[2].iter().filter_map(|item| item["type"].as_str()).collect();
    let wanted = ["reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"];
    assert_eq!(kinds[kinds.len() - wanted.len()..], wanted, "the whole conversation is there");
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn over_a_websocket_its_turns_go_to_a_backend_without_one_by_post() {
    let desk = Desk::over_a_websocket(two_tools());
    did_both(&desk);
    let (handshakes, messages) = desk.chatgpt.websockets();
    assert!(
        handshakes == 1 && messages.is_empty(),
        "the CLI spoke over a WebSocket, and the backend was asked for one once"
    );
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn over_a_websocket_a_backend_with_one_is_sent_what_is_new() {
    let desk = Desk::over_a_websocket(two_tools().speaks_websockets(None));
    did_both(&desk);
    let (handshakes, messages) = desk.chatgpt.websockets();
    let lengths: Vec<_> = messages.iter().map(|message| message["input"].as_array().unwrap().len()).collect();
    assert!(handshakes == 1 && lengths[1..] == [1, 1], "{handshakes}: {lengths:?}");
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn over_a_websocket_a_backend_whose_connections_are_limited_or_cut_is_not_noticed() {
    let limited = Desk::over_a_websocket(two_tools().speaks_websockets(Some(1)));
    did_both(&limited);
    assert_eq!(limited.chatgpt.websockets().0, 3);

    for websocket in [false, true] {
        let chatgpt = ChatGpt::start().turn(Turn::says("half of it").cut()).turn(Turn::says("the whole of it"));
        let chatgpt = if websocket { chatgpt.speaks_websockets(None) } else { chatgpt };
        let desk = Desk::over_a_websocket(chatgpt);
        assert_eq!(desk.codex.exec("hello").ok().message(), "the whole of it");
        assert_eq!(desk.chatgpt.turns().len(), 2);
    }
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn over_a_websocket_a_usage_limit_ends_the_turn_and_says_until_when() {
    for websocket in [false, true] {
        let chatgpt = ChatGpt::start().then_always(Turn::hits_the_usage_limit(4_070_908_800));
        let chatgpt = if websocket { chatgpt.speaks_websockets(None) } else { chatgpt };
        let desk = Desk::over_a_websocket(chatgpt);
        desk.codex.exec("hello").fails().says("hit your usage limit").says("Jan 1st, 2099 12:00 AM");
        assert_eq!(desk.chatgpt.turns().len(), 1);
    }
}

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn over_a_websocket_a_gateway_that_is_configured_anew_between_two_turns_is_not_noticed() {
    let wait = "sleep 4; echo waited";
    let chatgpt = ChatGpt::start().turn(Turn::calls_shell(wait)).turn(Turn::says("Still here."));
    let mut desk = Desk::over_a_websocket(chatgpt);
    let mut gateway = desk.gateway.take().unwrap();
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| desk.codex.exec("wait").ok());
        assert!(bitrouter_tests::eventually(|| desk.chatgpt.turns().len() == 1));
        gateway.configure("/models", json!({"x": ["openai-codex:gpt-5.5"]}));
        let ran = ran.join().unwrap();
        assert_eq!(ran.message(), "Still here.");
    });
}
