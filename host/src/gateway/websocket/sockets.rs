//! The WebSockets of a gateway: told when it stops, and waited for. `accept` does both.

use std::sync::Arc;

use tokio::sync::watch;

/// All that are open. A clone is the same.
#[derive(Clone)]
pub(in crate::gateway) struct Sockets(Arc<watch::Sender<bool>>);

/// Tells one of them that the gateway stops. As long as it is there, the socket counts as open.
pub(in crate::gateway) struct Stopping(watch::Receiver<bool>);

impl Sockets {
    /// None yet.
    pub(in crate::gateway) fn new() -> Self {
        Sockets(Arc::new(watch::Sender::new(false)))
    }

    /// One more.
    pub(in crate::gateway) fn open(&self) -> Stopping {
        Stopping(self.0.subscribe())
    }

    /// Tells all to end: at once, or once their answer under way is complete.
    pub(in crate::gateway) fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Returns once none is open.
    pub(in crate::gateway) async fn closed(&self) {
        self.0.closed().await;
    }
}

impl Stopping {
    /// Returns once the gateway stops.
    pub(super) async fn stops(&mut self) {
        // Whoever would send is gone with the gateway.
        let _ = self.0.wait_for(|stops| *stops).await;
    }
}
