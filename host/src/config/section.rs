//! What a section of `bitrouter.yaml` is: a struct whose fields are keys, each with its sentence, its default, its kind and
//! what it decides.
//!
//! `keys.rs` declares them with `section!`. The reader, the JSON Schema, the reference in docs/configuration.md and `init`
//! know keys by [`Section`] alone, so none of them may name one.

use serde_json::{Map, Value as Json, json};

use super::Guarded;
use super::kinds::{Kind, Takes};
use super::read::{Entry, Reader, join};
use super::tree::Value;

/// A struct that is read from a mapping, key by key, over what holds already.
pub(super) trait Section: Default {
    /// The names of its keys, in the order of the documentation.
    const NAMES: &'static [&'static str];
    /// The same with all that is to be said of each.
    fn members() -> Vec<Member>;
    /// Reads the value of one key; `false` where it has none of this name.
    fn read(&mut self, name: &str, entry: &Entry<'_>, reader: &mut Reader<'_>) -> bool;
}

/// A key of a section, and what is to be said of it.
pub(super) struct Member {
    pub name: &'static str,
    /// What it does, in a sentence or two; of a section, what it is about.
    pub doc: &'static str,
    pub body: Body,
}

/// What a key holds.
pub(super) enum Body {
    /// A value, what holds without it as it would be written, and what it decides: the reason for which a config that
    /// nobody accepted may not set it; nothing where it may.
    Value { takes: Takes, default: String, decides: Option<Guarded> },
    /// Keys of its own.
    Section(Shape, Vec<Member>),
}

/// How often a section's keys may be there.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Once,
    /// Once for each provider.
    ByProvider,
    /// Once for each item of a list.
    #[cfg_attr(not(test), expect(dead_code, reason = "as with `Each`"))]
    InList,
}

/// A section under a key: how what stands there becomes `T`. Its keys decide for themselves, so it decides nothing.
#[diagnostic::on_unimplemented(
    message = "a key that holds a value has to say what it decides",
    note = "add `, decides` and a variant of `Guarded`, or `Nothing`, after the kind"
)]
pub(super) trait Block<T> {
    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>, into: &mut T);
    fn body(&self) -> Body;
}

/// One section.
pub(super) struct Keys;

impl<T: Section> Block<T> for Keys {
    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>, into: &mut T) {
        reader.section(entry, into);
    }

    fn body(&self) -> Body {
        Body::Section(Shape::Once, T::members())
    }
}

/// A list of sections.
#[cfg_attr(not(test), expect(dead_code, reason = "no key takes a list of objects yet; the test reads one"))]
pub(super) struct Each;

impl<T: Section> Block<Vec<T>> for Each {
    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>, into: &mut Vec<T>) {
        let Value::List(items) = &entry.node.value else {
            return reader
                .problem(entry.wrong(&format!("a list, each item with keys of its own: {}", T::NAMES.join(", "))));
        };
        for (at, node) in items.iter().enumerate() {
            let mut item = T::default();
            reader.section(&Entry { key: &format!("{}[{at}]", entry.key), position: node.position, node }, &mut item);
            into.push(item);
        }
    }

    fn body(&self) -> Body {
        Body::Section(Shape::InList, T::members())
    }
}

/// A key that holds a value, with its whole path.
pub(super) struct Key {
    /// Where it stands: `server.listen`. A segment in angle brackets stands for any name.
    pub path: String,
    pub doc: &'static str,
    pub takes: Takes,
    pub default: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "the reader is told; tests hold every key to it"))]
    pub decides: Option<Guarded>,
}

/// All keys of a section and of those in it.
pub(super) fn keys(members: Vec<Member>) -> Vec<Key> {
    fn collect(members: Vec<Member>, above: &str, keys: &mut Vec<Key>) {
        for Member { name, doc, body } in members {
            let path = join(above, name);
            match body {
                Body::Value { takes, default, decides } => keys.push(Key { path, doc, takes, default, decides }),
                Body::Section(Shape::Once, members) => collect(members, &path, keys),
                Body::Section(Shape::ByProvider, members) => collect(members, &format!("{path}.<id>"), keys),
                Body::Section(Shape::InList, members) => collect(members, &format!("{path}[]"), keys),
            }
        }
    }
    let mut keys = Vec::new();
    collect(members, "", &mut keys);
    keys
}

/// The JSON Schema of a section.
pub(super) fn schema(members: Vec<Member>, doc: Option<&str>) -> Map<String, Json> {
    let properties: Map<String, Json> =
        members.into_iter().map(|member| (member.name.to_owned(), of(member))).collect();
    let doc = doc.map(|doc| ("description", json!(doc)));
    let keys = [("properties", Json::Object(properties)), ("additionalProperties", json!(false))];
    // A section whose lines are all commented out is `null`.
    object([("type", json!(["object", "null"]))].into_iter().chain(doc).chain(keys))
}

fn of(Member { doc, body, .. }: Member) -> Json {
    Json::Object(match body {
        Body::Value { takes, .. } => {
            let mut schema = takes.schema;
            schema.entry("description").or_insert_with(|| json!(doc));
            schema
        }
        Body::Section(Shape::Once, members) => schema(members, Some(doc)),
        Body::Section(Shape::ByProvider, members) => object([
            ("type", json!(["object", "null"])),
            ("description", json!(doc)),
            ("propertyNames", json!({ "pattern": "^[a-z][a-z0-9-]{0,31}$" })),
            ("additionalProperties", Json::Object(schema(members, Some("One provider.")))),
        ]),
        Body::Section(Shape::InList, members) => object([
            ("type", json!("array")),
            ("description", json!(doc)),
            ("items", Json::Object(schema(members, None))),
        ]),
    })
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Json)>) -> Map<String, Json> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Body {
    /// Of a key that holds a value.
    pub(crate) fn value<K: Kind>(kind: &K, default: &K::Value, decides: Option<Guarded>) -> Self {
        Body::Value { takes: kind.takes(), default: kind.shown(default), decides }
    }
}

/// Declares a section. Each key is
///
/// ```text
/// /// What it does.
/// field: Type = default, kind, decides What;
/// ```
///
/// with `("name")` after the field where the file has another name for it. The kind is a [`Kind`]; what it decides is a
/// variant of [`Guarded`], or `Nothing`, and has to be said: a config that nobody accepted may set what decides nothing.
/// Without `decides` it is a section, and the kind a [`Block`]. What follows `beside` is not read from the file.
macro_rules! section {
    (
        $(#[$about:meta])+
        pub struct $Section:ident { $(
            $(#[doc = $doc:literal])+
            $field:ident $(($name:literal))?: $Type:ty = $default:expr, $kind:expr $(, decides $what:ident)?;
        )+ }
        $(beside { $( $(#[$about_extra:meta])+ $extra:ident: $Extra:ty = $set:expr; )+ })?
    ) => {
        $(#[$about])+
        #[derive(Clone, Debug, PartialEq)]
        #[allow(unreachable_pub, reason = "some sections are named by those above them alone")]
        pub struct $Section {
            $( $(#[doc = $doc])+ pub $field: $Type, )+
            $($( $(#[$about_extra])+ pub $extra: $Extra, )+)?
        }

        impl Default for $Section {
            fn default() -> Self {
                $Section { $($field: $default,)+ $($($extra: $set,)+)? }
            }
        }

        impl Section for $Section {
            const NAMES: &'static [&'static str] = &[$( section!(@name $field $($name)?) ),+];

            fn members() -> Vec<Member> {
                #[allow(unused_variables, reason = "a section may have sections alone")]
                let default = Self::default();
                vec![$( Member {
                    name: section!(@name $field $($name)?),
                    doc: concat!($($doc),+).trim_ascii(),
                    body: section!(@body $Type, $kind, &default.$field $(, $what)?),
                } ),+]
            }

            fn read(&mut self, name: &str, entry: &Entry<'_>, reader: &mut Reader<'_>) -> bool {
                match name {
                    $( section!(@name $field $($name)?) => {
                        section!(@read $kind, entry, reader, &mut self.$field $(, $what)?);
                    } )+
                    _ => return false,
                }
                true
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
    (@decides Nothing) => { None };
    (@decides $what:ident) => { Some(Guarded::$what) };
    (@body $Type:ty, $kind:expr, $default:expr) => { Block::<$Type>::body(&$kind) };
    (@body $Type:ty, $kind:expr, $default:expr, $what:ident) => {
        Body::value(&$kind, $default, section!(@decides $what))
    };
    (@read $kind:expr, $entry:expr, $reader:expr, $into:expr) => { $kind.read($entry, $reader, $into) };
    (@read $kind:expr, $entry:expr, $reader:expr, $into:expr, $what:ident) => {
        $reader.value($entry, &$kind, section!(@decides $what), $into)
    };
}
pub(super) use section;

#[cfg(test)]
mod tests {
    use super::super::kinds::Flag;
    use super::super::tree;
    use super::*;
    use crate::config::trust::{Guard, Standing};

    section! {
        /// What a later version may have.
        pub struct Top {
            /// Who may ask.
            clients: Vec<Client> = Vec::new(), Each;
        }
    }

    section! {
        /// One who may ask.
        pub struct Client {
            /// Whether it may.
            may ("may_ask"): bool = true, Flag, decides Exposure;
            /// Whether it is
            /// told.
            told: bool = false, Flag, decides Nothing;
        }
    }

    fn read(text: &str) -> (Top, Vec<String>) {
        let mut top = Top::default();
        let guard = Guard { file: std::path::Path::new("f"), standing: Standing::Trusted };
        let mut reader = Reader::new(guard, &|_| None);
        let root = tree::parse(text).ok().unwrap();
        reader.section(&Entry { key: "", position: root.position, node: &root }, &mut top);
        let shown = |problem: super::super::Problem| problem.line(std::path::Path::new("f"));
        (top, reader.problems().into_iter().map(shown).collect())
    }

    #[test]
    fn a_list_of_objects_is_read_item_by_item_over_each_ones_defaults() {
        let (top, problems) = read("clients:\n  - may_ask: false\n  - {told: true}\n  -\n");
        let client = |may, told| Client { may, told };
        assert_eq!(top.clients, [client(false, false), client(true, true), client(true, false)]);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn every_problem_of_every_item_is_said_with_its_place() {
        let (_, problems) = read("clients: [{may_ask: 1, tld: 2}, 3, {told: x}]\n");
        assert_eq!(
            problems,
            [
                "f:1:21: `clients[0].may_ask` takes `true` or `false`",
                "f:1:24: unknown key `clients[0].tld`: did you mean `told`?",
                "f:1:33: `clients[1]` takes keys of its own: may_ask, told",
                "f:1:43: `clients[2].told` takes `true` or `false`",
            ]
        );
        assert_eq!(
            read("clients: {}\n").1,
            ["f:1:10: `clients` takes a list, each item with keys of its own: may_ask, told"]
        );
    }

    #[test]
    fn a_key_is_described_by_what_its_section_declares() {
        let keys = keys(Top::members());
        let shown: Vec<_> = keys.iter().map(|key| (&*key.path, key.doc, &*key.default, key.decides)).collect();
        assert_eq!(
            shown,
            [
                ("clients[].may_ask", "Whether it may.", "true", Some(Guarded::Exposure)),
                ("clients[].told", "Whether it is told.", "false", None),
            ]
        );
        let schema = Json::Object(schema(Top::members(), None));
        assert_eq!(
            schema.pointer("/properties/clients/items/properties/told/description"),
            Some(&json!("Whether it is told."))
        );
        assert_eq!(schema.pointer("/properties/clients/items/additionalProperties"), Some(&json!(false)));
    }
}
