//! `bitrouter` alone: the three next steps for who runs it the first time, and its help for everybody else.

use std::process::ExitCode;

use clap::CommandFactory;

use super::connect::Desk;
use super::print::{self, Table};
use super::serve::reachable;
use super::setup::Setup;
use super::{Cli, Global, NAME, VERSION, WRONG_LINE};
use crate::connect::Machine;

/// Shows the steps, or the help where something is set up already.
pub(super) fn show_or_help(global: &Global) -> ExitCode {
    // What is wrong with a config is no reason to hide the help.
    match Setup::load(global, None) {
        Ok(setup) if is_first(&setup) => show(&setup),
        _ => {
            let _ = Cli::command().print_help();
            ExitCode::from(WRONG_LINE)
        }
    }
}

/// Whether nothing was set up: no config, no account, no client.
fn is_first(setup: &Setup) -> bool {
    let paths = &setup.paths;
    setup.loaded.source.path().is_none() && !paths.token_store().exists() && !paths.connected().exists()
}

fn show(setup: &Setup) -> ExitCode {
    let active: Vec<String> = match setup.providers_present() {
        Ok(providers) => providers.active().iter().map(|provider| provider.id().to_owned()).collect(),
        Err(_) => Vec::new(),
    };
    let account = match active.is_empty() {
        true => "get an account: a plan that you have, or a key".to_owned(),
        false => format!("another account; ready already: {}", active.join(", ")),
    };
    let address = setup.loaded.config.server.listen.first();
    let address = address.map_or_else(String::new, |address| format!(" on http://{}", reachable(*address)));
    let env = |name: &str| std::env::var_os(name);
    let desk = Desk { machine: Machine::of(&env), records: setup.paths.connected() };
    let clients = desk.installed();
    let clients = match clients.is_empty() {
        true => "point a client at it".to_owned(),
        false => format!("point a client at it; found here: {}", clients.join(", ")),
    };
    let mut table = Table::indented();
    table.row(["1.", "bitrouter login", &account]);
    table.row(["2.", "bitrouter serve", &format!("run the gateway{address}")]);
    table.row(["3.", "bitrouter connect", &clients]);
    let text = format!(
        "BitRouter {VERSION}: one address for the model providers that you use. Three steps:\n{}\
         What is wrong is told by: bitrouter doctor. All commands: {NAME} --help\n",
        table.text()
    );
    match print::answer(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
