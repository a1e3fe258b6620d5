//! Histories of views, normalized.

use std::borrow::Cow;

use super::normalize;
use crate::dialect::Dialect;
use crate::translate::facts::Facts;
use crate::translate::lost::Losses;
use crate::translate::opaque::{NoStates, Owner, States, Wrapping};
use crate::translate::request::{
    Arguments, Call, Output, OutputContent, Part, Reasoning, Request, Role, State, StateKind, Turn, What,
};
use crate::translate::writer::Inside;
use crate::translate::{Names, Target};

const OWNER: Owner<'_> = Owner { provider: "p", account: "a", model: "claude-opus-5" };

fn inside(text: &str) -> Inside<'_> {
    Cow::Borrowed(text.as_bytes())
}

fn part(what: What<'_>) -> Part<'_> {
    Part { what, cache: None, raw: b"null" }
}

fn turn(role: Role, parts: Vec<What<'_>>) -> Turn<'_> {
    Turn { role, parts: parts.into_iter().map(part).collect(), raw: b"null" }
}

fn text(text: &str) -> What<'_> {
    What::Text(inside(text))
}

fn call<'a>(id: Option<&'a str>, name: &'a str) -> What<'a> {
    let id = id.map(inside);
    let arguments = Arguments::Text(inside("{}"));
    What::Call(Call { id, name: inside(name), namespace: None, arguments, state: None })
}

fn output<'a>(id: Option<&'a str>, name: Option<&'a str>) -> What<'a> {
    let content = OutputContent::Parts(vec![part(text("out"))]);
    What::Output(Output { id: id.map(inside), name: name.map(inside), content, failed: false, custom: false })
}

fn thinking(state: String) -> What<'static> {
    let state = State { kind: StateKind::Signature, value: Cow::Owned(state.into_bytes()), id: None };
    What::Reasoning(Reasoning { text: vec![Cow::Borrowed(b"hm")], state: Some(state) })
}

fn wrapped(kind: StateKind, dialect: Dialect, value: &str, client: Dialect, place: Option<u64>) -> String {
    let mut wrapping = Wrapping::default();
    wrapping.add(&OWNER, dialect, &State { kind, value: inside(value), id: None }, None, place);
    wrapping.take(client)
}

/// What is left of the turns, one line each.
fn shown(turns: Vec<Turn<'_>>, dialect: Dialect, states: &dyn States) -> Vec<String> {
    let mut request = Request { turns, ..Request::default() };
    let facts = Facts { prefix_bound: true, ..Facts::of(dialect, "claude-opus-5") };
    let target = Target { dialect, model: "claude-opus-5", owner: OWNER, facts, states };
    let _: Names = normalize(&mut request, Dialect::Messages, &target, &mut Losses::default());
    request.turns.iter().map(|turn| format!("{:?}: {}", turn.role, parts(&turn.parts))).collect()
}

fn parts(parts: &[Part<'_>]) -> String {
    let text = |inside: &[u8]| String::from_utf8_lossy(inside).into_owned();
    let state = |state: &Option<State<'_>>| state.as_ref().map_or(String::new(), |it| format!("+{}", text(&it.value)));
    let shown = parts.iter().map(|part| match &part.what {
        What::Text(it) => text(it),
        What::Call(it) => format!("call {} {}{}", text(it.id.as_ref().unwrap()), text(&it.name), state(&it.state)),
        What::Output(it) => {
            format!("output {} {}", text(it.id.as_ref().unwrap()), text(it.name.as_ref().unwrap()))
        }
        What::Reasoning(it) => format!("thinking {}{}", text(&it.text.concat()), state(&it.state)),
        other => format!("{other:?}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn plain(turns: Vec<Turn<'_>>) -> Vec<String> {
    shown(turns, Dialect::Messages, &NoStates)
}

#[test]
fn ids_conform_and_are_the_same_on_both_sides() {
    let shown = plain(vec![
        turn(Role::Assistant, vec![call(Some("functions.read:0"), "read"), call(Some("b"), "list")]),
        turn(Role::User, vec![output(Some("b"), None), output(Some("functions.read:0"), None)]),
    ]);
    let id = shown[0].split(' ').nth(2).unwrap().to_owned();
    assert!(id.starts_with("functionsread0_"), "{id}");
    assert_eq!(shown[1], format!("User: output b list, output {id} read"));
}

#[test]
fn a_server_that_counts_anew_with_each_answer_repeats_no_id() {
    let step = || {
        [
            turn(Role::Assistant, vec![call(Some("call_0"), "a"), call(Some("call_0"), "b")]),
            turn(Role::User, vec![output(Some("call_0"), None), output(Some("call_0"), None)]),
        ]
    };
    let once = plain(step().into_iter().collect());
    let twice = plain(step().into_iter().chain(step()).collect());
    assert_eq!(once, twice[..2], "what stands later changes nothing before");
    let ids: Vec<&str> = twice.iter().flat_map(|it| it.split(' ')).filter(|it| it.starts_with("call_0")).collect();
    assert_eq!((ids[0], ids[1]), (ids[2], ids[3]));
    assert!(ids[4] != ids[0] && ids[4] != ids[1] && ids[4] == ids[6] && ids[5] == ids[7], "{ids:?}");
}

#[test]
fn results_without_ids_pair_by_name_and_then_by_order() {
    let shown = plain(vec![
        turn(Role::Assistant, vec![call(None, "a"), call(None, "b"), call(None, "a")]),
        turn(Role::User, vec![output(None, Some("b")), output(None, Some("a")), output(None, Some("a"))]),
    ]);
    let ids: Vec<&str> = shown[0].split(' ').filter(|it| it.starts_with("call_")).collect();
    assert_eq!(shown[1], format!("User: output {} b, output {} a, output {} a", ids[1], ids[0], ids[2]));
}

#[test]
fn a_call_without_a_result_is_answered_and_a_result_without_a_call_is_told() {
    let shown = plain(vec![
        turn(Role::Assistant, vec![call(Some("x"), "a"), call(Some("y"), "b")]),
        turn(Role::User, vec![output(Some("y"), None), output(Some("z"), None)]),
        turn(Role::Assistant, vec![text("ok"), call(Some("w"), "c")]),
    ]);
    assert_eq!(
        shown,
        [
            "Assistant: call x a, call y b",
            "User: output x a",
            "User: output y b, [Result of a tool, whose call is not part of this conversation], out",
            "Assistant: ok, call w c",
            "User: output w c",
        ]
    );
}

#[test]
fn results_stand_before_what_was_said_meanwhile() {
    let shown = plain(vec![
        turn(Role::Assistant, vec![call(Some("x"), "a")]),
        turn(Role::Assistant, vec![call(Some("y"), "a")]),
        turn(Role::User, vec![output(Some("x"), None)]),
        turn(Role::User, vec![text("wait")]),
        turn(Role::User, vec![output(Some("y"), None)]),
    ]);
    assert_eq!(shown[2..], ["User: output x a", "User: output y a", "User: wait"]);
}

#[test]
fn only_the_owners_states_come_through() {
    let own = wrapped(StateKind::Signature, Dialect::Messages, "SIG", Dialect::Messages, None);
    let other = wrapped(StateKind::Encrypted, Dialect::Responses, "ENC", Dialect::Messages, None);
    let turns =
        || vec![turn(Role::Assistant, vec![thinking(own.clone()), thinking(other.clone()), thinking("raw".into())])];
    assert_eq!(plain(turns()), ["Assistant: thinking hm+SIG, thinking hm, thinking hm"]);
    assert_eq!(shown(turns(), Dialect::Responses, &NoStates), ["Assistant: thinking hm, thinking hm+ENC, thinking hm"]);
}

#[test]
fn a_thought_goes_to_the_call_behind_it_and_a_signature_before_its_call() {
    let thought = wrapped(StateKind::Thought, Dialect::GenerateContent, "T", Dialect::Messages, None);
    let turns = vec![
        turn(Role::Assistant, vec![thinking(thought)]),
        turn(Role::Assistant, vec![call(Some("x"), "a"), call(Some("y"), "b")]),
    ];
    let found = shown(turns, Dialect::GenerateContent, &NoStates);
    assert_eq!(found[..2], ["Assistant: thinking hm", "Assistant: call x a+T, call y b"]);

    let signature = wrapped(StateKind::Signature, Dialect::Messages, "S", Dialect::GenerateContent, None);
    let mut called = call(Some("x"), "a");
    if let What::Call(call) = &mut called {
        let value = Cow::Owned(signature.clone().into_bytes());
        call.state = Some(State { kind: StateKind::Thought, value, id: None });
    }
    assert_eq!(plain(vec![turn(Role::Assistant, vec![text("t"), called])])[0], "Assistant: thinking +S, t, call x a");

    let What::Reasoning(behind) = thinking(signature) else { return };
    let behind = What::Reasoning(Reasoning { text: Vec::new(), ..behind });
    assert_eq!(
        plain(vec![turn(Role::Assistant, vec![text("a"), text("b"), behind])])[0],
        "Assistant: thinking +S, a, b"
    );
}

#[test]
fn a_state_that_the_client_lost_is_found_by_its_call() {
    struct Kept(String);
    impl States for Kept {
        fn find(&self, _: &Owner<'_>, call: &str) -> Option<String> {
            (call == "x").then(|| self.0.clone())
        }
        fn keep(&self, _: &Owner<'_>, _: &str, _: &str) {}
    }
    let kept = Kept(wrapped(StateKind::Signature, Dialect::Messages, "S", Dialect::Messages, None));
    let turns = vec![turn(Role::Assistant, vec![text("t"), call(Some("x"), "a"), call(Some("y"), "b")])];
    let found = shown(turns, Dialect::Messages, &kept);
    assert_eq!(found[0], "Assistant: thinking +S, t, call x a, call y b");
    let turns = vec![turn(Role::Assistant, vec![thinking(kept.0.clone()), call(Some("x"), "a")])];
    assert_eq!(shown(turns, Dialect::Messages, &kept)[0], "Assistant: thinking hm+S, call x a", "it is there already");
}

#[test]
fn of_blocks_bound_to_their_prefix_none_is_sent_behind_a_gap() {
    let block = |place| {
        thinking(wrapped(StateKind::Signature, Dialect::Messages, &format!("S{place}"), Dialect::Messages, Some(place)))
    };
    let turns =
        |places: &[u64]| places.iter().map(|place| turn(Role::Assistant, vec![block(*place)])).collect::<Vec<_>>();
    assert_eq!(plain(turns(&[0, 1, 2])).len(), 3);
    let found = plain(turns(&[0, 2, 3, 1]));
    assert_eq!(found, ["Assistant: thinking hm+S0", "Assistant: thinking hm+S1"]);
}
