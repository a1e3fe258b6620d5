//! Which part of the list is asked for: Anthropic's `limit`, `after_id` and `before_id`, Google's `pageSize` and `pageToken`.
//!
//! Who asks for no page gets all of it: clients exist that never ask for the next.

use bitrouter_dialect::Dialect;

use super::shape::Entry;

/// The most on one page, at either vendor.
const MOST: usize = 1000;

/// A part of the list.
pub(super) struct Page<'e> {
    pub entries: &'e [Entry],
    /// Whether the list goes on, in the direction in which it is read.
    pub more: bool,
}

/// The page that a query asks for; the sentence why there is none.
pub(super) fn page<'e>(shape: Dialect, query: &str, entries: &'e [Entry]) -> Result<Page<'e>, String> {
    let value = |names: &[&str]| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| names.contains(&&**name));
        found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    let (size, after, before) = match shape {
        Dialect::Messages => (value(&["limit"]), value(&["after_id"]), value(&["before_id"])),
        Dialect::GenerateContent => (value(&["pageSize", "page_size"]), value(&["pageToken", "page_token"]), None),
        Dialect::ChatCompletions | Dialect::Responses => (None, None, None),
    };
    let size = match size.map(|size| size.parse::<usize>()) {
        None => entries.len(),
        Some(Ok(size @ 1..)) => size.min(MOST),
        Some(_) => return Err(format!("a page of models has 1 to {MOST} of them")),
    };
    let place = |id: &String| {
        let found = entries.iter().position(|entry| entry.id == *id);
        found.ok_or_else(|| format!("no model `{id}` is in the list, which may have changed: ask for its first page"))
    };
    if let Some(before) = before {
        let until = place(&before)?;
        let from = until.saturating_sub(size);
        return Ok(Page { entries: &entries[from..until], more: from > 0 });
    }
    let from = after.map_or(Ok(0), |after| place(&after).map(|at| at + 1))?;
    let until = from.saturating_add(size).min(entries.len());
    Ok(Page { entries: &entries[from..until], more: until < entries.len() })
}

#[cfg(test)]
mod tests {
    use bitrouter_contract::description::Facts;

    use super::*;

    fn entries() -> Vec<Entry> {
        ["a", "b", "c", "d"]
            .map(|id| Entry { id: id.into(), owner: "o".into(), facts: Facts::default(), methods: vec![] })
            .into()
    }

    fn ids(shape: Dialect, query: &str) -> Result<(String, bool), String> {
        let entries = entries();
        let page = page(shape, query, &entries)?;
        Ok((page.entries.iter().map(|entry| entry.id.as_str()).collect(), page.more))
    }

    #[test]
    fn each_vendors_clients_turn_the_pages_in_their_own_way() {
        use Dialect::{ChatCompletions, GenerateContent, Messages};
        for (shape, query, page, more) in [
            (Messages, "", "abcd", false),
            (Messages, "limit=3", "abc", true),
            (Messages, "limit=3&after_id=b", "cd", false),
            (Messages, "before_id=d&limit=2", "bc", true),
            (Messages, "before_id=b&limit=2", "a", false),
            (Messages, "pageSize=1", "abcd", false),
            (GenerateContent, "pageSize=2&key=k", "ab", true),
            (GenerateContent, "pageSize=2&pageToken=b", "cd", false),
            (GenerateContent, "page_size=1&page_token=a", "b", true),
            (GenerateContent, "pageToken=d", "", false),
            (ChatCompletions, "limit=1", "abcd", false),
        ] {
            assert_eq!(ids(shape, query), Ok((page.to_owned(), more)), "{query}");
        }
        for query in ["limit=0", "limit=x", "after_id=nobody"] {
            assert!(ids(Messages, query).is_err(), "{query}");
        }
    }
}
