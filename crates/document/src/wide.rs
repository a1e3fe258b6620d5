//! The members of a large container while a batch of edits changes many of them: to find one by its name, to take one
//! out and to put one in costs the same however many there are.
//!
//! `change` widens a container once a batch has looked at and moved so many members that it would grow quadratic, and
//! puts them side by side again when the batch is over. Nothing outside a batch ever sees a wide container.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::tree::Slot;

/// Items of one chunk of an array; twice as many split it. An edit looks over the chunks and moves half of one.
const CHUNK: usize = 1024;

/// A container's members, in a form that is cheap to change.
#[derive(Clone, Debug)]
pub(crate) struct Wide {
    /// Where in [`crate::tree::Tree::slots`] they were.
    pub(crate) home: u32,
    pub(crate) members: Members,
}

#[derive(Clone, Debug)]
pub(crate) enum Members {
    Object(Named),
    Array(Chunks),
}

impl Wide {
    /// A member's slot, by its place: of an array the index; of an object where it was first put, which never changes.
    pub(crate) fn slot(&self, place: usize) -> Option<&Slot> {
        match &self.members {
            Members::Object(named) => named.slots.get(place)?.as_ref(),
            Members::Array(chunks) => chunks.find(place).map(|(chunk, at)| &chunks.0[chunk][at]),
        }
    }

    pub(crate) fn slot_mut(&mut self, place: usize) -> Option<&mut Slot> {
        match &mut self.members {
            Members::Object(named) => named.slots.get_mut(place)?.as_mut(),
            Members::Array(chunks) => chunks.find(place).map(|(chunk, at)| &mut chunks.0[chunk][at]),
        }
    }

    /// All members in their order.
    pub(crate) fn iter(&self) -> Iter<'_> {
        match &self.members {
            Members::Object(named) => Iter::Named(named.slots.iter()),
            Members::Array(chunks) => Iter::Chunks { chunks: chunks.0.iter(), items: [].iter() },
        }
    }
}

/// The members of an object. What is taken out leaves its place empty, so that the others keep theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    slots: Vec<Option<Slot>>,
    /// From a key's hash to its place.
    places: HashMap<u64, u32>,
    hasher: RandomState,
    /// True if two keys had the same hash: the second is not in `places`.
    collided: bool,
}

impl Named {
    /// The place behind the last one.
    pub(crate) fn end(&self) -> usize {
        self.slots.len()
    }

    /// Puts a member in an empty place or behind the last one.
    pub(crate) fn put(&mut self, place: usize, slot: Slot, key: &[u8]) {
        if place == self.slots.len() {
            self.slots.push(Some(slot));
        } else {
            self.slots[place] = Some(slot);
        }
        let hash = self.hasher.hash_one(key);
        self.collided |= self.places.insert(hash, place as u32).is_some();
    }

    /// Takes a member out; its place stays, unless it is the last one.
    pub(crate) fn take(&mut self, place: usize, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        if self.places.get(&hash) == Some(&(place as u32)) {
            self.places.remove(&hash);
        }
        self.slots[place] = None;
        if place + 1 == self.slots.len() {
            self.slots.pop();
        }
    }

    /// The place of the member with this key; `is` compares, as a hash may lie.
    pub(crate) fn place(&self, key: &[u8], is: impl Fn(&Slot) -> bool) -> Option<usize> {
        let at = |place: usize| self.slots.get(place)?.as_ref().filter(|slot| is(slot)).map(|_| place);
        let found = self.places.get(&self.hasher.hash_one(key)).and_then(|&place| at(place as usize));
        if found.is_none() && self.collided { (0..self.slots.len()).find_map(at) } else { found }
    }
}

/// The items of an array, in chunks that are never empty.
#[derive(Clone, Debug)]
pub(crate) struct Chunks(Vec<Vec<Slot>>);

impl Chunks {
    pub(crate) fn of(slots: &[Slot]) -> Self {
        Self(slots.chunks(CHUNK).map(<[Slot]>::to_vec).collect())
    }

    /// The chunk and the place in it.
    fn find(&self, mut index: usize) -> Option<(usize, usize)> {
        for (at, chunk) in self.0.iter().enumerate() {
            if index < chunk.len() {
                return Some((at, index));
            }
            index -= chunk.len();
        }
        None
    }

    /// Puts an item in before the one at `index`, or behind the last one.
    pub(crate) fn put(&mut self, index: usize, slot: Slot) {
        let Some((at, place)) = self.find(index) else {
            match self.0.last_mut() {
                Some(last) if last.len() < CHUNK => last.push(slot),
                _ => self.0.push(vec![slot]),
            }
            return;
        };
        self.0[at].insert(place, slot);
        if self.0[at].len() > 2 * CHUNK {
            let behind = self.0[at].split_off(CHUNK);
            self.0.insert(at + 1, behind);
        }
    }

    /// Takes an item out.
    pub(crate) fn take(&mut self, index: usize) {
        if let Some((at, place)) = self.find(index) {
            self.0[at].remove(place);
            if self.0[at].is_empty() {
                self.0.remove(at);
            }
        }
    }
}

/// The members of a container in their order, wide or not.
#[derive(Clone, Debug)]
pub(crate) enum Iter<'a> {
    Flat(std::slice::Iter<'a, Slot>),
    Named(std::slice::Iter<'a, Option<Slot>>),
    Chunks { chunks: std::slice::Iter<'a, Vec<Slot>>, items: std::slice::Iter<'a, Slot> },
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Slot;

    #[inline]
    fn next(&mut self) -> Option<&'a Slot> {
        match self {
            Self::Flat(slots) => slots.next(),
            Self::Named(slots) => slots.find_map(Option::as_ref),
            Self::Chunks { chunks, items } => loop {
                if let Some(item) = items.next() {
                    return Some(item);
                }
                *items = chunks.next()?.iter();
            },
        }
    }
}
