//! The keys as JSON Schema, for editors, and as a table, for docs/configuration.md.
//!
//! Both are committed; a test holds them and the keys together.

use serde_json::{Value, json};

use super::Config;
use super::keys;
use super::section::{self, Section};

/// The JSON Schema of `bitrouter.yaml` as text, with a line feed at its end.
pub fn schema() -> String {
    let mut schema = section::schema(Config::members(), None);
    let head = [
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("title", json!("bitrouter.yaml")),
        ("description", json!("The config of BitRouter. Every key is optional.")),
    ];
    schema.extend(head.map(|(name, value)| (name.to_owned(), value)));
    format!("{:#}\n", Value::Object(schema))
}

/// Every key, what it takes, its default and what it does, as Markdown.
pub fn markdown() -> String {
    let mut table = String::from("| key | takes | default | what it does |\n|---|---|---|---|\n");
    for key in keys::all() {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        table += &format!("| `{}` | {} | {default} | {} |\n", key.path, key.takes.words, key.doc);
    }
    table
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
        is_current(document("bitrouter.schema.json"), &super::schema());
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
