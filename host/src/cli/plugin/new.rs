//! `bitrouter plugin new`: writes the project of a provider that builds as it is. The templates are `sdk/LANGUAGE/template`,
//! which the build script puts into the binary.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitrouter_contract::validate::is_id;
use bitrouter_files::shell_word;
use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::cli::terminal::Terminal;
use crate::cli::{NoConfig, Outcome, WRONG_LINE, print};

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// What a project of one language begins with.
#[derive(Debug)]
pub(super) struct Template {
    /// The language, as `--lang` has it.
    language: &'static str,
    /// Files in which names are filled in: place and contents.
    filled: &'static [(&'static str, &'static [u8])],
    /// Files that are copied as they are: the SDK and the contract.
    copied: &'static [(&'static str, &'static [u8])],
}

/// The languages in the order of the menu, and what each is for.
const LANGUAGES: [(&str, &str); 7] = [
    ("none", "no code: a description in JSON, for an API that others have, too"),
    ("rust", "Rust: the smallest and fastest components"),
    ("js", "JavaScript or TypeScript"),
    ("python", "Python"),
    ("go", "Go"),
    ("c", "C"),
    ("zig", "Zig"),
];

#[derive(Debug, Args)]
#[command(after_help = "\
NAME is the provider's id: clients write NAME:MODEL. On a terminal the language is asked for.

Examples:
  bitrouter plugin new acme --lang none     a provider without code
  bitrouter plugin new acme --lang rust
  bitrouter plugin new acme --lang rust --dir ~/src/acme-provider")]
pub(in crate::cli) struct New {
    /// The provider's id: a-z, 0-9 and -, a letter first
    #[arg(value_name = "NAME", value_parser = id)]
    name: String,
    /// The language that it is written in; `none` is a description alone
    #[arg(long, value_parser = PossibleValuesParser::new(languages()))]
    lang: Option<String>,
    /// The folder to write to, instead of ./NAME
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    no_config: NoConfig,
}

/// Those of [`LANGUAGES`] that this build has a template of.
fn languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.into_iter().map(|(language, _)| language).filter(|language| template(language).is_some())
}

fn template(language: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.language == language)
}

fn id(text: &str) -> Result<String, String> {
    match is_id(text) && !text.ends_with('-') && !text.contains("--") {
        true => Ok(text.to_owned()),
        false => Err("an id is 1 to 32 of the characters a-z 0-9 -, a letter first, each - between two others".into()),
    }
}

impl New {
    pub(in crate::cli) fn run(self) -> Outcome {
        let _ = &self.no_config;
        let Some(language) = self.lang.map_or_else(choose, |language| Ok(Some(language)))? else {
            let known: Vec<&str> = languages().collect();
            print::note(&format!("error: which language? Add --lang with one of: {}", known.join(", ")));
            return Ok(WRONG_LINE.into());
        };
        let template = template(&language).ok_or_else(|| format!("this bitrouter has no template of {language}"))?;
        let folder = self.dir.unwrap_or_else(|| PathBuf::from(&self.name));
        refuse_used(&folder)?;
        let names = Names::of(&self.name);
        let filled = template.filled.iter().map(|(place, bytes)| (names.fill(place), names.fill_bytes(bytes)));
        let copied = template.copied.iter().map(|(place, bytes)| ((*place).to_owned(), bytes.to_vec()));
        let files: Vec<(String, Vec<u8>)> = filled.chain(copied).collect();
        for (place, bytes) in &files {
            write(&folder.join(place), bytes)?;
        }
        let shown = print::printable(&folder.display().to_string());
        print::answer(&format!(
            "{shown}: {} files were written\n\n{}",
            files.len(),
            next_steps(&folder, &self.name, &language)
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks for the language; none where nobody is there to be asked.
fn choose() -> Result<Option<String>, Box<dyn Error>> {
    if !Terminal::is_there() {
        return Ok(None);
    }
    let known: Vec<&str> = languages().collect();
    let about = |language: &&str| LANGUAGES.iter().find(|(name, _)| name == language).map_or("", |(_, about)| about);
    let items: Vec<String> = known.iter().map(|language| about(language).to_owned()).collect();
    let chosen = Terminal::default().choose("What is it written in?", &items)?;
    Ok(known.get(chosen).map(|language| (*language).to_owned()))
}

/// A folder that holds anything is somebody's work.
fn refuse_used(folder: &Path) -> Result<(), Box<dyn Error>> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(format!("{}: it is not empty. Name another folder with --dir", folder.display()).into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error).into()),
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let failed = |error: io::Error| format!("{} cannot be written: {error}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    Ok(fs::write(file, bytes).map_err(failed)?)
}

fn next_steps(folder: &Path, name: &str, language: &str) -> String {
    let steps = |lines: &[(&str, &str)]| -> String {
        lines.iter().map(|(line, about)| format!("  {line:<42}{about}").trim_end().to_owned() + "\n").collect()
    };
    let enter = format!("cd {}", shell_word(folder));
    let file = format!("{name}.{}", if language == "none" { "json" } else { "wasm" });
    let (check, tried) = (format!("bitrouter plugin check {file}"), format!("bitrouter plugin try {file} --echo"));
    let test = ("bitrouter plugin test", "runs the cases in cases/");
    match language {
        "none" => steps(&[
            (&enter, ""),
            (&check, "names mistakes"),
            test,
            (&tried, "serves it, with an upstream that echoes"),
        ]),
        _ => steps(&[
            (&enter, ""),
            ("bitrouter plugin build", &format!("makes {file}")),
            test,
            (&check, "runs every hook in the sandbox"),
            (&tried, "serves it, with an upstream that echoes"),
        ]),
    }
}

/// A provider's name in the forms that languages want.
struct Names([(&'static str, String); 4]);

impl Names {
    fn of(id: &str) -> Self {
        let upper = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        let kind: String = id.split('-').map(upper).collect();
        let snake = id.replace('-', "_");
        let loud = snake.to_ascii_uppercase();
        Names([("{{name}}", id.to_owned()), ("{{name_}}", snake), ("{{Name}}", kind), ("{{NAME}}", loud)])
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (hole, name)| text.replace(hole, name))
    }

    /// What is no text has no names.
    fn fill_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        std::str::from_utf8(bytes).map_or_else(|_| bytes.to_vec(), |text| self.fill(text).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_as_each_language_writes_them() {
        let names = Names::of("acme-ai-2");
        assert_eq!(names.fill("{{name}} {{name_}} {{Name}} {{NAME}}"), "acme-ai-2 acme_ai_2 AcmeAi2 ACME_AI_2");
        assert_eq!(names.fill_bytes(b"\xff{{name}}"), b"\xff{{name}}");
    }

    #[test]
    fn every_template_is_in_the_menu_and_has_no_hole_left() {
        assert_eq!(languages().count(), TEMPLATES.len());
        for (place, bytes) in TEMPLATES.iter().flat_map(|template| template.filled) {
            let filled = Names::of("acme").fill_bytes(bytes);
            for text in [Names::of("acme").fill(place), String::from_utf8_lossy(&filled).into_owned()] {
                assert!(!text.contains("{{name") && !text.contains("{{Name"), "{place}: {text}");
            }
        }
    }
}
