//! `bitrouter plugin record`: one real exchange with a provider becomes golden files, without what is the user's own: the
//! credential, the account's label, and its claims.

mod redact;
mod written;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bitrouter_document::Document;
use bitrouter_golden::check;
use clap::Args;

use super::check::inputs::plain_body;
use super::driver::Driver;
use super::trial::staged::Staged;
use crate::call::endpoint_of;
use crate::cli::providers::known;
use crate::cli::setup::{self, Setup};
use crate::cli::{Global, Outcome, print};
use crate::pipeline;
use crate::route::Target;

#[derive(Debug, Args)]
#[command(after_help = "\
Makes one call with your credential, which costs what it costs, and writes a folder for each hook that it shows: the call, the \
answer or the failure, the limits. The credential, the account's label and its claims are taken out; read what is written \
before you share it.

Examples:
  bitrouter plugin record --file acme.wasm --model acme-large --out cases/hello
  bitrouter plugin record --provider acme --model acme-large --out cases/hello --whole
  bitrouter plugin record --provider acme --model no-such-model --out cases/failure
  bitrouter plugin record --file acme.json --model acme-embed --operation embeddings --body body.json --out cases/embed")]
pub(in crate::cli) struct Record {
    /// The provider, as your gateway has it
    #[arg(long, value_name = "ID", required_unless_present = "file", conflicts_with = "file")]
    provider: Option<String>,
    /// A component or a description, trusted for this run alone, in the place of --provider
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The model, by the provider's own name
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// The account that pays, of several
    #[arg(long, value_name = "LABEL")]
    account: Option<String>,
    /// The operation, such as `embeddings`
    #[arg(long, default_value = "generate")]
    operation: String,
    /// The JSON body of the call, in the provider's best dialect, instead of a plain one
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Ask for a whole answer, not a stream
    #[arg(long)]
    whole: bool,
    /// The folder for the cases, which must not be there or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Record {
    pub(in crate::cli) fn run(self, global: &Global) -> Outcome {
        refuse_used(&self.out)?;
        let mut setup = Setup::load_aloud(global, None)?;
        let staged = self.file.as_deref().map(|file| Staged::of(file, &setup)).transpose()?;
        let named = match &staged {
            None => self.provider.clone().unwrap_or_default(),
            Some(staged) => {
                let descriptions = staged.renew()?;
                staged.enter(&mut setup.loaded.config);
                setup.paths = setup.paths.for_one_run(staged.folder());
                descriptions.first().map(|description| description.id.clone()).unwrap_or_default()
            }
        };
        // What a server is asked beside it would be another's business.
        setup.loaded.config.side_requests = false;
        let runtime = setup::runtime()?;
        let (provider, exchanged) = runtime.block_on(async {
            let app = setup.start()?;
            let providers = setup::with_progress(app.directory.complete(), || "compiling components…".to_owned()).await;
            known(&named, &providers)?;
            let provider = Arc::clone(&providers.by_id[&named]);
            if let Some(fault) = &provider.fault {
                return Err(format!("{named}: {fault}").into());
            }
            let dialect = provider.plugin.dialects(&self.operation, &self.model).first().cloned();
            let endpoint = dialect.as_deref().and_then(|dialect| endpoint_of(&self.operation, dialect));
            let endpoint = endpoint.ok_or_else(|| {
                format!(
                    "{named}: it serves no operation `{}` of `{}` in a dialect that is known",
                    self.operation, self.model
                )
            })?;
            let streaming = !self.whole && self.operation == "generate";
            let body = self.read_body(endpoint.dialect, streaming)?;
            let target =
                Target { provider: Arc::clone(&provider), model: self.model.clone(), label: self.account.clone() };
            let exchange = pipeline::exchange(&target, endpoint, body, streaming);
            let exchanged = setup::with_progress(exchange, || format!("asking {named}…")).await;
            provider.accounts.finish_refreshes().await;
            Ok::<_, Box<dyn Error>>((provider, exchanged.map_err(|error| format!("{named}: {error}"))?))
        })?;
        let described = &provider.plugin.description;
        let cases = written::cases(&exchanged, described).map_err(|why| format!("{named}: {why}"))?;
        for (case, files) in &cases {
            let folder = self.out.join(case);
            fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            for (name, text) in files {
                let file = folder.join(name);
                fs::write(&file, text).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
            }
        }
        let report = check(&self.out, true, || Box::new(Driver::new(&runtime, [&*provider.plugin])));
        let mut text = String::new();
        for (folder, hook, _) in &report.cases {
            text.push_str(&format!("{} ({})\n", print::printable(&folder.display().to_string()), hook.unwrap_or("-")));
        }
        print::answer(&text)?;
        for (folder, why) in report.failed() {
            print::note(&format!("warning: {}: {}", folder.display(), print::printable(why)));
        }
        print::note("Read them before you keep or share them: what was asked and answered is in them as it was.");
        Ok(ExitCode::SUCCESS)
    }

    fn read_body(&self, dialect: &str, streaming: bool) -> Result<Document, Box<dyn Error>> {
        let text = match &self.body {
            Some(file) => {
                fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?
            }
            None => plain_body(&self.operation, dialect, &self.model, streaming)
                .ok_or_else(|| format!("a call of `{}` has no JSON body: it cannot be recorded", self.operation))?
                .to_string(),
        };
        let file = self.body.as_deref().unwrap_or(Path::new("the body")).display();
        Ok(Document::parse(text).map_err(|error| format!("{file}: {error}"))?)
    }
}

fn refuse_used(folder: &Path) -> Result<(), Box<dyn Error>> {
    match fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        true => Err(format!("{}: it is not empty. Name another folder with --out", folder.display()).into()),
        false => Ok(()),
    }
}
