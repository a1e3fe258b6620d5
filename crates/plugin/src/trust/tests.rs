//! What may be accepted, what is more than that, and which other build goes on under it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::cache::Digest;

fn description(change: Value) -> Description {
    let mut description = json!({
        "id": "p", "name": "P", "version": "1", "serves": { "generate": ["responses"] },
        "origins": { "api": "https://api.example" }, "models": [{ "id": "m" }],
        "side_requests": { "models": { "kind": "models", "path": "/models" } },
    });
    let (Value::Object(into), Value::Object(change)) = (&mut description, change) else { panic!() };
    into.extend(change);
    serde_json::from_value(description).unwrap()
}

fn grant(change: Value) -> Grant {
    Grant::of(&description(change))
}

fn entry(grants: Vec<Grant>) -> Entry {
    let sha256 = Digest::of(b"x").as_str().into();
    Entry { sha256, source: "file:p.wasm".into(), providers: grants, ..Entry::default() }
}

/// Whatever a description may say that its user has to know, each with what is said of it.
fn more() -> Vec<(Value, &'static str)> {
    let key = |attach: Value| json!({ "auth": [{ "method": "api-key", "env": ["KEY"], "attach": [attach] }] });
    vec![
        (json!({ "id": "q" }), "the provider q"),
        (json!({ "origins": { "api": "https://elsewhere.example" } }), "the origin api: https://elsewhere.example"),
        (json!({ "origins": { "api": "https://api.example", "b": "http://127.0.0.1:1" } }), "the origin b"),
        (json!({ "vendor": "openai" }), "the vendor openai"),
        (json!({ "billing": "subscription" }), "to be paid for as subscription"),
        (json!({ "models": [{ "id": "m" }, { "id": "gpt-5" }] }), "the model gpt-5"),
        (json!({ "forward": ["*"] }), "the client's header *"),
        (json!({ "forward_query": ["*"] }), "the client's query parameter *"),
        (json!({ "claims": ["email"] }), "the claim email"),
        (
            json!({ "side_requests": { "models": { "kind": "models", "path": "/b" } } }),
            "the side request models: models api/b",
        ),
        (
            json!({ "side_requests": { "models": { "kind": "usage", "path": "/models" } } }),
            "the side request models: usage",
        ),
        (key(json!({ "header": "authorization" })), "the credential api-key from KEY, sent to api"),
        (key(json!({ "query": "key" })), "the credential api-key"),
        (
            json!({ "settings": { "a": { "type": "string", "description": "A", "env": ["HOME"] } } }),
            "the variable HOME",
        ),
        (json!({ "exchanges": { "most": 4 } }), "4 requests for one call"),
        (json!({ "serves": { "generate": ["responses"], "models": ["responses"] } }), "catalogue of models"),
        (json!({ "local": { "port": 1, "probes": [] } }), "looked for on this machine"),
        (json!({ "origin_parts": { "r": { "of": "s", "otherwise": "{}" } } }), "the part of an origin r"),
    ]
}

#[test]
fn what_was_accepted_is_all_that_was_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugins.lock");
    Lock::accept(entry(vec![grant(json!({}))]), &file).unwrap();
    let lock = Lock::read(&file).unwrap();
    let of_it = Digest::of(b"x");
    assert!(lock.accepts(&of_it, &grant(json!({}))));
    // A component whose description is not the same each time gets nothing by it.
    for (change, _) in more() {
        assert!(!lock.accepts(&of_it, &grant(change.clone())), "{change}");
    }
    assert!(!lock.accepts(&Digest::of(b"y"), &grant(json!({}))), "another build");
}

#[test]
fn another_build_that_asks_for_more_is_told_from_one_that_asks_for_less() {
    let accepted = grant(json!({}));
    assert_eq!(accepted.lacks(&grant(json!({}))), Vec::<String>::new());
    for (change, said) in more() {
        let wanted = grant(change.clone());
        let lacks = accepted.lacks(&wanted);
        assert!(lacks.iter().any(|lacks| lacks.starts_with(said) || lacks.contains(said)), "{change}: {lacks:?}");
        let is_another = change.get("id").is_some() || change.get("origins").is_some_and(|them| them["b"].is_null());
        if !is_another && change.get("side_requests").is_none() {
            assert_eq!(wanted.lacks(&accepted), Vec::<String>::new(), "what was {change} asks for less");
        }
    }
    // How a credential goes up is part of what was accepted, and what was its own id alone is not found by names.
    let attach = |attach: Value| grant(json!({ "auth": [{ "method": "api-key", "attach": [attach] }] }));
    let header = attach(json!({ "header": "authorization", "format": "Bearer {}" }));
    assert_eq!(header.lacks(&header), Vec::<String>::new());
    assert!(!header.lacks(&attach(json!({ "query": "authorization" }))).is_empty());
    assert!(!header.lacks(&attach(json!({ "header": "authorization", "format": "{}" }))).is_empty());
    assert_eq!(grant(json!({ "explicit": true })).lacks(&accepted), ["to answer to bare names"]);
    // Of a setting its words for people may change, and what it is where nobody says it may not: it may be a part of a host.
    let setting = |words: &str, default: &str| {
        grant(json!({ "settings": { "a": { "type": "string", "description": words, "default": default } } }))
    };
    assert_eq!(setting("A", "x").lacks(&setting("B", "x")), Vec::<String>::new());
    assert_eq!(setting("A", "x").lacks(&setting("A", "y")).len(), 1);
}

#[test]
fn an_entry_of_a_version_that_asked_for_less_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugins.lock");
    let old = json!({ "id": "p", "sha256": Digest::of(b"x").as_str(), "origins": { "api": "https://api.example" },
        "credentials": [], "claims": [], "models": ["m"] });
    fs::write(&file, json!({ "version": 1, "plugins": [old] }).to_string()).unwrap();
    let lock = Lock::read(&file).unwrap();
    assert!(!lock.accepts(&Digest::of(b"x"), &grant(json!({}))));
    assert!(!lock.entry_of("p").unwrap().lacks(&[grant(json!({}))]).is_empty());
}

#[test]
fn of_many_that_accept_at_once_all_have_accepted_and_what_is_not_known_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugins.lock");
    fs::write(&file, r#"{"version": 1, "later": true, "plugins": []}"#).unwrap();
    std::thread::scope(|scope| {
        for at in (0..8).rev() {
            let file = &file;
            scope.spawn(move || {
                Lock::accept(entry(vec![grant(json!({ "id": format!("p{at}") }))]), file).unwrap();
            });
        }
    });
    let lock = Lock::read(&file).unwrap();
    // Whoever was first, the file is the same.
    let ids: Vec<&str> = lock.components.iter().flat_map(Entry::ids).collect();
    assert_eq!(ids, ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"]);
    let p3 = ["p3".to_owned()];
    assert_eq!(Lock::withdraw(&p3, &file).unwrap(), p3);
    assert!(Lock::withdraw(&p3, &file).unwrap().is_empty());
    assert_eq!(Lock::read(&file).unwrap().components.len(), 7);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"later\": true") && text.contains("\"version\": 2"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_entry_is_one_component_and_says_nothing_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugins.lock");
    let both = vec![grant(json!({})), grant(json!({ "id": "q" }))];
    let source = Entry::source_of(Path::new("/home/me/plugins/p.wasm"));
    Lock::accept(Entry { source, ..entry(both) }, &file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("/home") && text.contains("\"file:p.wasm\""), "{text}");
    let lock = Lock::read(&file).unwrap();
    assert_eq!((lock.components.len(), lock.entry_of("q")), (1, lock.entry_of("p")));
    assert!(lock.components[0].came_from(Path::new("/elsewhere/p.wasm")));
    assert!(!lock.components[0].came_from(Path::new("/elsewhere/q.wasm")));
}

/// What is said of a build with this description in the folder, under an entry.
fn rebuilt(entry: &Entry, file: &Path, says: &Description, pinned: bool) -> Result<String, Waits> {
    let digest = Digest::of(b"y");
    let built_in = [description(json!({ "id": "o", "auth": [{ "method": "api-key", "env": ["OPENAI_API_KEY"] }] }))];
    let rebuilt = Rebuilt { file, bytes: b"y", digest: &digest, says: &[says] };
    rebuilt.goes_on(entry, pinned, &Signers::default(), &built_in)
}

#[test]
fn another_build_goes_on_only_where_it_comes_from_where_the_accepted_one_came() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.wasm");
    fs::write(&file, b"y").unwrap();
    let accepted = entry(vec![grant(json!({}))]);
    let says = description(json!({ "version": "2", "name": "Another" }));
    let goes_on = rebuilt(&accepted, &file, &says, false).unwrap();
    assert!(goes_on.contains("another build than the one that you accepted"), "{goes_on}");
    let waits = |entry: &Entry, says: &Description, pinned, why: &str| {
        let Waits(said) = rebuilt(entry, &file, says, pinned).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    };
    waits(&accepted, &description(json!({ "forward": ["x-*"] })), false, "asks for more: the client's header x-*");
    waits(&accepted, &says, true, "the very builds that it names");
    for source in ["", "file:q.wasm", "https://host.example/p.wasm", "oci://host.example/p:1@sha256:00"] {
        waits(&Entry { source: source.into(), ..accepted.clone() }, &says, false, "does not come from where");
    }
    // What another provider pays with, and what takes another's place, is looked at each time.
    let key = json!({ "auth": [{ "method": "api-key", "env": ["OPENAI_API_KEY"], "attach": [{ "header": "a" }] }] });
    waits(&entry(vec![grant(key.clone())]), &description(key), false, "OPENAI_API_KEY is the key of the built-in `o`");
    let o = json!({ "id": "o" });
    waits(&entry(vec![grant(o.clone())]), &description(o), false, "`o` is built in");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o666);
        waits(&accepted, &says, false, "somebody else could have put it there");
        mode(0o644);
        rebuilt(&accepted, &file, &says, false).unwrap();
    }
}

/// A key, and signatures of the bytes `x` and `y` by it and by another, as `minisign -S -t "p 1"` makes them: first that of the file,
/// then that of the comment.
const THEIRS: &str = "RWSKVHNoaZT/+viAwPBmeJZDHOmFwpXcduccxCBUJ99bXkQReamVlH4N";
const Y_BY_THEM: [&str; 2] = [
    "RUSKVHNoaZT/+jTwi/kgfYKq6ZJmiMhH/LY2AWGM2ilwEBmTxeci7bhhH4iWYNCxs6IPPz7AZXnpl7LxI/OXobzn63UyGgJvyg0=",
    "+Re8vbzcgGFzRlBJr+rjgYZ3o6f/W0U1g+nmh8lYGiv8x6gJGJBkKHuiXNFgaD2FOaAdvqZrGDahueYEZy94BA==",
];
const X_BY_THEM: [&str; 2] = [
    "RUSKVHNoaZT/+nMH0+Cj/ZZNT0++MXStEPKQvq0BaOIfKjfAPXwNR6/iThmFMdJcG6aAeF1eSQjX1em8QaJu5fysf/kYFriI9Qg=",
    "00l2Khr2YJ3+30bJu/N3tIgGoPIOG9J31HMdFU2W1QmU9sSGSWo9AfHnm6K664xAvCNnFxUjQrCRjAlYNLRNAA==",
];
const Y_BY_OTHERS: [&str; 2] = [
    "RUR8nOGKl1MZMdIrVF5ltLZc/mKGVp3lZsVpZ2d7RYTLf4hYq7ROwzPr3qDzy4eJgVmLfqhANjyQg05NTzHLfBJrzgei8nHFIQk=",
    "TUMQC5wH+rkyrn1Z9LqtsWexG7QajFn+z7bKyujV3FsKpUgbywMCiEmKVqdKEHKA6dwlHKvWPCeApK4m8P2rBg==",
];

fn signed([file, comment]: [&str; 2]) -> String {
    format!("untrusted comment: signature\n{file}\ntrusted comment: p 1\n{comment}\n")
}

#[test]
fn what_was_signed_goes_on_with_a_signature_by_the_same_key_and_not_without() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.wasm");
    fs::write(&file, b"y").unwrap();
    let signed_by = Some(THEIRS.to_owned());
    let accepted = Entry { signed_by, source: "https://host.example/p".into(), ..entry(vec![grant(json!({}))]) };
    let says = description(json!({}));
    let waits = |why: &str| {
        let Waits(said) = rebuilt(&accepted, &file, &says, false).unwrap_err();
        assert!(said.contains(why), "{said}");
    };
    let sign = |signature: &str| fs::write(signature::beside(&file), signature).unwrap();
    waits("there is no");
    sign(&signed(Y_BY_OTHERS));
    waits("not by that key");
    sign(&signed(X_BY_THEM));
    waits("not of this build");
    sign("none");
    waits("its signature is none");
    sign(&signed(Y_BY_THEM));
    rebuilt(&accepted, &file, &says, false).unwrap();
}

#[test]
fn an_origin_of_this_machine_or_its_network_is_found_unless_the_config_replaced_it() {
    let near = description(json!({ "origins": { "api": "https://api.example", "other": "http://127.0.0.1:1" } }));
    assert_eq!(reaches_in(&near, |_| false), Some("http://127.0.0.1:1"));
    assert_eq!(reaches_in(&near, |name| name == "api"), Some("http://127.0.0.1:1"));
    assert_eq!(reaches_in(&near, |name| name == "other"), None);
}

#[test]
fn little_is_left_of_what_an_unaccepted_component_says() {
    let all = description(json!({
        "vendor": "openai", "billing": "subscription", "forward": ["*"], "forward_query": ["*"], "claims": ["email"],
        "serves": { "generate": ["responses"], "models": ["responses"] },
        "auth": [{ "method": "api-key", "attach": [{ "header": "authorization" }] }],
    }));
    let left = serde_json::to_value(all.unaccepted()).unwrap();
    assert_eq!(
        left,
        json!({
            "id": "p", "name": "P", "version": "1", "vendor": null, "explicit": false, "local": null, "use_only": false,
            "origins": { "api": "https://api.example" }, "origin_parts": {}, "by_model": [], "quirks": [], "body": {},
            "websocket": { "dialects": [], "headers": {} },
            "auth": [], "serves": { "generate": ["responses"] }, "paths": {}, "headers": {},
            "owner": {}, "exchanges": { "most": 3, "wait_ms": 0 },
            "errors": { "rules": [], "inside": null, "unknown_event": null }, "limits": { "headers": [] }, "forward": [], "forward_query": [], "claims": [],
            "models": [], "side_requests": {}, "observe": { "headers": [], "events": [] }, "settings": {},
            "billing": "pay-per-token",
        })
    );
}
