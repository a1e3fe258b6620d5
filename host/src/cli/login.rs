//! `bitrouter login`: gets an account for a provider, and stores it. Here are the flags and the choice of the way.

mod keep;
mod obtain;

use std::error::Error;
use std::path::{Path, PathBuf};

use bitrouter_credential::Store;
use bitrouter_credential::accounts::DEFAULT_LABEL;
use bitrouter_credential::issuer::Issuer;
use bitrouter_credential::login::{LoginError, Way};
use bitrouter_credential::token_file::is_label;
use bitrouter_credential::vendor;
use clap::Args;

use super::print::Table;
use super::providers::{below, known, not_loaded};
use super::setup::{self, Setup};
use super::terminal::Terminal;
use super::{Components, Global, Outcome, WRONG_LINE, print};
use crate::route::{Provider, Providers};

#[derive(Debug, Args)]
#[command(after_help = "\
Without a provider it asks which one, and without a flag which way to log in. The account is stored \
under a label; another label keeps another account, and PROVIDER@LABEL:MODEL names it. A running gateway finds it at once.

Where the browser is on another machine, paste the address that it ends at into the terminal, or use --device.

Examples:
  bitrouter login openai-codex
  bitrouter login openai-codex --label work
  bitrouter login openai-codex --device           on a machine without a browser
  bitrouter login openai-codex --import           share the Codex CLI's session
  bitrouter login openai --api-key-stdin < key.txt
  bitrouter login PROVIDER --file key.json        a key file of Google's")]
pub(super) struct Login {
    /// The provider; on a terminal it is asked for
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
    /// The account's name of your choice [default: default]
    #[arg(long, value_parser = label)]
    label: Option<String>,
    #[command(flatten)]
    way: Chosen,
    /// With --import: take a copy, which is refreshed on its own, instead of sharing the session
    #[arg(long, conflicts_with_all = ["browser", "device", "api_key_stdin", "secrets_stdin", "file"])]
    copy: bool,
    /// Show the address instead of opening a browser
    #[arg(long)]
    no_open: bool,
    #[command(flatten)]
    components: Components,
}

/// The way that was chosen on the command line.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Chosen {
    /// Log in with a browser
    #[arg(long)]
    browser: bool,
    /// Log in with a code that is entered on any device
    #[arg(long)]
    device: bool,
    /// Use the session that the vendor's own CLI has
    #[arg(long)]
    import: bool,
    /// Read an API key from standard input
    #[arg(long)]
    api_key_stdin: bool,
    /// Read several secrets from standard input, a line NAME=VALUE for each
    #[arg(long)]
    secrets_stdin: bool,
    /// Take a key file, such as a service account's; the file itself is not needed afterwards
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

impl Chosen {
    fn flag(&self, copy: bool) -> Option<&'static str> {
        match self {
            Chosen { browser: true, .. } => Some("--browser"),
            Chosen { device: true, .. } => Some("--device"),
            Chosen { api_key_stdin: true, .. } => Some("--api-key-stdin"),
            Chosen { import: true, .. } => Some("--import"),
            Chosen { secrets_stdin: true, .. } => Some("--secrets-stdin"),
            Chosen { file: Some(_), .. } => Some("--file"),
            _ => copy.then_some("--import"),
        }
    }
}

/// A label, as the command line takes it.
pub(super) fn label(text: &str) -> Result<String, String> {
    match is_label(text) {
        true => Ok(text.to_owned()),
        false => Err("a label is 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -".into()),
    }
}

/// Asks which provider is meant; nothing where nobody is there to be asked, or there is nothing to choose from.
fn choose_provider(providers: &Providers) -> Result<Option<String>, Box<dyn Error>> {
    let mut with_accounts: Vec<&Provider> = with_accounts(providers).collect();
    // Those that most people have stand on the first page.
    with_accounts.sort_by_key(|provider| provider.plugin.is_described_alone());
    if !Terminal::is_there() || with_accounts.is_empty() {
        return Ok(None);
    }
    let mut table = Table::indented();
    with_accounts.iter().for_each(|provider| table.row([provider.id(), &provider.plugin.description.name]));
    let items: Vec<String> = table.text().lines().map(|line| line.trim_start().to_owned()).collect();
    let chosen = Terminal::default().choose("Which provider do you log in to?", &items)?;
    Ok(with_accounts.get(chosen).map(|provider| provider.id().to_owned()))
}

/// The providers that one can log in to, as a sentence.
fn takers(providers: &Providers) -> String {
    let ids: Vec<&str> = with_accounts(providers).map(Provider::id).collect();
    match ids.is_empty() {
        true => format!("None is loaded{}", below(&not_loaded(&providers.refused))),
        false => format!("There are: {}", ids.join(", ")),
    }
}

fn with_accounts(providers: &Providers) -> impl Iterator<Item = &Provider> {
    providers.by_id.values().map(|provider| &**provider).filter(|provider| provider.accounts.takes_credential())
}

/// A way in a menu. Of another program's session, its file is named, and that there is none.
fn described(way: &Way) -> String {
    let Way::Import(_, import) = way else { return way.name() };
    let home = std::env::home_dir();
    let Some(file) = vendor::file(&import.source, &|name| std::env::var_os(name), home.as_deref()) else {
        return way.name();
    };
    let short = home.and_then(|home| file.strip_prefix(home).ok().map(|rest| Path::new("~").join(rest)));
    let shown = short.as_ref().unwrap_or(&file).display();
    match file.exists() {
        true => format!("{} ({shown})", way.name()),
        false => format!("{} (there is none in {shown})", way.name()),
    }
}

/// One run of the command.
struct Run<'a> {
    setup: &'a Setup,
    provider: &'a Provider,
    store: &'a Store,
    terminal: &'a Terminal,
    issuer: Issuer,
    open: bool,
    copy: bool,
    file: Option<&'a Path>,
}

impl Login {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let providers = setup.providers()?;
        let named = self.provider.clone();
        let Some(id) = named.map_or_else(|| choose_provider(&providers), |id| Ok(Some(id)))? else {
            print::note(&format!("error: which provider? Write: bitrouter login PROVIDER. {}", takers(&providers)));
            return Ok(WRONG_LINE.into());
        };
        let provider = known(&id, &providers)?;
        if let Some(fault) = &provider.fault {
            return Err(format!("{id}: {fault}").into());
        }
        let ways = Way::all(provider.accounts.auth());
        let store = setup.store();
        let terminal = Terminal::default();
        setup::runtime()?.block_on(async {
            Terminal::ends_on_interrupt();
            let (issuer, open, copy) = (Issuer::default(), !self.no_open, self.copy);
            let file = self.way.file.as_deref();
            let run = Run { setup: &setup, provider, store: &store, terminal: &terminal, issuer, open, copy, file };
            let way = run.choose(&ways, self.way.flag(self.copy))?;
            let label = self.label.unwrap_or_else(|| DEFAULT_LABEL.to_owned());
            // Not after the person went through it all.
            store.check(run.id(), &label)?;
            run.log_in(way, &ways, label).await
        })
    }
}

impl Run<'_> {
    fn id(&self) -> &str {
        self.provider.id()
    }

    /// The way that the flag names, or that the person chooses.
    fn choose(&self, ways: &[Way], flag: Option<&str>) -> Result<Way, Box<dyn Error>> {
        let flags = || {
            let mut flags: Vec<&str> = ways.iter().map(Way::flag).collect();
            flags.dedup();
            flags.join(", ")
        };
        if ways.is_empty() {
            return Err(format!("{} needs no account: there is nothing to log in to", self.id()).into());
        }
        if let Some(flag) = flag {
            let way = ways.iter().find(|way| way.flag() == flag);
            return way.cloned().ok_or_else(|| format!("{} has no {flag}. It has: {}", self.id(), flags()).into());
        }
        if !Terminal::is_there() {
            return Err(
                format!("nobody is there to be asked how to log in to {}. Add one of: {}", self.id(), flags()).into()
            );
        }
        if let [only] = ways {
            return Ok(only.clone());
        }
        let names: Vec<String> = ways.iter().map(described).collect();
        let chosen = self.terminal.choose(&format!("How do you log in to {}?", self.id()), &names)?;
        Ok(ways[chosen].clone())
    }

    /// Goes one way; where no port is free, the person may choose another.
    async fn log_in(&self, mut way: Way, ways: &[Way], label: String) -> Outcome {
        self.tell_changes();
        loop {
            match self.obtain(&way, &label).await? {
                Ok(Some(obtained)) => return self.keep(obtained, label).await,
                Ok(None) => return self.keep_key(&way, label).await,
                Err(error @ LoginError::PortsBusy { .. }) => way = self.choose_another(way, ways, &error)?,
                Err(error) => return Err(format!("{}: {error}", self.id()).into()),
            }
        }
    }

    /// What else there is where the browser cannot come back to this process.
    fn choose_another(&self, way: Way, ways: &[Way], error: &LoginError) -> Result<Way, Box<dyn Error>> {
        let mut others: Vec<Way> = ways.iter().filter(|other| !matches!(other, Way::Browser(..))).cloned().collect();
        if !Terminal::is_there() {
            let flags: Vec<&str> = others.iter().map(Way::flag).collect();
            return Err(format!("{}: {error}: {}", self.id(), print::list(&flags)).into());
        }
        print::note(&format!("{}: {error}", self.id()));
        if let Way::Browser(oauth, browser) = way {
            others.insert(0, Way::Paste(oauth, browser));
        }
        self.choose(&others, None)
    }
}

/// Which account it is, for people: e-mail, plan and account.
pub(super) fn who(claims: &[(String, String)]) -> String {
    let claim = |name: &str| claims.iter().find(|(claim, _)| claim == name).map(|(_, value)| value.as_str());
    let mut parts: Vec<String> = Vec::new();
    parts.extend(claim("email").map(str::to_owned));
    parts.extend(claim("plan").map(|plan| format!("plan {plan}")));
    parts.extend(claim("account_id").map(|account| format!("account {account}")));
    match parts.is_empty() {
        true => "an account of which nothing is known".to_owned(),
        false => parts.join(", "),
    }
}
