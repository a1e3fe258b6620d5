//! The control socket: a file that only this user can connect to. One gateway of a home has it at a time.
//!
//! A lock beside it says who: it ends with its process, so that what a killed gateway left behind is replaced.

use std::io;
use std::path::{Path, PathBuf};

/// Why a gateway has no control socket. It serves all the same.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another gateway of this home has it.
    #[error("{}: another gateway with the same home has this control socket, so `bitrouter status` and `bitrouter reload` speak to that one. BITROUTER_HOME gives a gateway a home of its own", .0.display())]
    Taken(PathBuf),
    /// The system does not allow it.
    #[error("{}: there is no control socket, so `bitrouter status` and `bitrouter reload` do not reach this gateway: {}", path.display(), reason(path, source))]
    Io {
        /// Where it would be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are no such sockets here.
    #[error(
        "there is no control socket on this system yet, so `bitrouter status` and `bitrouter reload` do not work. The config is watched all the same"
    )]
    NotHere,
}

/// What the system said, in words that lead somewhere. A path that is too long for a socket is told as an input that is
/// not valid, with the name of a constant.
pub(super) fn reason(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidInput => format!(
            "the path of the socket has {} bytes, and systems take some 100. Set BITROUTER_HOME to a shorter one",
            path.as_os_str().len()
        ),
        _ => error.to_string(),
    }
}

#[cfg(unix)]
pub use unix::Socket;

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::time::Duration;

    use bitrouter_files::FileLock;
    use tokio::net::unix::SocketAddr;
    use tokio::net::{UnixListener, UnixStream};

    use super::SocketError;
    use crate::config::Paths;

    /// The socket of this gateway. It is gone when it is dropped.
    #[derive(Debug)]
    pub struct Socket {
        listener: UnixListener,
        user: u32,
        _file: Removed,
        /// Dropped last, so that nobody binds what is about to be removed.
        _lock: FileLock,
    }

    /// The socket's file, removed when this is dropped.
    #[derive(Debug)]
    struct Removed(PathBuf);

    impl Drop for Removed {
        fn drop(&mut self) {
            // Where it is gone already, all is well.
            let _ = fs::remove_file(&self.0);
        }
    }

    impl Socket {
        /// Takes the socket of this home. Must be called inside a tokio runtime.
        pub fn open(paths: &Paths) -> Result<Self, SocketError> {
            let path = paths.control_socket();
            let failed = |source: io::Error| match source.kind() {
                ErrorKind::TimedOut => SocketError::Taken(path.clone()),
                _ => SocketError::Io { path: path.clone(), source },
            };
            let lock = FileLock::take(&path.with_extension("lock"), Duration::ZERO).map_err(failed)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
            let listener = UnixListener::bind(&path).map_err(failed)?;
            let file = Removed(path.clone());
            // Who connects in between is asked who it is below.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
            Ok(Socket { listener, user: rustix::process::geteuid().as_raw(), _file: file, _lock: lock })
        }

        fn is_own(&self, stream: &UnixStream) -> bool {
            // Root may read this process's memory anyway.
            stream.peer_cred().is_ok_and(|peer| peer.uid() == self.user || peer.uid() == 0)
        }
    }

    impl axum::serve::Listener for Socket {
        type Io = UnixStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (UnixStream, SocketAddr) {
            loop {
                match self.listener.accept().await {
                    Ok((stream, address)) if self.is_own(&stream) => return (stream, address),
                    Ok(_) => tracing::warn!("another user tried the control socket"),
                    Err(error) => {
                        tracing::warn!(%error, "the control socket could not accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            self.listener.local_addr()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn one_gateway_of_a_home_has_the_socket_and_others_have_their_own() {
            let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let paths = Paths::under(home.path());
            let first = Socket::open(&paths).unwrap();
            let mode = fs::metadata(paths.control_socket()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let taken = Socket::open(&paths).unwrap_err();
            assert!(matches!(taken, SocketError::Taken(_)), "{taken}");
            assert!(paths.control_socket().exists());
            Socket::open(&Paths::under(other.path())).unwrap();
            drop(first);
            assert!(!paths.control_socket().exists());
            Socket::open(&paths).unwrap();
        }

        #[tokio::test]
        async fn what_a_killed_gateway_left_is_replaced() {
            let home = tempfile::tempdir().unwrap();
            let paths = Paths::under(home.path());
            // A socket's file stays when its listener is gone.
            drop(std::os::unix::net::UnixListener::bind(paths.control_socket()).unwrap());
            Socket::open(&paths).unwrap();
        }

        #[tokio::test]
        async fn a_home_too_deep_for_a_socket_is_told_so() {
            let home = tempfile::tempdir().unwrap();
            let deep = home.path().join("d".repeat(120));
            let error = Socket::open(&Paths::under(&deep)).unwrap_err().to_string();
            assert!(error.contains("control.sock") && error.contains("there is no control socket"), "{error}");
            assert!(error.contains("Set BITROUTER_HOME to a shorter one") && !error.contains("SUN_LEN"), "{error}");
        }
    }
}

#[cfg(not(unix))]
pub use elsewhere::Socket;

#[cfg(not(unix))]
mod elsewhere {
    use super::SocketError;
    use crate::config::Paths;

    /// Nothing yet.
    #[derive(Debug)]
    pub enum Socket {}

    impl Socket {
        /// Says so.
        pub fn open(_: &Paths) -> Result<Self, SocketError> {
            Err(SocketError::NotHere)
        }
    }
}
