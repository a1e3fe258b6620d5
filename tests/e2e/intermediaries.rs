//! Something in front of the API answers in its place: a check for robots, a captive portal, a proxy's page, a redirect.
//! It says nothing of the account, the model or the request, and nobody is shown its markup.

use bitrouter_tests::{Gateway, Reply, Upstream};
use serde_json::json;

use crate::dialects::{DIALECTS, ask, echo_at};

const CHALLENGE: &str = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>wait</body></html>";
const LOGIN: &str = "<html><form action=/in><input type=\"password\" name=p></form></html>";

/// Answers in front of the API: the name, the answer, and what is said of it.
fn fronts() -> Vec<(String, Reply, &'static str)> {
    let mut fronts = vec![
        (
            "challenge without a body".into(),
            Reply::body("text/html", "").status(403).header("cf-mitigated", "challenge"),
            "robots",
        ),
        ("refusal".into(), Reply::body("text/plain; charset=UTF-8", "error code: 1020").status(403), "robots"),
        ("login".into(), Reply::body("text/html", LOGIN).status(401), "log in"),
        ("captive portal".into(), Reply::body("text/html", "<html>hotel</html>").status(511), "log in"),
        ("as JSON".into(), Reply::body("application/json", CHALLENGE).status(403), "robots"),
        ("as text".into(), Reply::body("text/plain", "<html>nginx</html>").status(502), "web page"),
        (
            "redirect".into(),
            Reply::body("text/html", LOGIN).status(302).header("location", "https://sso.example/login"),
            "redirects",
        ),
    ];
    for status in [200, 400, 401, 402, 403, 404, 405, 407, 429, 500, 503, 520, 521, 522, 524, 525, 526, 530] {
        let page = Reply::body("text/html; charset=UTF-8", CHALLENGE).status(status);
        fronts.push((format!("page with {status}"), page, if status == 200 { "web page" } else { "robots" }));
    }
    fronts
}

#[test]
fn what_answers_in_front_of_the_api_is_an_outage_in_every_dialect_and_its_markup_is_nowhere() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    for (at, (name, reply, says)) in fronts().into_iter().enumerate() {
        for (number, wire) in DIALECTS.into_iter().enumerate() {
            let streamed = (at + number) % 2 == 0;
            let context = format!("{name}, {}, streamed: {streamed}", wire.path);
            // Names of their own, so that what rests is none of them.
            let (first, second) = (format!("front-{at}-{number}"), format!("behind-{at}-{number}"));
            let (is_first, page) = (first.clone(), reply.clone());
            upstream.follows(move |seen| match seen.json()["model"] == is_first.as_str() {
                true => page.clone(),
                false => wire.second(streamed),
            });
            let alone = ask(&gateway, wire, &[&format!("echo:{first}")], streamed);
            assert_eq!(alone.code, 502, "{context}: {}", alone.text());
            assert!(alone.header("content-type").is_some_and(|value| value.contains("json")), "{context}");
            assert!(alone.json()["error"]["message"].is_string(), "{context}: {}", alone.text());
            assert!(alone.text().contains(says) && !alone.text().contains('<'), "{context}: {}", alone.text());
            let moved = ask(&gateway, wire, &[&format!("echo:{first}"), &format!("echo:{second}")], streamed);
            assert_eq!(moved.code, 200, "{context}: {}", moved.text());
        }
    }
    let status = gateway.status().to_string();
    for told in [status, gateway.log(), gateway.command(&["status"]).ok().stdout] {
        assert!(!told.to_lowercase().contains("<html") && !told.to_lowercase().contains("<!doctype"), "{told}");
    }
}

#[test]
fn a_page_rests_no_account_and_no_model_for_what_it_is_not() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream);
    let gateway = setup.with("/providers/openai/api_key", json!("sk-canary-of-the-first-account")).run();
    for status in [401, 402, 403, 429] {
        upstream.replies(Reply::body("text/html", CHALLENGE).status(status));
        ask(&gateway, DIALECTS[0], &["openai:gpt-4o"], false).status(502);
        let cooldowns = gateway.status()["cooldowns"].clone();
        // The other account would meet the same page.
        assert_eq!(cooldowns.as_array().map(Vec::len), Some(1), "{status}: {cooldowns}");
        assert_eq!(cooldowns[0]["address"], "openai:gpt-4o", "{status}: {cooldowns}");
        assert!(cooldowns[0]["reason"].as_str().is_some_and(|why| why.contains("in front")), "{status}: {cooldowns}");
        gateway.command(&["status", "--clear"]).ok();
    }
}
