//! The user's own names for lists of addresses: `models:` in bitrouter.yaml.
//!
//! Route looks a bare name up here before it asks the catalogue; a `provider:model` address never comes here. A list's
//! entries are not looked up again: inside, a name is the catalogue's.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use bitrouter_contract::pattern::captures;
use bitrouter_route::address::Address;

use super::Providers;
use crate::config::{Fault, Named, Problem};

/// The names, ready to be looked up.
#[derive(Clone, Debug, Default)]
pub struct Names {
    exact: BTreeMap<String, Vec<String>>,
    /// The most specific first.
    globs: Vec<(String, Vec<String>)>,
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedAddresses<'a> {
    /// As the config has it, with its `*`.
    pub name: &'a str,
    /// With what the `*` stands for filled in.
    pub addresses: Cow<'a, [String]>,
}

impl Names {
    /// The names of a config, in the order of the file.
    pub fn new(models: &[Named]) -> Self {
        let mut names = Names::default();
        for named in models {
            let addresses = named.addresses.iter().map(|(_, address)| address.clone()).collect();
            match named.name.contains('*') {
                true => names.globs.push((named.name.clone(), addresses)),
                false => drop(names.exact.insert(named.name.clone(), addresses)),
            }
        }
        // Stable: of two that say as much, the first of the file.
        names.globs.sort_by_key(|(pattern, _)| Reverse(pattern.bytes().filter(|byte| *byte != b'*').count()));
        names
    }

    /// The list that a name stands for: the exact name's, else that of the pattern with the longest literal part.
    pub fn find(&self, name: &str) -> Option<NamedAddresses<'_>> {
        if let Some((name, addresses)) = self.exact.get_key_value(name) {
            return Some(NamedAddresses { name, addresses: Cow::Borrowed(addresses) });
        }
        self.globs.iter().find_map(|(pattern, addresses)| {
            let stars = captures(pattern, name)?;
            let addresses = addresses.iter().map(|address| filled(address, &stars)).collect();
            Some(NamedAddresses { name: pattern, addresses: Cow::Owned(addresses) })
        })
    }

    /// The names without a `*`, each with its list.
    pub fn exact(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.exact.iter().map(|(name, addresses)| (name.as_str(), addresses.as_slice()))
    }
}

impl Providers {
    /// What only the components know to be wrong with `models:`: addresses of providers that are not there, and names
    /// that no request can reach.
    pub fn name_problems(&self, models: &[Named]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for named in models {
            let key = format!("models.{}", named.name);
            if let Ok(Address::Provider { provider, .. }) = self.parse(&named.name) {
                problems.push(Problem {
                    position: named.position,
                    fault: Fault::NameIsAddress { key: key.clone(), provider },
                });
            }
            for (position, address) in &named.addresses {
                if let Some(reason) = self.address_problem(address) {
                    problems.push(Problem { position: *position, fault: Fault::Address { key: key.clone(), reason } });
                }
            }
        }
        problems
    }

    /// A name that is not listed may be one tomorrow. One with a `:` is either listed or a provider's.
    fn address_problem(&self, address: &str) -> Option<String> {
        match self.parse(address) {
            Err(error) => Some(error.to_string()),
            Ok(Address::Provider { .. }) => None,
            Ok(Address::Model(name)) => {
                let (before, _) = name.split_once(':')?;
                let open = before.contains('*') || name.contains('*') && before.contains('/');
                let listed = || self.by_id.values().any(|provider| provider.listed(&name).is_some());
                (!open && !listed()).then(|| self.unknown(&name))
            }
        }
    }
}

/// An address with its `*` filled in, one after the other.
fn filled(address: &str, stars: &[&str]) -> String {
    let mut stars = stars.iter();
    let mut pieces = address.split('*');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // The config was refused if there are more than the name has.
        text += stars.next().copied().unwrap_or("*");
        text += piece;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Position;

    fn names(lists: &[(&str, &[&str])]) -> Names {
        let named = |(name, addresses): &(&str, &[&str])| Named {
            position: Position::default(),
            name: (*name).to_owned(),
            addresses: addresses.iter().map(|address| (Position::default(), (*address).to_owned())).collect(),
        };
        Names::new(&lists.iter().map(named).collect::<Vec<_>>())
    }

    #[test]
    fn the_most_specific_name_wins() {
        let names = names(&[
            ("*", &["a:any"]),
            ("claude-*", &["a:claude"]),
            ("*-haiku", &["a:haiku"]),
            ("claude-*-4", &["a:four"]),
            ("claude-opus", &["a:exact"]),
            ("x-*", &["a:first"]),
            ("*-x", &["a:second"]),
        ]);
        for (name, wanted) in [
            ("claude-opus", "a:exact"),
            ("claude-sonnet", "a:claude"),
            ("claude-sonnet-4", "a:four"),
            ("claude-haiku", "a:claude"),
            ("tiny-haiku", "a:haiku"),
            ("gpt-5", "a:any"),
            // As long as each other: the order of the file.
            ("x-x", "a:first"),
        ] {
            assert_eq!(*names.find(name).unwrap().addresses, [wanted], "{name}");
        }
        assert_eq!(names.find("claude-sonnet-4").unwrap().name, "claude-*-4");
    }

    #[test]
    fn a_star_in_an_address_stands_for_what_the_names_star_matched() {
        for (name, address, asked, wanted) in [
            ("claude-*", "openai:gpt-*", "claude-5", Some("openai:gpt-5")),
            ("claude-*", "openai:*", "claude-a/b:c", Some("openai:a/b:c")),
            ("gpt-5*", "openai:gpt-5*", "gpt-5", Some("openai:gpt-5")),
            ("*-*", "a@*:m-*", "x-y-z", Some("a@x:m-y-z")),
            ("a*b*c", "*", "aXbYbZc", Some("X")),
            ("a*b*c", "p:*+*", "aXbYbZc", Some("p:X+YbZ")),
            ("*", "p:*", "モデル", Some("p:モデル")),
            ("a*a", "p:m", "a", None),
            ("a*b*b", "p:m", "ab", None),
            ("claude-*", "p:m", "claude", None),
            ("claude-*", "p:m", "xclaude-1", None),
            ("*-mini", "p:m", "gpt-mini-1", None),
        ] {
            let names = names(&[(name, &[address])]);
            let found = names.find(asked).map(|found| found.addresses[0].clone());
            assert_eq!(found.as_deref(), wanted, "{asked} by {name}");
        }
    }

    #[test]
    fn names_with_a_star_are_not_listed() {
        let names = names(&[("b", &["p:m", "q:m"]), ("a*", &["p:m"]), ("a", &["p:n"])]);
        let listed: Vec<(&str, usize)> = names.exact().map(|(name, list)| (name, list.len())).collect();
        assert_eq!(listed, [("a", 1), ("b", 2)]);
    }
}
