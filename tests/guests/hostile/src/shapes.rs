//! Whole answers that are edited badly, by the model's name.

use bitrouter_provider::{Document, Edit, Failure, scope};

use crate::{grow, spin, trap};

/// Edits an answer until it is none.
pub fn shape(model: &str, body: &Document<'_>) -> Result<(), Failure> {
    let edits = match model {
        "shape-trap" => trap(),
        "shape-loop" => spin(),
        "shape-grow" => grow(),
        "shape-empties" => vec![Edit::replace("", "{}")],
        "shape-no-object" => vec![Edit::replace("", "[]")],
        "shape-removes-all" => vec![Edit::remove("")],
        "shape-into-itself" => vec![Edit::move_to("", "/inside")],
        "shape-doubles" => [vec![Edit::add("/a", "[0]")], vec![Edit::copy_to("/a", "/a/-"); 40]].concat(),
        "shape-no-json" => vec![Edit::add("/choices", "[}")],
        "shape-deep" => vec![Edit::add("/deep", ["[".repeat(100_000), "]".repeat(100_000)].concat())],
        "shape-huge" => vec![Edit::add("/huge", ["\"", &"h".repeat(32 << 20), "\""].concat())],
        "shape-many" => (0..100_000).map(|n| Edit::add(["/m", &n.to_string()].concat(), "0")).collect(),
        "shape-fails" => {
            return Err(Failure::new("no-such-kind", scope::ACCOUNT, "two\r\nlines")
                .code("c".repeat(1 << 20))
                .status(200));
        }
        _ => Vec::new(),
    };
    body.patch(&edits).map_err(Failure::invalid)
}
