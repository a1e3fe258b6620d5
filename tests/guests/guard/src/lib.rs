//! A guardrail, which is no provider: `wit/policy.wit` says why it is here.

#![allow(unsafe_code, reason = "what wit-bindgen makes has to meet the component ABI")]

mod bindings {
    #![allow(missing_docs, clippy::all, rust_2018_idioms)]
    wit_bindgen::generate!({
        path: ["../../../wit/0.1.0/deps/host", "wit"],
        world: "bitrouter:policy/guardrail",
        generate_all,
    });
}

use bindings::bitrouter::host::document::{Condition, Document, Edit, Test};
use bindings::bitrouter::host::log::{Level, log};
use bindings::exports::bitrouter::policy::guard::{Guest, Verdict};

struct Guard;

bindings::export!(Guard with_types_in bindings);

impl Guest for Guard {
    fn check(model: String, body: &Document) -> Verdict {
        let at = |at: &str, test| Condition { at: at.into(), test, negated: false };
        let secret = at("/content", Test::BeginsWith(vec!["the launch code is".into()]));
        match body.find("/messages/*", &[secret], &[], 0, 1) {
            Ok(found) if !found.rows.is_empty() => {
                log(Level::Warn, &format!("a secret was on its way to {model}"));
                return Verdict::Deny(format!("{} says a secret", found.rows[0].pointer));
            }
            Ok(_) => {}
            Err(error) => return Verdict::Deny(format!("{error:?}")),
        }
        let named = body.patch_each("/messages/*/name", &[], &[Edit::Remove(String::new())], 0);
        match named {
            Ok(patched) if patched.matches > 0 => Verdict::Edited,
            Ok(_) => Verdict::Allow,
            Err(error) => Verdict::Deny(error),
        }
    }
}
