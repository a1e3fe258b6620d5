//! The kind of the key `models`: the user's own names for lists of addresses.
//!
//! What can be known without the components is checked here, with its place. Whether a provider is there is for
//! `config check` and `serve` to say, and whether a model is, for the request that asks for it.

use bitrouter_route::address::Address;
use bitrouter_route::requested_models::MOST_ADDRESSES;
use serde_json::json;

use super::kinds::{Kind, Takes, text};
use super::read::{Entry, ReadResult, Reader, join};
use super::tree::{Name, Node, Value};
use super::{Fault, Position};

/// One name under `models:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where the name stands in the file.
    pub position: Position,
    /// The name, with any number of `*`.
    pub name: String,
    /// What it stands for, each with its place: at least one address, none with more `*` than the name has.
    pub addresses: Vec<(Position, String)>,
}

/// The names, in the order of the file.
pub(super) struct Names;

impl Kind for Names {
    type Value = Vec<Named>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        let Value::Map(names) = &entry.node.value else {
            return Err(entry.wrong(
                "names, each with an address or a list of them: `fast: [openai:gpt-5-mini, openai:gpt-5-nano]`",
            ));
        };
        names.iter().map(|(name, node)| named(&join(entry.key, &name.text), name, node, reader)).collect()
    }

    fn takes(&self) -> Takes {
        let list = json!({ "type": "array", "items": text(), "minItems": 1, "maxItems": MOST_ADDRESSES });
        let schema = json!({ "type": "object", "additionalProperties": { "anyOf": [text(), list] } });
        Takes { example: "{ fast: [\"openai:gpt-5-mini\"] }", ..Takes::new("addresses by name", schema) }
    }
}

fn named(key: &str, name: &Name, node: &Node, reader: &Reader<'_>) -> ReadResult<Named> {
    let entry = Entry { key, position: name.position, node };
    check(&name.text).map_err(|reason| entry.problem_of_key(|key| Fault::Address { key, reason }))?;
    let count = entry.items().count();
    if !(1..=MOST_ADDRESSES).contains(&count) {
        return Err(entry.problem_of_key(|key| Fault::AddressCount { key, count, most: MOST_ADDRESSES }));
    }
    let stars = |text: &str| text.bytes().filter(|byte| *byte == b'*').count();
    let address = |item: Entry<'_>| {
        let address = reader.text(&item, "an address, such as `openai:gpt-5`, or a list of them")?.text;
        check(&address).map_err(|reason| item.problem(|key| Fault::Address { key, reason }))?;
        match stars(&address) > stars(&name.text) {
            true => Err(item.problem(|key| Fault::Stars { key, address })),
            false => Ok((item.node.position, address)),
        }
    };
    let addresses = entry.items().map(address).collect::<ReadResult<_>>()?;
    Ok(Named { position: name.position, name: name.text.clone(), addresses })
}

/// What no address may be, whichever providers there are.
fn check(text: &str) -> Result<(), String> {
    Address::parse(text, |_| false).map(drop).map_err(|error| error.to_string())
}
