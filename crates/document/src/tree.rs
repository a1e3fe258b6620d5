//! The document's containers, opened one level at a time, and the changes made to them.
//! Reads and edits both find their way through here. A change can be taken back; bytes are never moved.

use crate::{
    Error, Kind,
    change::Batch,
    error::kept,
    index::{Fault, IndexedText, Level, decoded_key, key_of},
    limits,
    pointer::{self, Pointer},
    scan::Marks,
    text::{Span, Text},
    wide::{Iter, Members},
};

/// A value: text that nobody has looked into, or an indexed container.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    /// With the white space around the value.
    Text(Span),
    /// The container's place in [`Tree::containers`].
    Container(u32),
}

/// A member of an object or an item of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// All that stands before the value: white space, key and colon. Empty for an item.
    pub(crate) prefix: Span,
    pub(crate) value: Node,
}

/// An indexed object or array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container {
    pub(crate) kind: Kind,
    /// The text that it was indexed from, with the white space around it.
    pub(crate) text: Span,
    /// True if the text no longer says what the container holds.
    pub(crate) edited: bool,
    /// True if a key of the text holds a backslash.
    pub(crate) escaped: bool,
    /// True while a batch of edits has its members in a form that is cheap to change; `first` is then their place there.
    pub(crate) wide: bool,
    /// Where its members start in [`Tree::slots`], how many they are, and for how many there is room.
    pub(crate) first: u32,
    pub(crate) len: u32,
    pub(crate) capacity: u32,
}

/// All members of all indexed containers live in one list, each container's side by side. A container that grows moves
/// to the end of the list with twice the room.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) text: Text,
    pub(crate) root: Node,
    pub(crate) containers: Vec<Container>,
    pub(crate) slots: Vec<Slot>,
    /// The changes since the last [`Tree::keep`].
    pub(crate) batch: Batch,
}

/// Where a value hangs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Root,
    Slot(u32, usize),
}

impl Tree {
    /// Indexes the first level of a body that must be an object and nothing else.
    pub(crate) fn parse(text: Text) -> Result<Self, Error> {
        let body = text.body();
        if body.starts_with(b"\xef\xbb\xbf") {
            return Err(Error::ByteOrderMark);
        }
        let source = IndexedText { text: body, marks: text.marks(), base: 0, balanced: false };
        let open = source.skip_space(0);
        match body.get(open).map(|&first| Kind::of(first)) {
            Some(Some(Kind::Object)) => {}
            Some(Some(found)) => {
                return Err(Error::NotObject { found, place: text.place(open as u32) });
            }
            _ => {
                return Err(Error::Syntax { expected: "an object", place: text.place(open as u32) });
            }
        }
        let span = Span { start: 0, end: body.len() as u32 };
        let mut tree =
            Self { text, root: Node::Text(span), containers: Vec::new(), slots: Vec::new(), batch: Batch::default() };
        tree.root = tree.open_root(span, false)?;
        Ok(tree)
    }

    /// Indexes the root, which must be an object.
    pub(crate) fn open_root(&mut self, span: Span, balanced: bool) -> Result<Node, Error> {
        let (id, end) = self.index(span, balanced, String::new)?;
        let rest = self.text.trimmed(Span { start: end, end: span.end });
        if rest.len() > 0 {
            let place = self.text.place(rest.start);
            return Err(Error::Syntax { expected: "nothing behind the object", place });
        }
        Ok(Node::Container(id))
    }

    pub(crate) fn node(&self, at: At) -> Node {
        match at {
            At::Root => self.root,
            At::Slot(container, index) => self.slot(container, index).value,
        }
    }

    /// The member at a place, which must be there.
    pub(crate) fn slot(&self, id: u32, place: usize) -> &Slot {
        let Container { wide, first, .. } = *self.container(id);
        let first = first as usize;
        let slot = if wide { self.batch.wide[first].slot(place) } else { self.slots.get(first + place) };
        slot.expect("the place was looked up in this container, and nothing changed it since")
    }

    pub(crate) fn container(&self, id: u32) -> &Container {
        &self.containers[id as usize]
    }

    /// All members of a container that is not wide, as none is outside a batch of edits.
    pub(crate) fn members(&self, id: u32) -> &[Slot] {
        let Container { first, len, wide, .. } = self.containers[id as usize];
        debug_assert!(!wide);
        &self.slots[first as usize..(first + len) as usize]
    }

    /// All members of any container.
    pub(crate) fn iter(&self, id: u32) -> Iter<'_> {
        let container = self.container(id);
        match container.wide {
            true => self.batch.wide[container.first as usize].iter(),
            false => Iter::Flat(self.members(id).iter()),
        }
    }

    /// The node's text, if no edit reached into it.
    pub(crate) fn own_text(&self, node: Node) -> Option<Span> {
        match node {
            Node::Text(span) => Some(span),
            Node::Container(id) => {
                let container = self.container(id);
                (!container.edited).then_some(container.text)
            }
        }
    }

    /// The key of a member, still with its escapes.
    #[inline]
    pub(crate) fn key(&self, slot: &Slot) -> &[u8] {
        key_of(self.text.bytes(slot.prefix))
    }

    /// The value that a pointer names, if there is one.
    pub(crate) fn find(&mut self, pointer: Pointer<'_>) -> Result<Option<At>, Error> {
        self.walk(At::Root, pointer, |_, _| ())
    }

    /// Follows a pointer from a value and tells `passed` of each container on the way, but not of the value at the end.
    pub(crate) fn walk(
        &mut self,
        base: At,
        pointer: Pointer<'_>,
        passed: impl Fn(&mut Self, u32),
    ) -> Result<Option<At>, Error> {
        let mut at = base;
        for (parent, token) in pointer.steps() {
            let Some(id) = self.open(at, || kept(parent))? else {
                return Ok(None);
            };
            self.looks_up(id);
            let Some(index) = self.child(id, &token) else {
                return Ok(None);
            };
            passed(self, id);
            at = At::Slot(id, index);
        }
        Ok(Some(at))
    }

    /// Where in a container a token leads.
    pub(crate) fn child(&self, id: u32, token: &str) -> Option<usize> {
        match self.container(id).kind {
            Kind::Object => self.position(id, token),
            _ => pointer::index(token).filter(|&index| index < self.container(id).len as usize),
        }
    }

    /// The place of a member in its object.
    pub(crate) fn position(&self, id: u32, name: &str) -> Option<usize> {
        if self.container(id).wide {
            return self.place(id, name.as_bytes());
        }
        let mut members = self.members(id).iter();
        if self.container(id).escaped {
            members.position(|slot| decoded_key(self.key(slot)).is_some_and(|key| *key == *name.as_bytes()))
        } else {
            // Two quotes and a colon go with a key, so most others are told apart without a look at the text.
            let shortest = name.len() + 3;
            members.position(|slot| slot.prefix.len() >= shortest && self.key(slot) == name.as_bytes())
        }
    }

    /// The place of a member in an object that is wide.
    fn place(&self, id: u32, name: &[u8]) -> Option<usize> {
        match &self.batch.wide[self.container(id).first as usize].members {
            Members::Object(named) => {
                named.place(name, |slot| decoded_key(self.key(slot)).is_some_and(|key| *key == *name))
            }
            Members::Array(_) => None,
        }
    }

    /// The container at a place, indexed now if it is the first time; none if it is a scalar. `pointer` is for errors.
    pub(crate) fn open(&mut self, at: At, pointer: impl Fn() -> String) -> Result<Option<u32>, Error> {
        let span = match self.node(at) {
            Node::Container(id) => return Ok(Some(id)),
            Node::Text(span) => span,
        };
        let first = self.text.byte(self.text.trimmed(span).start);
        if !matches!(first, Some(b'{' | b'[')) {
            return Ok(None);
        }
        let (id, _) = self.index(span, true, pointer)?;
        *self.node_mut(at) = Node::Container(id);
        Ok(Some(id))
    }

    /// Indexes a container's text; answers the new container and where its text ends.
    fn index(&mut self, span: Span, balanced: bool, pointer: impl Fn() -> String) -> Result<(u32, u32), Error> {
        let first = self.slots.len() as u32;
        let open = self.text.trimmed(span).start;
        let scanned;
        let source = if self.text.is_added(open) {
            let text = self.text.bytes(span);
            scanned = Marks::of(text);
            IndexedText { text, marks: &scanned, base: span.start, balanced }
        } else {
            IndexedText { text: self.text.body(), marks: self.text.marks(), base: 0, balanced }
        };
        let base = source.base;
        let open = (open - base) as usize;
        let kind = if source.text[open] == b'{' { Kind::Object } else { Kind::Array };
        let Level { end, escaped } = match source.level(open, &mut self.slots) {
            Ok(level) => level,
            Err(fault) => {
                self.slots.truncate(first as usize);
                return Err(self.explain(fault, base, pointer));
            }
        };
        let len = self.slots.len() as u32 - first;
        let id = self.containers.len() as u32;
        if self.containers.len() >= limits::MEMBERS {
            self.slots.truncate(first as usize);
            return Err(Error::TooMany);
        }
        let container = Container { kind, text: span, edited: false, escaped, wide: false, first, len, capacity: len };
        self.containers.push(container);
        Ok((id, base + end as u32))
    }

    fn explain(&self, fault: Fault, base: u32, object: impl Fn() -> String) -> Error {
        let place = |at: usize| self.text.place(base + at as u32);
        match fault {
            Fault::Syntax { at, expected } => Error::Syntax { expected, place: place(at) },
            Fault::TooDeep { at } => Error::TooDeep { place: place(at) },
            Fault::TooMany => Error::TooMany,
            Fault::Duplicate { key } => Error::DuplicateKey { key, object: object() },
        }
    }

    pub(crate) fn node_mut(&mut self, at: At) -> &mut Node {
        match at {
            At::Root => &mut self.root,
            At::Slot(id, place) => {
                let Container { wide, first, .. } = self.containers[id as usize];
                let first = first as usize;
                let slot =
                    if wide { self.batch.wide[first].slot_mut(place) } else { self.slots.get_mut(first + place) };
                &mut slot.expect("the place was looked up in this container, and nothing changed it since").value
            }
        }
    }
}
