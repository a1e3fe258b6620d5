//! Work on a whole body or document, on a thread that serves nobody where it is long. `attempt`, `continued`, `translate` and
//! the answer's `translate` call it with work that may look at every item.

use crate::error::Error;

/// From this size on, in bytes, such work may take a millisecond, for which nobody else should wait.
const LONG: usize = 256 << 10;

/// Does the work on so many bytes.
pub(super) async fn work<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if bytes < LONG {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.to_string()))
}
