//! What is read, what is kept, and that a fault names its place and no secret.

use secrecy::ExposeSecret;

use super::*;

fn file() -> Value {
    json!({
        "version": 1,
        "later": { "kept": "canary-top" },
        "credentials": [
            {
                "provider": "openai", "label": "work", "kind": "api-key", "created_at": "2026-01-31T09:00:00Z",
                "origins": { "api": "https://api.openai.com/v1/" }, "claims": { "plan": "team" },
                "secret": { "key": "sk-canary-key", "later": "canary-secret" }, "later": ["canary-entry"],
            },
            {
                "provider": "openai-codex", "label": "default", "kind": "oauth", "created_at": "2026-01-31T09:00:00Z",
                "origins": { "api": "https://api.example", "auth": "https://auth.example" }, "client_id": "app",
                "claims": { "plan": "plus" }, "expires_at": "2026-01-31T10:00:00Z",
                "refreshed_at": "2026-01-31T09:00:00Z", "from": "import",
                "follows": { "source": "codex-cli", "file": "/home/me/.codex/auth.json" },
                "refreshing": { "since": "2026-01-31T09:50:00Z" },
                "log_in_again": { "since": "2026-01-31T09:50:01Z", "reason": "refresh_token_reused" },
                "secret": {
                    "access_token": "canary-access", "refresh_token": "canary-refresh", "id_token": "canary-id",
                    "later": "canary-secret",
                },
                "later": { "kept": "canary-entry" },
            },
            {
                "provider": "somebody", "label": "default", "kind": "passkey", "secret": { "key": "canary-other" },
            },
        ],
    })
}

fn fault(change: impl FnOnce(&mut Value)) -> String {
    let mut file = file();
    change(&mut file);
    TokenFile::parse(&file.to_string()).expect_err("a fault").to_string()
}

#[test]
fn a_stored_key_is_read() {
    let file = TokenFile::parse(&file().to_string()).unwrap();
    let Kind::ApiKey(stored) = &file.entries[0].kind else { panic!("{:?}", file.entries[0]) };
    assert_eq!(stored.key.expose_secret(), "sk-canary-key");
    assert_eq!(stored.origins, [("api".to_owned(), "https://api.openai.com/v1".parse().unwrap())]);
    assert_eq!(stored.claims, [("plan".to_owned(), "team".to_owned())]);
    assert_eq!(file.entries[0].created_at.as_deref(), Some("2026-01-31T09:00:00Z"));
}

#[test]
fn a_stored_login_is_read() {
    let file = TokenFile::parse(&file().to_string()).unwrap();
    let Kind::Oauth(login) = &file.entries[1].kind else { panic!("{:?}", file.entries[1]) };
    assert_eq!(login.access_token.expose_secret(), "canary-access");
    assert_eq!(login.refresh_token.as_ref().unwrap().expose_secret(), "canary-refresh");
    assert_eq!(login.id_token.as_ref().unwrap().expose_secret(), "canary-id");
    assert_eq!(login.origin("auth").unwrap().to_string(), "https://auth.example");
    assert_eq!(login.expires_at.unwrap().to_string(), "2026-01-31T10:00:00Z");
    assert_eq!(login.follows.as_ref().unwrap().source, "codex-cli");
    assert_eq!(login.refreshing.unwrap().since.to_string(), "2026-01-31T09:50:00Z");
    assert_eq!(login.log_in_again.as_ref().unwrap().reason, "refresh_token_reused");
}

#[test]
fn a_login_may_hold_no_more_than_an_access_token_and_its_origins() {
    let mut least = file();
    least["credentials"] = json!([{
        "provider": "p", "label": "default", "kind": "oauth",
        "origins": { "api": "https://api.example" }, "secret": { "access_token": "canary" },
    }]);
    let read = TokenFile::parse(&least.to_string()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(read.to_json().expose_secret()).unwrap(), least);
}

#[test]
fn an_entry_of_an_unknown_kind_is_kept_with_its_label() {
    let file = TokenFile::parse(&file().to_string()).unwrap();
    assert_eq!(file.entries[2].label, "default");
    assert!(matches!(&file.entries[2].kind, Kind::Other(kind) if kind == "passkey"));
}

#[test]
fn what_is_not_understood_survives_a_round_trip() {
    let mut expected = file();
    let once = TokenFile::parse(&expected.to_string()).unwrap().to_json();
    expected["credentials"][0]["origins"]["api"] = json!("https://api.openai.com/v1");
    assert_eq!(serde_json::from_str::<Value>(once.expose_secret()).unwrap(), expected);
    let twice = TokenFile::parse(once.expose_secret()).unwrap().to_json();
    assert_eq!(twice.expose_secret(), once.expose_secret());
}

#[test]
fn a_fault_names_its_place() {
    assert_eq!(TokenFile::parse("{\n  \"version\": 1,,\n").unwrap_err(), Fault::Syntax { line: 2, column: 16 });
    for empty in ["", " \n"] {
        assert_eq!(TokenFile::parse(empty).unwrap_err(), Fault::Empty);
    }
    for (fault, text) in [
        (fault(|file| *file = json!([])), "it holds a list where an object"),
        (fault(|file| *file = json!("canary")), "it holds a text where an object"),
        (fault(|file| *file = json!(null)), "it holds null where an object"),
        (fault(|file| file["version"] = json!("1")), "`version` is missing"),
        (fault(|file| file["version"] = json!(2)), "version 2"),
        (fault(|file| file["credentials"] = json!({})), "`credentials` is missing or not a list"),
        (fault(|file| file["credentials"][1] = json!(3)), "`credentials[1]` is not an object"),
        (fault(|file| file["credentials"][0]["label"] = json!("a b")), "`credentials[0].label`"),
        (fault(|file| file["credentials"][0]["secret"] = json!({})), "`credentials[0].secret.key` is missing"),
        (fault(|file| file["credentials"][0]["origins"] = json!({})), "`credentials[0].origins` names no address"),
        (
            fault(|file| file["credentials"][0]["origins"]["api"] = json!("x")),
            "`credentials[0].origins.api` is refused",
        ),
        (fault(|file| file["credentials"][0]["claims"]["plan"] = json!(1)), "`credentials[0].claims.plan`"),
        (
            fault(|file| file["credentials"][1]["secret"]["access_token"] = json!(1)),
            "`credentials[1].secret.access_token`",
        ),
        (
            fault(|file| file["credentials"][1]["expires_at"] = json!("soon")),
            "`credentials[1].expires_at` is not a time",
        ),
        (fault(|file| file["credentials"][1]["follows"] = json!({})), "`credentials[1].follows.source`"),
        (fault(|file| file["credentials"][1] = file["credentials"][0].clone()), "second entry for openai@work"),
    ] {
        assert!(fault.contains(text), "{fault}");
    }
}

#[test]
fn neither_a_fault_nor_debug_shows_a_secret() {
    let debug = format!("{:?}", TokenFile::parse(&file().to_string()).unwrap());
    assert!(!debug.contains("canary") && debug.contains("later"), "{debug}");
    let text = file().to_string();
    for end in 0..text.len() {
        let fault = TokenFile::parse(&text[..end]).expect_err("cut off").to_string();
        assert!(!fault.contains("canary"), "{fault}");
    }
    let fault = fault(|file| file["credentials"][0]["secret"] = json!("sk-canary-key"));
    assert!(!fault.contains("canary"), "{fault}");
}

#[test]
fn labels_are_short_and_plain() {
    for label in ["default", "me@work.example", "a+b_c-d.e", &"x".repeat(64)] {
        assert!(is_label(label), "{label}");
    }
    for label in ["", "a b", "a:b", "a/b", "é", &"x".repeat(65)] {
        assert!(!is_label(label), "{label}");
    }
}
