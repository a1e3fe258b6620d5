//! Key files: what is read, what is refused with a way out, and an assertion whose signature holds.

use bitrouter_tests::{SERVICE_ACCOUNT, SERVICE_ACCOUNT_KEY, key_file};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::json;

use super::*;

const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

fn refused(file: &Value) -> String {
    check_key_file(&file.to_string().into(), TOKEN_URL).unwrap_err()
}

#[test]
fn a_service_accounts_file_and_a_users_are_taken() {
    let file = key_file(TOKEN_URL);
    assert_eq!(check_key_file(&file.to_string().into(), TOKEN_URL), Ok(()));
    let read = KeyFile::read(&file.to_string().into(), TOKEN_URL).unwrap();
    assert_eq!(read.claims, [("project_id".into(), "example".into()), ("email".into(), SERVICE_ACCOUNT.into())]);
    let user = json!({ "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
                       "quota_project_id": "q" });
    assert_eq!(check_key_file(&user.to_string().into(), TOKEN_URL), Ok(()));
}

#[test]
fn a_file_that_names_another_place_for_its_tokens_is_refused() {
    let why = refused(&key_file("https://evil.example/token"));
    assert!(why.contains("`https://evil.example/token`") && why.contains(TOKEN_URL), "{why}");
    assert!(!why.contains("PRIVATE"), "{why}");
}

#[test]
fn what_is_not_done_here_is_said_with_the_way_out() {
    for (kind, says) in [
        ("external_account", "print-access-token"),
        ("impersonated_service_account", "print-access-token"),
        ("gdch_service_account", "is no key file"),
    ] {
        let mut file = key_file(TOKEN_URL);
        file["type"] = kind.into();
        assert!(refused(&file).contains(says), "{kind}");
    }
    let mut file = key_file(TOKEN_URL);
    file["private_key"] = "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----".into();
    let why = refused(&file);
    assert!(why.contains("PKCS #8") && !why.contains("canary"), "{why}");
    assert!(check_key_file(&"{".into(), TOKEN_URL).unwrap_err().contains("is not JSON"));
}

#[test]
fn an_assertion_says_who_for_whom_and_for_how_long_and_is_signed() {
    let now = Timestamp::from_unix(1_800_000_000).unwrap();
    let key = SecretString::from(SERVICE_ACCOUNT_KEY);
    let scopes = ["a".to_owned(), "b".to_owned()];
    let signed = assertion((SERVICE_ACCOUNT, Some("key-1"), &key), TOKEN_URL, &scopes, now).unwrap();
    let parts: Vec<&str> = signed.expose_secret().split('.').collect();
    let json = |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(json(parts[0]), json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
    let claims = json!({ "iss": SERVICE_ACCOUNT, "scope": "a b", "aud": TOKEN_URL, "iat": now.unix(), "exp": now.unix() + 3600 });
    assert_eq!(json(parts[1]), claims);
    let public = key_pair(&key).unwrap().public_key().as_ref().to_vec();
    let message = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(message.as_bytes(), &signature).unwrap();
}
