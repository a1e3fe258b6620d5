//! `bitrouter providers`: what is ready, what is missing, and how it is paid for.
//!
//! `serve` shows the same at its start.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use bitrouter_contract::description::Auth;
use bitrouter_credential::AccountError;
use bitrouter_plugin::{Origin, Refused};
use bitrouter_route::billing;
use bitrouter_route::nearest::nearest;
use clap::Args;
use serde::Serialize;

use super::print::{self, Table};
use super::setup::Setup;
use super::{Components, Global, Outcome};
use crate::route::{Provider, Providers};

#[derive(Debug, Args)]
#[command(after_help = "\
A provider is active when it is switched on and has a credential, or needs none. BILLING is who pays for a request: a \
plan that you have (subscription), you for each token (pay-per-token), or nobody (free). Files and versions of \
components: bitrouter plugin list

Examples:
  bitrouter providers
  bitrouter providers --all
  bitrouter providers --json")]
pub(super) struct ListProviders {
    /// Show the built-in ones that have no credential, too
    #[arg(long, short)]
    all: bool,
    /// Print JSON, which has all of them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

/// One provider as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub id: String,
    pub name: String,
    pub state: ProviderState,
    /// Why it is not active, and the next step.
    pub reason: Option<String>,
    /// The labels of its accounts, the first to be used first.
    pub accounts: Vec<String>,
    /// Credentials that are there and cannot be used, and why.
    pub unusable: Vec<String>,
    /// How its requests are paid for: `subscription`, `pay-per-token`, `free`.
    pub billing: &'static str,
    pub priority: u64,
    pub origins: BTreeMap<String, String>,
    pub version: String,
    /// The file, or nothing for one that is built in.
    pub file: Option<String>,
    /// Whether its component is built in, or accepted. One that is neither answers to its own id alone.
    pub trusted: bool,
    /// The command that accepts it, where it is not trusted.
    pub to_accept: Option<String>,
    /// What is worth saying where it is another build than the accepted one, with the command that accepts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Whether it is one of the many built-in descriptions that nobody here uses: named in a line, without a row.
    #[serde(skip)]
    pub is_aside: bool,
    /// What its description says that this version does not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_understood: Vec<String>,
}

/// Whether routing may use a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProviderState {
    Active,
    NoCredential,
    /// It is of this machine, and does not run.
    NotRunning,
    /// Its config is at odds with it.
    Misconfigured,
    Disabled,
}

impl ProviderState {
    fn text(self) -> &'static str {
        match self {
            ProviderState::Active => "active",
            ProviderState::NoCredential => "no credential",
            ProviderState::NotRunning => "not running",
            ProviderState::Misconfigured => "misconfigured",
            ProviderState::Disabled => "disabled",
        }
    }
}

impl Row {
    pub(super) fn of(provider: &Provider) -> Self {
        let id = provider.id().to_owned();
        let description = &provider.plugin.description;
        let (state, reason) = state(provider, &id);
        let listing = provider.accounts.list();
        Row {
            state,
            reason,
            name: description.name.clone(),
            accounts: listing.accounts().map(|account| account.label.to_string()).collect(),
            unusable: listing.faults().map(|fault| without_id(fault, &id)).collect(),
            billing: billing::in_words(provider.billing()),
            priority: provider.priority,
            origins: provider.origins.iter().map(|(name, origin)| (name.clone(), origin.to_string())).collect(),
            version: description.version.clone(),
            is_aside: provider.plugin.is_described_alone()
                && provider.plugin.origin == Origin::BuiltIn
                && !provider.is_configured
                && matches!(state, ProviderState::NoCredential | ProviderState::NotRunning),
            not_understood: description.not_understood.clone(),
            file: match &provider.plugin.origin {
                Origin::BuiltIn => None,
                Origin::File(path) => Some(path.display().to_string()),
            },
            trusted: provider.plugin.trusted,
            to_accept: (!provider.plugin.trusted).then(|| provider.plugin.to_accept()),
            notice: provider
                .plugin
                .notice
                .as_ref()
                .map(|notice| format!("{notice}. To accept it: {}", provider.plugin.to_accept())),
            id,
        }
    }

    pub(super) fn all(providers: &Providers) -> Vec<Self> {
        providers.by_id.values().map(|provider| Row::of(provider)).collect()
    }

    pub(super) fn source(&self) -> &str {
        self.file.as_deref().unwrap_or("built in")
    }
}

/// The provider with this id, or what is wrong with the id.
pub(super) fn known<'p>(id: &str, providers: &'p Providers) -> Result<&'p Provider, Box<dyn Error>> {
    if let Some(provider) = providers.by_id.get(id) {
        return Ok(provider);
    }
    if let Some(refused) = providers.refused.iter().find(|refused| refused.called() == Some(id)) {
        return Err(format!("{id}: {} is not loaded: {}", refused.file, refused.reason).into());
    }
    let known = || providers.by_id.keys().map(String::as_str);
    let near = match nearest(id, known(), 1).first() {
        Some(near) => format!("did you mean `{near}`?"),
        // It may be one of those that did not load.
        None if providers.by_id.is_empty() => {
            format!("none is loaded{}", below(&not_loaded(&providers.refused)))
        }
        None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
    };
    Err(format!("there is no provider `{}`: {near}", print::printable(id)).into())
}

fn state(provider: &Provider, id: &str) -> (ProviderState, Option<String>) {
    if !provider.enabled {
        return (ProviderState::Disabled, Some(format!("providers.{id}.enabled is false in bitrouter.yaml")));
    }
    // What lacks a setting and a key is what nobody uses.
    let unused = !provider.is_configured && !provider.has_credential();
    if let Some(fault) = provider.fault.as_ref().filter(|_| !unused) {
        return (ProviderState::Misconfigured, Some(format!("providers.{id} in bitrouter.yaml: {fault}")));
    }
    if provider.is_active() {
        return (ProviderState::Active, None);
    }
    if !provider.is_there() {
        let at = provider.origins.get("api").map(ToString::to_string).unwrap_or_default();
        let name = &provider.plugin.description.name;
        return (ProviderState::NotRunning, Some(format!("at {at} nothing answers as {name} does")));
    }
    let reason = match provider.accounts.select(None) {
        Err(error @ AccountError::NoCredential { .. }) => {
            let made_at = provider.plugin.description.auth.iter().find_map(Auth::create_url);
            let made_at = made_at.map_or_else(String::new, |page| format!(". Keys are made at {page}"));
            without_id(&error, id) + &made_at
        }
        Err(error) => without_id(&error, id),
        Ok(_) => "it is not active".to_owned(),
    };
    (ProviderState::NoCredential, Some(reason))
}

/// The sentence without the id in front, which is in a column of its own.
fn without_id(error: &AccountError, id: &str) -> String {
    let sentence = error.to_string();
    sentence.strip_prefix(&format!("{id}: ")).unwrap_or(&sentence).to_owned()
}

impl ListProviders {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let providers = setup.providers_present()?;
        let (rows, refused) = (Row::all(&providers), &providers.refused);
        match self.json {
            true => print::json(&serde_json::json!({ "providers": rows, "refused": refused }))?,
            false => {
                let shown: Vec<Row> =
                    rows.into_iter().map(|row| Row { is_aside: row.is_aside && !self.all, ..row }).collect();
                let text = table(&shown)
                    + &missing(&shown)
                    + &aside(&shown)
                    + &untrusted(&shown)
                    + &changed(&shown)
                    + &not_understood(&shown);
                print::answer(&(text + &not_loaded(refused)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(rows: &[Row]) -> String {
    // Version and file are `plugin list`'s.
    let head = ["id", "name", "state", "billing", "accounts", "priority", "origin"];
    let mut table = Table::new(&head).sparing(&["name", "priority", "origin"]);
    for row in rows.iter().filter(|row| !row.is_aside) {
        let origin = row.origins.get("api").map_or("-", String::as_str);
        table.row([
            &row.id,
            &row.name,
            row.state.text(),
            row.billing,
            &print::list(&row.accounts),
            &row.priority.to_string(),
            origin,
        ]);
    }
    table.text()
}

/// What keeps providers and accounts from being used; nothing where all are.
pub(super) fn missing(rows: &[Row]) -> String {
    let whys = rows.iter().filter(|row| !row.is_aside).flat_map(|row| {
        let others = row.unusable.iter().filter(|why| Some(*why) != row.reason.as_ref());
        row.reason.iter().chain(others).map(move |why| [&row.id, why])
    });
    Table::indented().with(whys).under("not used:")
}

/// The built-in ones that nobody uses, by name: those without a credential, and those of this machine that do not run.
pub(super) fn aside(rows: &[Row]) -> String {
    let names = |state: ProviderState| {
        let ids = rows.iter().filter(|row| row.is_aside && row.state == state).map(|row| row.id.as_str());
        ids.collect::<Vec<_>>().join(", ")
    };
    let of = |ids: String, words: &str| if ids.is_empty() { String::new() } else { format!("\n{words} {ids}\n") };
    let idle = of(names(ProviderState::NotRunning), "not running on this machine:");
    let unpaid = names(ProviderState::NoCredential);
    of(unpaid, "built in as well, without a credential (bitrouter providers --all says how each gets one):") + &idle
}

/// The components that nobody accepted, and what that means; nothing where there is none.
pub(super) fn untrusted(rows: &[Row]) -> String {
    let accepts = rows.iter().filter_map(|Row { id, to_accept, .. }| {
        let to_accept = to_accept.as_ref()?;
        Some([id.clone(), format!("answers to {id}:MODEL alone. To accept it: {to_accept}")])
    });
    Table::indented().with(accepts).under("not trusted:")
}

/// The components of which another build than the accepted one serves; nothing where there is none.
pub(super) fn changed(rows: &[Row]) -> String {
    let notices = rows.iter().filter_map(|row| Some([&row.id, row.notice.as_ref()?]));
    Table::indented().with(notices).under("changed since you accepted them:")
}

/// What is left out of descriptions; nothing where all is known.
fn not_understood(rows: &[Row]) -> String {
    let all = rows.iter().flat_map(|row| row.not_understood.iter().map(move |what| [&row.id, what]));
    Table::indented().with(all).under("not known to this version:")
}

/// The components that do not serve; nothing where all do.
pub(super) fn not_loaded(refused: &[Refused]) -> String {
    Table::indented().with(refused.iter().map(|row| [&row.file, &row.reason])).under("not loaded:")
}

/// Lines that go on below a sentence.
pub(super) fn below(lines: &str) -> String {
    match lines.trim_end() {
        "" => String::new(),
        lines => format!("\n{}", lines.trim_start_matches('\n')),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn row(id: &str, state: ProviderState, reason: Option<&str>, accounts: &[&str]) -> Row {
        Row {
            id: id.into(),
            name: id.to_uppercase(),
            state,
            reason: reason.map(str::to_owned),
            accounts: accounts.iter().map(|&label| label.to_owned()).collect(),
            unusable: Vec::new(),
            billing: "pay-per-token",
            priority: 100,
            origins: BTreeMap::from([("api".into(), format!("https://{id}.example"))]),
            version: "1.2.0".into(),
            is_aside: false,
            not_understood: Vec::new(),
            file: None,
            trusted: true,
            to_accept: None,
            notice: None,
        }
    }

    #[test]
    fn a_component_that_nobody_accepted_is_shown_with_what_it_answers_to() {
        let mut foreign = row("echo", ProviderState::Active, None, &[]);
        foreign.to_accept = Some("bitrouter plugin trust /p/echo.wasm".into());
        assert_eq!(
            untrusted(&[row("openai", ProviderState::Active, None, &[]), foreign]),
            "\nnot trusted:\n  echo  answers to echo:MODEL alone. To accept it: bitrouter plugin trust /p/echo.wasm\n"
        );
        assert_eq!(untrusted(&[]), "");
    }

    #[test]
    fn a_provider_whose_component_did_not_load_is_told_why_and_not_called_unknown() {
        let refused = |file: &str, id: Option<&str>| Refused {
            file: file.into(),
            id: id.map(str::to_owned),
            reason: "No space left on device".into(),
        };
        let mut providers = Providers::default();
        providers.refused =
            vec![refused("openai-codex", None), refused("/p/probe.wasm", None), refused("/p/x.wasm", Some("y"))];
        for id in ["openai-codex", "probe", "y"] {
            let told = known(id, &providers).err().unwrap().to_string();
            assert!(told.contains("is not loaded: No space left on device"), "{told}");
        }
        let told = known("other", &providers).err().unwrap().to_string();
        assert!(
            told.starts_with("there is no provider `other`: none is loaded\nnot loaded:\n  openai-codex"),
            "{told}"
        );
    }

    #[test]
    fn a_provider_is_one_line() {
        let rows = [
            row("echo", ProviderState::Active, None, &[]),
            row("openai", ProviderState::Active, None, &["config", "work"]),
        ];
        assert_eq!(
            table(&rows),
            "\
ID      NAME    STATE   BILLING        ACCOUNTS      PRIORITY  ORIGIN
echo    ECHO    active  pay-per-token  -             100       https://echo.example
openai  OPENAI  active  pay-per-token  config, work  100       https://openai.example
"
        );
        assert_eq!(missing(&rows), "");
    }

    #[test]
    fn what_is_missing_is_said_once_with_its_next_step() {
        let mut idle = row("openai", ProviderState::NoCredential, Some("no credential. Set OPENAI_API_KEY"), &[]);
        idle.unusable = vec!["no credential. Set OPENAI_API_KEY".into(), "the stored key is empty".into()];
        assert_eq!(
            missing(&[idle]),
            "\nnot used:\n  openai  no credential. Set OPENAI_API_KEY\n  openai  the stored key is empty\n"
        );
    }

    #[test]
    fn a_refused_component_is_shown_with_its_reason() {
        let refused = Refused { file: "/p/x.wasm".into(), id: Some("x".into()), reason: "not trusted".into() };
        assert_eq!(not_loaded(&[refused]), "\nnot loaded:\n  /p/x.wasm  not trusted\n");
        assert_eq!(not_loaded(&[]), "");
    }
}
