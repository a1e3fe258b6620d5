//! Items of conversations, each held once however many responses have it: a client that sends its whole history with every
//! turn makes it no longer here.

use std::collections::HashMap;
use std::sync::Arc;

/// What an item holds beside its text.
const ENTRY: usize = 96;

/// One item, as JSON. A clone is the same.
pub(super) type Item = Arc<[u8]>;

/// All items, with how many places each has.
#[derive(Debug, Default)]
pub(super) struct Items {
    all: HashMap<Item, usize>,
    bytes: usize,
}

impl Items {
    /// What they hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The item of this text, which has one more place from now on.
    pub(super) fn take_in(&mut self, text: &[u8]) -> Item {
        if let Some((item, _)) = self.all.get_key_value(text) {
            let item = Arc::clone(item);
            self.all.entry(Arc::clone(&item)).and_modify(|places| *places += 1);
            return item;
        }
        let item = Item::from(text);
        self.bytes += item.len() + ENTRY;
        self.all.insert(Arc::clone(&item), 1);
        item
    }

    /// Takes a place of it away; the last takes it with it.
    pub(super) fn give_back(&mut self, item: &Item) {
        let Some(places) = self.all.get_mut(item) else { return };
        *places -= 1;
        if *places == 0 {
            self.all.remove(item);
            self.bytes -= item.len() + ENTRY;
        }
    }
}
