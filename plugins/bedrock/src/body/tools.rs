//! The tools of a request, and which of them it wants used. `shape` of the body calls it.

use bitrouter_provider::{Document, Edit, Failure, Kind, at, quote};

use super::{Family, SHOWN, cache_points};

/// Moves `tools` and `tool_choice` into `toolConfig`, and returns what it left out: tools that Anthropic itself runs or knows.
pub(super) fn shape(body: &Document<'_>, family: Family) -> Result<Vec<String>, Failure> {
    let of_its_own =
        body.each("/tools/*").only(at("/type").is_there()).only(at("/type").is("custom").not()).named(SHOWN);
    let mut dropped = of_its_own.patch(&[Edit::remove("")]).map_err(Failure::invalid)?.pointers;
    let used = || body.find("/messages/*/content/*/toolUse").rows(&["/name"], 256);
    let choice = body.text("/tool_choice/type", 32)?;
    let has = body.find("/tools/*").any()?;
    let mut edits = Vec::new();
    if has && (choice.as_deref() != Some("none") || !used()?.rows.is_empty()) {
        let (points, unmarked) = cache_points(body, "/tools/*", family)?;
        dropped.extend(unmarked);
        describe(body)?;
        edits.extend(points);
        edits.extend([Edit::add("/toolConfig", "{}"), Edit::move_to("/tools", "/toolConfig/tools")]);
        if let Some(choice) = choice {
            edits.extend(chosen(body, &choice)?);
            if choice == "none" {
                dropped.push("/tool_choice".into());
            }
            if body.get("/tool_choice/disable_parallel_tool_use", 8)?.as_deref() == Some("true") {
                dropped.push("/tool_choice/disable_parallel_tool_use".into());
            }
        }
    } else {
        edits.extend(body.kind("/tools")?.map(|_| Edit::remove("/tools")));
        // A conversation in which tools were used needs them described, even where none may be used any more.
        let mut names: Vec<String> =
            used()?.rows.iter().filter_map(|row| row.cells.first()?.text().map(Into::into)).collect();
        names.sort_unstable();
        names.dedup();
        let spec = |name: &String| {
            ["{\"toolSpec\":{\"name\":", &quote(name), ",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}"].concat()
        };
        let specs: Vec<String> = names.iter().map(spec).collect();
        if !specs.is_empty() {
            edits.push(Edit::add("/toolConfig", ["{\"tools\":[", &specs.join(","), "]}"].concat()));
        }
    }
    edits.extend(body.kind("/tool_choice")?.map(|_| Edit::remove("/tool_choice")));
    body.patch(&edits).map_err(Failure::invalid)?;
    Ok(dropped)
}

/// Makes each tool a `toolSpec`.
fn describe(body: &Document<'_>) -> Result<(), Failure> {
    let tools = || body.each("/tools/*");
    let begin = [
        Edit::add("/new", r#"{"toolSpec":{"inputSchema":{}}}"#),
        Edit::move_to("/name", "/new/toolSpec/name"),
        Edit::move_to("/input_schema", "/new/toolSpec/inputSchema/json"),
    ];
    tools().patch(&begin).map_err(Failure::invalid)?;
    let told = tools().only(at("/description").is_a(Kind::String)).only(at("/description").is("").not());
    told.patch(&[Edit::move_to("/description", "/new/toolSpec/description")]).map_err(Failure::invalid)?;
    let strict = tools().only(at("/strict").is_a(Kind::Boolean));
    strict.patch(&[Edit::move_to("/strict", "/new/toolSpec/strict")]).map_err(Failure::invalid)?;
    tools().patch(&[Edit::move_to("/new", "")]).map_err(Failure::invalid)?;
    Ok(())
}

/// Which tool is to be used.
fn chosen(body: &Document<'_>, choice: &str) -> Result<Option<Edit>, Failure> {
    let choice = match choice {
        "auto" => r#"{"auto":{}}"#.to_owned(),
        "any" => r#"{"any":{}}"#.to_owned(),
        "tool" => {
            let Some(name) = body.get("/tool_choice/name", 256)? else { return Ok(None) };
            ["{\"tool\":{\"name\":", &name, "}}"].concat()
        }
        _ => return Ok(None),
    };
    Ok(Some(Edit::add("/toolConfig/toolChoice", choice)))
}
