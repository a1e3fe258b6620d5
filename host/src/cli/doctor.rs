//! `bitrouter doctor`: tries what a request needs, step by step, and says what is wrong, with the command that mends it.
//!
//! What is sent is what a gateway asks by itself, too: for the list of models, which costs nothing. A request that costs
//! something is sent only where the command line says so.

mod files;
mod network;
mod request;

use std::process::ExitCode;

use bitrouter_contract::description::SideKind;
use clap::Args;
use serde::Serialize;

use super::print::{self, Table};
use super::providers::{ProviderState, Row};
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::control::{AskError, Client};
use crate::queries::{self, Fallback, QueryError};
use crate::route::{Provider, Providers};

/// What the system's settings for proxies and certificates are called.
const NETWORK: [&str; 6] = ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY"];

#[derive(Debug, Args)]
#[command(after_help = "\
It reads the config, looks at who may read its files and whether its port is free, loads the components, looks at the \
accounts, finds each provider's address, tries TLS and compares clocks, and asks each for its list of models with your \
credential, as a gateway does every hour: that costs nothing. With --request a running gateway is asked for an answer of \
a model, which may cost. The exit code is 1 where something would keep a request from being served.

Examples:
  bitrouter doctor
  bitrouter doctor --request gpt-6.1-sol
  bitrouter doctor --json")]
pub(super) struct Doctor {
    /// Ask a running gateway for a short answer of this model, too
    #[arg(long, value_name = "MODEL")]
    request: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

/// How one step went.
#[derive(Debug)]
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

/// A step as JSON has it.
#[derive(Serialize)]
struct Step<'a> {
    step: &'a str,
    /// `ok`, `aside` (nothing to act on) or `wrong`.
    result: &'static str,
    what: &'a str,
}

impl Report {
    fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.steps.iter().map(|(step, found)| {
            let (result, what) = match found {
                CheckResult::Well(what) => ("ok", what),
                CheckResult::Aside(what) => ("aside", what),
                CheckResult::Wrong(what) => ("wrong", what),
            };
            Step { step, result, what }
        })
    }

    fn add(&mut self, step: impl Into<String>, found: CheckResult) {
        self.steps.push((step.into(), found));
    }

    fn is_well(&self) -> bool {
        !self.steps.iter().any(|(_, found)| matches!(found, CheckResult::Wrong(_)))
    }

    fn text(&self) -> String {
        let mut table = Table::indented();
        for Step { step, result, what } in self.steps() {
            let mark = match result {
                "ok" => "ok",
                "aside" => "-",
                _ => "WRONG",
            };
            table.row([mark, step, what]);
        }
        let end = if self.is_well() { "nothing is wrong" } else { "what is WRONG keeps requests from being served" };
        format!("{}{end}\n", table.text())
    }
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let mut report = Report::default();
        let config = setup.loaded.source.path().map(|file| file.display().to_string());
        report.add("config", CheckResult::Well(config.unwrap_or_else(|| "none, the defaults hold".to_owned())));
        for name in NETWORK {
            // A proxy's address may hold a password.
            if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
                report.add("network", CheckResult::Aside(format!("{name} is set")));
            }
        }
        files::look(&setup.paths, &mut report);
        let providers = setup.providers_with_local_models()?;
        for problem in setup::provider_problems(&setup.loaded, &providers) {
            report.add("config", CheckResult::Wrong(problem));
        }
        for refused in &providers.refused {
            report.add("component", CheckResult::Wrong(format!("{} is not loaded: {}", refused.file, refused.reason)));
        }
        setup::runtime()?.block_on(async {
            report.add("gateway", gateway(&setup).await);
            if !runs(&setup).await {
                network::ports(&setup.loaded.config.server.listen, &mut report);
            }
            let asked = setup.loaded.config.side_requests;
            for provider in providers.on() {
                look_at(provider, &providers, asked, &mut report).await;
            }
            providers.finish_refreshes().await;
            if let Some(model) = &self.request {
                report.add("request", request::ask(&setup, model).await);
            }
        });
        if providers.active().is_empty() {
            report
                .add("providers", CheckResult::Wrong("none is active. To get an account: bitrouter login".to_owned()));
        }
        match self.json {
            true => print::json(&report.steps().collect::<Vec<_>>())?,
            false => print::answer(&report.text())?,
        }
        Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn runs(setup: &Setup) -> bool {
    Client::new(&setup.paths).status().await.is_ok()
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
    let address = network::address(origin).await;
    let found = matches!(address, CheckResult::Well(_) | CheckResult::Aside(_));
    report.add(&row.id, address);
    if !found {
        return;
    }
    if !asked {
        report.add(&row.id, CheckResult::Aside("not asked for anything: `side_requests` is false".to_owned()));
        return;
    }
    network::tls_and_clock(provider, origin, report).await;
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
}
