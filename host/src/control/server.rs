//! What a running gateway answers on its control socket: HTTP with JSON, for `status` and `reload`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::reload::Reloader;
use super::status::{Process, State, Status};
use crate::app::Live;
use crate::gateway::Connections;

/// Which cooldowns are to be lifted: all of them where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Which {
    /// Those of this provider.
    pub provider: Option<String>,
    /// Those of this account of it.
    pub label: Option<String>,
}

/// How many cooldowns were lifted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cleared {
    /// That many.
    pub cleared: usize,
}

/// What the control socket speaks for.
pub struct Control {
    live: Arc<Live>,
    reloader: Arc<Reloader>,
    connections: Arc<Connections>,
    listening: Vec<SocketAddr>,
    started: (SystemTime, Instant),
    stopping: AtomicBool,
}

impl Control {
    /// Of a gateway that was started just now.
    pub fn new(
        live: Arc<Live>,
        reloader: Arc<Reloader>,
        connections: Arc<Connections>,
        listening: Vec<SocketAddr>,
    ) -> Arc<Self> {
        let started = (SystemTime::now(), Instant::now());
        Arc::new(Control { live, reloader, connections, listening, started, stopping: AtomicBool::new(false) })
    }

    /// Says from now on that the gateway stops.
    pub fn stops(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers for as long as it is polled.
    #[cfg(unix)]
    pub async fn serve(self: Arc<Self>, socket: super::Socket) {
        let _ = axum::serve(socket, routes(self)).await;
    }

    /// There is no such socket.
    #[cfg(not(unix))]
    pub async fn serve(self: Arc<Self>, socket: super::Socket) {
        match socket {}
    }

    /// The gateway at this moment. May read the token store, which blocks briefly.
    fn status(&self) -> Status {
        let process = Process {
            state: if self.stopping.load(Ordering::Relaxed) { State::Stopping } else { State::Serving },
            started: self.started.0,
            uptime: self.started.1.elapsed(),
            listening: self.listening.clone(),
            connections: self.connections.open(),
        };
        Status::of(&self.live.now(), process, self.reloader.in_force())
    }
}

#[cfg_attr(not(unix), allow(dead_code))]
fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/reload", post(reload))
        .route("/clear", post(clear))
        .with_state(control)
}

async fn status(From(control): From<Arc<Control>>) -> Response {
    match tokio::task::spawn_blocking(move || control.status()).await {
        Ok(status) => Json(status).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn reload(From(control): From<Arc<Control>>) -> Response {
    match control.reloader.reload().await {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(refused) => (StatusCode::CONFLICT, Json(refused)).into_response(),
    }
}

async fn clear(From(control): From<Arc<Control>>, Json(which): Json<Which>) -> Json<Cleared> {
    let app = control.live.now();
    let cooldowns = app.directory.cooldowns();
    let cleared = cooldowns.clear(which.provider.as_deref(), which.label.as_deref(), SystemTime::now());
    tracing::info!(provider = which.provider, account = which.label, cleared, "cooldowns lifted by hand");
    Json(Cleared { cleared })
}
