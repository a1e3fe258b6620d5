//! Cases as files: an input, and beside it what it is in each other dialect. `cases/<from>/<name>/` holds any of
//! `request.json` (a client's body), `answer.json` and `stream.sse` (of an upstream), and `request.<to>.json`,
//! `lost.<to>.json`, `answer.<to>.json`, `stream.<to>.sse` for each other dialect. `BLESS=1` writes what is missing or
//! differs; whoever blesses reads it.
//!
//! `case.json` may say more: `{"note", "target": {"model", "facts", "provider", "account"}, "targets": {"messages": {…}},
//! "client": {"session", "stream"}, "states": {"call id": "br1(…)"}, "usage": false}`. `asked.<to>.json` is the request of a client
//! of that dialect to which the answer is one, where names of tools matter.
//!
//! A state that the gateway wrapped is written `br1(kind|value|id|text|place|provider/account/model)`, with what is empty
//! left away at the end; without the last it is of the case's own target. A seventh field is the dialect that made it, where
//! it is not the kind's own (states that an upstream of Chat Completions made). A block, which is JSON, has `'` for `"`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bitrouter_dialect::translate::{
    Answer, AnswerTranslation, Client, Facts, Lost, Names, Owner, States, Target, Translated, Untranslatable, request,
};
use bitrouter_dialect::{Dialect, End, Fold};
use serde_json::{Value, json};

/// Wrapped states by the ids of their calls.
#[derive(Default)]
struct Kept(BTreeMap<String, String>);

impl States for Kept {
    fn find(&self, _owner: &Owner<'_>, call: &str) -> Option<String> {
        self.0.get(call).cloned()
    }

    fn keep(&self, _owner: &Owner<'_>, _call: &str, _state: &str) {}
}

/// A folder of a case.
pub(crate) struct Case {
    pub(crate) from: Dialect,
    pub(crate) folder: PathBuf,
    settings: Value,
}

/// Who a translation is for.
struct Place {
    model: String,
    provider: String,
    account: String,
    facts: Facts,
    states: Kept,
}

impl Case {
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    /// The target of that dialect.
    fn place(&self, dialect: Dialect) -> Place {
        let own = &self.settings["targets"][dialect.as_str()];
        let said =
            |name: &str| [&own[name], &self.settings["target"][name]].into_iter().find(|it| !it.is_null()).cloned();
        let text =
            |name: &str, default: &str| said(name).map_or(default.to_owned(), |it| it.as_str().unwrap().to_owned());
        let model = text("model", default_model(dialect));
        let mut facts = serde_json::to_value(Facts::of(dialect, &model)).unwrap();
        for (name, value) in said("facts").iter().flat_map(|it| it.as_object().unwrap()) {
            assert!(facts.get(name).is_some(), "{}: there is no fact {name}", self.folder.display());
            facts[name] = value.clone();
        }
        let mut place = Place {
            provider: text("provider", "prov"),
            account: text("account", "acc"),
            facts: serde_json::from_value(facts).unwrap(),
            model,
            states: Kept::default(),
        };
        for (call, state) in self.settings["states"].as_object().into_iter().flatten() {
            // Kept states are never in the form of generateContent.
            let state = wrapped(state.as_str().unwrap(), Dialect::Messages, dialect, &place);
            place.states.0.insert(call.clone(), state);
        }
        place
    }
}

fn default_model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions | Dialect::Responses => "gpt-5.5",
        Dialect::Messages => "claude-opus-5",
        Dialect::GenerateContent => "gemini-3.5-pro",
    }
}

impl Place {
    fn target(&self, dialect: Dialect) -> Target<'_> {
        Target {
            dialect,
            model: &self.model,
            owner: Owner { provider: &self.provider, account: &self.account, model: &self.model },
            facts: self.facts.clone(),
            states: &self.states,
        }
    }
}

/// The dialect that has states of this kind.
fn dialect_of(kind: &str, upstream: Dialect) -> &'static str {
    match kind {
        "signature" | "redacted" | "block" => "messages",
        "encrypted" => "responses",
        "thought" => "generate-content",
        _ => upstream.as_str(),
    }
}

/// The text of a file with its states wrapped: in `client`'s form, made by an upstream of dialect `upstream`.
fn wrapped(text: &str, client: Dialect, upstream: Dialect, place: &Place) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("br1(") {
        let (inner, after) = after.split_once(')').expect("a state ends in a parenthesis");
        let mut fields = inner.split('|').map(str::to_owned).collect::<Vec<_>>();
        fields.resize(7, String::new());
        let kind = fields[0].as_str();
        let dialect =
            Some(fields[6].as_str()).filter(|it| !it.is_empty()).unwrap_or_else(|| dialect_of(kind, upstream));
        let mut owner = fields[5].split('/');
        let mut owner = |own: &str| owner.next().filter(|it| !it.is_empty()).unwrap_or(own).to_owned();
        let (provider, account, model) = (owner(&place.provider), owner(&place.account), owner(&place.model));
        let quoted = |text: &str| Value::from(text).to_string();
        let mut json = format!(
            r#"{{"dialect":"{dialect}","provider":{},"account":{},"model":{},"kind":"{kind}","value":{}"#,
            quoted(&provider),
            quoted(&account),
            quoted(&model),
            quoted(&if kind == "block" { fields[1].replace('\'', "\"") } else { fields[1].clone() })
        );
        for (name, field) in [("id", &fields[2]), ("text", &fields[3])] {
            if !field.is_empty() {
                json.push_str(&format!(r#","{name}":{}"#, quoted(field)));
            }
        }
        if !fields[4].is_empty() {
            json.push_str(&format!(r#","place":{}"#, fields[4]));
        }
        json.push('}');
        out.push_str(before);
        if client == Dialect::GenerateContent {
            out.push_str(&STANDARD.encode(format!("br1.{json}")));
        } else {
            out.push_str("br1.");
            out.push_str(&URL_SAFE_NO_PAD.encode(json));
        }
        rest = after;
    }
    out + rest
}

/// The reverse: text with its states as a person can read them.
fn readable(text: &str, upstream: Dialect, place: &Place) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, marker)) = ["br1.", "YnIxLn"].iter().filter_map(|it| Some((rest.find(it)?, *it))).min() {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+/=".contains(byte);
        let start = if marker == "br1." { at + 4 } else { at };
        let length = rest.as_bytes()[start..].iter().take_while(|byte| is_part(byte)).count();
        let encoded = &rest[start..start + length];
        let json = if marker == "br1." {
            URL_SAFE_NO_PAD.decode(encoded).ok()
        } else {
            STANDARD.decode(encoded).ok().and_then(|it| it.strip_prefix(b"br1.").map(<[u8]>::to_vec))
        };
        let payload: Option<Value> = json.and_then(|json| serde_json::from_slice(&json).ok());
        out.push_str(&rest[..at]);
        match payload {
            Some(payload) => {
                let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
                let mut owner = format!("{}/{}/{}", text("provider"), text("account"), text("model"));
                if owner == format!("{}/{}/{}", place.provider, place.account, place.model) {
                    owner.clear();
                }
                let at = if payload["place"].is_null() { String::new() } else { payload["place"].to_string() };
                let (kind, mut dialect) = (text("kind"), text("dialect"));
                let value = if kind == "block" { text("value").replace('"', "'") } else { text("value") };
                if dialect == dialect_of(&kind, upstream) {
                    dialect.clear();
                }
                let fields = [kind, value, text("id"), text("text"), at, owner, dialect].join("|");
                out.push_str(&format!("br1({})", fields.trim_end_matches('|')));
            }
            None => out.push_str(&rest[at..start + length]),
        }
        rest = &rest[start + length..];
    }
    out + rest
}

/// JSON without white space outside its strings.
pub(crate) fn minified(json: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for char in json.chars() {
        if quoted || !char.is_ascii_whitespace() {
            out.push(char);
        }
        quoted = match char {
            '"' if !escaped => !quoted,
            _ => quoted,
        };
        escaped = quoted && char == '\\' && !escaped;
    }
    out
}

/// A stream with its data minified, and one line end.
pub(crate) fn minified_stream(stream: &str) -> String {
    let lines = stream.lines().map(|line| match line.strip_prefix("data:") {
        Some(data) if data.trim_start().starts_with(['{', '[']) => format!("data: {}", minified(data)),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// JSON as a person can read it, with every number, escape and order as it is.
fn pretty(json: &str) -> String {
    let json = minified(json);
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let mut chars = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
    };
    while let Some(char) = chars.next() {
        match char {
            _ if quoted => out.push(char),
            '{' | '[' if chars.peek().is_some_and(|next| "}]".contains(*next)) => out.push(char),
            '}' | ']' if out.ends_with(['{', '[']) => out.push(char),
            '{' | '[' => {
                out.push(char);
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(char),
        }
        quoted = match char {
            '"' if !escaped => !quoted,
            _ => quoted,
        };
        escaped = quoted && char == '\\' && !escaped;
    }
    out.push('\n');
    out
}

/// What is checked, and what is wrong.
#[derive(Default)]
struct Tally {
    expectations: usize,
    wrong: Vec<String>,
    missing: Vec<String>,
    blessed: usize,
}

impl Tally {
    /// Compares what came out with a file. A file with nothing to say need not be there.
    fn compare(
        &mut self,
        case: &Case,
        name: &str,
        found: Option<String>,
        same: fn(&str) -> String,
        write: fn(&str) -> String,
    ) {
        let path = case.folder.join(name);
        let shown = format!("{}/{}/{name}", case.from, case.folder.file_name().unwrap().to_string_lossy());
        let expected = case.read(name);
        self.expectations += usize::from(expected.is_some());
        if expected.as_deref().map(same) == found.as_deref().map(same) {
            return;
        }
        if std::env::var_os("BLESS").is_some() {
            self.blessed += 1;
            match &found {
                Some(found) => fs::write(&path, write(found)).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            return;
        }
        match (expected, found) {
            (None, Some(_)) => self.missing.push(shown),
            (expected, found) => self.wrong.push(format!(
                "{shown}\nexpected: {}\n   found: {}",
                expected.as_deref().map(same).unwrap_or_default(),
                found.as_deref().map(same).unwrap_or_default()
            )),
        }
    }
}

fn translate(case: &Case, place: &Place, from: Dialect, to: Dialect, body: &str) -> Result<Translated, Untranslatable> {
    let client = Client {
        dialect: from,
        stream: case.settings["client"]["stream"].as_bool().unwrap_or(false),
        session: case.settings["client"]["session"].as_str(),
    };
    let body = wrapped(body, from, to, place);
    request(&client, body.as_bytes(), &place.target(to))
}

fn check_request(case: &Case, to: Dialect, body: &str, tally: &mut Tally) {
    let place = case.place(to);
    let (found, lost) = match translate(case, &place, case.from, to, body) {
        Ok(translated) => (String::from_utf8(translated.body).expect("UTF-8"), translated.lost),
        Err(error) => (json!({"refused": error.message, "param": error.param}).to_string(), Lost::default()),
    };
    let valid = serde_json::from_str::<serde::de::IgnoredAny>(&found);
    assert!(valid.is_ok(), "{}: the body for {to} is no JSON: {found}", case.folder.display());
    tally.compare(case, &format!("request.{to}.json"), Some(readable(&found, to, &place)), minified, pretty);
    let mut losses = serde_json::Map::new();
    for (name, pointers) in [("dropped", &lost.dropped), ("approximated", &lost.approximated)] {
        if !pointers.is_empty() {
            losses.insert(name.to_owned(), json!(pointers));
        }
    }
    let lost = (!losses.is_empty()).then(|| Value::Object(losses).to_string());
    tally.compare(case, &format!("lost.{to}.json"), lost, minified, pretty);
}

/// The translation of an answer of the case's dialect to a client of dialect `to`.
fn answer_translation(case: &Case, place: &Place, to: Dialect) -> AnswerTranslation {
    let names = match case.read(&format!("asked.{to}.json")) {
        Some(asked) => translate(case, place, to, case.from, &asked).unwrap().names,
        None => Names::default(),
    };
    let answer = Answer {
        client: to,
        id: "1".to_owned(),
        model: "asked".to_owned(),
        created: 0,
        usage: case.settings["usage"].as_bool().unwrap_or(true),
        names,
    };
    AnswerTranslation::new(&place.target(case.from), answer)
}

fn check_answer(case: &Case, to: Dialect, document: &str, tally: &mut Tally) {
    let place = case.place(case.from);
    let found = match answer_translation(case, &place, to).document(document.as_bytes()) {
        Ok(document) => String::from_utf8(document.to_vec()).expect("UTF-8"),
        Err(error) => json!({"fails": error.to_string()}).to_string(),
    };
    let valid = serde_json::from_str::<serde::de::IgnoredAny>(&found);
    assert!(valid.is_ok(), "{}: the answer for {to} is no JSON: {found}", case.folder.display());
    tally.compare(case, &format!("answer.{to}.json"), Some(readable(&found, case.from, &place)), minified, pretty);
}

/// The client's stream; how it ended, where that is not well, stands behind it as a comment.
fn streamed(case: &Case, place: &Place, to: Dialect, chunks: &[&[u8]]) -> String {
    let mut translation = answer_translation(case, place, to);
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&translation.feed(chunk));
    }
    out.extend_from_slice(&translation.finish());
    let mut out = String::from_utf8(out).expect("UTF-8");
    match translation.end() {
        End::Complete => {}
        End::Failed(error) => out.push_str(&format!("\n: failed: {}\n", error.error.message)),
        End::Cut => out.push_str("\n: cut\n"),
    }
    out
}

fn check_stream(case: &Case, to: Dialect, stream: &str, tally: &mut Tally) {
    let place = case.place(case.from);
    let found = streamed(case, &place, to, &[stream.as_bytes()]);
    let torn: Vec<&[u8]> = stream.as_bytes().chunks(1 + stream.len() % 5).collect();
    assert_eq!(found, streamed(case, &place, to, &torn), "{}: {to}, in pieces", case.folder.display());
    if case.read("answer.json").is_some() {
        let mut fold = Fold::new(to);
        fold.feed(found.as_bytes());
        let folded = fold.finish().map_or_else(
            |error| json!({"fails": error.to_string()}),
            |folded| serde_json::from_slice(&folded).unwrap(),
        );
        let whole = case.read(&format!("answer.{to}.json")).unwrap_or_else(|| "null".to_owned());
        let whole: Value = serde_json::from_str(&wrapped(&whole, to, case.from, &place)).unwrap();
        if folded != whole {
            let name = case.folder.display();
            tally.wrong.push(format!(
                "{name}: the stream for {to}, folded, is another answer\n  stream: {folded}\n  answer: {whole}"
            ));
        }
    }
    tally.compare(
        case,
        &format!("stream.{to}.sse"),
        Some(readable(&found, case.from, &place)),
        minified_stream,
        |it| format!("{}\n", it.trim_end()),
    );
}

pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases = Vec::new();
    for from in Dialect::ALL {
        let Ok(folders) = fs::read_dir(root.join(from.as_str())) else { continue };
        for folder in folders {
            let folder = folder.unwrap().path();
            if !folder.is_dir() {
                continue;
            }
            let settings = fs::read_to_string(folder.join("case.json")).unwrap_or_else(|_| "{}".to_owned());
            let settings =
                serde_json::from_str(&settings).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            cases.push(Case { from, folder, settings });
        }
    }
    cases.sort_by(|a, b| a.folder.cmp(&b.folder));
    cases
}

/// `CASE=name` runs the cases whose folder's name contains it.
#[test]
fn cases_are_what_their_files_say() {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let mut tally = Tally::default();
    let mut counts = BTreeMap::new();
    for case in cases() {
        if !case.folder.to_string_lossy().contains(&wanted) {
            continue;
        }
        *counts.entry(case.from.as_str()).or_insert(0) += 1;
        let (request, answer, stream) = (case.read("request.json"), case.read("answer.json"), case.read("stream.sse"));
        assert!(request.is_some() || answer.is_some() || stream.is_some(), "{} has no input", case.folder.display());
        for to in Dialect::ALL.into_iter().filter(|to| *to != case.from) {
            if let Some(body) = &request {
                check_request(&case, to, body, &mut tally);
            }
            if let Some(document) = &answer {
                check_answer(&case, to, document, &mut tally);
            }
            if let Some(stream) = &stream {
                check_stream(&case, to, stream, &mut tally);
            }
        }
    }
    println!("cases: {counts:?}, {} expectations, {} blessed", tally.expectations, tally.blessed);
    assert!(
        tally.missing.is_empty(),
        "expected files are missing (BLESS=1 writes them):\n{}\n{}",
        tally.missing.join("\n"),
        tally.wrong.join("\n\n")
    );
    assert!(tally.wrong.is_empty(), "{} differ:\n{}", tally.wrong.len(), tally.wrong.join("\n\n"));
}
