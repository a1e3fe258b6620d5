//! Who owns an id: the provider and the account at which a caller's responses, conversations, files, uploads and batches were
//! made. Each is its caller's alone; for others it is not there.
//!
//! The pipeline remembers what an answer brought, and asks before a request goes anywhere. Nothing of an object is kept but its
//! id. Responses come by the thousand and their vendors forget them after weeks: they have a place of their own, so that they
//! push out no file.

use std::io;
use std::sync::Arc;

use super::texts::Texts;
use super::{OBJECT_OWNERS, RESPONSE_OWNERS, TextStore};
use crate::caller::Caller;

/// The longest id that is remembered, in bytes. No vendor's comes near.
const LONGEST_ID: usize = 512;

/// The owners of all ids.
pub struct Owners {
    responses: Texts,
    others: Texts,
}

/// At which provider, and with which of its accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectOwner {
    /// The provider's id.
    pub provider: String,
    /// The account's label; empty where the provider needs none.
    pub account: String,
}

impl std::fmt::Display for ObjectOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.provider)?;
        if self.account.is_empty() { Ok(()) } else { write!(f, "@{}", self.account) }
    }
}

impl Default for Owners {
    fn default() -> Self {
        Owners { responses: Texts::new(&RESPONSE_OWNERS), others: Texts::new(&OBJECT_OWNERS) }
    }
}

impl Owners {
    /// Owners that are kept there as well: those of responses, and of everything else. Nothing is read yet.
    pub fn persisted_in(responses: Arc<dyn TextStore>, others: Arc<dyn TextStore>) -> Self {
        Owners {
            responses: Texts::persisted_in(&RESPONSE_OWNERS, responses),
            others: Texts::persisted_in(&OBJECT_OWNERS, others),
        }
    }

    /// Hands what is new to the stores, and takes over what others have put there. Blocks.
    pub fn exchange(&self) -> io::Result<()> {
        self.responses.exchange().and(self.others.exchange())
    }

    /// Remembers who made an object for a caller. An id that has an owner keeps it: no provider takes an object over by
    /// naming it.
    pub fn remember(&self, caller: Caller, object: &str, id: &str, owner: &ObjectOwner) {
        let is_an_id = !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(char::is_control);
        let key = key(caller, object, id);
        let texts = self.of(object);
        if is_an_id && texts.find(&key).is_none() {
            texts.keep(key, &format!("{}\n{}", owner.provider, owner.account));
        }
    }

    /// The owner of an object of this caller's, as far as this process knows.
    pub fn known(&self, caller: Caller, object: &str, id: &str) -> Option<ObjectOwner> {
        let text = self.of(object).find(&key(caller, object, id))?;
        let (provider, account) = text.split_once('\n')?;
        Some(ObjectOwner { provider: provider.to_owned(), account: account.to_owned() })
    }

    /// The same, with a look at what other processes have put into the store: one may have made it a moment ago, and a process
    /// that has just started may not have read it yet.
    pub async fn find(self: &Arc<Self>, caller: Caller, object: &str, id: &str) -> Option<ObjectOwner> {
        if let Some(owner) = self.known(caller, object, id) {
            return Some(owner);
        }
        let owners = Arc::clone(self);
        // What fails is tried again every few seconds, and said then.
        let _ = tokio::task::spawn_blocking(move || owners.exchange()).await;
        self.known(caller, object, id)
    }

    fn of(&self, object: &str) -> &Texts {
        if object == "responses" { &self.responses } else { &self.others }
    }
}

fn key(caller: Caller, object: &str, id: &str) -> String {
    [&*caller.tag(), "\n", object, "\n", id].concat()
}
