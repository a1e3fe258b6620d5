//! The section `providers`: a block for each provider, by its id.

use std::collections::BTreeMap;

use bitrouter_dialect::Dialect;

use super::kinds::Parsed;
use super::read::{Entry, Reader, join};
use super::section::{Block, Body, Section, Shape};
use super::{Fault, Problem, Provider};

/// The id of a provider.
pub(super) const PROVIDER: Parsed<String> = Parsed {
    takes: "a provider's id, such as `openai-compatible`",
    words: "a provider",
    of: |_, id| if is_id(&id) { Ok(id) } else { Err(Fault::ProviderId { id }) },
};

/// A dialect of models' answers.
pub(super) const DIALECT: Parsed<String> = Parsed {
    takes: "`chat-completions`, `responses`, `messages` and `generate-content`",
    words: "dialects",
    of: |key, text| match text.parse::<Dialect>() {
        Ok(dialect) => Ok(dialect.as_str().to_owned()),
        Err(_) => Err(Fault::WrongType {
            key,
            takes: "`chat-completions`, `responses`, `messages` or `generate-content`".to_owned(),
        }),
    },
};

/// The blocks, by id.
pub(super) struct Providers;

impl Block<BTreeMap<String, Provider>> for Providers {
    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>, into: &mut BTreeMap<String, Provider>) {
        for (name, node) in reader.entries(entry, &["<id>"]) {
            let (id, position) = (name.text.clone(), name.position);
            if !is_id(&id) {
                reader.problem(Problem { position, fault: Fault::ProviderId { id } });
                continue;
            }
            let entry = Entry { key: &join(entry.key, &id), position, node };
            let mut block = Provider { position, ..Provider::default() };
            reader.section(&entry, &mut block);
            if let Err(problem) = block.join_api_base(&entry) {
                reader.problem(problem);
            }
            into.insert(id, block);
        }
    }

    fn body(&self) -> Body {
        Body::Section(Shape::ByProvider, Provider::members())
    }
}

impl Provider {
    /// `api_base` is short for `origins.api`: where both are there, the second of the file must say what the first did.
    fn join_api_base(&mut self, entry: &Entry<'_>) -> Result<(), Problem> {
        let Some(base) = self.api_base.take() else { return Ok(()) };
        match self.origins.get("api") {
            Some(api) if *api != base => {
                let names = ["api_base", "origins"].into_iter().filter_map(|name| entry.node.entry(name));
                let position = names.map(|(name, _)| name.position).max().unwrap_or(entry.position);
                Err(Problem { position, fault: Fault::OriginsDiffer { key: join(entry.key, "api_base") } })
            }
            _ => {
                self.origins.insert("api".to_owned(), base);
                Ok(())
            }
        }
    }

    /// Whether two blocks mean the same, wherever in the file they stand.
    pub fn says_the_same_as(&self, other: &Provider) -> bool {
        *self == Provider { position: self.position, ..other.clone() }
    }
}

/// The grammar that a description's id has.
fn is_id(id: &str) -> bool {
    id.len() <= 32
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
