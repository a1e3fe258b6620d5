//! File descriptors: a stream takes two, and the soft limit of many systems (1,024; 256 on macOS) is for programs that wait
//! with `select`. `serve` raises its own once.

/// More than any gateway needs. Where the hard limit is beyond all bounds, whatever walks over all of them takes its time.
#[cfg(unix)]
const MOST_DESCRIPTORS: u64 = if cfg!(target_os = "macos") { 10_240 } else { 1 << 20 };

/// Raises the soft limit to the hard one, and answers what holds then. Without it the gateway serves fewer at a time, so that
/// is no failure.
#[cfg(unix)]
pub(super) fn raise_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
    {
        tracing::debug!(%error, wanted, "the limit of file descriptors stays as it is");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(MOST_DESCRIPTORS)
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(super) fn raise_limit() -> u64 {
    u64::MAX
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn a_soft_limit_that_was_lowered_is_raised_again() {
        raise_limit();
        let limit = getrlimit(Resource::Nofile);
        let most = limit.current.unwrap();
        setrlimit(Resource::Nofile, Rlimit { current: Some(most - 1), ..limit }).unwrap();
        assert_eq!(raise_limit(), most);
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
    }
}
