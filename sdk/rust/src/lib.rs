//! The SDK for BitRouter's model providers: implement [`Provider`], name it in [`export!`], build the crate as a
//! `cdylib` for `wasm32-unknown-unknown` and make a component of it.
//!
//! A provider is a pure function of its arguments and of the body that the host lends it. It has no sockets, files,
//! environment or clock, and no credential is ever in its memory.
//!
#![doc = concat!("```no_run\n", include_str!("../examples/pass_through.rs"), "\n```")]

//! With the feature `test-kit` (in `[dev-dependencies]`) the same provider runs natively over golden files: see the module
//! `golden`.

// The contract's failure is as large as it is; boxing it would cost every component an allocation.
#![allow(clippy::result_large_err)]
#![deny(unsafe_code)]

#[cfg(all(target_arch = "wasm32", feature = "arena"))]
mod arena;
mod base64;
#[doc(hidden)]
pub mod bindings;
mod call;
#[cfg(target_arch = "wasm32")]
mod component;
mod document;
mod explain;
mod failure;
#[cfg(all(not(target_arch = "wasm32"), feature = "test-kit"))]
pub mod golden;
mod json;
mod limits;
mod log;
mod pages;
#[cfg(target_arch = "wasm32")]
mod panic;
mod provider;
mod request;

pub use base64::base64;
pub use bindings::bitrouter::provider::host::{Cell, Edit, Kind, Level, ReadError};
pub use bindings::bitrouter::provider::types::{
    Account, Answer, Blob, Body, Call, Delivery, Event, Exchange, Failure, Field, Request, Step, Trouble, Window,
};
pub use call::matches;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use component::Component;
pub use document::{Document, Payload};
pub use explain::explain;
pub use failure::{kind, scope};
pub use json::{Json, quote};
pub use limits::rate_limits;
pub use log::log;
pub use pages::{Model, models_json, usage_json};
pub use provider::{Provider, Rewriter};
pub use request::segment;

/// Makes a provider the component's export: `export!(MyProvider);`, once in a crate.
///
/// It does nothing where the crate is built for another target than `wasm32`, so that a provider can be tested there.
#[macro_export]
macro_rules! export {
    ($provider:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod __component {
            use super::*;
            type Component = $crate::Component<$provider>;
            $crate::bindings::__export_component!(Component with_types_in $crate::bindings);
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_guide_shows_the_example_as_it_is() {
        let guide = include_str!("../../../docs/writing-a-provider.md").replace("\r\n", "\n");
        assert!(guide.contains(&include_str!("../examples/pass_through.rs").replace("\r\n", "\n")));
    }
}
