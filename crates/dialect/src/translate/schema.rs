//! JSON Schemas for Google, which refuses some of their keywords, and Google's own words as JSON Schema. The reader and
//! the writer of its requests ask for it. What needs no change passes byte for byte; keywords that a target has no place for go into the
//! description, so that the model still reads them. It never looks anything up: `$ref` within the schema alone.

mod google;
mod node;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use google::from_google;
use node::Rewrite;

/// What a target takes.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The keywords that may stay.
    kept: &'static [&'static str],
    /// Values of `format` that may stay; empty for all.
    formats: &'static [&'static str],
    /// Whether it is OpenAPI's form: no `$ref`, no lists of types, `nullable`, a type everywhere, enums of strings.
    open_api: bool,
}

/// `parameters` and `responseSchema` of generateContent, for models without their JSON Schema twins.
pub(crate) const GOOGLE_OPEN_API: Rules = Rules {
    kept: &[
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "items",
        "minItems",
        "maxItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "anyOf",
        "propertyOrdering",
        "default",
    ],
    formats: &["enum", "date-time", "float", "double", "int32", "int64"],
    open_api: true,
};

/// `responseJsonSchema` of generateContent.
pub(crate) const GOOGLE_OUTPUT: Rules = Rules {
    kept: &[
        "$id",
        "$defs",
        "$ref",
        "$anchor",
        "type",
        "format",
        "title",
        "description",
        "enum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "anyOf",
        "oneOf",
        "properties",
        "additionalProperties",
        "required",
        "propertyOrdering",
    ],
    formats: &[],
    open_api: false,
};

/// The schema as the target takes it, and what of it is said in other words there.
pub(crate) fn rewrite<'a>(schema: &'a [u8], rules: &'static Rules) -> (Cow<'a, [u8]>, Vec<&'a [u8]>) {
    let mut rewrite = Rewrite::new(schema, rules);
    let new = rewrite.root();
    (new.map_or(Cow::Borrowed(schema), Cow::Owned), rewrite.reworded())
}

impl Rules {
    fn keeps(&self, keyword: &[u8]) -> bool {
        self.kept.iter().any(|name| name.as_bytes() == keyword)
    }

    fn keeps_format(&self, format: &[u8]) -> bool {
        self.formats.is_empty() || self.formats.iter().any(|name| name.as_bytes() == format)
    }
}
