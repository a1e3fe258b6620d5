//! What it costs to shape a coding agent's request of 1 MB as a provider does it: index, read, edit, write.
//! Run by `cargo bench -p bitrouter-document`; prints microseconds. No test depends on it.

use std::{fmt::Write as _, hint::black_box, time::Instant};

use bitrouter_document::{Condition, Document, Edit, Find, Kind, PatchEach, Test};
use bytes::Bytes;

const ITEMS: usize = 600;
const RUNS: usize = 400;

fn main() {
    println!("{:<6} {:>9} {:<8} {:>9} {:>9}", "body", "bytes", "step", "min µs", "median µs");
    let prose = "The quick brown fox — of whom we have heard — jumps over the lazy dog.\\n\\nAnd so it goes on. ";
    let ascii = "The quick brown fox, of whom we have heard, jumps over the lazy dog.\\n\\nAnd so it goes on. ";
    let code = r#"    let x = \"a\\n\";\n\tif (a[0] == '{') { return \"}\\\\\"; } // C:\\\\dir\n"#;
    for (name, phrase) in [("prose", prose), ("ascii", ascii), ("code", code)] {
        measure(name, &body(phrase));
        searches(name, &body(phrase));
    }
}

/// A request of the Responses API with all that Codex sends, `phrase` being what its texts are made of.
fn body(phrase: &str) -> Bytes {
    let long = phrase.repeat(3_300 / phrase.len());
    let mut items = String::new();
    for index in 0..ITEMS {
        let comma = if index == 0 { "" } else { "," };
        let written = match index % 5 {
            0 => write!(
                items,
                r#"{comma}{{"type":"message","role":"system","id":"msg_{index:032}","content":[{{"type":"input_text","text":"{long}"}}]}}"#
            ),
            1 => write!(
                items,
                r#"{comma}{{"type":"reasoning","id":"rs_{index:032}","summary":[],"encrypted_content":"{}"}}"#,
                "gAAAAABo0aZ".repeat(100)
            ),
            2 => write!(
                items,
                r#"{comma}{{"type":"function_call","id":"fc_{index:032}","name":"shell","arguments":"{{\"command\":[\"bash\",\"-lc\",\"ls\"]}}","call_id":"call_{index}"}}"#
            ),
            3 => write!(
                items,
                r#"{comma}{{"type":"function_call_output","id":"fco_{index:032}","call_id":"call_{index}","output":"{long}"}}"#
            ),
            _ => write!(
                items,
                r#"{comma}{{"type":"message","role":"assistant","id":"msg_{index:032}","content":[{{"type":"output_text","text":"{}","annotations":[]}}]}}"#,
                phrase.repeat(8)
            ),
        };
        written.expect("a string takes any text");
    }
    let tool = r#"{"type":"function","name":"shell","description":"Runs a command.","strict":false,"parameters":{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"}},"workdir":{"type":"string"}},"required":["command"],"additionalProperties":false}}"#;
    let tools = [tool; 12].join(",");
    format!(
        r#"{{"model":"gpt-5-codex","instructions":"{long}","input":[{items}],"tools":[{tools}],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{{"effort":"high"}},"temperature":0.7,"max_output_tokens":4096,"store":true,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"0198c7"}}"#
    )
    .into()
}

/// The edits that a provider makes after it has found type, role and id.
fn paths() -> Vec<(String, bool)> {
    let mut paths = Vec::new();
    for index in 0..ITEMS {
        if index % 5 == 0 {
            paths.push((format!("/input/{index}/role"), true));
        }
        paths.push((format!("/input/{index}/id"), false));
    }
    paths
}

fn edits(paths: &[(String, bool)]) -> Vec<Edit<'_>> {
    let mut edits = vec![
        Edit::Remove { path: "/temperature" },
        Edit::Remove { path: "/max_output_tokens" },
        Edit::Add { path: "/store", value: "false" },
        Edit::Add { path: "/text", value: r#"{"verbosity":"low"}"# },
    ];
    edits.extend(paths.iter().map(|(path, replace)| match replace {
        true => Edit::Replace { path, value: r#""developer""# },
        false => Edit::Remove { path },
    }));
    edits
}

/// What `openai-codex` asks for on the items of a client's conversation: what refers to nothing, what is not sealed, roles,
/// ids. Once the items are indexed, and from the start.
fn searches(name: &str, body: &Bytes) {
    let is = |at, value| Condition { at, test: Test::OneOf(vec![value]), negated: false };
    let reference = [is("/type", r#""item_reference""#)];
    let sealed = Condition { at: "/encrypted_content", test: Test::OfKind(vec![Kind::String]), negated: true };
    let unsealed = [is("/type", r#""reasoning""#), sealed];
    let system = [is("/role", r#""system-of-nobody""#)];
    let ids = [Condition { at: "/id", test: Test::BeginsWith(vec!["rs_", "msg_"]), negated: false }];
    let remove = [Edit::Remove { path: "/id" }];
    let items = |only| Find { only, ..Find::all("/input/*") };
    let mut samples: [Vec<f64>; 3] = Default::default();
    for _ in 0..RUNS {
        let mut document = Document::parse(body.clone()).expect("the body is an object");
        for samples in &mut samples[..2] {
            let clock = Instant::now();
            for only in [&reference[..], &unsealed[..], &system[..]] {
                black_box(document.find(&items(only)).expect("the input is valid"));
            }
            samples.push(clock.elapsed().as_secs_f64() * 1e6);
        }
        let clock = Instant::now();
        let each = PatchEach { only: &ids, ..PatchEach::all("/input/*", &remove) };
        black_box(document.patch_each(&each).expect("the edits apply"));
        samples[2].push(clock.elapsed().as_secs_f64() * 1e6);
    }
    for (step, samples) in ["3 finds", "3 again", "ids out"].iter().zip(&mut samples) {
        samples.sort_by(f64::total_cmp);
        println!("{name:<6} {:>9} {step:<8} {:>9.1} {:>9.1}", body.len(), samples[0], samples[RUNS / 2]);
    }
}

fn measure(name: &str, body: &Bytes) {
    let mut samples: [Vec<f64>; 6] = Default::default();
    let paths = paths();
    let edits = edits(&paths);
    for _ in 0..RUNS {
        let mut clock = Instant::now();
        let mut lap = |step: usize| {
            samples[step].push(clock.elapsed().as_secs_f64() * 1e6);
            clock = Instant::now();
        };
        let whole = Instant::now();
        let mut document = Document::parse(body.clone()).expect("the body is an object");
        lap(0);
        black_box(document.keys("").expect("the keys are valid"));
        let find = Find { fields: &["/type", "/role", "/id"], max_bytes: 64, ..Find::all("/input/*") };
        black_box(document.find(&find).expect("the input is valid"));
        lap(1);
        document.patch(&edits).expect("the edits apply");
        lap(2);
        let output = black_box(document.output().into_chunks());
        lap(3);
        drop((document, output));
        lap(4);
        samples[5].push(whole.elapsed().as_secs_f64() * 1e6);
    }
    for (step, samples) in ["index", "find", "patch", "output", "drop", "whole"].iter().zip(&mut samples) {
        samples.sort_by(f64::total_cmp);
        println!("{name:<6} {:>9} {step:<8} {:>9.1} {:>9.1}", body.len(), samples[0], samples[RUNS / 2]);
    }
}
