//! The few ways in which the tree changes, each with its way back.
//! `patch` builds RFC 6902 from them; that a patch is applied whole or not at all is decided by `keep` and `take_back`.

use crate::{
    Error, Kind,
    index::{decoded_key, key_of},
    limits,
    text::{Span, Text},
    tree::{At, Node, Slot, Tree},
    wide::{Chunks, Members, Named, Wide},
};

/// Members that a batch may look at and move, one after the other, before the large containers that it edits become
/// wide: as much work as it is to make them so.
const STRAIN: usize = 1 << 16;

/// A container of so few members is never worth it.
const SMALL_CONTAINER: u32 = 256;

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
    /// Its members lay side by side.
    Widened(u32),
}

/// The edits since the last [`Tree::keep`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// The changes, the oldest first.
    undo: Vec<Undo>,
    /// True from the first edit to the last: only then may a container be wide.
    open: bool,
    /// Members that were looked at or moved.
    work: usize,
    /// The members of the containers that are wide, and which these are.
    pub(crate) wide: Vec<Wide>,
    widened: Vec<u32>,
}

impl Tree {
    /// Begins a batch of edits, which ends with `keep` or `take_back`.
    pub(crate) fn begin_batch(&mut self) {
        (self.batch.open, self.batch.work) = (true, 0);
    }

    /// Forgets how to take back the changes so far.
    pub(crate) fn keep(&mut self) {
        for id in std::mem::take(&mut self.batch.widened) {
            self.flatten(id);
        }
        self.batch.wide.clear();
        self.batch.undo.clear();
        (self.batch.open, self.batch.work) = (false, 0);
    }

    /// Takes all changes back that were made since [`Tree::keep`].
    pub(crate) fn take_back(&mut self) {
        while let Some(undo) = self.batch.undo.pop() {
            match undo {
                Undo::Value(at, node) => *self.node_mut(at) = node,
                Undo::Edited(id) => self.containers[id as usize].edited = false,
                Undo::Removed(id, place, slot) => self.shift_in(id, place, slot),
                Undo::Inserted(id, place) => self.shift_out(id, place),
                Undo::Widened(id) => self.flatten(id),
            }
        }
        self.batch.widened.clear();
        self.keep();
    }

    /// Says that a container is no longer what its text says.
    pub(crate) fn mark_edited(&mut self, id: u32) {
        let container = &mut self.containers[id as usize];
        if !container.edited {
            container.edited = true;
            self.batch.undo.push(Undo::Edited(id));
        }
    }

    /// Puts another value in a value's place.
    pub(crate) fn set(&mut self, at: At, node: Node) {
        let old = std::mem::replace(self.node_mut(at), node);
        self.batch.undo.push(Undo::Value(at, old));
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, id: u32, place: usize) -> Slot {
        self.moves(id, place);
        let slot = *self.slot(id, place);
        self.shift_out(id, place);
        self.batch.undo.push(Undo::Removed(id, place, slot));
        slot
    }

    /// Puts a member in before the one at `index`; of an object and where there is none, behind the last one.
    pub(crate) fn insert(&mut self, id: u32, index: usize, slot: Slot) -> Result<(), Error> {
        self.moves(id, index);
        let container = *self.container(id);
        let place = match container.wide {
            false => {
                self.make_room(id)?;
                index
            }
            true if self.slots.len() + container.len as usize >= limits::MEMBERS => {
                return Err(Error::TooMany);
            }
            true => match &self.batch.wide[container.first as usize].members {
                Members::Object(named) => named.end(),
                Members::Array(_) => index,
            },
        };
        self.shift_in(id, place, slot);
        self.batch.undo.push(Undo::Inserted(id, place));
        Ok(())
    }

    /// Counts a look at an object's names.
    pub(crate) fn looks_up(&mut self, id: u32) {
        let container = self.container(id);
        if container.kind == Kind::Object && !container.wide {
            self.works(id, container.len);
        }
    }

    /// Counts what moves when a member comes or goes.
    fn moves(&mut self, id: u32, place: usize) {
        let container = self.container(id);
        if !container.wide {
            self.works(id, container.len.saturating_sub(place as u32));
        }
    }

    /// Counts members that are looked at or moved, and widens the container if they become too many.
    fn works(&mut self, id: u32, members: u32) {
        self.batch.work += members as usize;
        if self.batch.work > STRAIN && self.container(id).len > SMALL_CONTAINER && self.batch.open {
            self.widen(id);
        }
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
    fn shift_in(&mut self, id: u32, place: usize, slot: Slot) {
        let container = &mut self.containers[id as usize];
        let (first, len) = (container.first as usize, container.len as usize);
        container.len += 1;
        if container.wide {
            let text = &self.text;
            match &mut self.batch.wide[first].members {
                Members::Object(named) => named.put(place, slot, &name(text, &slot)),
                Members::Array(chunks) => chunks.put(place, slot),
            }
            return;
        }
        self.slots.copy_within(first + place..first + len, first + place + 1);
        self.slots[first + place] = slot;
    }

    fn shift_out(&mut self, id: u32, place: usize) {
        let slot = *self.slot(id, place);
        let container = &mut self.containers[id as usize];
        let (first, len) = (container.first as usize, container.len as usize);
        container.len -= 1;
        if container.wide {
            match &mut self.batch.wide[first].members {
                Members::Object(named) => named.take(place, &name(&self.text, &slot)),
                Members::Array(chunks) => chunks.take(place),
            }
            return;
        }
        self.slots.copy_within(first + place + 1..first + len, first + place);
    }

    /// Brings a container's members into a form in which none has to be looked at or moved for another's sake.
    fn widen(&mut self, id: u32) {
        let slots = self.members(id);
        let members = match self.container(id).kind {
            Kind::Object => {
                let mut named = Named::default();
                for (place, slot) in slots.iter().enumerate() {
                    named.put(place, *slot, &name(&self.text, slot));
                }
                Members::Object(named)
            }
            _ => Members::Array(Chunks::of(slots)),
        };
        let container = &mut self.containers[id as usize];
        let home = std::mem::replace(&mut container.first, self.batch.wide.len() as u32);
        container.wide = true;
        self.batch.wide.push(Wide { home, members });
        self.batch.widened.push(id);
        self.batch.undo.push(Undo::Widened(id));
    }

    /// Puts the members of a wide container side by side again: where they were, if they fit there.
    fn flatten(&mut self, id: u32) {
        let container = &mut self.containers[id as usize];
        let wide = &self.batch.wide[container.first as usize];
        let len = container.len as usize;
        if container.len > container.capacity {
            let room = if self.slots.len() + 2 * len > limits::MEMBERS { len } else { 2 * len };
            container.first = self.slots.len() as u32;
            container.capacity = room as u32;
            let empty = Slot { prefix: Span::default(), value: Node::Text(Span::default()) };
            self.slots.resize(self.slots.len() + room, empty);
        } else {
            container.first = wide.home;
        }
        container.wide = false;
        let first = container.first as usize;
        for (to, slot) in self.slots[first..first + len].iter_mut().zip(wide.iter()) {
            *to = *slot;
        }
    }
}

/// A member's key without escapes. One that cannot be decoded is refused before it is indexed or added.
fn name<'a>(text: &'a Text, slot: &Slot) -> std::borrow::Cow<'a, [u8]> {
    decoded_key(key_of(text.bytes(slot.prefix))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    /// Members that a batch of so many edits looks at and moves, one after the other.
    fn work(body: String, edit: impl Fn(&mut Tree, usize)) -> usize {
        let mut tree = Tree::parse(Text::new(body.into()).unwrap()).unwrap();
        tree.begin_batch();
        (0..20_000).for_each(|number| edit(&mut tree, number));
        tree.batch.work
    }

    #[test]
    fn a_long_batch_does_not_look_at_every_member_for_every_edit() {
        let items = |item: &dyn Fn(usize) -> String| (0..20_000).map(item).collect::<Vec<_>>().join(",");
        let object = format!("{{{}}}", items(&|number| format!("\"k{number}\":1")));
        let array = format!("{{\"a\":[{}]}}", items(&|number| number.to_string()));
        let apply = |tree: &mut Tree, edit: crate::Edit<'_>| tree.apply(&edit).unwrap();
        let each = [
            work("{}".into(), |tree, number| {
                apply(tree, crate::Edit::Add { path: &format!("/k{number}"), value: "1" })
            }),
            work(object.clone(), |tree, number| apply(tree, crate::Edit::Remove { path: &format!("/k{number}") })),
            work(object.clone(), |tree, number| {
                apply(tree, crate::Edit::Replace { path: &format!("/k{number}"), value: "2" });
            }),
            work(object, |tree, number| {
                let (source, target) = (format!("/k{number}"), format!("/moved{number}"));
                apply(tree, crate::Edit::Move { source: &source, target: &target });
            }),
            work(array.clone(), |tree, _| apply(tree, crate::Edit::Remove { path: "/a/0" })),
            work(array.clone(), |tree, _| apply(tree, crate::Edit::Add { path: "/a/0", value: "1" })),
            work(array, |tree, number| {
                apply(tree, crate::Edit::Copy { source: &format!("/a/{number}"), target: "/a/7" });
            }),
        ];
        for work in each {
            assert!(work < 2 * STRAIN, "{each:?}");
        }
    }
}
