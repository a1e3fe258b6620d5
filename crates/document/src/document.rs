//! The document as the rest of BitRouter sees it: what `lib.rs` describes, one method for each thing that can be done.
//! The host calls it while routing and on behalf of guests; the SDK's test kit calls it natively. It does no work itself.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    Edit, Error, Find, Kind, Matches, Output, PatchEach, Patched,
    pointer::Pointer,
    text::Text,
    tree::{Node, Tree},
};

/// The JSON object that is the body of one call.
///
/// Pointers are RFC 6901; the empty one is the whole body. Reading beyond what the body holds is no error. A clone
/// shares the body's bytes and what is known of them, and is edited on its own.
#[derive(Clone, Debug)]
pub struct Document {
    tree: Tree,
}

impl Document {
    /// Indexes the top level of a body.
    ///
    /// # Errors
    ///
    /// The body is not one JSON object with balanced brackets and distinct keys, or passes a limit. What the top
    /// level's values hold is not looked at.
    pub fn parse(body: impl Into<Bytes>) -> Result<Self, Error> {
        Ok(Self { tree: Tree::parse(Text::new(body.into())?)? })
    }

    /// Bytes of the body as it came.
    pub fn body_len(&self) -> usize {
        self.tree.text.body().len()
    }

    /// What the value is; none where there is no such value.
    ///
    /// # Errors
    ///
    /// As for all reading methods: the pointer is malformed, an object on the way has duplicate keys, or what is read
    /// is not valid JSON or UTF-8.
    pub fn kind(&mut self, pointer: &str) -> Result<Option<Kind>, Error> {
        match self.node_at(pointer)? {
            Some(node) => self.tree.kind(node).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes of the value's text, without the white space around it.
    ///
    /// # Errors
    ///
    /// See [`Document::kind`].
    pub fn size(&mut self, pointer: &str) -> Result<Option<u32>, Error> {
        Ok(self.node_at(pointer)?.map(|node| self.tree.size(node)))
    }

    /// The value's JSON text. Scalars are checked to be valid JSON, containers only to be UTF-8.
    ///
    /// # Errors
    ///
    /// See [`Document::kind`]; [`Error::TooBig`] if the text has more than `max_bytes` bytes.
    pub fn get(&mut self, pointer: &str, max_bytes: u32) -> Result<Option<Cow<'_, str>>, Error> {
        let Some(node) = self.node_at(pointer)? else {
            return Ok(None);
        };
        match self.tree.size(node) {
            size if size > max_bytes => Err(Error::TooBig { size }),
            _ => self.tree.read(node).map(Some),
        }
    }

    /// The names of an object's members, decoded, in their order; none for anything else.
    ///
    /// # Errors
    ///
    /// See [`Document::kind`].
    pub fn keys(&mut self, pointer: &str) -> Result<Vec<Cow<'_, str>>, Error> {
        self.tree.keys(Pointer::parse(pointer)?)
    }

    /// The string at a pointer, decoded; none where there is none, or a value of another kind.
    ///
    /// # Errors
    ///
    /// See [`Document::kind`]; [`Error::TooBig`] if its JSON text has more than `max_bytes` bytes.
    pub fn text(&mut self, pointer: &str, max_bytes: u32) -> Result<Option<Cow<'_, str>>, Error> {
        let Some(node) = self.node_at(pointer)? else {
            return Ok(None);
        };
        match self.tree.size(node) {
            size if size > max_bytes && self.tree.kind(node)? == Kind::String => Err(Error::TooBig { size }),
            _ => self.tree.string(node),
        }
    }

    /// What a pattern names, where it passes its conditions, with some of its values.
    ///
    /// # Errors
    ///
    /// See [`Document::kind`]; [`Error::TooManyFields`], [`Error::TooManyConditions`], [`Error::Condition`],
    /// [`Error::TooManyCells`] and [`Error::TooManySteps`] before anything is built.
    pub fn find(&mut self, find: &Find<'_>) -> Result<Matches<'_>, Error> {
        self.tree.find_all(find)
    }

    /// How many members or items the value has; 0 for what is neither object nor array.
    ///
    /// # Errors
    ///
    /// See [`Document::kind`].
    pub fn count(&mut self, pointer: &str) -> Result<usize, Error> {
        self.tree.count(Pointer::parse(pointer)?)
    }

    /// Applies all edits in their order, or none of them. What a batch costs grows with the edits and with what they
    /// add, not with the product of the two.
    ///
    /// # Errors
    ///
    /// [`Error::Edit`], which says which edit failed and why; [`Error::TooManyEdits`].
    pub fn patch(&mut self, edits: &[Edit<'_>]) -> Result<(), Error> {
        self.tree.patch(edits)
    }

    /// Makes the same edits on all that a pattern names, where it passes its conditions, or none of them.
    ///
    /// # Errors
    ///
    /// [`Error::Edit`], which says which edit failed on a match and why; [`Error::TooManyEdits`], which counts them on every
    /// match; and those of finding, see [`Document::find`].
    pub fn patch_each(&mut self, each: &PatchEach<'_>) -> Result<Patched, Error> {
        self.tree.patch_each(each)
    }

    /// The string that a top-level member holds, decoded; none if there is no such member.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] if it is not a string; see [`Document::kind`].
    pub fn string(&self, name: &str) -> Result<Option<Cow<'_, str>>, Error> {
        let Some(node) = self.member(name) else {
            return Ok(None);
        };
        match self.tree.string(node)? {
            Some(string) => Ok(Some(string)),
            None => Err(self.wrong_kind(name, node, Kind::String)),
        }
    }

    /// The boolean that a top-level member holds; none if there is no such member.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] if it is not a boolean; see [`Document::kind`].
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        let Some(node) = self.member(name) else {
            return Ok(None);
        };
        match (self.tree.kind(node)?, self.tree.read(node)?.as_ref()) {
            (Kind::Boolean, text) => Ok(Some(text == "true")),
            _ => Err(self.wrong_kind(name, node, Kind::Boolean)),
        }
    }

    /// Sets a top-level member to a string.
    ///
    /// # Errors
    ///
    /// A limit is passed.
    pub fn set_string(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let value = serde_json::Value::from(value).to_string();
        self.patch(&[Edit::Add { path: &path, value: &value }])
    }

    /// The document as text: byte for byte what came in, but for the edits.
    pub fn output(&self) -> Output {
        self.tree.output()
    }

    fn node_at(&mut self, pointer: &str) -> Result<Option<Node>, Error> {
        Ok(self.tree.find(Pointer::parse(pointer)?)?.map(|at| self.tree.node(at)))
    }

    fn member(&self, name: &str) -> Option<Node> {
        let Node::Container(root) = self.tree.root else {
            return None;
        };
        let index = self.tree.position(root, name)?;
        Some(self.tree.slot(root, index).value)
    }

    fn wrong_kind(&self, name: &str, node: Node, expected: Kind) -> Error {
        match self.tree.kind(node) {
            Ok(found) => Error::WrongKind { pointer: format!("/{name}"), expected, found },
            Err(error) => error,
        }
    }
}
