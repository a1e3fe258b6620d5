//! What cases do not show: Messages read and written again, and the rules of thinking, markers and turns one by one.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::translate::facts::Thinking;
use crate::translate::{Answer, AnswerTranslation, Client, Facts, Lost, Names, NoStates, Owner, Target, request};

fn facts() -> Facts {
    let facts = Facts::of(Dialect::Messages, "claude-opus-5");
    Facts { thinking: Thinking::Effort, system_in_place: true, sampling: true, prefix_bound: false, ..facts }
}

/// A body of that dialect as Messages.
fn from(dialect: Dialect, body: &str, facts: Facts) -> (String, Lost) {
    let client = Client { dialect, stream: false, session: None };
    let owner = Owner { provider: "anthropic", account: "a", model: "claude" };
    let target = Target { dialect: Dialect::Messages, model: "claude", owner, facts, states: &NoStates };
    let Ok(translated) = request(&client, body.as_bytes(), &target) else { return ("{}".to_owned(), Lost::default()) };
    let body = String::from_utf8(translated.body).unwrap();
    // Without its beta the member is refused.
    let betas = translated.header.map(|(name, betas)| (name, betas.split(',').map(str::to_owned).collect::<Vec<_>>()));
    for (member, beta) in [
        ("block_binding", "thinking-binding-controls-2026-08-01"),
        ("web_fetch_20250910", "web-fetch-2025-09-10"),
        ("code_execution_20250825", "code-execution-2025-08-25"),
    ] {
        let told =
            betas.as_ref().is_some_and(|(name, betas)| *name == "anthropic-beta" && betas.iter().any(|it| it == beta));
        assert_eq!(body.contains(member), told, "{beta}: {body}");
    }
    (body, translated.lost)
}

fn again(body: &str, facts: Facts) -> (String, Lost) {
    from(Dialect::Messages, body, facts)
}

/// The member of a body, as text.
fn member(body: &str, name: &str) -> String {
    crate::json::get(body.as_bytes(), name).map_or_else(String::new, |it| String::from_utf8(it.to_vec()).unwrap())
}

/// A request with these members, and one word of the user.
fn said(members: &str, facts: Facts) -> (String, Lost) {
    again(&format!(r#"{{{members},"messages":[{{"role":"user","content":"hi"}}]}}"#), facts)
}

#[test]
fn what_is_read_is_written_again() {
    let system = r#"[{"type":"text","text":"One\u0041.","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#;
    let messages = concat!(
        r#"[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0K"}}]},"#,
        r#"{"role":"system","content":[{"type":"text","text":"in place"}]},"#,
        r#"{"role":"assistant","content":[{"type":"text","text":"Looking."},{"type":"tool_use","id":"toolu_1","name":"f","input":{"z": 1.0, "a":1e400}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}]},"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"x"},{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"pdf"},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0x"},"title":"d"}]},{"type":"text","text":"go on","cache_control":{"type":"ephemeral"}}]}]"#,
    );
    let tools = r#"[{"name":"f","description":"F","input_schema":{"type":"object","properties":{"a":{"minimum":1.50}}}},{"name":"g","input_schema":{"type":"object","properties":{}},"strict":true}]"#;
    let rest = concat!(
        r#""tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"adaptive","display":"omitted"},"#,
        r#""output_config":{"effort":"xhigh"},"stop_sequences":["A"],"metadata":{"user_id":"u"},"service_tier":"standard_only""#
    );
    let body = format!(
        r#"{{"model":"claude","max_tokens":4096,"stream":true,"tools":{tools},"system":{system},"messages":{messages},{rest}}}"#
    );
    let (written, lost) = again(&body, facts());
    assert_eq!(written, body);
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_budget_fits_between_its_least_and_max_tokens() {
    let budget = || Facts { thinking: Thinking::Budget, ..facts() };
    let thinking = |members: &str, facts: Facts| {
        let (body, lost) = said(members, facts);
        (member(&body, "thinking"), member(&body, "max_tokens"), lost)
    };
    let enabled = |tokens: &str| format!(r#"{{"type":"enabled","budget_tokens":{tokens},"display":"summarized"}}"#);
    let asked = |max: &str, tokens: &str| format!(r#""max_tokens":{max},"thinking":{}"#, enabled(tokens));
    let none = Lost::default();
    assert_eq!(thinking(&asked("5000", "2000"), budget()), (enabled("2000"), "5000".into(), none.clone()));
    let shrunk = Lost { approximated: vec!["/thinking/budget_tokens".into()], ..none.clone() };
    assert_eq!(thinking(&asked("5000", "9000"), budget()), (enabled("4999"), "5000".into(), shrunk.clone()));
    assert_eq!(thinking(&asked("5000", "12"), budget()), (enabled("1024"), "5000".into(), shrunk));
    let without = Lost { dropped: vec!["/thinking/budget_tokens".into()], ..none.clone() };
    assert_eq!(thinking(&asked("1000", "2000"), budget()), (String::new(), "1000".into(), without));
    let unsaid = format!(r#""thinking":{}"#, enabled("40000"));
    assert_eq!(thinking(&unsaid, budget()), (enabled("40000"), "44096".into(), none.clone()));
    let limited = Facts { max_output: Some(16000), ..budget() };
    assert_eq!(thinking(&unsaid, limited).0, enabled("15999"));
    let usual = || Facts { usual_output: Some(8000), ..budget() };
    assert_eq!(thinking(&unsaid, usual()).0, enabled("7999"));
    assert_eq!(thinking(&asked("9000", "8500"), usual()), (enabled("8500"), "9000".into(), none.clone()));
    let off = r#""max_tokens":5000,"thinking":{"type":"disabled"}"#;
    assert_eq!(thinking(off, budget()).0, r#"{"type":"disabled"}"#);
}

#[test]
fn an_effort_is_a_budget_where_the_model_knows_no_efforts() {
    let facts = || Facts { thinking: Thinking::Budget, ..facts() };
    let (body, lost) = said(r#""max_tokens":64000,"output_config":{"effort":"medium"}"#, facts());
    assert_eq!(member(&body, "thinking"), r#"{"type":"enabled","budget_tokens":10240}"#);
    assert_eq!(member(&body, "output_config"), "");
    assert_eq!(lost.approximated, ["/output_config/effort"]);
    let (body, _) = said(r#""output_config":{"effort":"max"}"#, facts());
    assert_eq!(member(&body, "thinking"), r#"{"type":"enabled","budget_tokens":27903}"#);
    assert_eq!(member(&body, "max_tokens"), "32000");
    let never = Facts { thinking: Thinking::Never, ..facts() };
    let (body, lost) = said(r#""output_config":{"effort":"low"}"#, never);
    assert_eq!(member(&body, "thinking"), "");
    assert_eq!(lost.dropped, ["/output_config/effort"]);
}

#[test]
fn nobody_is_forced_to_call_while_thinking() {
    let tools = r#""tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]"#;
    let forced = format!(r#"{tools},"tool_choice":{{"type":"tool","name":"f"}}"#);
    let (body, lost) = said(&forced, facts());
    assert_eq!(member(&body, "tool_choice"), r#"{"type":"tool","name":"f"}"#);
    assert!(lost.is_empty());
    let (body, lost) = said(&format!(r#"{forced},"thinking":{{"type":"adaptive"}}"#), facts());
    assert_eq!(member(&body, "tool_choice"), r#"{"type":"auto"}"#);
    assert_eq!(lost.approximated, ["/tool_choice"]);
    let (body, lost) = said(r#""tool_choice":{"type":"any"}"#, facts());
    assert_eq!(member(&body, "tool_choice"), "", "there is no tool to choose");
    assert_eq!(lost.dropped, ["/tool_choice"]);
}

#[test]
fn sampling_is_what_claude_takes() {
    let sampling = |members: &str, facts: Facts| {
        let (body, lost) = said(members, facts);
        (["temperature", "top_p", "top_k"].map(|name| member(&body, name)), lost)
    };
    let (values, lost) = sampling(r#""temperature":1.7,"top_p":0.90,"top_k":3"#, facts());
    assert_eq!(values, ["1", "", "3"]);
    assert_eq!((lost.approximated, lost.dropped), (vec!["/temperature".into()], vec!["/top_p".into()]));
    let (values, lost) = sampling(r#""temperature":0.20,"top_p":1"#, facts());
    assert_eq!(values, ["0.20", "", ""]);
    assert!(lost.is_empty());
    let thinking = r#""thinking":{"type":"adaptive"},"temperature":0.5,"top_p":0.97,"top_k":3"#;
    let (values, lost) = sampling(thinking, facts());
    assert_eq!(values, ["", "0.97", ""]);
    assert_eq!(lost.dropped, ["/temperature", "/top_k"]);
    let (values, lost) = sampling(r#""temperature":0.5"#, Facts { sampling: false, ..facts() });
    assert_eq!(values, ["", "", ""]);
    assert_eq!(lost.dropped, ["/temperature"]);
}

#[test]
fn at_most_four_markers_are_sent_and_one_for_all_where_there_is_none() {
    let marked = |text: &str| format!(r#"{{"type":"text","text":"{text}","cache_control":{{"type":"ephemeral"}}}}"#);
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(marked);
    let body = format!(
        r#"{{"system":[{a}],"messages":[{{"role":"user","content":[{b},{c}]}},{{"role":"assistant","content":[{d}]}},{{"role":"user","content":[{e}]}}]}}"#
    );
    let (written, lost) = again(&body, facts());
    assert_eq!(written.matches("cache_control").count(), 4);
    assert_eq!(member(&written, "cache_control"), "");
    assert_eq!(lost.dropped, ["/system/0/cache_control"]);
    let (written, _) = said(r#""max_tokens":1"#, facts());
    assert_eq!(member(&written, "cache_control"), r#"{"type":"ephemeral"}"#);
}

#[test]
fn results_come_first_and_neighbours_are_one_message() {
    let body = r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},
        {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},
        {"role":"assistant","content":[{"type":"text","text":" "},{"type":"tool_use","id":"t2","name":"f","input":{}}]},
        {"role":"user","content":"between"},{"role":"system","content":"s"},
        {"role":"user","content":[{"type":"text","text":"c"},{"type":"tool_result","tool_use_id":"t2","content":"2"}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"1"}]},
        {"role":"assistant","content":"d"},{"role":"system","content":"e"}]}"#;
    let (written, lost) = again(body, facts());
    let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let call = |id: &str| format!(r#"{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}"#);
    let result = |id: &str, of: &str| format!(r#"{{"type":"tool_result","tool_use_id":"{id}","content":"{of}"}}"#);
    let message = |role: &str, blocks: &[String]| format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","));
    let expected = [
        message("user", &[text("a"), text("b")]),
        message("assistant", &[call("t1"), call("t2")]),
        message("user", &[result("t2", "2"), result("t1", "1"), text("between")]),
        message("system", &[text("s")]),
        message("user", &[text("c")]),
        message("assistant", &[text("d")]),
        message("user", &[text(r"<system-reminder>\ne\n</system-reminder>")]),
    ];
    assert_eq!(member(&written, "messages"), format!("[{}]", expected.join(",")));
    assert_eq!(lost.approximated, ["/messages/9"], "a system message needs a user's before it");
    let (written, lost) = again(body, Facts { system_in_place: false, ..facts() });
    assert!(!written.contains(r#""role":"system""#));
    assert_eq!(lost.approximated, ["/messages/5", "/messages/9"]);
}

#[test]
fn a_turn_more_appends_a_turn() {
    let turns = [
        r#"{"role":"user","content":"a"}"#,
        r#"{"role":"system","content":"s"}"#,
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]}"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"1"},{"type":"text","text":"x"}]}"#,
        r#"{"role":"assistant","content":"b"}"#,
        r#"{"role":"user","content":"c"}"#,
    ];
    let written = |count: usize| {
        let body = format!(r#"{{"system":"s","messages":[{}]}}"#, turns[..count].join(","));
        member(&again(&body, facts()).0, "messages")
    };
    let whole = written(turns.len());
    for count in [1, 2, 4, 5] {
        let part = written(count);
        let part = part.strip_suffix("]}]").unwrap();
        assert!(whole.starts_with(part), "{part}\n{whole}");
    }
}

#[test]
fn a_model_that_thinks_by_budget_does_not_go_on_without_its_thinking() {
    let body = |text: &str| {
        format!(
            r#"{{"max_tokens":8000,"thinking":{{"type":"enabled","budget_tokens":2000}},"messages":[{{"role":"user","content":"a"}},
            {{"role":"assistant","content":[{{"type":"tool_use","id":"t1","name":"f","input":{{}}}}]}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t1","content":"1"}}{text}]}}]}}"#
        )
    };
    let budget = || Facts { thinking: Thinking::Budget, ..facts() };
    let (written, lost) = again(&body(""), budget());
    assert_eq!(member(&written, "thinking"), "");
    assert_eq!(lost.dropped, ["/thinking/budget_tokens"]);
    let (written, _) = again(&body(r#",{"type":"text","text":"new"}"#), budget());
    assert_eq!(member(&written, "thinking"), r#"{"type":"enabled","budget_tokens":2000,"display":"summarized"}"#);
}

#[test]
fn of_nothing_but_instructions_the_last_is_asked() {
    let body = r#"{"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"}]}"#;
    let (written, lost) = from(Dialect::ChatCompletions, body, facts());
    assert_eq!(member(&written, "system"), r#"[{"type":"text","text":"a"}]"#);
    assert_eq!(member(&written, "messages"), r#"[{"role":"user","content":[{"type":"text","text":"b"}]}]"#);
    assert_eq!(lost.approximated, ["/messages/1"]);
}

#[test]
fn thinking_that_lost_what_it_is_bound_to_is_the_targets_to_drop() {
    use crate::translate::opaque::Wrapping;
    use crate::translate::request::{State, StateKind};
    use crate::translate::writer::Inside;
    let owner = Owner { provider: "anthropic", account: "a", model: "claude" };
    let mut second = Wrapping::default();
    let state = State { kind: StateKind::Signature, value: Inside::Borrowed(b"SIG"), id: None };
    second.add(&owner, Dialect::Messages, &state, None, Some(1));
    let thinking = json!({"type": "thinking", "thinking": "t", "signature": second.take(Dialect::Messages)});
    let body = json!({"thinking": {"type": "adaptive"}, "messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": [thinking, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]});
    let (written, _) = again(&body.to_string(), Facts { prefix_bound: true, ..facts() });
    assert!(!written.contains("SIG"));
    let dropping = r#"{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"drop_block"}}"#;
    assert_eq!(member(&written, "thinking"), dropping);
    let (written, _) = again(&body.to_string(), facts());
    assert!(written.contains(r#""signature":"SIG""#));
    assert_eq!(member(&written, "thinking"), r#"{"type":"adaptive"}"#);
}

#[test]
fn the_billing_header_is_a_line() {
    use super::super::{Part, What};
    use crate::translate::writer::Inside;
    let mut parts: Vec<Part<'_>> = [
        "x-anthropic-billing-header: cc_version=2.1; cch=1;",
        r"x-anthropic-billing-header: cch=2;\n\nYou are an agent.",
        "About x-anthropic-billing-header: nothing.",
    ]
    .map(|text| Part { what: What::Text(Inside::Borrowed(text.as_bytes())), cache: None, raw: b"" })
    .into();
    super::read::without_billing(&mut parts);
    let texts: Vec<_> =
        parts.iter().map(|part| if let What::Text(text) = &part.what { &**text } else { b"" }).collect();
    assert_eq!(texts, [&b"You are an agent."[..], b"About x-anthropic-billing-header: nothing."]);
}

/// JSON of the words that the dialect has, in places where it does not expect them.
fn any_json() -> impl Strategy<Value = Value> {
    let one_of = |words: &str| proptest::sample::select(words.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let words = "text thinking tool_use tool_result document image base64 content enabled adaptive user assistant system \
                 a\"\\\n http://a data:image/png;base64,aa json_schema custom bash_20250124 web_search_20250305 max tool \
                 summarized x-anthropic-billing-header:\nb redacted_thinking search_result {\"session_id\":1}";
    let keys = "type text role content source data media_type thinking signature id name input tool_use_id budget_tokens \
                effort format schema input_schema properties cache_control citations title edits user_id index delta usage \
                content_block message stop_reason partial_json citation is_error items oneOf";
    let (words, keys) = (one_of(words), one_of(keys));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let member = (keys.clone(), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::from),
            proptest::collection::vec(member, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A request with members that may be anything.
fn any_request() -> impl Strategy<Value = Value> {
    let names = "messages system tools tool_choice thinking output_config output_format max_tokens metadata speed top_p \
                 context_management temperature stop_sequences";
    let names: Vec<_> = names.split(' ').map(str::to_owned).collect();
    let member = (proptest::sample::select(names), any_json());
    proptest::collection::vec(member, 0..8).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(64)))]

    #[test]
    fn no_body_panics_and_what_is_written_is_json(body in any_request(), budget: bool) {
        let thinking = if budget { Thinking::Budget } else { Thinking::Effort };
        for dialect in Dialect::ALL {
            let (written, _) = from(dialect, &body.to_string(), Facts { thinking, ..facts() });
            prop_assert!(serde_json::from_str::<Value>(&written).is_ok(), "{}", written);
        }
    }

    #[test]
    fn messages_that_are_strange_are_still_messages(turns in proptest::collection::vec(any_json(), 0..6)) {
        let role = |at: usize| ["user", "assistant", "system"][at % 3];
        let message = |(at, block): (usize, &Value)| json!({"role": role(at), "content": [block]});
        let messages: Vec<Value> = turns.iter().enumerate().map(message).collect();
        let (written, _) = again(&json!({"messages": messages, "tools": turns}).to_string(), facts());
        let written: Value = serde_json::from_str(&written).unwrap();
        let messages = written["messages"].as_array().unwrap();
        prop_assert!(messages.iter().all(|message| !message["content"].as_array().unwrap().is_empty()));
        prop_assert!(messages.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]));
    }

    #[test]
    fn no_event_and_no_document_panics(events in proptest::collection::vec((0_usize..7, any_json()), 0..12)) {
        let names = ["message_start", "content_block_start", "content_block_delta", "content_block_stop"];
        let name = |at: usize| names.get(at).copied().unwrap_or(["message_delta", "message_stop", "error"][at % 3]);
        let owner = Owner { provider: "p", account: "a", model: "m" };
        let target = Target { dialect: Dialect::Messages, model: "m", owner, facts: facts(), states: &NoStates };
        for client in Dialect::ALL {
            let (id, model, names) = ("1".to_owned(), "m".to_owned(), Names::default());
            let answer = Answer { client, id, model, created: 0, usage: true, names };
            let mut stream = AnswerTranslation::new(&target, answer.clone());
            for (at, value) in &events {
                let known = json!({"type": name(*at), "index": at % 3, "content_block": value, "delta": value, "message": value, "usage": value});
                stream.feed(format!("data: {known}\n\ndata: {value}\n\n").as_bytes());
                let whole = json!({"content": [value], "usage": value, "stop_details": value});
                let _ = AnswerTranslation::new(&target, answer.clone()).document(whole.to_string().as_bytes());
            }
            stream.finish();
        }
    }
}
