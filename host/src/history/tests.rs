//! The states of calls over a restart and between processes, with the file and with a store in memory; the file in whatever
//! state it is found; and responses, each for its caller.

mod owners;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bitrouter_dialect::history::{Kept as _, resolve};
use bitrouter_dialect::translate::{Owner, States as _};
use serde_json::{Value, json};

use super::*;
use crate::caller::Caller;

const OWNER: Owner<'_> = Owner { provider: "p", account: "a", model: "m" };

/// A store that several machines share.
#[derive(Default)]
struct Shared {
    all: Mutex<Vec<KeptText>>,
}

/// One machine's view of it.
struct Machine {
    shared: Arc<Shared>,
    seen: Mutex<usize>,
}

impl TextStore for Machine {
    fn exchange(&self, news: &[KeptText], theirs: &mut dyn FnMut(KeptText)) -> io::Result<()> {
        let (mut all, mut seen) = (self.shared.all.lock().unwrap(), self.seen.lock().unwrap());
        all[*seen..].iter().cloned().for_each(theirs);
        all.extend_from_slice(news);
        *seen = all.len();
        Ok(())
    }
}

/// Runs a test with the stores of several processes, of each kind.
fn with_each_store(test: impl Fn(&dyn Fn() -> CallStates)) {
    let shared = Arc::<Shared>::default();
    test(&|| CallStates::persisted_in(Arc::new(Machine { shared: Arc::clone(&shared), seen: Mutex::default() })));
    let folder = tempfile::tempdir().unwrap();
    test(&|| in_file(&folder.path().join("call-states.jsonl")));
}

fn in_file(path: &Path) -> CallStates {
    CallStates::persisted_in(Arc::new(FileTexts::new(path.to_owned(), &CALL_STATES)))
}

#[test]
fn a_state_is_there_after_a_restart_once_the_store_was_asked() {
    with_each_store(|process| {
        let before = process();
        before.keep(&OWNER, "call_1", "one\n\"é");
        before.exchange().unwrap();
        before.keep(&OWNER, "call_2", "two");
        before.keep(&OWNER, "call_1", "again");
        before.exchange().unwrap();
        before.exchange().unwrap();
        let after = process();
        assert_eq!(after.find(&OWNER, "call_1"), None, "nothing waits for the store");
        after.exchange().unwrap();
        assert_eq!(after.find(&OWNER, "call_1").as_deref(), Some("again"));
        assert_eq!(after.find(&OWNER, "call_2").as_deref(), Some("two"));
        assert_eq!(after.find(&Owner { account: "b", ..OWNER }, "call_2"), None);
    });
}

#[test]
fn two_processes_learn_of_each_others_states() {
    with_each_store(|process| {
        let (one, other) = (process(), process());
        one.exchange().unwrap();
        other.keep(&OWNER, "call_1", "of the other");
        other.exchange().unwrap();
        one.keep(&OWNER, "call_2", "of one");
        one.exchange().unwrap();
        other.exchange().unwrap();
        assert_eq!(one.find(&OWNER, "call_1").as_deref(), Some("of the other"));
        assert_eq!(other.find(&OWNER, "call_2").as_deref(), Some("of one"));
    });
}

#[test]
fn where_states_stay_in_memory_the_store_gets_none_and_reads_none() {
    with_each_store(|process| {
        let states = process();
        states.keep(&OWNER, "call_1", "before");
        states.keep_in_store(false);
        states.keep(&OWNER, "call_2", "while");
        states.exchange().unwrap();
        assert_eq!(states.find(&OWNER, "call_1").as_deref(), Some("before"));
        let after = process();
        after.exchange().unwrap();
        assert_eq!(after.find(&OWNER, "call_1").or(after.find(&OWNER, "call_2")), None);
    });
}

#[test]
fn what_could_not_be_kept_is_kept_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("folder");
    fs::write(&blocked, "no folder").unwrap();
    let path = blocked.join("call-states.jsonl");
    let states = in_file(&path);
    states.keep(&OWNER, "call_1", "one");
    assert!(states.exchange().unwrap_err().to_string().contains("cannot be kept there"));
    fs::remove_file(&blocked).unwrap();
    states.exchange().unwrap();
    let after = in_file(&path);
    after.exchange().unwrap();
    assert_eq!(after.find(&OWNER, "call_1").as_deref(), Some("one"));
}

#[test]
fn the_file_is_for_this_user_alone_and_stays_within_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call-states.jsonl");
    let states = CallStates::persisted_in(Arc::new(FileTexts::new(path.clone(), &CALL_STATES).within(64 << 10)));
    for call in 0..100 {
        states.keep(&OWNER, &format!("call_{call}"), &"x".repeat(4 << 10));
        states.exchange().unwrap();
        assert!(fs::metadata(&path).unwrap().len() <= 64 << 10);
    }
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    let after = in_file(&path);
    after.exchange().unwrap();
    assert_eq!(after.find(&OWNER, "call_0"), None);
    assert!((93..100).all(|call| after.find(&OWNER, &format!("call_{call}")).is_some()));
}

#[test]
fn a_file_that_is_none_of_ours_is_moved_aside_and_stops_nothing() {
    let later = r#"{"bitrouter":"call states","version":2,"file":"x"}"#;
    for text in ["", "\n", "hello", "{}\n{}\n", &format!("{later}\n"), &"x".repeat(5000)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call-states.jsonl");
        fs::write(&path, text).unwrap();
        let states = in_file(&path);
        states.keep(&OWNER, "call_1", "one");
        states.exchange().unwrap();
        let aside = folder.path().join("call-states.jsonl.damaged");
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        let after = in_file(&path);
        after.exchange().unwrap();
        assert!(after.find(&OWNER, "call_1").is_some(), "{text}");
    }
}

#[test]
fn of_a_damaged_file_what_is_whole_is_kept_and_half_a_line_at_its_end_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call-states.jsonl");
    let states = in_file(&path);
    states.keep(&OWNER, "call_1", "one");
    states.keep(&OWNER, "call_2", "two");
    states.exchange().unwrap();
    let aside = folder.path().join("call-states.jsonl.damaged");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"key\":\"p")).unwrap();
    let after = in_file(&path);
    after.exchange().unwrap();
    after.keep(&OWNER, "call_3", "three");
    after.exchange().unwrap();
    assert!(!aside.exists());
    let after = in_file(&path);
    after.exchange().unwrap();
    assert!(["call_1", "call_2", "call_3"].iter().all(|call| after.find(&OWNER, call).is_some()));
    let damaged = fs::read_to_string(&path).unwrap().replacen("\"used\"", "\u{0}", 1);
    fs::write(&path, &damaged).unwrap();
    let after = in_file(&path);
    after.exchange().unwrap();
    assert_eq!(fs::read_to_string(&aside).unwrap(), damaged);
    assert_eq!(after.find(&OWNER, "call_1"), None);
    assert!(["call_2", "call_3"].iter().all(|call| after.find(&OWNER, call).is_some()));
}

#[test]
fn what_is_too_old_is_not_taken_over() {
    let shared = Arc::<Shared>::default();
    let call = KeptText { key: "p\na\ncall_1".into(), text: "s".into(), used: 1000 };
    shared.all.lock().unwrap().push(call);
    let states = CallStates::persisted_in(Arc::new(Machine { shared, seen: Mutex::default() }));
    states.exchange().unwrap();
    assert_eq!(states.find(&OWNER, "call_1"), None);
}

fn response(number: usize, text: &str) -> Value {
    let id = format!("{number:024x}");
    let content = json!([{"type": "output_text", "text": text}]);
    json!({"id": format!("resp_{id}"), "object": "response", "status": "completed",
        "output": [{"id": format!("msg_{id}_0"), "type": "message", "role": "assistant", "content": content}], "usage": null})
}

fn id(number: usize) -> String {
    format!("resp_{number:024x}")
}

fn said(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn keep(responses: &Responses, caller: Caller, previous: Option<usize>, number: usize, input: &[Value]) {
    let previous = previous.map(id);
    let (input, response) = (json!(input).to_string(), response(number, &format!("answer {number}")).to_string());
    responses.of(caller).keep(previous.as_deref(), input.as_bytes(), response.as_bytes());
}

fn texts(items: &Value) -> Vec<String> {
    let text = |item: &Value| item["content"].as_str().or(item["content"][0]["text"].as_str()).unwrap().to_owned();
    items.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn a_conversation_of_many_turns_is_whole_and_holds_each_item_once() {
    let responses = Responses::default();
    let long = "x".repeat(10 << 10);
    let turns = 100_usize;
    for turn in 0..turns {
        let previous = turn.checked_sub(1);
        keep(&responses, Caller::Anybody, previous, turn, &[said(&format!("{turn} {long}"))]);
    }
    assert!(responses.held() < 2 * turns * long.len(), "{}", responses.held());
    let body = json!({"previous_response_id": id(turns - 1), "input": "last"}).to_string();
    let resolved = resolve(body.as_bytes(), &responses.of(Caller::Anybody));
    assert_eq!(resolved.previous, Some((id(turns - 1), 2 * turns)));
    let body: Value = serde_json::from_slice(&resolved.body.unwrap()).unwrap();
    let texts = texts(&body["input"]);
    assert_eq!((texts.len(), &*texts[1], &*texts[200]), (201, "answer 0", "last"));
    assert!((0..turns).all(|turn| texts[2 * turn].starts_with(&format!("{turn} "))));
}

#[test]
fn a_client_that_sends_its_whole_history_each_time_makes_it_no_longer() {
    let responses = Responses::default();
    let long = "x".repeat(10 << 10);
    let mut history = Vec::new();
    for turn in 0..100 {
        history.push(said(&format!("{turn} {long}")));
        keep(&responses, Caller::Anybody, None, turn, &history);
        let mut item = response(turn, &format!("answer {turn}"))["output"][0].clone();
        item.as_object_mut().unwrap().remove("id");
        history.push(item);
    }
    assert!(responses.held() < 2 * 100 * long.len(), "{}", responses.held());
}

#[test]
fn a_response_and_its_items_are_there_for_their_caller_alone_and_until_they_are_deleted() {
    let responses = Responses::default();
    let (one, other) = (Caller::Key([1; 32]), Caller::Key([2; 32]));
    keep(&responses, one, None, 7, &[said("hello"), json!({"id": "own", "role": "user", "content": "more"})]);
    let item = format!("msg_{:024x}_0", 7);
    for stranger in [other, Caller::Anybody] {
        let theirs = responses.of(stranger);
        assert!(theirs.is_empty() || theirs.response(&id(7)).is_none());
        assert!(
            !theirs.item(&item, &mut |_| {}) && !theirs.conversation(&id(7), &mut |_| {}) && !theirs.remove(&id(7))
        );
        assert!(theirs.input(&id(7)).is_none());
    }
    let mine = responses.of(one);
    let kept: Value = serde_json::from_slice(&mine.response(&id(7)).unwrap()).unwrap();
    assert_eq!(kept, response(7, "answer 7"));
    let input: Vec<Value> = mine.input(&id(7)).unwrap().iter().map(|it| serde_json::from_slice(it).unwrap()).collect();
    assert_eq!((&input[0]["content"], &input[1]["id"]), (&json!("hello"), &json!("own")));
    let mut found = Vec::new();
    assert!(mine.item(input[0]["id"].as_str().unwrap(), &mut |item| found.extend_from_slice(item)));
    assert_eq!(serde_json::from_slice::<Value>(&found).unwrap(), said("hello"));
    assert!(mine.item(&item, &mut |_| {}));
    assert!(mine.remove(&id(7)) && !mine.remove(&id(7)));
    assert!(!mine.item(&item, &mut |_| {}) && mine.response(&id(7)).is_none());
    assert_eq!(responses.held(), 0);
}

#[test]
fn the_oldest_are_forgotten_but_not_those_that_are_used_and_a_conversation_is_whole_or_not_there() {
    let responses = Responses::within(256 << 10);
    let long = "x".repeat(4 << 10);
    for number in 0..200_usize {
        let previous = (0..4).contains(&number).then(|| number.checked_sub(1)).flatten();
        keep(&responses, Caller::Anybody, previous, number, &[said(&format!("{number} {long}"))]);
        assert!(responses.held() <= 256 << 10);
        if number >= 3 {
            assert!(responses.of(Caller::Anybody).conversation(&id(3), &mut |_| {}), "{number}");
        }
    }
    assert!(responses.of(Caller::Anybody).response(&id(5)).is_none());
    assert!(responses.of(Caller::Anybody).response(&id(199)).is_some());
    assert!(responses.of(Caller::Anybody).remove(&id(1)));
    assert!(!responses.of(Caller::Anybody).conversation(&id(3), &mut |_| {}));
    // One that is too long is not kept, and pushes nothing out.
    keep(&responses, Caller::Anybody, None, 500, &[said(&"x".repeat(128 << 10))]);
    assert!(responses.of(Caller::Anybody).response(&id(500)).is_none());
    assert!(responses.of(Caller::Anybody).response(&id(199)).is_some());
    responses.forget_unused_at(now() + LASTS.as_secs() - 10);
    assert!(responses.of(Caller::Anybody).response(&id(199)).is_some());
    responses.forget_unused_at(now() + LASTS.as_secs() + 10);
    assert_eq!(responses.held(), 0);
}

#[test]
fn ids_of_this_gateway_are_told_from_those_of_others() {
    let own = format!("{:024x}", 0xab);
    for id in ["resp_", "msg_", "rs_", "fc_", "ctc_", "tsc_"] {
        let place = if id == "resp_" { "" } else { "_12" };
        assert!(is_own(&format!("{id}{own}{place}")), "{id}");
    }
    assert!(is_own(&format!("msg_{own}_in3")));
    for id in [
        "resp_67cb32528d6881909eb2859a55e18a85",
        "msg_67cb3252cfac8190865744873aada798",
        "resp_0a0cc8227e90b719016a585a7ada54819a9d3b18aedb5e2658",
        "rs_mock1_0",
        &format!("resp_{own}_0"),
        &format!("msg_{own}"),
        &format!("msg_{own}_"),
        &format!("msg_{own}_0_1"),
        &format!("x_{own}_0"),
        "",
    ] {
        assert!(!is_own(id), "{id}");
    }
}
