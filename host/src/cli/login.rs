//! `bitrouter login`: gets an account for a provider, and stores it.

use std::error::Error;
use std::io::{self, Read};
use std::process::ExitCode;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::logout::{self, Revoked};
use super::print::{self, Table};
use super::providers::known;
use super::setup::{self, Setup};
use super::terminal::Terminal;
use super::{Components, Global, Outcome};
use crate::credential::accounts::DEFAULT_LABEL;
use crate::credential::issuer::{Issuer, Tokens};
use crate::credential::store::{NOTICED_WITHIN, Saved};
use crate::credential::token_file::{Entry, Follows, Kind, StoredKey, StoredLogin, is_label};
use crate::credential::{Attachment, Origin, Store, Timestamp, claims, vendor};
use crate::login::{self, Attempt, LoginError, Return, Way};
use crate::plugin::description::{ApiKey, Import, Oauth};
use crate::route::Provider;

/// What a session that is shared with another program means.
const SHARED: &str = "BitRouter uses what that program refreshes. It refreshes the session itself only where that \
program has not, some minutes before that program would, and writes the new tokens back into its file. Should both do \
it at the same moment, the issuer may end the session: then log in again. `bitrouter logout` only forgets it.";
/// What a copied session means.
const COPIED: &str = "CAUTION: two programs have the same refresh token now. With an issuer that takes each only \
once, whichever refreshes second is logged out. A login of its own, through a browser or with a code, has no such end.";

#[derive(Debug, Args)]
#[command(after_help = "\
Without a flag it asks which way to log in. The account is stored under a label; another label keeps another account, \
and PROVIDER@LABEL:MODEL names it. A running gateway finds it at once.

Where the browser is on another machine, paste the address that it ends at into the terminal, or use --device.

Examples:
  bitrouter login openai-codex
  bitrouter login openai-codex --label work
  bitrouter login openai-codex --device           on a machine without a browser
  bitrouter login openai-codex --import           share the session that the vendor's CLI has
  bitrouter login openai --api-key-stdin < key.txt")]
pub(super) struct Login {
    /// The provider
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// The account's name of your choice [default: default]
    #[arg(long, value_parser = label)]
    label: Option<String>,
    #[command(flatten)]
    way: Chosen,
    /// With --import: take a copy, which is refreshed on its own, instead of sharing the session
    #[arg(long, conflicts_with_all = ["browser", "device", "api_key_stdin"])]
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
}

impl Chosen {
    fn flag(&self, copy: bool) -> Option<&'static str> {
        match self {
            Chosen { browser: true, .. } => Some("--browser"),
            Chosen { device: true, .. } => Some("--device"),
            Chosen { api_key_stdin: true, .. } => Some("--api-key-stdin"),
            Chosen { import: true, .. } => Some("--import"),
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

/// What a way of logging in led to.
struct Obtained {
    login: StoredLogin,
    identity: Vec<String>,
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
}

impl Login {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let providers = setup.providers()?;
        let provider = known(&self.provider, &providers)?;
        if let Some(fault) = &provider.fault {
            return Err(format!("{}: {fault}", self.provider).into());
        }
        let ways = Way::all(provider.accounts.auth());
        let store = Store::new(setup.paths.token_store());
        let terminal = Terminal::default();
        setup::runtime()?.block_on(async {
            Terminal::ends_on_interrupt();
            let (issuer, open, copy) = (Issuer::default(), !self.no_open, self.copy);
            let run = Run { setup: &setup, provider, store: &store, terminal: &terminal, issuer, open, copy };
            let way = run.choose(&ways, self.way.flag(self.copy))?;
            store.check()?;
            let label = self.label.unwrap_or_else(|| DEFAULT_LABEL.to_owned());
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
        let names: Vec<String> = ways.iter().map(Way::name).collect();
        let chosen = self.terminal.choose(&format!("How do you log in to {}?", self.id()), &names)?;
        Ok(ways[chosen].clone())
    }

    /// Goes one way; where no port is free, the person may choose another.
    async fn log_in(&self, mut way: Way, ways: &[Way], label: String) -> Outcome {
        loop {
            match self.obtain(&way).await? {
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

    /// Goes one way to its end; nothing where it is a key, which is read when it is kept.
    async fn obtain(&self, way: &Way) -> Result<Result<Option<Obtained>, LoginError>, Box<dyn Error>> {
        let (oauth, from) = match way {
            Way::ApiKey(_) => return Ok(Ok(None)),
            Way::Import(oauth, import) => return self.import(oauth, import).map(|obtained| Ok(Some(obtained))),
            Way::Browser(oauth, _) | Way::Paste(oauth, _) => (oauth, "browser"),
            Way::Device(oauth, _) => (oauth, "device"),
        };
        self.tell_changes();
        let origin = self.origin(&oauth.origin)?;
        let attempt = Attempt { oauth, origin, issuer: &self.issuer, person: self.terminal };
        let tokens = match way {
            Way::Browser(_, browser) => login::browser(&attempt, browser, Return::Listen { open: self.open }).await,
            Way::Paste(_, browser) => login::browser(&attempt, browser, Return::Paste).await,
            Way::Device(_, device) => login::device(&attempt, device).await,
            Way::Import(..) | Way::ApiKey(_) => return Ok(Ok(None)),
        };
        match tokens {
            Ok(tokens) => {
                Ok(Ok(Some(Obtained { login: self.stored(oauth, tokens, from)?, identity: oauth.identity.clone() })))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Says what the config changed, because the account will be bound to it.
    fn tell_changes(&self) {
        let configured = self.setup.loaded.config.provider(self.id());
        let mut table = Table::indented();
        let mut any = false;
        let mut row = |name: &str, value: &str| {
            table.row([name, value]);
            any = true;
        };
        for (name, origin) in &configured.origins {
            row(&format!("origins.{name}"), &origin.to_string());
        }
        for (member, value) in &configured.auth {
            row(&format!("auth.{member}"), &value.to_string());
        }
        if any {
            print::note(&format!("From your config, and kept with the account:\n{}", table.text()));
        }
    }

    fn origin(&self, name: &str) -> Result<&Origin, Box<dyn Error>> {
        let origin = self.provider.origins.get(name);
        origin.ok_or_else(|| format!("{}: the component has no origin named `{name}`", self.id()).into())
    }

    /// The origins that a login is bound to: where its access token goes, and its issuer.
    fn bound(&self, oauth: &Oauth) -> Result<Vec<(String, Origin)>, Box<dyn Error>> {
        let mut names: Vec<&String> = oauth.origins.iter().collect();
        if !names.contains(&&oauth.origin) {
            names.push(&oauth.origin);
        }
        names.into_iter().map(|name| Ok((name.clone(), self.origin(name)?.clone()))).collect()
    }

    fn stored(&self, oauth: &Oauth, tokens: Tokens, from: &str) -> Result<StoredLogin, Box<dyn Error>> {
        let access = tokens.access_token.ok_or("the issuer gave no access token")?;
        let id = tokens.id_token.as_ref().map(ExposeSecret::expose_secret);
        let mut login = StoredLogin::new(access, self.bound(oauth)?);
        login.claims = claims::of_tokens(&oauth.claims, id, login.access_token.expose_secret());
        let by_lifetime = || tokens.expires_in.map(|lifetime| tokens.at.plus(lifetime));
        login.expires_at = claims::expires_at(login.access_token.expose_secret()).or_else(by_lifetime);
        login.refresh_token = tokens.refresh_token;
        login.id_token = tokens.id_token;
        login.client_id = Some(oauth.client_id.clone());
        login.refreshed_at = Some(tokens.at);
        login.from = Some(from.to_owned());
        Ok(login)
    }

    /// Takes another program's session.
    fn import(&self, oauth: &Oauth, import: &Import) -> Result<Obtained, Box<dyn Error>> {
        let source = &import.source;
        let bound = self.bound(oauth)?;
        if let Some((name, origin)) = bound.iter().find(|(_, origin)| !vendor::may_go_to(source, origin)) {
            let why = format!("a session of {source} stays with its vendor, and `{name}` is {origin}");
            return Err(format!("{}: {why}. Log in another way", self.id()).into());
        }
        let env = |name: &str| std::env::var_os(name);
        let home = std::env::home_dir();
        let found = vendor::find(source, &env, home.as_deref(), &vendor::SystemKeyring).map_err(|error| {
            format!("{}: {error}. Log in another way, or log in with that program first", self.id())
        })?;
        let tokens = Tokens {
            access_token: Some(found.session.access_token),
            refresh_token: found.session.refresh_token,
            id_token: found.session.id_token,
            expires_in: None,
            at: found.session.refreshed_at.unwrap_or_else(Timestamp::now),
        };
        let mut login = self.stored(oauth, tokens, "import")?;
        login.refreshed_at = found.session.refreshed_at;
        match found.file.filter(|_| !self.copy) {
            Some(file) => {
                print::note(&format!("This session is shared with {source}, from {}.\n{SHARED}", file.display()));
                login.follows = Some(Follows { source: source.clone(), file });
            }
            None => print::note(&format!("This is a copy of the session of {source}.\n{COPIED}")),
        }
        Ok(Obtained { login, identity: oauth.identity.clone() })
    }

    /// Stores a login, under the label unless another account has it.
    async fn keep(&self, obtained: Obtained, mut label: String) -> Outcome {
        let Obtained { login, identity } = obtained;
        let mut replace = false;
        let before = loop {
            let before = self.store.read()?.find(self.id(), &label).cloned();
            let saved = self.store.save_login(self.id(), &label, login.clone(), &identity, replace);
            if saved.is_err() {
                // What cannot be kept must not stay good at the issuer.
                self.give_back(&login).await;
            }
            match saved? {
                Saved::New | Saved::Renewed | Saved::Replaced => break before,
                Saved::Taken { claims } => match self.settle(&label, &who(&claims)).await? {
                    Some(other) if other == label => replace = true,
                    Some(other) => label = other,
                    None => {
                        self.give_back(&login).await;
                        return Err(self.taken(&label, &who(&claims)).into());
                    }
                },
            }
        };
        if let Some(Entry { kind: Kind::Oauth(before), .. }) = before {
            let token =
                |login: &StoredLogin| login.refresh_token.as_ref().map(|token| token.expose_secret().to_owned());
            if token(&before) != token(&login) {
                self.give_back(&before).await;
            }
        }
        let others = self.store.labels_of(self.id(), &login.claims, &identity)?;
        for other in others.iter().filter(|other| **other != label) {
            print::note(&format!("note: the same account is stored as {}@{other} too", self.id()));
        }
        // Whoever reads that it is done finds the account in a running gateway.
        tokio::time::sleep(NOTICED_WITHIN).await;
        self.say_done(&label, &who(&login.claims))
    }

    /// Asks what to do about a label that another account has: the same label to replace it, another label, or nothing.
    async fn settle(&self, label: &str, holder: &str) -> Result<Option<String>, Box<dyn Error>> {
        if !Terminal::is_there() {
            return Ok(None);
        }
        let question = format!(
            "The label `{label}` is {holder}'s. Type another label, or `{label}` again to replace that account:"
        );
        loop {
            let typed = self.terminal.ask(&question).await;
            match typed.as_str() {
                "" => return Ok(None),
                typed if is_label(typed) => return Ok(Some(typed.to_owned())),
                _ => print::note("a label is 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -"),
            }
        }
    }

    fn taken(&self, label: &str, holder: &str) -> String {
        let id = self.id();
        format!(
            "{id}@{label} is another account, {holder}: nothing was stored. Choose another label with --label, or free \
             this one: bitrouter logout {id} --label {label}"
        )
    }

    /// Revokes a login that is not kept, unless another program has it too.
    async fn give_back(&self, login: &StoredLogin) {
        if let Revoked::Failed(why) = logout::revoke(self.provider.accounts.login(), login, &self.issuer).await {
            print::note(&format!("note: the login that is not used any more could not be revoked: {why}"));
        }
    }

    /// Stores an API key.
    async fn keep_key(&self, way: &Way, mut label: String) -> Outcome {
        let Way::ApiKey(auth) = way else {
            return Err("this way leads to no credential".into());
        };
        let key = self.read_key(auth)?;
        Attachment::new(&auth.attach, &key, &[]).map_err(|why| format!("{}: the key {why}", self.id()))?;
        let mut origins = Vec::new();
        for name in &auth.origins {
            origins.push((name.clone(), self.origin(name)?.clone()));
        }
        let is_same = |entry: &Entry| matches!(&entry.kind, Kind::ApiKey(known) if known.key.expose_secret() == key.expose_secret());
        while self.store.read()?.find(self.id(), &label).is_some_and(|entry| !is_same(entry)) {
            match self.settle(&label, "another key or account").await? {
                Some(other) if other == label => break,
                Some(other) => label = other,
                None => return Err(self.taken(&label, "or another key").into()),
            }
        }
        let mut entry = Entry::new(self.id(), &label, Kind::ApiKey(StoredKey::new(key.clone(), origins)));
        entry.created_at = Some(Timestamp::now().to_string());
        self.store.update(|file| file.put(entry))?;
        tokio::time::sleep(NOTICED_WITHIN).await;
        self.say_done(&label, "API key")
    }

    fn read_key(&self, auth: &ApiKey) -> Result<SecretString, Box<dyn Error>> {
        if Terminal::is_there() {
            if let Some(page) = &auth.create_url {
                print::note(&format!("Keys are made at {}", print::printable(page)));
            }
            return self.terminal.secret("API key (not shown)");
        }
        let mut text = String::new();
        io::stdin().lock().take(64 << 10).read_to_string(&mut text)?;
        let key = text.trim_end_matches(['\r', '\n']);
        match key.is_empty() {
            true => Err("standard input holds no key".into()),
            false => Ok(key.into()),
        }
    }

    fn say_done(&self, label: &str, who: &str) -> Outcome {
        let id = self.id();
        let model = self.provider.plugin.description.models.first().map_or("MODEL", |model| model.id.as_str());
        let address = match label {
            DEFAULT_LABEL => format!("{id}:{model}"),
            label => format!("{id}@{label}:{model}"),
        };
        let door = self.setup.loaded.config.server.listen.first().map(ToString::to_string).unwrap_or_default();
        print::answer(&format!(
            "{id}@{label} is logged in: {}\nnext:\n  bitrouter route {}\n  bitrouter serve, then for clients: OPENAI_BASE_URL=http://{door}/v1\n",
            print::printable(who),
            print::printable(&address),
        ))?;
        Ok(ExitCode::SUCCESS)
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
