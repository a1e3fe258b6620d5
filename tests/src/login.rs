//! A login to a subscription, as a token file holds it. `Setup::logged_in` writes it and [`crate::ChatGpt`] knows it. No
//! token is signed: neither the gateway nor the Codex CLI verifies a signature.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Long after the test, and long before it: seconds since 1970, and the same moment as RFC 3339.
const NEVER: (u64, &str) = (4_070_908_800, "2099-01-01T00:00:00Z");
const LONG_AGO: (u64, &str) = (1_577_836_800, "2020-01-01T00:00:00Z");

/// The tokens of one account, different from those of every other login.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account's id, which is also a claim of both JWTs.
    pub account_id: String,
    /// Whose account it is, a claim too.
    pub user_id: String,
    /// A JWT.
    pub access_token: String,
    /// Opaque.
    pub refresh_token: String,
    /// A JWT.
    pub id_token: String,
    expires_at: &'static str,
}

impl Login {
    /// A login of this account that expires long after the test.
    pub fn of(account_id: &str) -> Self {
        Self::until(account_id, NEVER)
    }

    /// A login of this account whose access token has expired.
    pub fn expired(account_id: &str) -> Self {
        Self::until(account_id, LONG_AGO)
    }

    /// What an issuer gave for this account, with an access token that is said to have expired.
    pub fn over(account_id: &str, tokens: &Value) -> Self {
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let [access_token, refresh_token, id_token] = ["access_token", "refresh_token", "id_token"].map(token);
        let (account_id, user_id) = (account_id.to_owned(), format!("user-of-{account_id}"));
        Login { account_id, user_id, access_token, refresh_token, id_token, expires_at: LONG_AGO.1 }
    }

    /// A login as an entry of `oauth-tokens.json` has it.
    pub fn stored(entry: &Value) -> Self {
        let text = |pointer: &str| entry.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Login {
            account_id: text("/claims/account_id"),
            user_id: text("/claims/user_id"),
            access_token: text("/secret/access_token"),
            refresh_token: text("/secret/refresh_token"),
            id_token: text("/secret/id_token"),
            expires_at: NEVER.1,
        }
    }

    fn until(account_id: &str, (exp, expires_at): (u64, &'static str)) -> Self {
        static ISSUED: AtomicU32 = AtomicU32::new(1);
        let number = ISSUED.fetch_add(1, Ordering::SeqCst);
        let token = |kind: &str| {
            // The names are those of the real tokens.
            let account = json!({
                "chatgpt_account_id": account_id, "chatgpt_user_id": "user-e2e", "chatgpt_plan_type": "plus",
            });
            jwt(&json!({
                "jti": format!("{kind}-{number}"), "iat": LONG_AGO.0, "exp": exp, "email": "somebody@example.com",
                "https://api.openai.com/auth": account,
            }))
        };
        Login {
            account_id: account_id.to_owned(),
            user_id: "user-e2e".to_owned(),
            access_token: token("access"),
            refresh_token: format!("rt_e2e-canary-{number}"),
            id_token: token("id"),
            expires_at,
        }
    }

    /// Its entry of `oauth-tokens.json`, bound to these origins.
    pub(crate) fn entry(&self, provider: &str, label: &str, origins: &Value) -> Value {
        let claims = json!({
            "account_id": self.account_id, "user_id": self.user_id, "plan": "plus", "email": "somebody@example.com",
        });
        let secret = json!({
            "access_token": self.access_token, "refresh_token": self.refresh_token, "id_token": self.id_token,
        });
        json!({
            "provider": provider, "label": label, "kind": "oauth", "from": "browser", "origins": origins,
            "client_id": "app_EMoamEEZ73f0CkXaXp7hrann", "claims": claims, "secret": secret,
            "created_at": LONG_AGO.1, "refreshed_at": LONG_AGO.1, "expires_at": self.expires_at,
        })
    }
}

/// A JWT with these claims and a signature of nobody's.
pub fn jwt(claims: &Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = json!({"alg": "RS256", "typ": "JWT"});
    format!("{}.{}.{}", part(&header.to_string()), part(&claims.to_string()), part("unsigned"))
}
