//! Tools under names that the target takes, custom tools as functions where it has none, and what they were.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::dialect::Dialect;
use crate::translate::Target;
use crate::translate::lost::Losses;
use crate::translate::names::{Named, Names, sent};
use crate::translate::request::{CustomTool, Function, Json, Mode, Request, ToolKind};
use crate::translate::writer::Inside;

/// The arguments of a custom tool that has become a function.
const INPUT_SCHEMA: Json<'static> =
    br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// Whether the target takes custom tools as such.
pub(super) fn takes_custom(target: &Target<'_>) -> bool {
    match target.dialect {
        Dialect::Responses => true,
        Dialect::ChatCompletions => target.facts.custom_tools,
        Dialect::Messages | Dialect::GenerateContent => false,
    }
}

/// Gives the tools their names for the target. Of two with one name the first stays.
pub(super) fn rename<'a>(request: &mut Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Names {
    let takes_custom = takes_custom(target);
    let mut known: HashMap<Inside<'a>, Json<'a>> = HashMap::with_capacity(request.tools.len());
    let mut named = Vec::new();
    let mut special = false;
    request.tools.retain_mut(|tool| {
        let (name, namespace, custom, search) = match &tool.kind {
            ToolKind::Function(it) => (&it.name, &it.namespace, false, it.search),
            ToolKind::Custom(it) => (&it.name, &it.namespace, true, false),
            ToolKind::Server(_) | ToolKind::Own => return true,
        };
        let sent = sent(name, namespace.as_ref(), target.dialect);
        if let Some(first) = known.get(&sent) {
            // A search for tools finds the same ones again.
            if *first != tool.raw {
                losses.dropped(tool.raw);
            }
            return false;
        }
        known.insert(sent.clone(), tool.raw);
        special |= custom || search || namespace.is_some() || sent != *name;
        named.push((sent.clone(), name.clone(), namespace.clone(), custom, search));
        match &mut tool.kind {
            ToolKind::Function(it) => (it.name, it.namespace) = (sent, None),
            ToolKind::Custom(it) if takes_custom => (it.name, it.namespace) = (sent, None),
            ToolKind::Custom(it) => tool.kind = ToolKind::Function(function_of(it, sent)),
            ToolKind::Server(_) | ToolKind::Own => {}
        }
        true
    });
    let choice = &mut request.choice;
    let chosen = if let Mode::Named(name) = &mut choice.mode { Some(name) } else { None };
    for name in choice.allowed.iter_mut().chain(chosen) {
        let tool = named.iter().find(|tool| tool.1 == *name || tool.0 == *name);
        *name = tool.map_or_else(|| sent(name, None, target.dialect), |tool| tool.0.clone());
    }
    let mut names = Names::default();
    if special {
        for (sent, name, namespace, custom, search) in named {
            let namespace = namespace.map(Cow::into_owned);
            names.add(sent.into_owned(), Named { name: name.into_owned(), namespace, custom, search });
        }
    }
    names
}

/// The function that stands for a custom tool: free text is its one argument, the grammar is told in words.
fn function_of<'a>(custom: &CustomTool<'a>, name: Inside<'a>) -> Function<'a> {
    let description = match &custom.grammar {
        None => custom.description.clone(),
        Some((syntax, definition)) => {
            let before = custom.description.as_deref().unwrap_or_default();
            let gap: &[u8] = if before.is_empty() { b"" } else { b"\\n\\n" };
            let words: [&[u8]; 6] = [before, gap, b"The input must match this grammar (", syntax, b"):\\n", definition];
            Some(Cow::Owned(words.concat()))
        }
    };
    Function {
        name,
        namespace: None,
        description,
        schema: Some(Cow::Borrowed(INPUT_SCHEMA)),
        strict: None,
        search: false,
    }
}
