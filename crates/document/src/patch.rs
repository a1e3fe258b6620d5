//! RFC 6902 without `test`: edits in order, all or none.
//! `document` calls it for guests and for the host's own changes. New values are checked, old ones are left alone.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::{
    Error, Kind,
    error::kept,
    limits,
    pointer::{self, Pointer},
    text::Span,
    tree::{At, Node, Slot, Tree},
};

const ABSENT: &str = "there is no such value";

/// One edit. Paths are JSON pointers, values are JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Sets a member, or inserts before an index; `-` as the index appends.
    Add {
        /// Where it goes.
        path: &'a str,
        /// The new value.
        value: &'a str,
    },
    /// Removes a value that must be there.
    Remove {
        /// Where it is.
        path: &'a str,
    },
    /// Replaces a value that must be there.
    Replace {
        /// Where it is.
        path: &'a str,
        /// The new value.
        value: &'a str,
    },
    /// Takes a value out of `source` and adds it at `target`.
    Move {
        /// Where the value is.
        source: &'a str,
        /// Where it goes.
        target: &'a str,
    },
    /// Adds the value at `source` a second time at `target`.
    Copy {
        /// Where the value is.
        source: &'a str,
        /// Where it goes too.
        target: &'a str,
    },
}

impl Edit<'_> {
    /// The name that RFC 6902 has for it.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
        }
    }
}

/// An edit whose paths and value are known to be sound, ready to be made in one place or in many.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<'a> {
    Add(Pointer<'a>, New<'a>),
    Remove(Pointer<'a>),
    Replace(Pointer<'a>, New<'a>),
    Move(Pointer<'a>, Pointer<'a>),
    Copy(Pointer<'a>, Pointer<'a>),
}

impl<'a> Operation<'a> {
    pub(crate) fn of(edit: &Edit<'a>) -> Result<Self, Error> {
        Ok(match *edit {
            Edit::Add { path, value } => {
                let path = Pointer::parse(path)?;
                Self::Add(path, checked(path, value)?)
            }
            Edit::Remove { path } => Self::Remove(Pointer::parse(path)?),
            Edit::Replace { path, value } => {
                let path = Pointer::parse(path)?;
                Self::Replace(path, checked(path, value)?)
            }
            Edit::Move { source, target } => Self::Move(Pointer::parse(source)?, Pointer::parse(target)?),
            Edit::Copy { source, target } => Self::Copy(Pointer::parse(source)?, Pointer::parse(target)?),
        })
    }
}

impl Tree {
    /// Applies all edits or none.
    pub(crate) fn patch(&mut self, edits: &[Edit<'_>]) -> Result<(), Error> {
        if edits.len() > limits::EDITS {
            return Err(Error::TooManyEdits { edits: edits.len(), most: limits::EDITS });
        }
        self.in_batch(|tree| {
            for (index, edit) in edits.iter().enumerate() {
                tree.apply(edit).map_err(|cause| {
                    let operation = edit.operation();
                    Error::Edit { index, operation, cause: Box::new(cause) }
                })?;
            }
            Ok(())
        })
    }

    /// Makes changes that are all kept, or all taken back if one of them fails.
    pub(crate) fn in_batch(&mut self, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let before = self.text.state();
        self.begin_batch();
        let changed = change(self);
        if changed.is_ok() {
            self.keep();
        } else {
            self.take_back();
            self.text.roll_back(before);
        }
        changed
    }

    pub(crate) fn apply(&mut self, edit: &Edit<'_>) -> Result<(), Error> {
        self.perform(At::Root, &Operation::of(edit)?)
    }

    /// Makes an edit whose paths begin at this value.
    pub(crate) fn perform(&mut self, base: At, operation: &Operation<'_>) -> Result<(), Error> {
        match *operation {
            Operation::Add(path, value) => self.add(base, path, value),
            Operation::Remove(path) => self.take(base, path).map(|_| ()),
            Operation::Replace(path, value) => self.replace(base, path, value),
            Operation::Move(source, target) => {
                if source.as_str() == target.as_str() {
                    return self.existing(base, source).map(|_| ());
                }
                if source.holds(target) {
                    return Err(fault(target, "a value cannot be moved into itself"));
                }
                let value = self.take(base, source)?;
                self.add(base, target, New::Node(value))
            }
            Operation::Copy(source, target) => {
                let value = self.existing(base, source)?;
                let value = self.duplicate(value)?;
                self.add(base, target, New::Node(value))
            }
        }
    }

    fn existing(&mut self, base: At, path: Pointer<'_>) -> Result<Node, Error> {
        let at = self.walk(base, path, |_, _| ())?.ok_or_else(|| fault(path, ABSENT))?;
        Ok(self.node(at))
    }

    /// A second node for a value: its text, which is written now if the value was edited.
    fn duplicate(&mut self, value: Node) -> Result<Node, Error> {
        let size = self.size(value) as usize;
        if let Some(span) = self.own_text(value) {
            self.text.spend(size)?;
            return Ok(Node::Text(self.text.trimmed(span)));
        }
        self.text.fits(size)?;
        let pieces = self.pieces(value);
        let mut written = Vec::with_capacity(pieces.len);
        pieces.spans.iter().for_each(|&span| written.extend_from_slice(self.text.bytes(span)));
        let span = self.text.add(&written)?;
        Ok(Node::Text(self.text.trimmed(span)))
    }

    /// Sets a member or inserts an item.
    fn add(&mut self, base: At, path: Pointer<'_>, value: New<'_>) -> Result<(), Error> {
        let Some((id, token)) = self.holder(base, path)? else {
            return self.set_base(base, path, value);
        };
        self.looks_up(id);
        if self.container(id).kind == Kind::Object {
            if let Some(index) = self.position(id, &token) {
                return self.set_value(At::Slot(id, index), value);
            }
            let key = [serde_json::Value::from(&*token).to_string().as_str(), ":"].concat();
            self.containers[id as usize].escaped |= key.contains('\\');
            let prefix = self.text.add(key.as_bytes())?;
            let value = self.written(value)?;
            return self.insert(id, self.container(id).len as usize, Slot { prefix, value });
        }
        let end = self.container(id).len as usize;
        let index = if token == "-" { Some(end) } else { pointer::index(&token).filter(|&index| index <= end) };
        let index = index.ok_or_else(|| fault(path, "an array takes an index up to its length, or -"))?;
        let value = self.written(value)?;
        self.insert(id, index, Slot { prefix: Span::default(), value })
    }

    fn replace(&mut self, base: At, path: Pointer<'_>, value: New<'_>) -> Result<(), Error> {
        let Some((id, token)) = self.holder(base, path)? else {
            return self.set_base(base, path, value);
        };
        self.looks_up(id);
        let index = self.child(id, &token).ok_or_else(|| fault(path, ABSENT))?;
        self.set_value(At::Slot(id, index), value)
    }

    /// Takes a value out of the container that holds it.
    fn take(&mut self, base: At, path: Pointer<'_>) -> Result<Node, Error> {
        let (id, index) = match (self.holder(base, path)?, base) {
            (Some((id, token)), _) => {
                self.looks_up(id);
                (id, self.child(id, &token).ok_or_else(|| fault(path, ABSENT))?)
            }
            (None, At::Slot(id, index)) => (id, index),
            (None, At::Root) => return Err(fault(path, "the whole body cannot be taken away")),
        };
        Ok(match self.remove(id, index).value {
            // The white space around it was laid out for the place that it leaves.
            Node::Text(span) => Node::Text(self.text.trimmed(span)),
            container => container,
        })
    }

    /// The container of the value that a path names, and the path's last token; none for the base itself. The container
    /// and all that hold it, up to the base, are marked as edited.
    fn holder<'p>(&mut self, base: At, path: Pointer<'p>) -> Result<Option<(u32, Cow<'p, str>)>, Error> {
        let Some((parent, token)) = path.parent() else {
            return Ok(None);
        };
        let at = self.walk(base, parent, Self::mark_edited)?;
        let at = at.ok_or_else(|| fault(path, "there is no object or array that could hold it"))?;
        let id = self.open(at, || kept(parent.as_str()))?;
        let id = id.ok_or_else(|| fault(path, "what should hold it is neither an object nor an array"))?;
        self.mark_edited(id);
        Ok(Some((id, token)))
    }

    /// Puts a value in another's place, between the white space that was around it.
    fn set_value(&mut self, at: At, value: New<'_>) -> Result<(), Error> {
        let outer = match self.node(at) {
            Node::Text(span) => span,
            Node::Container(id) => self.container(id).text,
        };
        let inner = self.text.trimmed(outer);
        let node = match value {
            New::Text(value) if inner != outer => {
                let before = self.text.bytes(Span { start: outer.start, end: inner.start });
                let behind = self.text.bytes(Span { start: inner.end, end: outer.end });
                let padded = [before, value.as_bytes(), behind].concat();
                Node::Text(self.text.add(&padded)?)
            }
            value => self.written(value)?,
        };
        self.set(at, node);
        Ok(())
    }

    /// Puts a value in the place of the one at which paths begin.
    fn set_base(&mut self, base: At, path: Pointer<'_>, value: New<'_>) -> Result<(), Error> {
        match base {
            At::Root => self.set_root(path, value),
            At::Slot(..) => self.set_value(base, value),
        }
    }

    /// Replaces the whole body, which stays an object.
    fn set_root(&mut self, path: Pointer<'_>, value: New<'_>) -> Result<(), Error> {
        let node = self.written(value)?;
        let found = self.kind(node)?;
        if found != Kind::Object {
            let reason = format!("it is of kind {found}; the body must stay an object");
            return Err(Error::NewValue { pointer: kept(path.as_str()), reason });
        }
        let node = match node {
            Node::Text(span) => self.open_root(span, true)?,
            container => container,
        };
        self.set(At::Root, node);
        Ok(())
    }

    fn written(&mut self, value: New<'_>) -> Result<Node, Error> {
        match value {
            New::Text(value) => self.text.add(value.as_bytes()).map(Node::Text),
            New::Node(node) => Ok(node),
        }
    }
}

/// A value on its way into the document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum New<'a> {
    /// Valid JSON without white space around it.
    Text(&'a str),
    /// A value of the document.
    Node(Node),
}

/// The new value of an edit, if it is JSON.
fn checked<'a>(path: Pointer<'_>, value: &'a str) -> Result<New<'a>, Error> {
    match serde_json::from_str::<IgnoredAny>(value) {
        Ok(_) => Ok(New::Text(value.trim_ascii())),
        Err(error) => Err(Error::NewValue { pointer: kept(path.as_str()), reason: error.to_string() }),
    }
}

fn fault(path: Pointer<'_>, reason: &'static str) -> Error {
    Error::Pointer { pointer: kept(path.as_str()), reason }
}
