//! `bitrouter accounts`: which accounts there are, whose they are, and whether they work.

use std::process::ExitCode;
use std::sync::Arc;

use bitrouter_contract::description::SideKind;
use bitrouter_credential::token_file::{Entry, Kind, StoredLogin};
use bitrouter_credential::{Credential, CredentialSource};
use bitrouter_files::Timestamp;
use clap::Args;
use serde::Serialize;

use super::print::{self, Table};
use super::providers::known;
use super::setup::Setup;
use super::window::cells;
use super::{Components, Global, Outcome, span};
use crate::control::{Account, Health};
use crate::route::query_cache::{CachedResult, QueryResult, Usage};
use crate::route::{Provider, Providers};

#[derive(Debug, Args)]
#[command(after_help = "\
Keys of the config and of the environment are listed too. No secret is ever shown.

Limits are those that a running gateway heard last. Without --refresh nothing is sent.

Examples:
  bitrouter accounts
  bitrouter accounts --refresh
  bitrouter accounts openai-codex --json")]
pub(super) struct ListAccounts {
    /// Only the accounts of this provider
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
    /// Ask the providers now how much of each plan is used
    #[arg(long)]
    refresh: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

/// One account as it is shown.
#[derive(Debug, Default, Serialize)]
struct Row {
    #[serde(flatten)]
    account: Account,
    /// Whether the access token is renewed before it expires, so that the account does not end with it.
    renewed_by_itself: bool,
    /// When the tokens were issued, RFC 3339.
    refreshed_at: Option<String>,
    /// Why it cannot be renewed although it works still, and the next step.
    note: Option<String>,
    /// `browser`, `device`, `import`, `key`, `config`, `command`, `env`, `file`, or the method of several secrets.
    from: String,
    /// The file that another program keeps it in, or the environment variable.
    #[serde(rename = "in")]
    place: Option<String>,
}

impl ListAccounts {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let providers = match self.refresh {
            true => setup.providers_queried(SideKind::Usage, self.provider.as_deref())?,
            false => setup.providers()?,
        };
        let store = setup.store();
        let mut rows = rows(&providers, &store.read()?.entries);
        if let Some(warning) = store.warning() {
            print::note(&format!("warning: {warning}"));
        }
        if let Some(id) = &self.provider {
            rows.retain(|row| row.account.provider == *id);
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
            false => {
                let now = Timestamp::now();
                print::answer(&(table(&rows, now) + &limits(&rows, now) + &troubles(&rows)))?;
            }
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
    let why = "the provider's component is not loaded. See why: bitrouter plugin list";
    rows.extend(entries.iter().filter(loaded).map(|entry| stored(entry).faulty(Health::Unusable, why.into())));
    rows
}

fn of_provider(provider: &Provider, entries: &[Entry]) -> Vec<Row> {
    let listing = provider.accounts.list();
    let find = |label: &str| entries.iter().find(|entry| entry.provider == provider.id() && entry.label == label);
    let mut rows: Vec<Row> = Vec::new();
    for account in listing.accounts() {
        let fixed = |from: &str, place| Row {
            account: Account::of(provider.id(), &account.label, &[]),
            from: from.to_owned(),
            place,
            ..Row::default()
        };
        rows.extend(match &account.source {
            CredentialSource::Config => Some(fixed("config", None)),
            CredentialSource::Command => Some(fixed("command", None)),
            CredentialSource::Env(variable) => Some(fixed("env", Some(variable.clone()))),
            CredentialSource::File(file) => Some(fixed("file", Some(file.display().to_string()))),
            CredentialSource::Store => find(&account.label).map(stored),
        });
    }
    for fault in listing.faults() {
        let Some(label) = fault.label() else { continue };
        let unstored =
            || Row { account: Account::of(provider.id(), label, &[]), from: label.to_owned(), ..Row::default() };
        rows.push(find(label).map_or_else(unstored, stored).faulty(Health::of(fault), fault.to_string()));
    }
    let renews = provider.accounts.login().is_some_and(|oauth| oauth.refresh.is_some());
    for row in &mut rows {
        if let Some(Entry { kind: Kind::Oauth(login), .. }) =
            find(&row.account.label).filter(|_| row.account.health == Health::Ok)
        {
            row.note = provider.accounts.why_not_renewed(&row.account.label, login);
        }
        row.renewed_by_itself &= renews && row.account.health == Health::Ok && row.note.is_none();
        let made = |account: &&Arc<Credential>| account.needs_token() && *account.label == *row.account.label;
        row.renewed_by_itself |= listing.accounts().any(|account| made(&account));
        row.account.windows = provider.learned.windows.get(provider.id(), &row.account.label);
        // What was told before the login was told of another account.
        let since = find(&row.account.label).and_then(|entry| entry.created_at.as_deref()?.parse::<Timestamp>().ok());
        let since = since.and_then(|since| u64::try_from(since.unix()).ok()).unwrap_or_default();
        row.account.windows.retain(|window| window.told_at >= since);
        // What the page says is newer than the login's token.
        if let Some(CachedResult { result: QueryResult::Usage(Usage { plan: Some(plan), .. }), .. }) =
            provider.query_cache.last(&row.account.label, SideKind::Usage)
        {
            row.account.plan = Some(plan);
        }
    }
    rows
}

impl Row {
    /// An account that cannot be used.
    fn faulty(mut self, health: Health, reason: String) -> Self {
        (self.account.health, self.account.reason) = (health, Some(reason));
        self
    }
}

fn stored(entry: &Entry) -> Row {
    let of = |claims| Account::of(&entry.provider, &entry.label, claims);
    match &entry.kind {
        Kind::Oauth(login) => of_login(of(&login.claims), login),
        Kind::ApiKey(_) => Row { account: of(&[]), from: "key".into(), ..Row::default() },
        Kind::Secrets(several) => Row { account: of(&several.claims), from: several.method.clone(), ..Row::default() },
        Kind::Other(kind) => Row { account: of(&[]), from: kind.clone(), ..Row::default() },
    }
}

fn of_login(account: Account, login: &StoredLogin) -> Row {
    Row {
        account: Account { expires_at: login.expires_at.map(|time| time.to_string()), ..account },
        renewed_by_itself: login.refresh_token.is_some(),
        refreshed_at: login.refreshed_at.map(|time| time.to_string()),
        from: login.from.clone().unwrap_or_else(|| "login".into()),
        place: login.follows.as_ref().map(|follows| follows.file.display().to_string()),
        ..Row::default()
    }
}

fn table(rows: &[Row], now: Timestamp) -> String {
    let mut table = Table::new(&["provider", "label", "e-mail", "plan", "expires", "refreshed", "health", "from"]);
    table = table.sparing(&["refreshed"]);
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    for row in rows {
        let from = match (row.from.as_str(), &row.place) {
            ("import", Some(file)) => format!("import of {file}"),
            (from, Some(place)) => format!("{from} {place}"),
            (from, None) => from.to_owned(),
        };
        table.row([
            &row.account.provider,
            &row.account.label,
            &or_dash(&row.account.email),
            &or_dash(&row.account.plan),
            &ends(row, now),
            &refreshed(row, now),
            row.account.health.words(),
            &from,
        ]);
    }
    table.text()
}

/// When the login is over. An access token that is renewed in time is nobody's concern.
fn ends(row: &Row, now: Timestamp) -> String {
    let Some(at) = row.account.expires_at.as_ref().and_then(|time| time.parse::<Timestamp>().ok()) else {
        return if row.renewed_by_itself { "renewed by itself" } else { "-" }.to_owned();
    };
    match (row.renewed_by_itself, at.since(now), now.since(at)) {
        (true, ..) => "renewed by itself".to_owned(),
        (false, Some(left), _) if !left.is_zero() => format!("ends in {}", span::words(left.as_secs())),
        (false, _, Some(past)) => format!("ended {} ago", span::words(past.as_secs())),
        (false, ..) => "ends now".to_owned(),
    }
}

fn refreshed(row: &Row, now: Timestamp) -> String {
    let at = row.refreshed_at.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
    let at = at.and_then(|at| u64::try_from(at.unix()).ok());
    at.map_or_else(|| "-".to_owned(), |at| span::ago(at, now))
}

/// What is known of the accounts' limits: how full each window is, how long it is, when it begins anew.
fn limits(rows: &[Row], now: Timestamp) -> String {
    let mut table = Table::indented();
    for row in rows {
        for window in &row.account.windows {
            let length = window.length_seconds.map(span::words).unwrap_or_default();
            let told = format!("told {}", span::ago(window.told_at, now));
            let [name, bar, used, resets] = cells(window, now);
            table.row([&row.account.address(), &name, &length, &bar, &used, &resets, &told]);
        }
    }
    table.under("limits:")
}

/// What is wrong with the accounts that do not work or will not last, and the next step for each.
fn troubles(rows: &[Row]) -> String {
    let reasons = Table::indented().with(rows.iter().filter_map(|row| row.account.reason.as_ref()).map(|text| [text]));
    let notes = Table::indented().with(rows.iter().filter_map(|row| row.note.as_ref()).map(|text| [text]));
    reasons.under("not used:") + &notes.under("not renewed:")
}

#[cfg(test)]
mod tests {
    use bitrouter_credential::token_file::{Follows, TokenFile};
    use bitrouter_route::Window;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-31T07:00:00Z".parse().unwrap()
    }

    fn login() -> StoredLogin {
        let mut login = StoredLogin::new("canary".into(), vec![("api".into(), "https://api.example".parse().unwrap())]);
        login.claims = vec![("email".into(), "me@example.com".into()), ("plan".into(), "plus".into())];
        login.expires_at = "2026-01-31T10:00:00Z".parse().ok();
        login.from = Some("import".into());
        login.follows = Some(Follows { source: "codex-cli".into(), file: "/h/auth.json".into() });
        login
    }

    fn shown(mut rows: Vec<Row>, reason: Option<&str>) -> String {
        rows[0].account.reason = reason.map(str::to_owned);
        rows[0].account.health = if reason.is_some() { Health::LogInAgain } else { Health::Ok };
        table(&rows, now()) + &troubles(&rows)
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
PROVIDER  LABEL  E-MAIL          PLAN  EXPIRES      REFRESHED  HEALTH  FROM
p         work   me@example.com  plus  ends in 3 h  -          ok      import of /h/auth.json
"
        );
    }

    #[test]
    fn a_token_that_is_renewed_is_no_end_and_one_that_is_not_is() {
        let row = |renewed_by_itself, expires_at: Option<&str>| Row {
            renewed_by_itself,
            account: Account { expires_at: expires_at.map(str::to_owned), ..Account::default() },
            ..Row::default()
        };
        for (renewed, expires_at, shown) in [
            (true, Some("2026-01-31T10:00:00Z"), "renewed by itself"),
            // A gateway that did not run renews it when it is needed.
            (true, Some("2026-01-30T10:00:00Z"), "renewed by itself"),
            (true, None, "renewed by itself"),
            (false, Some("2026-01-31T10:30:00Z"), "ends in 3 h 30 min"),
            (false, Some("2026-01-29T07:00:00Z"), "ended 2 d ago"),
            (false, Some("2026-01-31T07:00:00Z"), "ended 0 s ago"),
            (false, None, "-"),
        ] {
            assert_eq!(ends(&row(renewed, expires_at), now()), shown);
        }
    }

    #[test]
    fn a_login_without_a_refresh_token_is_not_renewed() {
        assert!(!of_login(Account::default(), &login()).renewed_by_itself);
        let mut with = login();
        with.refresh_token = Some("canary".into());
        assert!(of_login(Account::default(), &with).renewed_by_itself);
    }

    #[test]
    fn when_it_was_refreshed_is_told_by_its_age() {
        let row = Row { refreshed_at: Some("2026-01-31T06:20:00Z".into()), ..Row::default() };
        assert_eq!(refreshed(&row, now()), "40 min ago");
    }

    #[test]
    fn an_account_that_is_over_is_shown_with_the_next_step() {
        let text = shown(of_store(), Some("p@work: log in again: bitrouter login p --label work"));
        assert!(text.contains("log in again  import"), "{text}");
        assert!(text.ends_with("\nnot used:\n  p@work: log in again: bitrouter login p --label work\n"));
    }

    #[test]
    fn a_window_is_shown_with_a_bar_its_length_and_its_reset() {
        let window = |name: &str| Window {
            name: name.into(),
            used_percent: None,
            limit: None,
            remaining: None,
            length_seconds: None,
            resets_at: None,
            told_at: 9_900,
        };
        let primary = Window {
            used_percent: Some(42.4),
            length_seconds: Some(18_000),
            resets_at: Some(13_780),
            ..window("primary")
        };
        let requests = Window { limit: Some(100), remaining: Some(25), ..window("requests") };
        let mut rows = of_store();
        rows[0].account.windows = vec![primary, requests, Window { remaining: Some(3), ..window("tokens") }];
        assert_eq!(
            limits(&rows, Timestamp::from_unix(10_000).unwrap()),
            "
limits:
  p@work  primary   5 h  ████████░░░░░░░░░░░░  42 % used                  resets in 1 h 3 min (1970-01-01T03:49:40Z)  told 1 min 40 s ago
  p@work  requests       ███████████████░░░░░  75 % used, 25 of 100 left                                              told 1 min 40 s ago
  p@work  tokens                               3 left                                                                 told 1 min 40 s ago
"
        );
        assert_eq!(limits(&of_store(), Timestamp::now()), "");
    }
}
