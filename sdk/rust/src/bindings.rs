//! What wit-bindgen makes of the contract: the types once, and each of the interfaces that a provider may export in a
//! module of its own, because a component says which ones it has. `export!` names them; a provider only meets the plain
//! data types, re-exported at the crate's root. Nothing is written by hand in here.

#![allow(unsafe_code, missing_docs, clippy::all, clippy::unwrap_used, rust_2018_idioms)]

wit_bindgen::generate!({
    path: "../../wit/0.1.0",
    inline: "
        package bitrouter:sdk-provider;
        world described {
            import bitrouter:provider/types@0.1.0;
            import bitrouter:host/document@0.1.0;
            import bitrouter:host/log@0.1.0;
            export bitrouter:provider/provider@0.1.0;
        }
    ",
    pub_export_macro: true,
    export_macro_name: "__export_provider",
    default_bindings_module: "bitrouter_provider::bindings",
    generate_all,
});

/// One interface that a provider may export, with the types of above.
macro_rules! optional {
    ($module:ident, $world:literal, $export:literal, {$($with:tt)*}) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit/0.1.0",
                inline: $world,
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: "bitrouter_provider::bindings",
                with: {
                    "bitrouter:host/field@0.1.0": crate::bindings::bitrouter::host::field,
                    "bitrouter:provider/types@0.1.0": crate::bindings::bitrouter::provider::types,
                    $($with)*
                },
                generate_all,
            });
        }
    };
}

optional!(
    requests,
    "package bitrouter:sdk-requests; world requests { export bitrouter:provider/requests@0.1.0; }",
    "__export_requests",
    {"bitrouter:host/document@0.1.0": crate::bindings::bitrouter::host::document}
);
optional!(
    failures,
    "package bitrouter:sdk-failures; world failures { export bitrouter:provider/failures@0.1.0; }",
    "__export_failures",
    {}
);
optional!(
    queries,
    "package bitrouter:sdk-queries; world queries { export bitrouter:provider/queries@0.1.0; }",
    "__export_queries",
    {}
);
optional!(
    limits,
    "package bitrouter:sdk-limits; world limits { export bitrouter:provider/limits@0.1.0; }",
    "__export_limits",
    {}
);
optional!(
    answers,
    "package bitrouter:sdk-answers; world answers { export bitrouter:provider/answers@0.1.0; }",
    "__export_answers",
    {"bitrouter:host/document@0.1.0": crate::bindings::bitrouter::host::document}
);
optional!(
    streams,
    "package bitrouter:sdk-streams; world streams { export bitrouter:provider/streams@0.1.0; }",
    "__export_streams",
    {}
);
