//! A stored login: the tokens of an account, and where they stand in their life.

use std::path::PathBuf;

use bitrouter_contract::Origin;
use bitrouter_files::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::fields::{Fields, Rest};
use super::{Fault, object, put_binding};

/// The tokens of an account that the user logged in to.
///
/// ```json
/// { "provider": "openai-codex", "label": "default", "kind": "oauth", "created_at": "2026-01-31T09:00:00Z",
///   "origins": { "api": "https://chatgpt.com/backend-api/codex", "auth": "https://auth.openai.com" },
///   "client_id": "app_…", "claims": { "plan": "plus" },
///   "expires_at": "2026-01-31T10:00:00Z", "refreshed_at": "2026-01-31T09:00:00Z", "from": "browser",
///   "secret": { "access_token": "…", "refresh_token": "…", "id_token": "…" } }
/// ```
///
/// Only `origins` and `secret.access_token` must be there.
#[derive(Clone, Debug)]
pub struct StoredLogin {
    /// Goes to the recorded origins that the description's `origins` name.
    pub access_token: SecretString,
    /// Goes to the recorded origin of the issuer alone.
    pub refresh_token: Option<SecretString>,
    /// Goes nowhere: its claims are read once.
    pub id_token: Option<SecretString>,
    /// The origins that were accepted at the login, by name. At least one.
    pub origins: Vec<(String, Origin)>,
    /// The client that the tokens were issued to; the description's where nothing is said.
    pub client_id: Option<String>,
    /// What is known of the account, none of it secret.
    pub claims: Vec<(String, String)>,
    /// When the access token expires, by the issuer's clock.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were issued, by the issuer's clock.
    pub refreshed_at: Option<Timestamp>,
    /// How the user logged in: `browser`, `device` or `import`.
    pub from: Option<String>,
    /// The file of another program that this session is shared with.
    pub follows: Option<Follows>,
    /// A refresh is under way, or was cut off.
    pub refreshing: Option<Refreshing>,
    /// Only a new login helps.
    pub log_in_again: Option<LogInAgain>,
    secret_rest: Rest,
}

/// The file of another program that a session is shared with.
#[derive(Clone, Debug)]
pub struct Follows {
    /// One of the closed list in [`vendor`](crate::vendor).
    pub source: String,
    /// The file, absolute.
    pub file: PathBuf,
}

/// The record of a refresh that was begun. It stands in the file while the answer is not yet stored.
#[derive(Clone, Copy, Debug)]
pub struct Refreshing {
    /// When it was begun.
    pub since: Timestamp,
}

/// The record that the issuer takes the refresh token no more.
#[derive(Clone, Debug)]
pub struct LogInAgain {
    /// When that was found.
    pub since: Timestamp,
    /// The issuer's error code.
    pub reason: String,
}

impl StoredLogin {
    /// A login with this access token, bound to these origins. All else is not known yet.
    pub fn new(access_token: SecretString, origins: Vec<(String, Origin)>) -> Self {
        StoredLogin {
            access_token,
            refresh_token: None,
            id_token: None,
            origins,
            client_id: None,
            claims: Vec::new(),
            expires_at: None,
            refreshed_at: None,
            from: None,
            follows: None,
            refreshing: None,
            log_in_again: None,
            secret_rest: Rest::default(),
        }
    }

    /// The recorded origin of this name.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.origins.iter().find(|(known, _)| known == name).map(|(_, origin)| origin)
    }

    pub(super) fn parse(entry: &mut Fields) -> Result<Self, Fault> {
        let mut secret = entry.object("secret")?;
        let mut login = StoredLogin::new(secret.secret("access_token")?, entry.origins()?);
        login.refresh_token = secret.maybe("refresh_token", Fields::secret)?;
        login.id_token = secret.maybe("id_token", Fields::secret)?;
        login.secret_rest = secret.rest();
        login.client_id = entry.maybe("client_id", Fields::text)?;
        login.claims = entry.claims()?;
        login.expires_at = entry.maybe("expires_at", Fields::time)?;
        login.refreshed_at = entry.maybe("refreshed_at", Fields::time)?;
        login.from = entry.maybe("from", Fields::text)?;
        let follows = |mut follows: Fields| -> Result<Follows, Fault> {
            Ok(Follows { source: follows.text("source")?, file: follows.text("file")?.into() })
        };
        login.follows = entry.maybe("follows", Fields::object)?.map(follows).transpose()?;
        let refreshing =
            |mut record: Fields| -> Result<Refreshing, Fault> { Ok(Refreshing { since: record.time("since")? }) };
        login.refreshing = entry.maybe("refreshing", Fields::object)?.map(refreshing).transpose()?;
        let again = |mut record: Fields| -> Result<LogInAgain, Fault> {
            Ok(LogInAgain { since: record.time("since")?, reason: record.text("reason")? })
        };
        login.log_in_again = entry.maybe("log_in_again", Fields::object)?.map(again).transpose()?;
        Ok(login)
    }

    pub(super) fn put(&self, entry: &mut Map<String, Value>) {
        put_binding(entry, &self.origins, &self.claims);
        let time = |time: Option<Timestamp>| time.map(|time| json!(time.to_string()));
        let members = [
            ("client_id", self.client_id.as_ref().map(|id| json!(id))),
            ("expires_at", time(self.expires_at)),
            ("refreshed_at", time(self.refreshed_at)),
            ("from", self.from.as_ref().map(|from| json!(from))),
            (
                "follows",
                self.follows.as_ref().map(|it| json!({ "source": it.source, "file": it.file.to_string_lossy() })),
            ),
            ("refreshing", self.refreshing.map(|it| json!({ "since": it.since.to_string() }))),
            (
                "log_in_again",
                self.log_in_again.as_ref().map(|it| json!({ "since": it.since.to_string(), "reason": it.reason })),
            ),
        ];
        entry.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let token = |name: &str, token: &SecretString| (name.to_owned(), json!(token.expose_secret()));
        let mut secret = object(json!({}));
        secret.extend([token("access_token", &self.access_token)]);
        secret.extend(self.refresh_token.iter().map(|refresh| token("refresh_token", refresh)));
        secret.extend(self.id_token.iter().map(|id| token("id_token", id)));
        secret.extend(self.secret_rest.0.clone());
        entry.insert("secret".into(), Value::Object(secret));
    }
}
