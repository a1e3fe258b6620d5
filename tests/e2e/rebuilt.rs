//! Other builds of components: of the same code, with other bytes.

use bitrouter_tests::component;
use serde_json::{Value, json};

/// Another build of a component: a section of no meaning makes another file of it.
pub(crate) fn rebuilt(component: &[u8], number: u8) -> Vec<u8> {
    [component, &[0, 3, 1, b'b', number]].concat()
}

/// A component that says this of itself in its file, whatever it says when it is asked.
pub(crate) fn described(component: &[u8], says: &Value) -> Vec<u8> {
    let name = b"bitrouter:description";
    let content = [&[u8::try_from(name.len()).unwrap()], &name[..], says.to_string().as_bytes()].concat();
    let mut length = content.len();
    let mut section = vec![0];
    while length > 0x7f {
        section.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    section.push(u8::try_from(length).unwrap());
    [component, &section, &content].concat()
}

/// A build of the guest `probe` that asks for more than it did.
pub(crate) fn asking_for_more() -> Vec<u8> {
    let says = json!({
        "id": "probe", "name": "Probe", "version": "0.2.0", "origins": { "api": "http://127.0.0.1:9/v1" },
        "serves": { "generate": ["chat-completions"] }, "forward": ["x-more-*"],
        "settings": { "more": { "type": "string", "description": "More.", "env": ["MORE"] } },
    });
    described(&component("probe"), &says)
}
