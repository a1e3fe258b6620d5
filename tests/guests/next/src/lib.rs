//! Speaks a version of the contract that is not published: `wit/provider.wit` says why.

#![allow(unsafe_code, reason = "what wit-bindgen makes has to meet the component ABI")]

mod bindings {
    #![allow(missing_docs, clippy::all, rust_2018_idioms)]
    wit_bindgen::generate!({
        path: ["../../../wit/0.1.0/deps/host", "wit"],
        world: "bitrouter:provider/plugin",
        generate_all,
    });
}

use bindings::bitrouter::host::document::{Assignment, Document, Edit};
use bindings::exports::bitrouter::provider::provider;
use bindings::exports::bitrouter::provider::requests::{self, Call, Step};

struct Next;

bindings::export!(Next with_types_in bindings);

impl provider::Guest for Next {
    fn describe() -> String {
        r#"{ "id": "next", "name": "Next", "version": "1", "origins": { "api": "http://127.0.0.1:9/v1" },
             "serves": { "generate": ["chat-completions"] } }"#
            .into()
    }
}

impl requests::Guest for Next {
    fn prepare(call: Call, body: Option<&Document>) -> Step {
        if call.model == "refused" {
            return Step::Refuse("not this one".into());
        }
        if let (Some(body), Some(deadline)) = (body, call.deadline_ms) {
            let edit = Edit::Add(Assignment { path: "/deadline".into(), value: deadline.to_string() });
            if let Err(error) = body.patch(&[edit]) {
                return Step::Refuse(error);
            }
        }
        Step::Described
    }
}
