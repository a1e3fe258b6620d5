//! A component's login with what the config puts in the place of its members, so that a value which an issuer changes
//! needs no new component.

use bitrouter_contract::description::{Auth, Description};
use bitrouter_contract::validate::auth_problem;
use serde_json::{Map, Value};

/// What a config may not change: what a login is, and which origins its tokens go to.
const FIXED: [&str; 3] = ["method", "origin", "origins"];

/// The ways of paying, as the config has them.
pub(super) fn auth(description: &Description, changes: &Map<String, Value>) -> Result<Vec<Auth>, String> {
    let mut auth = description.auth.clone();
    if changes.is_empty() {
        return Ok(auth);
    }
    let Some(login) = auth.iter_mut().find(|auth| matches!(auth, Auth::Oauth(_))) else {
        return Err("`auth`: this provider takes no logins. Take it out".into());
    };
    let mut merged = serde_json::to_value(&*login).map_err(|error| error.to_string())?;
    for (name, change) in changes {
        // A name that the login does not have would be a mistake that nobody notices.
        if FIXED.contains(&name.as_str()) || merged.get(name).is_none() {
            return Err(format!("`auth.{name}` is not a member of the login that can be changed"));
        }
        merge(&mut merged[name], change);
    }
    *login = serde_json::from_value(merged).map_err(|error| format!("`auth`: {error}"))?;
    match auth_problem(login, &description.origins) {
        None => Ok(auth),
        Some((member, problem)) => Err(format!("`auth.{member}`: {problem}")),
    }
}

/// RFC 7396: objects are merged, null takes a member out, all else is replaced.
fn merge(into: &mut Value, change: &Value) {
    let Value::Object(changes) = change else {
        *into = change.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (name, change) in changes {
        match change {
            Value::Null => drop(into.as_object_mut().and_then(|into| into.shift_remove(name))),
            change => merge(&mut into[name], change),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn description() -> Description {
        serde_json::from_value(json!({
            "id": "p", "name": "P", "version": "1", "serves": { "generate": ["responses"] },
            "origins": { "api": "https://api.example", "auth": "https://auth.example" },
            "auth": [{
                "method": "oauth", "client_id": "app", "scopes": ["a"], "token": { "path": "/token" },
                "login": [{ "flow": "import", "source": "codex-cli" }],
                "refresh": { "path": "/token", "encoding": "json", "on_expiry": { "why": "x" } },
                "attach": [{ "header": "authorization", "format": "Bearer {}" }],
            }],
        }))
        .unwrap()
    }

    fn changed(changes: Value) -> Result<Value, String> {
        let Value::Object(changes) = changes else { panic!("no object") };
        auth(&description(), &changes).map(|auth| serde_json::to_value(&auth[0]).unwrap())
    }

    #[test]
    fn members_take_the_place_of_the_components_own() {
        let login =
            changed(json!({ "client_id": "other", "scopes": ["b"], "refresh": { "early": 60, "on_expiry": null } }));
        let login = login.unwrap();
        assert_eq!((&login["client_id"], &login["scopes"]), (&json!("other"), &json!(["b"])));
        assert_eq!((&login["refresh"]["path"], &login["refresh"]["early"]), (&json!("/token"), &json!(60)));
        assert_eq!(login["refresh"]["on_expiry"], json!({}));
        assert_eq!(changed(json!({})).unwrap()["client_id"], "app");
    }

    #[test]
    fn where_tokens_go_is_not_changed_here() {
        for name in ["origin", "origins", "method", "client-id"] {
            let error = changed(json!({ name: "x" })).unwrap_err();
            assert!(error.contains(&format!("`auth.{name}`")), "{error}");
        }
    }

    #[test]
    fn a_change_is_checked_like_the_description() {
        let error = changed(json!({ "token": { "path": "token" } })).unwrap_err();
        assert!(error.starts_with("`auth.token.path`: "), "{error}");
        assert!(changed(json!({ "scopes": 1 })).unwrap_err().starts_with("`auth`: "));
        let mut without = description();
        without.auth.clear();
        let changes = Map::from_iter([("client_id".to_owned(), json!("x"))]);
        assert!(auth(&without, &changes).unwrap_err().contains("takes no logins"));
    }
}
