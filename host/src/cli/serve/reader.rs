//! What `serve` says of itself: a few lines where a person reads standard error, log lines where a file does.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::super::print::{self, Table};
use super::super::providers::{ProviderState, Row, changed, missing, not_loaded, untrusted};
use crate::config::{ConfigSource, Loaded};
use crate::control::{NotReloaded, Reloaded};
use crate::route::Providers;

/// What stands for a config where there is none.
pub(in crate::cli) const NO_CONFIG: &str = "none, the defaults hold";

/// Who reads standard error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A person at a terminal.
    Person,
    /// A file or a log collector.
    Log,
}

impl Reader {
    /// Whoever is there, if the log may be for a person at all.
    pub(super) fn of_standard_error(may_be_person: bool) -> Self {
        if may_be_person && io::stderr().is_terminal() { Reader::Person } else { Reader::Log }
    }

    /// Whether there was a person whose terminal is gone.
    pub(super) fn has_left(self) -> bool {
        matches!(self, Reader::Person) && !io::stderr().is_terminal()
    }

    /// How a reload ended.
    pub(super) fn reloaded(self, outcome: &Result<Reloaded, NotReloaded>) {
        match outcome {
            Ok(reloaded) => {
                let config = reloaded.config.as_ref().map(|file| file.display().to_string());
                match self {
                    Reader::Person => {
                        print::note(&format!("reloaded, config: {}", config.as_deref().unwrap_or(NO_CONFIG)))
                    }
                    Reader::Log => tracing::info!(config, "reloaded"),
                }
                reloaded.changes.iter().for_each(|change| self.say(&print::printable(change)));
                reloaded.warnings.iter().for_each(|warning| self.warn(&print::printable(warning)));
            }
            Err(refused) => match self {
                Reader::Person => {
                    print::note(&format!("not reloaded, all is as it was:\n{}", refused.problems.join("\n")));
                }
                Reader::Log => {
                    for problem in &refused.problems {
                        tracing::error!(problem, "not reloaded, all is as it was");
                    }
                }
            },
        }
    }

    pub(super) fn say(self, line: &str) {
        match self {
            Reader::Person => print::note(line),
            Reader::Log => tracing::info!("{line}"),
        }
    }

    pub(super) fn warn(self, line: &str) {
        match self {
            Reader::Person => print::note(&format!("warning: {line}")),
            Reader::Log => tracing::warn!("{line}"),
        }
    }

    pub(super) fn opened(self, addresses: &[SocketAddr], loaded: &Loaded) {
        match self {
            Reader::Person => print::note(&greeting(addresses, &loaded.source)),
            Reader::Log => {
                let config = loaded.source.path().map(|file| file.display().to_string());
                for address in addresses {
                    tracing::info!(%address, config, version = env!("CARGO_PKG_VERSION"), "listening");
                }
            }
        }
        loaded.warnings.iter().for_each(|warning| self.warn(&warning.to_string()));
    }

    pub(super) fn ready(self, rows: &[Row], providers: &Providers) {
        match self {
            Reader::Person => {
                print::note(
                    (summary(rows) + &untrusted(rows) + &changed(rows) + &not_loaded(&providers.refused)).trim_end(),
                );
            }
            Reader::Log => {
                for row in rows.iter().filter(|row| !row.is_aside) {
                    let (provider, accounts) = (&row.id, print::list(&row.accounts));
                    match &row.reason {
                        None => tracing::info!(provider, accounts, "provider active"),
                        // Somebody gave it a credential, and means it to be used.
                        Some(reason) if row.unusable.contains(reason) => {
                            tracing::warn!(provider, reason, "provider not active");
                        }
                        Some(reason) => tracing::info!(provider, reason, "provider not active"),
                    }
                    if let Some(to_accept) = &row.to_accept {
                        tracing::warn!(provider, to_accept, "component not trusted: it answers to its own id alone");
                    }
                    for why in row.unusable.iter().filter(|why| Some(*why) != row.reason.as_ref()) {
                        tracing::warn!(provider, reason = why, "account not used");
                    }
                }
                for refused in &providers.refused {
                    tracing::warn!(file = refused.file, reason = refused.reason, "component not loaded");
                }
            }
        }
    }
}

/// The first lines on a terminal: where clients go.
fn greeting(addresses: &[SocketAddr], source: &ConfigSource) -> String {
    let urls: Vec<String> = addresses.iter().map(|&address| format!("http://{}", reachable(address))).collect();
    let first = urls.first().map_or("", String::as_str);
    let config: PathBuf = source.path().map_or_else(|| NO_CONFIG.into(), PathBuf::from);
    let mut table = Table::indented();
    table.row(["listening on", &urls.join("  ")]);
    table.row(["for clients", &format!("OPENAI_BASE_URL={first}/v1")]);
    table.row(["config", &config.display().to_string()]);
    format!("BitRouter {}\n{}", env!("CARGO_PKG_VERSION"), table.text().trim_end())
}

/// An address that a client on this machine can ask: `0.0.0.0` is none.
pub(in crate::cli) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// What is ready, and what is missing.
fn summary(rows: &[Row]) -> String {
    let mut table = Table::indented();
    let active: Vec<&Row> = rows.iter().filter(|row| row.state == ProviderState::Active).collect();
    for row in &active {
        let accounts = if row.accounts.is_empty() { "needs no account".into() } else { row.accounts.join(", ") };
        table.row([&row.id, &accounts]);
    }
    let ready = match active.is_empty() {
        true => "no provider is ready\n".to_owned(),
        false => format!("ready:\n{}", table.text()),
    };
    ready + missing(rows).trim_start()
}

#[cfg(test)]
mod tests {
    use super::super::super::providers::tests::row;
    use super::*;

    #[test]
    fn the_start_text_says_where_clients_go() {
        let addresses = ["127.0.0.1:4356".parse().unwrap(), "[::1]:4356".parse().unwrap()];
        let text = greeting(&addresses, &ConfigSource::Defaults);
        assert!(text.contains("listening on  http://127.0.0.1:4356  http://[::1]:4356\n"), "{text}");
        assert!(text.contains("for clients   OPENAI_BASE_URL=http://127.0.0.1:4356/v1\n"), "{text}");
        assert!(text.ends_with("config        none, the defaults hold"), "{text}");
    }

    #[test]
    fn clients_are_not_sent_to_an_address_that_stands_for_all() {
        for (listened, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.1.2.3:80", "10.1.2.3:80")]
        {
            assert_eq!(reachable(listened.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn the_summary_names_accounts_and_what_is_missing() {
        let rows = [
            row("echo", ProviderState::Active, None, &[]),
            row("openai", ProviderState::Active, None, &["env", "work"]),
            row("other", ProviderState::NoCredential, Some("no credential. Set OTHER_KEY"), &[]),
        ];
        assert_eq!(
            summary(&rows),
            "ready:\n  echo    needs no account\n  openai  env, work\nnot used:\n  other  no credential. Set OTHER_KEY\n"
        );
        assert!(summary(&rows[2..]).starts_with("no provider is ready\n"));
    }
}
