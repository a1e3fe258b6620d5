//! How commands print: aligned tables, JSON, and text that cannot command the terminal.
//!
//! Components and configs are written by others, so whatever comes from them passes through [`printable`].

mod look;
mod table;

use std::io::{self, Write as _};

use serde::Serialize;

pub(super) use look::{begin, is_plain};
pub(super) use table::Table;

/// Whether somebody still reads what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// As far as can be known.
    Here,
    /// It went away, as `head` does when it has enough.
    Gone,
}

/// Writes an answer to standard output. A reader that went away is no failure: what the command was asked to do is done.
pub(super) fn answer(text: &str) -> io::Result<()> {
    answer_again(text).map(drop)
}

/// The same for a command that prints again and again, which ends when nobody reads.
pub(super) fn answer_again(text: &str) -> io::Result<Reader> {
    write(&look::shown(text))
}

/// Writes a value to standard output as indented JSON.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    write(&format!("{}\n", serde_json::to_string_pretty(value)?)).map(drop)
}

/// Writes a value to standard output as a line of JSON.
pub(super) fn json_line(value: &impl Serialize) -> io::Result<Reader> {
    write(&format!("{}\n", serde_json::to_string(value)?))
}

fn write(text: &str) -> io::Result<Reader> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Here),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}

/// Writes a line to standard error.
pub(super) fn note(line: &str) {
    // Where nobody listens, nobody misses it.
    let _ = writeln!(io::stderr(), "{}", look::shown(line));
}

/// Writes a piece of a line to standard error, with what moves the cursor.
pub(super) fn piece(text: &str) {
    let _ = write!(io::stderr(), "{}", look::shown(text));
}

/// The text as one line, with everything that a terminal obeys, or that shows other text than there is, made visible.
pub(super) fn printable(text: &str) -> String {
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let hides = |letter: char| matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.replace(|letter: char| letter.is_control() || hides(letter), "\u{fffd}")
}

/// Several things in one cell; `-` where there is none.
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_move_the_cursor_or_turn_around() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n  c\rd\u{202e}e"), "a\u{fffd}[2Jb c\u{fffd}d\u{fffd}e");
        let mut table = Table::indented();
        table.row(["\u{1b}[31m"]);
        assert!(!table.text().contains('\u{1b}'));
    }

    #[test]
    fn an_empty_list_is_a_dash() {
        assert_eq!(list::<&str>(&[]), "-");
        assert_eq!(list(&["a", "b"]), "a, b");
    }
}
