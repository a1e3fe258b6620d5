//! The walk over a schema's text. Each object is taken apart once, its members are changed one by one, and it is put
//! together again only if one of them did change. Depth, and what `$ref` may bring in, are bounded.

use std::borrow::Cow;

use super::Rules;
use crate::json;
use crate::translate::writer::escape;

/// A keyword and its value.
pub(super) type Member<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// What lies deeper is left as it is.
pub(super) const DEPTH: usize = 48;

/// The most references that one schema may have put in their places.
const REFERENCES: usize = 200;

/// Keywords that say nothing to a model: left out without a word where they are not taken.
const SILENT: [&[u8]; 11] = [
    b"$schema",
    b"$id",
    b"$comment",
    b"$anchor",
    b"$defs",
    b"definitions",
    b"examples",
    b"deprecated",
    b"readOnly",
    b"writeOnly",
    b"$vocabulary",
];

/// One rewriting.
pub(super) struct Rewrite<'r> {
    root: &'r [u8],
    rules: &'static Rules,
    references: usize,
    /// Values that are said in other words: those that stand in the root, and whether there are others.
    reworded: Vec<&'r [u8]>,
    others: bool,
}

/// The members of one object, and what of it has to be said in words.
#[derive(Default)]
struct Parts<'s> {
    members: Vec<Member<'s>>,
    notes: Vec<(Vec<u8>, Vec<u8>)>,
    changed: bool,
}

impl<'s> Parts<'s> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.members.iter().find(|(key, _)| key.as_ref() == name.as_bytes()).map(|(_, value)| value.as_ref())
    }

    fn is_type(&self, name: &str) -> bool {
        self.get("type").and_then(json::inside).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
    }

    fn set(&mut self, name: &'static str, value: Vec<u8>) {
        self.changed = true;
        match self.members.iter_mut().find(|(key, _)| key.as_ref() == name.as_bytes()) {
            Some((_, old)) => *old = Cow::Owned(value),
            None => self.members.push((Cow::Borrowed(name.as_bytes()), Cow::Owned(value))),
        }
    }

    fn take(&mut self, name: &str) -> Option<Cow<'s, [u8]>> {
        let at = self.members.iter().position(|(key, _)| key.as_ref() == name.as_bytes())?;
        self.changed = true;
        Some(self.members.remove(at).1)
    }

    /// Says a keyword in the description.
    fn note(&mut self, keyword: &[u8], value: &[u8]) {
        self.changed = true;
        self.notes.push((keyword.to_vec(), value.to_vec()));
    }

    /// Takes over what another schema says and this one does not: `allOf` and references as one schema.
    fn join(&mut self, others: Vec<Member<'s>>) {
        for (key, value) in others {
            let known = self.members.iter_mut().find(|(own, _)| *own == key);
            match known {
                None => self.members.push((key, value)),
                Some((_, own)) if matches!(key.as_ref(), b"properties" | b"$defs" | b"definitions") => {
                    let new = json::members(&value).filter(|(name, _)| !json::members(own).any(|(it, _)| it == *name));
                    let all: Vec<_> = json::members(own).chain(new).map(borrowed).collect();
                    *own = Cow::Owned(object(&all));
                }
                Some((_, own)) if key.as_ref() == b"required" => {
                    let new = json::items(&value).filter(|name| !json::items(own).any(|it| it == *name));
                    let all: Vec<_> = json::items(own).chain(new).collect();
                    *own = Cow::Owned(array(&all));
                }
                Some(_) => {}
            }
        }
        self.changed = true;
    }
}

impl<'r> Rewrite<'r> {
    pub(super) fn new(root: &'r [u8], rules: &'static Rules) -> Self {
        Self { root, rules, references: 0, reworded: Vec::new(), others: false }
    }

    /// The root rewritten; none if it stays.
    pub(super) fn root(&mut self) -> Option<Vec<u8>> {
        self.schema(self.root, DEPTH, &mut Vec::new())
    }

    /// What is said in other words: each value, or the schema for those that stand elsewhere by now.
    pub(super) fn reworded(self) -> Vec<&'r [u8]> {
        let whole = (self.others && self.reworded.is_empty()).then_some(self.root);
        self.reworded.into_iter().chain(whole).collect()
    }

    fn reword(&mut self, value: &[u8]) {
        let at = (value.as_ptr() as usize).checked_sub(self.root.as_ptr() as usize);
        match at.and_then(|at| self.root.get(at..at.checked_add(value.len())?)) {
            Some(value) => self.reworded.push(value),
            None => self.others = true,
        }
    }

    /// A schema rewritten; none if it stays. `trail` has the references in which it lies.
    fn schema(&mut self, schema: &[u8], depth: usize, trail: &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let Some(below) = depth.checked_sub(1) else {
            return self.rules.open_api.then(|| b"{\"type\":\"object\"}".to_vec());
        };
        if !schema.starts_with(b"{") {
            // `true` and `false` are schemas in JSON Schema alone.
            return (self.rules.open_api && matches!(schema, b"true" | b"false")).then(|| b"{}".to_vec());
        }
        let members = json::members(schema).map(borrowed).collect();
        let mut parts = Parts { members, ..Parts::default() };
        let entered = trail.len();
        self.flatten(&mut parts, depth, trail);
        let members = std::mem::take(&mut parts.members);
        let (kept, refused): (Vec<_>, Vec<_>) = members.into_iter().partition(|(key, _)| self.rules.keeps(key));
        for (key, value) in kept {
            self.kept(&mut parts, key, value, below, trail);
        }
        for (key, value) in refused {
            self.refused(&mut parts, &key, &value, below, trail);
        }
        trail.truncate(entered);
        self.settle(&mut parts);
        if !parts.changed {
            return None;
        }
        describe(&mut parts);
        Some(object(&parts.members))
    }

    /// Puts what `$ref` and `allOf` bring in beside the schema's own members, where the target has neither.
    fn flatten(&mut self, parts: &mut Parts<'_>, mut depth: usize, trail: &mut Vec<Vec<u8>>) {
        while depth > 0 {
            depth -= 1;
            if !self.rules.keeps(b"$ref")
                && let Some(reference) = parts.take("$ref")
            {
                self.references += 1;
                let name = json::inside(&reference).unwrap_or_default().to_vec();
                match resolve(self.root, &name) {
                    Some(found) if self.references <= REFERENCES && !trail.contains(&name) => {
                        trail.push(name);
                        parts.join(json::members(found).map(owned).collect());
                    }
                    // It goes round, or leads nowhere.
                    _ => {
                        self.others = true;
                        parts.note(b"$ref", &reference);
                    }
                }
            } else if !self.rules.keeps(b"allOf")
                && let Some(all) = parts.take("allOf")
            {
                json::items(&all).for_each(|one| parts.join(json::members(one).map(owned).collect()));
            } else if self.rules.open_api
                && let Some(choice) = parts.get("anyOf").or_else(|| parts.get("oneOf"))
                && json::items(choice).any(is_null)
            {
                let rest: Vec<Vec<u8>> = json::items(choice).filter(|it| !is_null(it)).map(<[u8]>::to_vec).collect();
                let _ = (parts.take("anyOf"), parts.take("oneOf"));
                match &rest[..] {
                    [one] => parts.join(json::members(one).map(owned).collect()),
                    several => {
                        let several: Vec<_> = several.iter().map(Vec::as_slice).collect();
                        parts.set("anyOf", array(&several));
                    }
                }
                parts.set("nullable", b"true".to_vec());
            } else {
                return;
            }
        }
    }

    /// A keyword that the target takes.
    fn kept<'s>(
        &mut self,
        parts: &mut Parts<'s>,
        key: Cow<'s, [u8]>,
        value: Cow<'s, [u8]>,
        below: usize,
        trail: &mut Vec<Vec<u8>>,
    ) {
        let new = match key.as_ref() {
            b"properties" | b"$defs" | b"definitions" | b"patternProperties" | b"dependentSchemas" => {
                map(&value, |value| self.schema(value, below, trail))
            }
            b"items" | b"prefixItems" if value.starts_with(b"[") => list(&value, |it| self.schema(it, below, trail)),
            b"anyOf" | b"oneOf" | b"allOf" => list(&value, |it| self.schema(it, below, trail)),
            b"items" | b"not" | b"contains" | b"propertyNames" | b"if" | b"then" | b"else" => {
                self.schema(&value, below, trail)
            }
            b"additionalProperties" => self.schema(&value, below, trail),
            b"format" if !self.rules.keeps_format(json::inside(&value).unwrap_or_default()) => {
                self.reword(&value);
                return parts.note(b"format", &value);
            }
            _ => None,
        };
        parts.changed |= new.is_some();
        parts.members.push((key, new.map_or(value, Cow::Owned)));
    }

    /// A keyword that the target refuses: in its own words if it has any, else in the description.
    fn refused(&mut self, parts: &mut Parts<'_>, key: &[u8], value: &[u8], below: usize, trail: &mut Vec<Vec<u8>>) {
        let silent = SILENT.contains(&key)
            || key == b"additionalProperties" && matches!(value, b"true" | b"false" | b"{}")
            || key == b"uniqueItems" && value == b"false";
        if silent {
            parts.changed = true;
            return;
        }
        self.reword(value);
        match key {
            // One of several is any of them, for a model.
            b"oneOf" if self.rules.keeps(b"anyOf") && parts.get("anyOf").is_none() => {
                let new = list(value, |it| self.schema(it, below, trail));
                parts.set("anyOf", new.unwrap_or_else(|| value.to_vec()));
            }
            b"const" if self.rules.keeps(b"enum") && parts.get("enum").is_none() => {
                parts.set("enum", [b"[", value, b"]"].concat());
            }
            b"exclusiveMinimum" if self.rules.keeps(b"minimum") => {
                if parts.get("minimum").is_none() {
                    parts.set("minimum", value.to_vec());
                }
                parts.note(key, value);
            }
            b"exclusiveMaximum" if self.rules.keeps(b"maximum") => {
                if parts.get("maximum").is_none() {
                    parts.set("maximum", value.to_vec());
                }
                parts.note(key, value);
            }
            _ => parts.note(key, value),
        }
    }

    /// What the target wants of the schema as a whole.
    fn settle(&mut self, parts: &mut Parts<'_>) {
        if self.rules.open_api {
            open_api(parts);
        }
        step_bounds(parts);
    }
}

/// Types as OpenAPI has them.
fn open_api(parts: &mut Parts<'_>) {
    if let Some(types) = parts.get("type").filter(|types| types.starts_with(b"[")) {
        let types: Vec<Vec<u8>> = json::items(types).map(<[u8]>::to_vec).collect();
        let real: Vec<_> = types.iter().filter(|it| it.as_slice() != b"\"null\"").collect();
        match &real[..] {
            [] => drop(parts.take("type")),
            [one] => parts.set("type", one.to_vec()),
            several if parts.get("anyOf").is_none() => {
                let each = several.iter().map(|it| [b"{\"type\":", it.as_slice(), b"}"].concat()).collect::<Vec<_>>();
                let each: Vec<_> = each.iter().map(Vec::as_slice).collect();
                let each = array(&each);
                parts.take("type");
                parts.set("anyOf", each);
            }
            several => {
                let all = array(&several.iter().map(|it| it.as_slice()).collect::<Vec<_>>());
                parts.take("type");
                parts.note(b"type", &all);
            }
        }
        if real.len() < types.len() {
            parts.set("nullable", b"true".to_vec());
        }
    }
    if let Some(values) = parts.get("enum").map(<[u8]>::to_vec) {
        let known = parts.get("type").is_none() || parts.is_type("string");
        let strings: Vec<_> = json::items(&values).filter(|it| it.len() > 2 && it.starts_with(b"\"")).collect();
        if strings.is_empty() || !known {
            parts.take("enum");
            parts.note(b"enum", &values);
        } else if strings.len() < json::items(&values).count() {
            if json::items(&values).any(|it| it == b"null") {
                parts.set("nullable", b"true".to_vec());
            }
            parts.set("enum", array(&strings));
        }
    }
    if parts.get("type").is_none() {
        let guess = if parts.get("properties").is_some() {
            Some("\"object\"")
        } else if parts.get("items").is_some() {
            Some("\"array\"")
        } else {
            parts.get("enum").map(|_| "\"string\"")
        };
        if let Some(guess) = guess {
            parts.set("type", guess.as_bytes().to_vec());
        }
    }
    if parts.is_type("array") && parts.get("items").is_none_or(|items| !items.starts_with(b"{")) {
        parts.set("items", b"{\"type\":\"string\"}".to_vec());
    }
    if let Some(required) = parts.get("required").map(<[u8]>::to_vec) {
        let there = |name: &&[u8]| {
            let name = json::inside(name).unwrap_or_default();
            parts.get("properties").is_some_and(|all| json::members(all).any(|(it, _)| it == name))
        };
        let known: Vec<_> = json::items(&required).filter(there).collect();
        if known.is_empty() {
            parts.take("required");
        } else if known.len() < json::items(&required).count() {
            parts.set("required", array(&known));
        }
    }
    if parts.get("properties").is_some_and(json::is_blank) {
        parts.take("properties");
    }
}

/// An exclusive bound of whole numbers is the next one, which needs no words.
fn step_bounds(parts: &mut Parts<'_>) {
    if !parts.is_type("integer") {
        return;
    }
    for (name, exclusive, step) in [("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)] {
        let Some(at) = parts.notes.iter().position(|(key, _)| key == exclusive.as_bytes()) else { continue };
        let number = std::str::from_utf8(&parts.notes[at].1).ok().and_then(|it| it.parse::<i64>().ok());
        let Some(next) = number.and_then(|number| number.checked_add(step)) else { continue };
        if parts.get(name) == Some(&parts.notes[at].1) {
            parts.notes.remove(at);
            parts.set(name, next.to_string().into_bytes());
        }
    }
}

/// Puts the notes behind the description.
fn describe(parts: &mut Parts<'_>) {
    if parts.notes.is_empty() {
        return;
    }
    let mut text = vec![b'"'];
    text.extend_from_slice(parts.get("description").and_then(json::inside).unwrap_or_default());
    let mut seam: &[u8] = if text.len() > 1 { b"\\n" } else { b"" };
    for (keyword, value) in std::mem::take(&mut parts.notes) {
        [seam, &keyword, b": "].iter().for_each(|it| text.extend_from_slice(it));
        match json::inside(&value) {
            Some(inside) => text.extend_from_slice(inside),
            None => escape(&String::from_utf8_lossy(&value), &mut text),
        }
        seam = b", ";
    }
    text.push(b'"');
    parts.set("description", text);
}

fn is_null(schema: &[u8]) -> bool {
    json::get(schema, "type").is_some_and(|it| it.eq_ignore_ascii_case(b"\"null\""))
}

/// What a reference within the schema names.
fn resolve<'a>(root: &'a [u8], reference: &[u8]) -> Option<&'a [u8]> {
    let path = std::str::from_utf8(reference).ok()?.strip_prefix('#')?;
    let found = path.split('/').skip(1).try_fold(root, |at, name| {
        let name = name.replace("~1", "/").replace("~0", "~");
        json::get(at, &name).or_else(|| json::items(at).nth(name.parse().ok()?))
    })?;
    found.starts_with(b"{").then_some(found)
}

fn borrowed<'a>((key, value): (&'a [u8], &'a [u8])) -> Member<'a> {
    (Cow::Borrowed(key), Cow::Borrowed(value))
}

fn owned<'a>((key, value): (&[u8], &[u8])) -> Member<'a> {
    (Cow::Owned(key.to_vec()), Cow::Owned(value.to_vec()))
}

/// An object of schemas with those rewritten that have to be; none if none has.
pub(super) fn map(value: &[u8], mut of: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut changed = false;
    let mut members = Vec::new();
    for (key, value) in json::members(value) {
        let new = of(value);
        changed |= new.is_some();
        members.push((Cow::Borrowed(key), new.map_or(Cow::Borrowed(value), Cow::Owned)));
    }
    changed.then(|| object(&members))
}

/// A list of schemas, likewise.
pub(super) fn list(value: &[u8], mut of: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut changed = false;
    let mut items = Vec::new();
    for value in json::items(value) {
        let new = of(value);
        changed |= new.is_some();
        items.push(new.map_or(Cow::Borrowed(value), Cow::Owned));
    }
    changed.then(|| array(&items.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
}

/// An object as text.
pub(super) fn object(members: &[Member<'_>]) -> Vec<u8> {
    let mut text = vec![b'{'];
    for (at, (key, value)) in members.iter().enumerate() {
        let comma: &[u8] = if at > 0 { b"," } else { b"" };
        [comma, b"\"", key, b"\":", value].iter().for_each(|it| text.extend_from_slice(it));
    }
    text.push(b'}');
    text
}

fn array(items: &[&[u8]]) -> Vec<u8> {
    [b"[", &items.join(&b","[..])[..], b"]"].concat()
}
