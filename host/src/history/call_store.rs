//! The seam between the states of calls and where they outlive a process, or are shared by several.
//!
//! [`CallStates`](super::CallStates) answers from memory. A store keeps what it is handed and hands it back; nothing on a
//! request's way calls it.

use std::io;
use std::sync::Arc;

/// A state of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCall {
    /// Whose it is, and of which call: the provider's id, the account's tag and the call's id, in lines.
    pub key: Arc<str>,
    /// The state, wrapped with its owner's name.
    pub state: Arc<str>,
    /// When it was last used, in seconds since 1970.
    pub used: u64,
}

/// Where states of calls are kept. [`FileCalls`](super::FileCalls) is a file; another may be a database that several machines
/// share.
///
/// The method blocks. A gateway calls it from a task of its own: at once when it starts, every few seconds after that, and once more at its end.
pub trait CallStore: Send + Sync {
    /// Keeps these beside what is kept already, and hands out what others have kept since this store was last asked by this
    /// process: the first time, all that is there. What is kept later under a key takes the place of what was. A store is
    /// bounded and forgets the oldest. After an error none of `news` is kept.
    fn exchange(&self, news: &[KeptCall], theirs: &mut dyn FnMut(KeptCall)) -> io::Result<()>;
}
