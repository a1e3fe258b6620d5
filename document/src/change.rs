//! The few ways in which the tree changes, each with its way back.
//! `patch` builds RFC 6902 from them; that a patch is applied whole or not at all is decided by `keep` and `take_back`.

use crate::{
    Error, limits,
    text::Span,
    tree::{At, Node, Slot, Tree},
};

/// How a change is taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Undo {
    /// The value that was there before.
    Value(At, Node),
    /// The container said what its text says.
    Edited(u32),
    /// The member that was there.
    Removed(u32, usize, Slot),
    /// Nothing was there.
    Inserted(u32, usize),
}

impl Tree {
    /// Forgets how to take back the changes so far.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes all changes back that were made since [`Tree::keep`].
    pub(crate) fn take_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Value(at, node) => *self.node_mut(at) = node,
                Undo::Edited(id) => self.containers[id as usize].edited = false,
                Undo::Removed(id, index, slot) => self.shift_in(id, index, slot),
                Undo::Inserted(id, index) => self.shift_out(id, index),
            }
        }
    }

    /// Says that a container is no longer what its text says.
    pub(crate) fn mark_edited(&mut self, id: u32) {
        let container = &mut self.containers[id as usize];
        if !container.edited {
            container.edited = true;
            self.undo.push(Undo::Edited(id));
        }
    }

    /// Puts another value in a value's place.
    pub(crate) fn set(&mut self, at: At, node: Node) {
        let old = std::mem::replace(self.node_mut(at), node);
        self.undo.push(Undo::Value(at, old));
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, id: u32, index: usize) -> Slot {
        let slot = self.members(id)[index];
        self.shift_out(id, index);
        self.undo.push(Undo::Removed(id, index, slot));
        slot
    }

    /// Puts a member in before the one at `index`, or behind the last one.
    pub(crate) fn insert(&mut self, id: u32, index: usize, slot: Slot) -> Result<(), Error> {
        self.make_room(id)?;
        self.shift_in(id, index, slot);
        self.undo.push(Undo::Inserted(id, index));
        Ok(())
    }

    /// Sees to it that one more member fits, in a new place at the end of the list if need be.
    fn make_room(&mut self, id: u32) -> Result<(), Error> {
        let container = &mut self.containers[id as usize];
        if container.len < container.capacity {
            return Ok(());
        }
        let members = container.first as usize..(container.first + container.len) as usize;
        let room = (2 * members.len()).max(4);
        if self.slots.len() + room > limits::MEMBERS {
            return Err(Error::TooMany);
        }
        container.first = self.slots.len() as u32;
        container.capacity = room as u32;
        let end = self.slots.len() + room;
        self.slots.extend_from_within(members);
        self.slots.resize(end, Slot { prefix: Span::default(), value: Node::Text(Span::default()) });
        Ok(())
    }

    /// There is room: `make_room` was called, or the member was there before.
    fn shift_in(&mut self, id: u32, index: usize, slot: Slot) {
        let container = &mut self.containers[id as usize];
        let (first, len) = (container.first as usize, container.len as usize);
        self.slots.copy_within(first + index..first + len, first + index + 1);
        self.slots[first + index] = slot;
        container.len += 1;
    }

    fn shift_out(&mut self, id: u32, index: usize) {
        let container = &mut self.containers[id as usize];
        let (first, len) = (container.first as usize, container.len as usize);
        self.slots.copy_within(first + index + 1..first + len, first + index);
        container.len -= 1;
    }
}
