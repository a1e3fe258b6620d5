//! Files that outlast a run: private to their user, replaced whole, changed by one process at a time; and moments as they
//! stand in them.
//!
//! Credentials, what is known of limits, lists of what was accepted and settings of other programs are written with it.
//! Nothing here knows what is in a file.

#![forbid(unsafe_code)]

mod lock;
mod private;
mod replace;
mod timestamp;

pub use lock::FileLock;
pub use private::{PrivateFile, shell_word};
pub use replace::{Leftovers, Reserved};
pub use timestamp::{NotATime, Timestamp};
