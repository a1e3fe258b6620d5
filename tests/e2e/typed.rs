//! What the cases of translation expect, held against the typed models of the vendors' own packages: every request, answer and
//! stream, those of the captured clients among them. `cargo xtask e2e` gets the packages and runs this.

use std::fs;
use std::path::Path;
use std::process::Command;

use bitrouter_tests::Gateway;

/// So many there are at least: a folder that moved would be no mistake of any case.
const EXPECTATIONS: usize = 1000;

/// What is wrong in a folder of cases, and how many files were looked at.
fn check(cases: &Path) -> (Vec<String>, usize) {
    let python = std::env::var_os("BITROUTER_E2E_PYTHON").expect("which Python is not said. Run: cargo xtask e2e");
    let mut checker = Command::new(python);
    let ran = checker.arg(Gateway::script("python/typed.py")).arg(cases).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let wrong = said.lines().filter_map(|line| line.strip_prefix("wrong\t")).map(str::to_owned).collect();
    let count = said.lines().find_map(|line| line.strip_prefix("looked at ")).unwrap();
    (wrong, count.parse().unwrap())
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn all_that_the_cases_expect_is_valid_by_the_vendors_own_types() {
    let (wrong, count) = check(&Gateway::script("../crates/dialect/cases"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= EXPECTATIONS, "{count}");
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn what_is_wrong_is_seen() {
    let cases = tempfile::tempdir().unwrap();
    let folder = cases.path().join("messages/wrong");
    fs::create_dir_all(&folder).unwrap();
    let chunk = r#"{"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":"0","delta":{},"finish_reason":null}]}"#;
    let files = [
        (
            "request.chat-completions.json",
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","txt":"Hi"}]}]}"#,
        ),
        (
            "request.responses.json",
            r#"{"model":"m","input":[{"type":"function_call_output","call_id":1,"output":"a"}]}"#,
        ),
        ("request.generate-content.json", r#"{"contents":[{"role":"user","parts":[{"text":"Hi","tool_use":{}}]}]}"#),
        ("answer.responses.json", r#"{"id":"r","object":"response","created_at":0,"model":"m","output":[]}"#),
        ("stream.chat-completions.sse", &format!("data: {chunk}\n\ndata: [DONE]\n\n")),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let (wrong, count) = check(cases.path());
    assert_eq!((wrong.len(), count), (files.len(), files.len()), "{wrong:#?}");
    let named = |text: &str| assert!(wrong.iter().any(|line| line.contains(text)), "`{text}` is not in {wrong:#?}");
    ["txt", "call_id", "tool_use", "parallel_tool_calls", "index"].into_iter().for_each(named);
}
