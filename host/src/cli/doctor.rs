//! `bitrouter doctor`: tries what a request needs, step by step, and says what is wrong at the first that fails.
//!
//! What is sent is what a gateway asks by itself, too: for the list of models, which costs nothing.

use std::process::ExitCode;
use std::time::Duration;

use bitrouter_contract::Origin;
use bitrouter_contract::description::SideKind;
use clap::Args;

use super::print::{self, Table};
use super::providers::{ProviderState, Row};
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::control::{AskError, Client};
use crate::queries::{self, Fallback, QueryError};
use crate::route::{Provider, Providers};

/// How long the system may take to find a name's addresses.
const LOOK_UP: Duration = Duration::from_secs(10);

/// What the system's settings for proxies and certificates are called.
const NETWORK: [&str; 6] = ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY"];

#[derive(Debug, Args)]
#[command(after_help = "\
It reads the config, loads the components, looks at the accounts, finds each provider's address, and asks each for its \
list of models with your credential, as a gateway does every hour: that costs nothing. The exit code is 1 where \
something would keep a request from being served.

Examples:
  bitrouter doctor
  bitrouter doctor -c try.yaml")]
pub(super) struct Doctor {
    #[command(flatten)]
    components: Components,
}

/// How one step went.
enum CheckResult {
    Well(String),
    /// Nothing to act on.
    Aside(String),
    Wrong(String),
}

/// What was found, step by step.
#[derive(Default)]
struct Report {
    steps: Vec<(String, CheckResult)>,
}

impl Report {
    fn add(&mut self, step: impl Into<String>, found: CheckResult) {
        self.steps.push((step.into(), found));
    }

    fn is_well(&self) -> bool {
        !self.steps.iter().any(|(_, found)| matches!(found, CheckResult::Wrong(_)))
    }

    fn text(&self) -> String {
        let mut table = Table::indented();
        for (step, found) in &self.steps {
            let (mark, what) = match found {
                CheckResult::Well(what) => ("ok", what),
                CheckResult::Aside(what) => ("-", what),
                CheckResult::Wrong(what) => ("WRONG", what),
            };
            table.row([mark, step, what]);
        }
        let end = if self.is_well() { "nothing is wrong" } else { "what is WRONG keeps requests from being served" };
        format!("{}{end}\n", table.text())
    }
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let mut report = Report::default();
        let config = setup.loaded.source.path().map(|file| file.display().to_string());
        report.add("config", CheckResult::Well(config.unwrap_or_else(|| "none, the defaults hold".to_owned())));
        for name in NETWORK {
            // A proxy's address may hold a password.
            if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
                report.add("network", CheckResult::Aside(format!("{name} is set")));
            }
        }
        let providers = setup.providers()?;
        for problem in setup::provider_problems(&setup.loaded, &providers) {
            report.add("config", CheckResult::Wrong(problem));
        }
        for refused in &providers.refused {
            report.add("component", CheckResult::Wrong(format!("{} is not loaded: {}", refused.file, refused.reason)));
        }
        setup::runtime()?.block_on(async {
            report.add("gateway", gateway(&setup).await);
            let asked = setup.loaded.config.side_requests;
            for provider in providers.on() {
                look_at(provider, &providers, asked, &mut report).await;
            }
            providers.finish_refreshes().await;
        });
        if providers.active().is_empty() {
            report
                .add("providers", CheckResult::Wrong("none is active. To get an account: bitrouter login".to_owned()));
        }
        print::answer(&report.text())?;
        Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn gateway(setup: &Setup) -> CheckResult {
    match Client::new(&setup.paths).status().await {
        Ok(status) => CheckResult::Well(format!("runs, process {}", status.pid)),
        Err(AskError::NotRunning(_)) => {
            CheckResult::Aside("none is running with this home. To start one: bitrouter serve".into())
        }
        Err(AskError::NotHere) => CheckResult::Aside("there is no control socket on this system".into()),
        Err(error) => CheckResult::Wrong(error.to_string()),
    }
}

/// A provider's accounts, where its requests go, and what it answers.
async fn look_at(provider: &Provider, providers: &Providers, asked: bool, report: &mut Report) {
    let row = Row::of(provider);
    if row.is_aside {
        return;
    }
    match (row.state, &row.reason) {
        (ProviderState::Active, _) => report.add(
            &row.id,
            CheckResult::Well(match row.accounts.is_empty() {
                true => "needs no account".to_owned(),
                false => format!("accounts: {}", row.accounts.join(", ")),
            }),
        ),
        // Who uses another provider need not have this one.
        (ProviderState::NoCredential | ProviderState::NotRunning | ProviderState::Disabled, reason) => {
            report.add(&row.id, CheckResult::Aside(reason.clone().unwrap_or_default()));
            return;
        }
        (ProviderState::Misconfigured, reason) => {
            report.add(&row.id, CheckResult::Wrong(reason.clone().unwrap_or_default()));
            return;
        }
    }
    for why in &row.unusable {
        report.add(&row.id, CheckResult::Wrong(why.clone()));
    }
    let Some(origin) = provider.origins.get("api") else { return };
    let address = address(origin).await;
    let found = matches!(address, CheckResult::Well(_) | CheckResult::Aside(_));
    report.add(&row.id, address);
    if !found {
        return;
    }
    if !asked {
        report.add(&row.id, CheckResult::Aside("not asked for anything: `side_requests` is false".to_owned()));
        return;
    }
    let side = &provider.plugin.description.side_requests;
    if !side.values().any(|side| side.kind == SideKind::Models) {
        report.add(&row.id, CheckResult::Aside("has no list of models to be asked for".to_owned()));
        return;
    }
    let troubles =
        setup::with_progress(queries::query_now(providers, SideKind::Models, Some(&row.id)), || "asking…".into());
    let troubles = troubles.await;
    if troubles.is_empty() {
        report.add(&row.id, CheckResult::Well("answers with its list of models".to_owned()));
    }
    for QueryError { whose, why, fallback, .. } in troubles {
        let what = format!("{whose} was asked for its list of models: {why}");
        // A part of it is there.
        report.add(
            &row.id,
            if fallback == Fallback::WhatCame { CheckResult::Aside(what) } else { CheckResult::Wrong(what) },
        );
    }
}

/// Whether the way to an origin begins: its name has addresses, or a proxy is asked.
async fn address(origin: &Origin) -> CheckResult {
    let (host, port) = (origin.host(), origin.port());
    let uri = http::Uri::try_from(origin.to_string()).unwrap_or_default();
    match bitrouter_upstream::proxy_to(&uri, &|name| std::env::var_os(name)) {
        Ok(None) => {}
        Ok(Some(proxy)) => return CheckResult::Aside(format!("{host} is asked through {proxy}")),
        Err(error) => return CheckResult::Wrong(error.to_string()),
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(addresses)) => CheckResult::Well(format!("{host} has {} addresses", addresses.count())),
        Ok(Err(error)) => CheckResult::Wrong(format!(
            "{host} has no address here ({error}). Is the network up? Is a proxy needed (HTTPS_PROXY)?"
        )),
        Err(_) => CheckResult::Wrong(format!("{host}: no answer of the name server within {} s", LOOK_UP.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_that_is_wrong_is_enough_and_what_is_aside_is_not() {
        let mut report = Report::default();
        report.add("config", CheckResult::Well("none".into()));
        report.add("gateway", CheckResult::Aside("none is running".into()));
        assert!(report.is_well());
        assert_eq!(report.text(), "  ok  config   none\n  -   gateway  none is running\nnothing is wrong\n");
        report.add("openai", CheckResult::Wrong("no address".into()));
        assert!(!report.is_well() && report.text().contains("  WRONG  openai   no address\nwhat is WRONG"));
    }

    #[tokio::test]
    async fn a_loopback_address_is_found_and_a_name_that_cannot_be_is_told() {
        let origin = |url: &str| url.parse::<Origin>().unwrap();
        assert!(matches!(address(&origin("http://127.0.0.1:9/v1")).await, CheckResult::Well(_)));
        assert!(matches!(address(&origin("http://[::1]:9/v1")).await, CheckResult::Well(_)));
    }
}
