//! Batches of many edits on many members: they do what one edit after the other does, and what they and long reads may
//! cost is refused before it is done.

use bitrouter_document::{Document, Edit, Error, limits};
use serde_json::{Map, Value, json};

/// A small generator: the tests of this folder need no other.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// One edit on the oracle: an object `o` with members `k0`, `k1`…, and an array `a`. True if it is possible.
fn apply(oracle: &mut Value, edit: &(usize, String, String)) -> bool {
    let (operation, from, to) = edit;
    let patch = match operation {
        0 => json!([{ "op": "add", "path": to, "value": 7 }]),
        1 => json!([{ "op": "remove", "path": from }]),
        2 => json!([{ "op": "replace", "path": from, "value": "new" }]),
        3 => json!([{ "op": "move", "from": from, "path": to }]),
        _ => json!([{ "op": "copy", "from": from, "path": to }]),
    };
    let patch: json_patch::Patch = serde_json::from_value(patch).expect("it is a patch");
    json_patch::patch(oracle, &patch).is_ok()
}

fn edit((operation, from, to): &(usize, String, String)) -> Edit<'_> {
    match operation {
        0 => Edit::Add { path: to, value: "7" },
        1 => Edit::Remove { path: from },
        2 => Edit::Replace { path: from, value: "\"new\"" },
        3 => Edit::Move { source: from, target: to },
        _ => Edit::Copy { source: from, target: to },
    }
}

#[test]
fn a_batch_on_large_containers_does_what_its_edits_do_one_after_the_other() {
    let mut dice = Dice(7);
    let members: Map<String, Value> = (0..900).map(|number| (format!("k{number}"), json!(number))).collect();
    let escaped = r#","k\u0061":1,"\u006bb":{"x":[1]}"#;
    let items: Vec<Value> = (0..900).map(|number| json!({ "n": number })).collect();
    let text = json!({ "o": members, "a": items }).to_string().replacen("},\"a\"", &format!("{escaped}}},\"a\""), 1);
    let mut oracle: Value = serde_json::from_str(&text).unwrap();
    let mut document = Document::parse(text).unwrap();
    let place = |dice: &mut Dice, oracle: &Value| match dice.roll(2) {
        0 => match dice.roll(12) {
            0 => "/o/ka".to_owned(),
            1 => format!("/o/new{}", dice.roll(2_000)),
            _ => format!("/o/k{}", dice.roll(900)),
        },
        _ => match dice.roll(20) {
            0 => "/a/-".to_owned(),
            _ => format!("/a/{}", dice.roll(oracle["a"].as_array().map_or(1, |items| items.len() + 1))),
        },
    };
    for round in 0..12 {
        let before = (oracle.clone(), document.output().into_bytes());
        let mut edits = Vec::new();
        while edits.len() < 400 {
            let planned = (dice.roll(5), place(&mut dice, &oracle), place(&mut dice, &oracle));
            let was = oracle.clone();
            if planned.1 != planned.2 && apply(&mut oracle, &planned) {
                edits.push(planned);
            } else {
                oracle = was;
            }
        }
        let fails = round % 3 == 2;
        let mut batch: Vec<Edit<'_>> = edits.iter().map(edit).collect();
        if fails {
            batch.push(Edit::Remove { path: "/not/there" });
        }
        let answer = document.patch(&batch);
        assert_eq!(answer.is_err(), fails, "{answer:?}");
        if fails {
            assert_eq!(document.output().into_bytes(), before.1, "a batch that fails changes nothing");
            oracle = before.0;
        }
        let written = document.output().into_bytes();
        // The oracle takes a member out by putting the last one in its place, so the order is not compared.
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), oracle, "round {round}");
        let mut again = Document::parse(written).unwrap();
        assert_eq!(document.count("/a").unwrap(), again.count("/a").unwrap());
        assert_eq!(document.keys("/o").unwrap(), again.keys("/o").unwrap());
        assert_eq!(document.get("/o/ka", 99), again.get("/o/ka", 99));
    }
}

#[test]
fn as_many_edits_as_a_patch_may_have_are_applied_and_one_more_is_refused_before_any_is() {
    let paths: Vec<String> = (0..=limits::EDITS).map(|number| format!("/k{number}")).collect();
    let edits: Vec<Edit<'_>> = paths.iter().map(|path| Edit::Add { path, value: "1" }).collect();
    // Room for what is added: twice as much as the body has.
    let mut document = Document::parse(format!("{{\"pad\":\"{}\"}}", "x".repeat(1 << 20))).unwrap();
    let error = document.patch(&edits).unwrap_err();
    assert_eq!(error, Error::TooManyEdits { edits: limits::EDITS + 1, most: limits::EDITS });
    assert_eq!(error.to_string(), "the patch has 65537 edits; at most 65536 are applied at once");
    document.patch(&edits[..limits::EDITS]).unwrap();
    assert_eq!(document.keys("").unwrap().len(), limits::EDITS + 1);
    let removals: Vec<Edit<'_>> = paths[..limits::EDITS].iter().map(|path| Edit::Remove { path }).collect();
    document.patch(&removals).unwrap();
    assert_eq!(document.keys("").unwrap(), ["pad"]);
}

#[test]
fn doubling_by_copy_and_move_ends_where_the_body_would_grow_too_much() {
    let mut document = Document::parse(r#"{"a":["0123456789"]}"#).unwrap();
    let doubled = [Edit::Copy { source: "/a", target: "/b" }, Edit::Move { source: "/b", target: "/a/-" }];
    let error = (0..40).find_map(|_| document.patch(&doubled).err()).expect("it does not double for ever");
    assert!(matches!(&error, Error::Edit { cause, .. } if **cause == Error::TooMuchAdded), "{error}");
    assert!(document.output().len() < 4 << 20, "{} bytes", document.output().len());
    // In one batch of many edits as well.
    let mut document = Document::parse(r#"{"a":["0123456789"]}"#).unwrap();
    let many: Vec<Edit<'_>> = doubled.into_iter().cycle().take(80).collect();
    assert!(document.patch(&many).is_err());
    assert_eq!(document.output().len(), r#"{"a":["0123456789"]}"#.len());
}

#[test]
fn what_edits_add_is_bounded_by_the_size_of_the_body() {
    let value = format!("\"{}\"", "x".repeat(64 << 10));
    let small = [Edit::Add { path: "/list/-", value: &value }; 20];
    let list = Edit::Add { path: "/list", value: "[]" };
    let mut document = Document::parse("{}").unwrap();
    document.patch(&[list]).unwrap();
    assert!(document.patch(&small).is_err(), "a megabyte and a quarter in place of two bytes");
    let mut document = Document::parse(format!("{{\"pad\":{value}}}")).unwrap();
    document.patch(&[list]).unwrap();
    document.patch(&small[..17]).unwrap();
    assert!(document.patch(&small).is_err());
}

#[test]
fn an_error_shows_no_more_of_a_pointer_or_a_key_than_a_line() {
    let long = "x".repeat(2 << 20);
    let mut document = Document::parse(format!("{{\"a\":{{\"{long}\":1,\"{long}\":2}}}}")).unwrap();
    let errors = [
        document.kind(&long).unwrap_err(),
        document.kind("/a/b").unwrap_err(),
        document.patch(&[Edit::Remove { path: &format!("/{long}") }]).unwrap_err(),
        document.patch(&[Edit::Add { path: &format!("/{long}"), value: "{" }]).unwrap_err(),
        document.patch(&[Edit::Add { path: &format!("/{long}/x"), value: "1" }]).unwrap_err(),
    ];
    for error in errors {
        let message = error.to_string();
        assert!(message.len() < 400 && message.contains('…'), "{} bytes: {message:.500}", message.len());
        assert!(format!("{error:?}").len() < 1_000);
    }
}
