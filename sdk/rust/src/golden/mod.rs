//! Golden-file tests of a provider, run natively and without a network. A provider's own tests call [`check`]; the cases and
//! what is said of them are the crate `bitrouter-golden`'s, which says what the files of a case are. The same cases run against
//! the component by `bitrouter plugin test`.
//!
//! With `BLESS=1` in the environment the expected files are written anew; read the difference before committing it.

mod described;
mod lent;
mod native;

use std::path::Path;

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
    let bless = std::env::var_os("BLESS").is_some();
    let cases = Path::new(crate_folder).join("cases");
    let report = bitrouter_golden::check(&cases, bless, || Box::new(native::Native(&provider)));
    if report.cases.is_empty() {
        wrong.push("there is no case: make a folder in cases/, with call.json and body.json".into());
    }
    let failed = |(folder, why): (&Path, &str)| {
        format!("{}: not as expected.txt says (BLESS=1 rewrites it):\n{why}", folder.display())
    };
    wrong.extend(report.failed().map(failed));
    assert!(wrong.is_empty(), "\n\n{}\n", wrong.join("\n\n"));
}
