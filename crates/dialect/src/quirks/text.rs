//! Content that is a list of texts, as the one string that some servers take. A list with anything but texts stays as it is:
//! what it says has no place in a string.

use bitrouter_document::{Cell, Condition, Document, Edit, Error, Find, Kind, Test, limits};

/// Joins the texts of each list that the pattern names.
pub(super) fn join(document: &mut Document, pattern: &str) -> Result<(), Error> {
    let lists = [Condition { at: "", test: Test::OfKind(vec![Kind::Array]), negated: false }];
    let found = document.find(&Find { only: &lists, ..Find::all(pattern) })?;
    let lists: Vec<String> = found.rows().map(|(pointer, _)| pointer.to_owned()).collect();
    let mut joined = Vec::new();
    for list in &lists {
        if let Some(text) = joined_texts(document, list)? {
            joined.push((list, text));
        }
    }
    let edits: Vec<_> = joined.iter().map(|(path, value)| Edit::Replace { path, value }).collect();
    edits.chunks(limits::EDITS).try_for_each(|edits| document.patch(edits))
}

/// A list's texts as one JSON string; none where it holds something else.
fn joined_texts(document: &mut Document, list: &str) -> Result<Option<String>, Error> {
    let parts = format!("{list}/*");
    let found = document.find(&Find { fields: &["/type", "/text"], ..Find::all(&parts) })?;
    let mut text = String::from("\"");
    for (_, cells) in found.rows() {
        let [Cell::Value(kind), Cell::Value(part)] = cells else { return Ok(None) };
        let part = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
        let Some(part) = part.filter(|_| *kind == "\"text\"") else { return Ok(None) };
        if text.len() > 1 {
            text.push_str("\\n");
        }
        text.push_str(part);
    }
    text.push('"');
    Ok(if found.more() { None } else { Some(text) })
}
