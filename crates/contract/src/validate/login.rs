//! Checking a login's description: its names exist, its paths stay under its origin, and nothing of it sets what the
//! host sets.

use std::collections::BTreeMap;

use crate::Origin;
use crate::description::IMPORT_SOURCES;
use crate::description::{Device, Login, Oauth, Redirect};

/// Query parameters of an authorization request that the host sets.
const AUTHORIZE: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"];
/// Members of a refresh that the host sets.
const REFRESH: [&str; 3] = ["client_id", "grant_type", "refresh_token"];

/// The hosts that a browser may come back to.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// What is wrong with it, and in which member; none where it is sound. The origins are well-formed.
pub(super) fn problem(oauth: &Oauth, origins: &BTreeMap<String, String>) -> Option<(String, String)> {
    let fault = |member: &str, problem: String| Some((member.to_owned(), problem));
    if oauth.client_id.is_empty() {
        return fault("client_id", "it is empty".into());
    }
    let Some(origin) = origins.get(&oauth.origin).and_then(|url| url.parse::<Origin>().ok()) else {
        return fault("origin", format!("there is no origin named `{}`", oauth.origin));
    };
    if oauth.login.is_empty() {
        return fault("login", "there is no way of logging in".into());
    }
    for (member, path) in paths(oauth) {
        if let Err(error) = origin.join::<&str, &str>(path, &[]) {
            return fault(&member, error.to_string());
        }
    }
    for (at, login) in oauth.login.iter().enumerate() {
        if let Some((member, problem)) = of_login(login) {
            return fault(&format!("login.{at}.{member}"), problem);
        }
    }
    if let Some(refresh) = &oauth.refresh {
        for (member, added) in [("on_expiry", &refresh.on_expiry), ("on_unauthorized", &refresh.on_unauthorized)] {
            if let Some(name) = REFRESH.iter().find(|name| added.contains_key(**name)) {
                return fault(&format!("refresh.{member}"), format!("the host sets `{name}`: leave it out"));
            }
        }
    }
    of_claims(oauth)
}

/// Every path that is joined to the issuer's origin, with its member.
fn paths(oauth: &Oauth) -> Vec<(String, &str)> {
    let mut paths = vec![("token.path".to_owned(), oauth.token.path.as_str())];
    paths.extend(oauth.refresh.iter().map(|refresh| ("refresh.path".to_owned(), refresh.endpoint.path.as_str())));
    paths.extend(oauth.revoke.iter().map(|revoke| ("revoke.path".to_owned(), revoke.path.as_str())));
    for (at, login) in oauth.login.iter().enumerate() {
        let of_login: Vec<(&str, &str)> = match login {
            Login::Browser(browser) => vec![("authorize", &browser.authorize)],
            Login::Device(Device::Rfc8628(device)) => vec![("start", &device.start)],
            Login::Device(Device::CodePoll(device)) => vec![
                ("start", &device.start),
                ("poll", &device.poll),
                ("page", &device.page),
                ("redirect", &device.redirect),
            ],
            Login::Import(_) => Vec::new(),
        };
        paths.extend(of_login.into_iter().map(|(member, path)| (format!("login.{at}.{member}"), path)));
    }
    paths
}

fn of_login(login: &Login) -> Option<(&'static str, String)> {
    match login {
        Login::Browser(browser) => {
            let set = AUTHORIZE.iter().find(|name| browser.parameters.contains_key(**name));
            let set = set.map(|name| ("parameters", format!("the host sets `{name}`: leave it out")));
            set.or_else(|| of_redirect(&browser.redirect))
        }
        Login::Device(_) => None,
        Login::Import(import) if IMPORT_SOURCES.contains(&import.source.as_str()) => None,
        Login::Import(import) => {
            let known = IMPORT_SOURCES.join(", ");
            Some(("source", format!("`{}` is not one that sessions are imported from: {known}", import.source)))
        }
    }
}

fn of_redirect(redirect: &Redirect) -> Option<(&'static str, String)> {
    if !LOOPBACK.contains(&redirect.host.as_str()) {
        return Some(("redirect.host", format!("`{}` is not one of {}", redirect.host, LOOPBACK.join(", "))));
    }
    for (member, path) in [("redirect.path", Some(&redirect.path)), ("redirect.cancel", redirect.cancel.as_ref())] {
        let Some(path) = path else { continue };
        if !path.starts_with('/') {
            return Some((member, format!("the path `{path}` does not begin with `/`")));
        }
        // The prefix of an origin is checked as strictly as any path.
        if let Err(error) = format!("http://{}{path}", redirect.host).parse::<Origin>() {
            return Some((member, error.to_string()));
        }
    }
    redirect.ports.contains(&0).then(|| ("redirect.ports", "0 is no port: leave it out for any free one".into()))
}

fn of_claims(oauth: &Oauth) -> Option<(String, String)> {
    for (name, places) in &oauth.claims {
        if let Some(place) = places.iter().find(|place| !place.pointer.starts_with('/')) {
            return Some((
                format!("claims.{name}"),
                format!("the pointer `{}` does not begin with `/`", place.pointer),
            ));
        }
    }
    let attached = oauth.attach.iter().filter_map(|attach| attach.claim.as_ref()).map(|claim| ("attach", claim));
    let identity = oauth.identity.iter().map(|claim| ("identity", claim));
    attached.chain(identity).find_map(|(member, claim)| {
        let missing = !oauth.claims.contains_key(claim);
        missing.then(|| (member.to_owned(), format!("there is no claim named `{claim}`")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn oauth() -> Value {
        json!({
            "client_id": "app", "origins": ["api"],
            "login": [
                { "flow": "browser", "authorize": "/authorize", "redirect": { "ports": [1455], "path": "/callback" } },
                { "flow": "device", "protocol": "code-poll", "start": "/start", "poll": "/poll", "page": "/page",
                  "redirect": "/done", "pending": [403] },
                { "flow": "device", "protocol": "rfc8628", "start": "/device" },
                { "flow": "import", "source": "codex-cli" },
            ],
            "token": { "path": "/token" },
            "refresh": { "path": "/token", "encoding": "json" },
            "revoke": { "path": "/revoke" },
            "claims": { "account_id": [{ "token": "id", "pointer": "/account" }] },
            "identity": ["account_id"],
            "attach": [{ "header": "authorization", "format": "Bearer {}" }, { "header": "account", "claim": "account_id" }],
        })
    }

    fn check(oauth: Value) -> Option<(String, String)> {
        let origins = [("api", "https://api.example"), ("auth", "https://auth.example/tenant")];
        let origins = origins.map(|(name, url)| (name.to_owned(), url.to_owned())).into();
        problem(&serde_json::from_value(oauth).unwrap(), &origins)
    }

    #[test]
    fn a_sound_login_has_no_problem() {
        assert_eq!(check(oauth()), None);
    }

    #[test]
    fn each_mistake_is_named_with_its_member() {
        for (pointer, value, member, problem) in [
            ("/client_id", json!(""), "client_id", "is empty"),
            ("/origin", json!("login"), "origin", "no origin named `login`"),
            ("/login", json!([]), "login", "no way of logging in"),
            ("/token/path", json!("token"), "token.path", "does not begin with `/`"),
            ("/refresh/path", json!("/../token"), "refresh.path", "segment"),
            ("/revoke/path", json!("/a?b"), "revoke.path", "`?`"),
            ("/login/0/authorize", json!("https://evil.example"), "login.0.authorize", "does not begin with `/`"),
            ("/login/1/poll", json!("poll"), "login.1.poll", "does not begin with `/`"),
            ("/login/2/start", json!(""), "login.2.start", "does not begin with `/`"),
            ("/login/0/parameters", json!({ "state": "x" }), "login.0.parameters", "`state`"),
            ("/login/0/redirect/host", json!("evil.example"), "login.0.redirect.host", "`evil.example`"),
            ("/login/0/redirect/host", json!("localhost:1/x"), "login.0.redirect.host", "localhost"),
            ("/login/0/redirect/path", json!("/a/../b"), "login.0.redirect.path", "segment"),
            ("/login/0/redirect/path", json!("callback"), "login.0.redirect.path", "does not begin with `/`"),
            ("/login/0/redirect/cancel", json!("cancel"), "login.0.redirect.cancel", "does not begin with `/`"),
            ("/login/0/redirect/ports", json!([0]), "login.0.redirect.ports", "0"),
            ("/login/3/source", json!("/etc/passwd"), "login.3.source", "codex-cli"),
            ("/refresh/on_expiry", json!({ "grant_type": "x" }), "refresh.on_expiry", "`grant_type`"),
            ("/claims/account_id/0/pointer", json!("account"), "claims.account_id", "does not begin with `/`"),
            ("/identity/0", json!("user_id"), "identity", "no claim named `user_id`"),
            ("/attach/1/claim", json!("plan"), "attach", "no claim named `plan`"),
        ] {
            let mut wrong = oauth();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let parent = wrong.pointer_mut(parent).unwrap();
            match name.parse::<usize>() {
                Ok(at) if parent.is_array() => parent[at] = value,
                _ => parent[name] = value,
            }
            let (found, sentence) = check(wrong).unwrap_or_else(|| panic!("{pointer} is taken"));
            assert!(found == member && sentence.contains(problem), "{pointer}: {found}: {sentence}");
        }
    }
}
