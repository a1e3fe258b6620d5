//! How somebody logs in at the issuer: the page that sends the browser back, and the code for another device. Whoever
//! comes is let in at once.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::reply::Reply;

/// The verifier that the issuer makes up for a device: it plays both sides of PKCE.
const DEVICE_VERIFIER: &str = "canary-verifier-of-the-issuer-0123456789-0123456789";

pub(super) struct Codes {
    /// Who logs in.
    pub account: String,
    /// The error that everybody gets instead.
    pub denied: Option<(String, String)>,
    /// How many polls find nothing, and with which status.
    pub waits: (u32, u16),
    granted: HashMap<String, Granted>,
    devices: HashMap<String, String>,
    number: u32,
}

/// A code that waits to be exchanged.
struct Granted {
    client_id: String,
    challenge: String,
    /// A path where it is the issuer's own.
    redirect_uri: String,
    account: String,
}

impl Default for Codes {
    fn default() -> Self {
        Codes {
            account: "acc-e2e".into(),
            denied: None,
            waits: (0, 403),
            granted: HashMap::new(),
            devices: HashMap::new(),
            number: 0,
        }
    }
}

impl Codes {
    /// Sends the browser back, as somebody does who agrees.
    pub(super) fn authorize(&mut self, query: &HashMap<String, String>) -> Reply {
        let of = |name: &str| query.get(name).cloned().unwrap_or_default();
        let sound =
            of("response_type") == "code" && of("code_challenge_method") == "S256" && of("code_challenge").len() == 43;
        if !sound || of("state").len() < 43 || of("client_id").is_empty() || of("scope").is_empty() {
            return Reply::body("text/plain", format!("what is this? {query:?}")).status(400);
        }
        let redirect_uri = of("redirect_uri");
        let brought = match &self.denied {
            Some((error, description)) => format!("error={error}&error_description={}", encoded(description)),
            None => {
                let account = self.account.clone();
                let (client_id, challenge) = (of("client_id"), of("code_challenge"));
                let granted = Granted { client_id, challenge, redirect_uri: redirect_uri.clone(), account };
                format!("code={}&scope=openid", self.grant(granted))
            }
        };
        let location = format!("{redirect_uri}?{brought}&state={}", of("state"));
        Reply::body("text/plain", "").status(302).header("location", &location)
    }

    /// Gives a device a code that is entered after some polls.
    pub(super) fn user_code(&mut self, client_id: &str) -> Reply {
        self.number += 1;
        let id = format!("deviceauth_{}", self.number);
        self.devices.insert(id.clone(), client_id.to_owned());
        // The interval is a text there.
        Reply::json(&json!({ "device_auth_id": id, "user_code": "E2E7-CODE", "interval": "1" }))
    }

    pub(super) fn poll(&mut self, id: &str, user_code: &str) -> Reply {
        let Some(client_id) = self.devices.get(id).filter(|_| user_code == "E2E7-CODE").cloned() else {
            return Reply::json(&json!({ "error": "unknown" })).status(400);
        };
        let (left, status) = self.waits;
        if left > 0 {
            self.waits.0 = left - 1;
            return Reply::json(&json!({ "error": { "code": "deviceauth_authorization_unknown" } })).status(status);
        }
        let challenge = challenge(DEVICE_VERIFIER);
        let (redirect_uri, account) = ("/deviceauth/callback".to_owned(), self.account.clone());
        let code = self.grant(Granted { client_id, challenge: challenge.clone(), redirect_uri, account });
        Reply::json(
            &json!({ "authorization_code": code, "code_challenge": challenge, "code_verifier": DEVICE_VERIFIER }),
        )
    }

    /// Whose code it is, where all that RFC 6749 and 7636 want is there. `origin` is the issuer's own.
    pub(super) fn exchange(&mut self, sent: &HashMap<String, String>, origin: &str) -> Result<String, &'static str> {
        let of = |name: &str| sent.get(name).cloned().unwrap_or_default();
        let granted = self.granted.remove(&of("code")).ok_or("invalid_grant")?;
        let expected = match granted.redirect_uri.starts_with('/') {
            true => format!("{origin}{}", granted.redirect_uri),
            false => granted.redirect_uri,
        };
        match () {
            () if of("client_id") != granted.client_id => Err("invalid_client"),
            () if of("redirect_uri") != expected => Err("redirect_uri_mismatch"),
            () if challenge(&of("code_verifier")) != granted.challenge => Err("pkce_mismatch"),
            () => Ok(granted.account),
        }
    }

    fn grant(&mut self, granted: Granted) -> String {
        self.number += 1;
        let code = format!("ac_canary-code-{}", self.number);
        self.granted.insert(code.clone(), granted);
        code
    }
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
