//! The ways of logging in that a provider has, and what the user's config changes about them.

use crate::config::LoginOverrides;
use crate::plugin::description::{ApiKey, Auth, Browser, Device, Import, Login, Oauth};

/// One way of getting a credential.
#[derive(Clone, Debug)]
pub enum Way {
    /// A browser on this machine.
    Browser(Oauth, Browser),
    /// A browser anywhere, whose last address is pasted.
    Paste(Oauth, Browser),
    /// A code that is entered anywhere.
    Device(Oauth, Device),
    /// Another program's session.
    Import(Oauth, Import),
    /// A key that the user has.
    ApiKey(ApiKey),
}

impl Way {
    /// What a provider has, the best first, with the config's changes.
    pub fn all(auth: &[Auth], overrides: &LoginOverrides) -> Vec<Way> {
        let of = |auth: &Auth| match auth {
            Auth::ApiKey(key) => vec![Way::ApiKey(key.clone())],
            Auth::Oauth(oauth) => {
                let oauth = configured(oauth, overrides);
                let way = |login: &Login| match login.clone() {
                    Login::Browser(browser) => Way::Browser(oauth.clone(), browser),
                    Login::Device(device) => Way::Device(oauth.clone(), device),
                    Login::Import(import) => Way::Import(oauth.clone(), import),
                };
                oauth.login.iter().map(way).collect()
            }
        };
        auth.iter().flat_map(of).collect()
    }

    /// The flag that chooses it.
    pub fn flag(&self) -> &'static str {
        match self {
            Way::Browser(..) | Way::Paste(..) => "--browser",
            Way::Device(..) => "--device",
            Way::Import(..) => "--import",
            Way::ApiKey(_) => "--api-key-stdin",
        }
    }

    /// How it is called in a menu.
    pub fn name(&self) -> String {
        match self {
            Way::Browser(..) => "Log in with your browser".into(),
            Way::Paste(..) => "Log in with a browser, and paste here the address that it ends at".into(),
            Way::Device(..) => "Log in on any device, with a code".into(),
            Way::Import(_, import) => format!("Import an existing session from the vendor CLI ({})", import.source),
            Way::ApiKey(_) => "Enter an API key".into(),
        }
    }
}

/// The description's login with what the config puts in its place.
fn configured(oauth: &Oauth, overrides: &LoginOverrides) -> Oauth {
    let mut oauth = oauth.clone();
    let LoginOverrides { client_id, scopes, ports, redirect_host } = overrides.clone();
    oauth.client_id = client_id.unwrap_or(oauth.client_id);
    oauth.scopes = scopes.unwrap_or(oauth.scopes);
    for login in &mut oauth.login {
        if let Login::Browser(browser) = login {
            let redirect = &mut browser.redirect;
            if let Some(ports) = &ports {
                redirect.ports.clone_from(ports);
            }
            if let Some(host) = &redirect_host {
                redirect.host.clone_from(host);
            }
        }
    }
    oauth
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn auth() -> Vec<Auth> {
        serde_json::from_value(json!([
            { "method": "oauth", "client_id": "app", "scopes": ["a"], "token": { "path": "/token" }, "attach": [],
              "login": [
                { "flow": "device", "protocol": "rfc8628", "start": "/device" },
                { "flow": "browser", "authorize": "/authorize", "redirect": { "ports": [1455], "path": "/callback" } },
                { "flow": "import", "source": "codex-cli" },
              ] },
            { "method": "api-key", "attach": [{ "header": "authorization" }] },
        ]))
        .unwrap()
    }

    #[test]
    fn the_ways_are_in_the_order_of_the_description() {
        let flags: Vec<_> = Way::all(&auth(), &LoginOverrides::default()).iter().map(Way::flag).collect();
        assert_eq!(flags, ["--device", "--browser", "--import", "--api-key-stdin"]);
    }

    #[test]
    fn the_config_wins_over_the_description_and_only_in_what_it_names() {
        let overrides = LoginOverrides {
            client_id: Some("other".into()),
            ports: Some(vec![9, 10]),
            redirect_host: Some("localhost".into()),
            scopes: None,
        };
        let ways = Way::all(&auth(), &overrides);
        let Way::Browser(oauth, browser) = &ways[1] else { panic!("{ways:?}") };
        assert_eq!((oauth.client_id.as_str(), oauth.scopes.as_slice()), ("other", &["a".to_owned()][..]));
        assert_eq!((browser.redirect.host.as_str(), &browser.redirect.ports[..]), ("localhost", &[9, 10][..]));
    }
}
