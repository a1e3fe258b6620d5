//! What a description says that this version does not know: values that the contract may gain, of a component that was
//! made for a newer gateway too. They are left out, with a sentence for each, so that the component serves with the rest;
//! what it cannot do without, it is refused for.
//!
//! `validate` calls it before anything is read. What is known and wrong is not its business.

use serde_json::{Map, Value};

use super::IMPORT_SOURCES;
use super::{ErrorRule, Limits, OBJECTS, Owner, Path};
use crate::validate::{Invalid, OPERATIONS};
use crate::{FailureKind, Quirk, Scope, cut};

const METHODS: [&str; 7] = ["api-key", "keys", "basic", "aws-sigv4", "google-service-account", "exchange", "oauth"];
const VERBS: [&str; 2] = ["POST", "GET"];
const FLOWS: [&str; 3] = ["browser", "device", "import"];
const PROTOCOLS: [&str; 2] = ["rfc8628", "code-poll"];
const ENCODINGS: [&str; 2] = ["form", "json"];
const TOKENS: [&str; 2] = ["id", "access"];
const SIDE_KINDS: [&str; 3] = ["models", "usage", "account"];
const SETTING_TYPES: [&str; 4] = ["string", "number", "boolean", "json"];
const BILLINGS: [&str; 3] = ["pay-per-token", "subscription", "free"];
/// The members of a rule of `errors`.
const RULE: [&str; 5] = ["code", "message", "status", "kind", "scope"];
const DIALECTS: [&str; 5] = ["chat-completions", "responses", "messages", "generate-content", "openai"];

/// Leaves out what is not known, and answers a sentence for each.
///
/// # Errors
///
/// Nothing is left of what a provider cannot be without: the operations that it serves, or a way of paying where it has
/// some, as it would otherwise be asked without a credential.
pub(crate) fn prune(description: &mut Value) -> Result<Vec<String>, Invalid> {
    let mut omitted = Omissions(Vec::new());
    let Some(description) = description.as_object_mut() else { return Ok(Vec::new()) };
    auth(description, &mut omitted)?;
    serves(description, &mut omitted)?;
    members(description, "side_requests", &mut omitted, |side| {
        let method = side.get("method").and_then(Value::as_str).filter(|method| *method != "GET");
        let method = method.map(|method| format!("the method `{method}`"));
        method.or_else(|| unknown(side, "kind", &SIDE_KINDS))
    });
    model_operations(description, &mut omitted);
    members(description, "settings", &mut omitted, |setting| unknown(setting, "type", &SETTING_TYPES));
    paths(description, "paths", &mut omitted)?;
    owner(description, &mut omitted)?;
    by_model(description, &mut omitted)?;
    quirks(description, &mut omitted);
    errors(description, &mut omitted)?;
    limits(description, &mut omitted)?;
    let billing = description.get("billing").and_then(Value::as_str);
    if let Some(billing) = billing.filter(|billing| !BILLINGS.contains(billing)) {
        // What costs money is what nothing moves to by itself.
        omitted.note(format!("`billing`: `{billing}`, so each token is taken to cost money"));
        description.remove("billing");
    }
    Ok(omitted.0)
}

/// Words that are not known, and edits of bodies in dialects that are not.
fn quirks(description: &mut Map<String, Value>, omitted: &mut Omissions) {
    if let Some(words) = description.get_mut("quirks").and_then(Value::as_array_mut) {
        words.retain(|word| match word.as_str().filter(|word| Quirk::of_word(word).is_none()) {
            Some(word) => {
                omitted.note(format!("`quirks`: `{word}`"));
                false
            }
            None => true,
        });
    }
    if let Some(body) = description.get_mut("body").and_then(Value::as_object_mut) {
        body.retain(|dialect, _| {
            let known = DIALECTS.contains(&dialect.as_str());
            if !known {
                omitted.note(format!("`body`: the dialect `{dialect}`"));
            }
            known
        });
    }
}

struct Omissions(Vec<String>);

impl Omissions {
    fn note(&mut self, what: String) {
        self.0.push(cut::sentence(what.escape_debug().to_string()));
    }
}

/// The ways of paying. One that this version can do only in part is left out in whole.
fn auth(description: &mut Map<String, Value>, omitted: &mut Omissions) -> Result<(), Invalid> {
    let Some(ways) = description.get_mut("auth").and_then(Value::as_array_mut).filter(|ways| !ways.is_empty()) else {
        return Ok(());
    };
    let mut left_out = Vec::new();
    let mut at = 0;
    ways.retain_mut(|way| {
        let place = format!("`auth.{at}`");
        at += 1;
        match way_of(way, &place, omitted) {
            Some(why) => {
                omitted.note(format!("{place}: {why}"));
                left_out.push(why);
                false
            }
            None => true,
        }
    });
    if ways.is_empty() {
        let problem = format!("this BitRouter knows none of its ways of paying: {}", left_out.join(", "));
        return Err(Invalid::Member {
            place: "auth".into(),
            problem: cut::sentence(problem.escape_debug().to_string()),
        });
    }
    Ok(())
}

/// Why this way of paying cannot be gone.
fn way_of(way: &mut Value, place: &str, omitted: &mut Omissions) -> Option<String> {
    let exchange = |way: &Value| unknown(way, "verb", &VERBS).or_else(|| unknown(way, "encoding", &ENCODINGS));
    let is = |way: &Value, method: &str| way.get("method").and_then(Value::as_str) == Some(method);
    unknown(way, "method", &METHODS)
        .or_else(|| attach(way))
        .or_else(|| exchange(way).filter(|_| is(way, "exchange")))
        .or_else(|| oauth(way, place, omitted).filter(|_| is(way, "oauth")))
}

/// Why a credential of this kind cannot be attached.
fn attach(way: &Value) -> Option<String> {
    let places = way.get("attach")?.as_array()?;
    let unknown = places.iter().find(|place| {
        place.as_object().is_some_and(|place| !place.contains_key("header") && !place.contains_key("query"))
    })?;
    let names: Vec<&str> = unknown.as_object()?.keys().map(String::as_str).collect();
    Some(format!(
        "a credential is attached as `{}`, which is neither a header nor a query parameter",
        names.join("`, `")
    ))
}

/// Why this login cannot be made. Ways of logging in that are not known are left out, as long as another is.
fn oauth(way: &mut Value, place: &str, omitted: &mut Omissions) -> Option<String> {
    for endpoint in ["token", "refresh", "revoke"] {
        if let Some(why) = way.get(endpoint).and_then(|endpoint| unknown(endpoint, "encoding", &ENCODINGS)) {
            return Some(format!("{endpoint} has {why}"));
        }
    }
    for places in way.get_mut("claims").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        let Some(places) = places.as_array_mut() else { continue };
        places.retain(|claim| match unknown(claim, "token", &TOKENS) {
            Some(why) => {
                omitted.note(format!("a claim of {place}: {why}"));
                false
            }
            None => true,
        });
    }
    let logins = way.get_mut("login").and_then(Value::as_array_mut).filter(|logins| !logins.is_empty())?;
    logins.retain(|login| match of_login(login) {
        Some(why) => {
            omitted.note(format!("a login of {place}: {why}"));
            false
        }
        None => true,
    });
    logins.is_empty().then(|| "none of its ways of logging in is known".into())
}

fn of_login(login: &Value) -> Option<String> {
    let is = |flow: &str| login.get("flow").and_then(Value::as_str) == Some(flow);
    unknown(login, "flow", &FLOWS)
        .or_else(|| unknown(login, "protocol", &PROTOCOLS).filter(|_| is("device")))
        .or_else(|| unknown(login, "source", &IMPORT_SOURCES).filter(|_| is("import")))
}

/// The operations, and the dialects of each.
fn serves(description: &mut Map<String, Value>, omitted: &mut Omissions) -> Result<(), Invalid> {
    let Some(serves) = description.get_mut("serves").and_then(Value::as_object_mut).filter(|all| !all.is_empty())
    else {
        return Ok(());
    };
    operations(serves, "serves", omitted);
    if serves.is_empty() {
        let problem = format!("this BitRouter knows nothing of what it serves: {}", omitted.0.join(", "));
        return Err(Invalid::Member { place: "serves".into(), problem: cut::sentence(problem) });
    }
    Ok(())
}

fn operations(serves: &mut Map<String, Value>, place: &str, omitted: &mut Omissions) {
    serves.retain(|operation, dialects| {
        if !OPERATIONS.contains(&operation.as_str()) {
            omitted.note(format!("`{place}`: the operation `{operation}`"));
            return false;
        }
        let Some(dialects) = dialects.as_array_mut().filter(|dialects| !dialects.is_empty()) else { return true };
        dialects.retain(|dialect| match dialect.as_str().filter(|dialect| !DIALECTS.contains(dialect)) {
            Some(dialect) => {
                omitted.note(format!("`{place}.{operation}`: the dialect `{dialect}`"));
                false
            }
            None => true,
        });
        !dialects.is_empty()
    });
}

/// Models that are served otherwise. One of which nothing is known to be served is not served at all.
fn by_model(description: &mut Map<String, Value>, omitted: &mut Omissions) -> Result<(), Invalid> {
    let rules = description.get_mut("by_model").and_then(Value::as_array_mut);
    for (at, rule) in rules.into_iter().flatten().enumerate() {
        let Some(rule) = rule.as_object_mut() else { continue };
        if let Some(serves) = rule.get_mut("serves").and_then(Value::as_object_mut) {
            operations(serves, &format!("by_model.{at}.serves"), omitted);
        }
        paths(rule, &format!("by_model.{at}.paths"), omitted)?;
    }
    Ok(())
}

/// The operations of a list of models. A name for one that is not known says nothing.
fn model_operations(description: &mut Map<String, Value>, omitted: &mut Omissions) {
    let sides = description.get_mut("side_requests").and_then(Value::as_object_mut);
    for (side, request) in sides.into_iter().flatten() {
        let names = request.pointer_mut("/operations/names").and_then(Value::as_object_mut);
        let Some(names) = names else { continue };
        names.retain(|_, operation| match operation.as_str().filter(|operation| !OPERATIONS.contains(operation)) {
            Some(operation) => {
                omitted.note(format!("`side_requests.{side}.operations`: the operation `{operation}`"));
                false
            }
            None => true,
        });
    }
}

/// The paths of operations in dialects.
fn paths(description: &mut Map<String, Value>, place: &str, omitted: &mut Omissions) -> Result<(), Invalid> {
    let Some(paths) = description.get_mut("paths") else { return Ok(()) };
    in_dialects(paths, place, "a path", omitted, |place, path, _| typed::<Path>(place, path))
}

/// Which objects requests make and name. Objects that are not known are nobody's.
fn owner(description: &mut Map<String, Value>, omitted: &mut Omissions) -> Result<(), Invalid> {
    let Some(owner) = description.get_mut("owner") else { return Ok(()) };
    in_dialects(owner, "owner", "rules", omitted, |place, rules, omitted| {
        for member in ["makes", "names"] {
            let Some(places) = rules.get_mut(member).and_then(Value::as_object_mut) else { continue };
            places.retain(|_, object| match object.as_str().filter(|object| !OBJECTS.contains(object)) {
                Some(object) => {
                    omitted.note(format!("`{place}.{member}`: the objects `{object}`"));
                    false
                }
                None => true,
            });
        }
        typed::<Owner>(place, rules)
    })
}

/// What is said of operations, each in its dialects.
fn in_dialects(
    operations: &mut Value,
    place: &str,
    what: &str,
    omitted: &mut Omissions,
    mut check: impl FnMut(&str, &mut Value, &mut Omissions) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let Some(operations) = operations.as_object_mut() else { return Ok(()) };
    operations.retain(|operation, _| {
        let known = OPERATIONS.contains(&operation.as_str());
        if !known {
            omitted.note(format!("`{place}`: the operation `{operation}`"));
        }
        known
    });
    for (operation, dialects) in operations.iter_mut() {
        let place = format!("{place}.{operation}");
        let Some(dialects) = dialects.as_object_mut() else {
            return Err(Invalid::Member {
                place,
                problem: format!("it must be an object with {what} for each dialect"),
            });
        };
        dialects.retain(|dialect, _| {
            let known = DIALECTS.contains(&dialect.as_str());
            if !known {
                omitted.note(format!("`{place}`: the dialect `{dialect}`"));
            }
            known
        });
        let mut all = dialects.iter_mut();
        all.try_for_each(|(dialect, value)| check(&format!("{place}.{dialect}"), value, omitted))?;
    }
    Ok(())
}

/// Rules with a condition that is not known would mean what they do not say, so they are left out in whole.
fn errors(description: &mut Map<String, Value>, omitted: &mut Omissions) -> Result<(), Invalid> {
    let Some(errors) = description.get_mut("errors").and_then(Value::as_object_mut) else { return Ok(()) };
    if let Some(why) = unknown_word(errors, "unknown_event", is_kind) {
        omitted.note(format!("`errors`: {why}"));
        errors.remove("unknown_event");
    }
    let Some(rules) = errors.get_mut("rules").and_then(Value::as_array_mut) else { return Ok(()) };
    let mut at = 0;
    rules.retain(|rule| {
        let place = format!("`errors.rules.{at}`");
        at += 1;
        let Some(rule) = rule.as_object() else { return true };
        let condition = rule.keys().find(|name| !RULE.contains(&name.as_str()));
        let condition = condition.map(|name| format!("the member `{name}`"));
        let scope = |word: &str| Scope::of(word).word() == word;
        let why =
            condition.or_else(|| unknown_word(rule, "kind", is_kind)).or_else(|| unknown_word(rule, "scope", scope));
        if let Some(why) = &why {
            omitted.note(format!("{place}: {why}"));
        }
        why.is_none()
    });
    let mut rules = rules.iter().enumerate();
    rules.try_for_each(|(at, rule)| typed::<ErrorRule>(&format!("errors.rules.{at}"), rule))
}

/// Patterns with a hole that is not known.
fn limits(description: &mut Map<String, Value>, omitted: &mut Omissions) -> Result<(), Invalid> {
    let Some(limits) = description.get_mut("limits") else { return Ok(()) };
    if let Some(patterns) = limits.get_mut("headers").and_then(Value::as_array_mut) {
        patterns.retain(|pattern| match pattern.as_str().and_then(crate::described::limits::unknown_hole) {
            Some(hole) => {
                omitted.note(format!("`limits.headers`: the hole `{hole}`"));
                false
            }
            None => true,
        });
    }
    typed::<Limits>("limits", limits)
}

/// Whether a value is what this member takes; the error names the member.
fn typed<T: serde::de::DeserializeOwned>(place: &str, value: &Value) -> Result<(), Invalid> {
    match T::deserialize(value) {
        Ok(_) => Ok(()),
        Err(error) => Err(Invalid::Member { place: place.to_owned(), problem: cut::sentence(error.to_string()) }),
    }
}

fn is_kind(word: &str) -> bool {
    FailureKind::of(word).word() == word
}

/// What a member says, if it is a word that is not known.
fn unknown_word(object: &Map<String, Value>, member: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    let word = object.get(member)?.as_str().filter(|word| !known(word))?;
    Some(format!("the {member} `{word}`"))
}

/// Leaves members of a member out, each for its own reason.
fn members(
    description: &mut Map<String, Value>,
    name: &str,
    omitted: &mut Omissions,
    unknown: impl Fn(&Value) -> Option<String>,
) {
    let Some(members) = description.get_mut(name).and_then(Value::as_object_mut) else { return };
    members.retain(|member, value| match unknown(value) {
        Some(why) => {
            omitted.note(format!("`{name}.{member}`: {why}"));
            false
        }
        None => true,
    });
}

/// What a member says, if it says something that is not one of these.
fn unknown(value: &Value, member: &str, known: &[&str]) -> Option<String> {
    let text = value.get(member)?.as_str()?;
    (!known.contains(&text)).then(|| format!("the {member} `{text}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate;

    fn described() -> Value {
        json!({
            "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "https://acme.example", "auth": "https://acme.example" },
            "auth": [{ "method": "api-key", "attach": [{ "header": "x-key" }] }, {
                "method": "oauth", "client_id": "c", "token": { "path": "/token" }, "attach": [{ "header": "x-token" }],
                "login": [{ "flow": "device", "protocol": "rfc8628", "start": "/start" }],
            }],
            "serves": { "generate": ["responses"] },
            "side_requests": { "list": { "kind": "models", "path": "/models" } },
            "settings": { "region": { "description": "where", "type": "string" } },
            "billing": "subscription",
        })
    }

    #[test]
    fn what_is_known_is_taken_as_it_is() {
        let text = described().to_string();
        let description = validate::description(&text).unwrap();
        assert!(description.not_understood.is_empty(), "{:?}", description.not_understood);
        assert_eq!((description.auth.len(), description.side_requests.len(), description.settings.len()), (2, 1, 1));
    }

    #[test]
    fn a_name_of_models_for_an_operation_that_is_not_known_says_nothing() {
        let mut newer = described();
        let names = json!({ "make": "generate", "film": "video" });
        newer["side_requests"]["list"]["operations"] = json!({ "list": "/methods", "names": names });
        let description = validate::description(&newer.to_string()).unwrap();
        assert_eq!(description.not_understood, ["`side_requests.list.operations`: the operation `video`"]);
        let operations = description.side_requests["list"].operations.as_ref().unwrap();
        assert_eq!(operations.names.keys().collect::<Vec<_>>(), ["make"]);
    }

    #[test]
    fn each_value_that_is_not_known_is_left_out_and_said_and_the_rest_serves() {
        for (pointer, value, says) in [
            ("/auth/0/method", json!("aws-sigv5"), "`auth.0`: the method `aws-sigv5`"),
            ("/auth/0/attach/0", json!({ "cookie": "x" }), "attached as `cookie`"),
            ("/auth/1/method", json!("mtls"), "`auth.1`: the method `mtls`"),
            ("/auth/1/attach/0", json!({ "body": "/key" }), "`auth.1`: a credential is attached as `body`"),
            ("/auth/1/login/0/flow", json!("passkey"), "a login of `auth.1`: the flow `passkey`"),
            ("/auth/1/login/0/protocol", json!("v2"), "a login of `auth.1`: the protocol `v2`"),
            ("/auth/1/login/0", json!({ "flow": "import", "source": "other-cli" }), "the source `other-cli`"),
            ("/auth/1/token/encoding", json!("xml"), "`auth.1`: token has the encoding `xml`"),
            ("/serves/generate/0", json!("converse"), "`serves.generate`: the dialect `converse`"),
            ("/serves/video", json!(["openai"]), "`serves`: the operation `video`"),
            ("/side_requests/list/kind", json!("prices"), "`side_requests.list`: the kind `prices`"),
            ("/side_requests/list/method", json!("POST"), "`side_requests.list`: the method `POST`"),
            ("/settings/region/type", json!("duration"), "`settings.region`: the type `duration`"),
            ("/billing", json!("per-second"), "`billing`: `per-second`"),
        ] {
            let mut newer = described();
            // There is something beside it that is known.
            newer["serves"]["embeddings"] = json!(["openai"]);
            newer["side_requests"]["usage"] = json!({ "kind": "usage", "path": "/usage" });
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let parent = newer.pointer_mut(parent).unwrap();
            match name.parse::<usize>() {
                Ok(at) if parent.is_array() => parent[at] = value,
                _ => parent[name] = value,
            }
            let description =
                validate::description(&newer.to_string()).unwrap_or_else(|why| panic!("{pointer}: {why}"));
            let omitted = description.not_understood.join("; ");
            assert!(omitted.contains(says), "{pointer}: {omitted}");
            let rest = (description.auth.len(), description.serves.len(), description.side_requests.len());
            let left_out = match &pointer[1..5] {
                "auth" => (1, 2, 2),
                "serv" => (2, if name == "video" { 2 } else { 1 }, 2),
                "side" => (2, 2, 1),
                _ => (2, 2, 2),
            };
            assert_eq!(rest, left_out, "{pointer}");
        }
    }

    #[test]
    fn a_provider_that_cannot_be_paid_or_serves_nothing_known_is_refused_and_never_asked_without_a_credential() {
        let mut newer = described();
        newer["auth"] = json!([{ "method": "aws-sigv5" }, { "method": "mtls" }]);
        let why = validate::description(&newer.to_string()).unwrap_err().to_string();
        assert_eq!(
            why,
            "auth: this BitRouter knows none of its ways of paying: the method `aws-sigv5`, the method `mtls`"
        );
        let mut newer = described();
        newer["serves"] = json!({ "generate": ["converse"], "video": ["openai"] });
        let why = validate::description(&newer.to_string()).unwrap_err().to_string();
        assert!(why.contains("knows nothing of what it serves: `serves.generate`: the dialect `converse`"), "{why}");
    }

    #[test]
    fn what_is_known_and_wrong_is_refused_as_ever() {
        for (pointer, value) in [
            ("/auth/0/attach", json!([{ "header": "host" }])),
            ("/auth/1/token", json!({})),
            ("/serves/generate", json!([])),
            ("/side_requests/list", json!({ "kind": "models" })),
            ("/settings/region", json!({ "type": "string" })),
            ("/billing", json!(7)),
        ] {
            let mut wrong = described();
            *wrong.pointer_mut(pointer).unwrap() = value;
            assert!(validate::description(&wrong.to_string()).is_err(), "{pointer}");
        }
    }
}
