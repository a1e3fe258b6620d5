//! Makes the edits that a provider's quirks stand for, on the body of a request that is ready to go up. The pipeline calls it
//! after the component, so it holds for bodies that were translated too, and a provider without quirks never comes here.
//! What the words mean is said in `bitrouter_contract::quirk`; nothing in here knows a provider.

mod ids;
mod members;
mod text;

use std::collections::BTreeMap;

use bitrouter_contract::quirk::{BodyEdits, Quirk};
use bitrouter_document::{Condition, Document, Edit, Error, PatchEach, Test};

use crate::Dialect;

/// Pointers of what was left out that are told of one pattern: more are shown to nobody.
const TOLD: usize = 64;

/// What one provider takes differently: by words, and by edits of its own for each dialect.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    words: Vec<Quirk>,
    body: BTreeMap<String, BodyEdits>,
}

/// A request whose body is edited.
#[derive(Clone, Copy, Debug)]
pub struct Edited<'a> {
    /// The dialect's name, `openai` included.
    pub dialect: &'a str,
    /// Whether a conversation is asked to go on (`generate`): words speak of no other body.
    pub generates: bool,
    /// Whether a stream is asked for.
    pub streaming: bool,
}

impl Quirks {
    /// These words, in whatever order and however often, and these edits.
    pub fn new(words: impl IntoIterator<Item = Quirk>, body: BTreeMap<String, BodyEdits>) -> Self {
        let mut words: Vec<Quirk> = words.into_iter().collect();
        words.sort_unstable();
        words.dedup();
        Self { words, body }
    }

    /// Whether there is nothing to do, whatever the request.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.body.is_empty()
    }

    /// Edits a body, and answers the pointers of what the client said and is left out.
    ///
    /// # Errors
    ///
    /// The body is at fault, or an edit is more than a document takes.
    pub fn apply(&self, request: Edited<'_>, document: &mut Document) -> Result<Vec<String>, Error> {
        let mut body = Body { document, left_out: Vec::new() };
        if request.generates {
            let dialect = request.dialect.parse().ok();
            for word in &self.words {
                body.suit(*word, dialect, request.streaming)?;
            }
        }
        if let Some(edits) = self.body.get(request.dialect) {
            body.edit(edits)?;
        }
        Ok(body.left_out)
    }
}

/// A body under edit, and what was left out of it.
struct Body<'d> {
    document: &'d mut Document,
    left_out: Vec<String>,
}

impl Body<'_> {
    /// Makes the edits of one word. A word that says nothing of a dialect changes nothing there.
    fn suit(&mut self, quirk: Quirk, dialect: Option<Dialect>, streaming: bool) -> Result<(), Error> {
        use Dialect::{ChatCompletions as Chat, Responses};
        match (quirk, dialect) {
            (Quirk::KnownMembers, Some(Chat)) => {
                self.keep(members::OF_CHAT)?;
                self.keep_of_each("/messages", members::OF_MESSAGES)
            }
            (Quirk::NoNullMembers, Some(Chat)) => {
                let null = [is("", &["null"])];
                let places = ["/*", "/messages/*/*", "/messages/*/tool_calls/*/*", "/tools/*/*", "/tools/*/function/*"];
                // A `null` says what its absence says.
                places.iter().try_for_each(|place| self.each(place, &null, &[Edit::Remove { path: "" }]))
            }
            (Quirk::SystemRole, Some(Chat)) => self.replace("/messages/*/role", "\"developer\"", "\"system\""),
            (Quirk::SystemRole, Some(Responses)) => self.replace("/input/*/role", "\"developer\"", "\"system\""),
            (Quirk::MaxTokens, Some(Chat)) => self.rename("/max_completion_tokens", "max_tokens"),
            (Quirk::MaxCompletionTokens, Some(Chat)) => self.rename("/max_tokens", "max_completion_tokens"),
            (Quirk::NoStreamOptions, Some(Chat)) => self.leave_out("/stream_options"),
            (Quirk::StreamUsage, Some(Chat)) if streaming => self.ask_for_usage(),
            (Quirk::NoMessageNames, Some(Chat)) => self.leave_out("/messages/*/name"),
            (Quirk::RandomSeed, Some(Chat)) => self.rename("/seed", "random_seed"),
            (Quirk::ToolChoiceAny, Some(Chat | Responses)) => self.replace("/tool_choice", "\"required\"", "\"any\""),
            (Quirk::NoRequiredToolChoice, Some(Chat | Responses)) => {
                let required = [is("", &["\"required\""])];
                self.each_told("/tool_choice", &required, &[Edit::Replace { path: "", value: "\"auto\"" }])
            }
            (Quirk::NoParallelToolCalls, Some(Chat | Responses)) => self.leave_out("/parallel_tool_calls"),
            (Quirk::NoStrictTools, Some(Chat)) => self.leave_out("/tools/*/function/strict"),
            (Quirk::NoStrictTools, Some(Responses)) => self.leave_out("/tools/*/strict"),
            (Quirk::PlainSchemas, Some(Chat)) => {
                self.plain_schemas(&["/tools/*/function/parameters", "/response_format/json_schema/schema"])
            }
            (Quirk::PlainSchemas, Some(Responses)) => {
                self.plain_schemas(&["/tools/*/parameters", "/text/format/schema"])
            }
            (Quirk::TextAsString, Some(Chat)) => text::join(self.document, "/messages/*/content"),
            (Quirk::ThinkingStreams, Some(Chat)) if !streaming => self.think_in_streams_alone(),
            (Quirk::NoReasoningContent, Some(Chat)) => self.leave_out("/messages/*/reasoning_content"),
            (Quirk::ReasoningMember, Some(Chat)) => self.rename("/messages/*/reasoning_content", "reasoning"),
            (Quirk::ReasoningWithTools, Some(Chat)) => {
                let silent =
                    [is("/role", &["\"assistant\""]), there("/tool_calls/0"), not(there("/reasoning_content"))];
                self.each("/messages/*", &silent, &[Edit::Add { path: "/reasoning_content", value: "\" \"" }])
            }
            (Quirk::ToolCallIdsOf9, dialect) => ids::replace(self.document, dialect, ids::of_nine),
            (Quirk::ToolCallIdsUpTo64, dialect) => ids::replace(self.document, dialect, ids::up_to_64),
            _ => Ok(()),
        }
    }

    /// Makes the edits that no word says.
    fn edit(&mut self, edits: &BodyEdits) -> Result<(), Error> {
        let BodyEdits { keep, remove, rename, set } = edits;
        if !keep.is_empty() {
            self.keep(&keep.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        remove.iter().try_for_each(|pattern| self.leave_out(pattern))?;
        rename.iter().try_for_each(|(pattern, name)| self.rename(pattern, name))?;
        set.iter().try_for_each(|(pattern, value)| {
            let (holders, member) = split(pattern);
            // An index would insert.
            let object =
                [Condition { at: "", test: Test::OfKind(vec![bitrouter_document::Kind::Object]), negated: false }];
            self.each(holders, &object, &[Edit::Add { path: member, value: &value.to_string() }])
        })
    }

    /// Makes edits on all that a pattern names and that passes.
    fn each(&mut self, pattern: &str, only: &[Condition<'_>], edits: &[Edit<'_>]) -> Result<(), Error> {
        self.document.patch_each(&PatchEach { only, ..PatchEach::all(pattern, edits) }).map(|_| ())
    }

    /// The same where it takes away what the client said.
    fn each_told(&mut self, pattern: &str, only: &[Condition<'_>], edits: &[Edit<'_>]) -> Result<(), Error> {
        let each = PatchEach { only, named: TOLD, ..PatchEach::all(pattern, edits) };
        self.left_out.extend(self.document.patch_each(&each)?.pointers);
        Ok(())
    }

    fn leave_out(&mut self, pattern: &str) -> Result<(), Error> {
        self.each_told(pattern, &[], &[Edit::Remove { path: "" }])
    }

    /// Puts one value in the place of another, which says the same there.
    fn replace(&mut self, pattern: &str, old: &str, new: &str) -> Result<(), Error> {
        self.each(pattern, &[is("", &[old])], &[Edit::Replace { path: "", value: new }])
    }

    /// Gives members another name. Where there is one of that name already, it holds.
    fn rename(&mut self, pattern: &str, name: &str) -> Result<(), Error> {
        let (holders, old) = split(pattern);
        let new = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        if old == new {
            return Ok(());
        }
        let both = [there(old), there(&new)];
        self.each(holders, &both, &[Edit::Remove { path: old }])?;
        self.each(holders, &[there(old)], &[Edit::Move { source: old, target: &new }])
    }

    /// Leaves out all members of the body but these.
    fn keep(&mut self, names: &[&str]) -> Result<(), Error> {
        let gone = members::others(self.document, "", names)?;
        let edits: Vec<_> = gone.iter().map(|path| Edit::Remove { path }).collect();
        self.document.patch(&edits)?;
        self.left_out.extend(gone.into_iter().take(TOLD));
        Ok(())
    }

    /// The same for every item of a list.
    fn keep_of_each(&mut self, list: &str, names: &[&str]) -> Result<(), Error> {
        for name in members::strangers(self.document, list, names)? {
            self.leave_out(&format!("{list}/*/{name}"))?;
        }
        Ok(())
    }

    fn plain_schemas(&mut self, schemas: &[&str]) -> Result<(), Error> {
        // They name the schema, and say nothing to a model.
        schemas
            .iter()
            .flat_map(|schema| [format!("{schema}/$schema"), format!("{schema}/$id")])
            .try_for_each(|pattern| self.each(&pattern, &[], &[Edit::Remove { path: "" }]))
    }

    /// They refuse to think in an answer that comes as a whole; those with `thinking` in their name cannot but think.
    fn think_in_streams_alone(&mut self) -> Result<(), Error> {
        let model = self.document.string("model")?.unwrap_or_default().to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or_default();
        if !name.starts_with("qwen3") || name.contains("thinking") {
            return Ok(());
        }
        let thinks = [is("", &["true"])];
        self.each_told("/enable_thinking", &thinks, &[Edit::Replace { path: "", value: "false" }])?;
        self.document.patch(&[Edit::Add { path: "/enable_thinking", value: "false" }])
    }

    fn ask_for_usage(&mut self) -> Result<(), Error> {
        let edit = match self.document.kind("/stream_options")? {
            Some(bitrouter_document::Kind::Object) => {
                Edit::Add { path: "/stream_options/include_usage", value: "true" }
            }
            _ => Edit::Add { path: "/stream_options", value: r#"{"include_usage":true}"# },
        };
        self.document.patch(&[edit])
    }
}

/// A pattern's holders, and its last token as a pointer below them.
fn split(pattern: &str) -> (&str, &str) {
    pattern.split_at(pattern.rfind('/').unwrap_or(0))
}

fn is<'a>(at: &'a str, values: &[&'a str]) -> Condition<'a> {
    Condition { at, test: Test::OneOf(values.to_vec()), negated: false }
}

fn there(at: &str) -> Condition<'_> {
    Condition { at, test: Test::Present, negated: false }
}

fn not(condition: Condition<'_>) -> Condition<'_> {
    Condition { negated: !condition.negated, ..condition }
}

#[cfg(test)]
mod tests;
