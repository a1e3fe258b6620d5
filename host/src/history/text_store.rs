//! The seam between texts that are kept and where they outlive a process, or are shared by several.
//!
//! [`CallStates`](super::CallStates) and [`Owners`](super::Owners) answer from memory. A store keeps what it is handed and hands
//! it back; only for an id of which memory knows nothing is one asked on a request's way.

use std::io;
use std::sync::Arc;

/// A text that is kept: a state of a call, wrapped with its owner's name, or the owner of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptText {
    /// Whose it is, and of what: of a call the provider's id, the account's tag and the call's id, in lines; of an id what tells its
    /// caller from others, what sort of object it is of, and the id.
    pub key: Arc<str>,
    /// The text.
    pub text: Arc<str>,
    /// When it was last used, in seconds since 1970.
    pub used: u64,
}

/// Where texts of one kind are kept. [`FileTexts`](super::FileTexts) is a file; another may be a database that several machines
/// share.
///
/// The method blocks. A gateway calls it from a task of its own: at once when it starts, every few seconds after that, and once more at its end.
pub trait TextStore: Send + Sync {
    /// Keeps these beside what is kept already, and hands out what others have kept since this store was last asked by this
    /// process: the first time, all that is there. What is kept later under a key takes the place of what was. A store is
    /// bounded and forgets the oldest. After an error none of `news` is kept.
    fn exchange(&self, news: &[KeptText], theirs: &mut dyn FnMut(KeptText)) -> io::Result<()>;
}
