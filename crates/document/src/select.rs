//! Named members of all items of an array, in one call.
//! The host calls it for guests, which would pay more for one call an item than for the values.

use std::borrow::Cow;

use crate::{
    Error, Kind,
    error::kept,
    limits,
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
        if fields.len() > limits::FIELDS {
            return Err(Error::TooManyFields { fields: fields.len() });
        }
        let Some(id) = self.container_at(array)?.filter(|&id| self.container(id).kind == Kind::Array) else {
            return Ok(Table::default());
        };
        let rows = self.members(id).len();
        if rows * fields.len() > limits::CELLS {
            return Err(Error::TooManyCells { rows, fields: fields.len() });
        }
        if fields.iter().any(|field| !field.is_empty()) {
            for row in 0..rows {
                self.open_object(At::Slot(id, row), || format!("{}/{row}", array.as_str()))?;
            }
        }
        let mut cells = Vec::with_capacity(rows * fields.len());
        let mut left = Left { bytes: limits::SELECTED, steps: limits::STEPS };
        for item in self.members(id) {
            for field in fields {
                cells.push(self.cell(item.value, field, max_bytes, &mut left)?);
            }
        }
        Ok(Table { cells, fields: fields.len(), rows })
    }

    /// How many members or items a container has; 0 if there is none.
    pub(crate) fn count(&mut self, pointer: Pointer<'_>) -> Result<usize, Error> {
        Ok(self.container_at(pointer)?.map_or(0, |id| self.members(id).len()))
    }

    fn container_at(&mut self, pointer: Pointer<'_>) -> Result<Option<u32>, Error> {
        match self.find(pointer)? {
            Some(at) => self.open(at, || kept(pointer.as_str())),
            None => Ok(None),
        }
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

    fn cell(&self, item: Node, field: &str, max_bytes: u32, left: &mut Left) -> Result<Cell<'_>, Error> {
        let value = match item {
            item if field.is_empty() => item,
            Node::Container(id) if self.container(id).kind == Kind::Object => {
                left.step(self.container(id).len as usize)?;
                match self.position(id, field) {
                    Some(index) => self.members(id)[index].value,
                    None => return Ok(Cell::Absent),
                }
            }
            _ => return Ok(Cell::Absent),
        };
        if let Some(span) = self.own_text(value).map(|span| self.text.trimmed(span)) {
            return match span.len() as u32 {
                size if size > max_bytes => Ok(Cell::Big(size)),
                _ => {
                    left.read(span.len())?;
                    self.text.read(span).map(|value| Cell::Value(Cow::Borrowed(value)))
                }
            };
        }
        let pieces = self.pieces(value);
        left.step(pieces.spans.len())?;
        match self.size(value) {
            size if size > max_bytes => Ok(Cell::Big(size)),
            size => {
                left.read(size as usize)?;
                self.read(value).map(Cell::Value)
            }
        }
    }
}

/// What one `select` may still read, charged before it is done.
struct Left {
    bytes: usize,
    steps: usize,
}

impl Left {
    fn read(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Error::TooMuchSelected)?;
        Ok(())
    }

    fn step(&mut self, steps: usize) -> Result<(), Error> {
        self.steps = self.steps.checked_sub(steps).ok_or(Error::TooMuchSelected)?;
        Ok(())
    }
}
