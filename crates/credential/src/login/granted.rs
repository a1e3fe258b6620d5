//! A token endpoint's success, as the crate `oauth2` asks for it. The crate's own type wants a `token_type` and whole
//! seconds, which not every issuer gives; this one takes what [`Tokens`] takes, and shows nothing of it.

use std::fmt;
use std::time::Duration;

use bitrouter_files::Timestamp;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::issuer::Tokens;

/// The tokens of a success. Only the access token must be there.
pub(super) struct Granted {
    access_token: AccessToken,
    rest: Tokens,
}

impl Granted {
    /// What was granted, at this moment by the issuer's clock.
    pub(super) fn tokens(self, at: Timestamp) -> Tokens {
        Tokens { access_token: Some(self.access_token.into_secret().into()), at, ..self.rest }
    }
}

impl<'de> Deserialize<'de> for Granted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut body = Map::deserialize(deserializer)?;
        let access_token = match body.remove("access_token") {
            Some(Value::String(token)) if !token.is_empty() => AccessToken::new(token),
            _ => return Err(D::Error::missing_field("access_token")),
        };
        Ok(Granted { access_token, rest: Tokens::read(&body, Timestamp::now()) })
    }
}

impl Serialize for Granted {
    /// The crate asks for it and never calls it. A token is not written anywhere but by the store.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").finish_non_exhaustive()
    }
}

impl TokenResponse for Granted {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        self.rest.expires_in
    }

    /// It stays with the rest, in a type that is wiped.
    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn what_issuers_leave_out_or_write_in_their_own_way_is_taken() {
        let text = r#"{"access_token": "canary-a", "refresh_token": "canary-r", "expires_in": "3600", "more": {}}"#;
        let granted: Granted = serde_json::from_str(text).unwrap();
        assert!(!format!("{granted:?}").contains("canary"));
        assert_eq!(serde_json::to_string(&granted).unwrap(), "null");
        let tokens = granted.tokens("2026-01-31T09:00:00Z".parse().unwrap());
        assert_eq!(tokens.access_token.unwrap().expose_secret(), "canary-a");
        assert_eq!(tokens.refresh_token.unwrap().expose_secret(), "canary-r");
        assert_eq!(tokens.expires_in, Some(Duration::from_secs(3600)));
        assert_eq!(tokens.at.to_string(), "2026-01-31T09:00:00Z");
    }

    #[test]
    fn an_answer_without_an_access_token_is_none() {
        for text in [r#"{"id_token": "canary"}"#, r#"{"access_token": ""}"#, r#"{"access_token": 1}"#, "[]"] {
            let error = serde_json::from_str::<Granted>(text).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
