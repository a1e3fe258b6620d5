//! Golden-file tests of a provider, run natively and without a network. A provider's own tests call [`check`]; it must
//! judge nothing but what the provider returned.
//!
//! Below `cases/` of the provider's crate each folder is one case, with one input file and `expected.txt`:
//!
//! | input file | hook | what it holds |
//! |---|---|---|
//! | `call.json`, `body.json` | `prepare`, `resume` | a call; its JSON body if it has one; `answers` to what is asked |
//! | `trouble.json` | `explain` | `{"status", "headers", "body", "truncated"}` or `{"event"}`, and the request's `memo` |
//! | `limits.json` | `quota` | `{"headers", "event"}` |
//! | `page.json` | `interpret` | `{"side", "status", "headers", "body", "truncated"}` |
//! | `answer.json` | `shape` | the `call` and the `memo` as in `stream.json`, the answer's `head` and its `body` |
//! | `stream.json` | `rewriter` | the `call` as in `call.json`, the `memo`, the answer's `head` (`{"status", "headers"}`), and `batches` of events `{"name", "headers", "data"}` |
//!
//! With `BLESS=1` in the environment the expected files are written anew; read the difference before committing it.

mod case;
mod described;
mod diff;
mod lent;
mod transcript;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use lent::Lent;

use crate::Exported;

/// Checks a provider's description, and every case below `<crate_folder>/cases`.
///
/// # Panics
/// With one text that names every mistake of the description and every case that came out differently.
pub fn check<P: Exported>(crate_folder: &str) {
    let hooks = P::hooks();
    let described = (hooks.describe)();
    let mut wrong = bitrouter_contract::validate::mistakes(&described);
    let description = match bitrouter_contract::validate::description(&described) {
        Ok(description) => description,
        Err(_) => panic!("\n\n{}\n", wrong.join("\n\n")),
    };
    if hooks.requests.is_none() {
        wrong.extend(bitrouter_contract::validate::paths(&description).err().map(|error| error.to_string()));
    }
    let provider = described::Provider { hooks, description };
    let cases = folders(&Path::new(crate_folder).join("cases"));
    if cases.is_empty() {
        wrong.push("there is no case: make a folder in cases/, with call.json and body.json".into());
    }
    let bless = std::env::var_os("BLESS").is_some();
    wrong.extend(cases.iter().filter_map(|folder| difference(&provider, folder, bless).err()));
    assert!(wrong.is_empty(), "\n\n{}\n", wrong.join("\n\n"));
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn difference(provider: &described::Provider, folder: &Path, bless: bool) -> Result<(), String> {
    let case = folder.display();
    let actual = case::run(provider, folder).map_err(|error| format!("{case}: {error}"))?;
    let file = folder.join("expected.txt");
    if bless {
        return fs::write(&file, actual).map_err(|error| format!("{}: {error}", file.display()));
    }
    let expected = fs::read_to_string(&file)
        .map_err(|_| format!("{case}: there is no expected.txt. Run the test with BLESS=1 to write it.\n{actual}"))?;
    if expected.replace("\r\n", "\n") == actual {
        return Ok(());
    }
    Err(format!(
        "{case}: not as expected.txt says (BLESS=1 rewrites it):\n{}",
        diff::lines(&expected, &actual).join("\n")
    ))
}
