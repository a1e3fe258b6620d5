//! The same edits on every match of a pattern, in one batch: all of them or none.
//! `document` calls it for guests and for the host's own rewriting of bodies. Matches lie side by side, never one in
//! another, so they are edited from the last to the first, and a removal moves none that is still to come.

use crate::{
    Edit, Error,
    condition::Condition,
    find::{Left, end},
    limits,
    patch::Operation,
    tree::Tree,
};

/// Edits for every match.
#[derive(Clone, Copy, Debug)]
pub struct PatchEach<'a> {
    /// A JSON pointer in which `*` stands for every item of an array and every member of an object.
    pub pattern: &'a str,
    /// What a match must pass, all of it.
    pub only: &'a [Condition<'a>],
    /// What is done to each match. Paths are below it; the empty one is the match itself, which `add` and `replace` set,
    /// `remove` takes away, and `move` and `copy` can put a value of its own in the place of.
    pub edits: &'a [Edit<'a>],
    /// How many of the matches are named.
    pub named: usize,
    /// Members that it may look at and compare, with some for each edit on each match; never more than [`limits::STEPS`].
    pub steps: usize,
}

impl<'a> PatchEach<'a> {
    /// These edits on all that a pattern names.
    pub fn all(pattern: &'a str, edits: &'a [Edit<'a>]) -> Self {
        Self { pattern, only: &[], edits, named: 0, steps: limits::STEPS }
    }
}

/// Steps that an edit counts for, and bytes that it writes in one.
const EDIT: usize = 8;
const WRITTEN: usize = 32;

/// What was edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patched {
    /// How many matches.
    pub matches: usize,
    /// The pointers of the first of them, as they were before.
    pub pointers: Vec<String>,
}

impl Tree {
    pub(crate) fn patch_each(&mut self, each: &PatchEach<'_>) -> Result<Patched, Error> {
        let edits = each.edits.len();
        if edits > limits::EDITS {
            return Err(Error::TooManyEdits { edits, most: limits::EDITS });
        }
        let mut left = Left::of(each.steps);
        let operations = each.edits.iter().enumerate().map(|(index, edit)| {
            let failed = |cause| Error::Edit { index, operation: edit.operation(), cause: Box::new(cause) };
            Operation::of(edit).map_err(failed)
        });
        let operations = operations.collect::<Result<Vec<_>, _>>()?;
        let most = limits::EDITS_OF_EACH / edits.max(1);
        let found = self.matches(each.pattern, each.only, most, &mut left)?;
        if found.more {
            return Err(Error::TooManyEdits { edits: (most + 1) * edits, most: limits::EDITS_OF_EACH });
        }
        // All is charged before any of it is done.
        let written: usize = each.edits.iter().map(written).sum();
        left.step(found.len().saturating_mul(edits * EDIT + written / WRITTEN))?;
        let named = found.len().min(each.named);
        let pointers = (0..named).map(|index| self.pointer_of(found.way(index)));
        let pointers = pointers.take_while(|pointer| left.read(pointer.len())).collect();
        if edits == 0 {
            return Ok(Patched { matches: found.len(), pointers });
        }
        self.in_batch(|tree| {
            for index in (0..found.len()).rev() {
                let way = found.way(index);
                // From the inside out: what holds an edited container is marked already.
                way.iter().rev().for_each(|&(id, _)| tree.mark_edited(id));
                let mut base = Some(end(way));
                for (at, (operation, edit)) in operations.iter().zip(each.edits).enumerate() {
                    let done = match base {
                        Some(place) => tree.perform(place, operation),
                        None => Err(Error::Pointer { pointer: String::new(), reason: "an edit before has removed it" }),
                    };
                    done.map_err(|cause| {
                        let operation = edit.operation();
                        Error::Edit { index: at, operation, cause: Box::new(cause) }
                    })?;
                    if matches!(edit, Edit::Remove { path: "" }) {
                        base = None;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Patched { matches: found.len(), pointers })
    }
}

/// Bytes that an edit writes each time.
fn written(edit: &Edit<'_>) -> usize {
    match edit {
        Edit::Add { value, .. } | Edit::Replace { value, .. } => value.len(),
        Edit::Remove { .. } | Edit::Move { .. } | Edit::Copy { .. } => 0,
    }
}
