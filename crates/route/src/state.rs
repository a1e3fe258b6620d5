//! The seam between what is known of accounts' limits and where that outlives a process, or is shared by several.
//!
//! [`Cooldowns`](super::Cooldowns) and [`Windows`](super::Windows) answer from memory and decide what anything means. A state
//! keeps what they hand it and hands it back; nothing on a request's way calls it.

mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use super::Window;
pub use super::cooldown::Limit;
pub use file::FileState;

/// Where limits that were reached, and windows of limits, are kept. [`FileState`] is two files; another may be a database that
/// several gateways share.
///
/// Every method blocks. At the start of a process [`load`](Self::load) is called once, before all else. A gateway then calls
/// each of the two others from a task of its own: every three seconds, for limits also when one was reached or lifted, but
/// not twice within a second; and once more at its end.
pub trait RouteState: Send + Sync {
    /// What was kept. What cannot be read counts as not there, with a warning: at worst a limit is found out once more.
    fn load(&self) -> Persisted;

    /// Hands what is kept of limits to `exchange`, exactly once, and keeps what that makes of it instead. In one step: between processes that
    /// share the state nobody else's comes between. After an error what was kept before is kept still.
    fn exchange_limits(&self, exchange: &mut dyn FnMut(&[Limit]) -> Vec<Limit>) -> io::Result<()>;

    /// The same for windows. `news` says whether this process has heard anything since the last time; where it has not,
    /// nothing need be done by a state that no gateway watches.
    fn exchange_windows(&self, news: bool, exchange: &mut dyn FnMut(&mut AllWindows)) -> io::Result<()>;
}

/// What a state holds.
#[derive(Debug, Default)]
pub struct Persisted {
    /// The limits that were reached.
    pub limits: Vec<Limit>,
    /// The windows.
    pub windows: AllWindows,
}

/// Windows by provider, label of the account and name.
pub type AllWindows = BTreeMap<String, BTreeMap<String, BTreeMap<String, Window>>>;
