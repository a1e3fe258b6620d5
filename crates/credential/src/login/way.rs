//! The ways of logging in that a provider has.

use bitrouter_contract::description::{
    ApiKey, Auth, Browser, Device, GoogleServiceAccount, Import, Login, Oauth, Secret,
};

use crate::vendor;

/// One way of getting a credential.
#[derive(Clone, Debug)]
pub enum Way {
    /// A browser on this machine.
    Browser(Box<Oauth>, Browser),
    /// A browser anywhere, whose last address is pasted.
    Paste(Box<Oauth>, Browser),
    /// A code that is entered anywhere.
    Device(Box<Oauth>, Device),
    /// Another program's session.
    Import(Box<Oauth>, Import),
    /// A key that the user has.
    ApiKey(ApiKey),
    /// Several secrets that the user has.
    Secrets(Box<Auth>),
    /// A key file that the user has.
    KeyFile(Box<GoogleServiceAccount>),
}

impl Way {
    /// What a provider has, the best first.
    pub fn all(auth: &[Auth]) -> Vec<Way> {
        let of = |auth: &Auth| match auth {
            Auth::ApiKey(key) => vec![Way::ApiKey(key.clone())],
            Auth::GoogleServiceAccount(google) => vec![Way::KeyFile(google.clone())],
            Auth::Keys(_) | Auth::Basic(_) | Auth::AwsSigv4(_) | Auth::Exchange(_) => {
                vec![Way::Secrets(Box::new(auth.clone()))]
            }
            Auth::Oauth(oauth) => {
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
            Way::Secrets(_) => "--secrets-stdin",
            Way::KeyFile(_) => "--file",
        }
    }

    /// How it is called in a menu.
    pub fn name(&self) -> String {
        match self {
            Way::Browser(..) => "Log in with your browser".into(),
            Way::Paste(..) => "Log in with a browser, and paste here the address that it ends at".into(),
            Way::Device(..) => "Log in on any device, with a code".into(),
            Way::Import(_, import) => format!("Share the session of {}", vendor::program(&import.source)),
            Way::ApiKey(_) => "Enter an API key".into(),
            Way::Secrets(auth) => {
                let asked: Vec<&str> = auth.secrets().iter().map(Secret::asked).collect();
                format!("Enter {}", asked.join(", "))
            }
            Way::KeyFile(_) => "Take a key file (--file)".into(),
        }
    }
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
        let flags: Vec<_> = Way::all(&auth()).iter().map(Way::flag).collect();
        assert_eq!(flags, ["--device", "--browser", "--import", "--api-key-stdin"]);
    }
}
