//! Has WASI, as the runtimes of some languages do, and waits for its clock in the way that the call's model names.

use bitrouter_provider::{
    Answer, Call, Failure, Failures, Field, Limits, Payload, Provider, Queries, Request, Requests, Step, Trouble,
    Window, export,
};

mod wasi {
    #![allow(unsafe_code, missing_docs, clippy::all, rust_2018_idioms)]

    wit_bindgen::generate!({
        inline: r#"
            package tests:napping;

            world napping {
                import wasi:io/poll@0.2.0;
                import wasi:clocks/monotonic-clock@0.2.0;
            }

            package wasi:io@0.2.0 {
                interface poll {
                    resource pollable {
                        ready: func() -> bool;
                        block: func();
                    }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
            }

            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    type instant = u64;
                    type duration = u64;
                    now: func() -> instant;
                    subscribe-duration: func(when: duration) -> pollable;
                }
            }
        "#,
        generate_all,
    });
}

use wasi::wasi::{clocks::monotonic_clock, io::poll};

/// A minute in nanoseconds: longer than any hook may take.
const MINUTE: u64 = 60_000_000_000;

/// The provider.
pub struct Napping;

export!(Napping: Requests, Failures, Queries, Limits);

impl Provider for Napping {
    fn describe() -> String {
        r#"{
            "id": "napping",
            "name": "Napping",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "ok" }],
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Napping {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let clock = monotonic_clock::subscribe_duration(MINUTE);
        match call.model.as_str() {
            "block" => clock.block(),
            "poll" => assert_eq!(poll::poll(&[&clock, &clock]), [0, 1]),
            "ready" => assert!(clock.ready()),
            "until" => {
                let until = monotonic_clock::now() + MINUTE;
                while monotonic_clock::now() < until {
                    monotonic_clock::subscribe_duration(until - monotonic_clock::now()).block();
                }
            }
            _ => {}
        }
        Ok(Request::post("api", "/chat/completions").framing(call.framing()).pass())
    }
}

impl Failures for Napping {
    fn explain(_trouble: &Trouble, _memo: Vec<u8>) -> Option<Failure> {
        None
    }
}

impl Queries for Napping {
    fn interpret(_side: &str, _page: Answer) -> Result<Option<String>, Failure> {
        Ok(Some("{}".into()))
    }
}

impl Limits for Napping {
    fn quota(_headers: &[Field], _event: Option<&str>) -> Option<Vec<Window>> {
        None
    }
}
