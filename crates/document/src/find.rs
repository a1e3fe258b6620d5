//! What a pattern names, where it passes its conditions, with some of its values: in one call.
//! The host calls it for guests, which would pay more for one call an item than for the values. What has to be looked at is
//! charged before, and only what is asked for is copied.

use std::{borrow::Cow, ops::Range};

use crate::{
    Error, Kind,
    condition::{self, Below, Condition, Prepared},
    error::kept,
    limits,
    pattern::{Pattern, Token},
    tree::{At, Node, Tree},
};

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Find<'a> {
    /// A JSON pointer in which `*` stands for every item of an array and every member of an object.
    pub pattern: &'a str,
    /// What a match must pass, all of it.
    pub only: &'a [Condition<'a>],
    /// Pointers below a match, one for each cell of its row; the empty one is the match itself.
    pub fields: &'a [&'a str],
    /// A value that is longer comes as its size.
    pub max_bytes: u32,
    /// The search ends with so many matches.
    pub limit: usize,
    /// Members that it may look at and compare; never more than [`limits::STEPS`].
    pub steps: usize,
}

impl<'a> Find<'a> {
    /// All matches, none of their values.
    pub fn all(pattern: &'a str) -> Self {
        Self { pattern, only: &[], fields: &[], max_bytes: u32::MAX, limit: usize::MAX, steps: limits::STEPS }
    }
}

/// One field of one match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// There is no such value.
    Absent,
    /// The value's JSON text.
    Value(Cow<'a, str>),
    /// The value is longer than asked for; its size in bytes.
    Big(u32),
}

/// What `find` answers: a row for each match, in the order of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matches<'a> {
    pointers: Vec<String>,
    cells: Vec<Cell<'a>>,
    fields: usize,
    more: bool,
}

impl<'a> Matches<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.pointers.len()
    }

    /// True if nothing was found.
    pub fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// True if the search ended before the document did: there were as many as were asked for, or the values have more
    /// than [`limits::SELECTED`] bytes together.
    pub fn more(&self) -> bool {
        self.more
    }

    /// The pointer of each match with its cells, in the order of the fields.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&str, &[Cell<'a>])> {
        let cells = |row: usize| &self.cells[row * self.fields..(row + 1) * self.fields];
        self.pointers.iter().enumerate().map(move |(row, pointer)| (pointer.as_str(), cells(row)))
    }
}

/// Where matches are: for each its way from the root, a container and a place in it for each token of the pattern.
pub(crate) struct Found {
    steps: Vec<Step>,
    depth: usize,
    count: usize,
    pub(crate) more: bool,
}

/// A container, and a place in it.
pub(crate) type Step = (u32, u32);

impl Found {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The way to a match.
    pub(crate) fn way(&self, index: usize) -> &[Step] {
        &self.steps[index * self.depth..(index + 1) * self.depth]
    }
}

/// The value at the end of a way.
pub(crate) fn end(way: &[Step]) -> At {
    way.last().map_or(At::Root, |&(id, place)| At::Slot(id, place as usize))
}

/// A search under way.
struct Search<'s, 'a> {
    tokens: &'s [Token<'a>],
    only: &'s [Prepared<'a>],
    limit: usize,
    /// The way to where it is.
    way: Vec<Step>,
    found: Found,
}

impl Tree {
    pub(crate) fn find_all(&mut self, find: &Find<'_>) -> Result<Matches<'_>, Error> {
        let fields = find.fields.len();
        if fields > limits::FIELDS {
            return Err(Error::TooManyFields { fields });
        }
        let mut left = Left::of(find.steps);
        let ways = find.fields.iter().map(|field| Below::parse(field)).collect::<Result<Vec<_>, _>>()?;
        let mut found = self.matches(find.pattern, find.only, find.limit, &mut left)?;
        // A row's pointer takes as much as a cell.
        if found.len() * (fields + 1) > limits::CELLS {
            return Err(Error::TooManyCells { rows: found.len(), fields });
        }
        let mut nodes = Vec::with_capacity(found.len() * fields);
        for index in 0..found.len() {
            for way in &ways {
                let pointer = |tree: &Self| tree.pointer_of(found.way(index));
                let at = self.below(end(found.way(index)), way, &mut left, &pointer)?;
                nodes.push(at.map(|at| self.node(at)));
            }
        }
        let mut matches = Matches {
            pointers: Vec::with_capacity(found.len()),
            cells: Vec::with_capacity(nodes.len()),
            fields,
            more: found.more,
        };
        for index in 0..found.len() {
            let pointer = self.pointer_of(found.way(index));
            let mut fits = left.read(pointer.len());
            for node in &nodes[index * fields..(index + 1) * fields] {
                let cell = if fits { self.cell(*node, find.max_bytes, &mut left)? } else { None };
                fits = cell.is_some();
                matches.cells.extend(cell);
            }
            if !fits {
                matches.cells.truncate(index * fields);
                found.more = true;
                break;
            }
            matches.pointers.push(pointer);
        }
        matches.more = found.more;
        Ok(matches)
    }

    /// Where the values are that a pattern names and that pass all conditions, in the order of the document.
    pub(crate) fn matches(
        &mut self,
        pattern: &str,
        only: &[Condition<'_>],
        limit: usize,
        left: &mut Left,
    ) -> Result<Found, Error> {
        let pattern = Pattern::parse(pattern)?;
        let only = condition::prepared(only)?;
        let tokens = pattern.tokens();
        let found = Found { steps: Vec::new(), depth: tokens.len(), count: 0, more: false };
        let mut search = Search { tokens, only: &only, limit, way: Vec::with_capacity(tokens.len()), found };
        self.search(At::Root, &mut search, left)?;
        Ok(search.found)
    }

    /// Goes on from a value at the end of the search's way. It calls itself as often as a pattern has tokens, at most.
    fn search(&mut self, at: At, search: &mut Search<'_, '_>, left: &mut Left) -> Result<(), Error> {
        if search.found.count >= search.limit {
            search.found.more = true;
            return Ok(());
        }
        let Some(token) = search.tokens.get(search.way.len()) else {
            left.step(1)?;
            let way = &search.way;
            if self.passes(at, search.only, left, &|tree| tree.pointer_of(way))? {
                search.found.steps.extend_from_slice(&search.way);
                search.found.count += 1;
            }
            return Ok(());
        };
        let way = &search.way;
        let Some(id) = self.open_found(at, &|tree| tree.pointer_of(way))? else {
            return Ok(());
        };
        let len = self.container(id).len;
        let places = match token {
            Token::Each => {
                left.step(len as usize)?;
                0..len
            }
            Token::Name(name) => {
                left.step(if self.container(id).kind == Kind::Object { len as usize } else { 1 })?;
                match self.child(id, name) {
                    Some(place) => place as u32..place as u32 + 1,
                    None => 0..0,
                }
            }
        };
        if search.way.len() + 1 == search.tokens.len() {
            return self.search_last(id, places, search, left);
        }
        for place in places {
            search.way.push((id, place));
            self.search(At::Slot(id, place as usize), search, left)?;
            search.way.pop();
            if search.found.more {
                break;
            }
        }
        Ok(())
    }

    /// The same for the last token, of which there may be thousands of values.
    fn search_last(
        &mut self,
        id: u32,
        places: Range<u32>,
        search: &mut Search<'_, '_>,
        left: &mut Left,
    ) -> Result<(), Error> {
        let Search { only, limit, way, found, .. } = search;
        for place in places {
            if found.count >= *limit {
                found.more = true;
                return Ok(());
            }
            let pointer = |tree: &Self| tree.pointer_of(&[way.as_slice(), &[(id, place)]].concat());
            left.step(1)?;
            if self.passes(At::Slot(id, place as usize), only, left, &pointer)? {
                found.steps.extend_from_slice(way);
                found.steps.push((id, place));
                found.count += 1;
            }
        }
        Ok(())
    }

    /// The container at a place, indexed now if it is the first time; none if it is a scalar. `pointer` is for errors.
    #[inline]
    pub(crate) fn open_found(&mut self, at: At, pointer: &dyn Fn(&Self) -> String) -> Result<Option<u32>, Error> {
        if let Node::Container(id) = self.node(at) {
            return Ok(Some(id));
        }
        self.open(at, String::new).map_err(|error| match error {
            Error::DuplicateKey { key, .. } => Error::DuplicateKey { key, object: kept(&pointer(self)) },
            other => other,
        })
    }

    /// The pointer of a value, by the way to it.
    pub(crate) fn pointer_of(&self, way: &[Step]) -> String {
        let mut pointer = String::with_capacity(16 * way.len());
        for &(id, place) in way {
            pointer.push('/');
            if self.container(id).kind == Kind::Object {
                // A name that is no UTF-8 is refused when it is read; here it only has to be told apart.
                let name = self.name(self.slot(id, place as usize)).unwrap_or_default();
                match name.contains(['~', '/']) {
                    true => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                    false => pointer.push_str(&name),
                }
            } else {
                pointer.push_str(itoa(place, &mut [0; 10]));
            }
        }
        pointer
    }

    /// A value as a reader gets it; none where there is no room for it any more.
    fn cell(&self, node: Option<Node>, max_bytes: u32, left: &mut Left) -> Result<Option<Cell<'_>>, Error> {
        let Some(node) = node else { return Ok(Some(Cell::Absent)) };
        if self.own_text(node).is_none() {
            left.step(self.pieces(node).spans.len())?;
        }
        Ok(match self.size(node) {
            size if size > max_bytes => Some(Cell::Big(size)),
            size if left.read(size as usize) => Some(Cell::Value(self.read(node)?)),
            _ => None,
        })
    }
}

/// A number in digits.
fn itoa(number: u32, digits: &mut [u8; 10]) -> &str {
    let (mut rest, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return std::str::from_utf8(&digits[at..]).unwrap_or_default();
        }
    }
}

/// What one call may still do, charged before it is done.
pub(crate) struct Left {
    bytes: usize,
    steps: usize,
}

impl Left {
    pub(crate) fn of(steps: usize) -> Self {
        Self { bytes: limits::SELECTED, steps: steps.min(limits::STEPS) }
    }

    /// Whether so many bytes may still be read.
    pub(crate) fn read(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) => self.bytes = left,
            None => return false,
        }
        true
    }

    #[inline]
    pub(crate) fn step(&mut self, steps: usize) -> Result<(), Error> {
        // Not by `ok_or`: it would make an error, and drop it, for each member that is looked at.
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Error::TooManySteps),
        }
    }
}
