//! What held streams wait for. The mock upstream's answers wait here until `POST /release` comes, so that every stream
//! can be shown to be alive after it was held. One release frees all who wait then, and nobody who comes later.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use tokio::sync::watch;

static RELEASES: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// Frees all who wait, and says how many they were.
pub fn release() -> usize {
    let waiting = RELEASES.receiver_count();
    RELEASES.send_replace(());
    waiting
}

/// One stream's wait; it counts as long as it lives.
pub struct Wait(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Wait {
    /// Waits for the next release.
    pub fn start() -> Self {
        let mut release = RELEASES.subscribe();
        Self(Box::pin(async move {
            // The sender is never dropped.
            let _ = release.changed().await;
        }))
    }

    /// Ready once it was released.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
