//! Lists of models that are none, by what the page says.

use bitrouter_provider::{Failure, scope};

use crate::{grow, spin, trap};

/// Reads the page of a list of models in the way that it asks for.
pub fn read(page: &str) -> Result<Option<String>, Failure> {
    let list = |models: String| Ok(Some(["{\"models\":[", &models, "]}"].concat()));
    match page.trim_matches('"') {
        "trap" => trap(),
        "loop" => spin(),
        "grow" => grow(),
        "not-json" => Ok(Some("{\"models\":".into())),
        "no-list" => Ok(Some("{\"models\":7}".into())),
        "many" => list((0..200_000).map(|n| format!("{{\"id\":\"m{n}\"}},")).collect::<String>() + "{\"id\":\"last\"}"),
        "huge" => list(["{\"id\":\"", &"h".repeat(8 << 20), "\"}"].concat()),
        "infinite" => list("{\"id\":\"infinite\",\"context_window\":1e999}".into()),
        "negative" => list("{\"id\":\"negative\",\"context_window\":-1}".into()),
        "escapes" => list("{\"id\":\"\\u001b[31mred\\u202e\\r\\nforged\"}".into()),
        "deep" => list("[".repeat(100_000)),
        "twice" => list("{\"id\":\"twice\"},{\"id\":\"twice\",\"context_window\":1}".into()),
        "slashes" => list("{\"id\":\"../../../openai:gpt-4o\"}".into()),
        "empty" => list("{\"id\":\"\"}".into()),
        "fails" => {
            Err(Failure::new("no-such-kind", scope::PROVIDER, "two\r\nlines\u{1b}[31m").code("c".repeat(1 << 20)))
        }
        _ => list("{\"id\":\"from-interpret\"}".into()),
    }
}
