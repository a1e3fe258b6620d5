//! `bitrouter accounts`: which accounts there are, whose they are, and whether they work.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::print::{self, Table};
use super::providers::known;
use super::setup::Setup;
use super::{Components, Global, Outcome};
use crate::credential::token_file::{Entry, Kind, StoredLogin};
use crate::credential::{AccountError, Source, Store};
use crate::route::{Provider, Providers};

#[derive(Debug, Args)]
#[command(after_help = "\
Keys of the config and of the environment are listed too. No secret is ever shown.

Examples:
  bitrouter accounts
  bitrouter accounts openai-codex --json")]
pub(super) struct ListAccounts {
    /// Only the accounts of this provider
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

/// One account as it is shown.
#[derive(Debug, Default, Serialize)]
struct Row {
    provider: String,
    label: String,
    email: Option<String>,
    plan: Option<String>,
    /// When the access token expires, RFC 3339.
    expires_at: Option<String>,
    /// When the tokens were issued, RFC 3339.
    refreshed_at: Option<String>,
    health: Health,
    /// What is wrong and the next step, where something is.
    reason: Option<String>,
    /// `browser`, `device`, `import`, `key`, `config` or `env`.
    from: String,
    /// The file of another program that the session is shared with, or the environment variable.
    #[serde(rename = "in")]
    place: Option<String>,
}

/// Whether requests can go out with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Health {
    #[default]
    Ok,
    LogInAgain,
    /// Something else, which the reason names.
    Unusable,
}

impl ListAccounts {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let providers = setup.providers()?;
        let store = Store::new(setup.paths.token_store());
        let mut rows = rows(&providers, &store.read()?.entries);
        if let Some(warning) = store.warning() {
            print::note(&format!("warning: {warning}"));
        }
        if let Some(id) = &self.provider {
            rows.retain(|row| row.provider == *id);
            if rows.is_empty() {
                known(id, &providers)?;
            }
        }
        match self.json {
            true => print::json(&serde_json::json!({ "accounts": rows }))?,
            false if rows.is_empty() => {
                let id = self.provider.as_deref().unwrap_or("PROVIDER");
                print::note(&format!("there are no accounts. To get one: bitrouter login {id}"));
            }
            false => print::answer(&(table(&rows) + &troubles(&rows)))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is stored, and what the config and the environment hold, by provider in the order in which it is used.
fn rows(providers: &Providers, entries: &[Entry]) -> Vec<Row> {
    let mut rows = Vec::new();
    for provider in providers.by_id.values() {
        rows.extend(of_provider(provider, entries));
    }
    let loaded = |entry: &&Entry| !providers.by_id.contains_key(&entry.provider);
    rows.extend(entries.iter().filter(loaded).map(|entry| Row {
        health: Health::Unusable,
        reason: Some("the provider's component is not loaded. See why: bitrouter plugin list".into()),
        ..stored(entry)
    }));
    rows
}

fn of_provider(provider: &Provider, entries: &[Entry]) -> Vec<Row> {
    let listing = provider.accounts.list();
    let find = |label: &str| entries.iter().find(|entry| entry.provider == provider.id() && entry.label == label);
    let mut rows: Vec<Row> = Vec::new();
    for account in listing.accounts() {
        let fixed = |from: &str, place| Row {
            provider: provider.id().to_owned(),
            label: account.label.to_string(),
            from: from.to_owned(),
            place,
            ..Row::default()
        };
        rows.extend(match &account.source {
            Source::Config => Some(fixed("config", None)),
            Source::Env(variable) => Some(fixed("env", Some(variable.clone()))),
            Source::Store => find(&account.label).map(stored),
        });
    }
    for fault in listing.faults() {
        let health = match fault {
            AccountError::LogInAgain { .. } => Health::LogInAgain,
            _ => Health::Unusable,
        };
        let reason = Some(fault.to_string());
        if let Some(entry) = fault.label().and_then(find) {
            rows.push(Row { health, reason, ..stored(entry) });
        }
    }
    rows
}

fn stored(entry: &Entry) -> Row {
    let row = Row { provider: entry.provider.clone(), label: entry.label.clone(), ..Row::default() };
    match &entry.kind {
        Kind::Oauth(login) => of_login(row, login),
        Kind::ApiKey(_) => Row { from: "key".into(), ..row },
        Kind::Other(kind) => Row { from: kind.clone(), ..row },
    }
}

fn of_login(row: Row, login: &StoredLogin) -> Row {
    let claim = |name: &str| login.claims.iter().find(|(claim, _)| claim == name).map(|(_, value)| value.clone());
    Row {
        email: claim("email"),
        plan: claim("plan"),
        expires_at: login.expires_at.map(|time| time.to_string()),
        refreshed_at: login.refreshed_at.map(|time| time.to_string()),
        from: login.from.clone().unwrap_or_else(|| "login".into()),
        place: login.follows.as_ref().map(|follows| follows.file.display().to_string()),
        ..row
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["provider", "label", "e-mail", "plan", "expires", "refreshed", "health", "from"]);
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    for row in rows {
        let health = match row.health {
            Health::Ok => "ok",
            Health::LogInAgain => "log in again",
            Health::Unusable => "unusable",
        };
        let from = match (row.from.as_str(), &row.place) {
            ("import", Some(file)) => format!("import of {file}"),
            (from, Some(place)) => format!("{from} {place}"),
            (from, None) => from.to_owned(),
        };
        table.row([
            &row.provider,
            &row.label,
            &or_dash(&row.email),
            &or_dash(&row.plan),
            &or_dash(&row.expires_at),
            &or_dash(&row.refreshed_at),
            health,
            &from,
        ]);
    }
    table.text()
}

/// What is wrong with the accounts that do not work, and the next step for each.
fn troubles(rows: &[Row]) -> String {
    let reasons: Vec<String> = rows
        .iter()
        .filter_map(|row| row.reason.as_deref())
        .map(|reason| format!("  {}\n", print::printable(reason)))
        .collect();
    if reasons.is_empty() { String::new() } else { format!("\nnot used:\n{}", reasons.concat()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::token_file::{Follows, TokenFile};

    fn login() -> StoredLogin {
        let mut login = StoredLogin::new("canary".into(), vec![("api".into(), "https://api.example".parse().unwrap())]);
        login.claims = vec![("email".into(), "me@example.com".into()), ("plan".into(), "plus".into())];
        login.expires_at = "2026-01-31T10:00:00Z".parse().ok();
        login.from = Some("import".into());
        login.follows = Some(Follows { source: "codex-cli".into(), file: "/h/auth.json".into() });
        login
    }

    fn shown(mut rows: Vec<Row>, reason: Option<&str>) -> String {
        rows[0].reason = reason.map(str::to_owned);
        rows[0].health = if reason.is_some() { Health::LogInAgain } else { Health::Ok };
        table(&rows) + &troubles(&rows)
    }

    fn of_store() -> Vec<Row> {
        let mut file = TokenFile::default();
        file.put(Entry::new("p", "work", Kind::Oauth(Box::new(login()))));
        file.entries.iter().map(stored).collect()
    }

    #[test]
    fn an_account_is_one_line_without_its_secrets() {
        assert_eq!(
            shown(of_store(), None),
            "\
PROVIDER  LABEL  E-MAIL          PLAN  EXPIRES               REFRESHED  HEALTH  FROM
p         work   me@example.com  plus  2026-01-31T10:00:00Z  -          ok      import of /h/auth.json
"
        );
    }

    #[test]
    fn an_account_that_is_over_is_shown_with_the_next_step() {
        let text = shown(of_store(), Some("p@work: log in again: bitrouter login p --label work"));
        assert!(text.contains("log in again  import"), "{text}");
        assert!(text.ends_with("\nnot used:\n  p@work: log in again: bitrouter login p --label work\n"));
    }
}
