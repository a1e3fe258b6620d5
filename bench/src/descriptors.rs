//! How many file descriptors a process may have open: two for each stream that a proxy holds. Called by `run` before it
//! starts its children, which inherit the limit.

/// Raises this process's soft limit to its hard one and answers what it is then; `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub fn raise() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Some(hard),
        Err(_) => Some(soft),
    }
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
pub fn raise() -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_inherits_the_raised_limit() {
        let raised = raise().unwrap();
        let child = Command::new("sh").args(["-c", "ulimit -S -n"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&child.stdout).trim(), raised.to_string());
    }
}
