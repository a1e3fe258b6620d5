//! A config with every key in it, each commented out below what it does, for `bitrouter init`.
//!
//! It comes from the keys, as the documentation does. A line that begins with `#` and no space before its key is
//! one that can be uncommented; all others are remarks.

use super::keys;

/// How wide remarks are.
const WIDTH: usize = 100;
/// The provider that stands for any.
const PROVIDER: &str = "openai";

/// The file's text.
pub fn text() -> String {
    let mut text = String::from(
        "# The config of BitRouter. Every key has the value that holds without it, or an example of one: take
# the # away to change it. To check it: bitrouter config check
# yaml-language-server: $schema=https://raw.githubusercontent.com/bitrouter/bitrouter/main/docs/bitrouter.schema.json
",
    );
    let mut open: Vec<String> = Vec::new();
    for key in &keys::all() {
        let parts: Vec<&str> = key.path.split('.').map(|part| if part == "<id>" { PROVIDER } else { part }).collect();
        let Some((name, parents)) = parts.split_last() else { continue };
        let shared = open.iter().zip(parents).take_while(|(one, other)| one == other).count();
        // The key that says something, so that the file does.
        let hash = if parents == ["server"] { "" } else { "#" };
        for (depth, parent) in parents.iter().enumerate().skip(shared) {
            let before = if depth == 0 { "\n" } else { "" };
            text += &format!("{before}{hash}{}{parent}:\n", "  ".repeat(depth));
        }
        open = parents.iter().map(|parent| (*parent).to_owned()).collect();
        let indent = "  ".repeat(parents.len());
        if parents.is_empty() {
            text.push('\n');
        }
        for line in wrapped(key.doc, WIDTH - indent.len()) {
            text += &format!("{hash}{indent}# {line}\n").replacen("## ", "# ", 1);
        }
        let hash = if key.path == "server.listen" { "" } else { "#" };
        // What holds without the key, or an example where that is nothing.
        let value = if key.default.is_empty() { key.takes.example } else { &key.default };
        text += &format!("{hash}{indent}{name}: {value}\n");
    }
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{FILE_NAME, LoadOptions, Paths, load};
    use super::*;

    fn loaded(text: &str) -> Result<super::super::Loaded, String> {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        std::fs::write(home.path().join(FILE_NAME), text).unwrap();
        let options = LoadOptions { file: None, working_dir: home.path().join("work"), paths };
        let env = |name: &str| (name == "OPENAI_API_KEY").then(|| OsString::from("sk-canary-0123456789"));
        load(&options, &env).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_as_it_is_says_what_holds_without_it() {
        let config = loaded(&text()).unwrap().config;
        assert_eq!(config.server.listen.len(), 2);
        assert!(config.providers.is_empty() && config.server.keys.is_empty());
    }

    #[test]
    fn every_key_is_there_and_all_of_it_can_be_uncommented() {
        let all: String = text()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        for key in &keys::all() {
            let name = key.path.rsplit('.').next().unwrap();
            assert!(all.lines().any(|line| line.trim_start().starts_with(&format!("{name}:"))), "{name}: {all}");
        }
        // These two say the same thing.
        let all = all.replace("    api_base: http://127.0.0.1:8000/v1\n", "");
        let config = loaded(&all).unwrap_or_else(|error| panic!("{error}\n{all}")).config;
        assert_eq!(config.provider(PROVIDER).priority, 100);
    }

    #[test]
    fn no_remark_is_wider_than_a_terminal() {
        for line in text().lines().filter(|line| !line.contains("$schema")) {
            assert!(line.chars().count() <= WIDTH + 14, "{line}");
        }
    }
}
