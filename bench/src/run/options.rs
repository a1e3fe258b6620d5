//! The arguments of the `run` command.

use std::path::PathBuf;

use anyhow::Result;

use crate::child::Program;
use crate::table::Section;

/// Options of the `run` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The bitrouter binary.
    #[arg(long, value_name = "PATH", required_unless_present = "gateway_as_floor")]
    gateway: Option<PathBuf>,
    /// Put a second floor where the gateway belongs, to see the rig's own noise.
    #[arg(long, hide = true, conflicts_with = "gateway")]
    gateway_as_floor: bool,
    /// Another build of the gateway, measured in turns with it: each row then says how the two compare.
    #[arg(long, value_name = "PATH", conflicts_with = "gateway_as_floor")]
    before: Option<PathBuf>,
    /// How often each row is measured, all sides in turn; 5 times unless said, 11 with `--before`.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Two short rounds: to see that it works, not to quote.
    #[arg(long)]
    pub(super) quick: bool,
    /// Measure these parts only.
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    only: Vec<Section>,
    /// Reach the upstream these ways.
    #[arg(long, value_name = "WAY", value_delimiter = ',', default_value = "plain,tls")]
    pub(super) upstream: Vec<Way>,
    /// Also write every round's figures here.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// A Python that has `litellm[proxy]`: its proxy is measured beside what is translated. `pip install 'litellm[proxy]'`
    /// into an environment of its own.
    #[arg(long, value_name = "PYTHON")]
    pub(super) litellm: Option<PathBuf>,
    /// Where the tests' components are, of which some rows need one.
    #[arg(long, value_name = "FOLDER", default_value = "target/components/tests")]
    pub(super) components: PathBuf,
    /// Give up after this many minutes.
    #[arg(long, default_value_t = 30)]
    pub minutes: u64,
}

/// How the upstream is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// HTTP/1.1 without TLS.
    Plain,
    /// TLS with HTTP/2.
    Tls,
}

impl Options {
    /// How many rounds a row has.
    pub(super) fn rounds(&self) -> u32 {
        let usual = if self.before.is_some() { 11 } else { 5 };
        if self.quick { 2 } else { self.rounds.unwrap_or(usual) }
    }

    /// How many requests a section has that has so many in full.
    pub(super) fn requests(&self, full: u64) -> u64 {
        if self.quick { full / 5 } else { full }
    }

    /// Whether this part is measured.
    pub(super) fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// What is measured.
    pub(super) fn program(&self) -> Result<Program> {
        match &self.gateway {
            Some(path) => Program::at(path),
            None => Ok(Program::Floor),
        }
    }

    /// What it is compared with.
    pub(super) fn before(&self) -> Result<Option<Program>> {
        self.before.as_deref().map(Program::at).transpose()
    }
}
