//! The learning: an answer is looked through for the ids of objects that its account has from then on, so that whoever names one
//! is sent there again. `deliver` puts it behind the rewrite, where nothing is translated.
//!
//! A stream passes as it came; its ids are known before the event that has them leaves. A document is whole before it leaves.
//! It is changed in one case: a list of all that an account has, for one of several callers, has its own objects alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitrouter_credential::Scrubber;
use bitrouter_dialect::{Framing, Splitter};
use bitrouter_document::Document;
use bytes::Bytes;
use serde_json::Value;

use super::source::Step;
use super::{AnswerSource, Broken};
use crate::caller::Caller;
use crate::history::{ObjectOwner, Owners};
use crate::pipeline::{Received, owned};

/// The longest document that is looked through. One that is longer passes, unless it is a list that is not all the caller's.
const LONGEST: usize = 16 << 20;
/// How much of a stream is looked through: its first events have its id.
const BEGINNING: usize = 1 << 20;

/// What is learned of an answer, and of whom.
pub(in crate::pipeline) struct Learning {
    /// Where it is remembered.
    pub owners: Arc<Owners>,
    /// Where ids stand, and of which objects they are.
    pub makes: BTreeMap<String, String>,
    /// For whom.
    pub caller: Caller,
    /// Who made it.
    pub owner: ObjectOwner,
    /// Where it is a list of all objects: what they are called.
    pub list: Option<&'static str>,
}

/// Puts whoever learns of the answer behind the source, where there is something to be learned.
pub(in crate::pipeline) fn stage(
    source: AnswerSource,
    received: &mut Received,
    framing: Option<Framing>,
) -> AnswerSource {
    let Some(learning) = received.learning.take() else { return source };
    let (scrubber, events) = (received.scrubber.clone(), framing == Some(Framing::Sse));
    let gathered = if events { Gathered::Events(Box::default()) } else { Gathered::Document(Vec::new()) };
    let watched = Watched { source, scrubber, learning, gathered, seen: 0, ended: false };
    AnswerSource::of(watched)
}

struct Watched {
    source: AnswerSource,
    scrubber: Option<Arc<Scrubber>>,
    learning: Box<Learning>,
    gathered: Gathered,
    seen: usize,
    ended: bool,
}

enum Gathered {
    Events(Box<Splitter>),
    Document(Vec<u8>),
    /// All is learned, or nothing can be.
    Nothing,
}

impl Step for Watched {
    /// What comes next, seen on its way.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        loop {
            let read = std::future::poll_fn(|context| self.source.poll(context)).await.transpose()?;
            self.ended = read.is_none();
            let bytes = read.unwrap_or_default();
            self.seen += bytes.len();
            match &mut self.gathered {
                Gathered::Nothing => return Ok(bytes),
                Gathered::Events(splitter) => {
                    let (learning, scrubber) = (&self.learning, self.scrubber.as_deref());
                    let mut learned = false;
                    splitter
                        .feed(&bytes, |event| learned |= learning.learn(Bytes::copy_from_slice(event.data), scrubber));
                    if learned || self.seen > BEGINNING {
                        self.gathered = Gathered::Nothing;
                    }
                    return Ok(bytes);
                }
                Gathered::Document(document) => {
                    document.extend_from_slice(&bytes);
                    if document.len() > LONGEST {
                        return self.too_long();
                    }
                    if self.ended {
                        return Ok(self.whole());
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ended
    }
}

impl Watched {
    fn whole(&mut self) -> Bytes {
        let Gathered::Document(document) = std::mem::replace(&mut self.gathered, Gathered::Nothing) else {
            return Bytes::new();
        };
        match self.learning.list {
            Some(object) if self.learning.caller != Caller::Anybody => {
                self.learning.own(object, &document).map_or_else(|| document.into(), Bytes::from)
            }
            _ => {
                let document = Bytes::from(document);
                self.learning.learn(document.clone(), self.scrubber.as_deref());
                document
            }
        }
    }

    fn too_long(&mut self) -> Result<Bytes, Broken> {
        match std::mem::replace(&mut self.gathered, Gathered::Nothing) {
            // What is not looked through may be others'.
            Gathered::Document(_) if self.learning.list.is_some() && self.learning.caller != Caller::Anybody => {
                Err(Broken::LongList)
            }
            Gathered::Document(document) => Ok(document.into()),
            Gathered::Events(_) | Gathered::Nothing => Ok(Bytes::new()),
        }
    }
}

impl Learning {
    /// Remembers who has the objects of a document; whether there were any. What is no JSON has none.
    fn learn(&self, document: Bytes, scrubber: Option<&Scrubber>) -> bool {
        let Ok(mut document) = Document::parse(document) else { return false };
        let mut learned = false;
        for (place, object) in &self.makes {
            for id in owned::ids_at(&mut document, place).unwrap_or_default() {
                // What the client sees of it is what it will name.
                let id = scrubber.map_or_else(|| (*id).into(), |scrubber| scrubber.scrub_text(&id));
                self.owners.remember(self.caller, object, &id, &self.owner);
                learned = true;
            }
        }
        learned
    }

    /// A list without what is not the caller's; none where it is no list.
    fn own(&self, object: &str, document: &[u8]) -> Option<Vec<u8>> {
        let mut list: Value = serde_json::from_slice(document).ok()?;
        let entries = list.get_mut("data")?.as_array_mut()?;
        entries.retain(|entry| {
            let owner = entry["id"].as_str().and_then(|id| self.owners.known(self.caller, object, id));
            owner.as_ref() == Some(&self.owner)
        });
        let id = |entry: Option<&Value>| entry.map_or(Value::Null, |entry| entry["id"].clone());
        let (first, last) = (id(entries.first()), id(entries.last()));
        for (name, id) in [("first_id", first), ("last_id", last)] {
            if let Some(member) = list.get_mut(name) {
                *member = id;
            }
        }
        serde_json::to_vec(&list).ok()
    }
}
