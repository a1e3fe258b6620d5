//! Which conversation a request belongs to, so that `accounts: sticky` can keep it on one account.
//!
//! The failover loop asks only where a provider's accounts are sticky: a key costs a look into the body. What clients say
//! of it comes first; else the texts that a conversation begins with are hashed, which stay the same from turn to turn.

use std::borrow::Cow;

use bitrouter_document::{Cell, Document, Find, Kind};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

/// Headers in which clients name a conversation, the surest first: Codex (`session-id`, `thread-id`, and what its older
/// releases sent), Claude Code, and names that others use.
static HEADERS: [HeaderName; 10] = [
    HeaderName::from_static("session-id"),
    HeaderName::from_static("session_id"),
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("x-claude-code-session-id"),
    HeaderName::from_static("thread-id"),
    HeaderName::from_static("thread_id"),
    HeaderName::from_static("x-thread-id"),
    HeaderName::from_static("conversation-id"),
    HeaderName::from_static("conversation_id"),
    HeaderName::from_static("x-conversation-id"),
];

/// Members that stand before the messages in the four dialects.
const INSTRUCTIONS: [&str; 4] = ["/instructions", "/system", "/systemInstruction", "/system_instruction"];
/// Members that hold the messages.
const MESSAGES: [&str; 3] = ["/messages", "/input", "/contents"];
/// How many messages are looked at for the first of the user.
const FIRST: usize = 16;
/// How much of one text is hashed, in bytes. Conversations that begin with so much in common share a cache as well.
const OF_TEXT: usize = 16 * 1024;
/// The longest id that counts as one, in bytes.
const LONGEST_ID: u32 = 1024;

/// The key of a conversation: a hash, so that neither an id nor a text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conversation([u8; 32]);

impl Conversation {
    /// The conversation that the request belongs to; none where nothing tells, as with a form.
    pub fn of(headers: &HeaderMap, body: Option<&mut Document>) -> Option<Self> {
        let mut body = body;
        let named = body.as_deref_mut().and_then(|body| string(body, "/prompt_cache_key"));
        let named = named.or_else(|| in_headers(headers).map(str::to_owned));
        let named = named.or_else(|| {
            let body = body.as_deref_mut()?;
            string(body, "/conversation").or_else(|| string(body, "/conversation/id"))
        });
        match named {
            Some(id) => Some(Self::of_id(&id)),
            None => Self::of_beginning(body?),
        }
    }

    /// The conversation that a request's headers name.
    pub fn named_by(headers: &HeaderMap) -> Option<Self> {
        in_headers(headers).map(Self::of_id)
    }

    /// The id by which a client names its conversation in a header.
    pub fn id_in(headers: &HeaderMap) -> Option<&str> {
        in_headers(headers)
    }

    /// The conversation with this id.
    pub(super) fn of_id(id: &str) -> Self {
        Conversation(Sha256::new().chain_update("id\0").chain_update(id).finalize().into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From the instructions and the messages up to the first of the user.
    fn of_beginning(body: &mut Document) -> Option<Self> {
        let mut beginning = Beginning { hash: Sha256::new().chain_update("beginning\0"), texts: 0 };
        for pointer in INSTRUCTIONS {
            beginning.add_texts(body, pointer);
        }
        let instructions = beginning.texts;
        for pointer in MESSAGES {
            beginning.add_messages(body, pointer);
        }
        // Instructions alone are those of a program, whose conversations should spread.
        (beginning.texts > instructions).then(|| Conversation(beginning.hash.finalize().into()))
    }
}

struct Beginning {
    hash: Sha256,
    texts: usize,
}

impl Beginning {
    /// The messages up to the first of the user: later ones come and go with the turns.
    fn add_messages(&mut self, body: &mut Document, pointer: &str) {
        if body.kind(pointer) == Ok(Some(Kind::String)) {
            return self.add_texts(body, pointer);
        }
        for index in 0..FIRST {
            let message = format!("{pointer}/{index}");
            match body.kind(&message) {
                Ok(Some(Kind::Object)) => {}
                _ => return,
            }
            for content in ["content", "parts"] {
                self.add_texts(body, &format!("{message}/{content}"));
            }
            // generateContent leaves the role out where the user speaks.
            if string(body, &format!("{message}/role")).is_none_or(|role| role == "user") {
                return;
            }
        }
    }

    /// A text, or those of a list of parts. Only texts: what stands beside them, such as `cache_control`, moves.
    fn add_texts(&mut self, body: &mut Document, pointer: &str) {
        match body.kind(pointer) {
            Ok(Some(Kind::String)) => {
                if let Ok(Some(text)) = body.get(pointer, u32::MAX) {
                    self.add(&text);
                }
            }
            Ok(Some(Kind::Array)) => {
                let texts = format!("{pointer}/*/text");
                if let Ok(found) = body.find(&Find { fields: &[""], ..Find::all(&texts) }) {
                    found.rows().flat_map(|(_, cells)| cells).for_each(|cell| match cell {
                        Cell::Value(text) => self.add(text),
                        Cell::Absent | Cell::Big(_) => {}
                    });
                }
            }
            Ok(Some(Kind::Object)) => self.add_texts_of_content(body, pointer),
            _ => {}
        }
    }

    /// The instructions of generateContent are a content with parts.
    fn add_texts_of_content(&mut self, body: &mut Document, pointer: &str) {
        let parts = format!("{pointer}/parts");
        if body.kind(&parts) == Ok(Some(Kind::Array)) {
            self.add_texts(body, &parts);
        }
    }

    /// `json` is a string as it stands in the body. The length goes first, so that no two lists of texts are the same.
    fn add(&mut self, json: &str) {
        let text = &json.as_bytes()[..json.len().min(OF_TEXT)];
        self.hash.update((text.len() as u64).to_be_bytes());
        self.hash.update(text);
        self.texts += 1;
    }
}

fn in_headers(headers: &HeaderMap) -> Option<&str> {
    if headers.is_empty() {
        return None;
    }
    let value = |name: &HeaderName| headers.get(name)?.to_str().ok().filter(|value| !value.is_empty());
    HEADERS.iter().find_map(value).filter(|value| value.len() <= LONGEST_ID as usize)
}

/// A string that is not empty, decoded.
fn string(body: &mut Document, pointer: &str) -> Option<String> {
    if body.kind(pointer) != Ok(Some(Kind::String)) {
        return None;
    }
    let text: Cow<'_, str> = body.get(pointer, LONGEST_ID).ok()??;
    serde_json::from_str::<String>(&text).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
