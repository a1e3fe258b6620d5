//! One conversation for every client that is an agent: how the model is scripted, and what must have come back in the end. The
//! files of the real clients have them lead it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitrouter_tests::{Backend, Fault, Gateway, PNG, Setup, Spoken, backends_but};
use serde_json::{Value, json};

/// What proves the thoughts of each turn that comes back, in their order.
pub(crate) const PROOFS: [&str; 4] = ["c2VhbGVkQUFB", "c2VhbGVkQkJC", "c2VhbGVkQ0ND", "c2VhbGVkRERE"];

/// The thoughts, which say themselves what turn they are of.
const THOUGHTS: [&str; 4] = ["Two at once.", "One that is missing.", "That was all.", "Once more."];

/// A tool's call: its name and its arguments.
pub(crate) type Call = (&'static str, Value);

/// An agent, and what its tools are called.
pub(crate) struct Agent<'a> {
    /// Where its tools work.
    pub(crate) work: PathBuf,
    /// Runs a command.
    pub(crate) shell: fn(&str) -> Call,
    /// Looks at a picture.
    pub(crate) look: fn(&Path) -> Call,
    /// Begins a conversation with a gateway at an origin; what was said in the end.
    pub(crate) ask: &'a dyn Fn(&str, &str) -> String,
    /// Goes on with it.
    pub(crate) go_on: &'a dyn Fn(&str, &str) -> String,
    /// The proofs that this model gets back from this client.
    pub(crate) keeps: &'a [&'static str],
    /// Whether the client has the states itself. What is kept for one that has not is lost with the gateway that kept it.
    pub(crate) holds_states: bool,
}

/// Two calls side by side and a picture, one that goes wrong, a failure of the model's, an answer; then a second run, at a gateway
/// that was started anew where that may be.
pub(crate) fn works(agent: &Agent<'_>, backend: &dyn Backend) {
    let picture = agent.work.join("dot.png");
    fs::write(&picture, PNG.bytes()).unwrap();
    let thinks = |turn: usize| Spoken::thinks(THOUGHTS[turn], PROOFS[turn]);
    let calls = |spoken: Spoken, (name, arguments): Call| spoken.then_calls(name, arguments);
    let both = calls(thinks(0).then_says("I look."), (agent.shell)("sleep 0.2; printf one; echo -2"));
    backend.then(calls(both, (agent.look)(&picture)));
    backend.then(calls(thinks(1), (agent.shell)("printf lost; echo -3; exit 3")));
    backend.then(Spoken::fails(Fault::Internal));
    backend.then(thinks(2).then_says("It is a dot."));
    backend.then(thinks(3).then_says("Still here."));

    let setup: Arc<Setup> = Arc::new(backend.known_to(Gateway::start()));
    let mut gateway = Gateway::in_home(&setup);
    for (run, prompt, said) in
        [(agent.ask, "Look at the picture.", "It is a dot."), (agent.go_on, "Are you there?", "Still here.")]
    {
        let told = run(&format!("http://{}", gateway.address()), prompt);
        backend.refused_nothing();
        assert_eq!(told, said, "{}: {}", backend.dialect(), gateway.log());
        if agent.holds_states {
            gateway = Gateway::in_home(&setup);
        }
    }
    let turns = backend.turns();
    let last = turns.last().unwrap();
    let text = last.to_string();
    for wanted in ["one-2", "lost-3", PNG.base64(), "It is a dot.", "Are you there?"] {
        assert!(text.contains(wanted), "{}: {wanted} is not in {last:#}", backend.dialect());
    }
    assert!(!text.contains("br1.") && !text.contains("of-the-client-alone"), "{last:#}");
    assert_eq!(proofs(backend, last, PROOFS, THOUGHTS), agent.keeps, "{}", backend.dialect());
    grows(backend, &turns);
}

/// The proofs of thoughts that a request brings back, in their order. An open model has no proof but the thoughts themselves.
pub(crate) fn proofs(
    backend: &dyn Backend,
    body: &Value,
    proofs: [&'static str; 4],
    thoughts: [&'static str; 4],
) -> Vec<&'static str> {
    let proof = |state: &String| {
        let found = proofs.iter().zip(thoughts).find(|(proof, text)| *state == **proof || state == text);
        *found.unwrap_or_else(|| panic!("{}: {state} is no state of the model's", backend.dialect())).0
    };
    backend.states(body).iter().map(proof).collect()
}

/// Runs a test with each model that speaks another dialect than this one, all at a time.
pub(crate) fn with_each_but(dialect: &str, test: impl Fn(&dyn Backend) + Sync) {
    let failed: Vec<_> = std::thread::scope(|scope| {
        let test = &test;
        let running: Vec<_> = backends_but(dialect)
            .into_iter()
            .map(|backend| (backend.dialect(), scope.spawn(move || test(&*backend))))
            .collect();
        running.into_iter().filter_map(|(name, it)| it.join().is_err().then_some(name)).collect()
    });
    assert!(failed.is_empty(), "with {failed:?}, as is said above");
}

/// Checks that each request is the one before it, and more: the cache of what was read stays good.
pub(crate) fn grows(backend: &dyn Backend, turns: &[Value]) {
    let histories: Vec<Vec<Value>> = turns.iter().map(|turn| unmarked(backend.history(turn))).collect();
    for (at, pair) in histories.windows(2).enumerate() {
        let same = pair[0].iter().zip(&pair[1]).take_while(|(before, after)| before == after).count();
        let now = pair[1].get(same).unwrap_or(&Value::Null);
        assert!(same == pair[0].len(), "{} {at}: {:#}\nbecame {now:#}", backend.dialect(), pair[0][same]);
    }
}

/// Without the markers of caches, which clients move with each turn: opencode has them for Claude in Chat Completions too.
fn unmarked(history: &[Value]) -> Vec<Value> {
    fn unmark(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(unmark),
            Value::Object(members) => {
                members.remove("cache_control");
                members.values_mut().for_each(unmark);
            }
            _ => {}
        }
    }
    let mut history = history.to_vec();
    history.iter_mut().for_each(unmark);
    history
}

/// A call with one argument.
pub(crate) fn call(name: &'static str, argument: &str, value: impl Into<Value>) -> Call {
    (name, json!({ argument: value.into() }))
}
