//! The table of keys as Markdown, for docs/configuration.md.
//!
//! A test holds the document and the table together, and the committed schema with it.

use super::keys::{KEYS, Kind, State};

/// Every key, what it takes, its default and what it does.
pub fn markdown() -> String {
    let mut table = String::from("| key | takes | default | what it does |\n|---|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let doc = match key.state {
            State::Landed(_) => key.doc.to_owned(),
            State::NotYet(what) => format!("{} **Not there yet:** {what}.", key.doc),
        };
        table += &format!("| `{}` | {} | {default} | {doc} |\n", key.path, takes(&key.kind));
    }
    table
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Integer { min, max, .. } => format!("{min} to {max}"),
        Kind::Size { .. } => "a size".to_owned(),
        Kind::Secret => "text".to_owned(),
        Kind::Secrets => "a list of texts".to_owned(),
        Kind::Texts(_) => "text, or a list".to_owned(),
        Kind::Url => "a URL".to_owned(),
        Kind::Urls => "URLs by name".to_owned(),
        Kind::Folder => "a path".to_owned(),
        Kind::Choice(words) => format!("`{}`", words.join("`, `")),
        Kind::Lists => "addresses by name".to_owned(),
        Kind::Open => "keys".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    const BEGIN: &str =
        "<!-- The table comes from host/src/config/keys.rs: BLESS=1 cargo test -p bitrouter config -->\n";
    const END: &str = "<!-- End of the table. -->\n";

    fn document(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
    }

    /// Compares a committed file with what it should be, or writes it where `BLESS` is set.
    fn is_current(file: PathBuf, wanted: &str) {
        if std::env::var_os("BLESS").is_some() {
            fs::write(file, wanted).unwrap();
            return;
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == wanted, "{} is out of date. Run: BLESS=1 cargo test -p bitrouter config", file.display());
    }

    #[test]
    fn the_committed_schema_is_current() {
        is_current(document("bitrouter.schema.json"), &super::super::schema());
    }

    #[test]
    fn the_documented_table_is_current() {
        let file = document("configuration.md");
        let text = fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once(BEGIN).expect("the document has a place for the table");
        let (_, after) = rest.split_once(END).expect("the table has an end");
        is_current(file, &format!("{before}{BEGIN}{}{END}{after}", super::markdown()));
    }
}
