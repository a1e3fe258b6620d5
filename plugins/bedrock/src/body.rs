//! Makes a body of Messages one of Converse. `prepare` calls it. All of it is moved within the gateway: neither texts nor
//! images come in here, only names, kinds and what has to be decided by.

mod blocks;
mod tools;

use bitrouter_provider::{Call, Document, Edit, Failure, Json, Kind, at, quote};

/// Members that the user is told of at most.
const SHOWN: u32 = 64;
/// The longest schema of an answer.
const SCHEMA: u32 = 256 << 10;

/// What of a request depends on who made the model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Claude,
    Nova,
    Other,
}

impl Family {
    /// Of a model's id, a profile's (`us.anthropic.claude-…`) or an ARN.
    fn of(model: &str) -> Self {
        match model {
            _ if model.contains("anthropic.") => Self::Claude,
            _ if model.contains("amazon.nova") => Self::Nova,
            _ => Self::Other,
        }
    }

    /// Whether the model takes cache points; others refuse them.
    fn caches(self) -> bool {
        self != Self::Other
    }
}

/// Edits the body of a call, and returns what it left out.
pub(crate) fn shape(call: &Call, body: &Document<'_>) -> Result<Vec<String>, Failure> {
    let family = Family::of(&call.model);
    let mut dropped = system(body, family)?;
    dropped.extend(blocks::shape(body, family)?);
    dropped.extend(tools::shape(body, family)?);
    dropped.extend(members(call, body, family)?);
    Ok(dropped)
}

/// The members of the top, each to its place.
fn members(call: &Call, body: &Document<'_>, family: Family) -> Result<Vec<String>, Failure> {
    let mut edits = vec![Edit::add("/inferenceConfig", "{}")];
    let (mut further, mut output, mut last, mut dropped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in body.keys("")? {
        let pointer = ["/", &name.replace('~', "~0").replace('/', "~1")].concat();
        let mut to = |target: &str| edits.push(Edit::move_to(&pointer, target));
        match name.as_str() {
            "messages" | "system" | "toolConfig" => continue,
            "model" | "stream" => edits.push(Edit::remove(&pointer)),
            _ if body.kind(&pointer)? == Some(Kind::Null) => edits.push(Edit::remove(&pointer)),
            "max_tokens" => {
                to("/inferenceConfig/maxTokens");
                edits.extend(most(call, body)?);
            }
            "temperature" => to("/inferenceConfig/temperature"),
            "top_p" => to("/inferenceConfig/topP"),
            "stop_sequences" => {
                to("/inferenceConfig/stopSequences");
                if family == Family::Claude {
                    // Which of them it was is not said otherwise.
                    edits.push(Edit::add("/additionalModelResponseFieldPaths", r#"["/stop_sequence"]"#));
                }
            }
            "top_k" if family == Family::Claude => {
                further.push(Edit::move_to(&pointer, "/additionalModelRequestFields/top_k"))
            }
            "top_k" if family == Family::Nova => {
                further.push(Edit::add("/additionalModelRequestFields/inferenceConfig", "{}"));
                further.push(Edit::move_to(&pointer, "/additionalModelRequestFields/inferenceConfig/topK"));
            }
            "thinking" if family == Family::Claude => {
                further.push(Edit::move_to(&pointer, "/additionalModelRequestFields/thinking"));
            }
            "thinking" if body.text("/thinking/type", 32)?.as_deref() == Some("disabled") => {
                edits.push(Edit::remove(&pointer));
            }
            "output_config" => {
                dropped.extend(output_config(body, family, &mut output, &mut further)?);
                last.push(Edit::remove(&pointer));
            }
            _ => {
                edits.push(Edit::remove(&pointer));
                dropped.push(pointer);
            }
        }
    }
    if !further.is_empty() {
        edits.push(Edit::add("/additionalModelRequestFields", "{}"));
        edits.extend(further);
    }
    if !output.is_empty() {
        edits.push(Edit::add("/outputConfig", "{}"));
        edits.extend(output);
    }
    edits.extend(last);
    body.patch(&edits).map_err(Failure::invalid)?;
    Ok(dropped)
}

/// No more tokens than the model can write: a client of another dialect may have said none, and gets a number all the same.
fn most(call: &Call, body: &Document<'_>) -> Result<Option<Edit>, Failure> {
    let Some(limit) = Json::parse(&call.model_info).get("max_output").and_then(Json::integer) else { return Ok(None) };
    let asked = body.get("/max_tokens", 32)?.and_then(|asked| asked.parse::<u64>().ok());
    Ok(asked.filter(|asked| *asked > limit).map(|_| Edit::replace("/inferenceConfig/maxTokens", limit.to_string())))
}

/// How much it is to think, and the schema of its answer; what of it was left out.
fn output_config(
    body: &Document<'_>,
    family: Family,
    output: &mut Vec<Edit>,
    further: &mut Vec<Edit>,
) -> Result<Vec<String>, Failure> {
    let mut dropped = Vec::new();
    match (body.text("/output_config/effort", 32)?, family) {
        (None, _) => {}
        (Some(_), Family::Claude) => output.push(Edit::move_to("/output_config/effort", "/outputConfig/effort")),
        (Some(effort), Family::Nova) if ["low", "medium", "high"].contains(&effort.as_str()) => {
            let config = ["{\"type\":\"enabled\",\"maxReasoningEffort\":\"", &effort, "\"}"].concat();
            further.push(Edit::add("/additionalModelRequestFields/reasoningConfig", config));
        }
        (Some(_), _) => dropped.push("/output_config/effort".into()),
    }
    if let Some(schema) = body.get("/output_config/format/schema", SCHEMA)? {
        let format = [
            "{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{\"name\":\"answer\",\"schema\":",
            &quote(&schema),
            "}}}",
        ];
        output.push(Edit::add("/outputConfig/textFormat", format.concat()));
    }
    Ok(dropped)
}

/// The system prompt as blocks.
fn system(body: &Document<'_>, family: Family) -> Result<Vec<String>, Failure> {
    match body.kind("/system")? {
        Some(Kind::String) if body.size("/system")? == Some(2) => body.patch(&[Edit::remove("/system")]),
        Some(Kind::String) => body.patch(&text_as_blocks("/system")),
        Some(Kind::Array) => {
            let blank = body.each("/system/*").only(at("/text").is(""));
            blank.patch(&[Edit::remove("")]).map_err(Failure::invalid)?;
            let (points, dropped) = cache_points(body, "/system/*", family)?;
            body.each("/system/*").only(at("/text").is_there()).patch(&blocks::text()).map_err(Failure::invalid)?;
            body.patch(&points).map_err(Failure::invalid)?;
            return Ok(dropped);
        }
        _ => Ok(()),
    }
    .map_err(Failure::invalid)?;
    Ok(Vec::new())
}

/// A member that is a text becomes a list of one block with that text.
fn text_as_blocks(member: &str) -> [Edit; 3] {
    let beside = [member, " text"].concat();
    let text = [member, "/0/text"].concat();
    [Edit::move_to(member, &beside), Edit::add(member, "[{}]"), Edit::move_to(&beside, text)]
}

/// The cache points behind what a pattern names, to be made once the blocks themselves are; and what of them was left out. No
/// block may come or go in between.
fn cache_points(body: &Document<'_>, pattern: &str, family: Family) -> Result<(Vec<Edit>, Vec<String>), Failure> {
    let marked = body.find(pattern).only(at("/cache_control").is_a(Kind::Object)).rows(&["/cache_control/ttl"], 16)?;
    let (mut edits, mut dropped) = (Vec::new(), Vec::new());
    // From the last on, so that those before stay where they are.
    for row in marked.rows.iter().rev() {
        let place = row.pointer.rsplit_once('/').and_then(|(list, at)| Some((list, at.parse::<usize>().ok()? + 1)));
        let Some((list, behind)) = place else { continue };
        if !family.caches() {
            dropped.push([&row.pointer, "/cache_control"].concat());
            continue;
        }
        let long = row.cells.first().is_some_and(|ttl| ttl.text().as_deref() == Some("1h"));
        let point = if long {
            r#"{"cachePoint":{"type":"default","ttl":"1h"}}"#
        } else {
            r#"{"cachePoint":{"type":"default"}}"#
        };
        edits.push(Edit::add([list, "/", &behind.to_string()].concat(), point));
    }
    Ok((edits, dropped))
}
