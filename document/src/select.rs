//! Named members of all items of an array, in one call.
//! The host calls it for guests, which would pay more for one call an item than for the values.

use std::borrow::Cow;

use crate::{
    Error, Kind,
    pointer::Pointer,
    tree::{At, Node, Tree},
};

/// One field of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// The item is not an object, or has no such member.
    Absent,
    /// The value's JSON text.
    Value(Cow<'a, str>),
    /// The value is longer than asked for; its size in bytes.
    Big(u32),
}

/// What `select` answers: a row for each item, a cell for each field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table<'a> {
    cells: Vec<Cell<'a>>,
    fields: usize,
    rows: usize,
}

impl<'a> Table<'a> {
    /// How many items the array has.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True if there is no item, or no array.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows in the order of the items; the cells in the order of the fields.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Cell<'a>]> {
        (0..self.rows).map(|row| &self.cells[row * self.fields..(row + 1) * self.fields])
    }
}

impl Tree {
    pub(crate) fn select(&mut self, array: Pointer<'_>, fields: &[&str], max_bytes: u32) -> Result<Table<'_>, Error> {
        let Some(at) = self.find(array)? else {
            return Ok(Table::default());
        };
        let Some(id) = self.open(at, || array.as_str().to_owned())? else {
            return Ok(Table::default());
        };
        if self.container(id).kind != Kind::Array {
            return Ok(Table::default());
        }
        let rows = self.members(id).len();
        if fields.iter().any(|field| !field.is_empty()) {
            for row in 0..rows {
                self.open_object(At::Slot(id, row), || format!("{}/{row}", array.as_str()))?;
            }
        }
        let mut cells = Vec::with_capacity(rows * fields.len());
        for item in self.members(id) {
            for field in fields {
                cells.push(self.cell(item.value, field, max_bytes)?);
            }
        }
        Ok(Table { cells, fields: fields.len(), rows })
    }

    /// Indexes an item if it is an object: an array has no named members.
    fn open_object(&mut self, at: At, pointer: impl Fn() -> String) -> Result<(), Error> {
        if let Node::Text(span) = self.node(at)
            && self.text.byte(self.text.trimmed(span).start) == Some(b'{')
        {
            self.open(at, pointer)?;
        }
        Ok(())
    }

    fn cell(&self, item: Node, field: &str, max_bytes: u32) -> Result<Cell<'_>, Error> {
        let value = match item {
            item if field.is_empty() => item,
            Node::Container(id) if self.container(id).kind == Kind::Object => match self.position(id, field) {
                Some(index) => self.members(id)[index].value,
                None => return Ok(Cell::Absent),
            },
            _ => return Ok(Cell::Absent),
        };
        let text = self.own_text(value).map(|span| self.text.trimmed(span));
        match (text.map_or_else(|| self.size(value), |span| span.len() as u32), text) {
            (size, _) if size > max_bytes => Ok(Cell::Big(size)),
            (_, Some(span)) => self.text.read(span).map(|value| Cell::Value(Cow::Borrowed(value))),
            (_, None) => self.read(value).map(Cell::Value),
        }
    }
}
