//! How commands print: aligned tables, JSON, and text that cannot command the terminal.
//!
//! Components and configs are written by others, so whatever comes from them passes through [`printable`].

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

/// Writes an answer to standard output. A reader that went away, such as `head`, is no failure.
pub(super) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a value to standard output as indented JSON.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    answer(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Writes a line to standard error.
pub(super) fn note(line: &str) {
    // Where nobody listens, nobody misses it.
    let _ = writeln!(io::stderr(), "{line}");
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

/// Rows of cells in aligned columns, the last column as long as it likes.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    indent: &'static str,
}

impl Table {
    /// A table with a head.
    pub(super) fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|name| name.to_uppercase()).collect();
        Table { rows: vec![head], indent: "" }
    }

    /// A table without a head, a little to the right: names and what belongs to them.
    pub(super) fn indented() -> Self {
        Table { rows: Vec::new(), indent: "  " }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The table as lines.
    pub(super) fn text(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = self.indent.to_owned();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{cell:<width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blank_ends() {
        let mut table = Table::new(&["id", "state"]);
        table.row(["openai", "active"]);
        table.row(["é", ""]);
        assert_eq!(table.text(), "ID      STATE\nopenai  active\né\n");
    }

    #[test]
    fn a_table_without_a_head_is_indented() {
        let mut table = Table::indented();
        table.row(["id", "echo"]);
        table.row(["version", "1"]);
        assert_eq!(table.text(), "  id       echo\n  version  1\n");
    }

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
