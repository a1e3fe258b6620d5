//! Reading what the tokens of a login say of its account, as the description says where it stands.
//!
//! Login and refresh ask. A token is read, never verified: it came from the issuer itself, over TLS, and what it says is
//! used to name the account, never to let anybody in.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bitrouter_contract::description::{ClaimPlace, TokenName};
use bitrouter_files::Timestamp;
use serde_json::Value;

/// The longest value of a claim, in bytes; a longer one is left out. A component is shown claims in every call.
pub const LONGEST_CLAIM: usize = 256;

/// The claims that these tokens hold, by name: of each the first of its places that holds a text, a number or a boolean.
/// What is in none of its places is left out, and so is a token that is no JWT.
pub fn of_tokens(
    places: &BTreeMap<String, Vec<ClaimPlace>>,
    id_token: Option<&str>,
    access_token: &str,
) -> Vec<(String, String)> {
    let (id, access) = (id_token.and_then(payload), payload(access_token));
    let read = |place: &ClaimPlace| {
        let token = match place.token {
            TokenName::Id => id.as_ref(),
            TokenName::Access => access.as_ref(),
        };
        text(token?.pointer(&place.pointer)?)
    };
    places.iter().filter_map(|(name, places)| Some((name.clone(), places.iter().find_map(read)?))).collect()
}

/// When a token expires: the `exp` of a JWT (RFC 7519, section 4.1.4).
pub fn expires_at(token: &str) -> Option<Timestamp> {
    let exp = payload(token)?.get("exp")?.clone();
    // A NumericDate may have a fraction.
    let seconds = exp.as_i64().or_else(|| exp.as_f64().filter(|exp| exp.is_finite()).map(|exp| exp as i64))?;
    Timestamp::from_unix(seconds)
}

/// Whether two sets of claims are of the same account: they agree in every claim of `identity`, and have one of them at
/// least. Without any to go by it is not known, and `None`.
pub fn same_account(identity: &[String], one: &[(String, String)], other: &[(String, String)]) -> Option<bool> {
    fn of<'c>(claims: &'c [(String, String)], name: &str) -> Option<&'c str> {
        claims.iter().find(|(claim, _)| claim == name).map(|(_, value)| value.as_str())
    }
    let known: Vec<_> = identity
        .iter()
        .map(|name| (of(one, name), of(other, name)))
        .filter(|(one, other)| one.is_some() && other.is_some())
        .collect();
    (!known.is_empty()).then(|| known.iter().all(|(one, other)| one == other))
}

fn payload(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let fits = !text.is_empty() && text.len() <= LONGEST_CLAIM && !text.chars().any(char::is_control);
    fits.then_some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A token of this payload, signed by nobody.
    pub(crate) fn jwt(payload: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.sig", part(&json!({ "alg": "none" })), part(payload))
    }

    fn places() -> BTreeMap<String, Vec<ClaimPlace>> {
        serde_json::from_value(json!({
            "account_id": [
                { "token": "id", "pointer": "/https:~1~1issuer.example~1auth/account_id" },
                { "token": "access", "pointer": "/account_id" },
            ],
            "plan": [{ "token": "id", "pointer": "/plan" }],
        }))
        .unwrap()
    }

    #[test]
    fn the_first_place_that_holds_a_claim_wins() {
        let id = jwt(&json!({ "https://issuer.example/auth": { "account_id": "acct-1" }, "plan": 7 }));
        let access = jwt(&json!({ "account_id": "acct-2" }));
        let found = |claims: &[(&str, &str)]| -> Vec<(String, String)> {
            claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(of_tokens(&places(), Some(&id), &access), found(&[("account_id", "acct-1"), ("plan", "7")]));
        assert_eq!(of_tokens(&places(), None, &access), found(&[("account_id", "acct-2")]));
    }

    #[test]
    fn what_is_no_text_or_no_token_is_left_out() {
        let odd = [json!(null), json!([1]), json!({}), json!(""), json!("a\nb"), json!("x".repeat(LONGEST_CLAIM + 1))];
        for value in odd {
            assert!(of_tokens(&places(), Some(&jwt(&json!({ "plan": value }))), "opaque").is_empty(), "{value}");
        }
        for token in ["", "a.b", "a.!.c", "a.bnVsbA.c", "..", "a..c"] {
            assert!(of_tokens(&places(), Some(token), token).is_empty(), "{token}");
            assert_eq!(expires_at(token), None);
        }
    }

    #[test]
    fn the_expiry_is_read_with_or_without_a_fraction() {
        assert_eq!(expires_at(&jwt(&json!({ "exp": 1_800_000_000 }))), Timestamp::from_unix(1_800_000_000));
        assert_eq!(expires_at(&jwt(&json!({ "exp": 1_800_000_000.5 }))), Timestamp::from_unix(1_800_000_000));
        assert_eq!(expires_at(&jwt(&json!({ "exp": "soon" }))), None);
    }

    #[test]
    fn two_workspaces_of_one_login_are_two_accounts() {
        let identity = ["account_id".to_owned(), "user_id".to_owned()];
        let claims =
            |account: &str| vec![("account_id".to_owned(), account.to_owned()), ("user_id".to_owned(), "u".to_owned())];
        assert_eq!(same_account(&identity, &claims("a"), &claims("a")), Some(true));
        assert_eq!(same_account(&identity, &claims("a"), &claims("b")), Some(false));
        assert_eq!(same_account(&identity, &claims("a"), &[]), None);
        assert_eq!(same_account(&[], &claims("a"), &claims("a")), None);
    }
}
