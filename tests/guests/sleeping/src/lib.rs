//! Waits in its hook on the clock of WASI, as a component may that was compiled from a language whose runtime has one. The
//! load rig has many calls of it at once, to see whether others wait with it.

use bitrouter_provider::{Call, Failure, Payload, Provider, Request, Requests, Step, export};

use clock::wasi::clocks::monotonic_clock::subscribe_duration;

/// As much of WASI 0.2 as it takes to wait.
#[allow(missing_docs, unsafe_code, reason = "it is generated")]
mod clock {
    wit_bindgen::generate!({
        inline: "
            package bitrouter:sleeping;

            world sleeping {
                import wasi:clocks/monotonic-clock@0.2.0;
            }

            package wasi:io@0.2.0 {
                interface poll {
                    resource pollable {
                        block: func();
                    }
                }
            }

            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    subscribe-duration: func(when: u64) -> pollable;
                }
            }
        ",
        generate_all,
    });
}

/// Four seconds, in the nanoseconds of WASI.
const NAP: u64 = 4_000_000_000;

/// The provider.
pub struct Sleeping;

export!(Sleeping: Requests);

impl Provider for Sleeping {
    fn describe() -> String {
        r#"{
            "id": "sleeping",
            "name": "Sleeping",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "sleeping-1" }],
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Sleeping {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        subscribe_duration(NAP).block();
        Ok(Request::post("api", "/chat/completions").framing(call.framing()).pass())
    }
}
