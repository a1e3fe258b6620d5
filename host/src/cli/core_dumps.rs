//! Core dumps: one of a process that holds keys would be a file of keys. Every command turns them off for itself and for
//! what it starts.

/// Turns them off, for good. Where the system does not let us, a command is as it was without.
#[cfg(unix)]
pub(super) fn turn_off() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::debug!(%error, "core dumps could not be turned off");
    }
}

/// Windows writes none unless an administrator has asked for them.
#[cfg(not(unix))]
pub(super) fn turn_off() {}
