//! A version of the contract that is not published (`tests/guests/next/wit`), as `code` would take in a real one: what it has otherwise
//! is made what the rest of the gateway knows, and back. Only tests have it.

use std::sync::Arc;

use bitrouter_contract::FailureKind;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Resource};

use super::{Code, Provider, Requests};
use crate::contract::types::{Body, Delivery};
use crate::contract::{BodyArgument, Call, Failure, Request, Step};
use crate::described;
use crate::instance::HookState;
use crate::wasi::Moment;

#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({
        path: ["../../wit/0.1.0/deps/host", "../../tests/guests/next/wit"],
        world: "bitrouter:provider/plugin",
        exports: { default: async },
        // What the host lends is the same for both, so it is linked once.
        with: {
            "bitrouter:host/document": crate::contract::document,
            "bitrouter:host/field": crate::contract::field,
            "bitrouter:host/log": crate::contract::log,
        },
    });
}

use bindings::bitrouter::provider::types as newer;
pub(in crate::code) use bindings::exports::bitrouter::provider::{provider, requests};

/// How long a client waits: what no older version was told.
pub(in crate::code) const DEADLINE_MS: u32 = 30_000;

pub(super) fn code(pre: InstancePre<HookState>, wasi: Option<Arc<Moment>>) -> wasmtime::Result<Code> {
    Ok(Code {
        provider: Provider::Next(provider::GuestIndices::new(&pre)?),
        requests: Some(Requests::Next(requests::GuestIndices::new(&pre)?)),
        failures: None,
        queries: None,
        limits: None,
        answers: None,
        streams: None,
        pre,
        wasi,
    })
}

pub(super) async fn prepare(
    indices: &requests::GuestIndices,
    store: &mut Store<HookState>,
    instance: &Instance,
    call: &Call,
    body: &BodyArgument,
) -> wasmtime::Result<Result<Step, Failure>> {
    let guest = indices.load(&mut *store, instance)?;
    let document = matches!(body, BodyArgument::Json(_)).then(|| Resource::new_borrow(0));
    Ok(older(guest.call_prepare(store, &newer_call(call), document).await?))
}

fn newer_call(call: &Call) -> newer::Call {
    newer::Call {
        operation: call.operation.clone(),
        dialect: call.dialect.clone(),
        model: call.model.clone(),
        streaming: call.streaming,
        headers: call.headers.clone(),
        provider: call.provider.clone(),
        deadline_ms: Some(DEADLINE_MS),
    }
}

fn older(step: newer::Step) -> Result<Step, Failure> {
    match step {
        newer::Step::Described => Ok(Step::Described),
        newer::Step::Send(newer::Request { method, origin, path, headers }) => Ok(Step::Send(Request {
            method,
            origin,
            path,
            values: Vec::new(),
            query: Vec::new(),
            headers,
            body: Body::Forward,
            framing: "json".into(),
            delivery: Delivery::Pass,
            memo: Vec::new(),
            dropped: Vec::new(),
            more: String::new(),
        })),
        newer::Step::Refuse(message) => {
            let kind = FailureKind::Unsupported;
            Err(described::failure(kind, kind.scope(), message))
        }
    }
}
