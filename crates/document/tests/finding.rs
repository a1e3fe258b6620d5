//! Patterns, conditions and the edits made by them agree with a slow reading of the same document by serde_json.

#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod support;

use bitrouter_document::{Cell, Condition, Document, Edit, Error, Find, Kind, PatchEach, Test};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use support::{noise, object, pointers, spelled, value};

/// A condition before its place is known: which test, of what, and whether it is negated.
type Plan = (u8, Index, bool, u8);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec((0..6_u8, any::<Index>(), any::<bool>(), 0..5_u8), 0..3)
}

const BELOW: [&str; 5] = ["", "/a", "/b", "/0", "/a/b"];

/// A pattern that leads somewhere: a pointer of the document, some of whose tokens may be any.
fn pattern(value: &Value, place: Index, any: u8) -> String {
    let places = pointers(value);
    let pointer = &place.get(&places).0;
    let tokens = pointer.split('/').skip(1).enumerate();
    tokens.map(|(at, token)| if any >> (at % 8) & 1 == 1 { "/*".into() } else { format!("/{token}") }).collect()
}

/// All that a pattern names, in the order of the document.
fn named(value: &Value, pattern: &str) -> Vec<(String, Value)> {
    let mut found = vec![(String::new(), value.clone())];
    for token in pattern.split('/').skip(1) {
        let one =
            |value: &Value| value.pointer(&format!("/{token}")).cloned().map(|value| vec![(token.to_owned(), value)]);
        let children = |value: &Value| match value {
            Value::Array(items) if token == "*" => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect()
            }
            Value::Object(members) if token == "*" => members
                .iter()
                .map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member.clone()))
                .collect(),
            value => one(value).unwrap_or_default(),
        };
        found = found
            .into_iter()
            .flat_map(|(at, value)| {
                children(&value).into_iter().map(move |(token, child)| (format!("{at}/{token}"), child))
            })
            .collect();
    }
    found
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

/// A condition of the plan, with what it means: the texts that it borrows are made first.
struct Planned {
    at: &'static str,
    test: u8,
    negated: bool,
    texts: Vec<String>,
}

impl Planned {
    fn of((test, sample, negated, below): &Plan, value: &Value, noise: &[u8]) -> Self {
        let places = pointers(value);
        let other = &sample.get(&places).1;
        let start: String = other.as_str().unwrap_or_default().chars().take(2).collect();
        let texts = match test {
            3 if other.is_object() || other.is_array() => vec!["null".into()],
            3 => vec!["7".into(), spelled(other, noise)],
            4 => vec![start],
            _ => Vec::new(),
        };
        Self { at: BELOW[usize::from(*below)], test: *test, negated: *negated, texts }
    }

    fn condition(&self) -> Condition<'_> {
        let texts = || self.texts.iter().map(String::as_str).collect();
        let test = match self.test {
            0 => Test::Present,
            1 => Test::OfKind(vec![Kind::String, Kind::Null]),
            2 => Test::OfKind(vec![Kind::Object]),
            3 => Test::OneOf(texts()),
            4 => Test::BeginsWith(texts()),
            _ => Test::LongerThan(3),
        };
        Condition { at: self.at, test, negated: self.negated }
    }

    /// Whether a value passes, the slow way. The length of a text is not its value's: the document says it.
    fn passes(&self, at: &str, value: &Value, document: &mut Document) -> bool {
        let here = value.pointer(self.at);
        let passes = match self.test {
            0 => here.is_some(),
            1 => here.is_some_and(|here| here.is_string() || here.is_null()),
            2 => here.is_some_and(|here| kind(here) == Kind::Object),
            3 => here.is_some_and(|here| {
                self.texts.iter().any(|text| serde_json::from_str::<Value>(text).unwrap() == *here)
            }),
            4 => here.and_then(Value::as_str).is_some_and(|here| self.texts.iter().any(|text| here.starts_with(text))),
            _ => document.size(&format!("{at}{}", self.at)).unwrap().is_some_and(|size| size > 3),
        };
        passes != self.negated
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_found_is_what_the_pattern_names_and_every_condition_lets_pass(
        value in object(), noise in noise(), place: Index, any: u8, plans in plans(), limit in 0..9_usize,
    ) {
        let text = spelled(&value, &noise);
        let mut document = Document::parse(text.clone()).unwrap();
        let mut single = Document::parse(text.clone()).unwrap();
        let pattern = pattern(&value, place, any);
        let planned: Vec<_> = plans.iter().map(|plan| Planned::of(plan, &value, &noise)).collect();
        let only: Vec<_> = planned.iter().map(Planned::condition).collect();
        let mut expected = named(&value, &pattern);
        expected.retain(|(at, value)| planned.iter().all(|plan| plan.passes(at, value, &mut single)));
        let fields = ["", "/a", "/0", "/b/c"];
        let find = Find { only: &only, fields: &fields, max_bytes: 20, limit, ..Find::all(&pattern) };
        let found = document.find(&find).unwrap();
        prop_assert!(found.more() || found.len() == expected.len());
        prop_assert!(!found.more() || found.len() == limit);
        prop_assert_eq!(found.len(), expected.len().min(limit));
        for ((pointer, cells), (at, _)) in found.rows().zip(&expected) {
            prop_assert_eq!(pointer, at);
            for (cell, field) in cells.iter().zip(fields) {
                let expected = match single.get(&format!("{at}{field}"), 20) {
                    Ok(None) => Cell::Absent,
                    Ok(Some(text)) => Cell::Value(text),
                    Err(Error::TooBig { size }) => Cell::Big(size),
                    Err(error) => panic!("{error}"),
                };
                prop_assert_eq!(cell, &expected);
            }
        }
        prop_assert_eq!(document.output().into_bytes(), text);
    }

    #[test]
    fn edits_of_each_match_are_those_of_one_after_the_other(
        value in object(), noise in noise(), place: Index, any: u8, plans in plans(), new in value(),
        edits in prop::collection::vec((0..5_u8, 0..5_u8, 0..5_u8), 1..3),
    ) {
        let text = spelled(&value, &noise);
        let mut document = Document::parse(text.clone()).unwrap();
        let mut single = Document::parse(text.clone()).unwrap();
        let pattern = pattern(&value, place, any);
        let planned: Vec<_> = plans.iter().map(|plan| Planned::of(plan, &value, &noise)).collect();
        let only: Vec<_> = planned.iter().map(Planned::condition).collect();
        let mut matches = named(&value, &pattern);
        matches.retain(|(at, value)| planned.iter().all(|plan| plan.passes(at, value, &mut single)));
        let written = spelled(&new, &noise);
        let edits: Vec<_> = edits.iter().map(|&(operation, from, to)| {
            let (source, path) = (BELOW[usize::from(from)], BELOW[usize::from(to)]);
            match operation {
                0 => Edit::Add { path, value: &written },
                1 => Edit::Remove { path },
                2 => Edit::Replace { path, value: &written },
                3 => Edit::Move { source, target: path },
                _ => Edit::Copy { source, target: path },
            }
        }).collect();
        let expected = edited(&value, &matches, &edits, &new);
        let each = PatchEach { only: &only, named: 3, ..PatchEach::all(&pattern, &edits) };
        match document.patch_each(&each) {
            Ok(patched) => {
                prop_assert!(expected.is_some(), "accepted: {edits:?} on {matches:?}");
                prop_assert_eq!(patched.matches, matches.len());
                let first: Vec<_> = matches.iter().take(3).map(|(at, _)| at.clone()).collect();
                prop_assert_eq!(patched.pointers, first);
                let output = document.output().into_bytes();
                prop_assert_eq!(serde_json::from_slice::<Value>(&output).unwrap(), expected.unwrap());
                prop_assert!(!matches.is_empty() || output == text);
                // What it holds now is read as it leaves.
                let size = document.size("").unwrap().unwrap();
                let read = document.get("", size).unwrap().unwrap().into_owned();
                prop_assert_eq!(&read, std::str::from_utf8(&output).unwrap().trim());
            }
            Err(error) => {
                prop_assert!(expected.is_none(), "{error}: {edits:?} on {matches:?}");
                prop_assert_eq!(document.output().into_bytes(), text);
            }
        }
    }
}

/// What the oracle makes of each match, from the last to the first; none where it refuses one of the edits.
fn edited(value: &Value, matches: &[(String, Value)], edits: &[Edit<'_>], new: &Value) -> Option<Value> {
    let mut whole = json!({ "body": value });
    for (at, _) in matches.iter().rev() {
        let at = format!("/body{at}");
        // A match that is a member of an object can be set and taken away, wherever it hangs.
        let mut held = json!({ "match": whole.pointer(&at)? });
        for edit in edits {
            let place = |path: &str| format!("/match{path}");
            let operation = match *edit {
                Edit::Add { path, .. } => json!({ "op": "add", "path": place(path), "value": new }),
                Edit::Remove { path } => json!({ "op": "remove", "path": place(path) }),
                Edit::Replace { path, .. } => json!({ "op": "replace", "path": place(path), "value": new }),
                Edit::Move { source, target } => {
                    if target.strip_prefix(source).is_some_and(|rest| rest.starts_with('/')) {
                        return None;
                    }
                    json!({ "op": "move", "from": place(source), "path": place(target) })
                }
                Edit::Copy { source, target } => json!({ "op": "copy", "from": place(source), "path": place(target) }),
            };
            held.get("match")?;
            let operation: json_patch::PatchOperation = serde_json::from_value(operation).ok()?;
            json_patch::patch(&mut held, &[operation]).ok()?;
            if at == "/body" && !held.get("match").is_some_and(Value::is_object) {
                return None;
            }
        }
        match held.get_mut("match") {
            Some(value) => *whole.pointer_mut(&at)? = value.take(),
            None => {
                let removal = json!([{ "op": "remove", "path": at }]);
                json_patch::patch(&mut whole, &serde_json::from_value::<json_patch::Patch>(removal).ok()?).ok()?;
            }
        }
    }
    Some(whole["body"].take())
}

fn rows(count: usize) -> Document {
    Document::parse(format!("{{\"rows\":[{}{{}}]}}", "{},".repeat(count - 1))).unwrap()
}

#[test]
fn a_condition_reads_a_string_however_it_is_spelled() {
    let text = r#"{"a":[{"t":"te\u0078t"},{"t":"text"},{"t":"texts"},{"t":1},{"t":"\u0074ext\n"},{},{"t":null}]}"#;
    let mut document = Document::parse(text).unwrap();
    let mut found = |test, negated| {
        let only = [Condition { at: "/t", test, negated }];
        let found = document.find(&Find { only: &only, ..Find::all("/a/*") }).unwrap();
        found.rows().map(|(pointer, _)| pointer["/a/".len()..].to_owned()).collect::<Vec<_>>().concat()
    };
    assert_eq!(found(Test::OneOf(vec![r#""text""#]), false), "01");
    assert_eq!(found(Test::OneOf(vec![r#" "t\u0065xt" "#, "1"]), false), "013");
    assert_eq!(found(Test::BeginsWith(vec!["text"]), false), "0124");
    assert_eq!(found(Test::BeginsWith(vec!["text\n", "zz"]), false), "4");
    assert_eq!(found(Test::OfKind(vec![Kind::String]), true), "356");
    assert_eq!(found(Test::LongerThan(6), false), "0 2 4".replace(' ', ""));
    let broken = [Condition { at: "/t", test: Test::OneOf(vec!["[1]"]), negated: false }];
    let error = document.find(&Find { only: &broken, ..Find::all("/a/*") }).unwrap_err();
    assert_eq!(error.to_string(), r#"the condition on "/t" compares with "[1]", which is no scalar in JSON"#);
}

#[test]
fn every_item_that_is_removed_leaves_the_others_in_their_order() {
    for count in [1, 10, 200_000] {
        let items: Vec<_> = (0..count).map(|number| format!("{{\"n\":{}}}", number % 3)).collect();
        let mut document = Document::parse(format!("{{\"a\":[{}]}}", items.join(","))).unwrap();
        let only = [Condition { at: "/n", test: Test::OneOf(vec!["0", "1"]), negated: false }];
        let remove = [Edit::Remove { path: "" }];
        let patched =
            document.patch_each(&PatchEach { only: &only, named: 2, ..PatchEach::all("/a/*", &remove) }).unwrap();
        let left = items.iter().filter(|item| item.contains('2')).cloned().collect::<Vec<_>>();
        assert_eq!(patched.matches, count - left.len());
        assert_eq!(patched.pointers, ["/a/0", "/a/1"][..patched.matches.min(2)]);
        assert_eq!(document.output().into_bytes(), format!("{{\"a\":[{}]}}", left.join(",")));
    }
}

#[test]
fn what_is_found_is_bounded_before_it_is_built() {
    let names: Vec<String> = (0..1_000).map(|number| format!("/f{number}")).collect();
    let fields: Vec<&str> = names.iter().map(String::as_str).collect();
    let find = |fields| Find { fields, ..Find::all("/rows/*") };
    let error = rows(100_000).find(&find(&fields)).unwrap_err();
    assert_eq!(error.to_string(), "1000 fields were asked for; find reads at most 64 at once");
    assert!(!error.is_of_the_body());
    let error = rows(100_000).find(&find(&fields[..6])).unwrap_err();
    assert!(error.to_string().contains("are 700000 values; at most 524288 are read at once"), "{error}");
    assert!(error.is_of_the_body(), "who sends so many items hears of it");
    let mut document = rows(100_000);
    assert_eq!(document.find(&find(&fields[..4])).unwrap().len(), 100_000);
    let some = document.find(&Find { limit: 7, ..find(&fields[..64]) }).unwrap();
    assert_eq!((some.len(), some.more()), (7, true));
    assert_eq!(document.count("/rows").unwrap(), 100_000);
    let many = vec![Condition { at: "", test: Test::Present, negated: false }; 65];
    let error = document.find(&Find { only: &many, ..Find::all("/rows/*") }).unwrap_err();
    assert_eq!(error.to_string(), "there are 65 conditions; at most 64 are looked at");
}

#[test]
fn the_same_value_in_many_fields_is_not_read_without_end() {
    let text = "x".repeat(1 << 20);
    let mut document = Document::parse(format!("{{\"rows\":[\"{text}\",\"b\"]}}")).unwrap();
    let found = document.find(&Find { fields: &[""; 64], ..Find::all("/rows/*") }).unwrap();
    assert_eq!((found.len(), found.more()), (0, true), "64 MiB are not copied, and it is said that there is more");
    let found = document.find(&Find { fields: &[""; 15], ..Find::all("/rows/*") }).unwrap();
    assert_eq!((found.len(), found.more()), (2, false));
    let wide: Vec<String> = (0..300_000).map(|number| format!("\"k{number}\":1")).collect();
    let mut document = Document::parse(format!("{{\"rows\":[{{{}}}]}}", wide.join(","))).unwrap();
    assert_eq!(document.find(&Find { fields: &["/none"; 64], ..Find::all("/rows/*") }), Err(Error::TooManySteps));
    let none = vec![Condition { at: "/none", test: Test::Present, negated: true }; 64];
    assert_eq!(document.find(&Find { only: &none, ..Find::all("/rows/*") }), Err(Error::TooManySteps));
    assert!(document.find(&Find { fields: &["/none"; 4], ..Find::all("/rows/*") }).is_ok());
    // Edited, so that each read would put it together again.
    document.patch(&[Edit::Replace { path: "/rows/0/k7", value: "2" }, Edit::Remove { path: "/rows/0/k9" }]).unwrap();
    assert!(document.find(&Find { fields: &["", "", "/k7"], ..Find::all("/rows/*") }).is_ok());
}

#[test]
fn edits_of_each_match_are_counted_before_any_is_made() {
    let mut document = rows(140_000);
    let edits = [Edit::Add { path: "/a", value: "1" }, Edit::Add { path: "/b", value: "1" }];
    let error = document.patch_each(&PatchEach::all("/rows/*", &edits)).unwrap_err();
    assert_eq!(error.to_string(), "the patch has 262146 edits; at most 262144 are applied at once");
    assert_eq!(document.output().len(), rows(140_000).output().len());
    // An object that gets a member takes room for some more.
    let mut document = rows(60_000);
    document.patch_each(&PatchEach::all("/rows/*", &edits[..1])).unwrap();
    let short = PatchEach { steps: 1 << 14, ..PatchEach::all("/rows/*", &edits[..1]) };
    assert_eq!(document.patch_each(&short), Err(Error::TooManySteps));
    // A value in every match is as many bytes as in one edit for each.
    let long = format!("\"{}\"", "x".repeat(1 << 8));
    let edits = [Edit::Add { path: "/c", value: &long }];
    let error = document.patch_each(&PatchEach::all("/rows/*", &edits)).unwrap_err();
    assert!(matches!(&error, Error::Edit { cause, .. } if **cause == Error::TooMuchAdded), "{error}");
}

#[test]
fn an_edit_that_a_match_cannot_have_is_named_and_nothing_is_changed() {
    let text = r#"{"a":[{"x":1},{"y":2}]}"#;
    let mut document = Document::parse(text).unwrap();
    let mut refused = |edits: &[Edit<'_>]| document.patch_each(&PatchEach::all("/a/*", edits)).unwrap_err().to_string();
    assert_eq!(refused(&[Edit::Remove { path: "/x" }]), r#"edit 0 (remove): pointer "/x": there is no such value"#);
    let gone = refused(&[Edit::Remove { path: "" }, Edit::Add { path: "/z", value: "1" }]);
    assert_eq!(gone, r#"edit 1 (add): pointer "": an edit before has removed it"#);
    assert!(refused(&[Edit::Add { path: "/z", value: "{" }]).starts_with(r#"edit 0 (add): the new value for "/z""#));
    assert_eq!(document.output().into_bytes(), text);
    assert_eq!(document.patch_each(&PatchEach::all("/a/*/x", &[Edit::Remove { path: "" }])).unwrap().matches, 1);
    assert_eq!(document.output().into_bytes(), r#"{"a":[{},{"y":2}]}"#);
}
