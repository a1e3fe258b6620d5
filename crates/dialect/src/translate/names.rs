//! Names of tools that a target cannot have as they are: namespaces are flattened, long names shortened, custom tools
//! become functions. What they were is kept for the answer, from the tools of the very request.

use std::borrow::Cow;
use std::collections::HashMap;

use super::ids::hash;
use super::writer::Inside;
use crate::dialect::Dialect;

/// The namespace that clients take as none at all.
const DEFAULT_NAMESPACE: &[u8] = b"functions";

/// What the answer to a request needs to name tools as its client does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By what the target was told, as it stands between quotes; empty if all are what they were.
    tools: HashMap<Vec<u8>, Named>,
    /// How many states of its owner the target was sent.
    pub(crate) states: u64,
    /// What tells the history from others, where the client may give calls no ids.
    pub(crate) history: Option<u64>,
}

/// A tool as its client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: Vec<u8>,
    pub(crate) namespace: Option<Vec<u8>>,
    /// Whether it takes free text.
    pub(crate) custom: bool,
    /// Whether it is the client's search for tools.
    pub(crate) search: bool,
}

impl Names {
    /// What the target was told stands for this tool. Of two the first holds.
    pub(crate) fn add(&mut self, sent: Vec<u8>, tool: Named) {
        self.tools.entry(sent).or_insert(tool);
    }

    /// The client's tool that a target means. Models leave a namespace away: that is understood where only one has the name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Named> {
        if self.tools.is_empty() {
            return None;
        }
        self.tools.get(name).or_else(|| {
            let mut bare = self.tools.values().filter(|tool| tool.name == name);
            bare.next().filter(|_| bare.next().is_none())
        })
    }
}

/// The one name by which a target knows a tool: `namespace__name`, in letters that it takes and no longer than it takes.
pub(crate) fn sent<'a>(name: &Inside<'a>, namespace: Option<&Inside<'a>>, target: Dialect) -> Inside<'a> {
    let flat = match namespace.filter(|it| !it.is_empty() && ***it != *DEFAULT_NAMESPACE) {
        Some(namespace) => Cow::Owned([&namespace[..], b"__", &name[..]].concat()),
        None => name.clone(),
    };
    let longest = if target == Dialect::GenerateContent { 128 } else { 64 };
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-')
            || (target == Dialect::GenerateContent && matches!(byte, b'.' | b':'))
    };
    let begins = |byte: &u8| target != Dialect::GenerateContent || byte.is_ascii_alphabetic() || *byte == b'_';
    if flat.first().is_some_and(begins) && flat.len() <= longest && flat.iter().all(fits) {
        return flat;
    }
    let hash = format!("_{:08x}", hash(&flat));
    let mark = if flat.first().is_some_and(begins) { &b""[..] } else { b"_" };
    let clean = flat.iter().map(|byte| if fits(byte) { *byte } else { b'_' }).take(longest - hash.len() - mark.len());
    Cow::Owned(mark.iter().copied().chain(clean).chain(hash.bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, namespace: Option<&str>, target: Dialect) -> String {
        let namespace = namespace.map(|it| Cow::Borrowed(it.as_bytes()));
        let sent = sent(&Cow::Borrowed(name.as_bytes()), namespace.as_ref(), target);
        String::from_utf8(sent.into_owned()).unwrap()
    }

    #[test]
    fn a_namespace_is_flattened_but_for_the_one_that_is_none() {
        assert_eq!(text("pic", Some("mcp__srv"), Dialect::Messages), "mcp__srv__pic");
        assert_eq!(text("exec", Some("functions"), Dialect::Messages), "exec");
        assert_eq!(text("exec", None, Dialect::Messages), "exec");
    }

    #[test]
    fn a_name_that_the_target_refuses_is_mapped_by_itself_alone() {
        let long = text(&"x".repeat(70), None, Dialect::ChatCompletions);
        assert_eq!(long.len(), 64);
        assert_ne!(long, text(&"x".repeat(71), None, Dialect::ChatCompletions));
        assert_eq!(text(&"x".repeat(70), None, Dialect::GenerateContent).len(), 70);
        assert!(text("a.b", None, Dialect::Messages).starts_with("a_b_"));
        assert_eq!(text("a.b", None, Dialect::GenerateContent), "a.b");
        assert!(text("1a", None, Dialect::GenerateContent).starts_with("_1a_"));
        assert_eq!(text("1a", None, Dialect::Messages), "1a");
    }

    #[test]
    fn a_bare_name_is_understood_where_it_is_unique() {
        let mut names = Names::default();
        for (namespace, name) in
            [(None, "read"), (Some("a"), "read"), (Some("a"), "pic"), (Some("b"), "list"), (Some("c"), "list")]
        {
            let namespace = namespace.map(|it: &str| Cow::Borrowed(it.as_bytes()));
            let sent = sent(&Cow::Borrowed(name.as_bytes()), namespace.as_ref(), Dialect::Messages).into_owned();
            let namespace = namespace.map(Cow::into_owned);
            names.add(sent, Named { name: name.into(), namespace, custom: false, search: false });
        }
        let namespace = |name: &str| names.find(name.as_bytes()).map(|it| it.namespace.clone());
        assert_eq!(namespace("a__pic"), Some(Some(b"a".to_vec())));
        assert_eq!(namespace("pic"), Some(Some(b"a".to_vec())));
        assert_eq!(namespace("read"), Some(None), "a tool of that very name");
        assert_eq!(namespace("list"), None, "two have it");
    }
}
