//! Checking what a description says in the place of code: paths that stay where they are, headers that the host does not
//! set, patterns that name a value, rules that have a condition, pointers that are ones.

use super::Invalid;
use crate::described::{limits, request};
use crate::description::{Description, OBJECTS, Owner, Path, Paths, SideRequest};
use crate::{Reserved, path};

/// Everything that is wrong with it: the member, and the problem.
pub(super) fn problems(description: &Description) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let of_models =
        description.by_model.iter().enumerate().map(|(at, rule)| (format!("by_model.{at}.paths"), &rule.paths));
    for (place, paths) in std::iter::once(("paths".to_owned(), &description.paths)).chain(of_models) {
        for (operation, paths) in paths {
            for (dialect, path) in paths {
                let problems = path.all().filter_map(path_problem);
                wrong.extend(problems.map(|problem| (format!("{place}.{operation}.{dialect}"), problem)));
            }
        }
    }
    for (operation, owners) in &description.owner {
        for (dialect, owner) in owners {
            wrong.extend(owner_problems(owner, &format!("owner.{operation}.{dialect}")));
        }
    }
    for (at, rule) in description.by_model.iter().enumerate() {
        let unknown = rule.origin.as_ref().filter(|origin| !description.origins.contains_key(*origin));
        wrong.extend(
            unknown.map(|origin| (format!("by_model.{at}.origin"), format!("there is no origin named `{origin}`"))),
        );
        if rule.models.is_empty() {
            wrong.push((format!("by_model.{at}.models"), "it names no model".into()));
        }
    }
    for (dialect, edits) in &description.body {
        let problems = edits.problems().into_iter();
        wrong.extend(problems.map(|(member, problem)| (format!("body.{dialect}.{member}"), problem)));
    }
    let reserved = Reserved::new(&description.auth);
    let sent = |name: &str, value: &str| match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Some(format!("`{name}` is not in lower case")),
        false => reserved.component_header(name, value).err().map(|error| error.to_string()),
    };
    for (name, value) in &description.headers {
        wrong.extend(sent(name, value).map(|problem| (format!("headers.{name}"), problem)));
    }
    for (name, value) in &description.websocket.headers {
        wrong.extend(sent(name, value).map(|problem| (format!("websocket.headers.{name}"), problem)));
    }
    for (name, setting) in &description.settings {
        let problem = setting.header.as_ref().and_then(|header| sent(header, ""));
        wrong.extend(problem.map(|problem| (format!("settings.{name}.header"), problem)));
    }
    let patterns = description.limits.headers.iter().filter_map(|pattern| limits::problem(pattern));
    wrong.extend(patterns.map(|problem| ("limits.headers".to_owned(), problem)));
    for (at, rule) in description.errors.rules.iter().enumerate() {
        for (member, text) in [("code", &rule.code), ("message", &rule.message)] {
            if text.as_ref().is_some_and(String::is_empty) {
                let problem = "it is empty, so it would mean every failure".to_owned();
                wrong.push((format!("errors.rules.{at}.{member}"), problem));
            }
        }
        if rule.code.is_none() && rule.message.is_none() && rule.status.is_none() {
            let problem = "it has none of `code`, `message` and `status`, so it would mean every failure";
            wrong.push((format!("errors.rules.{at}"), problem.to_owned()));
        }
    }
    if let Some(inside) = &description.errors.inside {
        let pointers = [("code", Some(&inside.code)), ("message", inside.message.as_ref())];
        for (member, pointer) in pointers.into_iter().filter_map(|(member, pointer)| Some((member, pointer?))) {
            if !pointer.starts_with('/') {
                let problem = format!("`{pointer}` names no member: write /{pointer}");
                wrong.push((format!("errors.inside.{member}"), problem));
            }
        }
    }
    for (name, side) in &description.side_requests {
        let pointers =
            pointers(side).into_iter().filter(|(_, pointer)| !pointer.is_empty() && !pointer.starts_with('/'));
        wrong.extend(pointers.map(|(member, pointer)| {
            let problem = format!("`{pointer}` is not a JSON pointer: write /{pointer}");
            (format!("side_requests.{name}.{member}"), problem)
        }));
    }
    wrong
}

/// That each operation has a path in each of its dialects, where no component makes the requests.
///
/// # Errors
///
/// The first that has none.
pub fn paths(description: &Description) -> Result<(), Invalid> {
    let none = Paths::new();
    let of_models = description.by_model.iter().enumerate();
    let of_models = of_models.map(|(at, rule)| (format!("by_model.{at}."), &rule.serves, &rule.paths));
    for (place, serves, paths) in std::iter::once((String::new(), &description.serves, &none)).chain(of_models) {
        for (operation, dialects) in serves {
            let has = |paths: &Paths, dialect| paths.get(operation).is_some_and(|paths| paths.contains_key(dialect));
            let lacking = dialects.iter().find(|dialect| {
                let described = has(paths, *dialect) || has(&description.paths, *dialect);
                !described && request::usual(operation, dialect, false).is_none()
            });
            if let Some(dialect) = lacking {
                let problem =
                    format!("`{dialect}` has no usual path for it: name one in `{place}paths.{operation}.{dialect}`");
                return Err(Invalid::Member { place: format!("{place}serves.{operation}"), problem });
            }
        }
    }
    Ok(())
}

/// What is wrong with a path and the query behind it. The model's name is one segment of it, whatever it holds.
fn path_problem(path: &str) -> Option<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.matches("{model}").count() > 1 {
        return Some(format!("the path `{path}` holds {{model}} twice"));
    }
    if let Err(error) = path::check(&path.replace("{model}", "model")) {
        return Some(error.to_string());
    }
    let plain = query.bytes().all(|byte| byte.is_ascii_graphic() && !br#"#{}"<>"#.contains(&byte));
    (!plain).then(|| format!("the query `{query}` holds a character that a query cannot: percent-encode it"))
}

/// What is wrong with the places at which objects are made and named.
fn owner_problems(owner: &Owner, at: &str) -> Vec<(String, String)> {
    let in_answers = owner.makes.iter().map(|(place, object)| ("makes", place, Some(object), false));
    let in_requests = owner.names.iter().map(|(place, object)| ("names", place, Some(object), true));
    let conditions = owner.unless.keys().map(|place| ("unless", place, None, false));
    let mut wrong = Vec::new();
    for (member, place, object, may_be_query) in in_answers.chain(in_requests).chain(conditions) {
        let is_parameter = may_be_query && place.len() > 1 && place.starts_with('?');
        if !place.starts_with('/') && !is_parameter {
            let or = if may_be_query { format!(", or ?{place} for a parameter of the query") } else { String::new() };
            wrong.push((format!("{at}.{member}"), format!("`{place}` is not a JSON pointer: write /{place}{or}")));
        }
        if let Some(object) = object.filter(|object| !OBJECTS.contains(&object.as_str())) {
            let problem = format!("there are no objects `{object}`; known are {}", OBJECTS.join(", "));
            wrong.push((format!("{at}.{member}.{place}"), problem));
        }
    }
    wrong
}

fn pointers(side: &SideRequest) -> Vec<(String, &str)> {
    let members = [
        ("list", &side.list),
        ("id", &side.id),
        ("context_window", &side.context_window),
        ("max_output", &side.max_output),
    ];
    let mut all: Vec<(String, &str)> =
        members.into_iter().filter_map(|(name, pointer)| Some((name.to_owned(), pointer.as_deref()?))).collect();
    all.extend(side.operations.as_ref().map(|described| ("operations.list".to_owned(), described.list.as_str())));
    all.extend(side.unless.keys().map(|pointer| ("unless".to_owned(), pointer.as_str())));
    if let Some(next) = &side.next {
        all.push(("next.value".into(), &next.value));
        all.extend(next.more.as_deref().map(|more| ("next.more".to_owned(), more)));
    }
    all
}

/// Paths of what is not served: nothing asks for them.
pub(super) fn unserved(description: &Description) -> Vec<String> {
    let served = |operation: &String, dialect: &String| {
        description.serves.get(operation).is_some_and(|dialects| dialects.contains(dialect))
    };
    let paths = description.paths.iter().flat_map(|(operation, paths): (_, &std::collections::BTreeMap<_, Path>)| {
        paths.keys().map(move |dialect| (operation, dialect))
    });
    let unserved = paths.filter(|(operation, dialect)| !served(operation, dialect));
    unserved
        .map(|(operation, dialect)| {
            format!("`paths.{operation}.{dialect}` is of what `serves` does not have, so nothing asks for it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{description, mistakes};

    fn described(more: Value) -> String {
        let mut whole = json!({
            "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "https://acme.example" },
            "auth": [{ "method": "api-key", "attach": [{ "header": "x-key" }] }],
            "serves": { "generate": ["messages"] },
        });
        whole.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        whole.to_string()
    }

    #[test]
    fn a_mistake_names_its_member_what_is_wrong_and_what_is_understood() {
        let side = |more: Value| {
            let mut side = json!({ "kind": "models", "path": "/models" });
            side.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            json!({ "side_requests": { "list": side } })
        };
        let owner = |owner: Value| json!({ "owner": { "files": { "openai": owner } } });
        for (wrong, place, says) in [
            (
                json!({ "paths": { "generate": { "messages": "messages" } } }),
                "paths.generate.messages",
                "begin with `/`",
            ),
            (json!({ "paths": { "generate": { "messages": "/../x" } } }), "paths.generate.messages", "`..` segment"),
            (
                json!({ "paths": { "generate": { "messages": "/{model}/{model}" } } }),
                "paths.generate.messages",
                "twice",
            ),
            (
                json!({ "paths": { "generate": { "messages": "/{engine}" } } }),
                "paths.generate.messages",
                "percent-encode",
            ),
            (
                json!({ "paths": { "generate": { "messages": "/m?a b" } } }),
                "paths.generate.messages",
                "the query `a b`",
            ),
            (
                json!({ "paths": { "generate": { "messages": { "whole": "/m" } } } }),
                "paths.generate.messages",
                "neither a path nor",
            ),
            (json!({ "paths": { "generate": "/messages" } }), "paths.generate", "a path for each dialect"),
            (json!({ "owner": { "generate": [] } }), "owner.generate", "rules for each dialect"),
            (owner(json!({ "makes": { "id": "files" } })), "owner.files.openai.makes", "write /id"),
            (owner(json!({ "names": { "after": "files" } })), "owner.files.openai.names", "or ?after for a parameter"),
            (owner(json!({ "names": { "/x": 7 } })), "owner.files.openai", "invalid type"),
            (owner(json!({ "unless": { "store": "false" } })), "owner.files.openai.unless", "write /store"),
            (json!({ "body": { "messages": { "remove": ["name"] } } }), "body.messages.remove", "write /name"),
            (json!({ "quirks": "system-role" }), "", "invalid type: string \"system-role\""),
            (json!({ "headers": { "x-key": "k" } }), "headers.x-key", "x-key"),
            (json!({ "headers": { "Version": "1" } }), "headers.Version", "lower case"),
            (
                json!({ "settings": { "s": { "type": "string", "description": "d", "header": "authorization" } } }),
                "settings.s.header",
                "authorization",
            ),
            (json!({ "limits": { "headers": ["x-ratelimit-*"] } }), "limits.headers", "must hold {value} once"),
            (
                json!({ "errors": { "rules": [{ "kind": "forbidden" }] } }),
                "errors.rules.0",
                "none of `code`, `message`",
            ),
            (json!({ "errors": { "rules": [{ "code": "x" }] } }), "errors.rules.0", "missing field `kind`"),
            (json!({ "errors": { "inside": { "code": "a/b" } } }), "errors.inside.code", "write /a/b"),
            (json!({ "errors": { "rules": [{ "status": "x", "kind": "other" }] } }), "errors.rules.0", "invalid type"),
            (side(json!({ "list": "data" })), "side_requests.list.list", "write /data"),
            (
                side(json!({ "operations": { "list": "methods", "names": {} } })),
                "side_requests.list.operations.list",
                "write /methods",
            ),
            (side(json!({ "unless": { "hidden": "yes" } })), "side_requests.list.unless", "write /hidden"),
            (
                side(json!({ "next": { "query": "page", "value": "next" } })),
                "side_requests.list.next.value",
                "write /next",
            ),
        ] {
            let refused = description(&described(wrong.clone())).unwrap_err().to_string();
            assert!(refused.starts_with(place) && refused.contains(says), "{wrong}: {refused}");
            assert!(mistakes(&described(wrong)).join("\n").contains(says));
        }
    }

    #[test]
    fn an_operation_without_a_path_is_a_mistake_where_no_component_makes_requests() {
        let check = |more: Value| {
            let described = description(&described(more)).unwrap();
            super::paths(&described).map_err(|error| error.to_string())
        };
        assert_eq!(check(json!({})), Ok(()));
        let models = json!({ "serves": { "models": ["openai"] } });
        let refused = check(models.clone()).unwrap_err();
        assert_eq!(refused, "serves.models: `openai` has no usual path for it: name one in `paths.models.openai`");
        let mut named = models;
        named["paths"] = json!({ "models": { "openai": "/models" } });
        assert_eq!(check(named), Ok(()));
    }

    #[test]
    fn a_path_that_nothing_asks_for_is_a_mistake_that_a_gateway_puts_up_with() {
        let more = json!({ "paths": { "embeddings": { "openai": "/e" }, "generate": { "responses": "/r" } } });
        assert!(description(&described(more.clone())).is_ok());
        let wrong = mistakes(&described(more)).join("\n");
        for place in ["`paths.embeddings.openai` is of what", "`paths.generate.responses` is of what"] {
            assert!(wrong.contains(place), "{place}: {wrong}");
        }
    }
}
