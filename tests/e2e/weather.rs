//! One conversation for every client that is a library: how the model is scripted, and what must have come back in the end.
//! `python_translated` and `vercel_ai` have their clients lead it.

use std::fs;
use std::sync::Arc;

use bitrouter_tests::{Backend, Conversing, Fault, Gateway, PNG, Spoken, backends_but};
use serde_json::json;

use crate::agents;

/// What proves the thoughts of each turn, in their order.
const PROOFS: [&str; 4] = ["c2VhbGVkQUFB", "c2VhbGVkQkJC", "c2VhbGVkQ0ND", "c2VhbGVkRERE"];

/// The thoughts, which say themselves what turn they are of.
const THOUGHTS: [&str; 4] = ["Two places, and the sky.", "One that is lost.", "Enough of it.", "Still the same."];

/// How many turns of the model's the first run has.
pub(crate) const RUN: usize = 3;

/// Scripts the first run: two calls and a picture side by side, a failure, a call that goes wrong, and an answer; and the second,
/// which is one answer.
pub(crate) fn script(backend: &dyn Backend) {
    let thinks = |turn: usize| Spoken::thinks(THOUGHTS[turn], PROOFS[turn]);
    backend.then(
        thinks(0)
            .then_says("I shall look.")
            .then_calls("weather", json!({"city": "Oslo", "days": 1.5}))
            .then_calls("picture", json!({}))
            .then_calls("weather", json!({"city": "Rome"})),
    );
    backend.then(Spoken::fails(Fault::Invalid));
    backend.then(thinks(1).then_calls("weather", json!({"city": "Atlantis"})));
    backend.then(thinks(2).then_says("It is fine in both."));
    backend.then(thinks(3).then_says("Still here."));
}

/// Has a client of this dialect lead both runs with each model that speaks another, with a gateway started anew in between, and
/// checks what the model was sent in the end. `keeps` says of how many turns the model gets its thoughts back: of the last turn of a
/// run, which calls nothing, only where the client has the states itself. What is kept for one that has not is lost with the gateway
/// that kept it.
pub(crate) fn with_every_other(dialect: &str, client: &mut Conversing, keeps: usize) {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("sky.png");
    fs::write(&picture, PNG.bytes()).unwrap();
    let mut wrong = Vec::new();
    for backend in backends_but(dialect) {
        let kept = folder.path().join(format!("{}.json", backend.dialect()));
        let setup = Arc::new(backend.known_to(Gateway::start()));
        script(&*backend);
        let mut gateway = Gateway::in_home(&setup);
        for said in ["It is fine in both.", "Still here."] {
            let origin = format!("http://{}", gateway.address());
            let talk = json!({"origin": origin, "model": backend.model(), "kept": kept, "picture": picture});
            let told = client.lead(&talk);
            backend.refused_nothing();
            assert_eq!(told, said, "{}", backend.dialect());
            if keeps == RUN {
                gateway = Gateway::in_home(&setup);
            }
        }
        let (found, wanted) = (check(&*backend), &PROOFS[..keeps]);
        // More is fine: what a client echoes differs by what the model said.
        if !found.starts_with(wanted) {
            wrong.push(format!("{}: {found:?} and not {wanted:?}", backend.dialect()));
        }
    }
    assert!(wrong.is_empty(), "the thinking that came back: {wrong:#?}");
}

/// Checks what the model was sent in the end; the proofs of thoughts that it got back.
fn check(backend: &dyn Backend) -> Vec<&'static str> {
    let turns = backend.turns();
    let last = turns.last().unwrap();
    let text = last.to_string();
    for wanted in
        ["It is fine in Oslo.", "It is fine in Rome.", "There is no such city.", PNG.base64(), "I shall look."]
    {
        assert!(text.contains(wanted), "{}: {wanted} is not in {last:#}", backend.dialect());
    }
    assert!(!text.contains("br1.") && !text.contains("of-the-client-alone"), "{last:#}");
    agents::grows(backend, &turns);
    agents::proofs(backend, last, PROOFS, THOUGHTS)
}
