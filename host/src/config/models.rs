//! The key `models`: the user's own names for lists of addresses.
//!
//! What can be known without the components is checked here, with its place. Whether a provider is there is for
//! `config check` and `serve` to say, and whether a model is, for the request that asks for it.

use super::read::Reader;
use super::set::{Entry, Placed, items, wrong_type};
use super::tree::{Name, Node, Value};
use super::typed::Named;
use super::{Fault, keys};
use crate::route::address::Address;
use crate::route::asked::MOST;

impl Reader<'_> {
    pub(super) fn models(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let Value::Map(names) = &entry.node.value else {
            let takes = "names, each with an address or a list of them: `fast: [openai:gpt-5-mini, openai:gpt-5-nano]`";
            return Err((entry.node.place, wrong_type(entry, takes)));
        };
        for (name, node) in names {
            let named = self.named(entry, name, node)?;
            self.config.models.push(named);
        }
        Ok(())
    }

    fn named(&self, entry: &Entry<'_>, name: &Name, node: &Node) -> Placed<Named> {
        let path = keys::join(entry.path, &name.text);
        let entry = Entry { path: &path, id: entry.id, kind: entry.kind, place: name.place, node };
        check(&path, &name.text).map_err(|fault| (name.place, fault))?;
        let list = items(node);
        if !(1..=MOST).contains(&list.len()) {
            let fault = Fault::AddressCount { key: path.clone(), count: list.len(), most: MOST };
            return Err((name.place, fault));
        }
        let stars = |text: &str| text.bytes().filter(|byte| *byte == b'*').count();
        let address = |item: &Node| {
            let address = self.text(&entry, item)?;
            check(&path, &address).map_err(|fault| (item.place, fault))?;
            if stars(&address) > stars(&name.text) {
                return Err((item.place, Fault::Stars { key: path.clone(), address }));
            }
            Ok((item.place, address))
        };
        let addresses = list.iter().map(address).collect::<Placed<_>>()?;
        Ok(Named { place: name.place, name: name.text.clone(), addresses })
    }
}

/// What no address may be, whichever providers there are.
fn check(key: &str, text: &str) -> Result<(), Fault> {
    let fault = |reason: String| Fault::Address { key: key.to_owned(), reason };
    Address::parse(text, |_| false).map(drop).map_err(|error| fault(error.to_string()))
}
