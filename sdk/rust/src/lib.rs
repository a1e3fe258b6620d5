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
#[doc(hidden)]
pub mod bindings;
mod call;
#[cfg(target_arch = "wasm32")]
mod component;
mod document;
mod failure;
#[cfg(all(not(target_arch = "wasm32"), feature = "test-kit"))]
pub mod golden;
#[cfg(not(target_arch = "wasm32"))]
mod hooks;
mod json;
mod log;
mod pages;
#[cfg(target_arch = "wasm32")]
mod panic;
mod provider;
mod request;

pub use bindings::bitrouter::host::document::{Cell, Condition, Edit, Kind, Matches, Patched, ReadError, Row, Test};
pub use bindings::bitrouter::host::field::Field;
pub use bindings::bitrouter::host::log::Level;
pub use bindings::bitrouter::provider::types::{
    Account, Answer, Blob, Body, Call, Content, Delivery, Event, Exchange, Failure, Head, Part, Reply, Request, Step,
    Trouble, Window,
};
pub use call::matches;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use component::Component;
pub use document::{At, Document, Each, Find, Payload, at};
pub use failure::{kind, scope};
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub use hooks::{Exported, Hooks};
pub use json::{Json, quote};
pub use log::log;
pub use pages::{Model, models_json, usage_json};
pub use provider::{Answers, Failures, Limits, Provider, Queries, Requests, Rewriter, Streams};

/// Makes a provider the component's export, once in a crate: `export!(Acme);` for one that is described in full, and
/// `export!(Acme: Requests, Limits);` for one that overrules its description in these.
///
/// Where the crate is built for another target than `wasm32`, it only says so to the tests.
#[macro_export]
macro_rules! export {
    ($provider:ty $(: $($hooks:ident),+ $(,)?)?) => {
        #[cfg(target_arch = "wasm32")]
        mod __component {
            use super::*;
            type Component = $crate::Component<$provider>;
            $crate::bindings::__export_provider!(Component with_types_in $crate::bindings);
            $($($crate::__export!($hooks Component);)+)?
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl $crate::Exported for $provider {
            fn hooks() -> $crate::Hooks {
                $crate::Hooks::of::<Self>()$($(.$hooks::<Self>())+)?
            }
        }
    };
}

/// Exports one interface, by the name of its trait.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (Requests $component:ident) => {
        $crate::bindings::requests::__export_requests!($component with_types_in $crate::bindings::requests);
    };
    (Failures $component:ident) => {
        $crate::bindings::failures::__export_failures!($component with_types_in $crate::bindings::failures);
    };
    (Queries $component:ident) => {
        $crate::bindings::queries::__export_queries!($component with_types_in $crate::bindings::queries);
    };
    (Limits $component:ident) => {
        $crate::bindings::limits::__export_limits!($component with_types_in $crate::bindings::limits);
    };
    (Answers $component:ident) => {
        $crate::bindings::answers::__export_answers!($component with_types_in $crate::bindings::answers);
    };
    (Streams $component:ident) => {
        $crate::bindings::streams::__export_streams!($component with_types_in $crate::bindings::streams);
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_guide_shows_the_example_as_it_is() {
        let guide = include_str!("../../../docs/writing-a-provider.md").replace("\r\n", "\n");
        assert!(guide.contains(&include_str!("../examples/pass_through.rs").replace("\r\n", "\n")));
    }

    #[test]
    fn the_tutorial_shows_its_provider_as_it_is() {
        let page = include_str!("../../../docs/plugins/rust.md").replace("\r\n", "\n");
        assert!(page.contains(&include_str!("../examples/tutorial.rs").replace("\r\n", "\n")));
    }
}
