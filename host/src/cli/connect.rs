//! `bitrouter connect`: points a client at the gateway by the client's own config, and takes that back.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::serve::reachable;
use super::setup::Setup;
use super::{Global, Outcome, print};
use crate::connect::{Change, Codex, GatewayAddress, KEY_VARIABLE};

#[derive(Debug, Subcommand)]
pub(super) enum Connect {
    /// The Codex CLI: writes $CODEX_HOME/config.toml (~/.codex/config.toml)
    Codex(Client),
}

#[derive(Debug, Args)]
#[command(after_help = "\
What changes in the file: the table [model_providers.bitrouter] says where the gateway is, and model_provider = \
\"bitrouter\" chooses it. `model` stays as it is, and so do all other settings and comments. The file as it was is \
kept beside it as config.toml.before-bitrouter.

Examples:
  bitrouter connect codex
  bitrouter connect codex --url http://gateway.lan:4356
  bitrouter connect codex --undo")]
pub(super) struct Client {
    /// Take it back: the client's config is again what it was
    #[arg(long, conflicts_with = "url")]
    undo: bool,
    /// Where the gateway is, instead of `server.listen`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Connect {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let Connect::Codex(client) = self;
        let codex = Codex::find(&|name| std::env::var_os(name))?;
        let file = codex.file.display();
        if client.undo {
            print::answer(&match codex.undo()? {
                Change::Restored => format!("{file} is again what it was before.\n"),
                _ => format!("{file} no longer points at BitRouter; your other changes are kept.\n"),
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let gateway = gateway(client.url.as_deref(), global)?;
        let GatewayAddress { base_url, key_variable } = &gateway;
        let mut text = match codex.connect(&gateway)? {
            Change::AlreadySo => format!("{file} points at {base_url} already.\n"),
            Change::Written { backup: Some(backup) } => {
                format!("{file} points at {base_url} now; what it was is in {}.\n", backup.display())
            }
            _ => format!("{file} points at {base_url} now.\n"),
        };
        if let Some(variable) = key_variable {
            text += &format!("The gateway asks for a key: set {variable} where you run codex.\n");
        }
        text += "Next: bitrouter serve, then codex. To take it back: bitrouter connect codex --undo\n";
        print::answer(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where clients find the gateway: as this machine's config has it, or as the flag says.
fn gateway(url: Option<&str>, global: &Global) -> Result<GatewayAddress, Box<dyn std::error::Error>> {
    let url = url.map(base_of).transpose()?;
    let server = Setup::load_aloud(global, None)?.loaded.config.server;
    let url = match url {
        Some(url) => url,
        None => {
            let first = server.listen.first().ok_or("server.listen names no address")?;
            format!("http://{}", reachable(*first))
        }
    };
    Ok(GatewayAddress {
        base_url: format!("{url}/v1"),
        key_variable: (!server.keys.is_empty()).then_some(KEY_VARIABLE),
    })
}

/// The address of a gateway, without the path that clients add.
fn base_of(url: &str) -> Result<String, String> {
    let refused = |why: &str| {
        let url = print::printable(url);
        format!("--url `{url}`: {why}. Write it as http://HOST:PORT, such as --url http://gateway.lan:4356")
    };
    let parsed: http::Uri =
        url.parse().map_err(|error: http::uri::InvalidUri| refused(&format!("it is no address ({error})")))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.authority().is_none() {
        return Err(refused("it does not begin with http:// and a host"));
    }
    if url.contains(['?', '#']) {
        return Err(refused("it has more than a path behind the host"));
    }
    Ok(url.trim_end_matches('/').trim_end_matches("/v1").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_with_and_without_its_path() {
        for url in ["http://gateway.lan:4356", "http://gateway.lan:4356/", "http://gateway.lan:4356/v1/"] {
            assert_eq!(base_of(url).as_deref(), Ok("http://gateway.lan:4356"));
        }
    }

    #[test]
    fn a_url_that_is_none_is_quoted_with_an_example() {
        for url in ["not a url", "gateway.lan:4356", "ftp://gateway.lan", "http://", "http://h/?a=b", "", "h\u{1b}[2J"]
        {
            let error = base_of(url).unwrap_err();
            let quoted = format!("--url `{}`: ", print::printable(url));
            assert!(error.starts_with(&quoted) && error.ends_with("such as --url http://gateway.lan:4356"), "{error}");
        }
    }
}
