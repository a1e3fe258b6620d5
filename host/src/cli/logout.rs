//! `bitrouter logout`: takes a stored account or key out, and gives a login back to its issuer.

use std::error::Error;
use std::process::ExitCode;

use bitrouter_contract::description::Oauth;
use bitrouter_credential::Store;
use bitrouter_credential::issuer::{Issuer, IssuerError};
use bitrouter_credential::login;
use bitrouter_credential::store::NOTICED_WITHIN;
use bitrouter_credential::token_file::{Entry, Kind, StoredLogin};
use clap::Args;

use super::login::{label, who};
use super::print;
use super::setup::{self, Setup};
use super::terminal::Terminal;
use super::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
Without a flag it takes the account that there is; where there are several, it asks which, and in a script --label or \
--all must name them.

A login of its own is revoked at its issuer too, as far as that can be reached. A session that was imported is only \
forgotten: the program that it came from stays logged in.

Examples:
  bitrouter logout openai-codex
  bitrouter logout openai-codex --label work
  bitrouter logout openai-codex --all")]
pub(super) struct Logout {
    /// The provider
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// The account with this label
    #[arg(long, value_parser = label, conflicts_with = "all")]
    label: Option<String>,
    /// All of the provider's accounts
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    components: Components,
}

/// What became of a login at its issuer.
pub(super) enum Revoked {
    /// The issuer takes its tokens no more.
    Yes,
    /// There is nothing that could or should be revoked.
    NotAsked,
    /// It was imported: it is another program's too.
    Shared,
    /// The issuer could not be asked, or refused.
    Failed(IssuerError),
}

impl Logout {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let store = setup.store();
        let runtime = setup::runtime()?;
        runtime.block_on(async { Terminal::ends_on_interrupt() });
        let labels = self.labels(&store)?;
        let providers = setup.providers()?;
        let oauth = providers.by_id.get(&self.provider).map(|provider| provider.accounts.login());
        runtime.block_on(async {
            let issuer = Issuer::default();
            for label in labels {
                // Taken out first: what was asked for is done, whatever the issuer says.
                let Some(entry) = store.remove(&self.provider, &label)? else { continue };
                let noticed = tokio::time::sleep(NOTICED_WITHIN);
                let line = match &entry.kind {
                    _ if entry.out_of_reach().is_some() => {
                        "forgotten here. Its secrets are in the system's keyring, which cannot be read: they were not \
                         revoked, and are left there under `bitrouter`"
                            .to_owned()
                    }
                    Kind::Oauth(login) => logged_out(oauth, login, &issuer).await,
                    Kind::ApiKey(_) => "the key is forgotten".to_owned(),
                    Kind::Secrets(_) => "its secrets are forgotten".to_owned(),
                    Kind::Other(kind) => format!("the credential of the kind `{kind}` is forgotten"),
                };
                // Once this is said, no running gateway uses it.
                noticed.await;
                print::answer(&format!("{}@{label}: {}\n", self.provider, print::printable(&line)))?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    /// The labels that are meant.
    fn labels(&self, store: &Store) -> Result<Vec<String>, Box<dyn Error>> {
        let file = store.read()?;
        let entries: Vec<&Entry> = file.entries.iter().filter(|entry| entry.provider == self.provider).collect();
        let known = || entries.iter().map(|entry| entry.label.as_str()).collect::<Vec<_>>().join(", ");
        if entries.is_empty() {
            return Err(format!(
                "{}: no account is stored. See what there is: bitrouter accounts",
                print::printable(&self.provider)
            )
            .into());
        }
        if let Some(label) = &self.label {
            return match entries.iter().any(|entry| entry.label == *label) {
                true => Ok(vec![label.clone()]),
                false => {
                    Err(format!("{}: no account has the label `{label}`. There are: {}", self.provider, known()).into())
                }
            };
        }
        if self.all || entries.len() == 1 {
            return Ok(entries.iter().map(|entry| entry.label.clone()).collect());
        }
        if !Terminal::is_there() {
            return Err(format!(
                "{} has several accounts: {}. Name one with --label, or all with --all",
                self.provider,
                known()
            )
            .into());
        }
        let widest = entries.iter().map(|entry| entry.label.len()).max().unwrap_or_default();
        let about = |entry: &&Entry| match &entry.kind {
            Kind::Oauth(login) => format!("{:widest$}  {}", entry.label, who(&login.claims)),
            kind => format!("{:widest$}  {}", entry.label, kind.name()),
        };
        let mut items: Vec<String> = entries.iter().map(|entry| print::printable(&about(entry))).collect();
        items.push("all of them".into());
        let chosen = Terminal::default().choose(&format!("Which account of {}?", self.provider), &items)?;
        Ok(match entries.get(chosen) {
            Some(entry) => vec![entry.label.clone()],
            None => entries.iter().map(|entry| entry.label.clone()).collect(),
        })
    }
}

/// Revokes a login that was taken out, and says what became of it. `oauth` is nothing where the component is not loaded.
async fn logged_out(oauth: Option<Option<&Oauth>>, login: &StoredLogin, issuer: &Issuer) -> String {
    let Some(oauth) = oauth else {
        return "forgotten here. Its component is not loaded, so it could not be revoked".into();
    };
    match (revoke(oauth, login, issuer).await, &login.follows) {
        (Revoked::Yes, _) => "logged out, and revoked at its issuer".into(),
        (Revoked::NotAsked, _) => "forgotten here: it has nothing that could be revoked".into(),
        (Revoked::Shared, Some(follows)) => {
            format!("forgotten here. The session in {} stays logged in", follows.file.display())
        }
        (Revoked::Shared, None) => "forgotten here. The program that it was copied from stays logged in".into(),
        (Revoked::Failed(why), _) => format!("logged out here, but it could not be revoked: {why}"),
    }
}

/// Gives a login back to the issuer that it is bound to. One that was imported is left alone.
pub(super) async fn revoke(oauth: Option<&Oauth>, login: &StoredLogin, issuer: &Issuer) -> Revoked {
    if login.follows.is_some() || login.from.as_deref() == Some("import") {
        return Revoked::Shared;
    }
    let Some((oauth, token)) = oauth.zip(login.refresh_token.as_ref()) else {
        return Revoked::NotAsked;
    };
    let Some(origin) = login.origin(&oauth.origin) else {
        return Revoked::NotAsked;
    };
    let client_id = login.client_id.as_deref().unwrap_or(&oauth.client_id);
    match login::revoke(oauth, origin, issuer, client_id, token).await {
        Ok(true) => Revoked::Yes,
        Ok(false) => Revoked::NotAsked,
        Err(why) => Revoked::Failed(why),
    }
}
