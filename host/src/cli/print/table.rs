//! Rows of cells in aligned columns, as wide as the terminal at most.
//!
//! What is too wide loses the columns that it may do without, and is then wrapped between words. Where not even the longest words fit beside each other, each row becomes a
//! block of lines of its own: nothing is cut, and no word is broken.

use std::fmt::Write as _;

use super::{look, printable};

/// What stands between two columns.
const GAP: usize = 2;

/// Rows of cells in aligned columns.
#[derive(Clone)]
pub(in crate::cli) struct Table {
    rows: Vec<Vec<String>>,
    head: bool,
    indent: &'static str,
    /// The columns that it may do without, the first to go first.
    spare: Vec<usize>,
}

impl Table {
    /// A table with a head.
    pub(in crate::cli) fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|name| name.to_uppercase()).collect();
        Table { rows: vec![head], head: true, indent: "", spare: Vec::new() }
    }

    /// Leaves out these columns, the first one first, where there is no room for them.
    pub(in crate::cli) fn sparing(mut self, names: &[&str]) -> Self {
        let head = self.rows.first().map_or(&[][..], Vec::as_slice);
        let at = |name: &&str| head.iter().position(|known| *known == name.to_uppercase());
        self.spare = names.iter().filter_map(at).collect();
        self
    }

    /// A table without a head, a little to the right: names and what belongs to them.
    pub(in crate::cli) fn indented() -> Self {
        Table { rows: Vec::new(), head: false, indent: "  ", spare: Vec::new() }
    }

    /// Adds a row.
    pub(in crate::cli) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The same table with more rows.
    pub(in crate::cli) fn with<T: AsRef<str>, const N: usize>(
        mut self,
        rows: impl IntoIterator<Item = [T; N]>,
    ) -> Self {
        rows.into_iter().for_each(|cells| self.row(cells.each_ref().map(AsRef::as_ref)));
        self
    }

    /// The table under a heading, after an empty line; nothing where it has no rows.
    pub(in crate::cli) fn under(&self, heading: &str) -> String {
        if self.rows.is_empty() { String::new() } else { format!("\n{heading}\n{}", self.text()) }
    }

    /// The table as lines that fit what they are printed on.
    pub(in crate::cli) fn text(&self) -> String {
        self.within(look::width())
    }

    /// The same for so many letters in a line; without any number, each row is one line.
    fn within(&self, letters: Option<usize>) -> String {
        let Some(letters) = letters else { return self.columns(&self.widths(length)) };
        let mut table = self.clone();
        loop {
            let (natural, room) = (table.widths(length), table.room(letters));
            if natural.iter().sum::<usize>() <= room {
                return table.columns(&natural);
            }
            if table.drop_one() {
                continue;
            }
            let least = table.widths(|cell| cell.split(' ').map(length).max().unwrap_or_default());
            return match narrowed(&natural, &least, room) {
                Some(widths) => table.columns(&widths),
                None => self.blocks(letters),
            };
        }
    }

    /// How many letters of a line are its cells'.
    fn room(&self, letters: usize) -> usize {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        letters.saturating_sub(self.indent.len() + GAP * columns.saturating_sub(1))
    }

    /// Leaves out the next column that may be.
    fn drop_one(&mut self) -> bool {
        if self.spare.is_empty() {
            return false;
        }
        let at = self.spare.remove(0);
        for row in &mut self.rows {
            if at < row.len() {
                row.remove(at);
            }
        }
        for later in &mut self.spare {
            *later -= usize::from(*later > at);
        }
        true
    }

    /// What each column needs by this measure of a cell.
    fn widths(&self, measure: impl Fn(&str) -> usize) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure(cell));
            }
        }
        widths
    }

    /// Cells beside each other, wrapped where they are wider than their column.
    fn columns(&self, widths: &[usize]) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(cell, width)| wrapped(cell, *width)).collect();
            for number in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
                let mut line = self.indent.to_owned();
                for (lines, width) in cells.iter().zip(widths) {
                    let piece = lines.get(number).map_or("", String::as_str);
                    // Writing to a String cannot fail.
                    let _ = write!(line, "{piece:<width$}{:GAP$}", "");
                }
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// Each row as lines below each other: its first cell, and what belongs to it with its name.
    fn blocks(&self, columns: usize) -> String {
        let (head, rows) = match self.head {
            true => self.rows.split_first().map_or((&[][..], &[][..]), |(head, rows)| (head.as_slice(), rows)),
            false => (&[][..], self.rows.as_slice()),
        };
        let name = head.iter().map(String::as_str).map(length).max().unwrap_or_default();
        let mut text = String::new();
        for row in rows {
            for (number, cell) in row.iter().enumerate() {
                let (indent, name) = match (head.get(number), number) {
                    (Some(title), 0) => (String::new(), format!("{title:<name$}  ")),
                    (Some(title), _) => ("  ".to_owned(), format!("{title:<name$}  ")),
                    (None, 0) => (self.indent.to_owned(), String::new()),
                    (None, _) => (format!("{0}{0}", self.indent), String::new()),
                };
                let before = indent.len() + length(&name);
                let mut name = name;
                for piece in wrapped(cell, columns.saturating_sub(before)) {
                    let _ = writeln!(text, "{}", format!("{indent}{name}{piece}").trim_end());
                    name = " ".repeat(length(&name));
                }
            }
        }
        text
    }
}

/// Widths that fit into the room, no column below its longest word: the widest give way first. Nothing where none fit.
fn narrowed(natural: &[usize], least: &[usize], room: usize) -> Option<Vec<usize>> {
    if least.iter().sum::<usize>() > room {
        return None;
    }
    let mut widths = natural.to_vec();
    while widths.iter().sum::<usize>() > room {
        let can = |index: &usize| widths[*index] > least[*index];
        let widest = (0..widths.len()).filter(can).max_by_key(|index| widths[*index])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

/// A text in lines of so many letters, broken between words; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if length(text) <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut().filter(|line| length(line) + 1 + length(word) <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Table {
        let mut table = Table::new(&["provider", "health", "from"]);
        table.row(["openai-codex", "log in again", "import of /home/me/.codex/auth.json"]);
        table.row(["openai", "ok", "key"]);
        table
    }

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
    fn a_table_that_is_too_wide_is_wrapped_between_words() {
        assert_eq!(
            accounts().within(Some(56)),
            "\
PROVIDER      HEALTH        FROM
openai-codex  log in again  import of
                            /home/me/.codex/auth.json
openai        ok            key
"
        );
    }

    #[test]
    fn columns_that_can_be_spared_go_before_anything_is_wrapped() {
        let table = accounts().sparing(&["from", "health"]);
        assert_eq!(table.within(Some(63)), accounts().text());
        assert_eq!(table.within(Some(62)), "PROVIDER      HEALTH\nopenai-codex  log in again\nopenai        ok\n");
        assert_eq!(table.within(Some(20)), "PROVIDER\nopenai-codex\nopenai\n");
        // Where there is a line for each cell, there is one for all.
        assert!(table.within(Some(10)).contains("/home/me/.codex/auth.json"));
    }

    #[test]
    fn a_table_whose_words_do_not_fit_is_a_block_for_each_row() {
        assert_eq!(
            accounts().within(Some(40)),
            "\
PROVIDER  openai-codex
  HEALTH    log in again
  FROM      import of
            /home/me/.codex/auth.json
PROVIDER  openai
  HEALTH    ok
  FROM      key
"
        );
    }

    #[test]
    fn rows_without_a_head_are_blocks_too() {
        let mut table = Table::indented();
        table.row(["/a/very/long/path/of/a/component.wasm", "it is not trusted"]);
        assert_eq!(table.within(Some(30)), "  /a/very/long/path/of/a/component.wasm\n    it is not trusted\n");
    }

    #[test]
    fn no_line_is_wider_than_it_may_be_and_no_word_is_broken_or_lost() {
        let natural = accounts().text();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        // From the longest word and what stands before it, to more than is needed.
        for columns in 37..90 {
            let text = accounts().within(Some(columns));
            assert!(text.lines().all(|line| length(line) <= columns), "{columns}: {text}");
            assert_eq!(words(&text), words(&natural), "{columns}: {text}");
        }
    }
}
